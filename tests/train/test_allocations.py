"""No allocation per step: a thousand steps in the core allocate what one step does."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.run import native

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent / "native" / "tests" / "count_allocations.cpp"
COMPILER = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the counter is for the GNU C library"
)
@pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler to build the counter with")
@pytest.mark.skipif(
    "LD_PRELOAD" in os.environ, reason="another library is loaded before all others"
)
def test_a_thousand_steps_allocate_nothing(tmp_path: Path) -> None:
    library = tmp_path / "count_allocations.so"
    build = [str(COMPILER), "-std=c++20", "-O1", "-shared", "-fPIC", str(SOURCE), "-o", library]
    subprocess.run(build, check=True)
    finished = subprocess.run(
        [sys.executable, HERE / "count_allocations.py"],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    rows = [json.loads(line) for line in finished.stdout.splitlines()]
    assert len(rows) > 40
    for name, threads, one, many in rows:
        assert one > 0, "the counter does not count"
        assert many == one, f"{name} on {threads} threads"
