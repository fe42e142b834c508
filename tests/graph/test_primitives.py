"""Every row of the table: shapes, dtypes, tangents, adjoints, second derivatives, expansions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from samples import (
    DIFFERENTIABLE,
    EVERY,
    NOT_OF_ARRAYS,
    ROWS,
    SAMPLES,
    Sample,
)

import chainrule as cr
from chainrule import functions as F
from chainrule.errors import ShapeError
from chainrule.graph import Graph, Kind, RowSparse, all_primitives, input_statement
from chainrule.tracing.traced import Traced, lower

by_sample = pytest.mark.parametrize("sample", EVERY, ids=str)
by_differentiable = pytest.mark.parametrize("sample", DIFFERENTIABLE, ids=str)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


# ----- the table itself -------------------------------------------------------------------------


def test_every_row_has_samples() -> None:
    assert set(all_primitives()) - NOT_OF_ARRAYS == set(ROWS)
    assert not [name for name, samples in SAMPLES.items() if len(samples) < 1]


def test_every_row_says_how_it_is_differentiated() -> None:
    for name, row in ROWS.items():
        if row.kind is Kind.ELEMENTWISE:
            assert any(partial is not None for partial in row.partials), name
        elif row.kind in (Kind.LINEAR, Kind.MULTILINEAR):
            assert row.name in ("copy", "to_dense") or row.adjoints or row.any_adjoint, name
        elif row.kind is Kind.OTHER:
            assert row.tangent or row.expansion or row.rules, name


# ----- helpers ----------------------------------------------------------------------------------


def is_real(argument: Any) -> bool:
    return np.asarray(argument).dtype.kind == "f"


def varying(sample: Sample) -> tuple[Callable[..., Any], list[Any]]:
    """The sample as a function of its real arguments, and these arguments."""
    positions = [i for i, argument in enumerate(sample.arguments) if is_real(argument)]

    def function(*reals: Any) -> Any:
        arguments = list(sample.arguments)
        for position, x in zip(positions, reals, strict=True):
            arguments[position] = lower(x)
        result = sample.primitive(*arguments, **sample.attributes)
        if any(isinstance(x, Traced) for x in reals):
            return Traced(result)
        return np.asarray(result.value)[()]

    return function, [np.asarray(sample.arguments[i], float)[()] for i in positions]


def run(sample: Sample, arguments: Any) -> Any:
    value = sample.primitive.evaluate(*arguments, **sample.attributes)
    return value.to_dense() if isinstance(value, RowSparse) else value


def directions(point: list[Any], seed: int = 7) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=np.shape(x))[()] for x in point]


def inner(left: Any, right: Any) -> float:
    return float(
        sum(np.sum(np.asarray(a) * np.asarray(b)) for a, b in zip(left, right, strict=True))
    )


# ----- values, shapes, dtypes -------------------------------------------------------------------


@by_sample
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shape_and_dtype_rules_agree_with_the_value(sample: Sample, dtype: Any) -> None:
    arguments = [
        np.asarray(a).astype(dtype)[()] if is_real(a) else np.asarray(a) for a in sample.arguments
    ]
    staged = [input_statement(a.shape, a.dtype) for a in arguments]
    graph = Graph(tuple(staged), (sample.primitive(*staged, **sample.attributes),))
    graph.verify()
    by_run = sample.primitive(*arguments, **sample.attributes)
    (value,) = graph.evaluate(*arguments)
    assert (value.shape, value.dtype) == (graph.outputs[0].shape, graph.outputs[0].dtype)
    assert (by_run.shape, by_run.dtype) == (value.shape, value.dtype)
    assert by_run.value is not None
    np.testing.assert_array_equal(np.asarray(by_run.value), np.asarray(value))


@by_sample
def test_values_do_not_share_memory_that_can_be_written(sample: Sample) -> None:
    arguments = [np.array(a) for a in sample.arguments]
    statement = sample.primitive(*arguments, **sample.attributes)
    value = statement.value
    kept = np.array(value)
    for argument in arguments:
        argument[...] = 1
    np.testing.assert_array_equal(np.asarray(value), kept)
    if isinstance(value, np.ndarray):
        assert not value.flags.writeable


# ----- derivatives ------------------------------------------------------------------------------


@by_differentiable
def test_derivatives_agree_with_central_differences_to_second_order(sample: Sample) -> None:
    function, point = varying(sample)
    if point and np.asarray(function(*point)).dtype.kind == "f":
        cr.check_grads(function, tuple(point), order=2, tolerance=2e-6)


@by_differentiable
def test_adjoint_is_the_transpose_of_the_tangent(sample: Sample) -> None:
    function, point = varying(sample)
    if not point or np.asarray(function(*point)).dtype.kind != "f":
        return
    tangents = directions(point)
    value, moved = cr.jvp(function, tuple(point), tuple(tangents))
    (adjoint,) = directions([value], seed=8)
    _, pull = cr.vjp(function, *point)
    assert inner([adjoint], [moved]) == pytest.approx(inner(pull(adjoint), tangents), abs=1e-10)


@pytest.mark.parametrize("name", [n for n, row in ROWS.items() if row.kind is Kind.CONSTANT])
def test_rows_without_derivative_send_nothing_and_stand_still(name: str) -> None:
    for sample in SAMPLES[name]:
        function, point = varying(sample)
        if not point:
            continue
        value, moved = cr.jvp(function, tuple(point), tuple(directions(point)))
        assert not np.any(moved)
        if value.dtype.kind == "f":
            _, pull = cr.vjp(function, *point)
            assert not any(np.any(adjoint) for adjoint in pull(np.ones_like(value)))


@pytest.mark.parametrize(
    "sample",
    [s for s in DIFFERENTIABLE if s.primitive.kind in (Kind.LINEAR, Kind.MULTILINEAR)],
    ids=str,
)
def test_linear_rows_are_linear(sample: Sample) -> None:
    positions = [i for i, a in enumerate(sample.arguments) if is_real(a)]
    groups = [positions] if sample.primitive.kind is Kind.LINEAR else [[i] for i in positions]
    for group in filter(None, groups):
        x, y, mixed = (list(sample.arguments) for _ in range(3))
        for i in group:
            (y[i],) = directions([sample.arguments[i]])
            mixed[i] = 2 * np.asarray(x[i]) - 3 * y[i]
        if sample.attributes.get("dtype", np.dtype(float)).kind == "i":
            continue  # A conversion to integers truncates.
        expected = 2 * np.asarray(run(sample, x)) - 3 * np.asarray(run(sample, y))
        np.testing.assert_allclose(run(sample, mixed), expected, atol=1e-12)


@pytest.mark.parametrize("sample", [s for s in EVERY if s.primitive.expansion is not None], ids=str)
def test_expansion_agrees_in_value_and_derivatives(sample: Sample) -> None:
    function, point = varying(sample)
    expansion = sample.primitive.expansion
    assert expansion is not None
    labels = [a for a in sample.arguments if not is_real(a)]

    def expanded(*reals: Any) -> Any:
        from chainrule.tracing.traced import as_statement

        return Traced(expansion(*map(as_statement, (*reals, *labels)), **sample.attributes))

    tangents = tuple(directions(point))
    for left, right in zip(
        cr.jvp(function, tuple(point), tangents),
        cr.jvp(expanded, tuple(point), tangents),
        strict=True,
    ):
        np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-12)

    def second(f: Callable[..., Any]) -> Any:
        def first(*xs: Any) -> Any:
            return np.sum(np.sin(cr.jvp(f, xs, tangents)[1]))

        return cr.grad(first, tuple(range(len(point))))(*point)

    for left, right in zip(second(function), second(expanded), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-10)


@by_differentiable
def test_float32_stays_float32_in_derivatives(sample: Sample) -> None:
    if sample.attributes.get("dtype") is not None:
        return
    function, point = varying(sample)
    single = [np.asarray(x, np.float32)[()] for x in point]
    value, pull = cr.vjp(function, *single)
    assert value.dtype == np.float32
    assert {adjoint.dtype for adjoint in pull(np.ones_like(value))} == {np.dtype(np.float32)}


# ----- special values ---------------------------------------------------------------------------

INF, NAN = np.inf, np.nan
SPECIAL: list[tuple[str, Callable[[Any], Any], float, float]] = [
    # what, function, point, documented derivative
    ("relu at 0", F.relu, 0.0, 0.0),
    ("relu at 1000", F.relu, 1000.0, 1.0),
    ("relu at -inf", F.relu, -INF, 0.0),
    ("leaky relu at 0", F.leaky_relu, 0.0, 0.01),
    ("elu at 0", F.elu, 0.0, 1.0),
    ("elu at -1000", F.elu, -1000.0, 0.0),
    ("abs at 0", np.abs, 0.0, 0.0),
    ("abs at -inf", np.abs, -INF, -1.0),
    ("sign at 0", np.sign, 0.0, 0.0),
    ("max tie", lambda x: np.maximum(x, 0.0), 0.0, 0.5),
    ("min tie", lambda x: np.minimum(x, 0.0), 0.0, 0.5),
    ("max with itself", lambda x: np.maximum(x, x), 2.0, 1.0),
    ("clip at the bound", lambda x: np.clip(x, 0.0, 1.0), 1.0, 1.0),
    ("clip outside", lambda x: np.clip(x, 0.0, 1.0), 1.5, 0.0),
    ("sqrt at 0", np.sqrt, 0.0, INF),
    ("cbrt at 0", np.cbrt, 0.0, INF),
    ("log at 0", np.log, 0.0, INF),
    ("log at inf", np.log, INF, 0.0),
    ("exp at 1000", np.exp, 1000.0, INF),
    ("exp at -1000", np.exp, -1000.0, 0.0),
    ("expm1 at -1000", np.expm1, -1000.0, 0.0),
    ("tanh at 1000", np.tanh, 1000.0, 0.0),
    ("tanh at -inf", np.tanh, -INF, 0.0),
    ("arctan at inf", np.arctan, INF, 0.0),
    ("arcsin at 1", np.arcsin, 1.0, INF),
    ("sigmoid at 1000", F.sigmoid, 1000.0, 0.0),
    ("sigmoid at -1000", F.sigmoid, -1000.0, 0.0),
    ("softplus at 1000", F.softplus, 1000.0, 1.0),
    ("softplus at -1000", F.softplus, -1000.0, 0.0),
    ("log sigmoid at -1000", F.log_sigmoid, -1000.0, 1.0),
    ("silu at 1000", F.silu, 1000.0, 1.0),
    ("silu at -1000", F.silu, -1000.0, 0.0),
    ("gelu at 1000", F.gelu, 1000.0, 1.0),
    ("gelu at -1000", F.gelu, -1000.0, 0.0),
    ("erf at 1000", F.erf, 1000.0, 0.0),
    ("x**2 at 0", lambda x: x**2, 0.0, 0.0),
    ("x**2.0 at 0", lambda x: x**2.0, 0.0, 0.0),
    ("x**1 at 0", lambda x: x**1, 0.0, 1.0),
    ("x**0 at 0", lambda x: x**0, 0.0, 0.0),
    ("x**0.5 at 0", lambda x: x**0.5, 0.0, INF),
    ("x**3 at -2", lambda x: x**3, -2.0, 12.0),
    ("0**x at 2", lambda x: 0.0**x, 2.0, 0.0),
    ("0**x at 0", lambda x: 0.0**x, 0.0, 0.0),
    ("x**x at 1", lambda x: x**x, 1.0, 1.0),
    ("x**y at (0, 0) in x", lambda x: x ** (x * 0.0), 0.0, 0.0),
    ("logaddexp of -inf", lambda x: np.logaddexp(x, -INF), 2.0, 1.0),
    ("logaddexp at -inf", lambda x: np.logaddexp(x, 1.0), -INF, 0.0),
    ("logaddexp of 1000s", lambda x: np.logaddexp(x, 1000.0), 1000.0, 0.5),
    ("logsumexp with -inf", lambda x: F.logsumexp(np.stack([x, -INF])), 2.0, 1.0),
    ("logsumexp of -inf alone", lambda x: F.logsumexp(np.stack([x, x])), -INF, 0.0),
    ("logsumexp at 1e4", lambda x: F.logsumexp(np.stack([x, 1e4])), 1e4, 0.5),
    ("softmax at 1e4", lambda x: F.softmax(np.stack([x, 0.0]))[0], 1e4, 0.0),
    ("log softmax at 1e4", lambda x: F.log_softmax(np.stack([x, 0.0]))[0], -1e4, 1.0),
    ("cross entropy at 1e4", lambda x: F.cross_entropy(np.stack([x, 0.0]), 1), 1e4, 1.0),
    ("norm at 0", lambda x: np.linalg.norm(np.stack([x, 0.0])), 0.0, 0.0),
    ("norm of 1e200", lambda x: np.linalg.norm(np.stack([x, x])), 1e200, np.sqrt(2.0)),
    ("prod with a zero", lambda x: np.prod(np.stack([x, 2.0, 3.0])), 0.0, 6.0),
    ("prod with two zeros", lambda x: np.prod(np.stack([x, x, 3.0])), 0.0, 0.0),
    ("prod with another zero", lambda x: np.prod(np.stack([x, 0.0, 3.0])), 5.0, 0.0),
    ("max of ties", lambda x: np.max(np.stack([x, 1.0, 1.0, x])), 1.0, 0.5),
    ("where takes no NaN of sqrt", lambda x: np.where(x > 0, np.sqrt(x), 0.0), -1.0, 0.0),
    ("where takes no NaN of log", lambda x: np.where(x > 0, x * np.log(x), x), 0.0, 1.0),
    ("where takes no NaN of 1/x", lambda x: np.where(x == 0, 1.0, np.sin(x) / x), 0.0, 0.0),
    ("where takes no NaN of a chain", lambda x: np.where(x > 0, np.exp(np.log(x)), x), -1.0, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("what, function, x, expected", SPECIAL, ids=[row[0] for row in SPECIAL])
@pytest.mark.parametrize("mode", ["reverse", "forward", "compiled"])
def test_special_values(what: str, function: Any, x: float, expected: float, mode: str) -> None:
    if mode == "forward":
        found = cr.jvp(function, (x,), (1.0,))[1]
    else:
        gradient = cr.grad(function)
        found = (gradient if mode == "reverse" else cr.compile(gradient))(x)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-300), what


SECOND: list[tuple[str, Callable[[Any], Any], float, float]] = [
    ("x**2 at 0", lambda x: x**2, 0.0, 2.0),
    ("x**3 at 0", lambda x: x**3, 0.0, 0.0),
    ("square at 0", np.square, 0.0, 2.0),
    ("prod with two zeros", lambda x: np.prod(np.stack([x, x, 3.0])), 0.0, 6.0),
    ("prod with a zero", lambda x: np.prod(np.stack([x, 2.0, x + 1])), 0.0, 4.0),
    ("relu at 0", F.relu, 0.0, 0.0),
    ("sigmoid at 1000", F.sigmoid, 1000.0, 0.0),
    ("softplus at 0", F.softplus, 0.0, 0.25),
    ("logaddexp of 1000s", lambda x: np.logaddexp(x, 1000.0), 1000.0, 0.25),
    ("logsumexp at 1e4", lambda x: F.logsumexp(np.stack([x, 1e4])), 1e4, 0.25),
    ("cross entropy at 1e4", lambda x: F.cross_entropy(np.stack([x, 0.0]), 1), 1e4, 0.0),
    ("where takes no NaN", lambda x: np.where(x > 0, x * np.log(x), x * x), 0.0, 2.0),
]


@pytest.mark.parametrize("what, function, x, expected", SECOND, ids=[row[0] for row in SECOND])
@pytest.mark.parametrize("outer", ["reverse", "forward"])
@pytest.mark.parametrize("inner_mode", ["reverse", "forward"])
def test_special_values_to_second_order(
    what: str, function: Any, x: float, expected: float, outer: str, inner_mode: str
) -> None:
    def slope(f: Any, mode: str) -> Any:
        return cr.grad(f) if mode == "reverse" else lambda x: cr.jvp(f, (x,), (1.0,))[1]

    found = slope(slope(function, inner_mode), outer)(x)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12), what


def test_ties_of_maximum_and_of_max_share_the_derivative() -> None:
    x = np.array([3.0, 1.0, 3.0])
    assert cr.grad(np.max)(x).tolist() == [0.5, 0.0, 0.5]
    found = cr.grad(lambda x, y: np.maximum(x, y).sum(), (0, 1))(x, np.array([3.0, 1.0, 0.0]))
    assert [g.tolist() for g in found] == [[0.5, 0.5, 1.0], [0.5, 0.5, 0.0]]


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_softmax_and_its_relatives_are_finite_at_large_values(size: float) -> None:
    x = np.array([size, 0.0, 1.0])
    for function in (F.softmax, F.log_softmax, lambda x: F.cross_entropy(x, 1), F.logsumexp):
        value, pull = cr.vjp(function, x)
        assert np.isfinite(value).all()
        assert np.isfinite(pull(np.ones_like(value))[0]).all()


# ----- mistakes ---------------------------------------------------------------------------------

MISFITS: list[tuple[str, tuple[tuple[int, ...], ...], dict[str, Any], str]] = [
    ("add", ((2, 3), (4,)), {}, "do not broadcast"),
    ("matmul", ((2, 3), (2, 3)), {}, "matrix product"),
    ("reshape", ((2, 3),), {"shape": (4,)}, "cannot reshape"),
    ("broadcast_to", ((2, 3),), {"shape": (3, 2)}, "does not broadcast to"),
    ("concatenate", ((2, 3), (2, 4)), {"axis": 0}, "concatenate along axis 0"),
    ("slice", ((3,),), {"index": (5,)}, "does not fit"),
    ("einsum", ((2, 3), (4, 2)), {"subscripts": "ij,jk->ik"}, "index 'j'"),
    ("solve", ((2, 3), (3, 1)), {}, "square"),
    ("solve", ((3, 3), (2, 1)), {}, "solve"),
    ("det", ((2, 3),), {}, "square"),
    ("dense", ((2, 3), (4, 2), (2,)), {}, "matrix product"),
]


@pytest.mark.parametrize("name, found, attributes, message", MISFITS)
@pytest.mark.parametrize("staged", [False, True])
def test_shapes_that_do_not_fit_are_named(
    name: str, found: Any, attributes: Any, message: str, staged: bool
) -> None:
    values = [None if staged else np.ones(shape) for shape in found]
    arguments = [input_statement(s, float, v) for s, v in zip(found, values, strict=True)]
    with pytest.raises(ShapeError, match=message) as caught:
        all_primitives()[name](*arguments, **attributes)
    assert "test_primitives.py" in str(caught.value)
