"""Which entries of a Jacobian can be other than zero, and how few passes find them all.

The pattern is propagated statement by statement: elementwise statements unite the patterns of their
operands, statements that only move entries move the rows of the pattern, reductions unite rows.
Columns that share no row can share a pass; they get the same colour.

Source: Curtis, Powell and Reid, On the estimation of sparse Jacobian matrices (1974); Gebremedhin,
Manne and Pothen, What color is your Jacobian? (2005).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.diff.reverse import varying_statements
from chainrule.graph.graph import ancestors
from chainrule.graph.primitive import Kind
from chainrule.graph.statement import Statement

MOVES = frozenset({
    "reshape", "transpose", "broadcast_to", "slice", "put_slice", "gather", "concatenate", "pad",
    "diagonal", "diagonal_matrix", "tril", "triu", "copy", "convert", "to_dense",
})  # fmt: skip
REDUCTIONS = frozenset({"sum", "logsumexp", "max", "min", "prod", "norm"})
ALONG_AXIS = frozenset({"softmax", "log_softmax", "cumsum"})

# Patterns on the way may have this many entries, however few the Jacobian has.
ROOM = 1 << 22

Pattern = Any


def jacobian_pattern(
    outputs: list[Statement], inputs: list[Statement], limit: int
) -> Pattern | None:
    """The pattern of the Jacobian of all ``outputs`` with respect to all ``inputs``.

    Args:
        outputs, inputs: statements; their entries are numbered one after the other.
        limit: the largest number of entries of a pattern that is not given up as dense.

    Returns:
        A SciPy CSR array of shape (entries of outputs, entries of inputs), or None where the
        Jacobian is dense, or a statement mixes its entries in a way that is not followed.
    """
    from scipy import sparse

    columns = sum(statement.size for statement in inputs)
    order = ancestors(outputs, stop=inputs)
    varying = varying_statements(order, inputs)
    patterns: dict[Statement, Pattern] = {}
    start = 0
    for statement in inputs:
        rows = np.arange(statement.size)
        patterns[statement] = sparse.csr_array(
            (np.ones(statement.size, np.int8), (rows, rows + start)), (statement.size, columns)
        )
        start += statement.size
    for statement in order:
        if statement in varying and statement not in patterns:
            pattern = _pattern_of(statement, patterns)
            if pattern is None or pattern.nnz > max(limit, ROOM):
                return None
            patterns[statement] = pattern
    empty = [sparse.csr_array((statement.size, columns), dtype=np.int8) for statement in outputs]
    parts = [patterns.get(statement, none) for statement, none in zip(outputs, empty, strict=True)]
    pattern = sparse.csr_array(sparse.vstack(parts))
    return pattern if pattern.nnz <= limit else None


def _pattern_of(statement: Statement, patterns: dict[Statement, Pattern]) -> Pattern | None:
    name = statement.primitive.name
    varying = [a for a in statement.arguments if a in patterns]
    if name == "where" or statement.primitive.kind is Kind.ELEMENTWISE:
        return _united([_moved(a, patterns[a], statement.shape) for a in varying])
    if name in MOVES:
        if any(a.value is None for a in statement.arguments if a.dtype.kind in "iub"):
            return None  # Where entries are moved to will only be known when the program runs.
        return _united([
            _rows(patterns[argument], _sources(statement, position))
            for position, argument in enumerate(statement.arguments)
            if argument in patterns
        ])  # fmt: skip
    if name == "matmul":
        return _united([
            _multiplied(statement, position, patterns[argument])
            for position, argument in enumerate(statement.arguments)
            if argument in patterns
        ])  # fmt: skip
    shape = statement.arguments[0].shape
    if name in REDUCTIONS:
        return _reduced(patterns[varying[0]], shape, statement.attributes["axis"])[0]
    if name in ALONG_AXIS:
        pattern, groups = _reduced(patterns[varying[0]], shape, (statement.attributes["axis"],))
        return pattern[groups]
    return None


def _multiplied(statement: Statement, position: int, pattern: Pattern) -> Pattern:
    """The pattern of a product of matrices: a row (or column) of one factor in each entry."""
    shape = statement.arguments[position].shape
    axis = len(shape) - 1 - position
    united, _ = _reduced(pattern, shape, (axis,))
    kept = (*shape[:axis], 1, *shape[axis + 1 :])
    groups = np.arange(united.shape[0]).reshape(kept)
    return united[np.broadcast_to(groups, statement.shape).ravel()]


def _united(patterns: list[Pattern]) -> Pattern:
    result = patterns[0]
    for pattern in patterns[1:]:
        result = result + pattern
    result.data = np.ones_like(result.data)
    return result


def _moved(argument: Statement, pattern: Pattern, shape: tuple[int, ...]) -> Pattern:
    """The pattern of an operand after broadcasting."""
    if argument.shape == shape:
        return pattern.copy()
    places = np.arange(argument.size).reshape(argument.shape)
    return pattern[np.broadcast_to(places, shape).ravel()]


def _sources(statement: Statement, position: int) -> np.ndarray:
    """For each entry of the result, the entry of one argument it is moved from; -1 for none."""
    arguments = []
    for i, argument in enumerate(statement.arguments):
        if i == position:
            places = np.arange(1, argument.size + 1).reshape(argument.shape)
            arguments.append(places)
        elif argument.value is not None and argument.dtype.kind in "iub":
            arguments.append(argument.value)
        else:
            arguments.append(np.zeros(argument.shape, np.intp))
    attributes = dict(statement.attributes)
    if statement.primitive.name == "convert":
        attributes["dtype"] = np.intp
    return np.asarray(statement.primitive.evaluate(*arguments, **attributes)).ravel() - 1


def _rows(pattern: Pattern, sources: np.ndarray) -> Pattern:
    """The rows ``sources`` of a pattern; empty rows where the source is -1."""
    from scipy import sparse

    present = np.flatnonzero(sources >= 0)
    selection = sparse.csr_array(
        (np.ones(present.size, np.int8), (present, sources[present])),
        (sources.size, pattern.shape[0]),
    )
    return sparse.csr_array(selection @ pattern)


def _reduced(
    pattern: Pattern, shape: tuple[int, ...], axis: tuple[int, ...]
) -> tuple[Pattern, np.ndarray]:
    """Rows united over ``axis``, and for each row of the argument the number of its group."""
    from scipy import sparse

    kept = tuple(1 if i in axis else n for i, n in enumerate(shape))
    count = int(np.prod(kept, dtype=int))
    groups = np.broadcast_to(np.arange(count).reshape(kept), shape).ravel()
    membership = sparse.csr_array(
        (np.ones(groups.size, np.int32), (groups, np.arange(groups.size))), (count, groups.size)
    )
    united = sparse.csr_array(membership @ pattern)
    united.data = np.ones_like(united.data, np.int8)
    return united, groups


def colours(pattern: Pattern) -> np.ndarray:
    """A colour for each column, such that columns that share a row differ; greedy.

    >>> from scipy import sparse
    >>> colours(sparse.csr_array(np.array([[1, 1, 0], [0, 1, 1]]))).tolist()
    [0, 1, 0]
    """
    by_row, by_column = pattern.tocsr(), pattern.tocsc()
    rows, columns = pattern.shape
    result = np.zeros(columns, np.intp)
    if np.diff(by_row.indptr).max(initial=0) <= 1:
        return result
    members, ends = by_column.indices.tolist(), by_column.indptr.tolist()
    taken = [0] * rows  # For each row the colours that its columns have, a bit each.
    for column in range(columns):
        column_rows = members[ends[column] : ends[column + 1]]
        bits = 0
        for row in column_rows:
            bits |= taken[row]
        lowest = ~bits & (bits + 1)
        for row in column_rows:
            taken[row] |= lowest
        result[column] = lowest.bit_length() - 1
    return result
