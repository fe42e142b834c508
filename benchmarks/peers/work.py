"""The work: networks, data, initial weights and the order of examples, equal for all contestants.

Everything is drawn once and lies in files, from which each contestant's process reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20130101
Images = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Work:
    """A network and what it is trained on.

    Attributes:
        name: how tables call it.
        widths: of the input, the hidden layers and the output; one output means a sigmoid and two
            classes, more of them a softmax.
        activation: of the hidden layers, "tanh" or "relu".
        batch: examples in a step; the last step of an epoch may have fewer.
        samples: examples in an epoch.
        rates: the learning rate of each optimiser.
        compared: epochs over which the losses of all contestants must agree.
        images: whether the inputs are the MNIST training images where those are at hand.
    """

    name: str
    widths: tuple[int, ...]
    activation: str
    batch: int
    samples: int
    rates: dict[str, float]
    compared: int
    images: bool = False

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-self.samples // self.batch)

    @property
    def binary(self) -> bool:
        """Whether there is one output, with a sigmoid."""
        return self.widths[-1] == 1

    @property
    def net(self) -> str:
        """The network in words."""
        return f"{'-'.join(map(str, self.widths))} {self.activation}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values: what is sent to a worker; ``Work(**values)`` is the way back."""
        return {**self.__dict__, "widths": list(self.widths)}


RATES = {"sgd": 0.05, "adam": 0.001}
WORKS = [
    Work("tiny", (2, 8, 8, 1), "tanh", 10, 500, {"sgd": 0.1, "adam": 0.01}, 20),
    Work("small, batch 32", (20, 64, 64, 2), "relu", 32, 50_000, RATES, 1),
    Work("small, batch 256", (20, 64, 64, 2), "relu", 256, 50_000, RATES, 1),
    Work("MNIST", (784, 256, 128, 10), "relu", 128, 60_000, RATES, 1, images=True),
    Work("wide", (784, 1024, 1024, 10), "relu", 256, 10_240, RATES, 1),
]


@dataclass
class Material:
    """What a training is given.

    Attributes:
        x: inputs, (samples, features), float32.
        y: labels, (samples,), int64.
        weights: a matrix (inputs, outputs) and an offset (outputs,) of each layer, float32.
        order: positions of the examples in each epoch, (epochs, samples), int64.
    """

    x: np.ndarray
    y: np.ndarray
    weights: list[tuple[np.ndarray, np.ndarray]]
    order: np.ndarray

    def save(self, folder: Path) -> None:
        """Write everything into ``folder``."""
        for name in ("x", "y", "order"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        for number, (matrix, offset) in enumerate(self.weights):
            np.save(folder / f"matrix{number}.npy", matrix, allow_pickle=False)
            np.save(folder / f"offset{number}.npy", offset, allow_pickle=False)

    @staticmethod
    def load(folder: Path, work: Work) -> Material:
        """Read what ``save`` wrote."""

        def read(name: str) -> np.ndarray:
            return np.load(folder / f"{name}.npy", allow_pickle=False)

        layers = range(len(work.widths) - 1)
        weights = [(read(f"matrix{n}"), read(f"offset{n}")) for n in layers]
        return Material(read("x"), read("y"), weights, read("order"))


def make_material(work: Work, epochs: int, images: Images | None) -> Material:
    """Data, weights and the order of ``epochs`` epochs.

    Args:
        work: what they are for.
        epochs: for how many there shall be an order.
        images: inputs and labels to use where the work is on images.
    """
    generator = np.random.default_rng(SEED)
    inputs, outputs = work.widths[0], work.widths[-1]
    if work.images and images is not None:
        x, y = (part[: work.samples] for part in images)
    else:
        x = generator.standard_normal((work.samples, inputs), np.float32)
        # A task that can be learned, so that the losses move: which of some directions is nearest.
        directions = generator.standard_normal((inputs, max(outputs, 2)), np.float32)
        y = np.argmax(x @ directions, axis=1)
    weights = []
    for before, after in zip(work.widths[:-1], work.widths[1:], strict=True):
        # He et al., Delving deep into rectifiers (2015); Glorot and Bengio (2010) for tanh.
        size = np.sqrt(6 / before) if work.activation == "relu" else np.sqrt(6 / (before + after))
        matrix = generator.uniform(-size, size, (before, after)).astype(np.float32)
        weights.append((matrix, generator.uniform(-0.1, 0.1, after).astype(np.float32)))
    return Material(x, y.astype(np.int64), weights, _orders(work, epochs))


def _orders(work: Work, epochs: int) -> np.ndarray:
    """The orders that chainrule's training draws from its seed, so that others can follow them."""
    from chainrule.train.batches import Dataset

    data = Dataset((np.zeros((work.samples, 1)), np.zeros(work.samples)), np.float32)
    return np.stack([data.order(work.batch, SEED, epoch) for epoch in range(epochs)])


def batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The positions of one epoch, a batch at a time."""
    for start in range(0, len(order), size):
        yield order[start : start + size]
