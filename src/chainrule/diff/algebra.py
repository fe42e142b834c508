"""Sums and products in normal form: the algebra behind simplification.

A formula becomes a shared graph of nodes in which equal formulas are the same node. A sum holds
each of its terms once with a coefficient, a product each of its factors once with an exponent:
collecting like terms, cancelling, and adding exponents is what building them does. Coefficients are
exact fractions where the number is one (2, 0.5, 1/3), floats where it is not.

Rules that hold except at isolated points (x/x = 1, x*0 = 0, exp(ln x) = x) are used; the square
root of a square stays an absolute value.

Source: J. S. Cohen, Computer Algebra and Symbolic Computation: Mathematical Methods (2003),
chapter 3, on automatic simplification.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.graph.primitive import Primitive
from chainrule.graph.statement import Statement, attribute_key, lookup

Number = Fraction | float

_LARGEST = 2**53
_ONE = Fraction(1)
# A shared sum or product is only taken apart if it is small: flattening must not undo sharing.
_FLAT_IF_SHARED, _FLAT_IF_SINGLE = 8, 16
_ODD = {
    "sin", "tan", "arcsin", "arctan", "sinh", "tanh", "arcsinh", "arctanh", "erf", "sign", "cbrt",
}  # fmt: skip
_EVEN = {"cos", "cosh", "abs"}


class Node:
    """A formula in normal form. Nodes are compared by identity: ``Algebra`` makes each only once.

    ``kind`` is one of

    * ``number``: ``coefficient``; ``symbol``: a number kept by its name, pi
    * ``leaf``: ``statement``, a variable or a constant that is no finite real number
    * ``call``: ``primitive`` of ``arguments`` with ``attributes``
    * ``sum``: ``parts`` maps terms to coefficients; the node of the number 1 stands for a constant
    * ``product``: ``coefficient`` times the factors in ``parts``, each to the power it is mapped to
    """

    __slots__ = (
        "arguments", "attributes", "coefficient", "kind", "number", "parts", "primitive",
        "statement",
    )  # fmt: skip

    def __init__(self, kind: str, number: int) -> None:
        self.kind = kind
        self.number = number  # Of its making: arguments have smaller ones.
        self.coefficient: Number = _ONE
        self.parts: dict[Node, Number] = {}
        self.arguments: tuple[Node, ...] = ()
        self.attributes: Mapping[str, Any] = {}
        self.primitive: Primitive | None = None
        self.statement: Statement | None = None

    def calls(self, *names: str) -> bool:
        """Whether the node is a call of one of the primitives ``names``."""
        return self.primitive is not None and self.primitive.name in names


class Algebra:
    """Makes nodes, equal ones only once."""

    def __init__(self) -> None:
        self._nodes: dict[Hashable, Node] = {}
        self.one = self.constant(_ONE)
        self.zero = self.constant(Fraction(0))
        self.pi = self.constant(math.pi)

    def _made(self, kind: str, *key: Hashable) -> tuple[Node, bool]:
        found = self._nodes.get((kind, *key))
        if found is not None:
            return found, False
        node = self._nodes[(kind, *key)] = Node(kind, len(self._nodes))
        return node, True

    # ----- leaves and calls -----------------------------------------------------------------------

    def constant(self, value: Number) -> Node:
        """The node of a finite number."""
        node, _ = self._made("symbol" if value == math.pi else "number", value)
        node.coefficient = value
        return node

    def from_float(self, value: float) -> Node:
        """The node of a finite float: an exact fraction, a known constant, or the float itself."""
        fraction = as_fraction(value)
        if fraction is not None:
            return self.constant(fraction)
        for scale in (1, 2, 4):
            for fraction in (Fraction(scale), Fraction(1, scale)):
                if abs(value) == float(fraction) * math.pi:
                    return self.product(fraction if value > 0 else -fraction, {self.pi: _ONE})
        half, two = Fraction(1, 2), self.constant(Fraction(2))
        known: dict[float, tuple[Number, dict[Node, Number]]] = {
            math.sqrt(0.5): (_ONE, {two: -half}),
            math.sqrt(2): (_ONE, {two: half}),
            math.sqrt(2 * math.pi): (_ONE, {two: half, self.pi: half}),
            1 / math.sqrt(2 * math.pi): (_ONE, {two: -half, self.pi: -half}),
            2 / math.sqrt(math.pi): (Fraction(2), {self.pi: -half}),
        }
        if value in known:
            return self.product(*known[value])
        for argument in (2, 10):
            if value == math.log(argument):
                return self.call(lookup("log"), (self.constant(Fraction(argument)),), {})
        return self.constant(value)

    def leaf(self, statement: Statement) -> Node:
        """The node of a variable, or of a constant that is no finite real number."""
        key: Hashable = statement
        if statement.is_constant and statement.shape == ():
            key = (str(statement.dtype), str(statement.value))
        node, fresh = self._made("leaf", key)
        if fresh:
            node.statement = statement
        return node

    def call(
        self, primitive: Primitive, arguments: tuple[Node, ...], attributes: Mapping[str, Any]
    ) -> Node:
        """The node of ``primitive`` applied to ``arguments``, as it stands."""
        key = tuple((name, attribute_key(value)) for name, value in sorted(attributes.items()))
        node, fresh = self._made("call", primitive, arguments, key)
        if fresh:
            node.primitive, node.arguments, node.attributes = primitive, arguments, attributes
        return node

    # ----- sums -----------------------------------------------------------------------------------

    def add(self, terms: Iterable[tuple[Number, Node, bool]]) -> Node:
        """The sum of nodes with coefficients; small sums among them are taken apart.

        Args:
            terms: (coefficient, node, whether this sum is the node's only user).
        """
        terms = list(terms)
        collected: dict[Node, Number] = {}
        for scale, node, single in terms:
            flat = node.kind == "sum" and abs(scale) == 1 and _may_flatten(node, single)
            parts = node.parts if flat else dict([self.split(node)])
            for core, coefficient in parts.items():
                collected[core] = bounded(collected.get(core, 0) + scale * coefficient)
        for core in [core for core in collected if core.kind == "sum"]:
            scale = collected[core]  # 4*(1 - x) - 4*x has like terms inside.
            if scale and _may_flatten(core, False) and not collected.keys().isdisjoint(core.parts):
                collected[core] = Fraction(0)
                for inner, coefficient in core.parts.items():
                    collected[inner] = bounded(collected.get(inner, 0) + scale * coefficient)
        return self.sum(collected)

    def split(self, node: Node) -> tuple[Node, Number]:
        """A term as (the term without its coefficient, the coefficient)."""
        if node.kind == "number":
            return self.one, node.coefficient
        if node.kind == "product" and node.coefficient != 1:
            return self.product(_ONE, node.parts), node.coefficient
        return node, _ONE

    def sum(self, terms: Mapping[Node, Number]) -> Node:
        """The node of a sum of cores with coefficients."""
        parts = {node: coefficient for node, coefficient in terms.items() if coefficient != 0}
        if not parts:
            return self.zero
        if len(parts) == 1:
            ((node, coefficient),) = parts.items()
            return self.scaled(coefficient, node)
        node, fresh = self._made("sum", frozenset(parts.items()))
        if fresh:
            node.parts = parts
        return node

    def scaled(self, scale: Number, node: Node) -> Node:
        """A number times a node."""
        return self.multiply([(_ONE, node, False)], scale)

    # ----- products -------------------------------------------------------------------------------

    def multiply(
        self, factors: Iterable[tuple[Number, Node, bool]], coefficient: Number = _ONE
    ) -> Node:
        """The product of nodes to powers; small products among them are taken apart.

        Args:
            factors: (exponent, node, whether this product is the node's only user).
            coefficient: a number to multiply with.

        Raises:
            ArithmeticError: where the numbers in it do not have a finite product.
        """
        collected: dict[Node, Number] = {}

        def gather(base: Node, exponent: Number) -> None:
            collected[base] = bounded(collected.get(base, 0) + exponent)

        for exponent, node, single in factors:
            if not is_whole(exponent):
                node, exponent = self._root(node, exponent)
            if node.kind == "product" and is_whole(exponent) and _may_flatten(node, single):
                scale = power_of_number(node.coefficient, exponent)
                coefficient = bounded(coefficient * (_ONE if scale is None else scale))
                for base, inner in node.parts.items():
                    gather(base, bounded(inner * exponent))
            else:
                gather(node, exponent)
        return self.product(coefficient, collected)

    def _root(self, node: Node, exponent: Number) -> tuple[Node, Number]:
        """A power with a broken exponent, its base taken apart as far as signs allow.

        sqrt(4 x) = 2 sqrt(x), but sqrt(x y) stays, and sqrt(x**2) is abs(x).
        """
        if node.kind != "product" or node.coefficient < 0:
            return node, exponent
        if node.coefficient != 1:
            number = self.constant(node.coefficient)
            parts = [(exponent, number, False), (exponent, self.product(_ONE, node.parts), False)]
            return self.multiply(parts), _ONE
        if len(node.parts) > 1:
            return node, exponent
        ((base, inner),) = node.parts.items()
        if exponent == Fraction(1, 2) and inner == 2:
            return self.function(lookup("abs"), (base,), {}), _ONE
        if base.calls("exp") or not (is_whole(inner) and inner % 2 == 0):
            return base, bounded(inner * exponent)
        return node, exponent

    def product(self, coefficient: Number, factors: Mapping[Node, Number]) -> Node:
        """The node of a coefficient times bases to powers."""
        parts: dict[Node, Number] = {}
        for base, exponent in factors.items():
            if exponent == 0 or base is self.one:
                continue
            if base.kind == "number":
                folded = power_of_number(base.coefficient, exponent)
                if folded is not None:
                    coefficient = bounded(coefficient * folded)
                    continue
            parts[base] = exponent
        if coefficient == 0:
            return self.zero
        if not parts:
            return self.constant(coefficient)
        if len(parts) == 1:
            ((base, exponent),) = parts.items()
            if exponent == 1 and coefficient == 1:
                return base
            if exponent == 1 and coefficient == -1 and base.kind == "sum":
                return self.sum({term: -c for term, c in base.parts.items()})
        node, fresh = self._made("product", coefficient, frozenset(parts.items()))
        if fresh:
            node.coefficient, node.parts = coefficient, parts
        return node

    # ----- functions ------------------------------------------------------------------------------

    def power(self, base: Node, exponent: Node, single: bool) -> Node:
        """``base ** exponent``; a constant part of the exponent is split off: x**(n - 1)."""
        if exponent.kind == "number":
            return self.multiply([(exponent.coefficient, base, single)])
        if base.kind == "number" and base.coefficient == math.e:
            return self.function(lookup("exp"), (exponent,), {})
        if base is self.one:
            return base
        if exponent.kind == "sum" and self.one in exponent.parts:
            rest = {term: c for term, c in exponent.parts.items() if term is not self.one}
            whole = self.call(lookup("power"), (base, self.sum(rest)), {})
            return self.multiply([(_ONE, whole, False), (exponent.parts[self.one], base, False)])
        return self.call(lookup("power"), (base, exponent), {})

    def function(
        self, primitive: Primitive, arguments: tuple[Node, ...], attributes: Mapping[str, Any]
    ) -> Node:
        """``primitive`` of ``arguments``, with inverse pairs, signs and numbers worked out."""
        name, first = primitive.name, arguments[0]
        if name == "exp":
            if first.calls("log"):
                return first.arguments[0]
            if first is self.zero:
                return self.one
            core, coefficient = self.split(first)
            if core is not self.one:
                return self.product(_ONE, {self.call(primitive, (core,), attributes): coefficient})
        if name == "log" and first.calls("exp"):
            return first.arguments[0]
        if name == "log" and first.kind == "product" and len(first.parts) == 1:
            ((base, exponent),) = first.parts.items()
            if base.calls("exp") and first.coefficient == 1:
                return self.scaled(exponent, base.arguments[0])
        if name in _ODD | _EVEN and is_negative(first):
            inner = self.function(primitive, (self.scaled(-_ONE, first),), attributes)
            return inner if name in _EVEN else self.scaled(-_ONE, inner)
        if primitive.evaluate is not None and all(a.kind == "number" for a in arguments):
            folded = self._folded(primitive, arguments, attributes)
            if folded is not None:
                return folded
        return self.call(primitive, arguments, attributes)

    def _folded(
        self, primitive: Primitive, arguments: tuple[Node, ...], attributes: Mapping[str, Any]
    ) -> Node | None:
        """A function of numbers as a number; ln(2) and the like stay as they are written."""
        values = [np.float64(float(argument.coefficient)) for argument in arguments]
        with np.errstate(all="ignore"):
            value = primitive.evaluate(*values, **attributes)
        if value.dtype != np.float64 or not np.isfinite(value):
            return None
        exact = all(isinstance(argument.coefficient, Fraction) for argument in arguments)
        if exact and as_fraction(float(value)) is None:
            return None
        return self.from_float(float(value))


def _may_flatten(node: Node, single: bool) -> bool:
    return len(node.parts) <= (_FLAT_IF_SINGLE if single else _FLAT_IF_SHARED)


def is_whole(value: Number) -> bool:
    """Whether a number is an integer."""
    return isinstance(value, Fraction) and value.denominator == 1


def magnitude(value: Number) -> Number:
    """The number without its sign."""
    return -value if value < 0 else value


def is_negative(node: Node) -> bool:
    """Whether the node is a negative number, or a product with a negative coefficient."""
    return node.kind in ("number", "product") and node.coefficient < 0


def bounded(value: Number) -> Number:
    """``value``, as a float where the fraction would grow long.

    Raises:
        ArithmeticError: where it is not finite.
    """
    if isinstance(value, Fraction):
        if max(abs(value.numerator), value.denominator) <= _LARGEST:
            return value
        return float(value)
    if not math.isfinite(value):
        raise OverflowError("a coefficient is not finite")
    return as_fraction(value) or value if value else Fraction(0)


def as_fraction(value: float) -> Fraction | None:
    """The simple fraction that ``value`` is the nearest double to, if there is one.

    >>> as_fraction(0.1), as_fraction(1 / 3), as_fraction(2.75), as_fraction(0.123456789)
    (Fraction(1, 10), Fraction(1, 3), Fraction(11, 4), None)
    """
    if abs(value) > _LARGEST or 0 < abs(value) < 1e-6:
        return None
    fraction = Fraction(value).limit_denominator(64)
    if float(fraction) == value:
        return fraction
    decimal = Fraction(str(value))  # 0.044715 is 44715/1000000, not its nearest double.
    return decimal if decimal.denominator <= 10**6 else None


def power_of_number(base: Number, exponent: Number) -> Number | None:
    """The number ``base ** exponent``; None where it is better left as it is written (2**0.5).

    Raises:
        ArithmeticError: where it is not finite.
    """
    if is_whole(exponent):
        whole = int(exponent)
        if isinstance(base, Fraction) and abs(whole) > 64:
            base = float(base)
        return bounded(base**whole)
    if base < 0 or base == 0:
        raise ZeroDivisionError("a power of a number that is not positive")
    value = float(base) ** float(exponent)
    if isinstance(base, float) or isinstance(exponent, float):
        return bounded(value)
    return as_fraction(value)
