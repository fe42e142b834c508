"""NumPy by hand: the derivatives written out, every result into a buffer that exists already."""

from __future__ import annotations

from harness.timing import Clock
from harness.workers import bind_to_one_core

bind_to_one_core()

import numpy as np  # noqa: E402

from peers.contestant import serve_contestant  # noqa: E402
from peers.work import Material, Work, batches  # noqa: E402

DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8


class ByHand:
    """All parameters lie in one vector, of which matrices and offsets are views."""

    def __init__(self, work: Work, material: Material, optimiser: str) -> None:
        self.work, self.material, self.optimiser = work, material, optimiser
        self.rate = work.rates[optimiser]
        parts = [array.ravel() for layer in material.weights for array in layer]
        self.initial = np.concatenate(parts)
        self.parameters, self.slopes, self.means, self.squares, self.scratch = (
            np.empty_like(self.initial) for _ in range(5)
        )
        self.weights, self.weight_slopes = self._views(self.parameters), self._views(self.slopes)
        hidden = work.widths[1:]
        self.x = np.empty((work.batch, work.widths[0]), np.float32)
        self.values = [np.empty((work.batch, width), np.float32) for width in hidden]
        self.adjoints = [np.empty((work.batch, width), np.float32) for width in hidden]
        self.rows = np.arange(work.batch)

    def _views(self, vector: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        views, start = [], 0
        for matrix, offset in self.material.weights:
            middle, end = start + matrix.size, start + matrix.size + offset.size
            views.append((vector[start:middle].reshape(matrix.shape), vector[middle:end]))
            start = end
        return views

    def run(self, epochs: int, clock: Clock) -> list[float]:
        """Train from the initial weights."""
        self.parameters[:] = self.initial
        self.means[:] = self.squares[:] = 0
        self.count = 0
        with clock:
            return [self._epoch(self.material.order[epoch]) for epoch in range(epochs)]

    def _epoch(self, order: np.ndarray) -> float:
        total = 0.0
        update = self._sgd if self.optimiser == "sgd" else self._adam
        for rows in batches(order, self.work.batch):
            total += self._gradient(rows)
            update()
        return total / len(order)

    def _gradient(self, rows: np.ndarray) -> float:
        """The gradient into ``slopes``; the summed loss."""
        count = len(rows)
        x = self.x[:count]
        np.take(self.material.x, rows, axis=0, out=x, mode="clip")
        inputs = [x]
        for (matrix, offset), whole in zip(self.weights, self.values, strict=True):
            value = whole[:count]
            np.dot(inputs[-1], matrix, out=value)
            value += offset
            if whole is not self.values[-1]:
                if self.work.activation == "tanh":
                    np.tanh(value, out=value)
                else:
                    np.maximum(value, 0, out=value)
            inputs.append(value)
        adjoint = self.adjoints[-1][:count]
        loss = self._loss(inputs[-1], self.material.y[rows], adjoint)
        adjoint /= count
        for number in reversed(range(len(self.weights))):
            matrix_slope, offset_slope = self.weight_slopes[number]
            np.dot(inputs[number].T, adjoint, out=matrix_slope)
            np.sum(adjoint, axis=0, out=offset_slope)
            if number:
                value, before = inputs[number], self.adjoints[number - 1][:count]
                np.dot(adjoint, self.weights[number][0].T, out=before)
                if self.work.activation == "tanh":
                    np.multiply(value, value, out=value)
                    np.subtract(1, value, out=value)
                    before *= value
                else:
                    before *= value > 0
                adjoint = before
        return loss

    def _loss(self, logits: np.ndarray, y: np.ndarray, adjoint: np.ndarray) -> float:
        """The summed loss; its adjoint, of each example by itself, into ``adjoint``."""
        if self.work.binary:
            y = y.reshape(-1, 1).astype(np.float32)
            loss = float(np.sum(np.logaddexp(0, logits) - y * logits))
            np.negative(logits, out=adjoint)
            np.exp(adjoint, out=adjoint)
            adjoint += 1
            np.reciprocal(adjoint, out=adjoint)
            adjoint -= y
            return loss
        rows = self.rows[: len(y)]
        logits -= np.max(logits, axis=1, keepdims=True)
        np.exp(logits, out=adjoint)
        sums = np.sum(adjoint, axis=1, keepdims=True)
        loss = float(np.sum(np.log(sums)) - np.sum(logits[rows, y]))
        adjoint /= sums
        adjoint[rows, y] -= 1
        return loss

    def _sgd(self) -> None:
        self.slopes *= np.float32(self.rate)
        self.parameters -= self.slopes

    def _adam(self) -> None:
        self.count += 1
        slopes, means, squares, scratch = self.slopes, self.means, self.squares, self.scratch
        means *= np.float32(DECAY)
        np.multiply(slopes, np.float32(1 - DECAY), out=scratch)
        means += scratch
        squares *= np.float32(SQUARE_DECAY)
        np.multiply(slopes, slopes, out=slopes)
        slopes *= np.float32(1 - SQUARE_DECAY)
        squares += slopes
        np.sqrt(squares, out=scratch)
        scratch *= np.float32(1 / np.sqrt(1 - SQUARE_DECAY**self.count))
        scratch += np.float32(EPSILON)
        np.divide(means, scratch, out=scratch)
        scratch *= np.float32(self.rate / (1 - DECAY**self.count))
        self.parameters -= scratch


if __name__ == "__main__":
    serve_contestant(ByHand)
