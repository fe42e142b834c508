"""Random numbers as a primitive: a function of (seed, stream, step) and of nothing else.

The bits come from Philox4x64-10 (Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as
1, 2, 3, 2011), a counter-based generator: every executor finds the same numbers, in any order.
The key is the pair (seed, stream); ``step`` is the high word of the counter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph import shapes
from chainrule.graph.primitive import without_derivative


def random_bits(seed: int, stream: int, step: int, count: int) -> np.ndarray:
    """``count`` words of 64 random bits.

    >>> bool((random_bits(1, 2, 3, 4) == random_bits(1, 2, 3, 8)[:4]).all())
    True
    """
    mask = (1 << 64) - 1
    key = np.array([seed & mask, stream & mask], np.uint64)
    counter = np.array([0, 0, 0, step & mask], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def uniform_value(key: Any, stream: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """Numbers in [0, 1): the top 53 bits of a word (24 for float32) as a fraction."""
    digits = 24 if np.dtype(dtype) == np.float32 else 53
    bits = random_bits(int(key[0]), stream, int(key[1]), int(np.prod(shape, dtype=int)))
    fraction = (bits >> np.uint64(64 - digits)).astype(dtype) * np.dtype(dtype).type(0.5**digits)
    return fraction.reshape(shape)[()]


random_uniform = without_derivative(
    "random_uniform", uniform_value,
    lambda key, stream, shape, dtype: shapes.target(shape=shape),
    result_dtype=lambda arguments, attributes: np.dtype(attributes["dtype"]),
)  # fmt: skip
