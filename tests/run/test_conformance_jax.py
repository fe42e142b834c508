"""JAX computes what the NumPy reference computes: the conformance suite, a row at a time.

It compiles each graph for a tenth of a second or more, so all samples of a row share one.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph import Graph, all_primitives
from chainrule.run import why_not
from chainrule.tracing.traced import Traced, lower

sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_conformance as suite
from test_conformance import DTYPES, EVERY, SMOOTH, Sample

pytestmark = pytest.mark.skipif(bool(why_not("jax")), reason="JAX is not installed")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def rows(samples: list[Sample], at_most: int = 100) -> Any:
    """The samples of a row together, no more than some of them, spread over all."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.primitive.name, []).append(sample)
    groups = {name: group[:: -(-len(group) // at_most)] for name, group in by_name.items()}
    return pytest.mark.parametrize("group", groups.values(), ids=groups)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@rows(EVERY)
def test_values(group: list[Sample], dtype: Any) -> None:
    given: list[Any] = []
    inputs: list[Any] = []
    outputs = []
    for sample in group:
        values, attributes = suite.with_dtype(sample, dtype)
        own = suite.staged(values)
        given, inputs = given + values, [*inputs, *own]
        outputs.append(sample.primitive(*own, **attributes))
    plan = suite.assert_agree(Graph(tuple(inputs), tuple(outputs)), given, "jax")
    assert not plan.program.host.fallbacks


@pytest.mark.parametrize("name", ["add", "matmul", "gather", "sum", "where"])
def test_arrays_of_every_layout(name: str) -> None:
    suite.test_arrays_that_are_not_contiguous(suite.SAMPLES[name][0], "jax")


@rows(EVERY, at_most=6)
def test_inside_of_views_and_chains(group: list[Sample]) -> None:
    """Operands that are views of computed values, the result read twice."""
    given: list[Any] = []
    inputs: list[Any] = []
    outputs = []
    for sample in group:
        values, computed = [], []
        for argument in sample.arguments:
            array = np.asarray(argument)
            values.append(array.T[()] if array.dtype.kind == "f" else array[()])
        own = suite.staged(values)
        for statement, value in zip(own, sample.arguments, strict=True):
            if np.asarray(value).dtype.kind == "f":
                axes = tuple(reversed(range(len(statement.shape))))
                statement = np.transpose(Traced(statement) * 1.0, axes).statement
            computed.append(statement)
        result = sample.primitive(*computed, **sample.attributes)
        given, inputs = given + values, [*inputs, *own]
        outputs.append(result)
        if result.dtype in (np.float64, np.float32):
            outputs.append(lower(np.exp(-np.abs(Traced(result))) + np.sum(Traced(result))))
    suite.assert_agree(Graph(tuple(inputs), tuple(outputs)), given, "jax")


# ----- derivatives ------------------------------------------------------------------------------


def assert_derivatives_agree(derivative: Any, group: list[Sample]) -> None:
    """``derivative(sample)`` is a function of the sample's arguments that gives several arrays."""

    def of_all(arguments: list[Any]) -> list[Any]:
        return [derivative(s)(*a) for s, a in zip(group, arguments, strict=True)]

    arguments = [sample.arguments for sample in group]
    expected = cr.compile(of_all, executor="numpy")(arguments)
    found = cr.compile(of_all, executor="jax")(arguments)
    for a, b in zip(found, expected, strict=True):
        for x, y in zip(a, b, strict=True):
            suite.assert_same(x, y)


@rows(SMOOTH, at_most=6)
def test_gradients(group: list[Sample]) -> None:
    assert_derivatives_agree(
        lambda s: cr.grad(suite.objective(s), argnums=suite.real_positions(s)), group
    )


@rows(SMOOTH, at_most=4)
def test_second_order(group: list[Sample]) -> None:
    def second(sample: Sample) -> Any:
        positions = suite.real_positions(sample)

        def slopes(*arguments: Any) -> Any:
            gradients = cr.grad(suite.objective(sample), argnums=positions)(*arguments)
            return sum(np.sum(g * g) for g in gradients)

        return cr.grad(slopes, argnums=positions)

    assert_derivatives_agree(second, group)


# ----- odd shapes and values --------------------------------------------------------------------


@pytest.mark.parametrize("shape", suite.SHAPES, ids=str)
def test_odd_shapes(shape: tuple[int, int]) -> None:
    def f(x: Any) -> Any:
        return [part for function in suite.ODD.values() for part in function(x)]

    x = np.random.default_rng(1).normal(size=shape)
    expected = cr.compile(f, executor="numpy")(x)
    for a, b in zip(cr.compile(f, executor="jax")(x), expected, strict=True):
        suite.assert_same(a, b)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_products_of_every_size(dtype: Any) -> None:
    suite.test_products_of_every_size(dtype, "jax")


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_huge_arrays(dtype: Any) -> None:
    suite.test_huge_arrays(dtype, "jax")


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_special_values(dtype: Any) -> None:
    names = "exp log tanh sigmoid relu abs sign sqrt square floor negative isnan isinf isfinite"
    rows = [
        all_primitives()[n]
        for n in (*names.split(), *["log1p", "expm1", "erf", "silu", "softplus"])
    ]
    x = suite.SPECIAL.astype(dtype)
    x = x[(x == 0) | ~(np.abs(x) < np.finfo(dtype).tiny)]  # Those below count as 0 there.
    inputs = suite.staged([x])
    suite.assert_agree(Graph(inputs, tuple(row(*inputs) for row in rows)), [x], "jax")


def test_special_pairs() -> None:
    names = ["maximum", "minimum", "greater", "equal", "power", "remainder", "floor_divide"]
    small = np.concatenate([suite.SPECIAL[:5], [1.0, -1.5, 2.0, 7.5]])
    x, y = (a.ravel() for a in np.meshgrid(small, small))
    inputs = suite.staged([x, y])
    graph = Graph(inputs, tuple(all_primitives()[name](*inputs) for name in names))
    suite.assert_agree(graph, [x, y], "jax")


def test_bounds_of_indices_are_checked() -> None:
    suite.assert_bounds_are_checked("jax")
