"""Derivatives of loops: the tangent of a scan is a scan, and so is its adjoint, run backwards.

The backward scan reads the carries that the forward scan saved at the start of each step, and the
results that were costly; it computes the rest of the step again and pulls the adjoints back through
it. The adjoints of values that every step reads are accumulated in carries of their own.

Source: Griewank and Walther, Evaluating Derivatives (2008), chapter 12 (the storage of loops).
"""

from __future__ import annotations

from typing import Any

from chainrule.diff.forward import push_forward
from chainrule.diff.reverse import Parts, dense, pull_back
from chainrule.graph.graph import Graph, ancestors
from chainrule.graph.statement import Statement, input_statement
from chainrule.graph.table.control import scan
from chainrule.graph.table.structural import item, zeros_like

Slots = list[Statement | None]


def staged_like(statement: Statement, shape: tuple[int, ...] | None = None) -> Statement:
    """A fresh input of a body graph."""
    return input_statement(statement.shape if shape is None else shape, statement.dtype)


def or_zeros(adjoint: Statement | None, like: Statement) -> Statement:
    """The adjoint as an array, zeros where it is None."""
    return zeros_like(like) if adjoint is None else dense(adjoint)


class Loop:
    """The parts of a scan statement, by role."""

    def __init__(self, statement: Statement) -> None:
        attributes = statement.attributes
        self.body: Graph = attributes["body"]
        self.carries: int = attributes["carries"]
        self.length: int = attributes["length"]
        self.reverse: bool = attributes["reverse"]
        self.saved: tuple[int, ...] = attributes["saved"]
        sequences = self.carries + attributes["sequences"]
        self.statement = statement
        self.initial = statement.arguments[: self.carries]
        self.xs = statement.arguments[self.carries : sequences]
        self.constants = statement.arguments[sequences:]
        self.outputs = len(self.body.outputs) - self.carries

    def history(self, wanted: list[int]) -> list[Statement]:
        """The carries ``wanted`` at the start of every step; run again where not saved."""
        if set(wanted) <= set(self.saved):
            first = self.carries + self.outputs
            return [item(self.statement, position=first + self.saved.index(i)) for i in wanted]
        attributes = {**self.statement.attributes, "saved": tuple(wanted)}
        again = scan(*self.statement.arguments, **attributes)
        first = self.carries + self.outputs
        return [item(again, position=first + i) for i in range(len(wanted))]


def scan_tangent(statement: Statement, tangents: Slots) -> list[Statement | None]:
    """One tangent per result of the scan, by position."""
    loop = Loop(statement)
    body = loop.body
    initial = tangents[: loop.carries]
    xs = tangents[loop.carries : loop.carries + len(loop.xs)]
    constants = tangents[loop.carries + len(loop.xs) :]
    moving = [i for i, c in enumerate(loop.initial) if c.is_differentiable]
    values = [staged_like(s) for s in body.inputs]
    moved: dict[int, Statement] = {i: staged_like(loop.initial[i]) for i in moving}
    moved_xs = {i: staged_like(values[loop.carries + i]) for i, t in enumerate(xs) if t is not None}
    moved_constants = {
        i: staged_like(loop.constants[i]) for i, t in enumerate(constants) if t is not None
    }
    results = body.inline(*values)
    directions: Slots = [
        *(moved.get(i) for i in range(loop.carries)),
        *(moved_xs.get(i) for i in range(len(loop.xs))),
        *(moved_constants.get(i) for i in range(len(loop.constants))),
    ]
    pushed = push_forward(results, values, directions)
    finals, ys = results[: loop.carries], results[loop.carries :]
    final_tangents = [or_zeros(pushed[i], results[i]) for i in moving]
    moving_ys = [i for i, y in enumerate(ys) if pushed[loop.carries + i] is not None]
    y_tangents = [pushed[loop.carries + i] for i in moving_ys]
    first = loop.carries + len(loop.xs)
    new_body = Graph(
        (
            *values[: loop.carries], *moved.values(),
            *values[loop.carries : first], *moved_xs.values(),
            *values[first:], *moved_constants.values(),
        ),
        (*finals, *final_tangents, *ys, *(y for y in y_tangents if y is not None)),
    )  # fmt: skip
    saved_moving = [i for i in loop.saved if i in moving]
    carries = loop.carries + len(moving)
    result = scan(
        *loop.initial, *(or_zeros(initial[i], loop.initial[i]) for i in moving),
        *loop.xs, *(dense(xs[i]) for i in moved_xs),  # type: ignore[arg-type]
        *loop.constants, *(dense(constants[i]) for i in moved_constants),  # type: ignore[arg-type]
        body=new_body, carries=carries, sequences=len(loop.xs) + len(moved_xs),
        length=loop.length, reverse=loop.reverse,
        saved=(*loop.saved, *(loop.carries + moving.index(i) for i in saved_moving)),
    )  # fmt: skip
    by_position: Slots = [None] * len(statement.shape)
    for number, i in enumerate(moving):
        by_position[i] = item(result, position=loop.carries + number)
    for number, i in enumerate(moving_ys):
        by_position[loop.carries + i] = item(result, position=carries + len(ys) + number)
    histories = carries + len(ys) + len(moving_ys)
    for number, i in enumerate(saved_moving):
        position = loop.carries + loop.outputs + loop.saved.index(i)
        by_position[position] = item(result, position=histories + len(loop.saved) + number)
    return by_position


def scan_adjoint(statement: Statement, adjoint: Parts, active: list[bool]) -> Slots:
    """The adjoints of initial carries, sequences and constants."""
    loop = Loop(statement)
    body, carries = loop.body, loop.carries
    first = carries + len(loop.xs)
    varying = [i for i, c in enumerate(loop.initial) if c.is_differentiable]
    varying_xs = [i for i in range(len(loop.xs)) if active[carries + i]]
    varying_constants = [i for i in range(len(loop.constants)) if active[first + i]]
    values = [staged_like(s) for s in body.inputs]
    results = body.inline(*values)
    carry_adjoints = {i: staged_like(loop.initial[i]) for i in varying}
    sums = [staged_like(loop.constants[i]) for i in varying_constants]
    given = adjoint.by_position
    seen_ys = [i for i in range(loop.outputs) if carries + i in given]
    y_adjoints = {i: staged_like(body.outputs[carries + i]) for i in seen_ys}
    # Adjoints of the saved histories arrive when a backward pass is differentiated itself.
    seen_saved = [n for n in range(len(loop.saved)) if carries + loop.outputs + n in given]
    saved_adjoints = {n: staged_like(loop.initial[loop.saved[n]]) for n in seen_saved}
    seeds: Slots = [
        *(carry_adjoints.get(i) for i in range(carries)),
        *(y_adjoints.get(i) for i in range(loop.outputs)),
    ]
    wanted = [
        *(values[i] for i in varying),
        *(values[carries + i] for i in varying_xs),
        *(values[first + i] for i in varying_constants),
    ]
    pulled = [
        or_zeros(found, like)
        for found, like in zip(pull_back(results, seeds, wanted), wanted, strict=True)
    ]
    new_carries = pulled[: len(varying)]
    for n in seen_saved:
        number = varying.index(loop.saved[n])
        new_carries[number] = new_carries[number] + saved_adjoints[n]
    x_adjoints = pulled[len(varying) : len(varying) + len(varying_xs)]
    terms = pulled[len(varying) + len(varying_xs) :]
    new_sums = [total + term for total, term in zip(sums, terms, strict=True)]
    outputs = (*new_carries, *new_sums, *x_adjoints)
    # Results that the forward loop has stacked are read, not computed again.
    stacked_ys = {results[carries + i]: i for i in range(loop.outputs)}
    for value in values:
        stacked_ys.pop(value, None)
    reached = set(ancestors(outputs, stop=[*values, *stacked_ys]))
    needed = [i for i in range(carries) if values[i] in reached]
    read = {y: i for y, i in stacked_ys.items() if y in reached and not y.is_constant}
    back = Graph(
        (
            *carry_adjoints.values(), *sums,
            *(values[i] for i in needed), *read, *values[carries:first],
            *y_adjoints.values(), *saved_adjoints.values(),
            *values[first:],
        ),
        outputs,
    )  # fmt: skip
    histories = loop.history(needed)
    offset = carries + loop.outputs
    result = scan(
        *(or_zeros(given.get(i), loop.initial[i]) for i in varying),
        *(zeros_like(loop.constants[i]) for i in varying_constants),
        *histories, *(item(statement, position=carries + i) for i in read.values()), *loop.xs,
        *(given[carries + i] for i in seen_ys), *(given[offset + n] for n in seen_saved),
        *loop.constants,
        body=back, carries=len(varying) + len(sums),
        sequences=len(needed) + len(read) + len(loop.xs) + len(seen_ys) + len(seen_saved),
        length=loop.length, reverse=not loop.reverse, saved=(),
    )  # fmt: skip
    found: Slots = [None] * len(statement.arguments)
    for number, i in enumerate(varying):
        found[i] = item(result, position=number) if active[i] else None
    for number, i in enumerate(varying_constants):
        found[first + i] = item(result, position=len(varying) + number)
    stacked = len(varying) + len(sums)
    for number, i in enumerate(varying_xs):
        found[carries + i] = item(result, position=stacked + number)
    return found


def item_tangent(statement: Statement, tangents: list[Any]) -> Statement | None:
    """The tangent of one of several results."""
    return tangents[0][statement.attributes["position"]]


scan.rules["tangent"] = scan_tangent
scan.rules["adjoint"] = scan_adjoint
item.rules["tangent"] = item_tangent
