"""The built distribution: what it holds, and that it runs without the source tree."""

import json
import os
import subprocess
import sys
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
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's files, the wheel being built from the source archive."""
    dist = tmp_path_factory.mktemp("dist")
    target = tmp_path_factory.mktemp("target")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(ROOT)]
    run(build, cwd=dist)
    assert len(list(dist.glob("chainrule-*.tar.gz"))) == 1
    (wheel,) = dist.glob("chainrule-*-py3-none-any.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    run([*install, "--target", str(target), str(wheel)], cwd=dist)
    return target


def test_wheel_holds_the_whole_package(installed: Path) -> None:
    def files(package: Path) -> set[str]:
        return {
            str(path.relative_to(package))
            for path in package.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
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


def test_command_line_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    script = str(installed / "bin" / "chainrule")
    printed = run([script, "--help"], tmp_path, PYTHONPATH=str(installed))
    for command in ("derive", "fit", "predict", "demo"):
        assert command in printed
