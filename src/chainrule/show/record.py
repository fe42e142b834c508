"""What a trace holds: every value, tangent and adjoint of one evaluation.

Source: Baydin, Pearlmutter, Radul and Siskind, Automatic differentiation in machine learning: a
survey (2018), tables 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from chainrule.diff.forward import tangents_of
from chainrule.diff.reverse import accumulate, pull_back, varying_statements
from chainrule.errors import DifferentiationError, ShapeError
from chainrule.graph.graph import Graph, ancestors
from chainrule.graph.origin import Origin
from chainrule.graph.statement import Statement, constant
from chainrule.show.local import Local
from chainrule.show.nonfinite import NonFinite, is_finite, of_input, of_statement
from chainrule.show.numbering import depths_of, numbered
from chainrule.show.numbers import HANDFUL, as_array, value_text
from chainrule.show.style import TEXT, Style

STEP = 1e-6  # Of the central difference.
MOST_TERMS = 4  # Of an adjoint, written out.
MOST_SEEDS = 6  # Inputs for which tangent traces are shown without being asked for.


class Contribution(NamedTuple):
    """What a statement sends to the adjoint of one of its arguments."""

    sender: Statement
    position: int
    value: Any


class Check(NamedTuple):
    """A central difference beside the derivative that it should equal.

    For a large array both are taken along one random direction: ``along`` is then True.
    """

    numeric: Any
    deviation: float
    along: bool


@dataclass(frozen=True, eq=False)
class Line:
    """One numbered statement.

    Attributes:
        number: its index in the trace.
        statement: the statement, with its value.
        depth: 0 for an input.
        label: the name of the input or output that it is, else empty.
        local: its formulas.
        adjoint: the derivative of the result with respect to it; None where it has none.
        contributions: the terms of the adjoint, in the order in which they arrived.
    """

    number: int
    statement: Statement
    depth: int
    local: Local
    adjoint: Any
    contributions: tuple[Contribution, ...]
    input_name: str = ""
    output_names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``v3``."""
        return f"v{self.number}"

    @property
    def value(self) -> Any:
        """The number or array."""
        return self.statement.value

    @property
    def origin(self) -> Origin | None:
        """The user's line, and the module path."""
        return None if self.input_name else self.statement.origin

    @property
    def is_differentiable(self) -> bool:
        """Whether the value is real."""
        return self.statement.is_differentiable

    def expression(self, style: Style = TEXT) -> str:
        """The right-hand side: ``v0·v1``; for an input its name."""
        return self.input_name or self.local.expression(style)


@dataclass(eq=False)
class Record:
    """One evaluation of a function with all its values, and the derivatives that follow from it.

    Attributes:
        title: the function.
        input_names: one for each input.
        output_names: one for each output.
        output_adjoints: the adjoint of each output; None where it has none.
        directions: the tangent traces that are shown: name -> {input: its tangent}.
        result: what the function returned, with the structure that it gave it.
    """

    title: str
    inputs: Sequence[Statement]
    input_names: Sequence[str]
    outputs: Sequence[Statement]
    output_names: Sequence[str]
    output_adjoints: Sequence[Any]
    directions: Mapping[str, Mapping[str, Any]]
    result: Any
    _tangents: dict[str, dict[Statement, Any]] = field(default_factory=dict, init=False)

    # ----- what it holds ------------------------------------------------------------------------

    @property
    def seeds(self) -> tuple[str, ...]:
        """The names of the tangent traces that are shown."""
        return tuple(self.directions)

    @cached_property
    def numbers(self) -> dict[Statement, int]:
        """The number of each statement."""
        return numbered(self.inputs, self.outputs)

    @cached_property
    def varying(self) -> set[Statement]:
        """The statements that have derivatives."""
        order = ancestors(self.outputs, stop=self.inputs)
        return varying_statements(order, self.inputs)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The numbered statements: inputs first, then by depth and source order."""
        contributions, adjoints = self._walk
        depths = depths_of(self.inputs, self.outputs)
        inputs = dict(zip(self.inputs, self.input_names, strict=True))
        outputs: dict[Statement, tuple[str, ...]] = {}
        for output, name in zip(self.outputs, self.output_names, strict=True):
            outputs[output] = (*outputs.get(output, ()), name)
        lines = []
        for statement, number in self.numbers.items():
            adjoint = None
            if statement.is_differentiable:
                adjoint = adjoints.get(statement, np.zeros(())[()])
            lines.append(
                Line(
                    number, statement, depths[statement],
                    Local(statement, self.numbers, self.varying), adjoint,
                    tuple(contributions.get(statement, ())), inputs.get(statement, ""),
                    outputs.get(statement, ()),
                )
            )  # fmt: skip
        return tuple(lines)

    @property
    def gradient(self) -> dict[str, Any]:
        """The adjoint of each input, by name.

        With an array as result, of the result weighted by its adjoint (ones by default).
        """
        _, adjoints = self._walk
        return {
            name: _spread(adjoints.get(statement, np.zeros(())[()]), statement)
            for statement, name in zip(self.inputs, self.input_names, strict=True)
        }

    def line(self, which: int | str) -> Line:
        """One line, by its number, its name (``"v3"``), or the name of an input or output.

        Raises:
            DifferentiationError: where there is no such line.
        """
        for line in self.lines:
            if which in (line.number, line.name, line.input_name, *line.output_names):
                return line
        raise DifferentiationError(
            f"the trace has no line {which!r}; it has v0 to v{len(self.lines) - 1}"
        )

    def output_text(self, statement: Statement, style: Style = TEXT) -> str:
        """The name of an output's statement, or its value where it depends on no input."""
        number = self.numbers.get(statement)
        return value_text(statement.value) if number is None else style.value(number)

    def value(self, which: int | str) -> Any:
        """The whole value of a line: a number or an array."""
        return self.line(which).value

    def adjoint(self, which: int | str) -> Any:
        """The whole adjoint of a line, of the shape of its value; None where it has none."""
        line = self.line(which)
        return None if line.adjoint is None else _spread(line.adjoint, line.statement)

    def tangent(self, which: int | str, seed: str | None = None) -> Any:
        """The whole tangent of a line, of the shape of its value; None where it has none.

        Args:
            which: the line.
            seed: the input that moves; may be left out where only one tangent trace is shown or
                there is only one input.
        """
        line = self.line(which)
        seed = self._only_seed() if seed is None else seed
        if not line.is_differentiable:
            return None
        tangent = self.tangents(seed).get(line.statement, np.zeros(())[()])
        return _spread(tangent, line.statement)

    def _only_seed(self) -> str:
        candidates = self.seeds or tuple(self.input_names)
        if len(candidates) != 1:
            raise DifferentiationError(
                f"say which input moves, one of {', '.join(candidates)}: .tangent(i, 'name')"
            )
        return candidates[0]

    def tangents(self, seed: str) -> dict[Statement, Any]:
        """The tangent of every statement that moves with the input (or direction) ``seed``."""
        if seed not in self._tangents:
            direction = self.directions.get(seed)
            if direction is None:
                direction = direction_of(seed, self.inputs, self.input_names)
            given = [
                constant(np.asarray(direction[name], statement.dtype)[()])
                if name in direction
                else None
                for statement, name in zip(self.inputs, self.input_names, strict=True)
            ]
            found = tangents_of(self.outputs, self.inputs, given)
            self._tangents[seed] = {s: tangent.value for s, tangent in found.items()}
        return self._tangents[seed]

    # ----- the walk down ------------------------------------------------------------------------

    @cached_property
    def _walk(self) -> tuple[dict[Statement, list[Contribution]], dict[Statement, Any]]:
        """The contributions to each adjoint in the order of their arrival, and their sums."""
        found: dict[Statement, list[Contribution]] = {}
        sums: dict[Statement, Any] = {}
        seeds = [None if seed is None else constant(seed) for seed in self.output_adjoints]

        def observe(statement: Statement, position: int, contribution: Any) -> None:
            argument = statement.arguments[position]
            value = contribution.value if isinstance(contribution, Statement) else None
            found.setdefault(argument, []).append(Contribution(statement, position, value))
            accumulate(sums, argument, contribution)

        with np.errstate(all="ignore"):
            for output, seed in zip(self.outputs, seeds, strict=True):
                if seed is not None:
                    accumulate(sums, output, seed)
            pull_back(self.outputs, seeds, self.inputs, observe)
        adjoints = {
            statement: as_array(total.value)[()]
            for statement, total in sums.items()
            if isinstance(total, Statement)
        }
        return found, adjoints

    # ----- checks -------------------------------------------------------------------------------

    @cached_property
    def checks(self) -> dict[str, Check]:
        """For each input the central difference of the recorded statements, run again.

        The step is 1e-6 (times the size of the input, where that is more than 1).
        """
        found: dict[str, Check] = {}
        graph = Graph(tuple(self.inputs), tuple(self.outputs))
        values = [np.asarray(statement.value, float) for statement in self.inputs]
        for position, name in enumerate(self.input_names):
            value, adjoint = values[position], np.asarray(self.gradient[name])
            along = value.size > HANDFUL
            if along:
                direction = np.random.default_rng(0).standard_normal(value.shape)
                directions = [direction / np.linalg.norm(direction)]
            else:
                directions = list(np.eye(value.size).reshape((value.size, *value.shape)))
            numeric = np.array(
                [self._difference(graph, values, position, direction) for direction in directions]
            )
            exact = np.array([(adjoint * direction).sum() for direction in directions])
            with np.errstate(all="ignore"):
                deviation = np.abs(numeric - exact).max(initial=0)
            shown = numeric[0] if along else numeric.reshape(value.shape)[()]
            found[name] = Check(shown, float(deviation), along)
        return found

    def _difference(
        self, graph: Graph, values: list[Any], position: int, direction: np.ndarray
    ) -> float:
        value = values[position]
        step = STEP * max(1.0, float(np.abs(value).max(initial=0)))
        if not np.isfinite(step):
            return np.nan
        sides = []
        for sign in (1, -1):
            moved = [*values]
            moved[position] = value + sign * step * direction
            with np.errstate(all="ignore"):
                sides.append(graph.evaluate(*(array[()] for array in moved)))
        with np.errstate(all="ignore"):
            return sum(
                float(np.sum((np.asarray(up, float) - down) * seed))
                for up, down, seed in zip(*sides, self.output_adjoints, strict=True)
                if seed is not None
            ) / (2 * step)

    def first_nonfinite(self) -> NonFinite | None:
        """The first NaN or infinity, forward and then backward; None where all is finite.

        Returns:
            An object that names the input or statement, its operands with their values and the
            user's line; printed, it is a sentence.
        """
        for statement, name in zip(self.inputs, self.input_names, strict=True):
            if not is_finite(statement.value):
                return of_input(name, statement.value)
        known = {statement: statement.value for statement in self.numbers}
        for statement in sorted(self.numbers, key=lambda statement: statement.serial):
            if not is_finite(statement.value):
                return of_statement(statement, self.numbers, known)
        return self._first_nonfinite_backward()

    def _first_nonfinite_backward(self) -> NonFinite | None:
        arrivals = [c for contributions in self._walk[0].values() for c in contributions]
        arrivals.sort(key=lambda contribution: -contribution.sender.serial)
        for sender, position, value in arrivals:
            if is_finite(value):
                continue
            line, argument = self.lines[self.numbers[sender]], sender.arguments[position]
            operands = [(TEXT.adjoint(line.number), line.adjoint)]
            operands += [(f"v{self.numbers[a]}", a.value) for a in line.local.neighbours]
            operands.append((line.name, line.value))
            expression = line.local.sent(position, TEXT)
            return NonFinite(
                "backward", TEXT.adjoint(self.numbers[argument]), expression, tuple(operands),
                value, sender.origin,
            )  # fmt: skip
        for line in self.lines:
            if line.adjoint is not None and not is_finite(line.adjoint):
                return NonFinite(
                    "backward", TEXT.adjoint(line.number), self.adjoint_expression(line), (),
                    line.adjoint, line.origin,
                )  # fmt: skip
        return None

    def adjoint_expression(self, line: Line, style: Style = TEXT) -> str:
        """The adjoint of a line as the sum of what arrives: ``v̄3·v1 + v̄2/v0``; empty for zero.

        Where more than four terms arrive, the first three are written and the others counted.
        """
        terms = [style.seed(name) for name in line.output_names] if self._is_seeded(line) else []
        few = len(line.contributions) <= MOST_TERMS
        shown = line.contributions if few else line.contributions[:3]
        for contribution in shown:
            sender = self.lines[self.numbers[contribution.sender]]
            terms.append(sender.local.sent(contribution.position, style))
        text = style.sum(terms)
        more = len(line.contributions) - len(shown)
        return text + style.more(more) if more else text

    def _is_seeded(self, line: Line) -> bool:
        return any(
            output is line.statement and adjoint is not None
            for output, adjoint in zip(self.outputs, self.output_adjoints, strict=True)
        )


def direction_of(seed: str, inputs: Sequence[Statement], names: Sequence[str]) -> dict[str, Any]:
    """The direction in which one input moves alone, every entry of it by 1.

    Raises:
        DifferentiationError: where no input is called ``seed``.
    """
    for statement, name in zip(inputs, names, strict=True):
        if name == seed:
            return {name: np.ones(statement.shape)}
    raise DifferentiationError(
        f"no input is called {seed!r}; the inputs are {', '.join(names) or 'none'}"
    )


def fitting(value: Any, statement: Statement, what: str) -> Any:
    """A given tangent or adjoint as an array of the shape and dtype of ``statement``.

    Raises:
        ShapeError: where its shape is another.
    """
    array = np.asarray(value, statement.dtype)
    if array.shape != statement.shape:
        raise ShapeError(
            f"the {what} has shape {array.shape}, but what it belongs to has shape "
            f"{statement.shape}"
        )
    return array[()]


def _spread(value: Any, statement: Statement) -> Any:
    """``value`` with the shape of the statement; a zero may come as one number."""
    array = as_array(value)
    return np.broadcast_to(array, statement.shape)[()] if array is not None else None
