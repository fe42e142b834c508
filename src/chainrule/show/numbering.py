"""Statements numbered as textbooks do: v0 ... for the inputs, then by depth and source order.

The depth of a statement is one more than the largest depth of its arguments. Constants, and what is
computed from constants alone, have no number: they are written where they are used.

Source: Baydin, Pearlmutter, Radul and Siskind, Automatic differentiation in machine learning: a
survey (2018), section 3 and tables 2 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.graph.graph import ancestors
from chainrule.graph.statement import Statement


def numbered(inputs: Sequence[Statement], outputs: Sequence[Statement]) -> dict[Statement, int]:
    """The number of each input, and of each statement between inputs and outputs.

    Args:
        inputs: the variables, which are numbered first.
        outputs: the results.

    Returns:
        Statement -> number, in the order of the numbers.

    >>> from chainrule.graph.statement import input_statement, lookup
    >>> x, y = input_statement((), float), input_statement((), float)
    >>> product = x * y + 1
    >>> sine = lookup("sin")(y)
    >>> [str(s.primitive.name) for s in numbered([x, y], [product - sine])]
    ['input', 'input', 'multiply', 'sin', 'add', 'subtract']
    """
    depths = depths_of(inputs, outputs)
    order = sorted(depths, key=lambda statement: (depths[statement], statement.serial))
    first = list(dict.fromkeys(inputs))
    rest = [statement for statement in order if depths[statement]]
    return {statement: number for number, statement in enumerate([*first, *rest])}


def depths_of(inputs: Sequence[Statement], outputs: Sequence[Statement]) -> dict[Statement, int]:
    """The depth of each input (0) and of each statement that depends on one."""
    depths = dict.fromkeys(inputs, 0)
    for statement in ancestors(outputs, stop=inputs):
        known = [depths[argument] for argument in statement.arguments if argument in depths]
        if known and statement not in depths:
            depths[statement] = 1 + max(known)
    return depths
