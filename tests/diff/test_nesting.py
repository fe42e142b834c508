"""Derivatives of derivatives, in every order, without confusing one variable with another.

Source of the examples: J. M. Siskind and B. A. Pearlmutter, Perturbation confusion and referential
transparency (2005); O. Manzyuk, B. A. Pearlmutter, A. A. Radul, D. R. Rush and J. M. Siskind,
Perturbation confusion in forward automatic differentiation of higher-order functions (2019).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import chainrule as cr

Function = Callable[..., Any]


def forward(f: Function) -> Function:
    return lambda x: cr.jvp(f, (x,), (1.0,))[1]


def reverse(f: Function) -> Function:
    return lambda x: cr.grad(f)(x)


def pulled(f: Function) -> Function:
    return lambda x: cr.vjp(f, x)[1](1.0)[0]


MODES = {"forward": forward, "reverse": reverse, "vjp": pulled}
pairs = pytest.mark.parametrize("outer, inner", list(product(MODES.values(), repeat=2)))
triples = pytest.mark.parametrize("modes", list(product([forward, reverse], repeat=3)))


# ----- perturbation confusion -------------------------------------------------------------------


@pairs
def test_x_times_the_derivative_of_x_plus_y(outer: Any, inner: Any) -> None:
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0


@pairs
def test_x_times_the_derivative_of_x_times_y(outer: Any, inner: Any) -> None:
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0


@pairs
def test_the_inner_point_depends_on_the_outer_variable(outer: Any, inner: Any) -> None:
    # d/dx [ d/dy y^3 at y = x^2 ] = d/dx 3 x^4 = 12 x^3
    assert outer(lambda x: inner(lambda y: y**3)(x * x))(2.0) == pytest.approx(96.0)


@pairs
def test_the_inner_function_ignores_its_variable(outer: Any, inner: Any) -> None:
    assert outer(lambda x: x * inner(lambda y: x)(1.0))(5.0) == 0.0


@pairs
def test_both_variables_hold_the_same_number(outer: Any, inner: Any) -> None:
    # d/dx [ d/dy (x y^2) at y = x ] = d/dx 2 x^2 = 4 x
    assert outer(lambda x: inner(lambda y: x * y * y)(x))(3.0) == pytest.approx(12.0)


@pairs
def test_the_inner_derivative_is_a_constant_of_the_outer(outer: Any, inner: Any) -> None:
    slope = inner(lambda y: np.sin(y) * y)(2.0)
    expected = slope * 2 * 3.0
    assert outer(lambda x: inner(lambda y: np.sin(y) * y)(2.0) * x * x)(3.0) == pytest.approx(
        expected
    )


@pairs
def test_a_curried_function(outer: Any, inner: Any) -> None:
    """D (x -> g -> y -> g(x + y)): the derivative of a function whose result is a function."""

    def shifted(x: Any) -> Function:
        return lambda g: lambda y: g(x + y)

    def derivative_of_shift(g: Function) -> Function:
        return lambda y: outer(lambda x: shifted(x)(g)(y))(0.0)

    # Applied twice to exp it is the second derivative: the 2019 paper's bug gives 0 or exp + exp.
    assert derivative_of_shift(derivative_of_shift(np.exp))(1.0) == pytest.approx(np.e)
    mixed = outer(lambda x: shifted(x)(lambda y: inner(np.sin)(y) * y)(2.0))(0.0)
    assert mixed == pytest.approx(np.cos(2.0) - 2.0 * np.sin(2.0))


@pairs
def test_a_closure_made_inside_and_used_outside(outer: Any, inner: Any) -> None:
    """The inner derivative runs later, inside of another one, on a variable captured earlier."""

    def f(x: Any) -> Any:
        def later(y: Any) -> Any:
            return inner(lambda z: x * y * z * z)(y)  # 2 x y^2

        return inner(later)(x)  # 4 x y at y = x: 4 x^2

    assert outer(f)(3.0) == pytest.approx(24.0)


@pairs
def test_the_derivative_of_a_function_of_a_function(outer: Any, inner: Any) -> None:
    def twice(f: Function) -> Function:
        return lambda x: f(f(x))

    derivative = inner(twice(lambda y: y**3))  # 9 y^8
    assert outer(derivative)(1.0) == pytest.approx(72.0)
    assert outer(lambda x: twice(lambda y: inner(lambda z: x * z * z)(y))(1.0))(
        3.0
    ) == pytest.approx(24.0)


@triples
def test_three_levels_do_not_confuse_their_variables(modes: Any) -> None:
    a, b, c = modes
    found = a(lambda x: x * b(lambda y: x * y * c(lambda z: x * y * z * z)(1.0))(2.0))(3.0)
    # c: 2xy; b: d/dy 2 x^2 y^2 = 4 x^2 y = 8 x^2; a: d/dx 8 x^3 = 24 x^2
    assert found == pytest.approx(216.0)


# ----- higher orders ----------------------------------------------------------------------------


@triples
@pytest.mark.parametrize(
    "function, x, expected",
    [
        (np.sin, 1.0, -np.cos(1.0)),
        (lambda x: x**5, 2.0, 240.0),
        (lambda x: np.exp(2 * x), 0.0, 8.0),
        (np.log, 2.0, 0.25),
        (np.tanh, 0.5, -2 * (1 - np.tanh(0.5) ** 2) * (1 - 3 * np.tanh(0.5) ** 2)),
        (lambda x: np.prod(np.stack([x, x, x, 2.0])), 0.0, 12.0),
        (lambda x: 1 / x, 2.0, -6 / 16),
    ],
)
def test_third_derivatives(modes: Any, function: Any, x: float, expected: float) -> None:
    a, b, c = modes
    assert a(b(c(function)))(x) == pytest.approx(expected, rel=1e-12)


def test_high_orders_of_the_exponential() -> None:
    f: Function = np.exp
    for _ in range(8):
        f = forward(f)
    assert f(1.0) == pytest.approx(np.e)


@pairs
def test_hessian_times_vector(outer: Any, inner: Any, rng: np.random.Generator) -> None:
    a, x, v = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)

    def f(x: Any) -> Any:
        return np.sum(np.sin(a @ x) * x)

    along = outer(lambda t: f(x + t * v))
    second = outer(inner(lambda t: f(x + t * v)))(0.0)
    assert along(0.0) == pytest.approx(cr.grad(f)(x) @ v)
    _, hv = cr.jvp(cr.grad(f), (x,), (v,))
    assert v @ hv == pytest.approx(second)
    np.testing.assert_allclose(hv, cr.grad(lambda x: cr.grad(f)(x) @ v)(x), rtol=1e-12)


def test_derivatives_inside_compile_and_compile_inside_derivatives() -> None:
    f = cr.compile(lambda x: np.sum(np.sin(x) * x))
    x = np.array([1.0, 2.0])
    expected = np.cos(x) * x + np.sin(x)
    np.testing.assert_allclose(cr.grad(f)(x), expected)
    np.testing.assert_allclose(cr.compile(cr.grad(f))(x), expected)
    np.testing.assert_allclose(
        cr.compile(lambda x: cr.jvp(cr.grad(f), (x,), (x,))[1])(x),
        (2 * np.cos(x) - x * np.sin(x)) * x,
    )


# ----- Siskind and Pearlmutter's benchmarks -----------------------------------------------------


def descent(gradient: Function, f: Function, x: Any, steps: int, rate: float) -> Any:
    for _ in range(steps):
        x = x - rate * gradient(f)(x)
    return x


@pairs
def test_saddle(outer: Any, inner: Any) -> None:
    """min over x of max over y of x^2 - y^2 + x y, both by descent: the saddle is at (0, 0)."""

    def best_reply(x: Any) -> Any:
        return descent(inner, lambda y: -(x * x - y * y + x * y), 0.5, 12, 0.3)

    def worst(x: Any) -> Any:
        y = best_reply(x)
        return x * x - y * y + x * y

    x = descent(outer, worst, 1.0, 12, 0.3)
    # max over y is at y = x / 2, where the value is 5/4 x^2.
    assert outer(worst)(1.0) == pytest.approx(2.5, abs=1e-4)
    assert abs(x) < 1e-6


@pairs
def test_particle(outer: Any, inner: Any) -> None:
    """A charge falls in a potential; the derivative of where it lands, by a wall's position."""

    def potential(x: Any, wall: Any) -> Any:
        return 1 / (x - wall) + 0.1 * x * x

    def landing(wall: Any) -> Any:
        x, speed = 3.0, 0.0
        for _ in range(10):
            speed = speed - 0.1 * inner(lambda p: potential(p, wall))(x)
            x = x + 0.1 * speed
        return x

    expected = cr.numeric_grad(landing)(0.5)
    assert outer(landing)(0.5) == pytest.approx(expected, rel=1e-7)
