"""JAX with a whole epoch in one ``lax.scan`` under ``jit``, blocked on its result."""

from __future__ import annotations

from typing import Any

from harness.timing import Clock
from harness.workers import bind_to_one_core

bind_to_one_core()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from peers.contestant import serve_contestant  # noqa: E402
from peers.work import Material, Work  # noqa: E402

DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8


class Scanned:
    """One compiled call an epoch; parameters and optimiser state are donated to it."""

    def __init__(self, work: Work, material: Material, optimiser: str) -> None:
        self.work, self.optimiser, self.rate = work, optimiser, work.rates[optimiser]
        self.x, self.y = jnp.asarray(material.x), jnp.asarray(material.y.astype("int32"))
        self.orders = [jnp.asarray(order.astype("int32")) for order in material.order]
        self.weights = material.weights
        self.epoch = jax.jit(self._epoch, donate_argnums=0)
        self.compiled: Any = None

    def _loss(self, weights: Any, x: Any, y: Any) -> Any:
        activation = jnp.tanh if self.work.activation == "tanh" else jax.nn.relu
        for matrix, offset in weights[:-1]:
            x = activation(x @ matrix + offset)
        logits = x @ weights[-1][0] + weights[-1][1]
        if self.work.binary:
            logits = logits[:, 0]
            return jnp.mean(jax.nn.softplus(logits) - y * logits)
        own = jnp.take_along_axis(logits, y[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - own)

    def _step(self, state: Any, rows: Any, x: Any, y: Any) -> Any:
        weights, means, squares, count = state
        loss, slopes = jax.value_and_grad(self._loss)(weights, x[rows], y[rows])
        tree = jax.tree_util.tree_map
        if self.optimiser == "sgd":
            weights = tree(lambda w, g: w - self.rate * g, weights, slopes)
            return (weights, means, squares, count), loss
        count = count + 1
        means = tree(lambda m, g: DECAY * m + (1 - DECAY) * g, means, slopes)
        squares = tree(lambda s, g: SQUARE_DECAY * s + (1 - SQUARE_DECAY) * g * g, squares, slopes)
        rate = self.rate / (1 - DECAY**count)
        scale = 1 / jnp.sqrt(1 - SQUARE_DECAY**count)
        weights = tree(
            lambda w, m, s: w - rate * m / (jnp.sqrt(s) * scale + EPSILON), weights, means, squares
        )
        return (weights, means, squares, count), loss

    def _epoch(self, state: Any, order: Any, x: Any, y: Any) -> Any:
        batch = self.work.batch
        full = len(order) // batch
        rows = order[: full * batch].reshape(full, batch)
        state, losses = jax.lax.scan(lambda s, r: self._step(s, r, x, y), state, rows)
        total = jnp.sum(losses) * batch
        rest = order[full * batch :]
        if len(rest):
            state, loss = self._step(state, rest, x, y)
            total = total + loss * len(rest)
        return state, total / len(order)

    def run(self, epochs: int, clock: Clock) -> list[float]:
        """Train from the initial weights; the first call compiles before the clock starts."""
        weights = [tuple(jnp.array(array) for array in layer) for layer in self.weights]
        zeros = [jax.tree_util.tree_map(jnp.zeros_like, weights) for _ in range(2)]
        state = (weights, *zeros, jnp.float32(0))
        if self.compiled is None:
            self.compiled = self.epoch.lower(state, self.orders[0], self.x, self.y).compile()
        losses = []
        with clock:
            for epoch in range(epochs):
                state, loss = self.compiled(state, self.orders[epoch], self.x, self.y)
                losses.append(float(loss))
            jax.block_until_ready(state)
        return losses


if __name__ == "__main__":
    serve_contestant(Scanned)
