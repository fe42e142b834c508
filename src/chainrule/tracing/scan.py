"""``cr.scan``: a loop over a sequence that is one statement, however long it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ShapeError, TraceError
from chainrule.graph.graph import Graph, ancestors
from chainrule.graph.origin import current_origin
from chainrule.graph.sharing import same_values
from chainrule.graph.statement import Statement, input_statement
from chainrule.graph.table.control import scan as scan_row
from chainrule.graph.table.structural import convert, item
from chainrule.tracing.record import is_tracing, result_statement, tracing
from chainrule.tracing.traced import Traced, as_statement, lower
from chainrule.tracing.trees import Tree

# Rows that cost more than the memory for their result, and whose derivatives read that result.
COSTLY = frozenset({
    "exp", "exp2", "expm1", "tan", "tanh", "sqrt", "cbrt", "sigmoid", "power", "divide",
    "reciprocal", "softmax", "log_softmax", "logsumexp", "matmul", "dense", "einsum",
})  # fmt: skip


def scan(
    function: Callable[[Any, Any], tuple[Any, Any]],
    initial: Any,
    sequence: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Run ``carry, y = function(carry, x)`` over the entries x of a sequence.

    The body is traced once. A recurrence of a thousand steps is one statement in the graph, with a
    tangent and an adjoint of its own.

    Args:
        function: the body: takes a carry and one entry (None without a sequence); returns the next
            carry, of the same structure, shapes and dtypes, and an output (or None).
        initial: the first carry: an array, a number, or nested ones.
        sequence: arrays, possibly nested, that share the length of their first axis.
        length: the number of steps; needed where there is no sequence.
        reverse: whether to run from the last entry to the first.

    Returns:
        (last carry, outputs stacked along a new first axis).

    Raises:
        ShapeError: where the carry changes its shape or kind, or sequences differ in length.
        TraceError: where the body branches on a value or does not return a pair.

    >>> total, partial = scan(lambda s, x: (s + x, s + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(total), partial.tolist()
    (6.0, [1.0, 3.0, 6.0])
    """
    carry_tree, sequence_tree = Tree(initial), Tree(sequence)
    carries = [_leaf(leaf) for leaf in carry_tree.leaves]
    xs = [_leaf(leaf) for leaf in sequence_tree.leaves]
    steps = _length(xs, length)
    body_carry = [input_statement(c.shape, c.dtype) for c in carries]
    body_x = [input_statement(x.shape[1:], x.dtype) for x in xs]
    with tracing():
        result = function(
            carry_tree.rebuild([Traced(s) for s in body_carry]),
            sequence_tree.rebuild([Traced(s) for s in body_x]),
        )
    if not isinstance(result, tuple) or len(result) != 2:
        raise TraceError(
            f"the body of scan must return (carry, output), not {type(result).__name__} "
            f"({current_origin()})"
        )
    next_tree, output_tree = Tree(result[0]), Tree(result[1])
    next_carry = _checked(next_tree, carry_tree, carries)
    outputs = [result_statement(lower(leaf), "the body of scan") for leaf in output_tree.leaves]
    inputs = [*body_carry, *body_x]
    # A derivative of the loop will want what was costly to compute, beside the carries.
    costly = results_to_keep([*next_carry, *outputs], inputs) if is_tracing() else []
    body = closed([*next_carry, *outputs, *costly], inputs)
    captured = body.inputs[len(inputs) :]
    differentiable = [i for i, c in enumerate(carries) if c.is_differentiable]
    statement = scan_row(
        *carries, *xs, *captured,
        body=body, carries=len(carries), sequences=len(xs), length=steps, reverse=reverse,
        saved=tuple(differentiable) if is_tracing() else (),
    )  # fmt: skip
    results = [_result(statement, i) for i in range(len(carries) + len(outputs))]
    return (
        carry_tree.rebuild(results[: len(carries)]),
        output_tree.rebuild(results[len(carries) :]),
    )


def results_to_keep(outputs: list[Statement], inputs: list[Statement]) -> list[Statement]:
    """What a body computes at some cost and its derivative reads: stacked like its outputs."""
    depends = set(inputs)
    found = []
    for statement in ancestors(outputs, stop=inputs):
        if any(argument in depends for argument in statement.arguments):
            depends.add(statement)
            if statement.primitive.name in COSTLY and statement not in outputs:
                found.append(statement)
    return found


def closed(outputs: list[Statement], inputs: list[Statement]) -> Graph:
    """The body as a graph whose further inputs are what it reads from outside, each value once.

    ``w[0]`` in a body is a new statement wherever it is written; each would be carried through the
    loop, and its adjoint summed up, by itself.
    """
    captured = captures(outputs, inputs)
    same = same_values(captured)
    once = list(dict.fromkeys(same[statement] for statement in captured))
    if len(once) < len(captured):
        body = Graph((*inputs, *captured), tuple(outputs))
        outputs = list(body.inline(*inputs, *(same[statement] for statement in captured)))
    return Graph((*inputs, *once), tuple(outputs))


def captures(outputs: list[Statement], inputs: list[Statement]) -> list[Statement]:
    """What the body reads from outside: statements that do not depend on its inputs."""
    depends = set(inputs)
    outside: dict[Statement, None] = {}
    order = ancestors(outputs)
    for statement in order:
        if any(argument in depends for argument in statement.arguments):
            depends.add(statement)
    for statement in order:
        if statement in depends:
            for argument in statement.arguments:
                if argument not in depends and not argument.is_constant:
                    outside[argument] = None
    for output in outputs:
        if output not in depends and not output.is_constant:
            outside[output] = None
    return list(outside)


def _leaf(value: Any) -> Statement:
    statement = as_statement(lower(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return as_statement(np.float64(value))
    return statement


def _length(xs: list[Statement], length: int | None) -> int:
    lengths = {x.shape[0] if x.shape else None for x in xs}
    if length is not None:
        lengths.add(length)
    if len(lengths) != 1 or None in lengths:
        shapes = ", ".join(str(x.shape) for x in xs) or "none"
        raise ShapeError(
            f"scan needs sequences of one length along their first axis (shapes: {shapes}; "
            f"length={length}) ({current_origin()})"
        )
    return int(lengths.pop())  # type: ignore[arg-type]


def _checked(after: Tree, before: Tree, carries: list[Statement]) -> list[Statement]:
    """The next carry's statements, of the same structure, shapes and dtypes as the first."""
    if after.paths != before.paths:
        raise ShapeError(
            f"the body of scan returned a carry with the parts {after.paths}, but it began with "
            f"{before.paths} ({current_origin()})"
        )
    checked = []
    for leaf, path, first in zip(after.leaves, after.paths, carries, strict=True):
        statement = result_statement(lower(leaf), "the body of scan")
        if statement.shape != first.shape:
            raise ShapeError(
                f"the carry{path} of scan has shape {first.shape} at first and {statement.shape} "
                f"after a step; it must keep its shape ({current_origin()})"
            )
        if not np.can_cast(statement.dtype, first.dtype, "same_kind"):
            raise ShapeError(
                f"the carry{path} of scan is {first.dtype} at first and {statement.dtype} after a "
                f"step, which would lose digits; begin with a {statement.dtype} "
                f"({current_origin()})"
            )
        if statement.dtype != first.dtype:
            statement = convert(statement, dtype=first.dtype)
        checked.append(statement)
    return checked


def _result(statement: Statement, position: int) -> Any:
    if is_tracing() or statement.value is None:
        return Traced(item(statement, position=position))
    return np.array(statement.value[position])[()]
