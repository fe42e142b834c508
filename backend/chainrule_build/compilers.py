"""Which C++ compilers can build the core on this machine."""

import importlib.util
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

ZIG_REQUIREMENT = "ziglang>=0.15"

# Where PyPI has wheels of ziglang, and what Zig calls the machine. Zig compiles for the processor
# it runs on unless a target is named, and such a wheel would serve no other machine.
_ZIG_TARGETS = {
    ("linux", "x86_64"): "x86_64-linux",
    ("linux", "aarch64"): "aarch64-linux",
    ("darwin", "x86_64"): "x86_64-macos",
    ("darwin", "arm64"): "aarch64-macos",
    ("win32", "AMD64"): "x86_64-windows-gnu",
}

# What the core needs of a compiler: C++20 and its library, and linking.
_TRIAL = """
#include <bit>
#include <concepts>
#include <span>
#include <thread>
template <std::integral T> int width(T x) { return std::bit_width(static_cast<unsigned>(x)); }
int trial(std::span<const int> xs) {
    std::thread([] {}).join();
    return xs.empty() ? 0 : width(xs[0]);
}
"""


class Unavailable(Exception):
    """The core cannot be built here; the message says what is missing."""


@dataclass(frozen=True)
class Compiler:
    """A compiler: the path of the machine's own, or of none where it is Zig's.

    ``name`` is for messages, ``key`` for the name of a folder.
    """

    name: str
    key: str
    program: str | None = None

    def cmake_entries(self, folder: Path) -> dict[str, str]:
        """CMake cache entries that choose this compiler. Zig's wrappers are put in ``folder``."""
        if self.program is None:
            return _zig_entries(folder)
        # CMake reads $CXX itself, with the launcher or the options that it may have.
        return {} if os.environ.get("CXX") else {"CMAKE_CXX_COMPILER": self.program}


def usable_compilers() -> list[Compiler]:
    """The compilers to try, best first.

    Raises :class:`Unavailable` if there is none or if Python's own headers are missing.
    """
    missing = missing_headers()
    if missing is not None:
        raise Unavailable(missing)
    own = machine_compiler()
    found = [] if own is None else [own]
    if importlib.util.find_spec("ziglang") is not None and zig_target() is not None:
        found.append(Compiler("ziglang", "zig"))
    if not found:
        raise Unavailable("no C++20 compiler found, and the package ziglang is not installed")
    return found


def machine_compiler() -> Compiler | None:
    """The machine's own C++20 compiler: ``$CXX`` if it is set, else what the PATH has."""
    named = os.environ.get("CXX")
    for candidate in [named] if named else ["c++", "g++", "clang++"]:
        command = shlex.split(candidate)
        program = shutil.which(command[0])
        if program is not None and _compiles([program, *command[1:]]):
            return Compiler(candidate, Path(program).name, program)
    visual = None if named or sys.platform != "win32" else shutil.which("cl")
    return None if visual is None else Compiler("cl", "cl", visual)


def missing_headers() -> str | None:
    """What to install where Python's C headers are missing, as they are in Debian's python3."""
    folders = {sysconfig.get_path(kind) for kind in ("include", "platinclude")}
    if any((Path(folder) / "Python.h").is_file() for folder in folders):
        return None
    version = "{}.{}".format(*sys.version_info)
    return (
        f"the C headers of Python {version} are missing; "
        f"on Debian or Ubuntu: apt install python{version}-dev"
    )


def zig_target() -> str | None:
    """This machine in Zig's words, or None where PyPI has no ziglang for it."""
    target = _ZIG_TARGETS.get((sys.platform, platform.machine()))
    if target is None or sys.platform != "linux":
        return target
    return target + ("-gnu" if platform.libc_ver()[0] == "glibc" else "-musl")


def zig_requirement() -> str | None:
    """What to require for a compiler, None where it cannot be had.

    A requirement that cannot be had would stop the whole installation, so pip is asked first, where
    there is a pip to ask.
    """
    if zig_target() is None:
        return None
    if not _pip("--version"):
        return ZIG_REQUIREMENT
    dry = ["--dry-run", "--no-deps", "--ignore-installed", "--no-input"]
    return ZIG_REQUIREMENT if _pip("install", *dry, ZIG_REQUIREMENT) else None


def _pip(*arguments: str) -> bool:
    # pip hides itself from a build by PYTHONPATH.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        check=False,
    )
    return finished.returncode == 0


def _compiles(command: list[str]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "trial.cpp"
        source.write_text(_TRIAL, encoding="utf-8")
        arguments = ["-std=c++20", "-fPIC", "-shared", "-pthread", str(source), "-o"]
        try:
            finished = subprocess.run(
                [*command, *arguments, str(Path(folder) / "trial.so")],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=120,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return finished.returncode == 0


def _zig_entries(folder: Path) -> dict[str, str]:
    """Wrapper scripts, because CMake wants a compiler that is one program.

    Zig compiles its standard library, a minute's work, when it first links with new flags: so
    nothing is linked to find out what the compiler is and can do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = {"CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY"}
    programs = {"CMAKE_CXX_COMPILER": "c++", "CMAKE_AR": "ar", "CMAKE_RANLIB": "ranlib"}
    for variable, name in programs.items():
        options = _zig_options() if name == "c++" else ""
        if sys.platform == "win32":
            script = folder / f"zig-{name}.cmd"
            text = f'@"{sys.executable}" -m ziglang {name} {options} %*\n'
        else:
            script = folder / f"zig-{name}"
            zig = f"exec {shlex.quote(sys.executable)} -m ziglang {name} {options}"
            identify = f'case "$*" in *CMakeCXXCompilerId.cpp*) {zig} -c "$@";; esac\n'
            text = "#!/bin/sh\n" + (identify if name == "c++" else "") + f'{zig} "$@"\n'
        script.write_text(text, encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        entries[variable] = str(script.resolve())
    return entries


def _zig_options() -> str:
    """The target and, in Debian, where the half of Python's headers is that depends on it.

    Other compilers look there unasked. Zig shall do so last, after its own C library's headers.
    """
    options = ["-target", str(zig_target())]
    include, machine = Path(sysconfig.get_path("include")), sysconfig.get_config_var("MULTIARCH")
    if machine and (include.parent / machine / include.name / "pyconfig.h").is_file():
        options += ["-idirafter", str(include.parent)]
    return shlex.join(options)
