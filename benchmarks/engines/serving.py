"""The commands of a worker that holds one library: make a problem ready, then time it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import Clock, Timing, repeated, serve
from harness.workers import bind_to_one_core
from objectives import build
from objectives.problem import Problem


@dataclass(frozen=True)
class Ready:
    """A problem ready to run in one library.

    Attributes:
        value, derivative: compute it anew and return when that is done.
        arrays: what one of them returned, as NumPy arrays. A gradient has one for each variable, a
            Jacobian the vector of its entries at the problem's pattern.
        note: how the derivative is computed, in words; called after it was.
    """

    value: Callable[[], Any]
    derivative: Callable[[], Any]
    arrays: Callable[[str, Any], list[np.ndarray]]
    note: Callable[[], str] = str


def clocked(call: Callable[[], Any]) -> Callable[[], Timing]:
    """A contestant that makes one call."""

    def run() -> Timing:
        clock = Clock()
        with clock:
            call()
        return clock.timing

    return run


def serve_engine(prepare: Callable[..., Ready]) -> None:
    """Answer ``start`` and ``measure`` until there are no more commands."""
    bind_to_one_core()
    ready: dict[str, Ready] = {}
    contestants: dict[str, Callable[[], Timing]] = {}

    def start(name: str, size: dict[str, Any], file: str, options: dict[str, Any]) -> Any:
        problem: Problem = build(name, size)
        contestants.clear()
        began = time.perf_counter()
        ready["now"] = now = prepare(problem, **options)
        results = {"value": now.value(), "derivative": now.derivative()}
        first = time.perf_counter() - began
        arrays = {
            f"{what}{number}": array
            for what, result in results.items()
            for number, array in enumerate(now.arrays(what, result))
        }
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return {"note": now.note(), "first": first}

    def measure(what: str, seconds: float) -> dict[str, float]:
        if what not in contestants:
            call = getattr(ready["now"], what)
            # ``start`` has called it before. What is long enough by itself is called once a round.
            once = clocked(call)
            timing = once()
            contestants[what] = once if timing.wall >= seconds else repeated(call, seconds)
            if timing.wall >= seconds:
                return {"wall": timing.wall, "cpu": timing.cpu}
        timing = contestants[what]()
        return {"wall": timing.wall, "cpu": timing.cpu}

    serve({"start": start, "measure": measure})
