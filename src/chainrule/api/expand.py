"""The choice of granularity: coarse primitives, or the elementary functions they are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from chainrule.api.gradients import Recording, name_of
from chainrule.graph.graph import Graph
from chainrule.tracing.record import leave, result_statement
from chainrule.tracing.traced import lower
from chainrule.tracing.trees import Tree


def expand(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, computed by elementary primitives alone.

    Softmax, cross-entropy, dense layers and the like are single statements for speed and stability.
    Expanded, each becomes the formula a textbook derives it from, step by step in a trace. Values
    and derivatives agree; where the coarse form avoids overflow the expanded one may not.

    Args:
        function: NumPy code of real arguments, possibly nested.

    Returns:
        A function of the same arguments and results; it can be traced, differentiated and compiled.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> import chainrule.functions as F
    >>> float(expand(F.sigmoid)(0.0))
    0.5
    >>> graph = cr.compile(expand(F.sigmoid)).graph(1.0)
    >>> sorted({s.primitive.name for s in graph.statements} - {"input", "constant", "copy"})
    ['add', 'divide', 'exp', 'negative']
    """

    @wraps(function)
    def expanded(*args: Any, **options: Any) -> Any:
        recording = Recording(function, args, options, list(range(len(args))))
        result = Tree(recording.result)
        outputs = [result_statement(lower(leaf), name_of(function)) for leaf in result.leaves]
        graph = Graph(tuple(recording.inputs), tuple(outputs))
        found = graph.inline(*recording.inputs, expanded=True)
        return result.rebuild([leave(statement) for statement in found])

    return expanded
