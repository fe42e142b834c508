"""Simplification: what it writes, that values stay, and that sharing survives."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainrule.diff.simplify import simplify
from chainrule.graph.graph import Graph
from chainrule.graph.statement import Statement, constant, input_statement, lookup
from chainrule.graph.table import elementwise as e
from chainrule.graph.table import structural
from chainrule.graph.text import expression_text, tree_size

X, Y, Z = (input_statement((), np.float64, name=name) for name in "xyz")
NAMES = {X: "x", Y: "y", Z: "z"}
S, C = e.sin(X), e.cos(X)

CASES = [
    # Neutral and absorbing elements.
    (X + 0.0, "x"), (0.0 + X, "x"), (X - 0.0, "x"), (0.0 - X, "-x"), (X * 1.0, "x"),
    (X * 0.0, "0"), (0.0 / X, "0"), (X / 1.0, "x"), (X**1.0, "x"), (X**0.0, "1"), (1.0**X, "1"),
    # Cancellation.
    (X - X, "0"), (X / X, "1"), (X * Y / X, "y"), (e.negative(-X), "x"), (X + Y - X, "y"),
    ((X + Y) - (X + Y), "0"), ((X + 1) / (X + 1), "1"), (X - (X - Y), "y"),
    # Like terms and powers.
    (X + X, "2*x"), (2 * X + 3 * X, "5*x"), (X * X, "x**2"), (X * X * X, "x**3"),
    (X**2 * X, "x**3"),
    (X**3 / X, "x**2"), (X / X**3, "1/x**2"), (Y * X * Y, "x*y**2"), (2 * (3 * X), "6*x"),
    (2 * (X + Y) + 3 * (X + Y), "5*(x + y)"), (4 * (1 - X) - 4 * X, "4 - 8*x"),
    ((2 * X) ** 3, "8*x**3"), ((X * Y) ** 2, "x**2*y**2"), ((X**2) ** 3, "x**6"),
    (e.square(X) * e.reciprocal(X), "x"), (X**Y * X, "x**(y + 1)"), (X**Y / X, "x**(y - 1)"),
    # Roots: safe where signs allow.
    (X**0.5, "sqrt(x)"), (e.square_root(X) * e.square_root(X), "x"), ((X**2) ** 0.5, "abs(x)"),
    (e.square_root(X**4), "sqrt(x**4)"), (e.square_root(X * Y), "sqrt(x*y)"),
    (e.square_root(4 * X), "2*sqrt(x)"), (e.square_root(X) ** 3, "x**1.5"),
    (e.absolute(X) * e.absolute(X), "abs(x)**2"),
    # Signs and order.
    (X + -Y, "x - y"), (X - -Y, "x + y"), (-1.0 * X, "-x"), (-X + Y, "y - x"), (-(X - Y), "y - x"),
    (-X - Y, "-x - y"), (X * -Y, "-x*y"), ((-X) * (-Y), "x*y"), (X / -Y, "-x/y"),
    (-X + 1, "1 - x"), (1 + X, "1 + x"), (X + 1, "x + 1"), (C * X, "x*cos(x)"),
    ((X + 1) * S * Y * 2.0, "2*y*sin(x)*(x + 1)"),
    (e.sin(-X), "-sin(x)"), (e.cos(-X), "cos(x)"), (e.absolute(-2 * X), "abs(2*x)"),
    # Fractions.
    (1 / X, "1/x"), (1 / (1 / X), "x"), (X / (Y / Z), "x*z/y"), (X / Y / Z, "x/(y*z)"),
    (0.5 * X, "x/2"), (X / 3, "x/3"), (2 * X / 3, "2*x/3"), (0.1 * X, "0.1*x"), (2.5 * X, "2.5*x"),
    (0.5 / X, "1/(2*x)"), (X + 0.5, "x + 0.5"), (X + constant(1.0) / 3.0, "x + 1/3"),
    (-0.5 * X, "-x/2"), (X ** (1 / 3), "x**(1/3)"), (0.044715 * X, "0.044715*x"),
    # Constants that have names.
    (np.pi * X, "pi*x"), (2 * (np.pi * X), "2*pi*x"), (2 * np.pi * X, "2*pi*x"),
    (np.log(2) * X, "x*ln(2)"),
    (X / np.sqrt(2 * np.pi), "x/sqrt(2*pi)"), (np.e**X, "exp(x)"), (e.log_(constant(1.0)) + X, "x"),
    (e.exp(constant(0.0)) * X, "x"), (e.log_(constant(2.0)) * X, "x*ln(2)"),
    # Exponentials and logarithms.
    (e.log_(e.exp(X)), "x"), (e.exp(e.log_(X)), "x"), (e.exp(X) * e.exp(-X), "1"),
    (e.exp(X) ** 2, "exp(2*x)"), (1 / e.exp(X), "exp(-x)"), (e.exp(-X) * Y, "y*exp(-x)"),
    (e.log_(e.exp(2 * X)), "2*x"),
    # Piecewise functions.
    (e.maximum(X, Y), "maximum(x, y)"), (e.relu(X), "relu(x)"),
    (structural.where(X > 0, X, X), "x"), (structural.where(constant(1.0) > 0, X, Y), "x"),
    (structural.where(X > 0, structural.where(X > 0, X, Y), Z), "where(x > 0, x, z)"),
    (structural.where(X > 0, X, structural.where(X > 0, Y, Z)), "where(x > 0, x, z)"),
    (structural.where(X > 0, X + X, -Y), "where(x > 0, 2*x, -y)"),
    (e.multiply(X > 0, Y), "y*where(x > 0, 1, 0)"),
    # No finite number may come out of a division by zero.
    (X / constant(0.0), "x/0"),
    (X * float("inf"), "x*inf"),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "expected"), CASES)
def test_the_form_a_person_would_write(given_: Statement, expected: str) -> None:
    assert expression_text(simplify([given_])[0], NAMES) == expected


def test_simplifying_again_changes_nothing() -> None:
    for statement, _ in CASES:
        (once,) = simplify([statement])
        (twice,) = simplify([once])
        assert expression_text(twice, NAMES) == expression_text(once, NAMES)


def test_common_parts_are_found_and_shared_across_outputs() -> None:
    first = e.sin(X * Y) + 1.0
    second = e.sin(Y * X) * 2.0
    one, two = simplify([first, second])
    shared = [s for s in Graph((), (one, two)).statements if s.primitive.name == "sin"]
    assert len(shared) == 1


def test_arrays_are_shared_but_left_as_they_are() -> None:
    a = input_statement((3,), np.float64, name="a")
    twice = structural.sum_(a * a, axis=(0,), keepdims=False)
    again = structural.sum_(a * a, axis=(0,), keepdims=False)
    (result,) = simplify([twice - again + X])
    assert expression_text(result, {**NAMES, a: "a"}) == "x"
    (kept,) = simplify([twice * a])
    value = np.array([1.0, 2.0, 3.0])
    (found,) = Graph((a,), (kept,)).evaluate(value)
    np.testing.assert_allclose(found, (value @ value) * value)


def test_single_precision_keeps_its_dtype() -> None:
    x = input_statement((), np.float32, name="x")
    (result,) = simplify([x * x + x * 0.5])
    assert result.dtype == np.float32
    assert Graph((x,), (result,)).evaluate(np.float32(2.0)) == (np.float32(5.0),)


def test_the_work_is_linear_in_the_graph() -> None:
    def seconds(length: int) -> float:
        y = X
        for _ in range(length):
            y = y + e.sin(y)
        start = time.perf_counter()
        (result,) = simplify([y])
        elapsed = time.perf_counter() - start
        assert len(Graph((), (result,)).statements) <= 12 * length
        return elapsed

    assert seconds(2000) < 20 * max(seconds(400), 0.02)


# ----- values do not change -----------------------------------------------------------------------

UNARY = [
    "negative", "exp", "log", "sqrt", "sin", "cos", "tanh", "abs", "square", "reciprocal", "sign",
    "sigmoid", "relu", "arctan", "cbrt",
]  # fmt: skip
BINARY = ["add", "subtract", "multiply", "divide", "add", "multiply", "maximum", "power"]
CONSTANTS = [0.0, 1.0, -1.0, 2.0, 0.5, -3.0, 1 / 3, 0.1, np.pi, 1.7]


@st.composite
def expressions(draw: st.DrawFn) -> Statement:
    """A random shared graph in x and y."""
    nodes = [*(constant(draw(st.sampled_from(CONSTANTS))) for _ in range(2)), Y, X]
    for _ in range(draw(st.integers(1, 14))):
        first = nodes[-1 - draw(st.integers(0, min(2, len(nodes) - 1)))]  # Recent: deep formulas.
        second, third = (nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(2))
        kind = draw(st.sampled_from(["unary", "binary", "binary", "power", "where"]))
        if kind == "unary":
            nodes.append(lookup(draw(st.sampled_from(UNARY)))(first))
        elif kind == "binary":
            nodes.append(lookup(draw(st.sampled_from(BINARY)))(first, second))
        elif kind == "power":
            nodes.append(first ** draw(st.sampled_from([-2.0, -1.0, 0.5, 2.0, 3.0, 1.5])))
        else:
            nodes.append(structural.where(first > second, second, third))
    return nodes[-1]


def values_of(output: Statement, point: tuple) -> dict[Statement, np.ndarray]:
    statements = Graph((X, Y), (output,)).statements
    return dict(zip(statements, Graph((X, Y), statements).evaluate(*point), strict=True))


def is_near_a_jump(known: dict[Statement, np.ndarray]) -> bool:
    """Whether rounding could decide a comparison or a sign."""
    for statement in known:
        name = statement.primitive.name
        if name in ("greater", "maximum", "equal"):
            first, second = (known[argument] for argument in statement.arguments)
            if abs(first - second) < 1e-9 * (1 + abs(first)):
                return True
        if name in ("sign", "power", "cbrt", "relu", "abs", "log", "sqrt") and any(
            abs(known[argument]) < 1e-9 for argument in statement.arguments
        ):
            return True
    return False


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # Constants divided by zero, on purpose.
@settings(max_examples=800)
@given(expressions(), st.floats(-3, 3), st.floats(0.1, 4))
def test_values_do_not_change(output: Statement, x: float, y: float) -> None:
    (simple,) = simplify([output])
    with np.errstate(all="ignore"):
        known = values_of(output, (np.float64(x), np.float64(y)))
        assume(all(np.isfinite(value) and abs(value) < 1e9 for value in known.values()))
        # A result that more digits would change is noise: there is nothing to compare.
        exact = values_of(output, (np.longdouble(x), np.longdouble(y)))
        assume(abs(known[output] - exact[output]) <= 1e-11 * (1 + abs(exact[output])))
        assume(not is_near_a_jump(known))
        after = values_of(simple, (np.float64(x), np.float64(y)))[simple]
    if np.isfinite(after):
        scale = max(1.0, *(abs(float(value)) for value in known.values()))
        assert abs(after - known[output]) <= 1e-9 * scale
    assert tree_size(simple) <= 4 * tree_size(output)
