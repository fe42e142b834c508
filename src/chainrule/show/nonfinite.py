"""Where the first NaN or infinity was born: the statement, its operands, the user's line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph.graph import Graph
from chainrule.graph.origin import Origin
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.statement import Statement
from chainrule.show.local import Local
from chainrule.show.numbering import numbered
from chainrule.show.numbers import as_array, value_text
from chainrule.show.style import TEXT


@dataclass(frozen=True)
class NonFinite:
    """The first value that is NaN or infinite.

    Attributes:
        phase: "input", "forward" or "backward".
        name: the statement (``v2``), or its adjoint (``v̄2``), or the name of the input.
        expression: its right-hand side; backward, the contribution to the adjoint.
        operands: (name, value) of what it was computed from.
        value: the number or array.
        origin: the user's line and the module path; None where there is no line.
    """

    phase: str
    name: str
    expression: str
    operands: tuple[tuple[str, Any], ...]
    value: Any
    origin: Origin | None

    @property
    def kind(self) -> str:
        """ "NaN" or "infinity"."""
        return "NaN" if np.isnan(as_array(self.value)).any() else "infinity"

    def __str__(self) -> str:
        index = _first(self.value)
        share = _share(self.value, index)
        if self.phase == "input":
            return f"the input {self.name} is not finite: {_at(self.value, index)}{share}"
        shown = f"{self.name} = {self.expression} = {_at(self.value, index)}{share}"
        sentence = f"the first {self.kind} appeared in the {self.phase} pass: {shown}"
        if self.operands:
            operands = (f"{name} = {_at(value, index)}" for name, value in self.operands)
            sentence += f", with {', '.join(operands)}"
        if self.origin is None or self.origin.file.startswith("formula "):
            return sentence  # Of a formula there is only one line.
        return f"{sentence}\n  at {self.origin}"


def is_finite(value: Any) -> bool:
    """Whether every number in ``value`` is finite; whole numbers and truth values always are."""
    return first_lost(value) is None


def first_lost(value: Any) -> Any:
    """The first number in ``value`` that is NaN or infinite, None where all are finite.

    >>> first_lost((np.ones(3), np.array([1.0, -np.inf, np.nan])))
    np.float64(-inf)
    """
    if value is None or isinstance(value, tuple | list):
        lost = (first_lost(part) for part in value or ())
        return next((number for number in lost if number is not None), None)
    array = np.asarray(value.rows if isinstance(value, RowSparse) else value)
    if array.dtype.kind not in "fc":
        return None
    finite = np.isfinite(array)
    return None if finite.all() else array[~finite].flat[0]


def first_birth(statements: Iterable[Statement]) -> Statement | None:
    """The first of some statements with values that is not finite though its operands all are.

    What is infinite on purpose, a mask for example, is a constant, and what it gives no birth.
    """
    for statement in statements:
        if statement.is_constant or is_finite(statement.value):
            continue
        if all(is_finite(argument.value) for argument in statement.arguments):
            return statement
    return None


def first_nonfinite(graph: Graph, values: Sequence[Any]) -> NonFinite | None:
    """Evaluate a graph statement by statement, up to the first value that is not finite.

    Args:
        graph: with or without values of its own; a graph that contains derivatives is searched
            through them too.
        values: one for each of its inputs.

    Returns:
        The first input or statement, in the order of evaluation, that holds NaN or infinity; None
        where every value is finite.

    >>> from chainrule.graph.statement import input_statement, lookup
    >>> x = input_statement((), float, name="x")
    >>> graph = Graph((x,), (lookup("log")(x - 3.0) * 2.0,))
    >>> print(str(first_nonfinite(graph, [1.0])).splitlines()[0])
    the first NaN appeared in the forward pass: v2 = ln(v1) = nan, with v1 = -2
    >>> first_nonfinite(graph, [4.0])
    """
    numbers = numbered(graph.inputs, graph.outputs)
    known: dict[Statement, Any] = dict(zip(graph.inputs, values, strict=True))
    for statement, value in known.items():
        if not is_finite(value):
            return of_input(statement.attributes.get("name") or f"v{numbers[statement]}", value)
    with np.errstate(all="ignore"):
        for statement in graph.statements[len(graph.inputs) :]:
            known[statement] = _evaluated(statement, known)
            if statement in numbers and not is_finite(known[statement]):
                return of_statement(statement, numbers, known)
    return None


def _evaluated(statement: Statement, known: Mapping[Statement, Any]) -> Any:
    if not statement.arguments:
        return statement.value
    values = [known[argument] for argument in statement.arguments]
    if not statement.primitive.accepts_row_sparse:
        values = [v.to_dense() if isinstance(v, RowSparse) else v for v in values]
    return statement.primitive.evaluate(*values, **statement.attributes)


def of_input(name: str, value: Any) -> NonFinite:
    """An input that is not finite to begin with."""
    return NonFinite("input", name, name, (), np.asarray(value), None)


def of_statement(
    statement: Statement, numbers: Mapping[Statement, int], known: Mapping[Statement, Any]
) -> NonFinite:
    """A statement whose value is not finite."""
    local = Local(statement, numbers, set())
    operands = tuple(
        (f"v{numbers[argument]}", as_array(known[argument])) for argument in local.neighbours
    )
    # A constant that is not finite itself is a suspect, and has no name to be looked up by.
    operands += tuple(
        ("a constant", as_array(argument.value))
        for argument in statement.arguments
        if argument not in numbers and not is_finite(argument.value)
    )
    name, value = f"v{numbers[statement]}", as_array(known[statement])
    return NonFinite(
        "forward", name, local.expression(TEXT), operands, value, statement.origin
    )  # fmt: skip


def _first(value: Any) -> tuple[int, ...]:
    """The index of the first entry that is not finite."""
    array = as_array(value)
    return tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0]) if array.ndim else ()


def _at(value: Any, index: tuple[int, ...]) -> str:
    """A small value in full, a large one by its entry at ``index`` where it has one."""
    array = as_array(value)
    if array is None or array.size <= 1 or len(index) != array.ndim:
        return value_text(value)
    if any(i >= n for i, n in zip(index, array.shape, strict=True)):
        return value_text(value)
    return f"{value_text(array[index])} at {list(index)}"


def _share(value: Any, index: tuple[int, ...]) -> str:
    array = as_array(value)
    if not array.ndim:
        return ""
    return f" ({int((~np.isfinite(array)).sum())} of {array.size} entries)"
