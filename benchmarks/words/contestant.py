"""What the worker of a library does: learn from a text file and write vectors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from harness.timing import Clock, Timing
from harness.workers import peak_memory, serve

from words.roster import Setting


@dataclass
class Learned:
    """What came of learning.

    Attributes:
        words: those that have a vector, the frequent ones first.
        vectors: (words, size).
        epochs: the time of each epoch that was timed; what lies around them is not in it.
    """

    words: list[str] = field(default_factory=list)
    vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    epochs: list[Timing] = field(default_factory=list)


Learn = Callable[[Setting, Path], Learned]


def plain(timing: Timing) -> dict[str, float]:
    """A timing as JSON."""
    return {"wall": timing.wall, "cpu": timing.cpu}


def serve_learner(learn: Learn, extra: dict[str, Callable[..., Any]] | None = None) -> None:
    """Be the worker of a library.

    ``time`` learns for as many epochs as the setting has, and the mean of those after the first is
    the time of training alone; the time from the text to written vectors is given for one epoch.
    ``learn`` only writes the vectors, for their quality.
    """

    def time(setting: dict[str, Any], text: str) -> dict[str, Any]:
        clock = Clock()
        with clock:
            learned = learn(Setting(**setting), Path(text))
            with tempfile.TemporaryFile() as file:
                np.save(file, learned.vectors)
        extra = learned.epochs[1:]
        more = Timing(sum(epoch.wall for epoch in extra), sum(epoch.cpu for epoch in extra))
        end = Timing(clock.timing.wall - more.wall, clock.timing.cpu - more.cpu)
        train = more.per(len(extra)) if extra else end
        return {"end": plain(end), "train": plain(train), "memory": peak_memory()}

    def save(setting: dict[str, Any], text: str, output: str) -> None:
        learned = learn(Setting(**setting), Path(text))
        np.savez(output, words=np.array(learned.words), vectors=learned.vectors)

    serve({"time": time, "learn": save, **(extra or {})})
