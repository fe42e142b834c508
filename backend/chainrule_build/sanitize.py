"""``python -m chainrule_build.sanitize TESTS``: run tests on a core built with sanitizers.

The core is built with ``-fsanitize=address,undefined`` into ``build/sanitize``, beside a copy of
the Python files; pytest then runs there with the sanitizer's library loaded first. A wrong access
or undefined behaviour ends the run with its place in the source. GCC only, whose library it is.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from chainrule_build.compilers import machine_compiler
from chainrule_build.in_place import PACKAGE, configure_and_build

BUILD = Path("build") / "sanitize"
SITE = BUILD / "site"
SANITIZERS = "address,undefined"

_CHECK = """
import sys, chainrule._native as native
if native.build_info()["sanitize"] != sys.argv[1] or not native.__file__.startswith(sys.argv[2]):
    sys.exit(f"error: {native.__file__} is not the core that was built with sanitizers")
"""


def main(tests: list[str]) -> int:
    """Build, copy, and run pytest on ``tests``; the exit status is pytest's."""
    missing = [test for test in tests if not Path(test).exists()]
    if not tests or missing:
        raise SystemExit(f"error: no such tests: {' '.join(missing)}")
    compiler = machine_compiler()
    if compiler is None:
        raise SystemExit("error: sanitizers take a C++20 compiler of the machine's own: GCC")
    libraries = [_library(str(compiler.program), name) for name in ("libasan.so", "libstdc++.so")]
    package = SITE / PACKAGE.name
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    configure_and_build(
        compiler,
        BUILD / "build",
        {
            "CMAKE_BUILD_TYPE": "RelWithDebInfo",
            "EXTENSION_FOLDER": str(package.resolve()),
            "SANITIZE": SANITIZERS,
        },
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONPATH": str(SITE.resolve()),
        # Python frees little at its end; every other report ends the run.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # So that Python's own objects are watched too, not just whole arenas of them.
        "PYTHONMALLOC": "malloc",
        "OMP_NUM_THREADS": "1",
    }
    check = [sys.executable, "-c", _CHECK, SANITIZERS, str(SITE.resolve())]
    subprocess.run(check, env=environment, check=True)
    # A report goes to the file of standard error itself, which pytest would keep and lose.
    pytest = [sys.executable, "-m", "pytest", "--capture=sys", "-p", "no:cacheprovider", *tests]
    return subprocess.run(pytest, env=environment, check=False).returncode


def _library(compiler: str, name: str) -> str:
    command = [compiler, f"-print-file-name={name}"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if not Path(printed).is_absolute():
        raise SystemExit(f"error: {compiler} has no {name}; install GCC with its sanitizers")
    return str(Path(printed).resolve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
