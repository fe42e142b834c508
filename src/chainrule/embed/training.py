"""Epochs over a text: progress, callbacks, checkpoints, and a stop that loses nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from chainrule.errors import NonFiniteError
from chainrule.interrupts import deferred_interrupts

# How long the core works before Python looks up: for Ctrl-C, and to show progress.
STRETCH = 0.1


@dataclass
class History:
    """How a training went, one entry for each epoch.

    Attributes:
        losses: mean loss of a prediction, NaN where there is none: at the end of the epoch, on the
            same windows of the text every time, so that one can be compared with another. Where a
            model does not measure it, the mean of the epoch as below.
        running_losses: mean loss of the epoch's predictions, as the tables were at each one. At a
            large rate the vectors follow the topic at hand, and this is smaller than the loss of
            the whole text; as the rate falls it can rise while they get better.
        rates: at the end of the epoch.
        seconds: the epoch took.
        words: of the text in an epoch, or whatever else it has.
        unit: what it has.
        interrupted: whether Ctrl-C ended it.
        reason: why it ended.
    """

    losses: list[float] = field(default_factory=list)
    running_losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    words: int = 0
    unit: str = "words"
    interrupted: bool = False
    reason: str = ""

    @property
    def epochs(self) -> int:
        """Epochs that were finished."""
        return len(self.losses)

    def line(self) -> str:
        """The last epoch in one line.

        >>> History([0.5], [0.5], [0.01], [2.0], 3000).line()
        'epoch 1  loss 0.5000  rate 0.01  1,500 words/s  2.0 s'
        """
        speed = self.words / max(self.seconds[-1], 1e-9)
        return (
            f"epoch {self.epochs}  loss {self.losses[-1]:.4f}  rate {self.rates[-1]:.3g}  "
            f"{speed:,.0f} {self.unit}/s  {self.seconds[-1]:.1f} s"
        )


@dataclass
class Position:
    """Where a training is.

    Attributes:
        epoch: epochs that are done since the model was made.
        piece: of the epoch that is under way, the first that is not done.
        loss: summed over its predictions so far.
        predictions: so far.
        seconds: so far.
    """

    epoch: int = 0
    piece: int = 0
    loss: float = 0.0
    predictions: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What a training sets out to do.

    Attributes:
        first: the epoch it begins with.
        last: the epoch it ends before.
        rate: at its beginning.
        final_rate: at its end; between them it falls on a straight line.
    """

    first: int
    last: int
    rate: float
    final_rate: float

    def rate_at(self, epoch: float) -> float:
        """The rate after so many epochs.

        >>> Plan(0, 4, 1.0, 0.0).rate_at(1)
        0.75
        """
        share = (epoch - self.first) / max(self.last - self.first, 1)
        return self.rate + (self.final_rate - self.rate) * share

    def lasting(self, epochs: int) -> Plan:
        """The same with another number of epochs; the rate falls over all of them.

        >>> Plan(2, 4, 1.0, 0.0).lasting(5).last
        7
        """
        return replace(self, last=self.first + epochs)


class Runner(Protocol):
    """What works off the pieces of an epoch: see ``descent.Descent``.

    Attributes:
        pieces: how many there are.
    """

    pieces: int

    def run(
        self, epoch: int, first: int, rate: float, final_rate: float, seconds: float
    ) -> tuple[int, float, int]:
        """Work from a piece on for some time: (next piece, summed loss, predictions).

        The rate falls from ``rate`` at the beginning of the epoch to ``final_rate`` at its end.
        """

    def settle(self) -> None:
        """Bring what threads have learned apart into the tables."""
        return None

    def measure(self) -> tuple[float, int] | None:
        """Of the tables as they are, on what is always the same: (summed loss, predictions).

        None where the loss of an epoch's own predictions is to be compared.
        """
        return None


class Quiet:
    """Says nothing; also what the other reporters have in common."""

    def start(self, plan: Plan, pieces: int, history: History) -> None:
        """Before the first epoch."""

    def stretch(self, position: Position, rate: float) -> None:
        """After each tenth of a second or so."""

    def epoch(self, history: History) -> None:
        """After each epoch."""

    def close(self) -> None:
        """At the end, however it came."""


class Lines(Quiet):
    """One line per epoch on standard output."""

    def epoch(self, history: History) -> None:
        """Print the epoch's line."""
        print(history.line(), flush=True)


class Bar(Quiet):
    """A bar with loss, rate, words or pairs per second and the time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f}%"),
            TextColumn("{task.fields[numbers]}"),
            # Whole on any terminal, rather than what comes before it.
            TimeRemainingColumn(table_column=Column(min_width=7, no_wrap=True)),
            transient=True,
        )
        self._task: Any = None
        self._pieces = 0
        self._history = History()
        self._plan = Plan(0, 1, 0.0, 0.0)

    def start(self, plan: Plan, pieces: int, history: History) -> None:
        """Open the bar over all pieces of all epochs."""
        self._plan, self._pieces, self._history = plan, pieces, history
        self._progress.start()
        total = (plan.last - plan.first) * pieces
        self._task = self._progress.add_task("", total=total, numbers="")

    def stretch(self, position: Position, rate: float) -> None:
        """Move; show the mean loss of the epoch so far."""
        plan = self._plan
        words = self._history.words * position.piece / self._pieces
        self._progress.update(
            self._task,
            completed=(position.epoch - plan.first) * self._pieces + position.piece,
            description=f"epoch {position.epoch - plan.first + 1}/{plan.last - plan.first}",
            numbers=f"running loss {_mean(position.loss, position.predictions):.4f} "
            f"rate {rate:.2g} {_short(words / max(position.seconds, 1e-9))} "
            f"{self._history.unit}/s",
        )

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def reporter(progress: bool) -> Quiet:
    """A bar where standard output is a terminal, lines where it is not, nothing if not wanted."""
    if not progress:
        return Quiet()
    return Bar() if sys.stdout.isatty() else Lines()


def train(
    runner: Runner,
    plan: Plan,
    position: Position,
    history: History,
    *,
    words: int,
    unit: str = "words",
    rate_name: str = "alpha",
    largest_loss: float = float("inf"),
    report: Quiet,
    save: Callable[[], None] | None = None,
    callbacks: Sequence[Callable[[History], Any]] = (),
) -> None:
    """Work off the plan from ``position`` on; both it and ``history`` are brought forward.

    Ctrl-C ends the training after the tenth of a second that is under way: what was learned stays,
    the checkpoint is written, and the same call goes on from there.

    Args:
        runner: works off the pieces.
        plan: which epochs, at which rates.
        position: where to begin.
        history: what was before.
        words: of the text in an epoch, or whatever ``unit`` says it has.
        unit: see there.
        rate_name: the parameter that is the rate, for messages.
        largest_loss: a larger mean is that of vectors that have diverged.
        report: is told how far it is.
        save: writes the checkpoint.
        callbacks: called after each epoch; one that returns True ends the training.

    Raises:
        NonFiniteError: where the loss stops being finite, or what it can be.
    """
    history.words, history.unit = words, unit
    history.interrupted, history.reason = False, ""

    def check() -> None:
        mean = abs(position.loss) / max(position.predictions, 1)
        if not mean < float("inf") or mean > largest_loss:
            history.reason = "diverged"
            raise NonFiniteError(
                f"the mean loss is {mean:.3g} in epoch {position.epoch + 1}: the vectors have "
                f"diverged; {rate_name}={plan.rate:g} is too large a rate, give a smaller one"
            )

    report.start(plan, runner.pieces, history)
    try:
        while position.epoch < plan.last and not history.reason:
            _epoch(runner, plan, position, history, report, check)
            if save is not None:
                save()
            report.epoch(history)
            answers = [callback(history) for callback in callbacks]
            if True in answers:
                history.reason = "stopped by a callback"
        history.reason = history.reason or "all epochs done"
    except KeyboardInterrupt:
        history.interrupted, history.reason = True, "interrupted"
        runner.settle()
        if save is not None:
            save()
    finally:
        report.close()


def _epoch(
    runner: Runner,
    plan: Plan,
    position: Position,
    history: History,
    report: Quiet,
    check: Callable[[], None],
) -> None:
    rate, final_rate = plan.rate_at(position.epoch), plan.rate_at(position.epoch + 1)
    while position.piece < runner.pieces:
        start = time.perf_counter()
        # Ctrl-C shall not come between what the tables have learned and the position.
        with deferred_interrupts():
            position.piece, loss, predictions = runner.run(
                position.epoch, position.piece, rate, final_rate, STRETCH
            )
            position.loss += loss
            position.predictions += predictions
            position.seconds += time.perf_counter() - start
        check()
        report.stretch(position, plan.rate_at(position.epoch + position.piece / runner.pieces))
    runner.settle()
    passed = (position.loss, position.predictions)
    measured = runner.measure()
    # A text may be so thinned out that what is left is all of the epoch's own.
    loss = _mean(*(measured if measured and measured[1] else passed))
    with deferred_interrupts():
        history.losses.append(loss)
        history.running_losses.append(_mean(*passed))
        history.rates.append(final_rate)
        history.seconds.append(position.seconds)
        position.__dict__.update(vars(Position(epoch=position.epoch + 1)))


def _short(speed: float) -> str:
    """A speed in few letters, for a line of 80 has no more."""
    return f"{speed / 1e3:,.0f}k" if speed >= 1e4 else f"{speed:,.0f}"


def _mean(loss: float, predictions: int) -> float:
    return loss / predictions if predictions else float("nan")
