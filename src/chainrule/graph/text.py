"""Statements and expressions as text and LaTeX, with no more parentheses than precedence needs.

``statement_text`` writes one line of a Wengert list (``v0*v1``), ``expression_text`` a whole tree
down to the statements that have names (``1/x1 + x2``). Both read the operator or the template from
the row of the primitive. A tree may be exponentially larger than its graph, so it is counted first,
and written only when it is small enough; nothing here recurs over the graph.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from chainrule.errors import GraphError
from chainrule.graph.notation import LATEX, TEXT, Fragment, Notation
from chainrule.graph.notation import latex_name as latex_name
from chainrule.graph.notation import number_text as number_text
from chainrule.graph.statement import Statement

MAXIMUM_NODES = 10_000


def statement_text(statement: Statement, names: Mapping[Statement, str]) -> str:
    """The right-hand side of one statement, its arguments called by their names.

    Scalar constants without a name are written out. An argument that has no name is ``?``; a leaf
    is its own name.

    >>> from chainrule.graph.statement import input_statement, lookup
    >>> x, y = input_statement((), float), input_statement((), float)
    >>> names = {x: "v0", y: "v1"}
    >>> [statement_text(s, names) for s in (x * y, -x, x**2, lookup("sin")(y))]
    ['v0*v1', '-v0', 'v0**2', 'sin(v1)']
    """
    return _statement(statement, names, TEXT)


def statement_latex(statement: Statement, names: Mapping[Statement, str]) -> str:
    r"""The right-hand side of one statement in LaTeX; names such as ``v0`` get a subscript.

    >>> from chainrule.graph.statement import input_statement, lookup
    >>> x, y = input_statement((), float), input_statement((), float)
    >>> names = {x: "v0", y: "v1"}
    >>> for statement in (x * y, x / y, lookup("sin")(y)):
    ...     print(statement_latex(statement, names))
    v_{0} v_{1}
    \frac{v_{0}}{v_{1}}
    \sin v_{1}
    """
    return _statement(statement, names, LATEX)


def expression_text(
    statement: Statement, names: Mapping[Statement, str], limit: int = MAXIMUM_NODES
) -> str:
    """The whole expression down to the statements that have names.

    Args:
        statement: the root.
        names: how to call statements that are not written out: the variables at least.
        limit: the largest number of nodes of the tree that is written.

    Raises:
        GraphError: where the tree has more nodes than ``limit``, with their number.

    >>> from chainrule.graph.statement import input_statement, lookup
    >>> x = input_statement((), float)
    >>> expression_text((1 / x + x) * lookup("cos")(2 * x), {x: "x"})
    '(1/x + x)*cos(2*x)'
    """
    return _expression(statement, names, limit, TEXT)


def expression_latex(
    statement: Statement, names: Mapping[Statement, str], limit: int = MAXIMUM_NODES
) -> str:
    r"""The whole expression in LaTeX; arguments and errors are those of ``expression_text``.

    >>> from chainrule.graph.statement import input_statement, lookup
    >>> x = input_statement((), float)
    >>> print(expression_latex(1 / x - lookup("cos")(2 * x), {x: "x1"}))
    \frac{1}{x_{1}} - \cos\left(2 x_{1}\right)
    """
    return _expression(statement, names, limit, LATEX)


def tree_size(statement: Statement, stop: Mapping[Statement, Any] | None = None) -> int:
    """The number of nodes of the expression tree, counted on the graph and never built.

    Args:
        statement: the root.
        stop: statements that count as leaves.

    >>> from chainrule.graph.statement import input_statement
    >>> y = x = input_statement((), float)
    >>> for _ in range(100):
    ...     y = y + y
    >>> tree_size(y) == 2**101 - 1
    True
    """
    stop = stop or {}
    sizes: dict[Statement, int] = {}
    for node in _nodes(statement, stop):
        arguments = () if node in stop else node.arguments
        own = 0 if node.primitive.name == "copy" and arguments else 1
        sizes[node] = own + sum(sizes[argument] for argument in arguments)
    return sizes[statement]


# ----- walks ------------------------------------------------------------------------------------


def _nodes(root: Statement, stop: Mapping[Statement, Any]) -> list[Statement]:
    """``root`` and all it depends on, down to ``stop``, each after its arguments."""
    found = {root}
    pending = [root]
    while pending:
        statement = pending.pop()
        for argument in () if statement in stop else statement.arguments:
            if argument not in found:
                found.add(argument)
                pending.append(argument)
    return sorted(found, key=lambda statement: statement.serial)


def _statement(statement: Statement, names: Mapping[Statement, str], notation: Notation) -> str:
    fragments = [_leaf(argument, names, notation) for argument in statement.arguments]
    if not statement.arguments:
        return _leaf(statement, names, notation).text
    return notation.combine(statement, fragments).text


def _leaf(statement: Statement, names: Mapping[Statement, str], notation: Notation) -> Fragment:
    if statement in names:
        return Fragment(notation.name(names[statement]))
    if statement.is_constant:
        return notation.constant(statement.value)
    return Fragment(notation.name(statement.attributes.get("name") or "?"))


def _expression(
    root: Statement, names: Mapping[Statement, str], limit: int, notation: Notation
) -> str:
    nodes = tree_size(root, names)
    if nodes > limit:
        size = f"{nodes}" if nodes < 10**12 else f"about 10**{int(math.log10(nodes))}"
        raise GraphError(
            f"the expression written out has {size} nodes, more than the limit of {limit}; write "
            "it statement by statement, or raise the limit"
        )
    order = _nodes(root, names)
    uses = dict.fromkeys(order, 0)
    uses[root] = 1
    for statement in order:
        for argument in () if statement in names else statement.arguments:
            uses[argument] += 1
    written: dict[Statement, Fragment] = {}
    for statement in order:
        if statement in names or not statement.arguments:
            written[statement] = _leaf(statement, names, notation)
            continue
        fragments = [written[argument] for argument in statement.arguments]
        for argument in statement.arguments:  # A long chain must not keep all of its prefixes.
            uses[argument] -= 1
            if not uses[argument]:
                written.pop(argument, None)
        written[statement] = notation.combine(statement, fragments)
    return written[root].text
