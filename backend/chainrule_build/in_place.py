"""The extension of an editable install, built into ``src/chainrule`` and kept up to date there."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from chainrule_build.compilers import Compiler, Unavailable

PACKAGE = Path("src") / "chainrule"
BUILDS = Path("build") / "native"


def build_in_place(compiler: Compiler) -> None:
    """Compile what has changed. Raises ``subprocess.CalledProcessError`` where that fails."""
    build = BUILDS / f"{sys.implementation.cache_tag}-{compiler.key}"
    entries = {"CMAKE_BUILD_TYPE": "Release", "EXTENSION_FOLDER": str(PACKAGE.resolve())}
    configure_and_build(compiler, build, entries)


def configure_and_build(compiler: Compiler, build: Path, entries: dict[str, str]) -> None:
    """Run CMake in the folder ``build`` with these cache entries.

    Raises :class:`Unavailable` where its tools are missing, ``subprocess.CalledProcessError`` where
    they fail.
    """
    tools = _tools()
    # All that a temporary environment may have changed is said again each time.
    entries = {
        "CMAKE_MAKE_PROGRAM": tools["ninja"],
        "Python_EXECUTABLE": sys.executable,
        "nanobind_DIR": tools["nanobind"],
        **entries,
        **compiler.cmake_entries(build.parent / f"{build.name}-tools"),
    }
    configure = [tools["cmake"], "-S", ".", "-B", str(build), "-G", "Ninja"]
    configure += [f"-D{name}={value}" for name, value in entries.items()]
    # An older build of another CMake or in another place is no reason to fail.
    if not build.exists() or subprocess.run(configure, check=False).returncode:
        shutil.rmtree(build, ignore_errors=True)
        subprocess.run(configure, check=True)
    subprocess.run([tools["cmake"], "--build", str(build)], check=True)


def remove_in_place() -> None:
    """Remove this interpreter's extension: after a failure or a refusal it would be out of date."""
    (PACKAGE / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}").unlink(missing_ok=True)


def tools_missing() -> list[str]:
    """What building in place needs and this environment lacks."""
    missing = [name for name in ("cmake", "ninja") if _which(name) is None]
    if importlib.util.find_spec("nanobind") is None:
        missing.append("nanobind")
    return missing


def _tools() -> dict[str, str]:
    missing = tools_missing()
    if missing:
        raise Unavailable(f"{', '.join(missing)} not found")
    found = {name: str(_which(name)) for name in ("cmake", "ninja")}
    command = [sys.executable, "-m", "nanobind", "--cmake_dir"]
    found["nanobind"] = subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.strip()
    return found


def _which(program: str) -> str | None:
    beside = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(program, path=path) or shutil.which(program, path=beside)
