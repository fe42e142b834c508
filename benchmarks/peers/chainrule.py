"""chainrule, through its public ``train.fit``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from harness.timing import Clock, Timing
from harness.workers import bind_to_one_core

bind_to_one_core()

from chainrule import nn, train  # noqa: E402
from chainrule.run import native  # noqa: E402
from chainrule.train import progress  # noqa: E402
from peers.contestant import serve_contestant  # noqa: E402
from peers.work import SEED, Material, Work  # noqa: E402


class Fit:
    """``train.fit`` of an ``nn.MLP``, by the native executor where it is built.

    The clock starts where ``fit`` says that its first epoch begins: the network is traced and
    planned by then. ``inner`` is the part of the time that was spent in the core.
    """

    def __init__(self, work: Work, material: Material, optimiser: str) -> None:
        self.work, self.material, self.optimiser = work, material, optimiser
        self.net = nn.MLP(
            work.widths[0], work.widths[1:-1], work.widths[-1], activation=work.activation
        )
        self.initial = {}
        for number, (matrix, offset) in enumerate(material.weights):
            self.initial[f"layers[{number}].weight"] = matrix
            self.initial[f"layers[{number}].bias"] = offset
        self.targets = material.y.reshape(-1, 1) if work.binary else material.y
        self.inner: Timing | None = None

    def run(self, epochs: int, clock: Clock) -> list[float]:
        """One call of ``fit``."""
        self.net.assign(self.initial)
        with _on_start(clock.start), _core_timed() as in_core:
            history = train.fit(
                self.net,
                "bce_with_logits" if self.work.binary else "cross_entropy",
                (self.material.x, self.targets),
                optimiser=self.optimiser,
                rate=self.work.rates[self.optimiser],
                epochs=epochs,
                batch_size=self.work.batch,
                seed=SEED,
                progress=False,
                executor="native" if native.available() else "numpy",
            )
            clock.stop()
        self.inner = Timing(*in_core) if native.available() else None
        return history.losses


@contextlib.contextmanager
def _on_start(call: Callable[[], None]) -> Iterator[None]:
    """Have ``call`` called where ``fit`` reports that it starts with its epochs."""
    start = progress.Quiet.start
    progress.Quiet.start = lambda *arguments: call()
    try:
        yield
    finally:
        progress.Quiet.start = start


@contextlib.contextmanager
def _core_timed() -> Iterator[list[float]]:
    """[wall, processor] seconds that calls of the core take from now on."""
    spent = [0.0, 0.0]
    if not native.available():
        yield spent
        return
    from chainrule.run.native.loop import Loop

    run = Loop.run

    def timed(*arguments: object, **options: object) -> object:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return run(*arguments, **options)
        finally:
            spent[0] += time.perf_counter() - wall
            spent[1] += time.process_time() - cpu

    Loop.run = timed
    try:
        yield spent
    finally:
        Loop.run = run


if __name__ == "__main__":
    serve_contestant(Fit)
