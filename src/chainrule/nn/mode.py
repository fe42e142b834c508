"""Training and evaluation: modules evaluate, unless a block says that they train.

The mode is a property of the running block and not of a module, so that nothing has to be switched
back and no network is left in the wrong mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from chainrule.tracing.record import as_written


class Training:
    """The random key of a training step, and how many statements have drawn from it.

    Args:
        key: two integers (seed, step), which may be traced.
    """

    __slots__ = ("key", "streams")

    def __init__(self, key: Any) -> None:
        self.key = key
        self.streams = 0

    def next_stream(self) -> int:
        """A number for the next random statement: the first is 0, counted in order of calls."""
        stream = self.streams
        self.streams += 1
        return stream


_training: ContextVar[Training | None] = ContextVar("training", default=None)


@contextmanager
def training(seed: Any = 0, step: Any = 0) -> Iterator[None]:
    """Within the block modules behave as in training: dropout drops, running statistics move.

    A compiled function that is called in the block runs as it is written, without its program. To
    compile a training step, open the block inside of the function, with a key that is an argument.

    Args:
        seed: an integer, or an integer array (seed, step), which may be traced.
        step: the number of the training step, where ``seed`` is one integer. The same seed and step
            give the same random numbers.

    >>> from chainrule import nn
    >>> drop = nn.Dropout(0.5)
    >>> drop(np.ones(6)).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    >>> with training(seed=7):
    ...     print(drop(np.ones(6)).tolist())
    [2.0, 0.0, 0.0, 0.0, 0.0, 2.0]
    """
    key = seed if np.shape(seed) == (2,) else np.array([seed, step], np.int64)
    with _mode(Training(key)):
        yield


@contextmanager
def evaluation() -> Iterator[None]:
    """Within the block modules behave as in evaluation, also inside of a training block."""
    with _mode(None):
        yield


@contextmanager
def _mode(step: Training | None) -> Iterator[None]:
    token = _training.set(step)
    try:
        with as_written(step is not None):
            yield
    finally:
        _training.reset(token)


def current_training() -> Training | None:
    """The training step that is running, or None in evaluation."""
    return _training.get()
