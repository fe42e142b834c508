"""Jacobians from few passes: forward or reverse by shape, coloured where they are sparse.

An m x n Jacobian takes n forward passes (one per column) or m reverse passes (one per row). Where
its pattern is sparse, columns (or rows) of one colour share a pass. The linear map is built as a
graph once; a pass evaluates it for one seed.

Source: Griewank and Walther, Evaluating Derivatives (2008), chapters 3 and 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.diff.forward import push_forward
from chainrule.diff.reverse import dense, pull_back
from chainrule.diff.sparsity import colours, jacobian_pattern
from chainrule.graph.graph import Graph
from chainrule.graph.statement import Statement, constant, input_statement
from chainrule.graph.table.structural import concatenate, reshape, zeros_like

# Jacobians with fewer entries are computed densely without a look at their pattern.
SMALL = 4096
# Larger ones come as sparse arrays where that saves nine tenths of the memory.
LARGE = 1 << 20


@dataclass(frozen=True)
class Choice:
    """How a Jacobian is computed: ``mode``, the number of passes, and the pattern if sparse."""

    mode: str
    passes: int
    rows: int
    columns: int
    pattern: Any = None
    groups: np.ndarray | None = None

    def __str__(self) -> str:
        passes = f"{self.passes} pass" + "es" * (self.passes != 1)
        shape = f"{self.rows} x {self.columns} Jacobian"
        if self.pattern is None:
            return f"{self.mode} mode, {passes} for a {shape}"
        kind = "diagonal" if is_diagonal(self.pattern) else f"{self.pattern.nnz} entries"
        return f"{self.mode} mode, {passes} for a sparse {shape} ({kind})"


def is_diagonal(pattern: Any) -> bool:
    """Whether a square pattern has entries on its diagonal only."""
    if pattern.shape[0] != pattern.shape[1]:
        return False
    coordinates = pattern.tocoo()
    return bool((coordinates.row == coordinates.col).all())


def everywhere(rows: int, columns: int) -> Any:
    """The pattern of a Jacobian of which nothing is known."""
    from scipy import sparse

    return sparse.csr_array(np.ones((rows, columns), np.int8))


def choose(
    outputs: list[Statement], inputs: list[Statement], mode: str, follow_pattern: bool
) -> Choice:
    """Pick forward or reverse mode, and shared passes where the pattern allows them."""
    rows = sum(statement.size for statement in outputs)
    columns = sum(statement.size for statement in inputs)
    if follow_pattern:
        pattern = jacobian_pattern(outputs, inputs, limit=max(rows * columns // 4, 1))
        if pattern is not None:
            options = []
            if mode in ("auto", "forward"):
                groups = colours(pattern)
                options.append((int(groups.max(initial=-1)) + 1, "forward", groups))
            most = int(np.diff(pattern.tocsc().indptr).max(initial=0))  # Reverse passes at least.
            if mode in ("auto", "reverse") and not (options and options[0][0] <= max(most, 1)):
                groups = colours(pattern.T)
                options.append((int(groups.max(initial=-1)) + 1, "reverse", groups))
            passes, picked, groups = min(options, key=lambda option: option[0])
            return Choice(picked, passes, rows, columns, pattern, groups)
    picked = mode if mode != "auto" else "forward" if columns <= rows else "reverse"
    return Choice(picked, columns if picked == "forward" else rows, rows, columns)


def linear_graph(outputs: list[Statement], inputs: list[Statement], mode: str) -> Graph:
    """The derivative at this point as a graph: tangents in and out, or adjoints in and out."""
    sources, targets = (inputs, outputs) if mode == "forward" else (outputs, inputs)
    seeds = [input_statement(s.shape, s.dtype) for s in sources]
    found = (push_forward if mode == "forward" else pull_back)(
        outputs, inputs if mode == "forward" else seeds, seeds if mode == "forward" else inputs
    )
    return Graph(
        tuple(seeds),
        tuple(
            zeros_like(target) if result is None else dense(result)
            for result, target in zip(found, targets, strict=True)
        ),
        known_are_constants=True,
    )


def recorded_passes(choice: Choice, outputs: list[Statement], inputs: list[Statement]) -> Statement:
    """All passes as statements: one vector, pass after pass, each with the entries of all targets.

    The seeds are constants, so what a seed leaves at zero is not computed, and what the passes
    share (the value, and the partial derivatives) is the same statement for the planner.
    """
    forward = choice.mode == "forward"
    sources, targets = (inputs, outputs) if forward else (outputs, inputs)
    groups = np.arange(sum(s.size for s in sources)) if choice.groups is None else choice.groups
    parts = []
    for number in range(choice.passes):
        seed = divided((groups == number).astype(float), tuple(sources))
        seeds = [constant(part) if np.any(part) else None for part in seed]
        found = (
            push_forward(outputs, inputs, seeds, drop_zeros=True)
            if forward
            else pull_back(outputs, seeds, inputs)
        )
        for result, target in zip(found, targets, strict=True):
            value = zeros_like(target) if result is None else dense(result)
            parts.append(reshape(value, shape=(target.size,)))
    if not parts:
        return constant(np.zeros(0, np.result_type(*(s.dtype for s in (*outputs, *inputs)))))
    return concatenate(*parts, axis=0)


def jacobian_matrix(choice: Choice, graph: Graph, run: Callable[..., Any]) -> Any:
    """All passes: a dense (rows, columns) array, or a SciPy sparse one where a pattern is known.

    Args:
        choice: from ``choose``.
        graph: from ``linear_graph`` for the chosen mode.
        run: evaluates the graph: arrays for its inputs -> arrays of its outputs.
    """
    forward = choice.mode == "forward"
    length = choice.columns if forward else choice.rows
    groups = np.arange(length) if choice.groups is None else choice.groups
    dtype = np.result_type(*(s.dtype for s in graph.outputs), *(s.dtype for s in graph.inputs))
    passes = np.empty((choice.passes, choice.rows if forward else choice.columns), dtype)
    for number in range(choice.passes):
        seed = (groups == number).astype(dtype)
        passes[number] = joined(run(*divided(seed, graph.inputs)))
    if choice.pattern is None:
        return passes.T if forward else passes
    return _decompressed(choice, groups, passes)


def _decompressed(choice: Choice, groups: np.ndarray, passes: np.ndarray) -> Any:
    from scipy import sparse

    shape = (choice.rows, choice.columns)
    if choice.passes and is_diagonal(choice.pattern):
        return sparse.dia_array((passes[:1], [0]), shape)
    places = choice.pattern.tocoo()
    row, column = places.row, places.col
    values = (
        passes[groups[column], row] if choice.mode == "forward" else passes[groups[row], column]
    )
    return sparse.csr_array((values, (row, column)), shape)


def divided(vector: np.ndarray, like: tuple[Statement, ...]) -> list[np.ndarray]:
    """A vector cut into arrays of the shapes and dtypes of ``like``."""
    parts, start = [], 0
    for statement in like:
        part = vector[start : start + statement.size]
        parts.append(part.reshape(statement.shape).astype(statement.dtype)[()])
        start += statement.size
    return parts


def joined(arrays: Any) -> np.ndarray:
    """Arrays flattened into one vector."""
    return np.concatenate([np.ravel(array) for array in arrays])
