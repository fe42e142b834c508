"""Every executor computes what the NumPy reference computes: values, gradients, second order."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph import Graph, Kind, RowSparse, input_statement
from chainrule.run import make_plan, native
from chainrule.tracing.traced import Traced, lower
from chainrule.tracing.trees import Tree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "graph"))
from samples import DIFFERENTIABLE, EVERY, ROWS, SAMPLES, Sample

# JAX compiles for long: in test_conformance_jax.py it gets many samples at a time.
OTHERS = ["native"] if native.available() else []
pytestmark = pytest.mark.skipif(not OTHERS, reason="there is no executor but the reference")

by_executor = pytest.mark.parametrize("executor", OTHERS)
DTYPES = {"float64": np.dtype(np.float64), "float32": np.dtype(np.float32)}
TOLERANCE = {8: {"rtol": 1e-9, "atol": 1e-11}, 4: {"rtol": 2e-4, "atol": 2e-5}}
# What may keep a sample away from the core; anything else must run there.
WITHOUT_KERNEL = {"row_sparse", "add_row_sparse"}
# Elementwise rows without a derivative.
COMPARING = {
    "sign", "floor", "ceil", "trunc", "rint", "floor_divide", "equal", "not_equal", "less",
    "less_equal", "greater", "greater_equal", "isnan", "isinf", "isfinite", "logical_not",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def cast(argument: Any, dtype: Any) -> Any:
    array = np.asarray(argument)
    return array.astype(dtype)[()] if array.dtype.kind == "f" else array[()]


def with_dtype(sample: Sample, dtype: Any) -> tuple[list[Any], dict[str, Any]]:
    attributes = dict(sample.attributes)
    if "dtype" in attributes and dtype.itemsize == 4 and attributes["dtype"] == np.float64:
        attributes["dtype"] = dtype
    return [cast(a, dtype) for a in sample.arguments], attributes


def staged(values: list[Any]) -> tuple[Any, ...]:
    return tuple(input_statement(np.shape(v), np.asarray(v).dtype) for v in values)


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, RowSparse):
        assert isinstance(found, RowSparse)
        found, expected = found.to_dense(), expected.to_dense()
    assert np.shape(found) == np.shape(expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    exact = np.asarray(expected).dtype.kind != "f"
    tolerance = {"rtol": 0, "atol": 0} if exact else TOLERANCE[np.asarray(expected).dtype.itemsize]
    np.testing.assert_allclose(found, expected, **tolerance)


def assert_agree(graph: Graph, values: list[Any], executor: str) -> Any:
    expected = make_plan(graph, "numpy")(*values)
    plan = make_plan(graph, executor)
    for _ in range(2):  # Memory is used again.
        for a, b in zip(plan(*values), expected, strict=True):
            assert_same(a, b)
    return plan


# ----- values -----------------------------------------------------------------------------------


@by_executor
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("sample", EVERY, ids=str)
def test_values(sample: Sample, dtype: Any, executor: str) -> None:
    values, attributes = with_dtype(sample, dtype)
    inputs = staged(values)
    graph = Graph(inputs, (sample.primitive(*inputs, **attributes),))
    plan = assert_agree(graph, values, executor)
    if executor == "native" and sample.primitive.name not in WITHOUT_KERNEL:
        reasons = [reason for _, reason in plan.lowering.fallbacks]
        expected = {"an index that is not of the first axes", "norm of nothing"}
        assert set(reasons) <= expected | {r for r in reasons if "int64" in r or "of nothing" in r}


def spread_out(array: np.ndarray) -> np.ndarray:
    wide = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def backwards(array: np.ndarray) -> np.ndarray:
    turned = (slice(None, None, -1),) * array.ndim
    return np.array(array[turned])[turned]


def repeated(array: np.ndarray) -> np.ndarray:
    """Strides of 0 along the axes on which the entries happen to be the same."""
    for axis in range(array.ndim):
        first = array.take([0], axis) if array.shape[axis] else array
        if np.array_equal(np.broadcast_to(first, array.shape), array):
            array = first
    return array


def unaligned(array: np.ndarray) -> np.ndarray:
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS = {
    "spread": spread_out,
    "Fortran": np.asfortranarray,
    "backwards": backwards,
    "unaligned": unaligned,
    "read-only": lambda a: np.broadcast_to(repeated(a), a.shape),
}


@by_executor
@pytest.mark.parametrize("sample", EVERY, ids=str)
def test_arrays_that_are_not_contiguous(sample: Sample, executor: str) -> None:
    arrays = [np.asarray(argument) for argument in sample.arguments]
    inputs = staged(arrays)
    graph = Graph(inputs, (sample.primitive(*inputs, **sample.attributes),))
    expected = make_plan(graph, "numpy")(*(a[()] for a in arrays))
    plan = make_plan(graph, executor)
    for layout in LAYOUTS.values():
        values = [layout(array) if array.ndim else array[()] for array in arrays]
        for found, wanted in zip(plan(*values), expected, strict=True):
            assert_same(found, wanted)


def test_layouts_are_what_they_are_called() -> None:
    x = np.ones((2, 3))
    assert not spread_out(x).flags.c_contiguous and not unaligned(x).flags.aligned
    assert backwards(x).strides == (-24, -8) and LAYOUTS["Fortran"](x).strides == (8, 16)
    assert LAYOUTS["read-only"](x).strides == (0, 0)
    for layout in LAYOUTS.values():
        np.testing.assert_array_equal(layout(x), x)


@by_executor
@pytest.mark.parametrize("sample", EVERY, ids=str)
def test_inside_of_views_and_chains(sample: Sample, executor: str) -> None:
    """Operands that are views of computed values, the result read twice."""
    values, computed = [], []
    for argument in sample.arguments:
        array = np.asarray(argument)
        real = array.dtype.kind == "f"
        values.append(array.T[()] if real else array[()])
    inputs = staged(values)
    for statement, value in zip(inputs, sample.arguments, strict=True):
        if np.asarray(value).dtype.kind == "f":
            axes = tuple(reversed(range(len(statement.shape))))
            statement = np.transpose(Traced(statement) * 1.0, axes).statement
        computed.append(statement)
    result = sample.primitive(*computed, **sample.attributes)
    outputs = [result]
    if result.dtype in (np.float64, np.float32):
        outputs.append(lower(np.exp(-np.abs(Traced(result))) + np.sum(Traced(result))))
    assert_agree(Graph(inputs, tuple(outputs)), values, executor)


# ----- derivatives ------------------------------------------------------------------------------


def objective(sample: Sample) -> Any:
    """A number that depends on every entry of the result, each with a weight of its own."""

    def f(*arguments: Any) -> Any:
        statements = [lower(a) if isinstance(a, Traced) else a for a in arguments]
        result = Traced(sample.primitive(*statements, **sample.attributes))
        size = int(np.prod(np.shape(result), dtype=int))
        weights = np.cos(np.arange(float(size))).reshape(np.shape(result)).astype(result.dtype)
        return np.sum(np.sin(result * weights) + result * weights)

    return f


def real_positions(sample: Sample) -> tuple[int, ...]:
    return tuple(i for i, a in enumerate(sample.arguments) if np.asarray(a).dtype.kind == "f")


def differentiable(sample: Sample) -> bool:
    result = sample.primitive(*sample.arguments, **sample.attributes)
    return bool(real_positions(sample)) and result.dtype.kind == "f"


SMOOTH = [s for s in DIFFERENTIABLE if differentiable(s)]


@by_executor
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("sample", SMOOTH, ids=str)
def test_gradients(sample: Sample, dtype: Any, executor: str) -> None:
    values, attributes = with_dtype(sample, dtype)
    sample = replace(sample, attributes=attributes)
    gradient = cr.grad(objective(sample), argnums=real_positions(sample))
    expected = cr.compile(gradient, executor="numpy")(*values)
    found = cr.compile(gradient, executor=executor)(*values)
    for a, b in zip(found, expected, strict=True):
        assert np.asarray(a).dtype == dtype or "dtype" in attributes
        assert_same(a, b)


@by_executor
@pytest.mark.parametrize("sample", SMOOTH, ids=str)
def test_second_order(sample: Sample, executor: str) -> None:
    positions = real_positions(sample)

    def slopes(*arguments: Any) -> Any:
        gradients = cr.grad(objective(sample), argnums=positions)(*arguments)
        return sum(np.sum(g * g) for g in gradients)

    second = cr.grad(slopes, argnums=positions)
    expected = cr.compile(second, executor="numpy")(*sample.arguments)
    found = cr.compile(second, executor=executor)(*sample.arguments)
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)


# ----- odd shapes and values --------------------------------------------------------------------

ODD = {
    "empty": lambda x: (np.exp(x) * 2, np.sum(x, axis=0), x.T),
    "chain of many": lambda x: (np.tanh(x * 2 + 1) / (1 + x * x), -x),
    "mixed broadcast": lambda x: (x + x[:1] * x[:, :1], (x - x.mean(0)) @ x.T),
    "masks and new axes": lambda x: (x[True] * 2, x[None, ..., None, :1], x[:0] + x[:1]),
    "reversed": lambda x: (x[::-1, ::-1] * x, np.cumsum(x[::-1], axis=0)),
    "rows": lambda x: (np.max(x, axis=1) if x.size else x, np.sort(x, axis=0)),
}  # fmt: skip
SHAPES = [(1, 1), (1, 5), (7, 1), (3, 4), (65, 33), (1025, 3), (2, 2049), (0, 3), (3, 0)]


@by_executor
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ODD)
def test_odd_shapes(name: str, shape: tuple[int, int], executor: str) -> None:
    x = np.random.default_rng(1).normal(size=shape)
    expected = cr.compile(ODD[name], executor="numpy")(x)
    found = cr.compile(ODD[name], executor=executor)(x)
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)


# One entry, ends of vectors and of blocks of every width, several blocks.
LENGTHS = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 127, 1000, 4099)
ELEMENTWISE = [n for n, row in ROWS.items() if row.kind is Kind.ELEMENTWISE or n in COMPARING]


@by_executor
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_vectors_of_every_length(name: str, dtype: Any, executor: str) -> None:
    """Value and derivative in entry i are those of entry i alone, however long the vector is."""
    sample = next(s for s in SAMPLES[name] if np.ndim(s.arguments[0]) == 1)
    period = np.size(sample.arguments[0])
    values, attributes = with_dtype(sample, dtype)
    row = sample.primitive

    def both(*arguments: Any) -> Any:
        y = Traced(row(*map(lower, arguments), **attributes))
        if row.kind is Kind.CONSTANT:
            return y

        def total(*arguments: Any) -> Any:
            return np.sum(Traced(row(*map(lower, arguments), **attributes)))

        return y, cr.grad(total, argnums=tuple(range(len(arguments))))(*arguments)

    f, reference = (cr.compile(both, executor=e) for e in (executor, "numpy"))
    short = [np.broadcast_to(v, (period,)) for v in values]
    expected = Tree(reference(*short)).leaves
    for length in LENGTHS:
        entries = np.arange(length) % period
        found = Tree(f(*(v[entries] for v in short))).leaves
        for a, b in zip(found, expected, strict=True):
            assert_same(a, np.asarray(b)[entries])


BROADCAST = [((3, 1), (1, 4)), ((), (2, 3)), ((0, 1), (1, 3)), ((5,), (2, 1, 5)), ((1, 1), (1,))]


@by_executor
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("shapes", BROADCAST, ids=str)
def test_operands_of_different_shapes(shapes: Any, dtype: Any, executor: str) -> None:
    rng = np.random.default_rng(2)
    x, y = (np.asarray(rng.uniform(0.5, 2, shape)).astype(dtype)[()] for shape in shapes)

    def f(x: Any, y: Any) -> Any:
        z = np.where(x > y, x * y, x / y) + np.maximum(x, y) ** 2 - np.arctan2(x, y)
        return np.sum(z * np.cos(x - y))

    derivative = cr.value_and_grad(f, argnums=(0, 1))
    second = cr.grad(lambda x, y: sum(np.sum(g * g) for g in cr.grad(f, (0, 1))(x, y)), (0, 1))
    for function in (derivative, second):
        expected = Tree(cr.compile(function, executor="numpy")(x, y)).leaves
        found = Tree(cr.compile(function, executor=executor)(x, y)).leaves
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)


@by_executor
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_huge_arrays(dtype: Any, executor: str) -> None:
    """Millions of entries: several threads' worth, sums that lose nothing, tall products."""
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=(700_001, 3)).astype(dtype), rng.normal(size=(3, 2)).astype(dtype)
    rows = rng.integers(-len(x), len(x), 1000)

    def f(x: Any, w: Any) -> Any:
        y = np.tanh(x @ w)
        return np.mean(y * y) + np.mean(np.max(x, axis=1)) + np.sum(x[rows] * x[rows, ::-1])

    gradient = cr.value_and_grad(f, argnums=(0, 1))
    # In float64, so that the sums of millions of float32 are measured and not compared.
    expected = Tree(cr.compile(gradient, executor="numpy")(x.astype(float), w.astype(float))).leaves
    found = Tree(cr.compile(gradient, executor=executor)(x, w)).leaves
    relative = 1e-10 if dtype.itemsize == 8 else 1e-4
    for a, b in zip(found, expected, strict=True):
        assert np.asarray(a).dtype == dtype
        np.testing.assert_allclose(a, b, rtol=relative, atol=relative * np.abs(b).max())


@by_executor
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_products_of_every_size(dtype: Any, executor: str) -> None:
    rng = np.random.default_rng(0)
    sizes = [
        (1, 1, 1),
        (5, 3, 7),
        (6, 16, 16),
        (7, 17, 31),
        (33, 9, 8),
        (13, 500, 5),
        (4, 0, 3),
        (100, 70, 129),
        (70, 131, 2),
        (9, 40, 3),
        (300, 33, 10),
        (2, 129, 70),
        (150, 800, 210),
        (290, 20, 2070),
    ]
    for m, k, n in sizes:
        a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
        bias = rng.normal(size=n).astype(dtype)

        def f(a: Any, b: Any, bias: Any) -> Any:
            at, bt = np.transpose(a.T), np.transpose(b.T)
            y = cr.functions.relu(cr.functions.dense(a, b, bias))
            gated = (a @ (b + bias)) * (y > 0)
            c = np.transpose(a.T * 2.0) @ np.transpose(b.T * 1.0)
            return a @ b, y, (b.T @ a.T), c, at @ bt, gated

        expected = cr.compile(f, executor="numpy")(a, b, bias)
        found = cr.compile(f, executor=executor)(a, b, bias)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(
                x,
                y,
                rtol=1e-4 if dtype.itemsize == 4 else 1e-10,
                atol=1e-3 if dtype.itemsize == 4 else 1e-12,
            )


def test_what_follows_a_product_is_part_of_it() -> None:
    def f(x: Any, w: Any, b: Any, v: Any) -> Any:
        y = cr.functions.relu(cr.functions.dense(x, w, b))
        return (v @ w) * (y > 0)

    rng = np.random.default_rng(0)
    x, w, v = (rng.normal(size=(5, 5)) for _ in range(3))
    compiled = cr.compile(f, executor="native")
    compiled(x, w, rng.normal(size=5), v)
    plan = compiled.explain(x, w, rng.normal(size=5), v)
    assert "relu(dense)" in plan
    assert "gate(matmul)" in plan


SPECIAL = np.array(
    [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        1e-300,
        -1e-300,
        1e300,
        5e-324,
        88.0,
        -104.0,
        710.0,
        -746.0,
    ]
)


@by_executor
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", [
    "exp", "log", "tanh", "sigmoid", "relu", "abs", "sign", "sqrt", "square", "floor", "negative",
    "isnan", "isinf", "isfinite", "log1p", "expm1", "erf", "silu", "softplus",
])  # fmt: skip
def test_special_values(name: str, dtype: Any, executor: str) -> None:
    from chainrule.graph import all_primitives

    row = all_primitives()[name]
    x = SPECIAL.astype(dtype)
    inputs = staged([x])
    assert_agree(Graph(inputs, (row(*inputs),)), [x], executor)


@by_executor
@pytest.mark.parametrize(
    "name", ["maximum", "minimum", "greater", "equal", "power", "remainder", "floor_divide"]
)
def test_special_pairs(name: str, executor: str) -> None:
    from chainrule.graph import all_primitives

    row = all_primitives()[name]
    small = np.concatenate([SPECIAL[:5], [1.0, -1.5, 2.0, 7.5]])
    x, y = (a.ravel() for a in np.meshgrid(small, small))
    inputs = staged([x, y])
    assert_agree(Graph(inputs, (row(*inputs),)), [x, y], executor)


# ----- what the native executor is for ----------------------------------------------------------


@pytest.mark.skipif("native" not in OTHERS, reason="the native core is not built")
def test_explains_what_numpy_does_and_why() -> None:
    f = cr.compile(lambda x: x.astype(np.float16) + np.tanh(x), executor="native")
    text = f.explain(np.ones(3))
    assert "NumPy's convert" in text
    assert "convert(3,): no conversion of float64 to float16" in text
    assert "tanh" in text and "bytes" in text


def assert_bounds_are_checked(executor: str) -> None:
    f = cr.compile(lambda table, rows: table[rows], executor=executor)
    table = np.arange(6.0).reshape(3, 2)
    assert f(table, np.array([-1, 0])).tolist() == [[4, 5], [0, 1]]
    for wrong in (3, -4):
        with pytest.raises(
            IndexError, match=f"index {wrong} is out of bounds for axis 0 with size 3"
        ):
            f(table, np.array([0, wrong]))
    assert f(table, np.array([1])).tolist() == [[2, 3]]


@pytest.mark.skipif("native" not in OTHERS, reason="the native core is not built")
def test_bounds_of_indices_are_checked() -> None:
    assert_bounds_are_checked("native")


@pytest.mark.skipif("native" not in OTHERS, reason="the native core is not built")
@pytest.mark.parametrize("index", [
    (1, np.array([[0, -1], [2, 2]])),
    (slice(None), np.array([3, 0, 0])),
    (np.array([0, 1]), slice(1, None), np.array([2, 0])),
    (np.array([[1], [0]]), np.array([2, 1])),
], ids=str)  # fmt: skip
def test_constant_indices_of_any_axes_run_in_the_core(index: Any) -> None:
    x = np.arange(36.0).reshape(3, 4, 3)

    def f(x: Any) -> Any:
        return np.sum(x[index] ** 2), x[index]

    value = cr.compile(f, executor="native")
    assert value(x)[1].tolist() == x[index].tolist()
    gradient = cr.compile(cr.grad(lambda x: f(x)[0]), executor="native")
    expected = np.zeros_like(x)
    np.add.at(expected, index, 2 * x[index])
    assert gradient(x).tolist() == expected.tolist()
    assert "by NumPy" not in value.explain(x) + gradient.explain(x)
