"""The output of a network for many examples, some at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.api.compile import compile as compiled
from chainrule.nn.checks import positive_whole
from chainrule.nn.module import Module
from chainrule.tracing.trees import Tree
from chainrule.train.batches import Dataset, as_arrays
from chainrule.train.step import make_forward, state_values, trainable_values

# How many examples a forward pass takes at a time where nothing is learned from them.
FORWARD_ROWS = 4096


def predict(
    net: Module,
    inputs: Any,
    batch_size: int = FORWARD_ROWS,
    executor: str | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """The network's output in evaluation, batch by batch.

    Args:
        net: the network.
        inputs: an array, or nested arrays, whose first axis counts examples.
        batch_size: examples at a time.
        executor: which executor runs it.
        threads: how many the native executor may use.

    >>> from chainrule import nn
    >>> predict(nn.MLP(2, [3], 1, seed=0), np.zeros((5, 2))).shape
    (5, 1)
    """
    positive_whole(batch_size, "batch_size")
    inputs = as_arrays(inputs)
    count = next((len(leaf) for leaf in Tree(inputs).leaves if np.ndim(leaf)), 0)
    data = Dataset((inputs, np.zeros(count, net.dtype)), net.dtype)
    forward = compiled(make_forward(net), executor=executor, threads=threads)
    return batched(forward, trainable_values(net), state_values(net), data, batch_size)


def batched(
    forward: Any, parameters: Any, states: Any, data: Dataset, batch_size: int
) -> np.ndarray:
    """What ``forward(parameters, states, inputs)`` gives for all examples, in their order."""
    parts = [
        forward(parameters, states, data.rows(slice(start, start + batch_size))[0])
        for start in range(0, data.count, batch_size)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
