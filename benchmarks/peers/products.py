"""The matrix products of a step by NumPy's OpenBLAS, and nothing else: no peer, but a yardstick."""

from __future__ import annotations

import itertools

from harness.timing import Clock
from harness.workers import bind_to_one_core

bind_to_one_core()

import numpy as np  # noqa: E402

from peers.contestant import serve_contestant  # noqa: E402
from peers.work import SEED, Material, Work  # noqa: E402


class Products:
    """Forward, with respect to the weights, and with respect to the inputs of all but the first."""

    def __init__(self, work: Work, material: Material, optimiser: str) -> None:
        self.work = work
        rest = work.samples % work.batch
        self.full = self._of_batch(work.batch)
        self.last = self._of_batch(rest) if rest else []

    def _of_batch(self, batch: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """(left, right, result) of each product."""
        generator = np.random.default_rng(SEED)
        widths = self.work.widths
        values = [generator.standard_normal((batch, width), np.float32) for width in widths]
        products = []
        for number, (before, after) in enumerate(itertools.pairwise(widths)):
            matrix = generator.standard_normal((before, after), np.float32)
            products.append((values[number], matrix, np.empty((batch, after), np.float32)))
            slope = np.empty((before, after), np.float32)
            products.append((values[number].T, values[number + 1], slope))
            if number:
                below = np.empty((batch, before), np.float32)
                products.append((values[number + 1], matrix.T, below))
        return products

    def run(self, epochs: int, clock: Clock) -> list[float]:
        """As many products as so many epochs have; there is no loss."""
        with clock:
            for _ in range(epochs * (self.work.samples // self.work.batch)):
                for left, right, result in self.full:
                    np.dot(left, right, out=result)
            for _ in range(epochs):
                for left, right, result in self.last:
                    np.dot(left, right, out=result)
        return []


if __name__ == "__main__":
    serve_contestant(Products)
