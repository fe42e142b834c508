"""Difference quotients, and checks that catch derivatives that are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.diff.check import relative_differences
from chainrule.errors import DifferentiationError, TraceError
from chainrule.tracing.parameter import Parameter


def lecture(x1: Any, x2: Any) -> Any:
    return np.log(x1) + x1 * x2 - np.sin(x2)


@pytest.mark.parametrize("method, digits", [("central", 1e-9), ("forward", 2e-6)])
def test_the_lectures_example(method: str, digits: float) -> None:
    found = cr.numeric_grad(lecture, (0, 1), method=method)(2.0, 5.0)
    assert found == pytest.approx((5.5, 5.0 * 0 + 2 - np.cos(5.0)), rel=digits)


def test_the_forward_difference_is_half_the_curvature_off() -> None:
    found = cr.numeric_grad(lambda x: x**2, h=1e-3, method="forward")(1.0)
    assert found - 2 == pytest.approx(1e-3, rel=1e-6)
    assert cr.numeric_grad(lambda x: x**2, h=1e-3)(1.0) == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("x", [1e8, 1.0, 1e-8, 0.0, -1e4])
def test_the_step_is_relative(x: float) -> None:
    steps = []

    def f(y: Any) -> Any:
        steps.append(abs(y - x))
        return 3 * y

    assert cr.numeric_grad(f)(x) == pytest.approx(3.0, rel=1e-8)
    assert max(steps) == pytest.approx(1e-6 * max(1, abs(x)), rel=1e-6)


def test_nested_arguments_and_modules() -> None:
    p = {"w": [np.array([[1.0, 2.0]]), 3.0], "p": Parameter(np.array([4.0])), "n": None}

    def f(p: Any, k: int) -> Any:
        return np.sum(p["w"][0] ** 2) * p["w"][1] + np.sum(p["p"] ** k)

    found = cr.numeric_grad(f)(p, 3)
    np.testing.assert_allclose(found["w"][0], [[6.0, 12.0]], rtol=1e-8)
    assert found["w"][1] == pytest.approx(5.0)
    assert found["p"].value == pytest.approx([48.0])
    assert found["n"] is None


def test_float32_arguments_are_differenced_in_float64() -> None:
    found = cr.numeric_grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0], np.float32))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [3.0, 12.0], rtol=1e-8)


def test_arguments_are_left_as_they_are() -> None:
    x = np.array([1.0, 2.0])
    x.flags.writeable = False
    cr.numeric_grad(lambda x: np.sum(x**2))(x)
    cr.check_grads(lambda x: np.sum(x**2), (x,))
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: cr.numeric_grad(lecture, method="backward")(1.0, 2.0), "'central' or 'forward'"),
        (lambda: cr.numeric_grad(lecture, h=0.0)(1.0, 2.0), "positive"),
        (lambda: cr.numeric_grad(lecture, 5)(1.0, 2.0), "argnums has 5"),
        (lambda: cr.numeric_grad(lambda x: x * 2)(np.ones(3)), r"an array of shape \(3,\)"),
        (lambda: cr.numeric_grad(lambda x: (x, x))(1.0), r"an array of shape \(2,\)"),
        (lambda: cr.numeric_grad(lambda x: "one")(1.0), "'one'"),
        (lambda: cr.numeric_grad(lambda x: x * 1j)(1.0), "one real number"),
        (lambda: cr.check_grads(np.sin, 1.0), "args is a tuple"),
        (lambda: cr.check_grads(np.sin, (1.0,), order=0), "order is at least 1"),
        (lambda: cr.check_grads(np.sin, (1.0,), modes=("backward",)), "modes are among"),
    ],
)
def test_misuse_is_named(call: Any, message: str) -> None:
    with pytest.raises(DifferentiationError, match=message):
        call()


def test_integers_and_traced_values_cannot_be_differenced() -> None:
    with pytest.raises(TraceError, match="array of int64"):
        cr.numeric_grad(np.sum)(np.array([1, 2]))
    with pytest.raises(TraceError, match="has no derivative rule"):
        cr.grad(lambda x: cr.numeric_grad(np.sin)(x))(1.0)


# ----- checks -----------------------------------------------------------------------------------

X = np.array([[0.5, 1.0], [-1.5, 2.0]])


def test_right_derivatives_pass_in_silence() -> None:
    cr.check_grads(lecture, (2.0, 5.0), order=3, tolerance=1e-4)
    cr.check_grads(lambda p: {"a": p["x"] ** 2, "b": [np.sin(p["x"])]}, ({"x": X},))
    cr.check_grads(lambda x: (np.argmax(x), x), (X,))


def wrong_partial() -> Any:
    return cr.custom(np.sin, partials=[lambda x, y: np.cos(x) + 0.01 * (x > 1.5)])


def test_a_wrong_partial_is_found_with_its_entry() -> None:
    with pytest.raises(DifferentiationError) as caught:
        cr.check_grads(lambda p: wrong_partial()(p["x"]), ({"x": X},))
    message = str(caught.value)
    assert message.startswith(
        "forward mode: the derivative with respect to argument 0['x'][1, 1] is"
    )
    assert "1 of 4 entries" in message
    assert "central differences give" in message


def test_a_wrong_adjoint_is_told_from_a_right_tangent() -> None:
    f = cr.custom(
        np.square, tangent=lambda t, y, x: 2 * x * t[0], adjoint=lambda g, y, x: 2.001 * x * g
    )
    cr.check_grads(f, (X,), modes=("forward",))
    with pytest.raises(DifferentiationError, match=r"^reverse mode"):
        cr.check_grads(f, (X,))


def test_a_rule_that_is_wrong_in_second_order_only() -> None:
    f = cr.custom(np.square, partials=[lambda x, y: 2 * cr.functions.stop_gradient(x)])
    cr.check_grads(f, (X,), order=1)
    with pytest.raises(DifferentiationError, match=r"^forward over forward mode"):
        cr.check_grads(f, (X,), order=2)


def test_a_lost_derivative_is_found() -> None:
    with pytest.raises(DifferentiationError, match="argument 1 is 0"):
        cr.check_grads(lambda x, y: x * cr.functions.stop_gradient(y), (2.0, 3.0), order=1)


def test_relative_differences_of_infinities_and_nan() -> None:
    inf, nan = np.inf, np.nan
    found, expected = np.array([inf, inf, nan, nan, 1.0]), np.array([inf, -inf, nan, 1.0, 1.5])
    assert relative_differences(found, expected).tolist() == [0, inf, 0, inf, pytest.approx(1 / 3)]
