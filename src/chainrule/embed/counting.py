"""Telling how far the reading of a text is: a bar on a terminal, a line at its end elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any


class Quiet:
    """Says nothing; also what the other reporters have in common."""

    def start(self, task: str, total: int | None) -> None:
        """Before the first word: what is done, and how much there is to do, if that is known."""

    def read(self, position: int, words: int) -> None:
        """After each piece: how much is read, and how many words so far."""

    def close(self, line: str = "") -> None:
        """At the end: what was done; empty where it ended badly, or there is nothing to say."""


class Lines(Quiet):
    """One line on standard output when all is read."""

    def __init__(self) -> None:
        self._began = 0.0

    def start(self, task: str, total: int | None) -> None:
        """Take the time."""
        self._began = time.perf_counter()

    def close(self, line: str = "") -> None:
        """Print the line."""
        if line:
            print(f"{line}, {time.perf_counter() - self._began:.1f} s", flush=True)


class Bar(Quiet):
    """A bar with words per second and the time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            transient=True,
        )
        self._task: Any = None
        self._began = self._due = 0.0

    def start(self, task: str, total: int | None) -> None:
        """Open the bar."""
        self._began = time.perf_counter()
        self._progress.start()
        self._task = self._progress.add_task(task, total=total, numbers="")

    def read(self, position: int, words: int) -> None:
        """Move, ten times a second at most."""
        now = time.perf_counter()
        if now < self._due:
            return
        self._due = now + 0.1
        speed = words / max(now - self._began, 1e-9)
        self._progress.update(
            self._task, completed=position, numbers=f"{words:,} words  {speed:,.0f} words/s"
        )

    def close(self, line: str = "") -> None:
        """Take the bar away."""
        self._progress.stop()


def reporter(progress: bool) -> Quiet:
    """A bar where standard output is a terminal, a line where it is not, nothing if not wanted."""
    if not progress:
        return Quiet()
    return Bar() if sys.stdout.isatty() else Lines()
