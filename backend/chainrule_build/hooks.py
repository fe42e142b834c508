"""The hooks of PEP 517 and PEP 660."""

import base64
import hashlib
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from scikit_build_core import build as scikit

from chainrule_build.compilers import (
    Compiler,
    Unavailable,
    machine_compiler,
    missing_headers,
    usable_compilers,
    zig_requirement,
)
from chainrule_build.in_place import BUILDS, PACKAGE, build_in_place, remove_in_place

NANOBIND_REQUIREMENT = "nanobind>=2.7"

# Where an editable install that went without the core says why; `make` shows it.
WITHOUT = BUILDS / "without.txt"

Settings: TypeAlias = dict[str, list[str] | str]

_PURE: Settings = {"wheel.cmake": "false", "wheel.py-api": "py3", "wheel.platlib": "false"}


def get_requires_for_build_wheel(config_settings: Settings | None = None) -> list[str]:
    """CMake, Ninja, nanobind and a compiler, as far as this machine lacks them and can use them."""
    if core_wanted() is False or missing_headers() is not None:
        return []
    tools = [*scikit.get_requires_for_build_wheel(config_settings), NANOBIND_REQUIREMENT]
    if machine_compiler() is not None:
        return tools
    zig = zig_requirement()
    return [] if zig is None else [*tools, zig]


get_requires_for_build_editable = get_requires_for_build_wheel


def get_requires_for_build_sdist(config_settings: Settings | None = None) -> list[str]:
    """Nothing is compiled for a source archive."""
    return scikit.get_requires_for_build_sdist(config_settings)


# The metadata is the same with the core and without. The wheel is not compared with what these
# return, as its tag is known only once the core has been built.
def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Settings | None = None
) -> str:
    """Write the metadata and return the name of its folder."""
    return scikit.prepare_metadata_for_build_wheel(
        metadata_directory, {**(config_settings or {}), **_PURE}
    )


def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: Settings | None = None
) -> str:
    """Write the metadata and return the name of its folder."""
    return scikit.prepare_metadata_for_build_editable(
        metadata_directory, {**(config_settings or {}), **_PURE}
    )


def build_sdist(sdist_directory: str, config_settings: Settings | None = None) -> str:
    """Write the source archive and return its name."""
    return scikit.build_sdist(sdist_directory, config_settings)


def build_wheel(
    wheel_directory: str,
    config_settings: Settings | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Write a wheel, with the core where it can be built, and return its name."""
    given = config_settings or {}
    made = []

    def attempt(compiler: Compiler) -> None:
        with tempfile.TemporaryDirectory() as tools:
            entries = compiler.cmake_entries(Path(tools))
            chosen: Settings = {f"cmake.define.{name}": value for name, value in entries.items()}
            made.append(scikit.build_wheel(wheel_directory, {**given, **chosen}))

    if _reason_without(attempt) is None:
        return made[0]
    return scikit.build_wheel(wheel_directory, {**given, **_PURE})


def build_editable(
    wheel_directory: str,
    config_settings: Settings | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the core in place, where it can be, and write a wheel that points to ``src``.

    It does so by a path in a ``.pth`` file and nothing more, so that PYTHONPATH can name another
    copy of the package and no code runs at each start of Python.
    """
    update_in_place()
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / prepare_metadata_for_build_editable(folder, config_settings)
        files = {
            str(path.relative_to(folder).as_posix()): path.read_bytes()
            for path in sorted(metadata.rglob("*"))
            if path.is_file() and path.name != "RECORD"
        }
    files["chainrule.pth"] = f"{PACKAGE.parent.resolve()}\n".encode()
    name = metadata.name.removesuffix(".dist-info") + "-py3-none-any.whl"
    rows = [f"{metadata.name}/RECORD,,\n"]
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            rows.append(f"{path},sha256={digest},{len(content)}\n")
        wheel.writestr(f"{metadata.name}/RECORD", "".join(rows))
    return name


def update_in_place() -> None:
    """Bring the extension in ``src/chainrule`` up to date, or remove it and note the reason."""
    try:
        reason = _reason_without(build_in_place)
    except SystemExit:
        remove_in_place()
        raise
    if reason is None:
        WITHOUT.unlink(missing_ok=True)
    else:
        remove_in_place()
        WITHOUT.parent.mkdir(parents=True, exist_ok=True)
        WITHOUT.write_text(reason + "\n", encoding="utf-8")


def core_wanted() -> bool | None:
    """``CHAINRULE_NATIVE``: False for 0, True for 1, None (where it can be had) if not set."""
    value = os.environ.get("CHAINRULE_NATIVE", "")
    if value not in ("", "0", "1"):
        raise SystemExit(f"error: CHAINRULE_NATIVE is {value!r}; it can be 0, 1 or nothing")
    return None if value == "" else value == "1"


def _reason_without(attempt: Callable[[Compiler], None]) -> str | None:
    """Try each compiler; None after a success, else the line, now printed, that says why not."""
    if core_wanted() is False:
        reason = "CHAINRULE_NATIVE=0"
    else:
        try:
            for compiler in usable_compilers():
                try:
                    attempt(compiler)
                    return None
                except (subprocess.CalledProcessError, OSError, SystemExit) as error:
                    # scikit-build-core exits with a number and has said the rest.
                    why = "" if str(error).isdigit() else f": {error}"
                    print(f"chainrule: the native core did not build with {compiler.name}{why}")
            reason = "it did not compile; the compiler says why above (pip shows it with -v)"
        except Unavailable as error:
            reason = str(error)
        if core_wanted():
            raise SystemExit(f"error: chainrule's native core cannot be built: {reason}")
    line = f"chainrule: installed without the native core, NumPy runs everything: {reason}"
    print(line, flush=True)
    return line
