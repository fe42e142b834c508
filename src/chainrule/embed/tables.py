"""Tables of vectors whose rows begin at a line of the processor's cache."""

from __future__ import annotations

import numpy as np

LINE = 16  # floats


def stride_of(size: int) -> int:
    """Floats from one row to the next, for vectors of ``size`` numbers.

    >>> stride_of(100), stride_of(300)
    (112, 304)
    """
    return -(-size // LINE) * LINE


def empty_table(rows: int, size: int) -> np.ndarray:
    """Zeros of shape (rows, stride), aligned to a line.

    >>> empty_table(3, 100).ctypes.data % 64
    0
    """
    stride = stride_of(size)
    memory = np.zeros(rows * stride + LINE, np.float32)
    start = -(memory.ctypes.data // 4) % LINE
    return memory[start : start + rows * stride].reshape(rows, stride)


def table_of(vectors: np.ndarray) -> np.ndarray:
    """A table that holds a copy of ``vectors``, of shape (rows, size)."""
    table = empty_table(*vectors.shape)
    table[:, : vectors.shape[1]] = vectors
    return table
