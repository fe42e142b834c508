"""The built distribution: what it holds, and that it runs without the source tree."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

TRACED_EXAMPLE = """
import json, sys
import numpy as np
import chainrule as cr

def f(x1, x2):
    return np.log(x1) + x1 * x2 - np.sin(x2)

origins = {
    module.__file__
    for name, module in sys.modules.items()
    if name.partition(".")[0] == "chainrule"
}
gradient = [float(partial) for partial in cr.grad(f, argnums=(0, 1))(2.0, 5.0)]
print(json.dumps([str(cr.trace(f, 2.0, 5.0)), gradient, sorted(origins)]))
"""

pytestmark = pytest.mark.slow


BUILD = [sys.executable, "-m", "build", "--no-isolation"]
INSTALL = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]


def can_build_core() -> bool:
    check = [sys.executable, "-m", "chainrule_build", "--check"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "backend"), "CHAINRULE_NATIVE": ""}
    return subprocess.run(check, env=environment, cwd=ROOT, check=False).returncode == 0


def run(command: list[str], cwd: Path, **environment: str) -> str:
    finished = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked: what a user without a wheel builds from."""
    dist = tmp_path_factory.mktemp("archive")
    run([*BUILD, "--sdist", "--outdir", str(dist), str(ROOT)], cwd=dist)
    (path,) = dist.glob("chainrule-*.tar.gz")
    with tarfile.open(path) as packed:
        # Not an argument: Python 3.11.2, which is Debian's, has no filters yet.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(dist)
    (folder,) = (path for path in dist.iterdir() if path.is_dir())
    return folder


@pytest.fixture(scope="module", params=["1", "0"], ids=["native", "pure"])
def installed(
    request: pytest.FixtureRequest, archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder that holds the files of a wheel: with the native core, and without."""
    native = request.param == "1"
    if native and not can_build_core():
        pytest.skip(
            "this environment has no C++20 compiler, nor ziglang, for a wheel with the core"
        )
    dist = tmp_path_factory.mktemp("dist")
    target = tmp_path_factory.mktemp("target")
    build = [*BUILD, "--wheel", "--outdir", str(dist), str(archive)]
    printed = run(build, cwd=dist, CHAINRULE_NATIVE=request.param)
    (wheel,) = dist.glob("*.whl")
    *_, python, abi, platform = wheel.stem.split("-")
    if native:  # One wheel for Python 3.12 and all that follow, one for 3.11.
        abi3 = sys.version_info >= (3, 12)
        assert (python, abi) == (("cp312", "abi3") if abi3 else ("cp311", "cp311"))
        assert platform != "any"
    else:
        assert (python, abi, platform) == ("py3", "none", "any")
    assert printed.count("without the native core") == (0 if native else 1)
    run([*INSTALL, "--target", str(target), str(wheel)], cwd=dist)
    assert has_core(target) == native
    return target


def has_core(installed: Path) -> bool:
    return any(is_extension(path) for path in (installed / "chainrule").iterdir())


def is_extension(path: Path) -> bool:
    return path.suffix in (".so", ".pyd")


def test_wheel_holds_the_whole_package(installed: Path) -> None:
    def files(package: Path) -> set[str]:
        return {
            str(path.relative_to(package))
            for path in package.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
            if not is_extension(path)
        }

    assert files(installed / "chainrule") == files(ROOT / "src" / "chainrule")
    assert (installed / "chainrule" / "py.typed").is_file()
    assert list(installed.glob("chainrule-*.dist-info/licenses/LICENSE"))


def test_traced_example_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    printed = run([sys.executable, "-c", TRACED_EXAMPLE], tmp_path, PYTHONPATH=str(installed))
    trace, gradient, origins = json.loads(printed)
    assert gradient == pytest.approx([5.5, 1.7163378145367738])
    assert "v6" in trace and "11.652" in trace
    assert origins and all(Path(origin).is_relative_to(installed) for origin in origins)


COMPILED_EXAMPLE = """
import importlib.util, json
import numpy as np
import chainrule as cr

step = cr.compile(lambda x, w: np.tanh(x @ w).sum())
x, w = np.linspace(-1, 1, 12).reshape(4, 3), np.linspace(0, 1, 6).reshape(3, 2)
core = importlib.util.find_spec("chainrule._native")
information = None if core is None else importlib.import_module(core.name).build_info()
values = [float(step(x, w)), float(np.tanh(x @ w).sum())]
print(json.dumps([*values, core and core.origin, information]))
"""


def test_compiled_function_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    printed = run([sys.executable, "-c", COMPILED_EXAMPLE], tmp_path, PYTHONPATH=str(installed))
    value, expected, core, information = json.loads(printed)
    assert value == pytest.approx(expected)
    assert (core is not None) == has_core(installed)
    if core is not None:
        assert Path(core).parent == installed / "chainrule"
        assert information["simd_level"] in information["simd_levels"]
        assert information["sanitize"] == ""


def test_command_line_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    script = str(installed / "bin" / "chainrule")
    printed = run([script, "--help"], tmp_path, PYTHONPATH=str(installed))
    for command in ("derive", "fit", "predict", "demo"):
        assert command in printed


def test_source_archive_can_build_the_core(archive: Path) -> None:
    for path in ("CMakeLists.txt", "backend/chainrule_build/hooks.py", "native/src/module.cpp"):
        assert (archive / path).is_file()
    assert not [path for path in archive.rglob("*") if path.suffix in (".so", ".pyd", ".o")]
