"""The build backend: scikit-build-core, with a compiler found or fetched, or else without the core.

The extension ``chainrule._native`` is compiled with the machine's C++20 compiler; where there is
none, with the one in the PyPI package ``ziglang``, which is then a build requirement; where that
fails too, the wheel is pure Python, and a line says so. The environment variable
``CHAINRULE_NATIVE`` decides otherwise: ``0`` leaves the core out, ``1`` makes its failure an error.

An editable install keeps its extension in ``src/chainrule``, beside the Python files that it runs
with; `make native` builds it anew from what has changed.
"""

from chainrule_build.hooks import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]
