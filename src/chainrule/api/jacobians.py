"""Derivatives of array-valued functions and second derivatives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from chainrule.api.gradients import Recording, grad, jvp, name_of, selected
from chainrule.diff.forward import push_forward
from chainrule.diff.jacobian import LARGE, SMALL, Choice, choose, jacobian_matrix, linear_graph
from chainrule.diff.reverse import dense, pull_back
from chainrule.errors import DifferentiationError
from chainrule.graph.origin import current_origin
from chainrule.graph.statement import Statement, constant
from chainrule.graph.table.structural import concatenate, reshape, transpose, zeros_like
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
        rows, columns = sum(y.size for y in outputs), sum(x.size for x in inputs)
        forward = self.mode == "forward" or (self.mode == "auto" and columns <= rows)
        self.report = Choice("forward" if forward else "reverse", min(rows, columns), rows, columns)
        sources, targets = (inputs, outputs) if forward else (outputs, inputs)
        blocks: list[list[Any]] = [[None] * len(sources) for _ in targets]
        for number, source in enumerate(sources):
            found: list[list[Statement]] = [[] for _ in targets]
            for entry in range(source.size):
                one = np.zeros(source.size, source.dtype)
                one[entry] = 1
                seeds: list[Statement | None] = [None] * len(sources)
                seeds[number] = constant(one.reshape(source.shape)[()])
                results = (
                    push_forward(outputs, inputs, seeds)
                    if forward
                    else pull_back(outputs, seeds, inputs)
                )
                for collected, result, target in zip(found, results, targets, strict=True):
                    value = zeros_like(target) if result is None else dense(result)
                    collected.append(reshape(value, shape=(1, *target.shape)))
            for i, (collected, target) in enumerate(zip(found, targets, strict=True)):
                blocks[i][number] = _stacked(collected, source, target, forward)
        return blocks if forward else [list(row) for row in zip(*blocks, strict=True)]


def _stacked(parts: list[Statement], source: Statement, target: Statement, forward: bool) -> Traced:
    """Passes of one block, with the output's axes before the input's."""
    if not parts:
        shapes = (target.shape, source.shape) if forward else (source.shape, target.shape)
        return Traced(constant(np.zeros(shapes[0] + shapes[1], source.dtype)))
    block = reshape(concatenate(*parts, axis=0), shape=(*source.shape, *target.shape))
    if forward:
        n = source.ndim
        block = transpose(block, axes=(*range(n, n + target.ndim), *range(n)))
    return Traced(block)


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
            has over a million entries and less than a tenth of them can differ from zero.

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
