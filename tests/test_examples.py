"""The scripts in examples/ run, write their pictures, and what their docstrings claim is so."""

import importlib
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("matplotlib")

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# What each script prints, among other things.
WORDS = {
    "derivative_four_ways": [
        "1/x1 + x2\n",
        "x1 - cos(x2)\n",
        "5.5000000000000",
        "1.71633781453677",
    ],
    "flight": ["= 3.2\n", "sigmoid(3.2) = 0.96", "BCE pushes 13 times as hard", "network"],
    "loss_surface": ["full batch", "mini-batch of 8", "single example", "lowest loss"],
    "universal_approximation": ["width   parameters", "root mean squared error\n"],
    "xor": ["AND      OR     XOR\n", "2-2-1 network     1.00    1.00    1.00\n"],
}


def run(name: str, directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, shortened; it must not look for a display."""
    environment = {**os.environ, "CHAINRULE_QUICK": "1", "OMP_NUM_THREADS": "1"}
    environment.pop("MPLBACKEND", None)
    environment.pop("DISPLAY", None)
    return subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", EXAMPLES / f"{name}.py", *options],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def ink(picture: Path) -> float:
    """The share of a PNG's bytes that remain when compressed: near 0 where all is one colour."""
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width > 600 and height > 400
    rows, place = b"", 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            rows += data[place + 8 : place + 8 + length]
        place += length + 12
    pixels = np.frombuffer(zlib.decompress(rows), np.uint8)
    return len(rows) / len(pixels)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Import a script of examples/, shortened."""

    def load(name: str) -> ModuleType:
        monkeypatch.setenv("CHAINRULE_QUICK", "1")
        monkeypatch.syspath_prepend(str(EXAMPLES))
        for loaded in (name, "drawing"):
            monkeypatch.delitem(sys.modules, loaded, raising=False)
        module = importlib.import_module(name)
        assert Path(module.__file__ or "").parent == EXAMPLES
        return module

    return load


def test_each_script_has_a_test_and_a_line_in_the_list() -> None:
    scripts = {path.stem for path in EXAMPLES.glob("*.py")} - {"drawing"}
    assert scripts == set(WORDS)
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}.py` |" in listed for name in scripts)


@pytest.mark.parametrize("name", WORDS)
def test_script_prints_its_result_and_draws(name: str, tmp_path: Path) -> None:
    result = run(name, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    for words in WORDS[name]:
        assert words in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]
    assert ink(tmp_path / f"{name}.png") > 0.002


@pytest.mark.parametrize("name", WORDS)
def test_only_the_public_interface_is_used(name: str) -> None:
    lines = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    imports = {
        line for line in lines if "chainrule" in line and line.startswith(("import", "from"))
    }
    assert imports and imports <= {
        "import chainrule as cr",
        "from chainrule import nn",
        "from chainrule import train",
        "from chainrule import nn, train",
    }


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--help"], 0, "what one perceptron cannot learn"),
        (["--output", "missing/xor.png"], 2, "there is no directory missing"),
        (["--output", "xor.doc"], 2, "should end in .png, .svg or .pdf"),
    ],
)
def test_options(
    options: list[str], code: int, words: str, script, monkeypatch, capsys, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["xor.py", *options])
    with pytest.raises(SystemExit) as stopped:
        script("xor").main()
    assert stopped.value.code == code
    printed = capsys.readouterr()
    assert words in printed.out + printed.err
    assert not list(tmp_path.iterdir())


def test_the_picture_goes_where_output_says(script, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        sys, "argv", ["derivative_four_ways.py", "--output", str(tmp_path / "a.svg")]
    )
    script("derivative_four_ways").main()
    assert "<svg" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_without_matplotlib_the_script_says_what_to_install(script, monkeypatch) -> None:
    module = script("xor")
    monkeypatch.setattr(sys, "argv", ["xor.py"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"pip install 'chainrule\[examples\]'"):
        module.main()


# ----- what the docstrings claim ------------------------------------------------------------------


def test_a_perceptron_learns_and_and_or_and_two_layers_learn_xor(script) -> None:
    xor = script("xor")
    results = xor.learn_all()
    found = {key: xor.accuracy(model, key[1]) for key, (model, _) in results.items()}
    assert found.pop(("perceptron", "XOR")) <= 0.75
    assert set(found.values()) == {1.0} and len(found) == 5
    model, history = results["perceptron", "XOR"]
    np.testing.assert_allclose(xor.probability(model, xor.INPUTS), 0.5, atol=0.02)
    assert history.best_loss == pytest.approx(np.log(2), abs=1e-3)
    assert results["2-2-1 network", "XOR"][1].best_loss < 0.05


def test_the_error_falls_as_the_network_widens(script) -> None:
    example = script("universal_approximation")
    errors = [example.error(example.learn(width)) for width in (1, 4, 16)]
    assert errors[0] > 1.5 * errors[1] > 3 * errors[2]
    assert errors[0] < float(np.std(example.curve(example.X)))


def test_the_lectures_perceptron_gives_a_probability_of_0_96(script) -> None:
    flight = script("flight")
    assert round(float(flight.lecture_perceptron()(flight.INPUTS)), 2) == 0.96


def test_cross_entropy_learns_from_confident_mistakes_and_squared_error_does_not(script) -> None:
    flight = script("flight")
    z = np.array([1.0, 3.2, 6.0])
    p = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(flight.slope("BCE", z), p, rtol=1e-12)
    np.testing.assert_allclose(flight.slope("MSE", z), 2 * p * p * (1 - p), rtol=1e-9)
    np.testing.assert_allclose(flight.slope("BCE", -z, target=1.0), -p, rtol=1e-12)
    assert (np.diff(flight.slope("BCE", z) / flight.slope("MSE", z)) > 0).all()
    curves = {loss: flight.learn(flight.lecture_perceptron(), loss, 0.02) for loss in flight.LOSSES}
    bce, mse = curves["BCE"]["BCE"], curves["MSE"]["BCE"]
    assert len(bce) == len(mse) == flight.EPOCHS + 1 and bce[0] == mse[0]
    assert bce[0] - bce[-1] > 3 * (mse[0] - mse[-1]) > 0


def test_the_network_learns_of_flights_what_no_weighted_sum_can_say(script) -> None:
    flight = script("flight")
    best = {
        model: flight.learn(make(), "BCE", 0.2)["BCE"][-1]
        for model, (make, _) in flight.MODELS.items()
    }
    assert best["network"] < best["perceptron"] - 0.02 < flight.base_rate() - 0.02


def test_mini_batches_go_further_than_the_full_batch_and_single_examples_do_not_settle(
    script,
) -> None:
    example = script("loss_surface")
    x, y = example.data()
    bottom = example.lowest(x, y)
    np.testing.assert_allclose(example.cr.grad(example.loss)(bottom, x, y), 0, atol=1e-12)
    ends, restless = {}, {}
    for name, batch in example.WALKS.items():
        path = example.walk(x, y, batch)
        assert path.shape == (1 + example.EPOCHS * example.EXAMPLES // batch, 2)
        ends[name] = example.loss(path[-1], x, y)
        heights = [example.loss(place, x, y) for place in path[-example.EXAMPLES // batch :]]
        restless[name] = max(heights) - min(heights)
    assert ends["mini-batch of 8"] < ends["full batch"] < example.loss(example.START, x, y)
    assert restless["single example"] > 10 * restless["mini-batch of 8"]


def test_all_four_derivatives_agree(script) -> None:
    example = script("derivative_four_ways")
    assert list(example.WAYS) == ["numeric", "symbolic", "forward", "reverse"]
    for name, (way, _) in example.WAYS.items():
        assert max(example.errors(way())) < (1e-8 if name == "numeric" else 1e-15)
