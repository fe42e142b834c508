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
template <std::integral T> constexpr T width(T x) { return std::bit_width(static_cast<unsigned>(x)); }
int trial(std::span<const int> xs) {
    std::thread([] {}).join();
    return xs.empty() ? 0 : width(xs[0]);
}
"""


class Unavailable(Exception):
    """The core cannot be built here; the message says what is missing."""


@dataclass(frozen=True)
class Compiler:
    """A compiler and what CMake is told so as to use it.

    ``name`` is for messages, ``key`` for the name of a folder.
    """

    name: str
    key: str
    program: str | None = None

    def cmake_entries(self, folder: Path) -> dict[str, str]:
        """CMake cache entries that choose this compiler; its wrappers are written into ``folder``."""
        if self.program is not None:
            return {"CMAKE_CXX_COMPILER": self.program}
        return _zig_entries(folder)


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
        # CMake takes the flags in CXX ("ccache g++", "g++ -m32") itself; a path is enough otherwise.
        words = shlex.split(candidate)
        program = shutil.which(words[0]) if words else None
        if program is not None and _compiles([program, *words[1:]]):
            return Compiler(candidate, Path(words[0]).name, program if len(words) == 1 else candidate)
    if sys.platform == "win32" and not named:
        visual = shutil.which("cl")
        return None if visual is None else Compiler("cl", "cl", visual)
    return None


def missing_headers() -> str | None:
    """What to install where Python's C headers are missing, as they are in Debian's python3."""
    if any((Path(sysconfig.get_path(key)) / "Python.h").is_file() for key in ("include", "platinclude")):
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
    return target + ("-musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else "-gnu")


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
    for variable, name in (("CMAKE_CXX_COMPILER", "c++"), ("CMAKE_AR", "ar"), ("CMAKE_RANLIB", "ranlib")):
        options = f"-target {zig_target()}" if name == "c++" else ""
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
