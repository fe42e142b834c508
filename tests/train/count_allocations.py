"""Train each case of test_whole.py, counting allocations; run by test_allocations.py.

Prints a line of JSON for each: its name, the number of threads, and what was allocated by a call of
the core for one step, and by one for 1001.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any

import numpy as np
import test_whole

from chainrule import nn
from chainrule.run.native.loop import Loop
from chainrule.train import fit

STEPS = 1001
count = ctypes.CDLL(None).chainrule_allocations
count.restype = ctypes.c_long


class Enough(Exception):
    """What was to be counted is counted."""


class Counting:
    """In the place of a program: counts what its runs allocate, then ends the training."""

    def __init__(self, program: Any) -> None:
        self.program = program

    def run(self, *arguments: Any) -> Any:
        given, records, calls, flush, _, strides, moves, _, threads, *_ = arguments

        def allocated(steps: int) -> int:
            before = count()
            self.program.run(given, records, calls, flush, steps, strides, moves, 0.0, threads)
            return int(count() - before)

        allocated(50)  # Helpers start, and libraries take what they keep.
        raise Enough(allocated(1), allocated(STEPS))


def measured(net: Any, data: tuple[Any, ...], options: dict[str, Any], threads: int) -> Any:
    original = Loop.run

    def run(self: Any, *arguments: Any) -> Any:
        self._program = Counting(self._program)
        return original(self, *arguments)

    Loop.run = run  # type: ignore[method-assign]
    try:
        settings = {"loss": "cross_entropy", "batch_size": 8, "epochs": 1, **options}
        fit(net, data=data, progress=False, executor="native", threads=threads, **settings)
    except Enough as result:
        return result.args
    finally:
        Loop.run = original  # type: ignore[method-assign]
    raise AssertionError("the core did not run whole epochs")


def cases() -> Any:
    for name, (make, data, options) in test_whole.CASES.items():
        rows = np.arange(STEPS * 8) % len(data[0])
        yield name, make(), tuple(part[rows] for part in data), {**options, "batch_size": 8}
    # Products for several threads, with dropout in between.
    random = np.random.default_rng(0)
    net = nn.Sequential(nn.Dense(40, 128, seed=0), nn.ReLU(), nn.Dropout(0.2), nn.Dense(128, 3))
    inputs = random.normal(size=(STEPS * 64, 40)).astype(np.float32)
    yield "wider", net, (inputs, random.integers(0, 3, STEPS * 64)), {"batch_size": 64}


if __name__ == "__main__":
    for name, net, data, options in cases():
        for threads in (1, 2):
            one, many = measured(net, data, options, threads)
            print(json.dumps([name, threads, one, many]))
            sys.stdout.flush()
