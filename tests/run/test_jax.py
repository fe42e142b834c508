"""The JAX executor: what it checks, what it leaves to NumPy, and whose settings it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.graph import Graph, RowSparse, all_primitives, input_statement
from chainrule.graph.statement import constant
from chainrule.graph.table.random import random_bits
from chainrule.run import jax as executor
from chainrule.run import make_plan, why_not

needs_jax = pytest.mark.skipif(bool(why_not("jax")), reason="JAX is not installed")


def compiled(function: Any) -> Any:
    return cr.compile(function, executor="jax")


# ----- whether it is there ----------------------------------------------------------------------


def test_says_which_extra_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    executor.why_not.cache_clear()
    try:
        with pytest.raises(
            ChainruleError, match=r"the jax executor .* pip install 'chainrule\[jax"
        ):
            compiled(np.sin)(1.0)
    finally:
        executor.why_not.cache_clear()


def test_is_not_imported_by_others() -> None:
    code = (
        "import sys, numpy as np, chainrule as cr\n"
        "cr.compile(np.sin, executor='numpy')(1.0)\n"
        "sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@needs_jax
def test_settings_of_jax_are_left_alone() -> None:
    import jax
    import jax.numpy as jnp

    before = jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision
    assert compiled(np.sin)(np.ones(2)).dtype == np.float64
    assert (jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision) == before
    assert jnp.ones(2).dtype == np.float32


# ----- errors -----------------------------------------------------------------------------------

SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


@needs_jax
@pytest.mark.parametrize(
    ("function", "good", "wrong", "error"),
    [
        (lambda a: np.linalg.solve(a, np.ones((2, 1))), np.eye(2), SINGULAR, "Singular matrix"),
        (np.linalg.inv, np.eye(2), SINGULAR, "Singular matrix"),
        (np.linalg.cholesky, np.eye(2), -np.eye(2), "Matrix is not positive definite"),
        (lambda n: np.power(np.arange(3), n), np.array(2), np.array(-1), "negative integer powers"),
        (
            lambda i: (np.arange(4.0) + 0.0 * np.sum(i))[i],
            np.array([3, -4]), np.array([3, 4]), "index 4 is out of bounds for axis 0 with size 4",
        ),
        (
            lambda i: cr.scan(lambda c, j: (c, c[j]), np.arange(4.0), i)[1],
            np.array([3, -4]), np.array([3, -5]), "index -5 is out of bounds",
        ),
        (
            lambda i: cr.functions.cross_entropy(np.eye(3), i),
            np.array([0, 1, 2]), np.array([0, 3, 2]), "index 3 is out of bounds for axis 1",
        ),
    ],
    ids=["solve", "inv", "cholesky", "power", "gather", "inside of a loop", "labels"],
)  # fmt: skip
def test_errors_are_those_of_numpy(function: Any, good: Any, wrong: Any, error: str) -> None:
    f, reference = compiled(function), cr.compile(function, executor="numpy")
    for _ in range(2):
        np.testing.assert_allclose(f(good), reference(good))
        with pytest.raises(Exception, match=error) as expected:
            reference(wrong)
        with pytest.raises(expected.type, match=error):
            f(wrong)


@needs_jax
def test_numbers_that_jax_has_not_are_refused_by_name() -> None:
    x = input_statement((2,), np.dtype(np.longdouble))
    if x.dtype == np.float64:
        pytest.skip("this machine's long double is a double")
    with pytest.raises(ChainruleError, match=r"the jax executor cannot run .* no arrays of"):
        make_plan(Graph((x,), (x + x,)), "jax")


@needs_jax
def test_an_input_of_another_form_is_refused() -> None:
    x = input_statement((3,), np.dtype(float))
    plan = make_plan(Graph((x,), (x + 1.0,)), "jax")
    with pytest.raises(ValueError, match=r"needs an array of float64\(3,\), not float64\(4,\)"):
        plan(np.ones(4))


# ----- what NumPy does --------------------------------------------------------------------------


@needs_jax
def test_a_primitive_of_ones_own_runs_on_the_host_and_says_so() -> None:
    cube = cr.custom(lambda x: x**3, partials=[lambda x, y: 3 * x**2], name="cube")
    x = np.array([1.0, 2.0]) + 1e-12  # Digits that float32 has not.
    f = compiled(cr.grad(lambda x: np.sum(cube(np.sin(x)))))
    np.testing.assert_allclose(f(x), 3 * np.sin(x) ** 2 * np.cos(x), rtol=1e-15)
    large = np.linspace(0, 1, 300_000)
    np.testing.assert_allclose(compiled(lambda x: cube(x) + 0.0)(large), large**3, rtol=1e-15)
    text = compiled(lambda x: cube(x) + np.exp(x)).explain(x)
    assert "1 of them by NumPy on the host:\n  cube(2,): a primitive of your own" in text


@needs_jax
def test_whole_numbers_pass_through_the_host_unchanged() -> None:
    reciprocal = all_primitives()["reciprocal"]
    x = input_statement((3,), np.dtype(np.int64))
    plan = make_plan(Graph((x,), (reciprocal(x), x * 2)), "jax")
    found = plan(np.array([1, -1, 2**60 + 1]))
    assert [a.tolist() for a in found] == [[1, -1, 0], [2, -2, 2**61 + 2]]
    assert "reciprocal(3,): the reciprocal of integers" in plan.explain()


@needs_jax
def test_an_error_on_the_host_arrives_as_it_was() -> None:
    def fails(x: Any) -> Any:
        if np.any(x > 1):
            raise ZeroDivisionError("no more than 1")
        return x * 2

    f = compiled(cr.custom(fails, partials=[lambda x, y: 2.0]))
    assert f(np.ones(2)).tolist() == [2, 2]
    with pytest.raises(ZeroDivisionError, match="no more than 1"):
        f(np.full(2, 3.0))
    assert f(np.ones(2)).tolist() == [2, 2]


# ----- values -----------------------------------------------------------------------------------


@needs_jax
def test_results_are_arrays_of_their_own() -> None:
    f = compiled(lambda x: (x, x + 1.0, np.sum(x)))
    x = np.ones(3)
    same, more, total = f(x)
    same[0] = more[0] = 7.0
    assert x.tolist() == [1, 1, 1] and f(x)[1].tolist() == [2, 2, 2]
    assert type(total) is np.float64


@needs_jax
@pytest.mark.parametrize("a", [np.int8, np.uint8, np.int64, np.float16, np.float32, np.bool_])
@pytest.mark.parametrize("b", [np.int32, np.float32, np.float64, np.bool_])
def test_dtypes_are_those_of_numpy(a: Any, b: Any) -> None:
    names = ["add", "multiply", "divide", "power", "floor_divide", "remainder", "maximum", "equal"]
    x, y = np.array([5, 0, 3]).astype(a), np.array([2, 1, 0]).astype(b)
    inputs = tuple(input_statement(v.shape, v.dtype) for v in (x, y))
    rows = [all_primitives()[name] for name in names] + [all_primitives()["arctan2"]]
    graph = Graph(inputs, tuple(row(*inputs) for row in rows))
    with np.errstate(all="ignore"):
        for row, found in zip(rows, make_plan(graph, "jax")(x, y), strict=True):
            expected = row.evaluate(x, y)
            assert found.dtype == expected.dtype, row
            np.testing.assert_allclose(found, expected, rtol=1e-2 if a == np.float16 else 1e-6)


@needs_jax
def test_signs_of_zero() -> None:
    zeros = np.array([0.0, -0.0, 4.0, -4.0])
    x, y = (grid.ravel() for grid in np.meshgrid(zeros, [2.0, -2.0, np.inf, -np.inf]))
    inputs = tuple(input_statement(x.shape, x.dtype) for _ in range(2))
    rows = [all_primitives()[name] for name in ("remainder", "floor_divide")]
    graph = Graph(inputs, (*(row(*inputs) for row in rows), all_primitives()["sign"](inputs[0])))
    expected = [*(row.evaluate(x, y) for row in rows), np.sign(x)]
    for found, wanted in zip(make_plan(graph, "jax")(x, y), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted))


@needs_jax
def test_nan_wins_and_first_ties() -> None:
    x = np.array([[1.0, np.nan, 3.0], [2.0, 2.0, -0.0], [-0.0, 0.0, -1.0]])
    f = lambda x: (np.max(x, 1), np.min(x, 1), np.argmax(x, 1), np.argmin(x, 1),  # noqa: E731
                   np.argsort(x, 1), np.clip(x, 0.0, 2.5))  # fmt: skip
    expected = cr.compile(f, executor="numpy")(x)
    for a, b in zip(compiled(f)(x), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@needs_jax
def test_rows_come_back_as_rows() -> None:
    table = input_statement((5, 2), np.dtype(float))
    rows = input_statement((3,), np.dtype(np.int64))
    sparse = all_primitives()["row_sparse"](rows, all_primitives()["gather"](
        table, rows, index=(cr.graph.shapes.Gathered(),)), shape=(5, 2))  # fmt: skip
    both = all_primitives()["add_row_sparse"](sparse, sparse)
    values = np.arange(10.0).reshape(5, 2), np.array([4, 0, 4])
    found, total = make_plan(Graph((table, rows), (both, both * 1.0)), "jax")(*values)
    assert isinstance(found, RowSparse) and found.indices.tolist() == [4, 0, 4, 4, 0, 4]
    np.testing.assert_array_equal(found.to_dense(), total)


@needs_jax
def test_large_constants_are_given_not_built_in() -> None:
    table = np.random.default_rng(0).normal(size=(300, 5))
    spread = all_primitives()["broadcast_to"](constant(np.float64(2.0)), shape=(10**7,))
    x = input_statement((), np.dtype(float))
    inner = all_primitives()["sum"](spread * x, axis=(0,), keepdims=False)
    plan = make_plan(Graph((x,), (constant(table) * x, inner)), "jax")
    product, total = plan(np.float64(3.0))
    np.testing.assert_array_equal(product, table * 3)
    np.testing.assert_allclose(total, 6e7)
    assert [c.shape for c in plan.program.constants] == [(1,), (300, 5)]


@needs_jax
@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1])
def test_random_bits_are_those_of_numpy(seed: int) -> None:
    import jax

    from chainrule.run.jax.random import random_bits as on_device

    for count in (1, 4, 11):
        with jax.enable_x64(True):
            words = (np.uint64(n % 2**64) for n in (seed, 7, -3))
            found = np.asarray(on_device(*map(jax.numpy.asarray, words), count))
        np.testing.assert_array_equal(found, random_bits(seed, 7, -3, count))
