"""Timing contestants fairly: in turns, by the clock on the wall and by processor time.

On a busy machine the wall clock also counts what others did meanwhile; processor time (of all
threads of the process) does not. Contestants run A B C A B C, so that what slows the machine for a
while slows all of them, and medians leave single bad rounds out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Timing:
    """How long something took: ``wall`` and ``cpu``, in seconds."""

    wall: float
    cpu: float

    def per(self, count: float) -> Timing:
        """The time of one of ``count`` equal parts."""
        return Timing(self.wall / count, self.cpu / count)


class Clock:
    """Measures what happens between ``start`` and ``stop``, or inside ``with clock:``."""

    def __init__(self) -> None:
        self.timing = Timing(0.0, 0.0)
        self._from: tuple[float, float] | None = None

    def start(self) -> None:
        """Begin, or begin anew."""
        self._from = (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        """End; ``timing`` is what was measured."""
        wall, cpu = time.perf_counter(), time.process_time()
        if self._from is None:
            raise RuntimeError("the clock was stopped but never started")
        self.timing = Timing(wall - self._from[0], cpu - self._from[1])
        self._from = None

    def __enter__(self) -> Clock:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass
class Series:
    """The timings of one contestant, a round each, in seconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, timing: Timing) -> None:
        """Note one more round."""
        self.wall.append(timing.wall)
        self.cpu.append(timing.cpu)

    def median(self, kind: str = "cpu") -> float:
        """The median of the rounds, by "cpu" or "wall" time."""
        return statistics.median(getattr(self, kind))

    def spread(self, kind: str = "cpu") -> float:
        """Half the distance between the quartiles, as a share of the median."""
        values = getattr(self, kind)
        if len(values) < 2:
            return 0.0
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return (high - low) / 2 / middle if middle else 0.0

    def as_dict(self) -> dict[str, list[float]]:
        """Plain values, for a saved cell; ``Series(**values)`` is the way back."""
        return {"wall": self.wall, "cpu": self.cpu}


def interleave(
    contestants: Mapping[str, Callable[[], Timing]],
    rounds: int,
    warm_up: int = 1,
    report: Callable[[str], Any] = lambda text: None,
) -> dict[str, Series]:
    """Run all contestants in turns, round after round.

    Args:
        contestants: name -> a function that does the work once and says how long it took.
        rounds: how many count.
        warm_up: rounds before them that do not.
        report: told in words what runs.

    Returns:
        The timings by name.
    """
    series = {name: Series() for name in contestants}
    for number in range(-warm_up, rounds):
        where = f"round {number + 1} of {rounds}" if number >= 0 else "warm-up"
        for name, run in _in_turn(contestants, number):
            report(f"{where}: {name}")
            timing = run()
            if number >= 0:
                series[name].add(timing)
    return series


def _in_turn(
    contestants: Mapping[str, Callable[[], Timing]], number: int
) -> Iterator[tuple[str, Callable[[], Timing]]]:
    """All of them, beginning with another one each round, in every second round backwards.

    So nobody always follows the same one, whose threads may still be looking for work.
    """
    items = list(contestants.items())
    first = number % len(items) if items else 0
    if number % 2:
        items.reverse()
        first = len(items) - 1 - first
    yield from items[first:] + items[:first]


def repeated(
    call: Callable[[], Any], seconds: float = 0.05, most: int = 1_000_000
) -> Callable[[], Timing]:
    """A contestant that makes a short call often enough to be measured; its timing is of one call.

    The call is made once before, so that what it compiles at first does not count.

    Args:
        call: what is timed; it must have finished its work when it returns.
        seconds: the least time that one measurement shall take.
        most: calls in one measurement at most.
    """
    call()
    clock = Clock()
    count = 1
    while True:
        with clock:
            for _ in range(count):
                call()
        if clock.timing.wall >= seconds or count >= most:
            break
        growth = 1.2 * seconds / max(clock.timing.wall, 1e-7)
        count = min(most, max(count + 1, int(count * min(growth, 100.0))))

    def run() -> Timing:
        with clock:
            for _ in range(count):
                call()
        return clock.timing.per(count)

    return run
