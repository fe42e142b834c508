"""``python -m chainrule_build.kernels [--arm64]``: compare the core's kernels with plain loops.

For every instruction set that this machine runs, or in QEMU for those of arm64, which takes a cross
compiler: on Debian or Ubuntu, ``apt install g++-aarch64-linux-gnu qemu-user``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from chainrule_build.compilers import Compiler, machine_compiler
from chainrule_build.in_place import configure_and_build

LEVELS = ("baseline", "avx2", "avx512")
ARM64_COMPILER = "aarch64-linux-gnu-g++"


def main(arguments: list[str]) -> int:
    """Build the comparison, run it, and return how many of its runs failed."""
    if arguments not in ([], ["--arm64"]):
        raise SystemExit("usage: python -m chainrule_build.kernels [--arm64]")
    entries = {"CMAKE_BUILD_TYPE": "Release", "EXTENSION": "OFF", "WARNINGS_AS_ERRORS": "ON"}
    build = Path("build") / ("kernels-arm64" if arguments else "kernels")
    if arguments:
        program, emulator = shutil.which(ARM64_COMPILER), shutil.which("qemu-aarch64")
        if program is None or emulator is None:
            raise SystemExit(f"error: {ARM64_COMPILER} or qemu-aarch64 is missing")
        compiler: Compiler | None = Compiler("arm64", "arm64", program)
        entries |= {
            "CMAKE_SYSTEM_NAME": "Linux",
            "CMAKE_SYSTEM_PROCESSOR": "aarch64",
            "CMAKE_EXE_LINKER_FLAGS": "-static",
        }
        command = [emulator]
    else:
        compiler, command = machine_compiler(), []
    if compiler is None:
        raise SystemExit("error: this takes a C++20 compiler of the machine's own")
    configure_and_build(compiler, build, entries)
    failed, seen = 0, set()
    for level in LEVELS[:1] if arguments else LEVELS:
        finished = subprocess.run(
            [*command, str(build / "kernels")],
            env={**os.environ, "CHAINRULE_SIMD": level},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = finished.stdout.splitlines() or [f"{level}: ended with {finished.returncode}"]
        # Where the processor has not got a level, a lower one runs and says so.
        if lines[-1] in seen:
            print(f"{level}: this processor has not got it, so it did not run")
            continue
        seen.add(lines[-1])
        print("\n".join(lines), finished.stderr, sep="" if not finished.stderr else "\n")
        failed += finished.returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
