"""``python -m chainrule_build.kernels``: compare the core's kernels with plain loops.

For every instruction set that this machine runs. With ``--arm64`` in QEMU for those of arm64, which
takes a cross compiler: on Debian or Ubuntu, ``apt install g++-aarch64-linux-gnu qemu-user``. With
``--avx512-by-avx2`` the code for AVX-512, compiled by GCC into instructions that more processors
have: what only the width of its vectors decides is tested then, its own instructions are not.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from chainrule_build.compilers import Compiler, machine_compiler
from chainrule_build.in_place import configure_and_build

LEVELS = ("baseline", "avx2", "avx512")
ARM64, BY_AVX2 = "--arm64", "--avx512-by-avx2"
ARM64_COMPILER = "aarch64-linux-gnu-g++"


def main(arguments: list[str]) -> int:
    """Build the comparison, run it, and return how many of its runs failed."""
    if arguments not in ([], [ARM64], [BY_AVX2]):
        raise SystemExit(f"usage: python -m chainrule_build.kernels [{ARM64} | {BY_AVX2}]")
    entries = {"CMAKE_BUILD_TYPE": "Release", "EXTENSION": "OFF", "WARNINGS_AS_ERRORS": "ON"}
    build = Path("build") / "-".join(["kernels", *(option.strip("-") for option in arguments)])
    levels: tuple[str, ...] = LEVELS
    if arguments == [ARM64]:
        program, emulator = shutil.which(ARM64_COMPILER), shutil.which("qemu-aarch64")
        if program is None or emulator is None:
            raise SystemExit(f"error: {ARM64_COMPILER} or qemu-aarch64 is missing")
        compiler: Compiler | None = Compiler("arm64", "arm64", program)
        entries |= {
            "CMAKE_SYSTEM_NAME": "Linux",
            "CMAKE_SYSTEM_PROCESSOR": "aarch64",
            "CMAKE_EXE_LINKER_FLAGS": "-static",
        }
        command, levels = [emulator], LEVELS[:1]
    else:
        compiler, command = machine_compiler(), []
    if arguments == [BY_AVX2]:
        entries["AVX512_BY_AVX2"] = "ON"
        levels = LEVELS[2:]
    if compiler is None:
        raise SystemExit("error: this takes a C++20 compiler of the machine's own")
    configure_and_build(compiler, build, entries)
    failed, seen = 0, set()
    for level in levels:
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
