"""Row-sparse gradients on their way to the optimiser: the rows that were looked up, each with its
whole gradient, and nothing of the size of the table.

An index may occur several times. Every entry then holds the sum of all entries of its row, so that
whatever is computed from it is the same for each of them, and the first can be written back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.diff.reverse import is_row_sparse
from chainrule.graph.graph import ancestors
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement, lookup
from chainrule.nn.mode import evaluation
from chainrule.nn.module import Module
from chainrule.tracing.record import enter_tree, tracing
from chainrule.tracing.traced import Traced, as_statement, lower
from chainrule.tracing.trees import Tree


class Rows:
    """The gradient of a table that is zero in all rows but some.

    Attributes:
        indices: of the rows, shape (n,); one may occur several times.
        rows: shape (n, ...): entry i is the whole gradient of row ``indices[i]``.
        shape: of the table.
    """

    def __init__(self, indices: Any, rows: Any, shape: tuple[int, ...]) -> None:
        self.indices = indices
        self.rows = rows
        self.shape = shape

    def taken(self, table: Any) -> Any:
        """The rows of another table of the same height."""
        return table[self.indices]

    def put(self, table: Any, rows: Any) -> Any:
        """A table in which these rows are others."""
        return _run("put_rows", table, self.indices, rows)

    def with_rows(self, rows: Any) -> Rows:
        """Other values in the same rows."""
        return Rows(self.indices, rows, self.shape)

    def once(self) -> Any:
        """The rows with zeros in all entries of a row but the first."""
        first = _run("first_rows", self.indices, height=self.shape[0])
        return np.where(np.reshape(first, (-1,) + (1,) * (len(self.shape) - 1)), self.rows, 0)


def rows_of(gradient: Any) -> Rows | None:
    """The rows of a row-sparse gradient, which may be traced; None where it is not row-sparse.

    >>> rows = rows_of(RowSparse(np.array([2, 0, 2]), np.array([[1.0], [2.0], [3.0]]), (4, 1)))
    >>> rows.indices.tolist(), rows.rows.ravel().tolist(), rows.once().ravel().tolist()
    ([2, 0, 2], [4.0, 2.0, 4.0], [4.0, 2.0, 0.0])
    """
    if isinstance(gradient, RowSparse):
        indices, rows, shape = gradient.indices, gradient.rows, gradient.shape
    elif isinstance(gradient, Traced) and is_row_sparse(gradient.statement):
        shape = gradient.statement.shape
        terms = [
            (np.reshape(Traced(i), (-1,)), np.reshape(Traced(r), (-1, *shape[1:])))
            for i, r in _terms(gradient.statement)
        ]
        indices, rows = (
            parts[0] if len(parts) == 1 else np.concatenate(parts)
            for parts in zip(*terms, strict=True)
        )
        rows = rows.astype(gradient.statement.dtype)
    else:
        return None
    return Rows(indices, _run("combine_rows", indices, rows, height=shape[0]), shape)


def _terms(sparse: Statement) -> list[tuple[Statement, Statement]]:
    """(indices, rows) of each look-up whose adjoints were added up, the first one first."""
    found, waiting = [], [sparse]
    while waiting:
        statement = waiting.pop()
        if statement.primitive.name == "row_sparse":
            found.append((statement.arguments[0], statement.arguments[1]))
        else:  # A sum, a copy or a conversion.
            waiting.extend(reversed(statement.arguments))
    return found


def tables_of(net: Module, values: dict[str, Any], inputs: Any) -> frozenset[str]:
    """The parameters, by path, of which the network looks rows up by an array of indices.

    Args:
        net: the network.
        values: its trainable arrays by path.
        inputs: examples for it.
    """
    _, entered, parameters = enter_tree(values)
    with tracing(), evaluation(), np.errstate(all="ignore"):
        result = Tree(net.replaced(parameters)(inputs)).leaves
        outputs = [as_statement(lower(leaf)) for leaf in result]
    paths = dict(zip(entered, values, strict=True))
    return frozenset(
        paths[s.arguments[0]]
        for s in ancestors(outputs)
        if s.primitive.name == "gather"
        and s.attributes["index"] == (Gathered(),)
        and s.arguments[0] in paths
    )


def _run(name: str, *arguments: Any, **attributes: Any) -> Any:
    """A primitive of traced values as a traced value, of arrays as an array."""
    result = lookup(name)(*map(lower, arguments), **attributes)
    traced = any(isinstance(argument, Traced) for argument in arguments)
    return Traced(result) if traced else np.array(result.value)
