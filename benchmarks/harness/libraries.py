"""C++ beside the benchmarks, built with the compiler that is found."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FLAGS = ["-std=c++20", "-O3", "-shared", "-fPIC", "-pthread"]


def compiler() -> list[str]:
    """The command of a C++ compiler; empty where there is none."""
    for name in ("c++", "g++", "clang++"):
        found = shutil.which(name)
        if found:
            return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    return []


def load_library(source: Path, *flags: str) -> ctypes.CDLL:
    """Build a file of C++ and load it.

    Args:
        source: the file.
        flags: for the compiler, beside those that every library needs.

    Raises:
        subprocess.CalledProcessError: where the compiler fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "library.so"
        command = [*compiler(), *FLAGS, *flags, str(source), "-o", str(file)]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(file))
