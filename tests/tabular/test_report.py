"""The report: JSON without surprises, files never half written, tables readable when piped."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from chainrule.tabular.bootstrap import Interval
from chainrule.tabular.columns import Column
from chainrule.tabular.errors import TableError
from chainrule.tabular.report import Comparison, ModelResult, Report


def report() -> Report:
    return Report(
        table="flights.csv",
        target="delayed",
        task="binary",
        columns=(
            Column("carrier [red]", "category", "category: 16 columns of 0 and 1", 0, 16),
            Column("tailnum", "text", "dropped: text whose values are all different", 2512, 4043),
        ),
        split="at random (seed 0)",
        sizes={"training": 209_502, "validation": 52_375, "test": np.int64(65_469)},
        features=134,
        models=(
            ModelResult("network", {"accuracy": 0.8, "auc": 0.71, "log_loss": 0.49}, 12.0),
            ModelResult("logistic regression", {"accuracy": 0.7, "auc": 0.70}, 9.0, "C=1"),
            ModelResult("majority class", {"auc": float("nan"), "log_loss": 0.55}, 0.0),
        ),
        classes=("no", "yes"),
        confusion=np.array([[40_000, 1], [3, 4]]),
        comparisons=(
            Comparison("network", "logistic regression", Interval("auc", 0.01, 0.0, 0.02, 0.95, 9)),
        ),
        notes=('3 rows left out: "delayed" is blank',),
        seconds={"reading": 0.4, "training": 12.0},
    )


def printed(width: int) -> str:
    stream = io.StringIO()
    report().print(Console(file=stream, width=width, no_color=True))
    return stream.getvalue()


def test_the_printed_report() -> None:
    text = printed(100)
    for expected in (
        "carrier [red]", "2 512", "dropped: text whose values are all different",
        "209 502 training", "65 469 test", "0.7100*", "0.7000 ", "0.4900*", "40 000", "57.1%",
        "AUC, network less logistic regression: +0.0100", "not shown to be better",
        '3 rows left out: "delayed" is blank', "12.4 s in all",
    ):  # fmt: skip
        assert expected in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_default_console_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    report().print()
    text = capsys.readouterr().out
    assert "\x1b" not in text and "On the test rows" in text
    assert 60 < max(len(line) for line in text.splitlines()) <= 100


def test_json_holds_everything_and_nothing_that_json_lacks() -> None:
    record = report().to_json()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["models"][2]["metrics"] == {"auc": None, "log_loss": 0.55}
    assert record["sizes"]["test"] == 65_469
    assert record["confusion"] == [[40_000, 1], [3, 4]]
    assert record["columns"][1]["kind"] == "text"
    assert record["comparisons"][0]["interval"]["first_is_better"] is False


def test_writing(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report().write(path)
    assert json.loads(path.read_text()) == report().to_json()
    with pytest.raises(TableError, match="exists: give another name, or --force"):
        report().write(path)
    report().write(path, force=True)
    with pytest.raises(TableError, match="is not a directory"):
        report().write(tmp_path / "nowhere" / "report.json")
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
