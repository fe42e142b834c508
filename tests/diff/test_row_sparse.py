"""The adjoint of a look-up holds the rows that were looked up, and no others."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.rowsparse import RowSparse

TABLE = np.random.default_rng(0).normal(size=(50, 3))
ROWS = np.array([4, 9, 4, -1])


def loss(table, rows=ROWS):
    return np.sum(table[rows] ** 3)


def test_only_the_rows_used_are_stored():
    gradient = cr.grad(loss, row_sparse=True)(TABLE)
    assert isinstance(gradient, RowSparse)
    assert gradient.indices.tolist() == [4, 9, 49] and gradient.rows.shape == (3, 3)
    np.testing.assert_allclose(gradient.to_dense(), cr.grad(loss)(TABLE))


def test_a_large_table_costs_nothing():
    # A dense gradient would take 8 TB.
    table = np.broadcast_to(np.ones(1), (10**12, 1))
    from chainrule.diff.reverse import pull_back
    from chainrule.graph.statement import constant, input_statement, lookup
    from chainrule.tracing.traced import Traced

    leaf = input_statement(table.shape, float)
    rows = Traced(leaf)[np.array([7, 7, 10**11])]
    output = lookup("sum")(rows.statement, axis=(0, 1), keepdims=False)
    (adjoint,) = pull_back([output], [constant(1.0)], [leaf])
    assert adjoint.primitive.name == "row_sparse" and adjoint.value.rows.shape == (3, 1)


@pytest.mark.parametrize(
    "function",
    [
        lambda t: loss(t) + np.sum(np.sin(t[ROWS[:2]])),
        lambda t: loss(t) + np.sum(t * t),
        lambda t: np.sum((t * 2.0)[ROWS]),
        lambda t: np.sum(t[ROWS, 1]) + np.sum(t[:, ROWS % 3]),
        lambda t: np.sum(t.astype(np.float32)[ROWS].astype(float)),
        lambda t: np.sum(t[np.array([[0, 1], [1, 1]])] ** 2),
    ],
    ids=["two look-ups", "with dense use", "of a product", "columns", "converted", "2-d indices"],
)
def test_sums_of_adjoints(function):
    expected = cr.numeric_grad(function, h=1e-3)(TABLE)  # float32 needs a wide step
    np.testing.assert_allclose(cr.grad(function)(TABLE), expected, atol=2e-3)
    np.testing.assert_allclose(
        np.asarray(cr.grad(function, row_sparse=True)(TABLE)), cr.grad(function)(TABLE)
    )
    np.testing.assert_allclose(cr.compile(cr.grad(function))(TABLE), cr.grad(function)(TABLE))


def test_second_order_through_rows():
    v = np.ones_like(TABLE)
    expected = np.zeros_like(TABLE)
    np.add.at(expected, ROWS, 6 * TABLE[ROWS])
    np.testing.assert_allclose(cr.hvp(loss, TABLE, v), expected)


def test_second_order_where_one_look_up_does_not_vary():
    def both(t):
        return np.sum(t[ROWS % 2]) + loss(t)

    v = np.ones_like(TABLE)
    np.testing.assert_allclose(cr.hvp(both, TABLE, v), cr.hvp(loss, TABLE, v))
    compiled = cr.compile(lambda t: cr.hvp(both, t, v))
    np.testing.assert_allclose(compiled(TABLE), cr.hvp(loss, TABLE, v))


def test_compiled_with_traced_rows():
    compiled = cr.compile(cr.grad(loss))
    for rows in (ROWS, ROWS[::-1].copy(), np.array([0, 0, 0, 0])):
        np.testing.assert_allclose(compiled(TABLE, rows), cr.grad(loss)(TABLE, rows))
