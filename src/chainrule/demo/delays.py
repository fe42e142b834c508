"""Will my flight be delayed? The demo from the question to the trace of one prediction."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.demo import pages
from chainrule.demo.features import with_derived_columns
from chainrule.demo.flights import GROUP_COLUMN, LATE_AFTER_MINUTES, TARGET_COLUMN, load_flights
from chainrule.demo.one_flight import explain_flight, find_flight, part_of, surest_flight
from chainrule.demo.pages import heading, say, thousands
from chainrule.demo.training import (
    NETWORK,
    Contest,
    Prepared,
    Settings,
    hold_contest,
    prepare,
    train_network,
    train_rivals,
)
from chainrule.tabular.files import check_writable
from chainrule.tabular.model import TabularModel
from chainrule.tabular.splitting import Split, split_table

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

QUICK = Settings(epochs=2, trees=30, resamples=100)
QUICK_DAYS = 60


@dataclass(frozen=True)
class Choices:
    """What the command line can ask for.

    Attributes:
        quick: a sample of days, few epochs and resamples: shows the way, proves nothing.
        seed: of the split, the weights, the order of rows, dropout and the bootstrap.
        trees: whether boosted trees are trained as an upper reference.
        chronological: whether the harder split is tried too.
        flight: the flight to explain, such as `B6 801 2013-04-19`; None for the test flight of
            which the network is most sure that it will be delayed.
        output: where to save the network; None for nowhere.
        force: whether to overwrite that file.
        threads: for training and trees.
    """

    quick: bool = False
    seed: int = 0
    trees: bool = True
    chronological: bool = True
    flight: str | None = None
    output: str | os.PathLike[str] | None = None
    force: bool = False
    threads: int = 1

    @property
    def settings(self) -> Settings:
        """The sizes that follow."""
        base = QUICK if self.quick else Settings()
        rounds = base.trees if self.trees else 0
        return replace(base, seed=self.seed, threads=self.threads, trees=rounds)


def run(choices: Choices, console: Console) -> bool:
    """Run the demo and print it.

    Returns:
        Whether the network beat logistic regression on the held-out days, intervals and all.

    Raises:
        ChainruleError: the flights are not installed, the flight asked for does not exist, or the
            output cannot be written; all before anything is trained.
        KeyboardInterrupt: Ctrl-C.
    """
    start = time.perf_counter()
    settings = choices.settings
    if choices.output is not None:
        check_writable(choices.output, force=choices.force)

    heading(console, "Will my flight be delayed?")
    with console.status("reading the flights"):
        everything = with_derived_columns(load_flights())
    asked = None if choices.flight is None else find_flight(everything, choices.flight)
    flights = everything
    if choices.quick:
        flights = _some_days(everything, QUICK_DAYS, choices.seed)
    _print_question(console, everything, flights)

    heading(console, "The split: whole days held out at random")
    split = split_table(flights, seed=choices.seed, group_by=GROUP_COLUMN)
    with console.status("preparing the features"):
        data = prepare(flights, split)
    _print_split(console, flights, split, data)

    heading(console, "Training")
    model, contest = _compete(console, data, settings)

    heading(console, "The test: days that no model has seen")
    pages.print_contest(console, contest, f"{thousands(len(split.test))} test flights")
    pages.print_confusion(console, contest, data.test.targets)
    say(console, f"Verdict: {pages.verdict(contest)}.")

    if choices.chronological:
        heading(console, "Harder: learn from the first months, predict the last")
        _chronological(console, flights, settings)

    heading(console, "One flight, and the trace of its prediction")
    if asked is None:
        table, row = flights, surest_flight(split, contest.predicted[NETWORK])
        say(console, "Of all test flights, the one that the network is most sure will be delayed:")
    else:
        table, row = everything, asked
    part = part_of(table[GROUP_COLUMN][row].as_py(), flights, split)
    average = data.train.inputs.mean(axis=0, dtype=np.float64)
    found = explain_flight(model, table, row, part, average)
    pages.print_explanation(console, found)

    console.print()
    if choices.output is not None:
        model.save(choices.output, force=choices.force)
        say(console, f"The network is saved in {choices.output}.")
    quick = "A quick run on a sample of days: its numbers prove nothing. " if choices.quick else ""
    seconds = time.perf_counter() - start
    console.print(
        f"{quick}[bold]In {seconds:.0f} s, on {thousands(len(split.test))} test flights: "
        f"{pages.verdict(contest)}.[/bold]",
        highlight=False,
    )
    return contest.is_won


def _print_question(console: Console, everything: pa.Table, flights: pa.Table) -> None:
    late = np.asarray(everything[TARGET_COLUMN].to_numpy()).mean()
    say(
        console,
        f"The {thousands(everything.num_rows)} flights that left New York's three airports in 2013 "
        f"and arrived, joined with the weather of the hour before. Delayed, arriving more than "
        f"{LATE_AFTER_MINUTES} minutes late: {late:.1%}.",
    )
    say(
        console,
        "Used, all known before departure: schedule, month and day of the week, carrier, airports, "
        "distance, traffic in that hour, and the weather at the airport in the hour before.",
    )
    say(
        console,
        "Not used: departure delay, actual times and air time, which are outcomes; flight number, "
        "plane and date, which would be learned by heart.",
    )
    if flights is not everything:
        say(
            console,
            f"QUICK: only {thousands(flights.num_rows)} flights of {QUICK_DAYS} days, "
            "and short training. The numbers below show the way, they prove nothing.",
        )


def _print_split(console: Console, flights: pa.Table, split: Split, data: Prepared) -> None:
    days = flights[GROUP_COLUMN].to_numpy()
    parts = (("training", split.train, data.train), ("validation", split.validation,
             data.validation), ("test", split.test, data.test))  # fmt: skip
    for name, rows, part in parts:
        say(
            console,
            f"  {name:<11}{thousands(len(rows)):>8} flights of {len(np.unique(days[rows])):>3} "
            f"days, {part.targets.mean():.1%} delayed",
        )
    used = sum(column.used for column in data.preprocessor.columns)
    say(
        console,
        "Flights of one day share its weather and its queues; single rows held out would let a "
        "model recognise the bad days.",
    )
    say(
        console,
        f"{used} columns become {len(data.preprocessor.features)} inputs, the same for every "
        f"model; means and categories are learned from the training flights.",
    )


def _compete(console: Console, data: Prepared, settings: Settings) -> tuple[TabularModel, Contest]:
    """Train the network and its rivals, saying what is happening, and measure them all."""
    model, history = train_network(data, settings)
    count = model.network.parameter_count
    if console.is_terminal:  # The bar is gone; elsewhere each epoch has left its line.
        losses = " ".join(f"{loss:.4f}" for loss in history.validation_losses)
        say(console, f"Validation loss after each epoch: {losses}")
    say(console, f"{model.network.description()} with {thousands(count)} parameters: {history}")
    rivals = []
    with console.status("training the other models"):
        for rival in train_rivals(data, settings):
            rivals.append(rival)
            console.print(f"{rival.name}: {rival.seconds:.1f} s", highlight=False, style="dim")
    with console.status("measuring"):
        return model, hold_contest(data, model, sum(history.seconds), rivals, settings)


def _chronological(console: Console, flights: pa.Table, settings: Settings) -> None:
    split = split_table(flights, order_by=GROUP_COLUMN)
    with console.status("preparing the features"):
        data = prepare(flights, split)
    _, contest = _compete(console, data, settings)
    since = min(data.test_days)
    pages.print_contest(
        console,
        contest,
        f"{thousands(len(split.test))} flights from {since} to the end of the year",
    )
    say(console, f"Verdict: {pages.verdict(contest)}.")
    say(
        console,
        "The months of the test are not among those learned from, so month says nothing and "
        "the seasons must be guessed from the weather.",
    )


def _some_days(flights: pa.Table, count: int, seed: int) -> pa.Table:
    """The flights of a sample of days."""
    import pyarrow as pa

    days = np.unique(flights[GROUP_COLUMN].to_numpy())
    kept = np.random.default_rng(seed).choice(days, size=count, replace=False)
    rows = np.flatnonzero(np.isin(flights[GROUP_COLUMN].to_numpy(), kept))
    return flights.take(pa.array(rows)).combine_chunks()
