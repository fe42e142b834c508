"""Statements and graphs: order, values, replay, checks, printing, origins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.api.gradients import Recording
from chainrule.errors import GraphError, ShapeError, TraceError
from chainrule.graph import (
    Graph,
    RowSparse,
    Statement,
    all_primitives,
    ancestors,
    apply,
    constant,
    input_statement,
    lookup,
    module_path,
)
from chainrule.graph.primitive import elementwise


def variable(value: Any = None, shape: tuple[int, ...] = (), name: str | None = None) -> Statement:
    return input_statement(np.shape(value) if value is not None else shape, float, value, name)


# ----- statements -------------------------------------------------------------------------------


def test_statements_compare_by_identity() -> None:
    x = variable(2.0)
    first, second = x * x, x * x
    assert first != second
    assert len({first, second, first}) == 2
    assert first.serial < second.serial


def test_values_are_known_by_run_and_unknown_when_staged() -> None:
    assert (variable(np.array([1.0, 2.0])) * 3).value.tolist() == [3.0, 6.0]
    staged = variable(shape=(2, 1)) * variable(shape=(3,))
    assert (staged.value, staged.shape, staged.dtype) == (None, (2, 3), np.float64)
    assert (staged.ndim, staged.size) == (2, 6)


@pytest.mark.parametrize("number", [2, 2.0, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_python_numbers_take_the_dtype_beside_them(number: Any, dtype: Any) -> None:
    x = input_statement((), dtype, dtype(3))
    for result in (x * number, number / x, x**number, number - x):
        assert result.dtype == dtype
        assert result.value.dtype == dtype


def test_numpy_numbers_promote() -> None:
    x = input_statement((2,), np.float32, np.ones(2, np.float32))
    assert (x * np.float64(2)).dtype == np.float64
    assert (x * np.arange(2)).dtype == np.float64


def test_constants_capture_their_array() -> None:
    array = np.array([1.0, 2.0])
    statement = constant(array)
    array[0] = 9
    assert statement.value.tolist() == [1.0, 2.0]
    assert not statement.value.flags.writeable
    assert constant(statement) is statement


@pytest.mark.parametrize("value", ["text", 1j, object(), [object()], None])
def test_what_is_not_real_cannot_be_a_constant(value: Any) -> None:
    with pytest.raises(TraceError, match="not an array of real numbers"):
        constant(value)


def test_a_name_can_be_entered_once() -> None:
    with pytest.raises(ValueError, match="'sin' is in the table already"):
        elementwise("sin", np.sin, 1.0)
    assert lookup("sin") is all_primitives()["sin"]
    all_primitives().clear()
    assert lookup("sin").name == "sin"


def test_numpy_errors_name_the_primitive_and_the_line() -> None:
    with pytest.raises(
        np.linalg.LinAlgError, match=r"cholesky of operands with shapes \(2, 2\)"
    ) as e:
        lookup("cholesky")(-np.eye(2))
    assert "test_graph.py" in str(e.value)


def test_shape_errors_name_the_operands() -> None:
    with pytest.raises(ShapeError, match="w has shape"):
        lookup("add")(variable(np.ones(3), name="w"), variable(np.ones(4), name="x"))


# ----- graphs -----------------------------------------------------------------------------------


def polynomial() -> Graph:
    x, y = variable(name="x"), variable(name="y")
    unused = x * 7
    assert unused.value is None
    product = x * y
    return Graph((x, y), (product + x, product))


def test_statements_stand_after_their_arguments_and_once() -> None:
    graph = polynomial()
    assert [s.primitive.name for s in graph.statements] == ["input", "input", "multiply", "add"]
    place = {statement: i for i, statement in enumerate(graph.statements)}
    assert all(place[a] < place[s] for s in graph.statements for a in s.arguments)
    graph.verify()


def test_evaluation_on_values() -> None:
    graph = polynomial()
    assert graph.evaluate(2.0, 5.0) == (12.0, 10.0)
    left, right = graph.evaluate(np.array([1.0, 2.0]), 3.0)
    assert (left.tolist(), right.tolist()) == ([4.0, 8.0], [3.0, 6.0])
    with pytest.raises(GraphError, match="1 values were given for 2 inputs"):
        graph.evaluate(2.0)


def test_inlining_records_the_graph_again() -> None:
    graph = polynomial()
    z = variable(3.0)
    total, product = graph.inline(z, z * 2)
    assert (total.value, product.value) == (21.0, 18.0)
    assert product in total.arguments
    outside = constant(4.0) * 2
    assert Graph((z,), (outside,)).inline(z) == (outside,)


def test_inlining_can_expand_coarse_statements() -> None:
    x = variable(np.array([1.0, 2.0, 4.0]))
    graph = Graph((x,), (lookup("logsumexp")(x, axis=(0,), keepdims=False),))
    (expanded,) = graph.inline(x, expanded=True)
    assert expanded.value == pytest.approx(graph.outputs[0].value)
    assert {s.primitive.name for s in ancestors([expanded])} == {"input", "exp", "sum", "log"}


def test_ancestors_stop_where_told() -> None:
    x = variable(2.0)
    y = x * x
    z = y + 1
    assert [s.primitive.name for s in ancestors([z], stop=[y])] == ["multiply", "constant", "add"]
    assert ancestors([x], stop=[x]) == [x]


def test_captures_are_leaves_from_outside() -> None:
    x, outside = variable(2.0), variable(3.0)
    assert Graph((x,), (x * outside + 1,)).captures() == [outside]


def test_a_deep_chain_meets_no_recursion_limit() -> None:
    x = variable(1.0)
    y = x
    for _ in range(20_000):
        y = y + x
    graph = Graph((x,), (y,))
    graph.verify()
    assert graph.evaluate(1.0) == (20_001.0,)
    assert len(str(graph).splitlines()) == 20_002
    assert graph.inline(variable(2.0))[0].value == 40_002.0


def test_printing() -> None:
    x = variable(shape=(2, 3), name="x")
    graph = Graph((x,), (lookup("sum")(x * 2, axis=(1,), keepdims=False),))
    assert str(graph) == (
        "v0 = input x: float64 (2, 3)\n"
        "v1 = constant 2.0: float64 ()\n"
        "v2 = multiply(v0, v1): float64 (2, 3)\n"
        "v3 = sum(v2, axis=(1,), keepdims=False): float64 (2,)\n"
        "return v3"
    )


# ----- verification -----------------------------------------------------------------------------


def forged(statement: Statement, **changes: Any) -> Statement:
    """A copy with other fields, as no function of the package builds it."""
    fields = {
        name: changes.get(name, getattr(statement, name))
        for name in ("primitive", "arguments", "attributes", "shape", "dtype", "value", "origin")
    }
    return Statement(**fields)


def test_verify_finds_what_is_not_well_formed() -> None:
    x, y = variable(shape=(2,)), variable(shape=(2,))
    z = x + y
    Graph((x, y), (z,)).verify()
    with pytest.raises(GraphError, match="twice among the inputs"):
        Graph((x, x), (z,)).verify()
    with pytest.raises(GraphError, match="not among the inputs"):
        Graph((x,), (z,)).verify()
    with pytest.raises(GraphError, match=r"should have shape \(2,\)"):
        Graph((x, y), (forged(z, shape=(3,)),)).verify()
    with pytest.raises(GraphError, match="float64 by the rules of add"):
        Graph((x, y), (forged(z, dtype=np.dtype(np.float32)),)).verify()


def test_known_values_are_constants_of_a_graph_where_asked() -> None:
    x, point = variable(), variable(3.0)
    graph = Graph((x,), (x * (point * point),), known_are_constants=True)
    graph.verify()
    assert graph.evaluate(2.0) == (18.0,)
    assert point not in graph.statements


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(np.tanh(x @ x) / np.linalg.norm(x)),
        lambda x: cr.functions.logsumexp(np.concatenate([x[0], x[:, 1]])),
        lambda x: np.linalg.det(x) + np.prod(x) + np.max(x[[0, 1, 0]]),
    ],
)
def test_graphs_of_derivatives_are_well_formed_and_replay(function: Any) -> None:
    x = np.array([[2.0, 1.0], [0.5, 3.0]])
    recording = Recording(cr.grad(function), (x,), {}, [0])
    graph = Graph(tuple(recording.inputs), (recording.result.statement,))
    graph.verify()
    np.testing.assert_array_equal(graph.evaluate(x)[0], recording.result.value)
    np.testing.assert_allclose(graph.evaluate(x.T)[0], cr.grad(function)(x.T), rtol=1e-12)


# ----- origins ----------------------------------------------------------------------------------


def test_statements_remember_the_users_line_and_module() -> None:
    x = variable(2.0)
    with module_path("layers"), module_path("[0]"), module_path("gate"):
        y = x * 3  # the line
    assert y.origin is not None
    assert (y.origin.source, y.origin.path) == ("y = x * 3  # the line", "layers[0].gate")
    assert y.origin.function == "test_statements_remember_the_users_line_and_module"
    assert "test_graph.py" in y.origin.file
    assert str(y.origin).endswith("in layers[0].gate: y = x * 3  # the line")
    outside = x * 3
    assert outside.origin is not None
    assert outside.origin.path == ""


def test_derivatives_inherit_the_line_of_what_they_differentiate() -> None:
    def f(x: Any) -> Any:
        y = np.sin(x)  # here
        return y * y  # there

    recording = Recording(cr.grad(f), (2.0,), {}, [0])
    statements = ancestors([recording.result.statement])
    lines = {s.origin.source for s in statements if s.primitive.name == "cos" and s.origin}
    assert lines == {"y = np.sin(x)  # here"}


def test_rows_are_immutable() -> None:
    row = lookup("sin")
    with pytest.raises(AttributeError):
        row.name = "cosine"  # type: ignore[misc]
    with pytest.raises(ValueError, match="in the table already"):
        replace(row)


# ----- row-sparse values ------------------------------------------------------------------------


def test_row_sparse_adds_and_coalesces() -> None:
    a = RowSparse([2, 0, -1], np.ones((3, 2)), (3, 2))
    b = RowSparse([1], np.full((1, 2), 5.0), (3, 2))
    assert (a + b).to_dense().tolist() == [[1.0, 1.0], [5.0, 5.0], [2.0, 2.0]]
    assert a.coalesced().indices.tolist() == [0, 2]
    assert np.asarray(a).tolist() == a.to_dense().tolist()
    assert a.astype(np.float32).dtype == np.float32


def test_a_sum_of_many_row_sparse_terms_copies_each_of_them_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied = []

    def concatenate(arrays: Any) -> Any:
        copied.append(sum(map(len, arrays)))
        return joined(arrays)

    joined = np.concatenate
    monkeypatch.setattr(np, "concatenate", concatenate)
    total: Any = RowSparse(np.array([0]), np.ones((1, 2)), (5, 2))
    for i in range(1, 200):
        total = total + RowSparse(np.array([i % 5]), np.full((1, 2), i), (5, 2))
    assert total.indices.size == len(total.rows) == 200 and copied == [200, 200]
    assert total.to_dense()[:, 0].tolist() == [sum(range(k, 200, 5)) + (k == 0) for k in range(5)]


def test_rows_that_do_not_read_row_sparse_values_get_arrays() -> None:
    sparse = apply(lookup("row_sparse"), np.array([1]), np.ones((1, 2)), shape=(2, 2))
    assert isinstance(sparse.value, RowSparse)
    assert lookup("exp")(sparse).value.tolist() == [[1.0, 1.0], [np.e, np.e]]
