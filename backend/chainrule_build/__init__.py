"""The build backend: scikit-build-core, with a compiler found or fetched, or else without the core.

The extension ``chainrule._native`` is compiled with the machine's C++20 compiler; where there is
none, with the one in the PyPI package ``ziglang``, which is then a build requirement; where that
fails too, the wheel is pure Python, and a line says so. The environment variable
``CHAINRULE_NATIVE`` decides otherwise: ``0`` leaves the core out, ``1`` makes its failure an error.

An editable install keeps its extension in ``src/chainrule``, beside the Python files that it runs
with; `make native` builds it anew from what has changed.
"""

from chainrule_build.hooks import build_editable as build_editable
from chainrule_build.hooks import build_sdist as build_sdist
from chainrule_build.hooks import build_wheel as build_wheel
from chainrule_build.hooks import get_requires_for_build_editable as get_requires_for_build_editable
from chainrule_build.hooks import get_requires_for_build_sdist as get_requires_for_build_sdist
from chainrule_build.hooks import get_requires_for_build_wheel as get_requires_for_build_wheel
from chainrule_build.hooks import (
    prepare_metadata_for_build_editable as prepare_metadata_for_build_editable,
)
from chainrule_build.hooks import prepare_metadata_for_build_wheel as prepare_metadata_for_build_wheel
