"""A user's own primitives: elementwise, by tangent, by adjoint; nested, compiled, and misused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DifferentiationError, ShapeError, TraceError
from chainrule.graph import all_primitives


def opaque(function: Any) -> Any:
    """A function that refuses traced values: what a user's library does."""

    def checked(*arrays: Any, **options: Any) -> Any:
        assert all(isinstance(a, np.ndarray | np.generic) for a in arrays)
        return function(*arrays, **options)

    return checked


# f(x, y) = x^2 sin(y), elementwise.
elementwise = cr.custom(
    opaque(lambda x, y: x**2 * np.sin(y)),
    partials=[lambda x, y, f: 2 * x * np.sin(y), lambda x, y, f: x**2 * np.cos(y)],
    name="x2siny",
)
# The solution of a y = b, by each rule.
solve_by_tangent = cr.custom(
    opaque(np.linalg.solve),
    tangent=lambda t, y, a, b: np.linalg.solve(a, t[1] - t[0] @ y),
    shape=lambda a, b: b,
)


def solve_adjoint(g: Any, y: Any, a: Any, b: Any) -> Any:
    z = np.linalg.solve(a.T, g)
    return -np.outer(z, y), z


solve_by_adjoint = cr.custom(opaque(np.linalg.solve), adjoint=solve_adjoint, shape=lambda a, b: b)
solve_by_both = cr.custom(
    opaque(np.linalg.solve),
    tangent=lambda t, y, a, b: np.linalg.solve(a, t[1] - t[0] @ y),
    adjoint=solve_adjoint,
    shape=lambda a, b: b,
)


@cr.custom(adjoint=lambda g, y, x, *, power: g * power * np.sign(x) * np.abs(x) ** (power - 1))
def power_sum(x: Any, *, power: float) -> Any:
    """A sum of powers; its rule takes an option and gives one adjoint, not a tuple."""
    return (np.abs(x) ** power).sum()


A = np.array([[3.0, 1.0, 0.2], [0.5, 2.0, 0.1], [0.3, -0.4, 2.5]])
B = np.array([1.0, -2.0, 0.5])

CASES = [
    (elementwise, (np.array([1.0, -2.0]), np.array([0.5, 1.5]))),
    (elementwise, (np.array([[1.0], [-2.0]]), np.array([0.5, 1.5]))),
    (elementwise, (2.0, 0.5)),
    (solve_by_tangent, (A, B)),
    (solve_by_adjoint, (A, B)),
    (solve_by_both, (A, B)),
    (lambda x: power_sum(x, power=3.0), (B,)),
]


@pytest.mark.parametrize("function, point", CASES)
def test_both_modes_to_second_order(function: Any, point: Any) -> None:
    cr.check_grads(function, point, order=2)


@pytest.mark.parametrize("function", [solve_by_tangent, solve_by_adjoint, solve_by_both])
def test_agrees_with_the_builtin_inside_other_code(function: Any) -> None:
    def loss(solve: Any) -> Any:
        return lambda a, b: np.sum(np.tanh(solve(a @ a, b * b)) ** 2)

    found = cr.grad(loss(function), (0, 1))(A, B)
    expected = cr.grad(loss(np.linalg.solve), (0, 1))(A, B)
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-15)


def test_constant_and_missing_partials() -> None:
    f = cr.custom(lambda x, y, n: 3 * x - y + 0 * n, partials=[3.0, -1, None])
    assert cr.grad(f, (0, 1))(2.0, 5.0, 1) == (3.0, -1.0)
    assert cr.grad(f, 2)(2.0, 5.0, 1.0) == 0.0


def test_an_adjoint_of_none_is_zero() -> None:
    f = cr.custom(lambda x, i: x[i], adjoint=lambda g, y, x, i: (g * (np.arange(3) == i), None))
    assert cr.grad(f)(B, 1).tolist() == [0.0, 1.0, 0.0]


def test_compiled_and_nested() -> None:
    x = np.array([1.0, -2.0, 3.0])
    expected = 3 * np.sign(x) * x**2
    np.testing.assert_allclose(cr.compile(cr.grad(lambda x: power_sum(x, power=3.0)))(x), expected)
    np.testing.assert_allclose(
        cr.compile(lambda x: elementwise(x, x) + 1)(x), x**2 * np.sin(x) + 1, rtol=1e-15
    )
    np.testing.assert_allclose(cr.compile(cr.grad(lambda b: solve_by_tangent(A, b)[0]))(B),
                               np.linalg.inv(A)[0])  # fmt: skip
    third = cr.grad(cr.grad(cr.grad(lambda x: elementwise(x, x))))(0.7)
    assert third == pytest.approx(6 * np.cos(0.7) - 6 * 0.7 * np.sin(0.7) - 0.49 * np.cos(0.7))


def test_without_a_trace_it_is_the_function_itself() -> None:
    assert elementwise(2.0, np.pi / 2) == 4.0
    assert power_sum([1.0, -2.0], power=2) == 5.0
    assert power_sum.__doc__ is not None
    assert "sum of powers" in power_sum.__doc__


def test_dtypes_follow_the_arguments() -> None:
    x = np.ones(2, np.float32)
    value, pull = cr.vjp(lambda x: elementwise(x, x), x)
    assert (value.dtype, pull(value)[0].dtype) == (np.float32, np.float32)
    assert elementwise(2, 3).dtype == np.float64


def test_it_enters_no_table_and_two_may_share_a_name() -> None:
    before = set(all_primitives())
    first = cr.custom(np.sin, partials=[lambda x, y: np.cos(x)], name="sin")
    second = cr.custom(np.sin, partials=[lambda x, y: 2 * np.cos(x)], name="sin")
    assert set(all_primitives()) == before
    assert (cr.grad(first)(0.0), cr.grad(second)(0.0)) == (1.0, 2.0)


def test_results_share_no_memory_with_arguments() -> None:
    x = np.array([1.0, 2.0])
    identity = cr.custom(lambda x: x, partials=[1])
    assert not np.shares_memory(identity(x), x)
    value, _ = cr.vjp(identity, x)
    value[0] = 7
    assert x[0] == 1.0


# ----- misuse -----------------------------------------------------------------------------------


def failing(x: Any) -> Any:
    raise RuntimeError("no zeros, please")


MISUSES = [
    (lambda: cr.custom(np.sin), "give its derivative as partials=, tangent= or adjoint="),
    (lambda: cr.custom(np.sin, partials=[1], adjoint=lambda g, y, x: g), "leave out tangent="),
    (lambda: cr.grad(cr.custom(np.add, partials=[1]))(1.0, 2.0), "called with 2 arguments, but cr"),
    (lambda: cr.grad(cr.custom(np.sum, partials=[1]))(B), "returned shape .* where an elementwise"),
    (lambda: cr.grad(cr.custom(lambda x: None, partials=[1]))(1.0), "returned None"),
    (lambda: cr.grad(cr.custom(lambda x: x * 1j, partials=[1]))(1.0), "array of real numbers"),
    (lambda: cr.grad(cr.custom(np.sin, partials=[1]))("text"), "text"),
    (lambda: cr.custom(np.sin, partials=[1])("text"), "options go in keyword arguments"),
    (lambda: cr.grad(lambda x: power_sum(B, power=x))(2.0), "keyword argument power is traced"),
    (
        lambda: cr.grad(lambda x: cr.custom(lambda y: y * x, partials=[1])(x))(2.0),
        "not among its arguments",
    ),
    (
        lambda: cr.grad(cr.custom(np.add, adjoint=lambda g, y, a, b: g))(1.0, 2.0),
        "returned 1 adjoints for 2",
    ),
    (
        lambda: cr.grad(cr.custom(np.sum, adjoint=lambda g, y, x: g))(B),
        "an adjoint of shape .* has shape",
    ),
    (
        lambda: cr.compile(cr.custom(failing, tangent=lambda t, y, x: t[0]))(1.0),
        r"give cr.custom\(shape=\)",
    ),
]


@pytest.mark.parametrize("misuse, message", MISUSES, ids=[m[1][:30] for m in MISUSES])
def test_misuse_is_named(misuse: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        misuse()


def test_it_may_differentiate_inside() -> None:
    """Newton's square root: a primitive that computes with a derivative of its own."""

    def root(a: Any) -> Any:
        x = float(a)
        for _ in range(20):
            value, slope = cr.value_and_grad(lambda x: x**2 - a)(x)
            x -= float(value / slope)
        return x

    newton = cr.custom(root, partials=[lambda a, y: 0.5 / y])
    assert cr.grad(lambda a: a * newton(a))(4.0) == pytest.approx(3.0)
    assert cr.compile(cr.grad(newton))(4.0) == pytest.approx(0.25)


def test_a_failure_inside_keeps_its_own_line() -> None:
    class Refused(ValueError):
        def __init__(self, code: int, reason: str) -> None:
            super().__init__(f"{code}: {reason}")

    def refusing(x: Any) -> Any:
        raise Refused(7, "not today")

    with pytest.raises(ValueError, match=r"refusing of operands .*7: not today") as caught:
        cr.grad(cr.custom(refusing, partials=[1.0]))(1.0)
    assert isinstance(caught.value.__cause__, Refused)


def test_a_rule_that_cannot_be_traced_says_where() -> None:
    f = cr.custom(np.sin, adjoint=lambda g, y, x: g * float(np.cos(x)))
    with pytest.raises(TraceError, match=r"np\.float64 arithmetic works as it is"):
        cr.grad(f)(1.0)


def test_errors_of_each_kind() -> None:
    with pytest.raises(ShapeError):
        cr.grad(cr.custom(np.sum, partials=[1]))(B)
    with pytest.raises(DifferentiationError):
        cr.custom(np.sin)
