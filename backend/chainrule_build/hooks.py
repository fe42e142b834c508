"""The hooks of PEP 517 and PEP 660."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from scikit_build_core import build as scikit

from chainrule_build.compilers import (
    ZIG_REQUIREMENT,
    Compiler,
    Unavailable,
    machine_compiler,
    missing_headers,
    usable_compilers,
    zig_target,
)
from chainrule_build.in_place import BUILDS, build_in_place, remove_in_place

NANOBIND_REQUIREMENT = "nanobind>=2.7"

# Where an editable install that went without the core says why; `make` shows it.
WITHOUT = BUILDS / "without.txt"

Settings: TypeAlias = dict[str, list[str] | str]

_PURE: Settings = {"wheel.cmake": "false", "wheel.py-api": "py3", "wheel.platlib": "false"}


def get_requires_for_build_wheel(config_settings: Settings | None = None) -> list[str]:
    """CMake, Ninja, nanobind and a compiler, as far as this machine lacks them and can use them."""
    if core_wanted() is False or missing_headers() is not None:
        return []
    compiler = [] if machine_compiler() is not None else [ZIG_REQUIREMENT]
    if compiler and zig_target() is None:
        return []
    tools = scikit.get_requires_for_build_wheel(config_settings)
    return [*tools, NANOBIND_REQUIREMENT, *compiler]


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
    """Build the core in place, where it can be, and write a wheel that points to ``src``."""
    update_in_place()
    return scikit.build_editable(wheel_directory, {**(config_settings or {}), **_PURE})


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
    """``CHAINRULE_NATIVE``: False for 0, True for 1, None (if it can be had) where it is not set."""
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
                    return attempt(compiler)
                except (subprocess.CalledProcessError, OSError, SystemExit) as error:
                    print(f"chainrule: the native core did not build with {compiler.name}: {error}")
            reason = "it did not compile; the compiler's messages are above (pip shows them with -v)"
        except Unavailable as error:
            reason = str(error)
        if core_wanted():
            raise SystemExit(f"error: chainrule's native core cannot be built: {reason}")
    line = f"chainrule: installed without the native core, NumPy runs everything: {reason}"
    print(line, flush=True)
    return line
