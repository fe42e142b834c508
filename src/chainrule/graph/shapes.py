"""Shape rules: the shapes of the arguments and the attributes -> the shape of the result.

They run where values are not known (a staged graph), and word the error where operands do not fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError

Shape = tuple[int, ...]


def broadcast(*shapes: Shape, **_: Any) -> Shape:
    """NumPy's broadcasting.

    >>> broadcast((3, 1), (4,))
    (3, 4)
    """
    first = shapes[0] if shapes else ()
    if all(shape == first for shape in shapes):
        return first
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(map(str, shapes))
        raise ShapeError(
            f"shapes {listed} do not broadcast together: aligned from the right, lengths must be "
            "equal or 1"
        ) from None


def same(shape: Shape, *_: Any, **__: Any) -> Shape:
    """The shape of the first argument."""
    return shape


def target(*_: Any, shape: Shape, **__: Any) -> Shape:
    """The attribute ``shape``."""
    return shape


def reduced(x: Shape, *, axis: Shape, keepdims: bool = False, **_: Any) -> Shape:
    """A reduction over the axes in the tuple ``axis``.

    >>> reduced((2, 3, 4), axis=(1,))
    (2, 4)
    """
    if keepdims:
        return tuple(1 if i in axis else n for i, n in enumerate(x))
    return tuple(n for i, n in enumerate(x) if i not in axis)


def reshaped(x: Shape, *, shape: Shape) -> Shape:
    if np.prod(x, dtype=int) != np.prod(shape, dtype=int):
        raise ShapeError(
            f"cannot reshape {x} ({np.prod(x, dtype=int)} values) into {shape} "
            f"({np.prod(shape, dtype=int)} values)"
        )
    return shape


def broadcasted_to(x: Shape, *, shape: Shape) -> Shape:
    try:
        if np.broadcast_shapes(x, shape) == shape:
            return shape
    except ValueError:
        pass
    raise ShapeError(f"shape {x} does not broadcast to {shape}")


def transposed(x: Shape, *, axes: Shape) -> Shape:
    return tuple(x[axis] for axis in axes)


def concatenated(*shapes: Shape, axis: int) -> Shape:
    first = shapes[0]
    for position, shape in enumerate(shapes):
        if len(shape) != len(first) or any(
            n != m for i, (n, m) in enumerate(zip(shape, first, strict=True)) if i != axis
        ):
            raise ShapeError(
                f"concatenate along axis {axis}: array {position} has shape {shape}, which differs "
                f"from {first} outside of that axis"
            )
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


def indexed(x: Shape, *indices: Shape, index: tuple[Any, ...]) -> Shape:
    """Basic and advanced indexing; a ``Gathered`` in ``index`` stands for an array."""
    dummy = np.broadcast_to(np.zeros((), np.bool_), x)
    arrays = iter(indices)
    key = tuple(
        np.zeros(next(arrays), np.intp) if isinstance(part, Gathered) else part for part in index
    )
    try:
        return dummy[key].shape
    except IndexError as error:
        raise ShapeError(f"index {key} does not fit an array of shape {x}: {error}") from None


class Gathered:
    """Stands, in an index expression, for an array of integers given as an argument."""

    def __repr__(self) -> str:
        return "..index.."

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gathered)

    def __hash__(self) -> int:
        return 1


def padded(x: Shape, *, widths: tuple[tuple[int, int], ...]) -> Shape:
    return tuple(n + before + after for n, (before, after) in zip(x, widths, strict=True))


def matmul(a: Shape, b: Shape) -> Shape:
    """The product of stacks of matrices (both at least two-dimensional).

    >>> matmul((7, 2, 3), (3, 4))
    (7, 2, 4)
    """
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise ShapeError(
            f"matrix product of {a} and {b}: the last axis of the left ({a[-1] if a else 1}) must "
            f"equal the second-last axis of the right ({b[-2] if len(b) > 1 else b[0] if b else 1})"
        )
    return (*broadcast(a[:-2], b[:-2]), a[-2], b[-1])


def dense(x: Shape, weight: Shape, bias: Shape) -> Shape:
    return broadcast(matmul(x, weight), bias)


def einsum(*shapes: Shape, subscripts: str) -> Shape:
    inputs, output = subscripts.split("->")
    lengths: dict[str, int] = {}
    for operand, (letters, shape) in enumerate(zip(inputs.split(","), shapes, strict=True)):
        if len(letters) != len(shape):
            raise ShapeError(
                f"einsum {subscripts!r}: operand {operand} has shape {shape}, but {letters!r} "
                f"names {len(letters)} axes"
            )
        for letter, length in zip(letters, shape, strict=True):
            if lengths.setdefault(letter, length) == 1:
                lengths[letter] = length
            if length not in (1, lengths[letter]):
                raise ShapeError(
                    f"einsum {subscripts!r}: index {letter!r} has length {lengths[letter]} in one "
                    f"operand and {length} in operand {operand} of shape {shape}"
                )
    return tuple(lengths[letter] for letter in output)


def square(x: Shape, **_: Any) -> Shape:
    """A stack of square matrices, unchanged."""
    if len(x) < 2 or x[-1] != x[-2]:
        raise ShapeError(f"expected square matrices, the last two axes equal, not shape {x}")
    return x


def square_to_scalar(x: Shape, **_: Any) -> Shape:
    return square(x)[:-2]


def solved(a: Shape, b: Shape, **_: Any) -> Shape:
    """Matrices ``a`` (..., n, n) against right-hand sides ``b`` (..., n, k)."""
    square(a)
    if len(b) < 2 or a[-1] != b[-2]:
        raise ShapeError(
            f"solve: the matrix has shape {a}, so the right-hand side needs {a[-1]} rows on its "
            f"second-last axis, not shape {b}"
        )
    return (*broadcast(a[:-2], b[:-2]), *b[-2:])


def diagonal(x: Shape, *, offset: int) -> Shape:
    rows, columns = x[-2:]
    length = min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)
    return (*x[:-2], max(length, 0))


def diagonal_matrix(x: Shape, *, offset: int, shape: Shape) -> Shape:
    return shape


def rows_to_table(indices: Shape, rows: Shape, *, shape: Shape) -> Shape:
    if (*indices, *shape[1:]) != rows:
        raise ShapeError(f"rows of shape {rows} do not fit indices {indices} into {shape}")
    return shape


def flat_indices(indices: Shape, **_: Any) -> Shape:
    """The shape of indices of rows, which stand one after the other."""
    if len(indices) != 1:
        raise ShapeError(f"indices of rows of shape {indices}; they need one axis")
    return indices


def rows_of_indices(indices: Shape, rows: Shape, **_: Any) -> Shape:
    """The shape of rows that belong to indices."""
    if rows[:1] != flat_indices(indices):
        raise ShapeError(f"rows of shape {rows} do not fit indices {indices}")
    return rows


def table_of_rows(table: Shape, indices: Shape, rows: Shape) -> Shape:
    """The shape of a table into which rows are put."""
    if rows_of_indices(indices, rows)[1:] != table[1:] or not table:
        raise ShapeError(f"rows of shape {rows} do not fit into a table of shape {table}")
    return table


def without_last(x: Shape, *_: Any, **__: Any) -> Shape:
    """All axes but the last: one number per row."""
    return x[:-1]


def without_axis(x: Shape, *, axis: int | None) -> Shape:
    if axis is None:
        return ()
    return x[:axis] + x[axis + 1 :]
