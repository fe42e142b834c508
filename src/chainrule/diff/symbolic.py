"""Symbolic differentiation: an expression graph -> the simplified graph of its derivative.

The derivative is found by forward mode, one pass a variable, which keeps terms in the order of the
source, and is simplified afterwards. Because both share common parts, the graph stays small where
the expression tree swells exponentially; ``sizes`` tells both numbers.

Source: Baydin, Pearlmutter, Radul and Siskind, Automatic differentiation in machine learning: a
survey (2018), section 2 and table 1, on expression swell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chainrule.diff.forward import push_forward
from chainrule.diff.simplify import simplify
from chainrule.graph.graph import Graph
from chainrule.graph.statement import Statement, constant
from chainrule.graph.text import tree_size


class Sizes(NamedTuple):
    """How large an expression is written out (``tree``) and with common parts shared."""

    tree: int
    graph: int


def derivative(expression: Statement, variable: Statement) -> Statement:
    """The simplified derivative of a scalar expression with respect to one of its leaves.

    >>> from chainrule.graph.statement import input_statement
    >>> from chainrule.graph.text import expression_text
    >>> x = input_statement((), float)
    >>> expression_text(derivative(x**3 / 3 - x, x), {x: "x"})
    'x**2 - 1'
    """
    one = constant(np.ones((), variable.dtype)[()])
    (tangent,) = push_forward([expression], [variable], [one])
    if tangent is None:
        return constant(np.zeros((), expression.dtype)[()])
    return simplify([tangent])[0]


def sizes(outputs: Sequence[Statement]) -> Sizes:
    """The nodes of the expression trees of ``outputs``, counted and never built, and of the graph.

    >>> from chainrule.graph.statement import input_statement
    >>> y = x = input_statement((), float)
    >>> for _ in range(40):
    ...     y = 4 * y * (1 - y)
    >>> tree, graph = sizes([y])
    >>> tree > 10**12, graph
    (True, 201)
    """
    nodes = len(Graph((), tuple(outputs)).statements)
    return Sizes(sum(tree_size(output) for output in outputs), nodes)
