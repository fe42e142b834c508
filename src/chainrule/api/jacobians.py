"""Derivatives of array-valued functions and second derivatives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import update_wrapper
from typing import Any

import numpy as np

from chainrule.api.gradients import Recording, grad, jvp, name_of, selected
from chainrule.diff.jacobian import (
    LARGE,
    SMALL,
    Choice,
    choose,
    everywhere,
    is_diagonal,
    jacobian_matrix,
    linear_graph,
    recorded_passes,
)
from chainrule.errors import DifferentiationError
from chainrule.graph.origin import current_origin
from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement, constant
from chainrule.graph.table.structural import gather, reshape, scatter_add, take_slice, transpose
from chainrule.run import make_plan
from chainrule.tracing.record import is_tracing, result_statement
from chainrule.tracing.traced import Traced, lower
from chainrule.tracing.trees import Tree

logger = logging.getLogger("chainrule")


class Jacobian:
    """The Jacobian of a function, as a function; ``report`` says how the last one was computed."""

    def __init__(
        self,
        function: Callable[..., Any],
        argnums: int | Sequence[int],
        mode: str,
        sparse: bool | str,
    ) -> None:
        if mode not in ("auto", "forward", "reverse"):
            raise DifferentiationError(f"mode is 'auto', 'forward' or 'reverse', not {mode!r}")
        if sparse not in ("auto", True, False):
            raise DifferentiationError(f"sparse is 'auto', True or False, not {sparse!r}")
        self.function = function
        self.argnums = argnums
        self.mode = mode
        self.sparse = sparse
        self.report: Choice | None = None
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The Jacobian at these arguments."""
        positions = selected(self.argnums, args, self.function)
        recording = Recording(self.function, args, options, positions)
        result = Tree(recording.result)
        outputs = [result_statement(lower(y), name_of(self.function)) for y in result.leaves]
        for output in outputs:
            if not output.is_differentiable:
                raise DifferentiationError(
                    f"{name_of(self.function)} returned {output.dtype}, which has no derivative "
                    f"({current_origin()})"
                )
        inputs = recording.inputs
        if is_tracing():
            blocks = self._traced_blocks(outputs, inputs)
        else:
            matrix = self._matrix(outputs, inputs)
            if not isinstance(matrix, np.ndarray):
                if len(outputs) == len(inputs) == 1:
                    return matrix
                blocks = _sparse_blocks(matrix, outputs, inputs)
            else:
                blocks = _dense_blocks(matrix, outputs, inputs)
        rows = []
        for row in blocks:
            arguments = recording.split(row)
            rows.append(arguments[0] if isinstance(self.argnums, int) else tuple(arguments))
        return result.rebuild(rows)

    def _matrix(self, outputs: list[Statement], inputs: list[Statement]) -> Any:
        entries = sum(y.size for y in outputs) * sum(x.size for x in inputs)
        follow = self.sparse is True or entries > SMALL
        choice = choose(outputs, inputs, self.mode, follow)
        self.report = choice
        logger.info("jacobian of %s: %s", name_of(self.function), choice)
        graph = linear_graph(outputs, inputs, choice.mode)
        matrix = jacobian_matrix(choice, graph, make_plan(graph))
        if isinstance(matrix, np.ndarray):
            if self.sparse is True:
                from scipy import sparse

                return sparse.csr_array(matrix)
            return matrix
        wanted = self.sparse is True or (entries > LARGE and choice.pattern.nnz * 10 < entries)
        return matrix if wanted and self.sparse is not False else matrix.toarray()

    def _traced_blocks(self, outputs: list[Statement], inputs: list[Statement]) -> Any:
        """Inside another trace: every pass is recorded, so that derivatives pass through it."""
        entries = sum(y.size for y in outputs) * sum(x.size for x in inputs)
        choice = choose(outputs, inputs, self.mode, self.sparse is True or entries > SMALL)
        self.report = choice
        passes = recorded_passes(choice, outputs, inputs)
        wanted = self.sparse is True
        if wanted and choice.pattern is None:
            choice = replace(choice, pattern=everywhere(choice.rows, choice.columns))
        if self.sparse == "auto" and choice.pattern is not None:
            wanted = entries > LARGE and choice.pattern.nnz * 10 < entries
        blocks, row = [], 0
        for y in outputs:
            line, column = [], 0
            for x in inputs:
                place = Place(row, column, y, x)
                line.append(
                    _dense_block(choice, passes, place)
                    if choice.pattern is None
                    else TracedBlock(choice, passes, place, wanted)
                )
                column += x.size
            blocks.append(line)
            row += y.size
        return blocks


@dataclass(frozen=True)
class Place:
    """Where a block stands in the Jacobian of all outputs and inputs: its first row and column."""

    row: int
    column: int
    output: Statement
    input: Statement

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the block as an array."""
        return self.output.shape + self.input.shape


def _dense_block(choice: Choice, passes: Statement, place: Place) -> Traced:
    """A block of which every entry was computed, a pass for each row or column."""
    y, x = place.output, place.input
    rows = slice(place.row, place.row + y.size)
    columns = slice(place.column, place.column + x.size)
    if choice.mode == "reverse":
        matrix = reshape(passes, shape=(choice.passes, choice.columns))
        return Traced(reshape(take_slice(matrix, index=(rows, columns)), shape=place.shape))
    matrix = reshape(passes, shape=(choice.passes, choice.rows))
    block = reshape(take_slice(matrix, index=(columns, rows)), shape=(*x.shape, *y.shape))
    n = x.ndim
    return Traced(transpose(block, axes=(*range(n, n + y.ndim), *range(n))))


class TracedBlock(Traced):
    """A block of a Jacobian under trace, of which some entries are known to be zero.

    ``entries`` are the others, row by row. ``cr.compile`` returns it as a SciPy array where one is
    wanted; everybody else sees the dense array, which is built when it is first needed.
    """

    __slots__ = ("_columns", "_dense", "_diagonal", "_ends", "_place", "entries", "wanted")

    def __init__(self, choice: Choice, passes: Statement, place: Place, wanted: bool) -> None:
        y, x = place.output, place.input
        part = choice.pattern[place.row : place.row + y.size, place.column : place.column + x.size]
        part.sort_indices()
        rows = np.repeat(np.arange(y.size), np.diff(part.indptr)) + place.row
        columns = part.indices + place.column
        groups = choice.groups if choice.groups is not None else np.arange(choice.passes)
        where = (
            groups[columns] * choice.rows + rows
            if choice.mode == "forward"
            else groups[rows] * choice.columns + columns
        )
        self.entries = gather(passes, constant(where), index=(Gathered(),))
        self.wanted = wanted
        self._place = place
        self._columns, self._ends = part.indices, part.indptr
        self._diagonal = choice.passes > 0 and is_diagonal(part)
        self._dense: Statement | None = None

    @property
    def statement(self) -> Statement:  # type: ignore[override]
        """The dense block."""
        if self._dense is None:
            y, x = self._place.output, self._place.input
            rows = np.repeat(np.arange(y.size), np.diff(self._ends))
            places = rows * x.size + self._columns
            flat = scatter_add(
                self.entries, constant(places), index=(Gathered(),), shape=(y.size * x.size,)
            )
            self._dense = reshape(flat, shape=self._place.shape)
        return self._dense

    def assembled(self, entries: np.ndarray) -> Any:
        """The block as a SciPy array, from the values of its entries."""
        from scipy import sparse

        shape = (self._place.output.size, self._place.input.size)
        if self._diagonal and len(entries) == shape[0]:
            return sparse.dia_array((entries[None], [0]), shape)
        return sparse.csr_array((entries, self._columns.copy(), self._ends.copy()), shape)


def _dense_blocks(
    matrix: np.ndarray, outputs: list[Statement], inputs: list[Statement]
) -> list[list[Any]]:
    row_ends = np.cumsum([y.size for y in outputs])[:-1]
    column_ends = np.cumsum([x.size for x in inputs])[:-1]
    return [
        [
            np.ascontiguousarray(block).reshape(y.shape + x.shape)[()]
            for block, x in zip(np.split(rows, column_ends, 1), inputs, strict=True)
        ]
        for rows, y in zip(np.split(matrix, row_ends, 0), outputs, strict=True)
    ]


def _sparse_blocks(
    matrix: Any, outputs: list[Statement], inputs: list[Statement]
) -> list[list[Any]]:
    matrix = matrix.tocsr()
    blocks, row = [], 0
    for y in outputs:
        line, column = [], 0
        for x in inputs:
            line.append(matrix[row : row + y.size, column : column + x.size])
            column += x.size
        blocks.append(line)
        row += y.size
    return blocks


def jacobian(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    mode: str = "auto",
    sparse: bool | str = "auto",
) -> Jacobian:
    """The Jacobian of a function of arrays: all partial derivatives of all results.

    Args:
        function: NumPy code; its arguments and result may be nested.
        argnums: which positional arguments to differentiate with respect to.
        mode: "forward" (a pass per column), "reverse" (a pass per row), or "auto": the fewer
            passes. Where the pattern of the Jacobian is sparse, columns or rows share passes.
        sparse: True returns SciPy sparse arrays of shape (entries of the result, entries of the
            argument), a ``dia_array`` for a diagonal; False dense arrays of shape
            (*result.shape, *argument.shape); "auto" returns sparse arrays only where the Jacobian
            has over a million entries and less than a tenth of them can differ from zero. A
            compiled Jacobian follows the pattern once, when it is traced.

    Returns:
        A function of the same arguments; its attribute ``report`` says which mode was picked and
        how many passes it took.

    >>> import numpy as np
    >>> J = jacobian(lambda x: np.stack([x[0] * x[1], x[0] ** 2, x[1]]))
    >>> J(np.array([2.0, 3.0])).tolist()
    [[3.0, 2.0], [4.0, 0.0], [0.0, 1.0]]
    >>> print(J.report)
    forward mode, 2 passes for a 3 x 2 Jacobian
    """
    return Jacobian(function, argnums, mode, sparse)


def hessian(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, sparse: bool | str = "auto"
) -> Jacobian:
    """The matrix of second derivatives of a scalar function, forward over reverse mode.

    Arguments and results are those of :func:`jacobian` of :func:`grad`.

    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0])).tolist()
    [[10.0, 6.0], [6.0, 0.0]]
    """
    return Jacobian(grad(function, argnums), argnums, "forward", sparse)


def hvp(function: Callable[..., Any], args: Any, tangents: Any) -> Any:
    """A Hessian-vector product, without the Hessian: forward over reverse mode.

    Args:
        function: NumPy code that returns one real number.
        args: the point: a tuple of positional arguments, or one argument that is not a tuple.
        tangents: the vector, of the same structure.

    Returns:
        The product, of the structure of ``args``.

    >>> hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 1.0])).tolist()
    [6.0, 12.0]

    Source: B. A. Pearlmutter, Fast exact multiplication by the Hessian (1994).
    """
    if not isinstance(args, tuple):
        return hvp(function, (args,), (tangents,))[0]
    gradient = grad(function, argnums=tuple(range(len(args))))
    return jvp(gradient, args, tangents)[1]
