"""Where values lie: pieces of memory, and arrays in them that may be views."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Shape = tuple[int, ...]

_CORE_DTYPES = {"f4": "f32", "f8": "f64", "i8": "i64", "i4": "i32", "b1": "bool"}


def core_dtype(dtype: Any) -> str | None:
    """The core's name of a dtype: one it computes with, ``raw`` for one it only moves, or None.

    >>> core_dtype(np.dtype(np.float32)), core_dtype(np.dtype(np.uint16)), core_dtype(np.dtype("O"))
    ('f32', 'raw2', None)
    """
    if not isinstance(dtype, np.dtype) or dtype.kind not in "fiub" or dtype.itemsize > 8:
        return None
    if dtype.isnative:
        known = _CORE_DTYPES.get(f"{dtype.kind}{dtype.itemsize}")
        if known is not None:
            return known
    return f"raw{dtype.itemsize}"


@dataclass(eq=False)
class Storage:
    """A piece of memory that is written by one operation (or by several, each its own part).

    Attributes:
        nbytes: its size.
        kind: "arena", or a kind of buffer of its own: "constant", "input", "updated_input",
            "output".
        unit: the last operation that writes it; -1 where it is there from the start.
        first, last: the first operation that writes it and the last that reads it.
        kept: whether it needs memory; results inside a chain of instructions do not.
        parent, start: the storage of which it is a part, and the byte where it begins there.
        buffer, offset: its place, once it is planned.
        value: the array of a constant.
    """

    nbytes: int
    kind: str = "arena"
    unit: int = -1
    first: int = -1
    last: int = -1
    kept: bool = False
    parent: Storage | None = None
    start: int = 0
    buffer: int = -1
    offset: int = 0
    value: Any = field(default=None, repr=False)

    def root(self) -> tuple[Storage, int]:
        """The storage that has memory of its own, and where this one begins in it."""
        storage, start = self, 0
        while storage.parent is not None:
            start += storage.start
            storage = storage.parent
        return storage, start


@dataclass(eq=False)
class Array:
    """An array in a storage; the offset counts bytes, strides count entries."""

    storage: Storage
    dtype: Any
    shape: Shape
    strides: Shape
    offset: int = 0

    @property
    def size(self) -> int:
        """The number of entries."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def nbytes(self) -> int:
        """The bytes of all entries."""
        return self.size * self.dtype.itemsize

    def is_contiguous(self) -> bool:
        """Whether the entries lie end to end in C order."""
        expected = 1
        if self.size == 0:
            return True
        for n, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n != 1 and stride != expected:
                return False
            expected *= n
        return True

    def is_whole(self) -> bool:
        """Whether it is all of its storage, in order."""
        return self.offset == 0 and self.nbytes == self.storage.nbytes and self.is_contiguous()

    def reshaped(self, shape: Shape) -> Array:
        """A view of a contiguous array with another shape."""
        return Array(self.storage, self.dtype, shape, contiguous_strides(shape), self.offset)

    def view(self, function: Any) -> Array:
        """What ``function`` makes of the array, where that is a view by NumPy's rules.

        It is applied to an array that stands for this one and has no memory behind it.
        """
        item = self.dtype.itemsize
        stand_in = as_strided(
            np.empty(1, self.dtype), self.shape, tuple(s * item for s in self.strides)
        )
        result = function(stand_in)
        moved = _address(result) - _address(stand_in)
        strides = tuple(s // item for s in result.strides)
        offset = self.offset + moved if result.size else self.offset
        return Array(self.storage, self.dtype, result.shape, strides, offset)

    def as_one_number(self) -> Array:
        """Itself; a constant whose entries are all alike by strides of 0."""
        if self.storage.kind != "constant" or self.size < 2:
            return self
        values = self.storage.value
        if values.tobytes() != values.flat[0].tobytes() * values.size:  # By bits: -0 is not 0.
            return self
        return Array(self.storage, self.dtype, self.shape, (0,) * len(self.shape), self.offset)

    def broadcast(self, shape: Shape) -> Array:
        """Stretched to a shape by strides of 0."""
        if self.shape == shape:
            return self
        missing = len(shape) - len(self.shape)
        strides = (0,) * missing + tuple(
            0 if n == 1 else stride for n, stride in zip(self.shape, self.strides, strict=True)
        )
        return Array(self.storage, self.dtype, shape, strides, self.offset)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def contiguous_strides(shape: Shape) -> Shape:
    """Strides of entries in C order.

    >>> contiguous_strides((2, 3, 4))
    (12, 4, 1)
    """
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def new_array(shape: Shape, dtype: Any, kind: str = "arena") -> Array:
    """A contiguous array in a storage of its own."""
    array = Array(Storage(0, kind), np.dtype(dtype), shape, contiguous_strides(shape))
    array.storage.nbytes = array.nbytes
    return array


def constant_array(value: Any) -> Array:
    """A constant; axes along which it does not vary by its strides are stored once."""
    value = np.asarray(value)
    stored = value[tuple(slice(0, 1) if s == 0 else slice(None) for s in value.strides)]
    if value.size == 0:
        stored = value
    array = new_array(stored.shape, value.dtype, "constant")
    array.storage.value = np.array(stored, order="C")
    return array.broadcast(value.shape)
