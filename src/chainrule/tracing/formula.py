"""Formulas in text: ``ln(x1) + x1*x2 - sin(x2)`` becomes a function that can be traced.

The language: ``+ - * /``, powers (``^`` or ``**``, from right to left), unary minus (which binds
less than a power: -x^2 is -(x^2)), parentheses, numbers (``1e-3``), ``pi``, ``e``, names of
variables, and the elementwise functions of the table of primitives under the names that mathematics
and NumPy give them.

The parser is E. W. Dijkstra's shunting yard (1961): one pass with a stack of its own, so that no
depth of nesting exhausts Python's, to instructions in postfix order. Nothing is ever handed to
Python's evaluator.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.origin import Origin, inherit_origin, preserved_origin
from chainrule.graph.primitive import Kind
from chainrule.graph.statement import Statement, all_primitives, lookup
from chainrule.tracing.traced import Traced, lower

CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}
_OTHER_NAMES = {
    "ln": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "min": "minimum", "max": "maximum",
    "pow": "power",
}  # fmt: skip
_WITHOUT_DERIVATIVE = ("sign", "floor", "ceil")
_ANY_NUMBER_OF_ARGUMENTS = ("minimum", "maximum")
_ATTRIBUTES: dict[str, dict[str, float]] = {"elu": {"alpha": 1.0}, "leaky_relu": {"slope": 0.01}}

# symbol -> (primitive, precedence); unary minus stands between products and powers.
_OPERATORS = {
    "+": ("add", 1), "-": ("subtract", 1), "*": ("multiply", 2), "/": ("divide", 2),
    "^": ("power", 4),
}  # fmt: skip
_SIGN_PRECEDENCE = 3
_SAME_OPERATOR = {"**": "^", "−": "-", "–": "-", "·": "*", "×": "*", "⋅": "*"}

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<operator>\*\*|[-+*/^−–·×⋅])"
    r"|(?P<punctuation>[(),])"
)


class FormulaError(ChainruleError, ValueError):
    """A formula that cannot be read, or a name in it without a meaning.

    Attributes:
        formula: the text.
        column: where in it, counted from 0.
    """

    def __init__(self, message: str, formula: str, column: int) -> None:
        self.formula, self.column = formula, column
        start = max(0, column - 60)
        shown = formula[start : column + 40]
        line = "".join(character if character.isprintable() else " " for character in shown)
        super().__init__(f"{message}\n  {line}\n  {' ' * (column - start)}^")


class Token(NamedTuple):
    """A number, name, operator or punctuation mark, and the column where it starts."""

    kind: str
    text: str
    column: int


class Instruction(NamedTuple):
    """One step of a formula in postfix order.

    ``operation`` is "number" or "name" with an ``operand`` to push, or the name of a primitive to
    apply to the ``arity`` values on top of the stack.
    """

    operation: str
    operand: Any
    arity: int


class Formula:
    """A formula that can be called, with numbers, arrays or traced values.

    Attributes:
        text: as it was given.
        names: its variables, in the order of their first appearance; those that differ only in
            their number (x1, x2) in the order of their numbers.

    >>> f = parse("ln(x1) + x1*x2 - sin(x2)")
    >>> f.names
    ('x1', 'x2')
    >>> round(f(2, 5), 3), round(f(x2=5, x1=2), 3)
    (11.652, 11.652)
    """

    def __init__(self, text: str, instructions: tuple[Instruction, ...]) -> None:
        self.text = text
        self.instructions = instructions
        appeared = dict.fromkeys(i.operand for i in instructions if i.operation == "name")
        stems: dict[str, int] = {}
        for name in appeared:
            stems.setdefault(_stem(name)[0], len(stems))
        self.names = tuple(
            sorted(appeared, key=lambda name: (stems[_stem(name)[0]], _stem(name)[1], name))
        )

    @property
    def __name__(self) -> str:
        return self.text if len(self.text) <= 60 else f"{self.text[:57]}..."

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"

    def __str__(self) -> str:
        return self.text

    def __call__(self, *values: Any, **named: Any) -> Any:
        """The value of the formula: NaN or infinite outside of its domain, never an exception.

        Args:
            values: one for each of ``names``: numbers, arrays that broadcast, or traced values.
            named: the same by name.

        Raises:
            FormulaError: where a variable has no value, or a value no variable.
        """
        known = self._bound(values, named)
        stack: list[Any] = []
        with preserved_origin(), np.errstate(all="ignore"):
            inherit_origin(Origin(f"formula {self.__name__!r}", 1, ""))
            for operation, operand, arity in self.instructions:
                if operation == "number":
                    stack.append(operand)
                elif operation == "name":
                    stack.append(known[operand])
                else:
                    arguments = stack[-arity:]
                    stack[-arity:] = [_applied(operation, arguments)]
        (result,) = stack
        return Traced(result) if isinstance(result, Statement) else result

    def _bound(self, values: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        wanted = ", ".join(self.names) or "none"
        if len(values) > len(self.names):
            raise FormulaError(
                f"{len(values)} values were given, and the formula has {len(self.names)} "
                f"variables ({wanted})", self.text, 0,
            )  # fmt: skip
        known = dict(zip(self.names, values, strict=False))
        for name, value in named.items():
            if name not in self.names:
                raise FormulaError(
                    f"the formula has no variable {name!r}{suggestion(name, self.names)} "
                    f"(its variables: {wanted})", self.text, 0,
                )  # fmt: skip
            if name in known:
                raise FormulaError(f"{name!r} was given two values", self.text, self.column(name))
            known[name] = value
        for name in self.names:
            if name not in known:
                raise FormulaError(f"{name!r} has no value", self.text, self.column(name))
        return {name: _real(value) for name, value in known.items()}

    def column(self, name: str) -> int:
        """Where a variable first stands in the text, counted from 0."""
        return next(
            token.column
            for token in tokens(self.text)
            if token.kind == "name" and token.text == name
        )


def parse(text: str) -> Formula:
    """Read a formula.

    Args:
        text: such as ``"ln(x1) + x1*x2 - sin(x2)"``; see the module for the language.

    Returns:
        The formula as a function of its variables.

    Raises:
        FormulaError: with a caret under the character that cannot be read.

    >>> parse("-x^2 + 2^3^0 * e^(-x)")(1.0) == -1 + 2 * math.exp(-1)
    True
    >>> parse("2x + 1")
    Traceback (most recent call last):
    chainrule.tracing.formula.FormulaError: a multiplication sign is missing: write 2*x
      2x + 1
       ^
    """
    return Formula(text, tuple(_Parser(text).run()))


def tokens(text: str) -> list[Token]:
    """The words of a formula, ended by a token of kind "end"."""
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FormulaError(_unreadable(text[position]), text, position)
        kind, word = str(match.lastgroup), match.group()
        while kind == "name" and word and not word.isidentifier():  # A letter's exponent, as in x².
            word = word[:-1]
        if not word:
            raise FormulaError(_unreadable(text[position]), text, position)
        if kind != "space":
            found.append(Token(kind, _SAME_OPERATOR.get(word, word), position))
        position += len(word)
    found.append(Token("end", "", len(text)))
    return found


def functions() -> dict[str, tuple[str, int]]:
    """Name in formulas -> (primitive, number of arguments), from the table of primitives."""
    table = all_primitives()
    found = {
        name: (name, len(row.partials))
        for name, row in table.items()
        if (row.kind is Kind.ELEMENTWISE and not row.symbol) or name in _WITHOUT_DERIVATIVE
    }
    found |= {other: (name, len(table[name].partials)) for other, name in _OTHER_NAMES.items()}
    return found


def suggestion(name: str, known: Any) -> str:
    """``; did you mean 'sin'?`` where something in ``known`` is like ``name``, else nothing."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


class _Waiting(NamedTuple):
    """On the stack: an operator whose right operand is being read, or an open parenthesis.

    A parenthesis has precedence 0, and the ``name`` of its function or none.
    """

    name: str
    precedence: int
    arity: int
    column: int


class _Parser:
    """Dijkstra's shunting yard: operators wait on a stack until their operands are complete."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.functions = functions()
        self.output: list[Instruction] = []
        self.waiting: list[_Waiting] = []
        self.arguments: list[int] = []  # Complete arguments of each open function.

    def run(self) -> list[Instruction]:
        if self.tokens[0].kind == "end":
            raise FormulaError("the formula is empty", self.text, 0)
        wants_operand = True
        previous = Token("start", "", 0)
        for position, token in enumerate(self.tokens):
            if wants_operand:
                following = self.tokens[min(position + 1, len(self.tokens) - 1)]
                wants_operand = self._operand(token, previous, following)
            else:
                wants_operand = self._after_operand(token, previous)
            previous = token
        return self.output

    def _operand(self, token: Token, previous: Token, following: Token) -> bool:
        """Read a token where an operand must begin; return whether one is still wanted."""
        kind, text, column = token
        if kind == "number":
            number = float(text)
            if math.isinf(number):
                raise FormulaError(f"the number {text} is too large", self.text, column)
            self.output.append(Instruction("number", number, 0))
            return False
        if kind == "name":
            return self._name(token, following)
        if kind == "operator" and text in "+-":
            if text == "-":
                self.waiting.append(_Waiting("negative", _SIGN_PRECEDENCE, 1, column))
            return True
        if text == "(":
            if previous.kind != "name":
                self.waiting.append(_Waiting("", 0, 0, column))
            return True
        if text == ")" and previous.text == "(":
            function = self.waiting[-1].name
            what = f"{function} has no argument" if function else "the parentheses are empty"
            raise FormulaError(what, self.text, column)
        after = f" after {previous.text!r}" if previous.text else ""
        if kind == "end":
            raise FormulaError(
                f"the formula ends where a value is expected{after}", self.text, column
            )
        raise FormulaError(f"{text!r} stands where a value is expected{after}", self.text, column)

    def _name(self, token: Token, following: Token) -> bool:
        _, name, column = token
        if following.text == "(":
            if name not in self.functions:
                hint = suggestion(name, self.functions)
                hint = hint or f"; to multiply, write {name}*(...)"
                raise FormulaError(f"there is no function {name!r}{hint}", self.text, column)
            self.waiting.append(_Waiting(name, 0, 0, column))
            self.arguments.append(0)
            return True
        if name in self.functions:
            operand = following.text if following.kind in ("name", "number") else "..."
            raise FormulaError(
                f"the function {name} needs parentheses: write {name}({operand})", self.text, column
            )
        if name in CONSTANTS:
            self.output.append(Instruction("number", CONSTANTS[name], 0))
        else:
            self.output.append(Instruction("name", name, 0))
        return False

    def _after_operand(self, token: Token, previous: Token) -> bool:
        """Read a token after an operand; return whether another operand must follow."""
        kind, text, column = token
        if kind == "operator":
            primitive, precedence = _OPERATORS[text]
            self._release(precedence + (text == "^"))
            self.waiting.append(_Waiting(primitive, precedence, 2, column))
            return True
        if kind == "end":
            self._release(1)
            if self.waiting:
                column = self.waiting[-1].column + len(self.waiting[-1].name)
                raise FormulaError("this parenthesis is not closed", self.text, column)
            return False
        if text == ",":
            self._release(1)
            if not self.waiting or not self.waiting[-1].name:
                hint = "; a decimal number is written 1.5" if previous.kind == "number" else ""
                raise FormulaError(
                    f"a comma can only separate the arguments of a function{hint}",
                    self.text,
                    column,
                )
            self.arguments[-1] += 1
            return True
        if text == ")":
            self._close(column)
            return False
        if kind == "number" and previous.kind == "number":
            raise FormulaError("an operator is missing between two numbers", self.text, column)
        raise FormulaError(
            f"a multiplication sign is missing: write {previous.text}*{text}", self.text, column
        )

    def _close(self, column: int) -> None:
        self._release(1)
        if not self.waiting:
            raise FormulaError("this parenthesis was never opened", self.text, column)
        opened = self.waiting.pop()
        name = opened.name
        if not name:
            return
        given = self.arguments.pop() + 1
        primitive, count = self.functions[name]
        if primitive in _ANY_NUMBER_OF_ARGUMENTS and given > count:
            self.output += [Instruction(primitive, None, 2)] * (given - 1)
            return
        if given != count:
            plural = "" if count == 1 else "s"
            raise FormulaError(
                f"{name} takes {count} argument{plural}, and {given} "
                f"{'was' if given == 1 else 'were'} given", self.text, opened.column,
            )  # fmt: skip
        self.output.append(Instruction(primitive, None, count))

    def _release(self, precedence: int) -> None:
        """Write the waiting operators that bind at least as tightly as ``precedence``."""
        while self.waiting and self.waiting[-1].precedence >= precedence:
            top = self.waiting.pop()
            self.output.append(Instruction(top.name, None, top.arity))


def _applied(operation: str, arguments: list[Any]) -> Any:
    row, attributes = lookup(operation), _ATTRIBUTES.get(operation, {})
    if any(isinstance(argument, Statement) for argument in arguments):
        return row(*arguments, **attributes)
    if all(isinstance(argument, float) for argument in arguments):
        # Bare numbers compute as float64 and stay bare: they take the dtype of what they meet.
        return float(row.evaluate(*map(np.float64, arguments), **attributes))
    return row.evaluate(*arguments, **attributes)


def _real(value: Any) -> Any:
    """A variable's value: a float, a floating array or the statement of a traced value."""
    value = lower(value)
    if isinstance(value, Statement) or (
        isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f"
    ):
        return value
    if isinstance(value, int | float):
        return float(value)
    return np.asarray(value, float)[()]


def _stem(name: str) -> tuple[str, int]:
    """``x12`` as ("x", 12); a name without a number counts as number -1."""
    match = re.fullmatch(r"(.*?)([0-9]+)", name)
    return (match.group(1), int(match.group(2))) if match else (name, -1)


def _unreadable(character: str) -> str:
    hints = {
        "=": "a formula is one expression; leave out what stands before the equals sign",
        "[": "use round parentheses", "]": "use round parentheses",
        "{": "use round parentheses", "}": "use round parentheses",
        "|": "write abs(x)", "√": "write sqrt(x)", "²": "write x^2", "³": "write x^3",
        ".": "a decimal point belongs to a number", "!": "there is no factorial",
    }  # fmt: skip
    hint = f"; {hints[character]}" if character in hints else ""
    return f"the character {character!r} has no meaning in a formula{hint}"
