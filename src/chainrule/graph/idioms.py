"""Functions that are written out in simpler ones."""

from __future__ import annotations

import numpy as np

from chainrule.graph.statement import Statement


def sigmoid_argument(statement: Statement) -> Statement | None:
    """x where the statement is 1 / (1 + exp(-x)), None elsewhere.

    >>> from chainrule.graph.statement import input_statement
    >>> from chainrule.graph.table.elementwise import exp
    >>> x = input_statement((3,), float)
    >>> sigmoid_argument(1 / (1 + exp(-x))) is x, sigmoid_argument(1 / (2 + exp(-x)))
    (True, None)
    """
    if statement.primitive.name != "divide" or not _is_one(statement.arguments[0]):
        return None
    below = statement.arguments[1]
    if below.primitive.name != "add":
        return None
    terms = sorted(below.arguments, key=_is_one)
    if not _is_one(terms[1]) or terms[0].primitive.name != "exp":
        return None
    power = terms[0].arguments[0]
    if power.primitive.name != "negative":
        return None
    x = power.arguments[0]
    same = x.shape == statement.shape and x.dtype == statement.dtype
    return x if same and x.dtype.kind == "f" else None


def _is_one(statement: Statement) -> bool:
    return statement.is_constant and statement.shape == () and bool(np.all(statement.value == 1))
