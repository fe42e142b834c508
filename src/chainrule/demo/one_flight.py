"""One flight: what was known of it, what the network says, and the trace of why."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.api.trace import trace
from chainrule.demo.attribution import Attribution, integrated_gradients
from chainrule.demo.features import FACTS, described, sum_by_fact
from chainrule.demo.flights import GROUP_COLUMN, TARGET_COLUMN
from chainrule.errors import ChainruleError
from chainrule.functions import sigmoid
from chainrule.show.style import TEXT
from chainrule.show.trace import Trace
from chainrule.tabular.encoders import NumberEncoder
from chainrule.tabular.model import TabularModel
from chainrule.tabular.preprocessing import Preprocessor
from chainrule.tabular.splitting import Split

if TYPE_CHECKING:
    import pyarrow as pa


def find_flight(flights: pa.Table, wanted: str) -> int:
    """Return the row of a flight named by carrier, number and day, such as `B6 801 2013-04-19`.

    A number that flew several legs that day is its first leg.

    Raises:
        ChainruleError: the name is of another form, or no such flight has a known arrival; what
            that carrier did fly with that number, or on that day, is named.
    """
    import pyarrow as pa
    import pyarrow.compute as compute

    form = "name a flight as carrier, number and day, such as 'B6 801 2013-04-19'"
    match = re.fullmatch(r"\s*([A-Za-z0-9]{2})\s*(\d+)\s+(\S+)\s*", wanted)
    if match is None:
        raise ChainruleError(f"{wanted!r} names no flight: {form}")
    name = f"{match[1].upper()} {int(match[2])}"
    try:
        day = datetime.date.fromisoformat(match[3])
    except ValueError:
        raise ChainruleError(f"{match[3]!r} in {wanted!r} is no day: {form}") from None
    has_name = compute.equal(flights["flight"], name)
    has_day = compute.equal(flights[GROUP_COLUMN], pa.scalar(day))
    row: int = compute.index(compute.and_(has_name, has_day), True).as_py()
    if row >= 0:
        return row
    others = flights[GROUP_COLUMN].filter(has_name).to_pylist()
    if others:
        near = sorted(set(others), key=lambda other: abs(other - day))[:3]
        hint = f"it did on {', '.join(str(other) for other in near)}"
    elif compute.any(has_day).as_py():
        some = sorted(set(flights["flight"].filter(has_day).to_pylist()))
        same = [flight for flight in some if flight.startswith(name[:3])] or some
        hint = f"others did that day, such as {', '.join(same[:3])}"
    else:
        hint = "the flights are those that left New York in 2013"
    raise ChainruleError(f"no flight {name} of {day} is among those used: {hint}")


def surest_flight(split: Split, predicted: NDArray[np.float64]) -> int:
    """Return the row of the test flight that the network is most sure will be delayed.

    A rule that does not look at what really happened, so that the example is not a picked one.

    Args:
        split: whose test rows were predicted.
        predicted: test rows x classes.
    """
    return int(split.test[predicted[:, 1].argmax()])


def part_of(day: datetime.date, flights: pa.Table, split: Split) -> str:
    """Return which part of a split by days a day is in: "unused" where it is in none."""
    days = flights[GROUP_COLUMN].to_numpy()
    parts = (("training", split.train), ("validation", split.validation), ("test", split.test))
    return next((name for name, rows in parts if np.datetime64(day) in days[rows]), "unused")


@dataclass(frozen=True)
class Push:
    """One fact of the flight, and what it did to the prediction.

    Attributes:
        name: of the fact.
        value: as a reader knows it.
        log_odds: how far it moved the log-odds from those of the average inputs.
        slope: the change of the log-odds by one more unit, as text; empty where it has none.
    """

    name: str
    value: str
    log_odds: float
    slope: str


@dataclass(frozen=True)
class TraceLine:
    """One statement of the network's trace at the flight.

    Attributes:
        name: such as `v1`.
        formula: what it is, such as `v0 W1 + b1`.
        rule: where its adjoint comes from, such as `v̄2·(v1 > 0)`.
        values: (n,) its values.
        adjoints: (n,) the derivative of the log-odds with respect to each.
    """

    name: str
    formula: str
    rule: str
    values: NDArray[np.float64]
    adjoints: NDArray[np.float64]


@dataclass(frozen=True)
class Explanation:
    """What the network says of one flight, and why.

    Attributes:
        title: the flight in words.
        facts: what was known of it, in words.
        part: of the split, that its day fell into.
        probability: of a delay.
        average_probability: of a delay, where every input is the training flights' average.
        was_delayed: what really happened.
        pushes: of every fact, the strongest first.
        attribution: of every input.
        trace: the statements of the network, from the inputs to the log-odds.
        deviation: of the trace's gradient from a central difference along a random direction.
    """

    title: str
    facts: str
    part: str
    probability: float
    average_probability: float
    was_delayed: bool
    pushes: tuple[Push, ...]
    attribution: Attribution
    trace: tuple[TraceLine, ...]
    deviation: float


def explain_flight(
    model: TabularModel,
    flights: pa.Table,
    row: int,
    part: str,
    average: NDArray[np.float64],
) -> Explanation:
    """Predict one flight and differentiate the prediction.

    Args:
        model: trained on the flights with their derived columns.
        flights: these flights.
        row: of the flight.
        part: of the split that the flight's day is in, as `part_of` says.
        average: (inputs,), the mean of the training rows.
    """
    table = flights.slice(row, 1)
    facts = table.to_pylist()[0]
    inputs = model.preprocessor.transform(table)
    attribution = integrated_gradients(model.network, average, inputs[0])
    exact = model.network.astype(np.float64)
    recorded = trace(lambda flight: exact(flight), inputs.astype(np.float64))
    return Explanation(
        _title(facts),
        described(facts),
        part,
        float(sigmoid(attribution.end)),
        float(sigmoid(attribution.start)),
        bool(facts[TARGET_COLUMN]),
        _pushes(model.preprocessor, facts, attribution),
        attribution,
        _trace_lines(recorded),
        recorded.checks["flight"].deviation,
    )


def _title(facts: Mapping[str, Any]) -> str:
    day = facts[GROUP_COLUMN]
    return (
        f"{facts['flight']} from {facts['origin']} to {facts['destination']}, "
        f"{facts['day_of_week']} {day.day} {facts['month']} {day.year}"
    )


def _pushes(
    preprocessor: Preprocessor, facts: Mapping[str, Any], attribution: Attribution
) -> tuple[Push, ...]:
    sums = sum_by_fact(preprocessor, attribution.contributions)
    slopes = _slopes(preprocessor, attribution.gradient)
    pushes = []
    for fact in FACTS:
        if fact.name in sums:
            slope = slopes.get(fact.columns[0]) if fact.unit else None
            words = "" if slope is None else f"{slope:+.3f} per {fact.unit}"
            pushes.append(Push(fact.name, fact.show(facts), float(sums[fact.name]), words))
    return tuple(sorted(pushes, key=lambda push: -abs(push.log_odds)))


def _slopes(preprocessor: Preprocessor, gradient: NDArray[np.float64]) -> dict[str, float]:
    """Change of the log-odds by one more unit, for the columns that are only standardised."""
    where = preprocessor.slices()
    return {
        encoder.column: float(gradient[where[encoder.column].start]) / encoder.scale.deviation
        for encoder in preprocessor.encoders
        if isinstance(encoder, NumberEncoder) and encoder.unit is None
    }


def _trace_lines(recorded: Trace) -> tuple[TraceLine, ...]:
    """The lines of a trace; layers are written with the letters that books use for them.

    The engine prints a layer as `dense(v0, constant[164,256], constant[256])`.
    """
    layers = [line for line in recorded.lines if line.statement.primitive.name == "dense"]
    number_of = {line.statement: number for number, line in enumerate(layers, start=1)}
    lines = []
    for line in recorded.lines:
        rules = []
        for sender, position, _ in line.contributions:
            above = recorded.line(recorded.numbers[sender])
            rule = above.local.sent(position, TEXT)
            if sender in number_of:
                rule = f"{TEXT.adjoint(above.number)} W{number_of[sender]}ᵀ"
            rules.append(rule)
        formula = "the flight" if line.input_name else line.expression()
        if line.statement in number_of:
            number = number_of[line.statement]
            before = recorded.numbers[line.statement.arguments[0]]
            formula = f"v{before} W{number} + b{number}"
        values, adjoints = np.ravel(line.value), np.ravel(line.adjoint)
        lines.append(TraceLine(line.name, formula, " + ".join(rules) or "1", values, adjoints))
    return tuple(lines)
