"""Statements and expressions as text and LaTeX, with no more parentheses than precedence needs.

``statement_text`` writes one line of a Wengert list (``v0*v1``), ``expression_text`` a whole tree
down to the statements that have names (``1/x1 + x2``). Both read the operator or the template from
the row of the primitive. A tree may be exponentially larger than its graph, so it is counted first,
and written only when it is small enough; nothing here recurs over the graph.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import GraphError
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
MAXIMUM_NODES = 10_000


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
        base = wrapped(arguments[0], ATOM, _BRACKETS)
        return Fragment(f"{base}^{{{arguments[1].text}}}", POWER, "**")
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
    if not pieces[0][0] and pieces[0][1] is not None:  # Starts with an argument: a power of it.
        base = wrapped(arguments[0], ATOM, _BRACKETS)
        return Fragment(template.format(base), POWER, "**")
    if pieces[-1][1] is None or len(arguments) != 1:
        return Fragment(template.format(*(argument.text for argument in arguments)), POWER)
    operand = arguments[0].text
    name = template.format("").rstrip()
    closed = name + _BRACKETS[0] + operand + _BRACKETS[1]
    bare = arguments[0].precedence == ATOM
    return Fragment(template.format(operand) if bare else closed, POWER, "", closed)


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
