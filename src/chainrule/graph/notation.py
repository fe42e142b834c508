"""Two notations, text and LaTeX: how names, constants and operations look.

A formula is put together from fragments that know how tightly they bind, so that parentheses stand
only where precedence needs them. Operators and templates come from the rows of the primitives.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any, NamedTuple

import numpy as np

from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement

OR, AND, COMPARISON, SUM, NEGATIVE, PRODUCT, POWER, ATOM = range(8)

_PRECEDENCE = {
    "or": OR, "and": AND,
    ">": COMPARISON, ">=": COMPARISON, "<": COMPARISON, "<=": COMPARISON, "==": COMPARISON,
    "!=": COMPARISON, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "@": PRODUCT,
    "**": POWER,
}  # fmt: skip
# Operators of a right operand that need no parentheses after the same operation: a + (b - c).
_ASSOCIATIVE = {"+": ("+", "-"), "*": ("*",), "and": ("and",), "or": ("or",)}
_LATEX_OPERATORS = {
    "*": " ", "@": r" \, ", ">=": r" \geq ", "<=": r" \leq ", "==": " = ", "!=": r" \neq ",
    "and": r" \land ", "or": r" \lor ", "//": r" \operatorname{div} ",
}  # fmt: skip
_FUNCTION_NAMES = {"log": "ln"}  # np.log is the natural logarithm; log alone leaves a doubt.
_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu",
    "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
}  # fmt: skip
_PARENTHESES = ("(", ")")
_BRACKETS = (r"\left(", r"\right)")
_HIDDEN = {("keepdims", False)}


class Fragment(NamedTuple):
    """A piece of a formula: its text, the precedence of its outermost operation, and that
    operation's symbol. ``closed`` is the form for places where something follows on the right."""

    text: str
    precedence: int = ATOM
    symbol: str = ""
    closed: str = ""

    def before_others(self) -> Fragment:
        """The fragment as it must look where something follows."""
        return self._replace(text=self.closed) if self.closed else self


class Notation(NamedTuple):
    """A way of writing: how names, constants, and statements with written arguments look."""

    name: Callable[[str], str]
    constant: Callable[[Any], Fragment]
    combine: Callable[[Statement, Sequence[Fragment]], Fragment]


# ----- text -------------------------------------------------------------------------------------


def wrapped(fragment: Fragment, needed: int, parentheses: tuple[str, str]) -> str:
    """The fragment, in parentheses if it binds less tightly than ``needed``."""
    if fragment.precedence >= needed:
        return fragment.text
    return parentheses[0] + fragment.text + parentheses[1]


def _binary_operands(
    symbol: str, left: Fragment, right: Fragment, parentheses: tuple[str, str]
) -> tuple[str, str]:
    """Both operands, with parentheses where the operator between them needs them.

    A minus sign never follows another operator bare: x - (-2).
    """
    precedence = _PRECEDENCE[symbol]
    left_needs = precedence + (precedence in (COMPARISON, POWER))
    if precedence == PRODUCT:
        left_needs = NEGATIVE  # -x*y is (-x)*y without writing so.
        left = left.before_others()
    first = wrapped(left, left_needs, parentheses)
    joins = right.symbol in _ASSOCIATIVE.get(symbol, ())
    if right.text.startswith("-"):
        right_needs = ATOM + 1
    else:
        right_needs = precedence if joins or precedence == POWER else precedence + 1
    return first, wrapped(right, right_needs, parentheses)


def _combine_text(statement: Statement, arguments: Sequence[Fragment]) -> Fragment:
    row, attributes = statement.primitive, statement.attributes
    if row.name == "copy":
        return arguments[0]
    if row.name == "negative":
        operand = arguments[0]
        needs = ATOM + 1 if operand.text.startswith("-") else PRODUCT
        return Fragment("-" + wrapped(operand, needs, _PARENTHESES), NEGATIVE, "-")
    if row.name == "square":
        return Fragment(wrapped(arguments[0], ATOM, _PARENTHESES) + "**2", POWER, "**")
    if row.name == "reciprocal":
        return Fragment("1/" + wrapped(arguments[0], POWER, _PARENTHESES), PRODUCT, "/")
    if row.name in ("slice", "gather", "item"):
        index = attributes.get("index", (attributes.get("position"),))
        array = wrapped(arguments[0], ATOM, _PARENTHESES)
        return Fragment(f"{array}[{_index(index, arguments[1:])}]")
    if row.symbol in _PRECEDENCE and len(arguments) == 2:
        left, right = arguments
        first, second = _binary_operands(row.symbol, left, right, _PARENTHESES)
        gap = "" if _PRECEDENCE[row.symbol] >= PRODUCT and row.symbol != "@" else " "
        text = f"{first}{gap}{row.symbol}{gap}{second}"
        return Fragment(text, _PRECEDENCE[row.symbol], row.symbol)
    parts = [argument.text for argument in arguments]
    parts += [f"{key}={value}" for key, value in shown_attributes(attributes)]
    return Fragment(f"{_FUNCTION_NAMES.get(row.name, row.name)}({', '.join(parts)})")


def shown_attributes(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The attributes worth reading, as text: numbers, names, axes, shapes, subscripts, dtypes."""
    shown = []
    for key, value in attributes.items():
        if isinstance(value, np.dtype):
            shown.append((key, str(value)))
        elif isinstance(value, str | bool | int | float | np.generic | tuple | list | type(None)):
            text = value if isinstance(value, str) else _attribute(value)
            if (key, value) not in _HIDDEN and len(text) <= 80:
                shown.append((key, text))
    return shown


def _attribute(value: Any) -> str:
    """An attribute as Python writes it, slices as ``1:3``."""
    if isinstance(value, tuple):
        inside = [_attribute(item) for item in value]
        return f"({', '.join(inside)}{',' * (len(inside) == 1)})"
    if isinstance(value, slice):
        return _index((value,), ())
    return number_text(value) if isinstance(value, float | np.generic) else repr(value)


def _index(index: Any, arrays: Sequence[Fragment]) -> str:
    """The inside of the brackets of ``x[...]``; gathered positions are filled from ``arrays``."""
    positions = iter(arrays)
    parts = []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, Gathered):
            parts.append(next(positions).text)
        elif isinstance(part, slice):
            limits = ["" if limit is None else str(limit) for limit in (part.start, part.stop)]
            step = "" if part.step is None else f":{part.step}"
            parts.append(":".join(limits) + step)
        else:
            parts.append("..." if part is Ellipsis else str(part))
    return ", ".join(parts)


def number_text(value: Any) -> str:
    """A number as a person writes it: ``2`` for 2.0, ``pi`` for the double nearest to it.

    >>> number_text(2.0), number_text(0.1), number_text(-3.141592653589793), number_text(1e-7)
    ('2', '0.1', '-pi', '1e-07')
    """
    if isinstance(value, float) and abs(value) == math.pi:
        return "pi" if value > 0 else "-pi"
    text = str(value)
    return text.removesuffix(".0") if text.endswith(".0") else text


def _constant_text(value: Any) -> Fragment:
    if not hasattr(value, "shape") or getattr(value, "shape", ()) != ():
        shape = getattr(value, "shape", ())
        if isinstance(value, np.ndarray) and 0 < value.size <= 4 and value.ndim == 1:
            return Fragment(f"[{', '.join(number_text(item) for item in value)}]")
        return Fragment(f"constant{list(shape)}".replace(" ", ""))
    text = number_text(value)
    return Fragment(text, NEGATIVE if text.startswith("-") else ATOM)


# ----- LaTeX ------------------------------------------------------------------------------------


def latex_name(name: str) -> str:
    r"""A name in LaTeX: digits at its end become a subscript, Greek letters are drawn.

    Names that are LaTeX already (with a backslash or a brace in them) stay as they are.

    >>> print(latex_name("x1"), latex_name("sigma"), latex_name("distance"))
    x_{1} \sigma \mathrm{distance}
    """
    if "\\" in name or "{" in name:
        return name
    match = re.fullmatch(r"([^\W\d_]+)_?(\d+)", name)
    stem, subscript = match.groups() if match else (name, "")
    if stem.lower() in _GREEK:
        stem = "\\" + stem
    elif len(stem) > 1:
        stem = r"\mathrm{" + stem.replace("_", r"\_") + "}"
    return f"{stem}_{{{subscript}}}" if subscript else stem


def _combine_latex(statement: Statement, arguments: Sequence[Fragment]) -> Fragment:
    row = statement.primitive
    if row.name == "copy":
        return arguments[0]
    if row.name == "where":
        condition, yes, no = (argument.text for argument in arguments)
        return Fragment(
            rf"\begin{{cases}} {yes} & \text{{if }} {condition} \\ {no} & \text{{otherwise}}"
            r" \end{cases}",
            COMPARISON,
        )
    if row.name == "negative":
        operand = arguments[0]
        needs = ATOM + 1 if operand.text.startswith("-") else PRODUCT
        closed = wrapped(operand.before_others(), needs, _BRACKETS)
        text = wrapped(operand, needs, _BRACKETS)
        return Fragment("-" + text, NEGATIVE, "-", "-" + closed)
    if row.latex:
        return _filled_template(row.latex, arguments)
    if row.name == "power":
        return _latex_power(arguments[0], arguments[1].text)
    if row.symbol in _PRECEDENCE and len(arguments) == 2:
        left, right = arguments
        first, second = _binary_operands(row.symbol, left, right, _BRACKETS)
        sign = _LATEX_OPERATORS.get(row.symbol, f" {row.symbol} ")
        if row.symbol == "*" and (second[0].isdigit() or right.symbol == "number"):
            sign = r" \cdot "
        text = first + sign + second
        closed = text.removesuffix(right.text) + right.closed if right.closed else ""
        return Fragment(text, _PRECEDENCE[row.symbol], row.symbol, closed)
    if row.name in ("slice", "gather", "item"):
        index = statement.attributes.get("index", (statement.attributes.get("position"),))
        array = wrapped(arguments[0], ATOM, _BRACKETS)
        return Fragment(rf"{array}\left[{_index(index, arguments[1:])}\right]")
    parts = [argument.text for argument in arguments]
    parts += [
        rf"\mathrm{{{key}}}={value}".replace("_", r"\_")
        for key, value in shown_attributes(statement.attributes)
    ]
    name = r"\operatorname{" + (_FUNCTION_NAMES.get(row.name, row.name)).replace("_", r"\_") + "}"
    return Fragment(rf"{name}\left({', '.join(parts)}\right)", POWER)


def _filled_template(template: str, arguments: Sequence[Fragment]) -> Fragment:
    """The template with its arguments; at an open edge (``\\sin {0}``) perhaps in parentheses."""
    pieces = list(Formatter().parse(template))
    if not pieces[0][0] and pieces[0][1] is not None:  # {0}^{2}
        return _latex_power(arguments[0], template.partition("^")[2].strip("{}"))
    if pieces[-1][1] is None or len(arguments) != 1:
        return Fragment(template.format(*(argument.text for argument in arguments)), POWER)
    operand = arguments[0].text
    name = template.format("").rstrip()
    closed = name + _BRACKETS[0] + operand + _BRACKETS[1]
    bare = arguments[0].precedence == ATOM
    return Fragment(template.format(operand) if bare else closed, POWER, "function", closed)


def _latex_power(base: Fragment, exponent: str) -> Fragment:
    r"""A power; of a function with a positive whole exponent as it is spoken: ``\sin^{2} x``."""
    name = re.match(r"(\\[a-z]+)(?: |\\left)", base.text)
    if base.symbol == "function" and name and exponent.isdigit():
        end = name.end(1)
        text, closed = (f"{s[:end]}^{{{exponent}}}{s[end:]}" for s in (base.text, base.closed))
        return Fragment(text, POWER, "**", closed)
    return Fragment(f"{wrapped(base, ATOM, _BRACKETS)}^{{{exponent}}}", POWER, "**")


def _constant_latex(value: Any) -> Fragment:
    fragment = _constant_text(value)
    text = fragment.text.replace("pi", r"\pi").replace("inf", r"\infty")
    mantissa, power, exponent = text.partition("e")
    if power and re.fullmatch(r"[-+]?\d+", exponent):
        tens = f"10^{{{int(exponent)}}}"
        if mantissa in ("1", "-1"):
            text = mantissa.removesuffix("1") + tens
        else:
            text = rf"{mantissa} \cdot {tens}"
        return Fragment(text, NEGATIVE if text.startswith("-") else PRODUCT, "number")
    return fragment._replace(text=text, symbol="number" if text[-1].isdigit() else "")


TEXT = Notation(lambda name: name, _constant_text, _combine_text)
LATEX = Notation(latex_name, _constant_latex, _combine_latex)
