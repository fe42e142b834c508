"""Every way to lose a derivative silently is an error that shows the user's line and the remedy."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DifferentiationError, ShapeError, TraceError

X = np.array([1.0, 2.0, 3.0])


# ----- the mistakes, each on a line of its own --------------------------------------------------


def assign_into_traced(x: Any) -> Any:
    x[0] = 1.0
    return np.sum(x)


def assign_into_array(x: Any) -> Any:
    a = np.zeros(3)
    a[0] = x[0]
    return np.sum(a)


def assign_slice_into_array(x: Any) -> Any:
    a = np.zeros((2, 3))
    a[1] = x
    return np.sum(a)


def add_in_place(x: Any) -> Any:
    x += 1.0
    return np.sum(x)


def multiply_in_place(x: Any) -> Any:
    x *= 2.0
    return np.sum(x)


def array_in_place(x: Any) -> Any:
    a = np.zeros(3)
    a += x
    return np.sum(a)


def out_argument(x: Any) -> Any:
    a = np.zeros(3)
    np.add(x, 1.0, out=a)
    return np.sum(a)


def out_argument_of_function(x: Any) -> Any:
    a = np.zeros(())
    np.sum(x, out=a)
    return a


def out_argument_of_concatenate(x: Any) -> Any:
    a = np.zeros(6)
    np.concatenate([x, x], out=a)
    return np.sum(a)


def make_array(x: Any) -> Any:
    a = np.array([x[0], x[1]])
    return np.sum(a)


def make_array_of_one(x: Any) -> Any:
    a = np.array(x)
    return np.sum(a)


def as_array(x: Any) -> Any:
    a = np.asarray(x)
    return np.sum(a)


def fill_array(x: Any) -> Any:
    a = np.full((2, 2), x[0])
    return np.sum(a)


def sine_of_math(x: Any) -> Any:
    return math.sin(x[0])


def exponential_of_math(x: Any) -> Any:
    return math.exp(x[0]) + 1


def error_function_of_math(x: Any) -> Any:
    return math.erf(x[0])


def to_float(x: Any) -> Any:
    return float(x[0]) ** 2


def to_int(x: Any) -> Any:
    return int(x[0]) * x[1]


def to_complex(x: Any) -> Any:
    return complex(x[0]).real


def use_as_index(x: Any) -> Any:
    return [1.0, 2.0, 3.0][x[0]]


def use_as_length(x: Any) -> Any:
    return sum(x[0] for _ in range(x[1]))


def index_by_floats(x: Any) -> Any:
    return np.sum(np.ones(5) * x[0]) + x[np.array([0.0, 1.0])]


def unsupported_function(x: Any) -> Any:
    return np.sum(np.fft.fft(x))


def unsupported_similar_function(x: Any) -> Any:
    return np.nansum(x)


def unsupported_ufunc(x: Any) -> Any:
    return np.sum(np.spacing(x))


def unsupported_option(x: Any) -> Any:
    return np.sum(x, where=np.array([True, False, True]))


def unsupported_ufunc_option(x: Any) -> Any:
    return np.sum(np.sin(x, where=np.array([True, False, True])))


def unsupported_ufunc_method(x: Any) -> Any:
    return np.sum(np.subtract.accumulate(x))


def unsupported_array_method(x: Any) -> Any:
    return x.searchsorted(2.0)


def unsupported_pad_mode(x: Any) -> Any:
    return np.sum(np.pad(x, 1, mode="linear_ramp"))


def one_argument_where(x: Any) -> Any:
    return x[np.where(x > 1)[0]].sum()


def complex_constant(x: Any) -> Any:
    return np.sum(x * 1j)


def text_constant(x: Any) -> Any:
    return np.sum(x + "1")


def wrong_axis(x: Any) -> Any:
    return np.sum(x, axis=1)


def unequal_split(x: Any) -> Any:
    return np.sum(np.split(x, 2)[0])


def wrong_shapes(x: Any) -> Any:
    return np.sum(x + np.ones(4))


def wrong_product(x: Any) -> Any:
    return np.sum(np.ones((2, 2)) @ x)


MISTAKES: list[tuple[Callable[..., Any], str, list[str]]] = [
    # the mistake, the line that is shown, what the message says
    (assign_into_traced, "x[0] = 1.0", ["in place", "np.where"]),
    (assign_into_array, "a[0] = x[0]", ["ordinary array", "np.stack"]),
    (assign_slice_into_array, "a[1] = x", ["np.stack"]),
    (add_in_place, "x += 1.0", ["in place", "x = x + ..."]),
    (multiply_in_place, "x *= 2.0", ["in place", "x = x * ..."]),
    (array_in_place, "a += x", ["result = result + ..."]),
    (out_argument, "np.add(x, 1.0, out=a)", ["add", "out="]),
    (out_argument_of_function, "np.sum(x, out=a)", ["np.sum", "out="]),
    (out_argument_of_concatenate, "np.concatenate([x, x], out=a)", ["np.concatenate", "out="]),
    (make_array, "a = np.array([x[0], x[1]])", ["np.stack"]),
    (make_array_of_one, "a = np.array(x)", ["np.stack"]),
    (as_array, "a = np.asarray(x)", ["np.stack"]),
    (fill_array, "a = np.full((2, 2), x[0])", ["x * np.ones"]),
    (sine_of_math, "return math.sin(x[0])", ["use np.sin instead of math.sin"]),
    (exponential_of_math, "return math.exp(x[0]) + 1", ["use np.exp instead of math.exp"]),
    (error_function_of_math, "return math.erf(x[0])", ["chainrule.functions.erf"]),
    (to_float, "return float(x[0]) ** 2", ["to float", "stop_gradient"]),
    (to_int, "return int(x[0]) * x[1]", ["to int"]),
    (to_complex, "return complex(x[0]).real", ["to complex"]),
    (use_as_index, "return [1.0, 2.0, 3.0][x[0]]", ["to int"]),
    (use_as_length, "return sum(x[0] for _ in range(x[1]))", ["to int"]),
    (index_by_floats, "x[np.array([0.0, 1.0])]", ["integers and booleans"]),
    (unsupported_function, "return np.sum(np.fft.fft(x))", ["np.fft", "cr.custom"]),
    (unsupported_similar_function, "return np.nansum(x)", ["np.nansum", "similar: np.sum"]),
    (unsupported_ufunc, "return np.sum(np.spacing(x))", ["np.spacing"]),
    (unsupported_option, "np.sum(x, where=", ["where="]),
    (unsupported_ufunc_option, "np.sin(x, where=", ["where="]),
    (unsupported_ufunc_method, "np.subtract.accumulate(x)", ["np.subtract.accumulate"]),
    (unsupported_array_method, "x.searchsorted(2.0)", [".searchsorted"]),
    (unsupported_pad_mode, 'mode="linear_ramp"', ["linear_ramp"]),
    (one_argument_where, "np.where(x > 1)", ["np.where with one argument"]),
    (complex_constant, "return np.sum(x * 1j)", ["not an array of real numbers"]),
    (text_constant, 'return np.sum(x + "1")', ["not an array of real numbers"]),
    (wrong_axis, "return np.sum(x, axis=1)", ["axis 1 of an array with 1 axes"]),
    (unequal_split, "np.split(x, 2)", ["no 2 equal parts", "np.array_split"]),
    (wrong_shapes, "return np.sum(x + np.ones(4))", ["(3,) and (4,)", "do not broadcast"]),
    (wrong_product, "np.ones((2, 2)) @ x", ["matrix product"]),
]


@pytest.mark.parametrize("mistake, line, texts", MISTAKES, ids=[m[0].__name__ for m in MISTAKES])
@pytest.mark.parametrize("how", ["grad", "compile"])
def test_mistakes_show_the_line_and_the_remedy(
    mistake: Any, line: str, texts: list[str], how: str
) -> None:
    call = cr.grad(mistake) if how == "grad" else cr.compile(mistake)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ChainruleError) as caught:
            call(X.copy())
    message = str(caught.value)
    assert line in message
    assert "test_errors.py:" in message
    for text in texts:
        assert text in message


# ----- arguments that cannot be differentiated --------------------------------------------------


@pytest.mark.parametrize(
    "argument, text",
    [
        (
            np.array([1, 2]),
            "array of int64, which cannot be differentiated; convert it with .astype",
        ),
        (np.array([True]), "array of bool"),
        (np.int32(3), "array of int32"),
        ("abc", "str 'abc'"),
        (b"abc", "bytes"),
        (1j, "complex 1j"),
        (np.array([1j]), "an array of complex128"),
        (np.array(["a"]), "an array of <U1"),
        (True, "bool True"),
        (object, "type"),
        ({"w": [1.0, np.array([1])]}, "['w'][1]"),
        ([1.0, "a"], "[1]"),
    ],
)
@pytest.mark.parametrize("second", [False, True])
def test_arguments_that_are_not_real(argument: Any, text: str, second: bool) -> None:
    with pytest.raises(TraceError) as caught:
        if second:
            cr.grad(lambda a, x: 1.0, argnums=1)(2.0, argument)
        else:
            cr.grad(lambda x: 1.0)(argument)
    assert text in str(caught.value)
    assert "test_errors.py:" in str(caught.value)
    assert not second or "argument 1" in str(caught.value)


@pytest.mark.parametrize("array", [np.ma.array(X, mask=[0, 1, 0]), np.matrix([[1.0, 2.0]])])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_arrays_with_rules_of_their_own_are_refused(array: Any) -> None:
    for call in (cr.grad(np.sum), cr.compile(np.sum), lambda a: cr.grad(lambda x: x * a)(1.0)):
        with pytest.raises(TraceError, match=f"a {type(array).__name__} has rules of its own"):
            call(array)


def test_integers_are_welcome_where_nothing_is_differentiated() -> None:
    labels = np.array([2, 0])
    found = cr.grad(lambda x, i, n: np.sum(x[i]) ** n)(X, labels, 2)
    assert found.tolist() == [8.0, 0.0, 8.0]


def test_python_integers_become_real_numbers() -> None:
    assert cr.grad(lambda x: x**2)(3) == 6.0
    assert cr.grad(lambda p: p["a"] * p["b"])({"a": 2, "b": 3}) == {"a": 3.0, "b": 2.0}


# ----- results that have no gradient ------------------------------------------------------------


def test_none_returned() -> None:
    def forgets(x: Any) -> None:
        np.sum(x)

    for call in (
        cr.grad(forgets),
        lambda x: cr.check_grads(forgets, (x,)),
        cr.numeric_grad(forgets),
    ):
        with pytest.raises(ChainruleError, match="None"):
            call(X)
    with pytest.raises(TraceError, match="forgets returned None; did it forget its return"):
        cr.grad(forgets)(X)
    for call in (lambda x: cr.jvp(forgets, (x,), (x,)), lambda x: cr.vjp(forgets, x)):
        with pytest.raises(TraceError, match="forgets returned None"):
            call(X)


@pytest.mark.parametrize(
    "function, text",
    [
        (lambda x: x * 2, "an array of shape (3,)"),
        (lambda x: x[:1], "an array of shape (1,)"),
        (lambda x: (x[0], x[1]), "returned a tuple"),
        (lambda x: {"loss": x[0]}, "returned a dict"),
        (lambda x: np.argmax(x), "int64, which has no derivative"),
        (lambda x: x[0] > 0, "bool, which has no derivative"),
        (lambda x: "loss", "returned 'loss'"),
        (lambda x: print, "not a number"),
    ],
)
def test_results_without_a_gradient(function: Any, text: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        cr.grad(function)(X)
    assert text in str(caught.value)


def test_a_gradient_of_an_array_points_to_the_alternatives() -> None:
    with pytest.raises(DifferentiationError, match=r"np\.sum.*cr\.jacobian or cr\.vjp"):
        cr.grad(lambda x: np.sin(x))(X)


def test_argnums_out_of_range() -> None:
    with pytest.raises(DifferentiationError, match="argnums has 2, but <lambda> was called with 2"):
        cr.grad(lambda x, y: x * y, argnums=2)(1.0, 2.0)


def test_has_aux_wants_a_pair() -> None:
    with pytest.raises(DifferentiationError, match="has_aux=True"):
        cr.grad(lambda x: x * x, has_aux=True)(1.0)


@pytest.mark.parametrize("tangents", [(np.ones(2),), (np.ones(3), 1.0)])
def test_tangents_that_do_not_fit(tangents: Any) -> None:
    with pytest.raises(ShapeError, match="tangent"):
        cr.jvp(np.sin, (X,), tangents)


def test_adjoints_that_do_not_fit() -> None:
    _, pull = cr.vjp(np.sin, X)
    with pytest.raises(ShapeError, match="adjoint 0 has shape"):
        pull(np.ones(2))
    with pytest.raises(ShapeError, match=r"tuple with \[0\], \[1\], but .* is one array"):
        pull((X, X))


# ----- branches ---------------------------------------------------------------------------------


def branching(x: Any) -> Any:
    if x > 1:
        return x**2
    return -x


def test_branches_are_followed_by_run_and_refused_when_staged() -> None:
    assert cr.grad(branching)(3.0) == 6.0
    assert cr.grad(branching)(0.5) == -1.0
    with pytest.raises(TraceError, match=r"np\.where") as caught:
        cr.compile(branching)(3.0)
    assert "if x > 1:" in str(caught.value)


# ----- memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda x: x[:2],
        lambda x: x.T,
        np.ravel,
        lambda x: np.broadcast_to(x, (2, 3)),
        np.copy,
    ],
)
def test_arguments_and_results_never_share_memory(function: Any) -> None:
    x, direction = X.copy(), np.ones(3)
    value, tangent = cr.jvp(function, (x,), (direction,))
    again, pull = cr.vjp(function, x)
    seed = np.ones_like(again)
    (adjoint,) = pull(seed)
    results, given = [value, tangent, again, adjoint], [x, direction, seed]
    for i, result in enumerate(results):
        result[...] = 7  # Results are the caller's own: they can be written.
        assert not any(np.shares_memory(result, other) for other in given + results[i + 1 :])
    assert x.tolist() == X.tolist()


def test_changing_an_argument_after_its_use_changes_no_gradient() -> None:
    x, seed = X.copy(), np.ones(3)
    _, pull = cr.vjp(lambda x: x * x, x)
    x[:] = 100.0
    assert pull(seed)[0].tolist() == [2.0, 4.0, 6.0]


def test_changing_a_captured_array_after_its_use_changes_no_gradient() -> None:
    weights = np.array([1.0, 2.0, 3.0])

    def f(x: Any) -> Any:
        y = np.sum(weights * x)
        weights[:] = 100.0
        return y

    assert cr.grad(f)(X).tolist() == [1.0, 2.0, 3.0]


def test_changing_an_index_after_its_use_changes_no_gradient() -> None:
    positions = np.array([0, 0])

    def f(x: Any) -> Any:
        y = np.sum(x[positions])
        positions[:] = 2
        return y

    assert cr.grad(f)(X).tolist() == [2.0, 0.0, 0.0]


def test_values_seen_inside_a_function_are_read_only() -> None:
    def f(x: Any) -> Any:
        y = np.sin(x)
        y.value[0] = 5.0
        return np.sum(y)

    with pytest.raises(ValueError, match="read-only"):
        cr.grad(f)(X)
