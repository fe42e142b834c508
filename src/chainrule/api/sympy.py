"""Conversion of expressions to SymPy and back, statement by statement, where SymPy is installed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.diff.algebra import as_fraction
from chainrule.errors import GraphError
from chainrule.graph.graph import Graph
from chainrule.graph.statement import Statement, apply, constant, input_statement, lookup

# Names here -> names in SymPy, where both are functions of the same arguments.
_FUNCTIONS = {
    "abs": "Abs", "exp": "exp", "log": "log", "sqrt": "sqrt", "sin": "sin", "cos": "cos",
    "tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "erf": "erf", "sign": "sign", "floor": "floor", "ceil": "ceiling",
    "maximum": "Max", "minimum": "Min", "greater": "Gt", "greater_equal": "Ge", "less": "Lt",
    "less_equal": "Le", "equal": "Eq", "not_equal": "Ne", "logical_and": "And",
    "logical_or": "Or", "logical_not": "Not",
}  # fmt: skip
# Of these, the ones that SymPy's own trees contain; sqrt is a power there.
_FROM_FUNCTIONS = {there: here for here, there in _FUNCTIONS.items() if here != "sqrt"}
_FROM_RELATIONS = {
    "StrictGreaterThan": "greater", "GreaterThan": "greater_equal", "StrictLessThan": "less",
    "LessThan": "less_equal", "Equality": "equal", "Unequality": "not_equal",
}  # fmt: skip
_JOINED = {"Add": "add", "Mul": "multiply", "Max": "maximum", "Min": "minimum",
           "And": "logical_and", "Or": "logical_or"}  # fmt: skip


def installed() -> ModuleType:
    """The module ``sympy``.

    Raises:
        ImportError: where it is missing, with how to get it.
    """
    try:
        import sympy
    except ImportError:
        raise ImportError(
            "SymPy is not installed, and conversion needs it: pip install sympy"
        ) from None
    return sympy


def to_sympy(output: Statement, names: Mapping[Statement, str]) -> Any:
    """The expression of ``output`` in SymPy; common parts stay shared.

    Args:
        output: a scalar expression.
        names: the variables.

    Raises:
        GraphError: where a primitive has no counterpart.
    """
    sympy = installed()
    symbols = {statement: sympy.Symbol(name, real=True) for statement, name in names.items()}
    return _in_sympy(sympy, output, symbols)


def _in_sympy(sympy: ModuleType, output: Statement, leaves: Mapping[Statement, Any]) -> Any:
    """``output`` in SymPy, given the leaves; coarse primitives are expanded."""
    rules = _rules(sympy)
    known = dict(leaves)
    for statement in Graph((), (output,)).statements:
        if statement in known:
            continue
        row = statement.primitive
        if statement.is_constant and statement.shape == ():
            known[statement] = _number(sympy, statement.value)
            continue
        arguments = [known[argument] for argument in statement.arguments]
        if row.name in _FUNCTIONS and statement.shape == ():
            known[statement] = getattr(sympy, _FUNCTIONS[row.name])(*arguments)
        elif row.name in rules and statement.shape == ():
            known[statement] = rules[row.name](*arguments, **statement.attributes)
        elif row.expansion is not None and statement.shape == ():
            fresh = [input_statement((), argument.dtype) for argument in statement.arguments]
            expanded = row.expansion(*fresh, **statement.attributes)
            values = dict(zip(fresh, arguments, strict=True))
            known[statement] = _in_sympy(sympy, expanded, values)
        else:
            raise GraphError(
                f"{row.name} of shape {statement.shape} has no counterpart in SymPy"
                f"{f' (from {statement.origin})' if statement.origin else ''}"
            )
    return known[output]


def _rules(sympy: ModuleType) -> dict[str, Callable[..., Any]]:
    """Primitives that SymPy writes with others."""
    return {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "power": lambda a, b: a**b,
        "negative": lambda a: -a,
        "square": lambda a: a**2,
        "reciprocal": lambda a: 1 / a,
        "remainder": lambda a, b: a - b * sympy.floor(a / b),
        "floor_divide": lambda a, b: sympy.floor(a / b),
        "copy": lambda a: a,
        "convert": lambda a, dtype: a,
        "where": lambda c, a, b: sympy.Piecewise((a, c), (b, True)),
        "exp2": lambda a: sympy.Integer(2) ** a,
        "expm1": lambda a: sympy.exp(a) - 1,
        "log1p": lambda a: sympy.log(1 + a),
        "log2": lambda a: sympy.log(a) / sympy.log(2),
        "log10": lambda a: sympy.log(a) / sympy.log(10),
        # Piecewise, because SymPy's own root of a negative number is complex.
        "cbrt": lambda a: sympy.sign(a) * sympy.Abs(a) ** sympy.Rational(1, 3),
        "logaddexp": lambda a, b: sympy.log(sympy.exp(a) + sympy.exp(b)),
        "hypot": lambda a, b: sympy.sqrt(a**2 + b**2),
        "clip": lambda x, low, high: sympy.Min(sympy.Max(x, low), high),
        "trunc": lambda a: sympy.sign(a) * sympy.floor(sympy.Abs(a)),
    }


def _number(sympy: ModuleType, value: Any) -> Any:
    """A number of SymPy: exact where it is a fraction or pi, else a float of 53 bits."""
    if isinstance(value, bool | np.bool_):
        return sympy.true if value else sympy.false
    value = float(value)
    if not math.isfinite(value):
        return sympy.nan if math.isnan(value) else sympy.oo if value > 0 else -sympy.oo
    if value == math.pi:
        return sympy.pi
    fraction = as_fraction(value)
    if fraction is not None:
        return sympy.Rational(fraction.numerator, fraction.denominator)
    return sympy.Float(value, 17)


def to_statement(expression: Any) -> tuple[list[str], list[Statement], Statement]:
    """An expression of SymPy as (names of variables, their statements, the expression).

    Raises:
        GraphError: where a function or constant of it has no counterpart here.
    """
    sympy = installed()
    expression = sympy.sympify(expression)
    symbols = sorted(expression.free_symbols, key=lambda symbol: symbol.sort_key())
    names = [symbol.name for symbol in symbols]
    inputs = [input_statement((), np.float64, name=name) for name in names]
    known: dict[Any, Statement] = dict(zip(symbols, inputs, strict=True))
    pending = [expression]
    while pending:
        node = pending[-1]
        if node in known:
            pending.pop()
            continue
        arguments = _arguments(sympy, node)
        missing = [argument for argument in arguments if argument not in known]
        if missing:
            pending += reversed(missing)
            continue
        pending.pop()
        known[node] = _converted(sympy, node, [known[argument] for argument in arguments])
    return names, inputs, known[expression]


def _arguments(sympy: ModuleType, node: Any) -> list[Any]:
    """The parts of a node in reading order; branches of Piecewise side by side."""
    if node.is_Number or node.is_NumberSymbol:
        return []
    if isinstance(node, sympy.Piecewise):
        return [part for branch in node.args for part in branch.args]
    if node.is_Add or node.is_Mul:
        return list(node.as_ordered_terms() if node.is_Add else node.as_ordered_factors())
    return list(node.args)


def _converted(sympy: ModuleType, node: Any, arguments: list[Statement]) -> Statement:
    name = type(node).__name__
    if node.is_Number or node.is_NumberSymbol:
        if node.is_finite is False or node is sympy.nan:
            raise GraphError(f"{node} is not a finite number")
        return constant(np.float64(Fraction(node.p, node.q)) if node.is_Rational else float(node))
    if node in (sympy.true, sympy.false):
        return constant(np.bool_(bool(node)))
    if isinstance(node, sympy.Piecewise):
        *branches, last = zip(arguments[::2], arguments[1::2], strict=True)
        default = constant(np.float64(np.nan))
        value, condition = last
        always = condition.is_constant and bool(condition.value)
        result = value if always else apply(lookup("where"), condition, value, default)
        for value, condition in reversed(branches):
            result = apply(lookup("where"), condition, value, result)
        return result
    if name in _JOINED:
        result = arguments[0]
        for argument in arguments[1:]:
            result = apply(lookup(_JOINED[name]), result, argument)
        return result
    if name == "Pow":
        base, exponent = arguments
        if node.exp == sympy.Rational(1, 2):
            return apply(lookup("sqrt"), base)
        return apply(lookup("power"), base, exponent)
    here = _FROM_RELATIONS.get(name) or _FROM_FUNCTIONS.get(name)
    if here is None or (here == "log" and len(arguments) != 1):
        what = "the imaginary unit" if node is sympy.I else f"{name} ({node!s:.60})"
        raise GraphError(f"{what} has no counterpart among the primitives")
    return apply(lookup(here), *arguments)
