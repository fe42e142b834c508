"""Traces as text, HTML, SVG and LaTeX, compared with what was looked at and found good.

After a change that is meant, write the files anew with CHAINRULE_WRITE_GOLDEN=1 and look at them.
"""

import os
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.show.style import width
from chainrule.show.trace import Trace

GOLDEN = Path(__file__).parent / "golden"
VOID = {"meta", "br"}


def textbook() -> Trace:
    return cr.trace("ln(x1) + x1*x2 - sin(x2)", 2, 5)


def perceptron() -> Trace:
    """A formula with a coarse function, a power and a quotient, along one seed."""
    return cr.trace("(sigmoid(w*x + b) - t)^2/2", 0.5, 2, -1, 1, seed="w")


def dense() -> Trace:
    def layer(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> float:
        return np.maximum(x @ weight + bias, 0).sum()

    x = np.arange(24.0).reshape(8, 3) / 8 - 1
    return cr.trace(layer, np.array([[1.0, 2.0], [0.0, -1.0], [0.5, 3.0]]), np.ones(2), x)


def outside() -> Trace:
    return cr.trace("sqrt(x)*ln(y)", 0, -1, seed="x")


def settled(text: str) -> str:
    """Without what may differ between machines: lines of this file, the last digits of noise."""
    text = re.sub(r"test_forms\.py:\d+", "test_forms.py:0", text)
    text = re.sub(r"\b\d\.\de-\d\d\b", "tiny", text)
    return re.sub(r"\d\.\d \\cdot 10\^\{-\d+\}", "tiny", text)


@pytest.mark.parametrize("example", [textbook, perceptron, dense, outside])
@pytest.mark.parametrize(
    ("form", "write"),
    [("txt", str), ("tex", Trace.to_latex), ("html", Trace.to_html), ("svg", Trace.to_svg)],
)
def test_golden(example: object, form: str, write: object) -> None:
    file = GOLDEN / f"{example.__name__}.{form}"  # type: ignore[attr-defined]
    written = settled(write(example()))  # type: ignore[operator]
    written = written if written.endswith("\n") else written + "\n"
    if os.environ.get("CHAINRULE_WRITE_GOLDEN"):
        file.write_text(written, encoding="utf-8")
    assert written == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("example", [textbook, perceptron, outside])
def test_columns_are_aligned_as_they_are_seen(example: object) -> None:
    """The equals signs of a table stand under each other, marks over letters taking no room."""
    for table in str(example()).split("\n\n")[1:4]:  # type: ignore[operator]
        _, *lines = table.split("\n")
        columns = {width(line[: line.index(" = ")]) for line in lines}
        assert len(columns) == 1
        assert len({width(line[: line.index(" = ", line.index(" = ") + 1)]) for line in lines}) == 1


class Balanced(HTMLParser):
    """Checks that every element is closed, and notes what a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.loaded += [f"{k}={v}" for k, v in attributes if k in ("src", "href", "onload")]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("page", [False, True])
@pytest.mark.parametrize("example", [textbook, dense, outside])
def test_html_is_well_formed_and_loads_nothing(example: object, page: bool) -> None:
    text = example().to_html(page=page)  # type: ignore[operator]
    reader = Balanced()
    reader.feed(text)
    assert reader.open == [] and reader.loaded == []
    assert "url(" not in text and "@import" not in text
    assert text.startswith("<!DOCTYPE html>") == page


def test_names_are_escaped() -> None:
    evil = '<img src="x" onerror=alert(1)>&"'
    found = cr.trace(lambda a: a * 2, 1.0, names=[evil])
    for text in (found.to_html(), found.to_svg()):
        assert "<img" not in text and "&lt;img" in text
    ElementTree.fromstring(found.to_svg())
    assert r"\&" in found.to_latex()


def test_notebooks_show_html() -> None:
    found = textbook()
    assert found._repr_html_() == found.to_html()
    assert "<i>v̄</i><sub>3</sub>·<i>v</i><sub>1</sub>" in found.to_html()


def test_svg_has_a_box_for_each_statement_and_an_arrow_for_each_use() -> None:
    root = ElementTree.fromstring(textbook().to_svg())
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f".//{space}rect")) == 7
    assert len(root.findall(f".//{space}path[@class='head']")) == 8
    texts = [element.text for element in root.iter(f"{space}text")]
    for expected in ("v3 = v0·v1", "10", "v̄1 = 1.71634", "1/v0 = 0.5", "cos(v1) = 0.283662", "-1"):
        assert expected in texts
    high, wide = float(root.get("height", 0)), float(root.get("width", 0))
    for box in root.iter(f"{space}rect"):
        left, top = float(box.get("x", -1)), float(box.get("y", -1))
        assert 0 <= left <= wide - float(box.get("width", 0))
        assert 0 <= top <= high - float(box.get("height", 0))


def test_latex_balances() -> None:
    text = textbook().to_latex()
    assert text.count("{") == text.count("}") and text.count("$") % 2 == 0
    assert r"\bar{v}_{3} v_{1} + \frac{\bar{v}_{2}}{v_{0}}" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3
