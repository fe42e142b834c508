"""How the demo looks on the screen: tables, bars and sentences; nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chainrule.demo.one_flight import Explanation, TraceLine
from chainrule.demo.training import CLASSES, LINEAR, NETWORK, Contest
from chainrule.tabular.metrics import TITLES, confusion
from chainrule.tabular.report import Comparison, confusion_table, models_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BAR_CELLS = 10
STRONGEST_PUSHES = 8
STRONGEST_UNITS = 5
WIDE = 96
"""Columns of the console from which on the slopes fit beside the bars."""


def say(console: Console, text: str) -> None:
    """Print a paragraph as it is, wrapped to the width of the console."""
    console.print(text, markup=False, highlight=False)


def thousands(count: int) -> str:
    """Write a whole number with a space between groups of three digits.

    >>> thousands(327346)
    '327 346'
    """
    return f"{count:,}".replace(",", " ")


def heading(console: Console, text: str) -> None:
    """Print a rule with the title of what follows."""
    console.print()
    console.rule(f"[bold]{text}[/bold]", align="left")


def print_contest(console: Console, contest: Contest, test_share: str) -> None:
    """Print the metrics of all models and the network's lead with its intervals."""
    table = models_table(contest.results)
    table.title = None
    _print_table(console, f"On the {test_share} (* the best)", table)
    interval = contest.comparisons[0].interval
    title = (
        f"{NETWORK} less {LINEAR}, with {100 * interval.level:g} % intervals of the paired "
        f"bootstrap, {thousands(interval.resamples)} resamples"
    )
    _print_table(console, title, _leads_table(contest.comparisons))


def print_confusion(console: Console, contest: Contest, truth: NDArray[np.int64]) -> None:
    """Print what the network said of the flights that were on time, and of the delayed ones."""
    matrix = confusion(truth, contest.predicted[NETWORK]).tolist()
    console.print()
    console.print(confusion_table(NETWORK, CLASSES, matrix))


def _leads_table(comparisons: Sequence[Comparison]) -> Table:
    table = _table()
    for name in ("metric", "resampled"):
        table.add_column(name)
    for name in ("difference", "from", "to"):
        table.add_column(name, justify="right")
    table.add_column("is the network better?")
    for each in comparisons:
        interval = each.interval
        table.add_row(
            TITLES[interval.metric],
            f"whole {each.resampled}" if each.resampled == "days" else f"single {each.resampled}",
            f"{interval.difference:+.4f}",
            f"{interval.low:+.4f}",
            f"{interval.high:+.4f}",
            "yes" if interval.first_is_better else "not shown",
        )
    return table


def verdict(contest: Contest) -> str:
    """Say in words whether the network beats logistic regression.

    Whole days are what counts: flights of one day stand or fall together.
    """
    by_days = [each.interval for each in contest.comparisons if each.resampled == "days"]
    leads = "; ".join(
        f"{TITLES[each.metric]} {each.difference:+.4f} [{each.low:+.4f}, {each.high:+.4f}]"
        for each in by_days
    )
    better = [TITLES[each.metric] for each in by_days if each.first_is_better]
    worse = [
        TITLES[each.metric]
        for each in by_days
        if not each.first_is_better and (each.low > 0 or each.high < 0)
    ]
    if worse:
        said = f"logistic regression beats the network in {' and '.join(worse)}"
    elif better:
        said = f"the network beats logistic regression in {' and '.join(better)}"
    else:
        return f"no clear difference between network and logistic regression, by days {leads}"
    if len(better + worse) < len(by_days):
        said += " only"
    return f"{said}, by days {leads}"


# ----- One flight -----


def print_explanation(console: Console, found: Explanation) -> None:
    """Print the flight, its prediction beside what happened, the pushes and the trace."""
    seen = {
        "test": "Its day is in the test part: the network never saw it.",
        "validation": "Its day is in the validation part: it was not learned from, "
        "but helped to choose the weights.",
        "training": "Its day is in the TRAINING part: the network learned from this very flight.",
        "unused": "Its day was left out of this quick run: the network never saw it.",
    }
    what = "more than 15 minutes late" if found.was_delayed else "at most 15 minutes late"
    say(console, f"{found.title}. {seen[found.part]}")
    say(console, f"Known before departure: {found.facts}.")
    console.print(
        f"The network's probability of a delay: [bold]{found.probability:.1%}[/bold] "
        f"({found.average_probability:.1%} where every input is the average). "
        f"What happened: it arrived [bold]{what}[/bold].",
        highlight=False,
    )
    title = "Which inputs pushed the prediction, and how far, in log-odds"
    _print_table(console, title, _pushes_table(found, with_slopes=console.width >= WIDE))
    way = found.attribution
    pushed = float(way.contributions.sum())
    say(
        console,
        f"Check: {way.start:+.4f} (average inputs) {pushed:+.4f} (all pushes) = "
        f"{way.start + pushed:+.4f}; the network says {way.end:+.4f}: a gap of {way.gap:.1e}.",
    )
    said = (
        "Push: integrated gradients along the line from the average inputs to this flight's; "
        "inputs made of one fact are summed."
    )
    if console.width >= WIDE:
        said += " Slope: the derivative of the log-odds at this flight, for one more unit."
    say(console, said)
    last = found.trace[-1].name
    title = (
        f"The adjoint trace: values on the way to the log-odds {last}, "
        f"adjoints v̄ = ∂{last}/∂v on the way back"
    )
    _print_table(console, title, _trace_table(found.trace, console.width >= WIDE))
    say(
        console,
        f"Check: along a random direction, the central difference of {last} deviates from v̄0 by "
        f"{found.deviation:.1e}.",
    )
    hidden = found.trace[-2]
    shares = float(hidden.values @ hidden.adjoints)
    title = (
        f"The {STRONGEST_UNITS} units of {hidden.name} that weigh most; all {hidden.values.size} "
        f"sum to {shares:+.4f}, the last bias adds {found.trace[-1].values[0] - shares:+.4f}"
    )
    _print_table(console, title, _units_table(hidden))


def _pushes_table(found: Explanation, with_slopes: bool) -> Table:
    from rich.text import Text

    table = _table()
    table.add_column("fact", no_wrap=True)
    table.add_column("this flight", no_wrap=True)
    table.add_column("push", justify="right", no_wrap=True)
    table.add_column("on time" + " " * (2 * BAR_CELLS + 1 - 14) + "delayed", no_wrap=True)
    if with_slopes:
        table.add_column("slope here", justify="right", no_wrap=True)
    strongest = found.pushes[:STRONGEST_PUSHES]
    rest = sum(push.log_odds for push in found.pushes[STRONGEST_PUSHES:])
    largest = max([abs(push.log_odds) for push in strongest] + [abs(rest), 1e-12])

    def bar(log_odds: float) -> Text:
        cells = round(BAR_CELLS * abs(log_odds) / largest)
        left = "█" * cells if log_odds < 0 else ""
        right = "█" * cells if log_odds >= 0 else ""
        text = Text(left.rjust(BAR_CELLS), style="green")
        text.append("│", style="dim")
        text.append(right.ljust(BAR_CELLS), style="red")
        return text

    for push in strongest:
        amount = f"{push.log_odds:+.3f}"
        slope = [push.slope] if with_slopes else []
        table.add_row(push.name, Text(push.value), amount, bar(push.log_odds), *slope)
    others = len(found.pushes) - len(strongest)
    if others:
        table.add_row(f"the other {others}", "", f"{rest:+.3f}", bar(rest), style="dim")
    return table


def _trace_table(trace: Sequence[TraceLine], with_rules: bool) -> Table:
    table = _table()
    table.add_column("statement", no_wrap=True)
    table.add_column("size", justify="right")
    table.add_column("values", justify="right", no_wrap=True)
    if with_rules:
        table.add_column("adjoint", no_wrap=True)
    table.add_column("adjoints v̄", justify="right", no_wrap=True)
    table.add_column("not 0", justify="right")
    for line in trace:
        table.add_row(
            f"{line.name} = {line.formula}",
            str(line.values.size),
            _range(line.values, 2),
            *([f"v̄{line.name.removeprefix('v')} = {line.rule}"] if with_rules else []),
            _range(line.adjoints, 3),
            str(np.count_nonzero(line.adjoints)),
        )
    return table


def _units_table(hidden: TraceLine) -> Table:
    """The units of the last hidden layer that weigh most: value times adjoint is their share."""
    shares = hidden.values * hidden.adjoints
    table = _table()
    for name in ("unit", "value", "adjoint v̄", "value x adjoint"):
        table.add_column(name, justify="left" if name == "unit" else "right")
    for place in np.argsort(-np.abs(shares), kind="stable")[:STRONGEST_UNITS]:
        table.add_row(
            f"{hidden.name}[{place}]",
            f"{hidden.values[place]:.4f}",
            f"{hidden.adjoints[place]:+.4f}",
            f"{shares[place]:+.4f}",
        )
    return table


def _range(values: NDArray[np.float64], digits: int) -> str:
    if values.size == 1:
        return f"{values[0]:+.4f}"
    return f"{values.min():+.{digits}f} … {values.max():+.{digits}f}"


def _print_table(console: Console, title: str, table: Table) -> None:
    console.print()
    console.print(title, markup=False, highlight=False, style="italic")
    console.print(table)


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False)
