"""Schedules: how the learning rate changes in the course of training.

A schedule is called with the number of epochs done, a fraction within an epoch, and the validation
losses so far, and returns a factor for the optimiser's rate. It keeps nothing between calls, so a
training that is resumed has the same rates as one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainrule.errors import ChainruleError

Schedule = Callable[[float, Sequence[float]], float]


@dataclass(frozen=True)
class Constant:
    """The rate as it is."""

    def __call__(self, epoch: float, losses: Sequence[float] = ()) -> float:
        """Always 1."""
        return 1.0


@dataclass(frozen=True)
class StepDecay:
    """Multiply by ``factor`` every ``every`` epochs.

    >>> [StepDecay(10, 0.5)(epoch) for epoch in (0, 9.9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    every: float
    factor: float = 0.1

    def __call__(self, epoch: float, losses: Sequence[float] = ()) -> float:
        """The factor after this many epochs."""
        return self.factor ** math.floor(epoch / self.every)


@dataclass(frozen=True)
class Exponential:
    """Multiply by ``factor`` in the course of each epoch, steadily.

    >>> Exponential(0.25)(0.5)
    0.5
    """

    factor: float = 0.95

    def __call__(self, epoch: float, losses: Sequence[float] = ()) -> float:
        """The factor after this many epochs."""
        return self.factor**epoch


@dataclass(frozen=True)
class Cosine:
    """From 1 to ``floor`` along half a cosine within ``epochs``, then ``floor``. Loshchilov and
    Hutter, SGDR: stochastic gradient descent with warm restarts (2017).

    >>> [round(Cosine(10)(epoch), 3) for epoch in (0, 5, 10, 12)]
    [1.0, 0.5, 0.0, 0.0]
    """

    epochs: float
    floor: float = 0.0

    def __call__(self, epoch: float, losses: Sequence[float] = ()) -> float:
        """The factor after this many epochs."""
        share = min(epoch / self.epochs, 1.0)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class WarmUp:
    """From near 0 to 1 in a straight line within ``epochs``; then another schedule, from its
    start. Goyal et al., Accurate, large minibatch SGD (2017).

    >>> [WarmUp(2, Exponential(0.5))(epoch) for epoch in (1, 2, 3)]
    [0.5, 1.0, 0.5]
    """

    epochs: float
    then: Schedule = Constant()
    start: float = 0.001

    def __call__(self, epoch: float, losses: Sequence[float] = ()) -> float:
        """The factor after this many epochs."""
        if epoch < self.epochs:
            return max(self.start, epoch / self.epochs)
        return self.then(epoch - self.epochs, losses)


@dataclass(frozen=True)
class ReduceOnPlateau:
    """Multiply by ``factor`` whenever ``patience`` epochs in a row brought no better loss.

    >>> ReduceOnPlateau(factor=0.5, patience=2)(4, [3.0, 2.0, 2.1, 2.2])
    0.5
    """

    factor: float = 0.5
    patience: int = 5
    floor: float = 0.0
    least_change: float = 0.0

    def __call__(self, epoch: float, losses: Sequence[float] = ()) -> float:
        """The factor that the losses of the epochs so far have led to."""
        best, waited, value = math.inf, 0, 1.0
        for loss in losses:
            if loss < best - self.least_change:
                best, waited = loss, 0
            else:
                waited += 1
                if waited >= self.patience:
                    value, waited = value * self.factor, 0
        return max(value, self.floor)


def schedule_of(given: str | Schedule | None, epochs: int) -> Schedule:
    """A schedule from a function or a name: "constant", "cosine" (over all epochs), "plateau".

    Raises:
        ChainruleError: for another name.
    """
    if given is None or given == "constant":
        return Constant()
    if given == "cosine":
        return Cosine(epochs)
    if given == "plateau":
        return ReduceOnPlateau()
    if isinstance(given, str):
        raise ChainruleError(
            f"no schedule is called {given!r}; there are constant, cosine and plateau, and the "
            "classes of chainrule.train: StepDecay, Exponential, Cosine, WarmUp, ReduceOnPlateau"
        )
    return given
