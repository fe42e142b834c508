"""What one statement means and how it differentiates, as formulas of its neighbours in a trace.

The rows of the table of primitives are applied to stand-ins without values, one for each neighbour:
what comes back is an expression, which is tidied and printed. No formula is written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.diff.forward import tangent_of
from chainrule.diff.reverse import pull_back
from chainrule.graph.graph import Graph, ancestors
from chainrule.graph.origin import inherit_origin, preserved_origin
from chainrule.graph.statement import Statement, apply, constant, lookup
from chainrule.show.style import Style

_CHANGES_SHAPE_OR_TYPE = ("broadcast_to", "sum_to_shape", "reshape", "convert", "copy", "to_dense")


def stand_in(like: Statement) -> Statement:
    """A leaf without a value, of the shape and dtype of ``like``."""
    return Statement(lookup("input"), (), {}, like.shape, like.dtype, None, None)


class Local:
    """A statement by itself, its arguments replaced by stand-ins.

    Args:
        statement: one that has a number.
        numbers: the numbers of all statements; arguments without one are constants.
        varying: the statements that have derivatives.
    """

    def __init__(
        self,
        statement: Statement,
        numbers: Mapping[Statement, int],
        varying: set[Statement],
    ) -> None:
        self.number = numbers[statement]
        self.neighbours: dict[Statement, Statement] = {}  # argument -> its stand-in
        self._numbers = numbers
        self._varying = varying
        arguments = []
        with preserved_origin():
            inherit_origin(statement.origin)
            for argument in statement.arguments:
                if argument in numbers:
                    if argument not in self.neighbours:
                        self.neighbours[argument] = stand_in(argument)
                    arguments.append(self.neighbours[argument])
                elif argument.value is None or argument.is_constant:
                    arguments.append(argument)
                else:
                    arguments.append(constant(argument.value))
        self.statement = statement
        self.copy = Statement(
            statement.primitive, tuple(arguments), statement.attributes, statement.shape,
            statement.dtype, None, statement.origin,
        )  # fmt: skip
        # A user's rule may need values, and several results at once have no one formula.
        self.is_opaque = bool(statement.primitive.rules) or any(
            isinstance(item.dtype, tuple) for item in (statement, *statement.arguments)
        )

    # ----- formulas -----------------------------------------------------------------------------

    def expression(self, style: Style) -> str:
        """The right-hand side: ``v0·v1``."""
        if not self.copy.arguments:
            return self.statement.attributes.get("name") or self.statement.primitive.name
        names = {s: style.value(self._numbers[a]) for a, s in self.neighbours.items()}
        return style.expression(self.copy, names) or self.statement.primitive.name

    def tangent(self, style: Style) -> str:
        """The tangent in terms of the arguments and their tangents: ``v̇0·v1 + v̇1·v0``."""
        if self._tangent is None:
            return "0" if not self.is_opaque else self._chained_tangent(style)
        formula, seeds = self._tangent
        names = self._names(style)
        names |= {seed: style.tangent(self._numbers[argument]) for argument, seed in seeds.items()}
        return style.expression(formula, names) or self._chained_tangent(style)

    def _chained_tangent(self, style: Style) -> str:
        terms = [
            style.chain(style.tangent(self._numbers[a]), self.number, self._numbers[a])
            for a in self.neighbours
            if a in self._varying
        ]
        return " + ".join(terms) or "0"

    def sent(self, position: int, style: Style) -> str:
        """What the statement adds to the adjoint of its argument: ``v̄3·v1``."""
        chained = style.chain(
            style.adjoint(self.number), self.number,
            self._numbers[self.statement.arguments[position]],
        )  # fmt: skip
        if self._contributions is None or position not in self._contributions[1]:
            return chained
        seed, contributions = self._contributions
        names = self._names(style) | {seed: style.adjoint(self.number)}
        return style.expression(contributions[position], names) or chained

    def partial(self, position: int, style: Style) -> str | None:
        """The partial derivative in the argument at ``position``, where it is elementwise."""
        formula = self._partials.get(position)
        return None if formula is None else style.expression(formula, self._names(style))

    def partial_value(self, position: int) -> Any:
        """The value of that partial derivative, None where it is not elementwise."""
        formula = self._partials.get(position)
        if formula is None or self.statement.value is None:
            return None
        leaves = {self.neighbours[a]: a.value for a in self.neighbours} | {
            self.copy: self.statement.value
        }
        graph = Graph(tuple(leaves), (formula,))
        with np.errstate(all="ignore"):
            return graph.evaluate(*leaves.values())[0]

    def _names(self, style: Style) -> dict[Statement, str]:
        """The names of the arguments, and of the result, which derivatives may use."""
        names = {s: style.value(self._numbers[a]) for a, s in self.neighbours.items()}
        return names | {self.copy: style.value(self.number)}

    # ----- derivatives of the copy --------------------------------------------------------------

    @cached_property
    def _tangent(self) -> tuple[Statement, dict[Statement, Statement]] | None:
        if self.is_opaque:
            return None
        seeds = {a: stand_in(a) for a in self.neighbours if a in self._varying}
        by_stand_in = {self.neighbours[a]: seed for a, seed in seeds.items()}
        if not seeds or self.statement not in self._varying:
            return None
        with preserved_origin():
            inherit_origin(self.statement.origin)
            result = tangent_of(self.copy, [by_stand_in.get(a) for a in self.copy.arguments])
            if result is None:
                return None
            return tidied(result, stop=self._leaves(seeds.values())), seeds

    @cached_property
    def _contributions(self) -> tuple[Statement, dict[int, Statement]] | None:
        if self.is_opaque:
            return None
        return self._pulled(stand_in(self.statement))

    @cached_property
    def _partials(self) -> dict[int, Statement]:
        """position -> partial derivative, for elementwise statements of one shape."""
        row = self.statement.primitive
        if self.is_opaque or row.kind.name != "ELEMENTWISE":
            return {}
        if any(argument.shape != self.statement.shape for argument in self.neighbours):
            return {}
        return self._pulled(constant(np.ones((), self.statement.dtype)[()]))[1]

    def _pulled(self, seed: Statement) -> tuple[Statement, dict[int, Statement]]:
        found: dict[int, Statement] = {}

        def observe(statement: Statement, position: int, contribution: Any) -> None:
            if statement is self.copy and isinstance(contribution, Statement):
                found[position] = contribution

        active = [s for a, s in self.neighbours.items() if a in self._varying]
        with preserved_origin():
            inherit_origin(self.statement.origin)
            pull_back([self.copy], [seed], active, observe)
            stop = self._leaves([seed] if seed.value is None else [])
            return seed, {p: tidied(contribution, stop) for p, contribution in found.items()}

    def _leaves(self, seeds: Any) -> set[Statement]:
        return {self.copy, *self.neighbours.values(), *seeds}


def tidied(root: Statement, stop: set[Statement]) -> Statement:
    """``root`` with signs and divisions where a person would put them.

    a·(1/b) becomes a/b, a·(-b) becomes -(a·b), a + (-b) becomes a - b, 1·a becomes a, and changes
    to the shape or dtype that a statement has already are left out.

    >>> from chainrule.graph.statement import input_statement
    >>> from chainrule.graph.text import expression_text
    >>> x, y = input_statement((), float), input_statement((), float)
    >>> expression_text(tidied(x * (1 / y) + y * -x, {x, y}), {x: "x", y: "y"})
    'x/y - y*x'
    """
    known: dict[Statement, Statement] = {}
    for statement in ancestors([root], stop=()):
        if statement in stop or not statement.arguments:
            known[statement] = statement
            continue
        arguments = tuple(known[argument] for argument in statement.arguments)
        rule = _RULES.get(statement.primitive.name)
        better = None if rule is None else rule(*arguments)
        if statement.primitive.name in _CHANGES_SHAPE_OR_TYPE:
            (argument, *_) = arguments
            if (argument.shape, argument.dtype) == (statement.shape, statement.dtype):
                better = argument
            elif statement.primitive.name == "convert" and argument.dtype.kind == "f":
                better = argument  # A matter of digits, not of mathematics.
        if better is not None and better.shape == statement.shape:
            known[statement] = better
        elif arguments == statement.arguments:
            known[statement] = statement
        else:
            known[statement] = apply(statement.primitive, *arguments, **statement.attributes)
    return known[root]


def _is(statement: Statement, name: str) -> bool:
    return statement.primitive.name == name


def _is_number(statement: Statement, number: float) -> bool:
    return statement.is_constant and statement.shape == () and bool(statement.value == number)


def _product(a: Statement, b: Statement) -> Statement | None:
    if _is_number(a, 1):
        return b
    if _is_number(b, 1):
        return a
    if _is(b, "negative"):
        return -times(a, b.arguments[0])
    if _is(a, "negative"):
        return -times(a.arguments[0], b)
    if _is(b, "divide"):
        return over(times(a, b.arguments[0]), b.arguments[1])
    return None


def times(a: Statement, b: Statement) -> Statement:
    """a·b, tidied."""
    better = _product(a, b)
    return a * b if better is None else better


def _sum(a: Statement, b: Statement) -> Statement | None:
    return a - b.arguments[0] if _is(b, "negative") else None


def _difference(a: Statement, b: Statement) -> Statement | None:
    return a + b.arguments[0] if _is(b, "negative") else None


def _quotient(a: Statement, b: Statement) -> Statement | None:
    if _is(a, "divide") and a.arguments[1] is b:
        return a.arguments[0] / b**2
    return -over(a.arguments[0], b) if _is(a, "negative") else None


def over(a: Statement, b: Statement) -> Statement:
    """a/b, tidied."""
    better = _quotient(a, b)
    return a / b if better is None else better


def _opposite(a: Statement) -> Statement | None:
    return a.arguments[0] if _is(a, "negative") else None


_RULES: dict[str, Callable[..., Statement | None]] = {
    "multiply": _product,
    "add": _sum,
    "subtract": _difference,
    "divide": _quotient,
    "negative": _opposite,
}
