"""Loops as one statement: ``scan`` runs a body graph once per entry of a sequence.

The result is a tuple: the final carries, the stacked outputs, and the history of those carries that
``saved`` names (their values at the start of each step, which a backward pass reads).
Its derivative rules are in ``diff.scan``, because they differentiate the body.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.graph import Graph
from chainrule.graph.primitive import Kind, Primitive
from chainrule.graph.statement import Statement


def scan_value(
    *arguments: Any,
    body: Graph,
    carries: int,
    sequences: int,
    length: int,
    reverse: bool,
    saved: tuple[int, ...],
) -> tuple[Any, ...]:
    """Run the loop. Arguments: initial carries, sequences, values that every step reads."""
    carry = list(arguments[:carries])
    xs, constants = arguments[carries : carries + sequences], arguments[carries + sequences :]
    ys = [np.empty((length, *s.shape), s.dtype) for s in body.outputs[carries:]]
    history = [np.empty((length, *np.shape(carry[i])), carry[i].dtype) for i in saved]
    for step in range(length - 1, -1, -1) if reverse else range(length):
        for values, i in zip(history, saved, strict=True):
            values[step] = carry[i]
        results = body.evaluate(*carry, *(x[step] for x in xs), *constants)
        carry = list(results[:carries])
        for y, result in zip(ys, results[carries:], strict=True):
            y[step] = result
    return (*(np.array(c)[()] for c in carry), *ys, *history)


def scan_shapes(
    *shapes: Any, body: Graph, carries: int, length: int, saved: tuple[int, ...], **_: Any
) -> Any:
    """Shapes of the final carries, the stacked outputs and the histories."""
    finals = [s.shape for s in body.outputs[:carries]]
    stacked = [(length, *s.shape) for s in body.outputs[carries:]]
    return (*finals, *stacked, *((length, *shapes[i]) for i in saved))


def scan_dtypes(arguments: tuple[Statement, ...], attributes: Any) -> Any:
    """Their dtypes."""
    saved = (arguments[i].dtype for i in attributes["saved"])
    return (*(s.dtype for s in attributes["body"].outputs), *saved)


scan = Primitive(
    name="scan",
    evaluate=scan_value,
    kind=Kind.OTHER,
    shape_rule=scan_shapes,
    result_dtype=scan_dtypes,
)
