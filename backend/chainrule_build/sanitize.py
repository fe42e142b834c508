"""``python -m chainrule_build.sanitize [--thread] TESTS``: run tests on a core with sanitizers.

The core is built with ``-fsanitize=address,undefined`` into ``build/sanitize``, beside a copy of
the Python files; pytest then runs there with the sanitizer's library loaded first. A wrong access
or undefined behaviour ends the run with its place in the source. With ``--thread`` it is
``-fsanitize=thread``, which finds data races. GCC only, whose library it is.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from chainrule_build.compilers import machine_compiler
from chainrule_build.in_place import PACKAGE, configure_and_build

BUILD = Path("build")

_CHECK = """
import sys, chainrule._native as native
if native.build_info()["sanitize"] != sys.argv[1] or not native.__file__.startswith(sys.argv[2]):
    sys.exit(f"error: {native.__file__} is not the core that was built with sanitizers")
"""


def main(arguments: list[str]) -> int:
    """Build, copy, and run pytest on the tests named; the exit status is pytest's."""
    thread = arguments[:1] == ["--thread"]
    tests = arguments[1:] if thread else arguments
    sanitizers, library = (
        ("thread", "libtsan.so") if thread else ("address,undefined", "libasan.so")
    )
    build = BUILD / ("sanitize-thread" if thread else "sanitize")
    site = build / "site"
    missing = [test for test in tests if not Path(test).exists()]
    if not tests or missing:
        raise SystemExit(f"error: no such tests: {' '.join(missing)}")
    compiler = machine_compiler()
    if compiler is None:
        raise SystemExit("error: sanitizers take a C++20 compiler of the machine's own: GCC")
    libraries = [_library(str(compiler.program), name) for name in (library, "libstdc++.so")]
    package = site / PACKAGE.name
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    configure_and_build(
        compiler,
        build / "build",
        {
            "CMAKE_BUILD_TYPE": "RelWithDebInfo",
            "EXTENSION_FOLDER": str(package.resolve()),
            "SANITIZE": sanitizers,
        },
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONPATH": str(site.resolve()),
        # Python frees little at its end; every other report ends the run.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # Threads of libraries that were built without the sanitizer would all look wrong.
        "TSAN_OPTIONS": "halt_on_error=1 ignore_noninstrumented_modules=1",
        # So that Python's own objects are watched too, not just whole arenas of them.
        "PYTHONMALLOC": "malloc",
        "OMP_NUM_THREADS": "1",
    }
    check = [sys.executable, "-c", _CHECK, sanitizers, str(site.resolve())]
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
