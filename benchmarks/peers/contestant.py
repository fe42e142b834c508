"""What a contestant is, and the worker that runs one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from harness.timing import Clock
from harness.workers import peak_memory, serve

from peers.work import Material, Work


class Contestant(Protocol):
    """A training of one work with one optimiser.

    It is made with (work, material, optimiser). ``run`` begins with the initial weights each time,
    trains for so many epochs while the clock runs, and returns the mean loss of each epoch. What is
    done once and not per step (tracing, compiling) it may do before it starts the clock.
    """

    def run(self, epochs: int, clock: Clock) -> list[float]:
        """Train; the losses, none where the contestant only stands for a part of the work."""


def serve_contestant(make: Callable[[Work, Material, str], Contestant]) -> None:
    """Be the worker of a contestant: ``prepare`` once, then ``run`` as often as asked."""
    current: list[Contestant] = []

    def prepare(work: dict[str, Any], folder: str, optimiser: str) -> None:
        chosen = Work(**{**work, "widths": tuple(work["widths"])})
        current[:] = [make(chosen, Material.load(Path(folder), chosen), optimiser)]

    def run(epochs: int) -> dict[str, Any]:
        clock = Clock()
        losses = current[0].run(epochs, clock)
        answer = {"wall": clock.timing.wall, "cpu": clock.timing.cpu, "losses": losses}
        inner = getattr(current[0], "inner", None)
        if inner is not None:
            answer["inner"] = {"wall": inner.wall, "cpu": inner.cpu}
        return answer

    def spent() -> dict[str, float]:
        """Processor seconds since the process began, and its peak memory in bytes."""
        return {"cpu": time.process_time(), "memory": peak_memory()}

    serve({"prepare": prepare, "run": run, "spent": spent})
