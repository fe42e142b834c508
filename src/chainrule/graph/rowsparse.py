"""A matrix of which only some rows are not zero: the adjoint of looking rows up.

A batch that reads 200 rows of a table of a million has a gradient in those 200 rows only. Storing
and adding that gradient costs what the rows cost, never what the table costs.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class RowSparse:
    """Rows ``rows[i]`` that are to be added to row ``indices[i]`` of a zero array.

    Args:
        indices: integers of any shape; the same row may occur several times.
        rows: an array of shape ``indices.shape + shape[1:]``.
        shape: the shape of the whole array.

    >>> gradient = RowSparse(np.array([2, 0, 2]), np.array([[1.0], [2.0], [3.0]]), (4, 1))
    >>> gradient.to_dense().ravel()
    array([2., 0., 4., 0.])
    >>> gradient.coalesced().indices
    array([0, 2])
    """

    __slots__ = ("_parts", "shape")

    def __init__(self, indices: Any, rows: Any, shape: tuple[int, ...]) -> None:
        flat = np.asarray(indices).reshape(-1)
        self.shape = tuple(shape)
        # Joined when somebody looks: a sum of many terms must not copy each of them many times.
        self._parts: tuple[tuple[np.ndarray, np.ndarray], ...] = (
            (flat, np.asarray(rows).reshape((flat.size, *shape[1:]))),
        )

    def _joined(self) -> tuple[np.ndarray, np.ndarray]:
        if len(self._parts) > 1:
            indices, rows = (np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))
            self._parts = ((indices, rows),)
        return self._parts[0]

    @property
    def indices(self) -> np.ndarray:
        """Which rows, in one axis."""
        return self._joined()[0]

    @property
    def rows(self) -> np.ndarray:
        """What is added to them."""
        return self._joined()[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the rows."""
        return np.result_type(*(rows.dtype for _, rows in self._parts))

    @property
    def ndim(self) -> int:
        """The number of axes of the whole array."""
        return len(self.shape)

    def astype(self, dtype: Any) -> RowSparse:
        """The same rows in another dtype."""
        return RowSparse(self.indices, self.rows.astype(dtype), self.shape)

    def to_dense(self) -> np.ndarray:
        """The whole array, zeros included."""
        dense = np.zeros(self.shape, self.dtype)
        np.add.at(dense, self.indices, self.rows)
        return dense

    def coalesced(self) -> RowSparse:
        """The same matrix with every row at most once, in increasing order."""
        wrapped = np.where(self.indices < 0, self.indices + self.shape[0], self.indices)
        indices, inverse = np.unique(wrapped, return_inverse=True)
        rows = np.zeros((indices.size, *self.shape[1:]), self.dtype)
        np.add.at(rows, inverse, self.rows)
        return RowSparse(indices, rows, self.shape)

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, RowSparse):
            return self.to_dense() + other
        total = object.__new__(RowSparse)
        total.shape, total._parts = self.shape, self._parts + other._parts
        return total

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.to_dense().astype(dtype or self.dtype, copy=False)

    def __repr__(self) -> str:
        return f"RowSparse({self.indices.size} rows of {self.shape}, {self.dtype})"
