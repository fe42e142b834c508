"""grad, value_and_grad, jvp and vjp: structures, modes, repeated use, dead branches, dtypes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import functions as F
from chainrule.errors import ShapeError
from chainrule.tracing.parameter import Parameter


def lecture(x1: Any, x2: Any) -> Any:
    return np.log(x1) + x1 * x2 - np.sin(x2)


def test_the_lectures_example() -> None:
    value, gradient = cr.value_and_grad(lecture, (0, 1))(2.0, 5.0)
    assert value == pytest.approx(11.652071455223084, rel=1e-15)
    assert gradient == pytest.approx((5.5, 2 - np.cos(5.0)), rel=1e-15)
    assert cr.jvp(lecture, (2.0, 5.0), (1.0, 0.0))[1] == pytest.approx(5.5)
    assert cr.vjp(lecture, 2.0, 5.0)[1](10.0)[1] == pytest.approx(17.16337814536774)


# ----- nested arguments and results -------------------------------------------------------------


class Layer(NamedTuple):
    weight: Any
    bias: Any


def network(p: Any, x: Any) -> Any:
    hidden = np.tanh(x @ p["layers"][0].weight + p["layers"][0].bias)
    return np.sum(hidden @ p["layers"][1].weight + p["layers"][1].bias) * p["scale"][0]


def test_gradients_have_the_structure_of_the_argument(rng: np.random.Generator) -> None:
    parameters = {
        "layers": [
            Layer(rng.normal(size=(3, 4)), rng.normal(size=4)),
            Layer(rng.normal(size=4), 0.5),
        ],
        "scale": (2.0, None),
    }
    x = rng.normal(size=(2, 3))
    gradient = cr.grad(network)(parameters, x)
    assert list(gradient) == ["layers", "scale"]
    assert isinstance(gradient["layers"][0], Layer)
    assert gradient["layers"][0].weight.shape == (3, 4)
    assert gradient["layers"][1].bias == pytest.approx(4.0)
    assert gradient["scale"][1] is None
    cr.check_grads(network, (parameters, x))


def test_argnums_chooses_and_orders() -> None:
    def f(x: Any, y: Any, z: Any) -> Any:
        return x * y**2 * z**3

    assert cr.grad(f)(2.0, 3.0, 1.0) == 9.0
    assert cr.grad(f, -1)(2.0, 3.0, 1.0) == 54.0
    assert cr.grad(f, (2, 0))(2.0, 3.0, 1.0) == (54.0, 9.0)
    assert cr.grad(f, [1])(2.0, 3.0, 1.0) == (12.0,)


def test_keyword_arguments_pass_through() -> None:
    assert cr.grad(lambda x, *, power: x**power)(3.0, power=3) == 27.0


def test_jvp_and_vjp_of_nested_results() -> None:
    def f(x: Any, y: Any) -> Any:
        return {"sum": x + y, "pair": (x * y, 3.0)}

    value, tangent = cr.jvp(f, (2.0, 5.0), (1.0, 10.0))
    assert value == {"sum": 7.0, "pair": (10.0, 3.0)}
    assert tangent == {"sum": 11.0, "pair": (25.0, 0.0)}
    value, pull = cr.vjp(f, 2.0, 5.0)
    assert pull({"sum": 1.0, "pair": (10.0, 100.0)}) == (51.0, 21.0)
    assert pull({"sum": 1.0, "pair": (0.0, 0.0)}) == (1.0, 1.0)


def test_aux_is_passed_on_untraced() -> None:
    def f(x: Any) -> Any:
        y = x * x
        return y, {"square": y, "name": "f"}

    (value, aux), gradient = cr.value_and_grad(f, has_aux=True)(3.0)
    assert (value, gradient, aux) == (9.0, 6.0, {"square": 9.0, "name": "f"})
    assert cr.grad(f, has_aux=True)(3.0) == (6.0, {"square": 9.0, "name": "f"})


def test_a_parameter_in_two_places_is_one_leaf() -> None:
    shared = Parameter(np.array([1.0, 2.0]))
    gradient = cr.grad(lambda p: np.sum(p["a"] * p["b"]))({"a": shared, "b": shared})
    assert gradient["a"] is gradient["b"]
    assert gradient["a"].value.tolist() == [2.0, 4.0]


def test_a_frozen_parameter_is_a_constant() -> None:
    frozen = Parameter(np.array([1.0, 2.0]), trainable=False)
    x = Parameter(np.array([3.0, 4.0]))
    gradient = cr.grad(lambda p: np.sum(p[0] * p[1]))([x, frozen])
    assert gradient[0].value.tolist() == [1.0, 2.0]
    assert gradient[1] is frozen


# ----- graphs of many shapes --------------------------------------------------------------------


def fan_out_fan_in(x: Any) -> Any:
    """Pearlmutter's test: one value used many times, level by level."""
    for _ in range(20):
        x = (x + x) / 2 + 0 * x
    return x


@pytest.mark.parametrize(
    "function, x, expected",
    [
        (lambda x: x, 3.0, 1.0),
        (lambda x: 5.0, 3.0, 0.0),
        (lambda x: x + x + x, 3.0, 3.0),
        (lambda x: x * x * x, 3.0, 27.0),
        (fan_out_fan_in, 3.0, 1.0),
        (lambda x: (np.sin(x), x * 2)[1], 3.0, 2.0),
        (lambda x: F.stop_gradient(x) * x, 3.0, 3.0),
        (lambda x: [x := x * i for i in (1, 2, 3)][-1], 3.0, 6.0),
        (lambda x: x if x > 2 else -x, 3.0, 1.0),
        (lambda x: sum(x**k for k in range(4)), 2.0, 17.0),
        (lambda x: np.sum(np.ones((2, 3)) * x), 2.0, 6.0),
        (lambda x: x - x, 2.0, 0.0),
    ],
)
def test_graphs(function: Any, x: float, expected: float) -> None:
    assert cr.grad(function)(x) == expected
    assert cr.jvp(function, (x,), (1.0,))[1] == expected


def test_a_result_that_is_an_argument_and_one_that_is_constant() -> None:
    values, pull = cr.vjp(lambda x, y: (x, 2.0, x), 1.0, 4.0)
    assert values == (1.0, 2.0, 1.0)
    assert pull((1.0, 5.0, 10.0)) == (11.0, 0.0)


def test_the_same_array_given_twice_is_two_arguments() -> None:
    x = np.array([1.0, 2.0])
    left, right = cr.grad(lambda a, b: np.sum(a**2 * b), (0, 1))(x, x)
    assert (left.tolist(), right.tolist()) == ([2.0, 8.0], [1.0, 4.0])


def test_empty_arrays() -> None:
    assert cr.grad(lambda x: np.sum(x * 2))(np.zeros((0, 3))).shape == (0, 3)
    assert cr.grad(lambda x: np.prod(x, axis=0).sum())(np.zeros((0, 3))).shape == (0, 3)


def test_rows_looked_up_twice_add_up() -> None:
    table = np.arange(8.0).reshape(4, 2)
    gradient = cr.grad(lambda t: np.sum(t[[0, 2, 0]] ** 2) + np.sum(t[[1]]))(table)
    assert gradient.tolist() == [[0.0, 4.0], [1.0, 1.0], [8.0, 10.0], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_have_the_dtype_of_the_argument(dtype: Any) -> None:
    x = np.array([1.0, 2.0], dtype)
    y = np.array([3.0, 4.0], np.float64)
    left, right = cr.grad(lambda x, y: np.sum(x * y), (0, 1))(x, y)
    assert (left.dtype, right.dtype) == (dtype, np.float64)
    assert cr.grad(lambda x: np.sum(np.exp(2 * x + 1) / 3))(x).dtype == dtype


def test_a_function_can_be_pulled_back_many_times() -> None:
    _, pull = cr.vjp(lambda x: np.sin(x) * x, np.array([1.0, 2.0]))
    first, second = pull(np.array([1.0, 0.0]))[0], pull(np.array([0.0, 1.0]))[0]
    np.testing.assert_allclose(first + second, pull(np.ones(2))[0])


def test_names_and_docstrings_survive() -> None:
    assert cr.grad(lecture).__name__ == "lecture"
    assert cr.numeric_grad(network).__name__ == "network"


shapes = st.sampled_from([(), (1,), (3,), (1, 3), (2, 1), (2, 3), (4, 1, 3), (4, 2, 1)])


@given(a=shapes, b=shapes, seed=st.integers(0, 99), operation=st.sampled_from("+-*/"))
def test_broadcasting_is_undone(a: Any, b: Any, seed: int, operation: str) -> None:
    generator = np.random.default_rng(seed)
    x, y = (np.asarray(generator.uniform(0.5, 2, shape))[()] for shape in (a, b))
    function = {
        "+": lambda x, y: x + y, "-": lambda x, y: x - y,
        "*": lambda x, y: x * y, "/": lambda x, y: x / y,
    }[operation]  # fmt: skip
    value, pull = cr.vjp(function, x, y)
    assert [adjoint.shape for adjoint in pull(np.ones_like(value))] == [a, b]
    tangents = (generator.normal(size=a)[()], generator.normal(size=b)[()])
    seeds = generator.normal(size=value.shape)
    moved = cr.jvp(function, (x, y), tangents)[1]
    pulled = sum(np.sum(p * t) for p, t in zip(pull(seeds), tangents, strict=True))
    assert np.sum(seeds * moved) == pytest.approx(pulled, abs=1e-9)


# ----- choices ----------------------------------------------------------------------------------

CHOICES: list[tuple[Any, float, float]] = [
    # A branch that was taken, where the adjoint happens to be 0.
    (lambda x: np.where(x < 5.0, np.sin(x) ** 2, 0.0), 0.0, 2.0),
    (lambda x: np.where(abs(x) < 1.0, (3 * x) ** 2 / 2, abs(x)), 0.0, 9.0),
    # A branch that was not taken, whose first or second derivative is infinite.
    (lambda x: np.where(x > 0.0, x**1.5, 0.0 * x), 0.0, 0.0),
    (lambda x: np.where(x > 0.0, np.sqrt(x), x**2), 0.0, 2.0),
    (lambda x: np.where(x > 0.0, np.log(np.sqrt(x) * 3) * x, x**3), 0.0, 0.0),
]


@pytest.mark.parametrize(("function", "x", "expected"), CHOICES)
@np.errstate(all="ignore")
def test_second_derivatives_at_choices(function: Any, x: float, expected: float) -> None:
    for second in (cr.grad(cr.grad(function)), cr.hessian(function)):
        assert second(x) == expected
        assert cr.compile(second)(x) == expected
    assert cr.hvp(function, x, 1.0) == expected
    assert cr.compile(lambda x: cr.hvp(function, x, 1.0))(x) == expected


# ----- structures -------------------------------------------------------------------------------


def test_dicts_are_matched_by_their_keys() -> None:
    point, direction = {"a": 1.0, "b": 1.0}, {"b": 1.0, "a": 0.0}
    assert cr.jvp(lambda p: 2 * p["a"] + 3 * p["b"], (point,), (direction,))[1] == 3
    assert cr.hvp(lambda p: p["a"] ** 2 + p["b"] ** 3, point, direction) == {"a": 0, "b": 6}
    _, pull = cr.vjp(lambda x: {"a": 2 * x, "b": 3 * x}, 1.0)
    assert pull(direction) == (3,)
    moved, _ = cr.train.SGD(1.0).update(point, direction, cr.train.SGD().init(point))
    assert moved == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize("direction", [{"a": 1.0}, {"a": 1.0, "c": 1.0}, [1.0, 1.0], 1.0])
def test_other_structures_are_errors(direction: Any) -> None:
    point = {"a": 1.0, "b": 1.0}
    with pytest.raises(ShapeError, match=r"the tangent is .* dict with \['a'\], \['b'\]"):
        cr.jvp(lambda p: p["a"] * p["b"], (point,), (direction,))


def test_a_sigmoid_that_is_written_out_is_finite_everywhere():
    def f(x):
        return np.sum(1 / (1 + np.exp(-x)))

    x = np.array([-800.0, -30.0, 0.0, 2.0, 800.0])
    y = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
    np.testing.assert_allclose(cr.compile(cr.grad(f))(x), y * (1 - y), rtol=1e-12, atol=1e-300)
    second = cr.compile(cr.grad(lambda x: np.sum(cr.grad(f)(x) * x)))
    slope = y * (1 - y)
    np.testing.assert_allclose(second(x), slope + x * slope * (1 - 2 * y), rtol=1e-9, atol=1e-290)


def test_what_only_looks_like_a_sigmoid():
    for f in (
        lambda x: np.sum(1 / (1 + np.exp(x))),
        lambda x: np.sum(2 / (1 + np.exp(-x))),
        lambda x: np.sum(1 / (2 + np.exp(-x))),
        lambda x: np.sum(1 / (np.exp(-x) + 1)),
        lambda x: np.sum(np.ones((2, 1)) / (1 + np.exp(-x))),
        lambda x: np.sum(1 / (1 + np.exp(-x)) * np.exp(-x)),
        lambda x: np.sum(np.where(x > 0, 1 / (1 + np.exp(-x)), x)),
    ):
        x = np.array([-1.0, 0.5, 2.0])
        np.testing.assert_allclose(cr.compile(cr.grad(f))(x), cr.grad(f)(x), rtol=1e-12)
        np.testing.assert_allclose(cr.compile(f)(x), f(x), rtol=1e-12)
