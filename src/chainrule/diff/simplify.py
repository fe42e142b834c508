"""Simplification: statements -> equal statements, as few and as readable as a person's.

The graph is read statement by statement into the normal forms of ``diff.algebra`` and written back:
common parts once, like terms collected, factors cancelled, signs and divisions where a person would
put them. Terms keep the order of the source, factors stand as numbers, variables, functions, sums.

Values do not change, up to rounding, at points where both are finite; at isolated points the
simplified form may have a value where the original had none (x/x at 0), or the reverse. Piecewise
functions (where, maximum, abs, sign, relu) stay piecewise. Only real numbers of float64 take part;
arrays and other dtypes are shared but left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.diff.algebra import Algebra, Node, Number, is_whole, magnitude
from chainrule.graph.graph import Graph
from chainrule.graph.origin import inherit_origin, preserved_origin
from chainrule.graph.primitive import Primitive
from chainrule.graph.statement import Statement, apply, constant, lookup

_ONE = Fraction(1)
_HALF = Fraction(1, 2)
_CHANGES_NOTHING = {"copy", "convert", "broadcast_to", "sum_to_shape", "reshape", "to_dense"}


def simplify(outputs: Sequence[Statement]) -> list[Statement]:
    """Statements equal to ``outputs`` in their simplest form, with everything shared.

    The work is linear in the size of the graph. The order of terms is deterministic.

    >>> from chainrule.graph.statement import input_statement
    >>> from chainrule.graph.text import expression_text
    >>> x, y = input_statement((), float), input_statement((), float)
    >>> [simple] = simplify([(x * 1 + 0 * y) * x * x + (y - y) + 1 / x / x])
    >>> expression_text(simple, {x: "x", y: "y"})
    'x**3 + 1/x**2'
    """
    algebra = Algebra()
    order = Graph((), tuple(outputs)).statements
    uses = dict.fromkeys(order, 0)
    for statement in order:
        for argument in statement.arguments:
            uses[argument] += 1
    reader = _Reader(algebra, uses)
    with np.errstate(all="ignore"):
        for statement in order:
            reader.read(statement)
        writer = _Writer(algebra)
        with preserved_origin():
            inherit_origin(None)
            return [writer.write(reader.nodes[output]) for output in outputs]


def is_real_number(statement: Statement) -> bool:
    """Whether the algebra of real numbers applies: one float64."""
    return statement.shape == () and statement.dtype == np.float64


class _Reader:
    """Statements -> nodes, arguments first."""

    def __init__(self, algebra: Algebra, uses: dict[Statement, int]) -> None:
        self.algebra = algebra
        self.uses = uses
        self.nodes: dict[Statement, Node] = {}

    def read(self, statement: Statement) -> None:
        if not statement.arguments:
            self.nodes[statement] = self._leaf(statement)
            return
        arguments = tuple(self.nodes[argument] for argument in statement.arguments)
        same = (statement.arguments[0].shape, statement.arguments[0].dtype)
        if statement.primitive.name in _CHANGES_NOTHING and same == (
            statement.shape,
            statement.dtype,
        ):
            self.nodes[statement] = arguments[0]
            return
        if statement.primitive.name == "where":
            self.nodes[statement] = self._where(statement, arguments)
            return
        if is_real_number(statement):
            arguments = tuple(self._real(argument) for argument in statement.arguments)
            try:
                self.nodes[statement] = self._formula(statement, arguments)
                return
            except ArithmeticError:  # Its numbers leave the range of floats: it stays as it is.
                pass
        self.nodes[statement] = self._call(statement, arguments)

    def _leaf(self, statement: Statement) -> Node:
        if statement.is_constant and is_real_number(statement) and np.isfinite(statement.value):
            return self.algebra.from_float(float(statement.value))
        return self.algebra.leaf(statement)

    def _call(self, statement: Statement, arguments: tuple[Node, ...]) -> Node:
        """Any primitive of any arguments; comparisons of numbers are decided."""
        row = statement.primitive
        if row.name == "multiply" and statement.dtype == np.bool_:
            row = lookup("logical_and")
        if statement.shape == () and all(node.kind == "number" for node in arguments):
            value = row.evaluate(
                *(np.float64(node.coefficient) for node in arguments), **statement.attributes
            )
            if getattr(value, "dtype", None) == np.bool_:
                return self.algebra.leaf(constant(value))
        return self.algebra.call(row, arguments, statement.attributes)

    def _real(self, statement: Statement) -> Node:
        """The node of an argument of a real function; truth values count as 1 and 0."""
        node = self.nodes[statement]
        if is_real_number(statement) or statement.shape != ():
            return node
        if statement.is_constant and statement.dtype.kind in "biu":
            return self.algebra.from_float(float(statement.value))
        if statement.dtype == np.bool_:
            algebra = self.algebra
            return algebra.call(lookup("where"), (node, algebra.one, algebra.zero), {})
        return self.algebra.call(lookup("convert"), (node,), {"dtype": np.dtype(np.float64)})

    def _where(self, statement: Statement, arguments: tuple[Node, ...]) -> Node:
        condition, yes, no = arguments
        if is_real_number(statement):
            yes, no = (self._real(argument) for argument in statement.arguments[1:])
        chosen = None
        if no.calls("where") and no.arguments[0] is condition:
            no = no.arguments[2]
        if yes.calls("where") and yes.arguments[0] is condition:
            yes = yes.arguments[1]
        if yes is no:
            chosen = 1
        elif condition.kind == "leaf" and (leaf := condition.statement) and leaf.is_constant:
            chosen = (1 if leaf.value else 2) if leaf.shape == () else None
        if chosen is not None:
            argument = statement.arguments[chosen]
            if argument.shape == statement.shape and (
                argument.dtype == statement.dtype or is_real_number(statement)
            ):
                return (yes, no)[chosen - 1]
        return self.algebra.call(statement.primitive, (condition, yes, no), {})

    def _formula(self, statement: Statement, arguments: tuple[Node, ...]) -> Node:
        """Real arithmetic and functions.

        Raises:
            ArithmeticError: where a constant in it is not finite.
        """
        algebra, name = self.algebra, statement.primitive.name
        if any(argument.shape != () for argument in statement.arguments):
            return algebra.call(statement.primitive, arguments, statement.attributes)
        single = [self.uses[argument] == 1 for argument in statement.arguments]
        x = arguments[0]
        if name in ("add", "subtract"):
            scale = _ONE if name == "add" else -_ONE
            return algebra.add([(_ONE, x, single[0]), (scale, arguments[1], single[1])])
        if name in ("multiply", "masked_product", "divide"):
            exponent = -_ONE if name == "divide" else _ONE
            return algebra.multiply([(_ONE, x, single[0]), (exponent, arguments[1], single[1])])
        if name == "negative":
            return algebra.scaled(-_ONE, x)
        if name in ("square", "reciprocal", "sqrt"):
            fixed = {"square": Fraction(2), "reciprocal": -_ONE, "sqrt": _HALF}[name]
            return algebra.multiply([(fixed, x, single[0])])
        if name == "power":
            return algebra.power(self._unguarded(x), arguments[1], single[0])
        if name == "log":
            x = self._unguarded(x)
        return algebra.function(statement.primitive, (x, *arguments[1:]), statement.attributes)

    def _unguarded(self, node: Node) -> Node:
        """a for where(a == 0 and ..., 1, a): how the table keeps powers finite at one point."""
        if not node.calls("where"):
            return node
        condition, yes, no = node.arguments
        parts = condition.arguments if condition.calls("logical_and") else (condition,)
        guarded = any(part.arguments == (no, self.algebra.zero) for part in parts)
        return no if yes is self.algebra.one and guarded else node


class _Writer:
    """Nodes -> statements, each once, in the form that reads best."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.written: dict[Node, Statement] = {}
        self._statements: dict[Any, Statement] = {}

    def write(self, root: Node) -> Statement:
        pending = [root]
        while pending:
            node = pending[-1]
            if node in self.written:
                pending.pop()
                continue
            needed = [part for part in self._needed(node) if part not in self.written]
            if needed:
                pending += reversed(needed)
                continue
            pending.pop()
            self.written[node] = self._statement(node)
        return self.written[root]

    def _needed(self, node: Node) -> list[Node]:
        if node.kind == "sum":
            return [term for _, term in self._terms(node)]
        if node.kind == "product":
            return [base for base, _ in self._factors(node)]
        return list(node.arguments)

    def _statement(self, node: Node) -> Statement:
        if node.kind in ("number", "symbol"):
            return self._number(node.coefficient)
        if node.statement is not None:
            return node.statement
        if node.kind == "sum":
            return self._sum(node)
        if node.kind == "product":
            return self._product(node)
        arguments = [self.written[argument] for argument in node.arguments]
        if node.primitive is None:
            raise ValueError(f"a node of kind {node.kind} has no primitive")
        if any(argument.shape for argument in arguments) or node.attributes:
            return apply(node.primitive, *arguments, **node.attributes)
        return self._applied(node.primitive, *arguments)

    def _applied(self, row: Primitive, *arguments: Statement) -> Statement:
        key = (row, *arguments)
        found = self._statements.get(key)
        if found is None:
            found = self._statements[key] = apply(row, *arguments)
        return found

    def _number(self, value: Number) -> Statement:
        """A constant, or a quotient such as 1/3 that decimals would not show exactly."""
        if isinstance(value, Fraction) and not _is_decimal(value):
            over = self._number(Fraction(value.denominator))
            return self._applied(lookup("divide"), self._number(Fraction(value.numerator)), over)
        key = float(value)
        if key not in self._statements:
            self._statements[key] = constant(np.float64(key))
        return self._statements[key]

    # ----- sums -----------------------------------------------------------------------------------

    def _terms(self, node: Node) -> list[tuple[int, Node]]:
        """(sign, term without it), in the order of the source, a positive one first if possible."""
        terms = []
        for core, coefficient in node.parts.items():
            sign = -1 if coefficient < 0 else 1
            terms.append((sign, self.algebra.scaled(magnitude(coefficient), core)))
        first = next((i for i, (sign, _) in enumerate(terms) if sign > 0), 0)
        return [terms[first], *terms[:first], *terms[first + 1 :]]

    def _sum(self, node: Node) -> Statement:
        result = None
        for sign, term in self._terms(node):
            statement = self.written[term]
            if result is None:
                result = statement if sign > 0 else self._applied(lookup("negative"), statement)
            else:
                row = lookup("add" if sign > 0 else "subtract")
                result = self._applied(row, result, statement)
        if result is None:
            raise ValueError("a sum without terms")
        return result

    # ----- products -------------------------------------------------------------------------------

    def _factors(self, node: Node) -> list[tuple[Node, Number]]:
        """(base, exponent) in the order to write them, exponents inside of exp and x**(n - 1)."""
        algebra = self.algebra
        factors = dict(node.parts)
        for base in list(factors):
            if base.calls("power") and factors.get(base) == 1:
                inner, exponent = base.arguments
                shift = factors.pop(inner, 0)
                if shift:
                    del factors[base]
                    total = algebra.add([(_ONE, exponent, False), (shift, algebra.one, False)])
                    merged = algebra.call(lookup("power"), (inner, total), {})
                    factors[merged] = factors.get(merged, 0) + _ONE
        roots = [base for base, e in factors.items() if _is_number(base) and not is_whole(e)]
        if len(roots) > 1 and len({factors[base] for base in roots}) == 1:  # sqrt(2*pi)
            inside = algebra.multiply([(_ONE, base, False) for base in roots])
            factors[inside] = factors[roots[0]]
            for base in roots:
                del factors[base]
        result: list[tuple[Node, Number]] = []
        for base, power in factors.items():
            if base.calls("exp") and power != 1:
                inside = algebra.scaled(power, base.arguments[0])
                base, power = algebra.call(lookup("exp"), (inside,), {}), _ONE
            result.append((base, power))
        return sorted(result, key=_reading_order)

    def _product(self, node: Node) -> Statement:
        above: list[Statement] = []
        below: list[Statement] = []
        for base, exponent in self._factors(node):
            statement = self.written[base]
            (above if exponent > 0 else below).append(self._power(statement, magnitude(exponent)))
        number, divisor = _as_quotient(magnitude(node.coefficient), bool(below))
        if number != 1 or not above:
            above.insert(0, self._number(number))
        if divisor != 1:
            below.insert(0, self._number(divisor))
        result = self._multiplied(above)
        if below:
            result = self._applied(lookup("divide"), result, self._multiplied(below))
        return self._applied(lookup("negative"), result) if node.coefficient < 0 else result

    def _multiplied(self, factors: list[Statement]) -> Statement:
        result = factors[0]
        for factor in factors[1:]:
            result = self._applied(lookup("multiply"), result, factor)
        return result

    def _power(self, base: Statement, exponent: Number) -> Statement:
        if exponent == 1:
            return base
        if exponent == _HALF:
            return self._applied(lookup("sqrt"), base)
        return self._applied(lookup("power"), base, self._number(exponent))


def _reading_order(factor: tuple[Node, Number]) -> tuple[int, int]:
    """Numbers, variables, functions, sums; and within each as they first appeared."""
    base = factor[0]
    classes = {"number": 0, "symbol": 0, "leaf": 1, "product": 1, "call": 2, "sum": 3}
    constant_root = base.kind == "product" and all(_is_number(part) for part in base.parts)
    return 0 if constant_root else classes[base.kind], base.number


def _is_number(node: Node) -> bool:
    return node.kind in ("number", "symbol")


def _is_decimal(value: Fraction) -> bool:
    """Whether a few decimals show the fraction exactly."""
    return 10**9 % value.denominator == 0


def _as_quotient(value: Number, divides: bool) -> tuple[Number, Number]:
    """A positive coefficient as (factor above, factor below) a fraction bar: x/2, 2*x/3, 0.1*x."""
    if not isinstance(value, Fraction) or is_whole(value):
        return value, _ONE
    above, below = Fraction(value.numerator), Fraction(value.denominator)
    if _is_decimal(value):
        short = below <= 8 and (above == 1 or divides)
        return (above, below) if short else (value, _ONE)
    return above, below
