"""Printed statements and expressions: parentheses, names, constants, LaTeX, and the size limit."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.errors import GraphError
from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement, constant, input_statement
from chainrule.graph.table import elementwise as e
from chainrule.graph.table import structural
from chainrule.graph.text import (
    expression_latex,
    expression_text,
    latex_name,
    number_text,
    statement_latex,
    statement_text,
    tree_size,
)

X, Y, Z = (input_statement((), float, name=name) for name in "xyz")
A = input_statement((3, 4), float, name="A")
I = input_statement((2,), np.intp, name="i")  # noqa: E741
NAMES = {X: "x", Y: "y", Z: "z", A: "A", I: "i"}

EXPRESSIONS = [
    ((X + Y) + Z, "x + y + z", "x + y + z"),
    (X + (Y + Z), "x + y + z", "x + y + z"),
    (X - (Y + Z), "x - (y + z)", r"x - \left(y + z\right)"),
    (X - (Y - Z), "x - (y - z)", r"x - \left(y - z\right)"),
    (X + (Y - Z), "x + y - z", "x + y - z"),
    (X * (Y + Z), "x*(y + z)", r"x \left(y + z\right)"),
    (X * (Y * Z), "x*y*z", "x y z"),
    (X / (Y * Z), "x/(y*z)", r"\frac{x}{y z}"),
    (X / (Y / Z), "x/(y/z)", r"\frac{x}{\frac{y}{z}}"),
    (X * (Y / Z), "x*(y/z)", r"x \frac{y}{z}"),
    (X / Y * Z, "x/y*z", r"\frac{x}{y} z"),
    ((X / Y) ** 2, "(x/y)**2", r"\left(\frac{x}{y}\right)^{2}"),
    (X**Y**Z, "x**y**z", "x^{y^{z}}"),
    ((X**Y) ** Z, "(x**y)**z", r"\left(x^{y}\right)^{z}"),
    (X ** (-Y), "x**(-y)", "x^{-y}"),
    ((-X) ** 2, "(-x)**2", r"\left(-x\right)^{2}"),
    (-(X**2), "-x**2", "-x^{2}"),
    (-(X + Y), "-(x + y)", r"-\left(x + y\right)"),
    (-(X * Y), "-x*y", "-x y"),
    (-X * Y, "-x*y", "-x y"),
    (X * -Y, "x*(-y)", r"x \left(-y\right)"),
    (X - -Y, "x - (-y)", r"x - \left(-y\right)"),
    (e.negative(-X), "-(-x)", r"-\left(-x\right)"),
    (X * -2.0, "x*(-2)", r"x \cdot \left(-2\right)"),
    (X * 2.0, "x*2", r"x \cdot 2"),
    (constant(-2.0) * X, "-2*x", "-2 x"),
    (constant(-2.0) ** X, "(-2)**x", r"\left(-2\right)^{x}"),
    (2.0 * (3.0 * X), "2*3*x", r"2 \cdot 3 x"),
    (1e-7 * X, "1e-07*x", "10^{-7} x"),
    (2.5e30 * X, "2.5e+30*x", r"2.5 \cdot 10^{30} x"),
    (np.pi * X, "pi*x", r"\pi x"),
    (e.sin(X), "sin(x)", r"\sin x"),
    (e.sin(X * Y), "sin(x*y)", r"\sin\left(x y\right)"),
    (e.sin(X) * Y, "sin(x)*y", r"\sin\left(x\right) y"),
    (Y * e.sin(X) * Z, "y*sin(x)*z", r"y \sin\left(x\right) z"),
    (e.sin(X) + Y, "sin(x) + y", r"\sin x + y"),
    (e.sin(X) ** 2, "sin(x)**2", r"\sin^{2} x"),
    (e.sin(X + Y) ** 3, "sin(x + y)**3", r"\sin^{3}\left(x + y\right)"),
    (e.square(e.sin(X)) * Y, "sin(x)**2*y", r"\sin^{2}\left(x\right) y"),
    (e.sin(X) ** 0.5, "sin(x)**0.5", r"\left(\sin x\right)^{0.5}"),
    (e.log10(X) ** 2, "log10(x)**2", r"\left(\log_{10} x\right)^{2}"),
    (e.sign(X) ** 2, "sign(x)**2", r"\left(\operatorname{sign} x\right)^{2}"),
    (e.log_(X), "ln(x)", r"\ln x"),
    (e.exp(-X), "exp(-x)", "e^{-x}"),
    (e.exp(X) ** Y, "exp(x)**y", r"\left(e^{x}\right)^{y}"),
    (e.square(X + Y), "(x + y)**2", r"\left(x + y\right)^{2}"),
    (e.reciprocal(X * Y), "1/(x*y)", r"\frac{1}{x y}"),
    (e.square_root(X), "sqrt(x)", r"\sqrt{x}"),
    (e.absolute(X), "abs(x)", r"\left|x\right|"),
    (e.sign(X), "sign(x)", r"\operatorname{sign} x"),
    (e.sigmoid(X), "sigmoid(x)", r"\sigma\left(x\right)"),
    (e.relu(X), "relu(x)", r"\operatorname{relu}\left(x\right)"),
    (e.leaky_relu(X, slope=0.1), "leaky_relu(x, slope=0.1)",
     r"\operatorname{leaky\_relu}\left(x, \mathrm{slope}=0.1\right)"),
    (e.maximum(X, Y), "maximum(x, y)", r"\max\left(x, y\right)"),
    (e.greater(X + Y, Z), "x + y > z", "x + y > z"),
    (e.logical_and(X > Y, Y > Z), "x > y and y > z", r"x > y \land y > z"),
    (structural.where(X > 0, X, Y), "where(x > 0, x, y)",
     r"\begin{cases} x & \text{if } x > 0 \\ y & \text{otherwise} \end{cases}"),
    (structural.sum_(A, axis=(0,), keepdims=False), "sum(A, axis=(0,))",
     r"\operatorname{sum}\left(A, \mathrm{axis}=(0,)\right)"),
    (structural.sum_(A, axis=(0,), keepdims=True), "sum(A, axis=(0,), keepdims=True)", None),
    (structural.reshape(A, shape=(4, 3)), "reshape(A, shape=(4, 3))", None),
    (structural.convert(A, dtype=np.dtype("float32")), "convert(A, dtype=float32)", None),
    (structural.take_slice(A, index=(slice(1, None), 2)), "A[1:, 2]", r"A\left[1:, 2\right]"),
    (structural.take_slice(A, index=(..., slice(None, None, -1))), "A[..., ::-1]", None),
    (structural.gather(A, I, index=(Gathered(), 0)), "A[i, 0]", r"A\left[i, 0\right]"),
    (structural.copy(X + Y) * Z, "(x + y)*z", None),
    (A @ structural.transpose(A, axes=(1, 0)), "A @ transpose(A, axes=(1, 0))", None),
    (A + np.ones((3, 4)), "A + constant[3,4]", None),
    (structural.sum_(A, axis=(0, 1), keepdims=False) + np.array([1.0, 2.0]),
     "sum(A, axis=(0, 1)) + [1, 2]", None),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "text", "latex"), EXPRESSIONS)
def test_expressions_have_the_parentheses_they_need(
    statement: Statement, text: str, latex: str | None
) -> None:
    assert expression_text(statement, NAMES) == text
    if latex is not None:
        assert expression_latex(statement, NAMES) == latex


def test_a_statement_calls_its_arguments_by_their_names() -> None:
    total, sine = X + Y, e.sin(X)
    names = {X: "v0", Y: "v1", sine: "v4", total: "v5"}
    cases = {
        X * Y: ("v0*v1", "v_{0} v_{1}"),
        sine: ("sin(v0)", r"\sin v_{0}"),
        total - sine: ("v5 - v4", "v_{5} - v_{4}"),
        e.log_(X): ("ln(v0)", r"\ln v_{0}"),
        total / X: ("v5/v0", r"\frac{v_{5}}{v_{0}}"),
        -sine: ("-v4", "-v_{4}"),
        sine**2: ("v4**2", "v_{4}^{2}"),
        2.0 * sine: ("2*v4", "2 v_{4}"),
        structural.copy(sine): ("v4", "v_{4}"),
    }
    for statement, (text, latex) in cases.items():
        assert statement_text(statement, names) == text
        assert statement_latex(statement, names) == latex


def test_a_leaf_is_its_name_or_its_value() -> None:
    assert statement_text(X, {}) == "x"
    assert statement_text(X, {X: "v0"}) == "v0"
    assert statement_text(constant(3.0), {}) == "3"
    assert statement_text(input_statement((), float), {}) == "?"


def test_naming_a_statement_cuts_the_tree_there() -> None:
    inner = X * Y
    assert expression_text(inner + inner, {**NAMES, inner: "t"}) == "t + t"


def test_constants_older_than_the_variables_are_written() -> None:
    old = constant(7.0)
    young = input_statement((), float, name="young")
    assert expression_text(young * old, {young: "young"}) == "young*7"


def test_names_in_latex() -> None:
    given = ["x", "x1", "x_12", "alpha", "beta2", "delay", "dep_delay", r"\bar{v}_{0}"]
    expected = [
        "x", "x_{1}", "x_{12}", r"\alpha", r"\beta_{2}", r"\mathrm{delay}",
        r"\mathrm{dep\_delay}", r"\bar{v}_{0}",
    ]  # fmt: skip
    assert [latex_name(name) for name in given] == expected


def test_numbers_are_short_but_exact() -> None:
    values = [2.0, -0.5, 1 / 3, np.float32(0.1), np.pi, 1e300, 0, True, np.inf, np.nan]
    expected = ["2", "-0.5", "0.3333333333333333", "0.1", "pi", "1e+300", "0", "True", "inf", "nan"]
    assert [number_text(value) for value in values] == expected


def test_a_tree_that_would_be_too_large_is_counted_and_refused() -> None:
    y = X
    for _ in range(60):
        y = y * y
    assert tree_size(y) == 2**61 - 1
    with pytest.raises(GraphError, match=r"about 10\*\*18 nodes, more than the limit of 10000"):
        expression_text(y, NAMES)


def test_a_deep_chain_prints_without_recursion() -> None:
    y = X
    for _ in range(3000):
        y = e.sin(y)
    text = expression_text(y, NAMES)
    assert text == "sin(" * 3000 + "x" + ")" * 3000
