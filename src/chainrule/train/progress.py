"""Telling how a training goes: a bar on a terminal, a line per epoch elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from chainrule.train.history import History


class Quiet:
    """Says nothing; also what the other reporters have in common."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Before the first epoch: how many epochs, steps in each, and epochs done already."""

    def step(self, loss: float, rate: float) -> None:
        """After each step."""

    def steps(self, losses: np.ndarray, rate: float) -> None:
        """After several steps at once."""

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
    """A bar with losses, rate and the time left."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            transient=True,
        )
        self._task: Any = None
        self._epochs = 1
        self._total = 0.0
        self._count = 0
        # Steps that are made but not shown: the bar moves ten times a second at most.
        self._ahead = 0
        self._due = 0.0
        self._latest = ""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Open the bar over all steps of all epochs."""
        self._epochs = epochs
        self._progress.start()
        self._task = self._progress.add_task(
            f"epoch {done + 1}/{epochs}", total=epochs * steps, completed=done * steps, numbers=""
        )

    def step(self, loss: float, rate: float) -> None:
        """Move by one step; show the mean loss of the epoch so far."""
        self.steps(np.array([loss]), rate)

    def steps(self, losses: np.ndarray, rate: float) -> None:
        """Move by several steps."""
        self._total += float(losses.sum())
        self._count += len(losses)
        self._ahead += len(losses)
        now = time.perf_counter()
        if now < self._due:
            return
        self._due = now + 0.1
        self._show(self._total / max(self._count, 1), rate)

    def _show(self, mean: float, rate: float, **changes: Any) -> None:
        numbers = f"loss {mean:.4f}  rate {rate:.3g}{self._latest}"
        self._progress.update(self._task, advance=self._ahead, numbers=numbers, **changes)
        self._ahead = 0

    def epoch(self, history: History) -> None:
        """Name the next epoch and show the losses of the one before it."""
        if history.validation_losses:
            self._latest = (
                f"  validation {history.validation_losses[-1]:.4f} (best {history.best_loss:.4f})"
            )
        number = min(history.epochs + 1, self._epochs)
        # Not the mean of the steps since the last epoch: of several epochs at once all steps come
        # before the first of them is told.
        name = f"epoch {number}/{self._epochs}"
        self._show(history.losses[-1], history.rates[-1], description=name)
        self._total, self._count = 0.0, 0

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def reporter(progress: bool) -> Quiet:
    """A bar where standard output is a terminal, lines where it is not, nothing if not wanted."""
    if not progress:
        return Quiet()
    return Bar() if sys.stdout.isatty() else Lines()
