"""`chainrule derive` as it is typed: every form, and every mistake as one clear message."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from chainrule.cli.main import main

TEXTBOOK = ["ln(x1) + x1*x2 - sin(x2)", "x1=2", "x2=5"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAINRULE_DEBUG", raising=False)
    return tmp_path


def derive(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["derive", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = derive(capsys, *TEXTBOOK)
    assert (status, err) == (0, "")
    for line in (
        "  v4 = sin(v1) = -0.958924",
        "  v5 = v2 + v3 = 10.6931",
        "  v6 = v5 - v4 = 11.6521",
        "  v̇2 = v̇0/v0         = 0.5      0",
        "  v̄0 = v̄3·v1 + v̄2/v0      = 5.5       5.5",
    ):
        assert line in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = derive(capsys, *TEXTBOOK, "--format", "json", "--symbolic")
    data = json.loads(out)
    assert status == 0
    assert data["value"] == pytest.approx(math.log(2) + 10 - math.sin(5))
    assert data["gradient"] == pytest.approx({"x1": 5.5, "x2": 2 - math.cos(5)})
    assert data["symbolic"] == {"x1": "1/x1 + x2", "x2": "x1 - cos(x2)"}
    assert [s["name"] for s in data["statements"]] == [f"v{i}" for i in range(7)]


def test_seed_and_symbolic(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = derive(capsys, *TEXTBOOK, "--seed", "x2", "--symbolic")
    assert status == 0
    assert "Tangent trace, ẋ2 = 1\n" in out
    assert out.endswith("  ∂y/∂x1 = 1/x1 + x2\n  ∂y/∂x2 = x1 - cos(x2)\n")


@pytest.mark.parametrize(
    ("form", "start", "contains"),
    [
        ("html", "<!DOCTYPE html>", "∂y/∂<i>x</i><sub>1</sub>"),
        ("svg", "<svg ", "cos(v1) = 0.283662"),
        ("latex", "% needs", r"\frac{\partial y}{\partial x_{1}} = \frac{1}{x_{1}} + x_{2}"),
    ],
)
def test_other_forms(
    form: str, start: str, contains: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / f"trace.{form}"
    arguments = [*TEXTBOOK, "--symbolic", "--format", form]
    status, out, _ = derive(capsys, *arguments, "-o", str(file))
    assert (status, out) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert text.startswith(start) and contains in text
    assert derive(capsys, *arguments)[1] == text


def test_a_file_is_overwritten_only_on_demand(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "trace.txt"
    file.write_text("precious")
    status, _, err = derive(capsys, *TEXTBOOK, "-o", "trace.txt")
    assert status == 2 and "exists" in err and "--force" in err
    assert file.read_text() == "precious"
    assert derive(capsys, *TEXTBOOK, "-o", "trace.txt", "--force")[0] == 0
    assert "Adjoint trace" in file.read_text(encoding="utf-8")
    assert [path.name for path in folder.iterdir()] == ["trace.txt"]


def test_a_mistake_writes_no_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert derive(capsys, "2x", "x=1", "-o", "trace.txt")[0] == 2
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["-x^2", "x=-3"], -9),
        (["x", "x=pi/4"], math.pi / 4),
        (["x", "x = 1e-3"], 1e-3),
        (["pi"], math.pi),
        (["x", "x=-2^2"], -4),
    ],
)
def test_values(
    arguments: list[str], value: float, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    status, out, _ = derive(capsys, *arguments, "--format", "json")
    assert status == 0 and json.loads(out)["value"] == pytest.approx(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["2x", "x=1"], "a multiplication sign is missing: write 2*x\n  2x\n   ^"),
        (["ln(x", "x=2"], "this parenthesis is not closed\n  ln(x\n    ^"),
        (["x*y", "x=2"], "the variable 'y' has no value: add y=VALUE\n  x*y\n    ^"),
        (["x", "x=1", "z=2"], "the formula has no variable 'z' (its variables: x)"),
        (["rate*t", "rat=1", "t=2"], "did you mean 'rate'?"),
        (["x", "x=1", "x=2"], "'x' was given twice: x=1 and x=2"),
        (["x", "x"], "'x' is not a value: write NAME=VALUE, such as x1=2"),
        (["x", "x="], "'x=' is not a value"),
        (["x", "=1"], "'=1' is not a value"),
        (["x", "x=two"], "the value of x is not a number: 'two' has the variable 'two'"),
        (["x", "x=1.2.3"], "the value of x is not a number"),
        (["x", "x=1", "--seed", "y"], "--seed y: the formula has no variable 'y'"),
        (["x", "x=1", "--format", "pdf"], "'pdf' is not one of"),
        (["x", "x=1", "--sed", "x"], "No such option"),
        (["x", "x=1", "-o", "missing/trace.txt"], "missing is not a directory"),
        ([], "Missing argument 'FORMULA'"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = derive(capsys, *arguments)
    assert (status, out) == (2, "")
    assert message in err and "Traceback" not in err


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_outside_of_the_domain(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = derive(capsys, "ln(x) + 1", "x=-1", "--format", form)
    sentence = "the first NaN appeared in the forward pass: v1 = ln(v0) = nan, with v0 = -1"
    assert status == 2
    assert "v1" in out and (sentence in out if form == "text" else sentence in err)
    if form == "json":
        assert json.loads(out)["value"] == "NaN"


def test_a_derivative_that_is_infinite(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = derive(capsys, "sqrt(x)", "x=0")
    assert status == 2 and "the first infinity appeared in the backward pass: v̄0" in out
