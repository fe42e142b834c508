"""scikit-learn's ``MLPClassifier.fit``, float32.

Its own shuffling is replaced by the common order. Its Adam adds epsilon to the uncorrected root, so
that steps are a little shorter where gradients are tiny.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from harness.timing import Clock
from harness.workers import bind_to_one_core

bind_to_one_core()

import numpy as np  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.neural_network import MLPClassifier, _multilayer_perceptron  # noqa: E402

from peers.contestant import serve_contestant  # noqa: E402
from peers.work import Material, Work  # noqa: E402

NEVER = 10**9


class Estimator:
    """One call of ``fit`` a round, warm-started from the common weights."""

    def __init__(self, work: Work, material: Material, optimiser: str) -> None:
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.material = material
        self.orders: Iterator[Any] = iter(())
        if not hasattr(_multilayer_perceptron, "shuffle"):
            raise RuntimeError("this scikit-learn shuffles elsewhere: the order cannot be given")
        _multilayer_perceptron.shuffle = lambda rows, random_state: next(self.orders)
        self.estimator = MLPClassifier(
            hidden_layer_sizes=work.widths[1:-1],
            activation=work.activation,
            solver=optimiser,
            alpha=0.0,
            batch_size=work.batch,
            learning_rate_init=work.rates[optimiser],
            momentum=0.0,
            nesterovs_momentum=False,
            tol=0.0,
            n_iter_no_change=NEVER,
            warm_start=True,
        )
        # It knows two classes only with one output. Two label columns and a softmax are the common
        # work: they take the same path as three classes or more.
        self.labels, self.softmax = material.y, work.widths[-1] == 2
        if self.softmax:
            self.labels = np.eye(2, dtype=np.int64)[material.y]
        self.begun = False

    def run(self, epochs: int, clock: Clock) -> list[float]:
        """Train from the initial weights."""
        if not self.begun:  # The first fit makes what a warm start starts from.
            self._fit(1)
            self.begun = True
        self.estimator.coefs_ = [matrix.copy() for matrix, _ in self.material.weights]
        self.estimator.intercepts_ = [offset.copy() for _, offset in self.material.weights]
        with clock:
            self._fit(epochs)
        return [float(loss) for loss in self.estimator.loss_curve_[-epochs:]]

    def _fit(self, epochs: int) -> None:
        self.orders = iter(self.material.order)
        self.estimator.max_iter = epochs
        if self.begun and self.softmax:
            self.estimator.out_activation_ = "softmax"
        self.estimator.fit(self.material.x, self.labels)


if __name__ == "__main__":
    serve_contestant(Estimator)
