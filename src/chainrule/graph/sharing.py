"""What a plan has to compute: a graph without repetitions and without what is known beforehand."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from chainrule.graph.graph import Graph, ancestors
from chainrule.graph.statement import Statement, attribute_key

# Known arrays of up to so many numbers, beside those that are repetitions, are compared by value.
FEW = 16


def same_values(
    outputs: Sequence[Statement], inputs: Sequence[Statement] = ()
) -> dict[Statement, Statement]:
    """``shared`` for what leads to ``outputs``, before it is known what it will be derived by.

    Inputs and copies stay themselves, whatever else has their value: a derivative may be taken with
    respect to one and not to the other.
    """
    apart = [s for s in ancestors(outputs, stop=inputs) if s.primitive.name in ("input", "copy")]
    return shared(Graph(tuple(dict.fromkeys((*inputs, *apart))), tuple(outputs)))


def shared(graph: Graph) -> dict[Statement, Statement]:
    """Each statement -> the first one that computes the same: common subexpressions, once.

    Two statements are the same where primitive, attributes and (shared) arguments are. Known values
    of few numbers, repeated or not, are compared as such, everything else by identity. A copy is
    what it copies.

    >>> from chainrule.graph.statement import input_statement
    >>> x = input_statement((), float)
    >>> graph = Graph((x,), ((x + 1.0) * (x + 1.0),))
    >>> len(set(shared(graph).values())), len(graph.statements)
    (4, 6)
    """
    representatives: dict[Statement, Statement] = {}
    known: dict[Hashable, Statement] = {}
    inputs = set(graph.inputs)
    for statement in graph.statements:
        key: Hashable
        if statement in inputs:
            key = id(statement)
        elif statement.primitive.name == "copy" and not graph.is_known(statement):
            # Copies tell what a derivative is taken by; once it is taken they are what they copy.
            representatives[statement] = representatives[statement.arguments[0]]
            continue
        elif graph.is_known(statement):
            key = _key_of(statement.value)
        else:
            arguments = tuple(representatives[a] for a in statement.arguments)
            attributes = attribute_key(tuple(sorted(statement.attributes.items())))
            key = (statement.primitive, arguments, attributes)
        representatives[statement] = known.setdefault(key, statement)
    return representatives


def _key_of(value: Any) -> Hashable:
    if isinstance(value, np.generic):
        return (str(value.dtype), value.tobytes())
    if isinstance(value, np.ndarray):
        repeated = tuple(stride == 0 for stride in value.strides)
        stored = value[tuple(slice(0, 1) if again else slice(None) for again in repeated)]
        if 0 < stored.size <= FEW:
            return (str(value.dtype), value.shape, repeated, stored.tobytes())
    return id(value)
