"""NumPy's functions that change shapes, join and split, as compositions of primitives.

Implementations work on statements; arrays given beside them become constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError, TraceError
from chainrule.graph.origin import current_origin
from chainrule.graph.shapes import broadcast
from chainrule.graph.statement import Statement
from chainrule.graph.table import structural as s
from chainrule.tracing import messages
from chainrule.tracing.axes import axes_of, axis_of
from chainrule.tracing.supported import implements
from chainrule.tracing.traced import as_statement


@implements(np.reshape)
def reshape(x: Any, shape: Any, order: str = "C") -> Statement:
    x = as_statement(x)
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(map(int, shape))
    if order == "F":
        return transpose(reshape(transpose(x), shape[::-1]))
    if order != "C":
        raise TraceError(messages.unsupported("np.reshape", {"order": order}))
    if -1 in shape:
        known = int(np.prod([n for n in shape if n != -1], dtype=int))
        inferred = x.size // known if known else 0
        shape = tuple(inferred if n == -1 else n for n in shape)
    return x if shape == x.shape else s.reshape(x, shape=shape)


@implements(np.ravel)
def ravel(x: Any, order: str = "C") -> Statement:
    return reshape(x, (-1,), order)


@implements(np.transpose, np.permute_dims)
def transpose(x: Any, axes: Any = None) -> Statement:
    x = as_statement(x)
    order = range(x.ndim)[::-1] if axes is None else [axis_of(a, x.ndim) for a in axes]
    return s.transpose(x, axes=tuple(order))


@implements(np.matrix_transpose)
def matrix_transpose(x: Any) -> Statement:
    return s.swap(as_statement(x))


@implements(np.swapaxes)
def swapaxes(x: Any, axis1: int, axis2: int) -> Statement:
    x = as_statement(x)
    order = list(range(x.ndim))
    axis1, axis2 = axis_of(axis1, x.ndim), axis_of(axis2, x.ndim)
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return s.transpose(x, axes=tuple(order))


@implements(np.moveaxis)
def moveaxis(x: Any, source: Any, destination: Any) -> Statement:
    x = as_statement(x)
    sources = [axis_of(a, x.ndim) for a in np.atleast_1d(source)]
    targets = [axis_of(a, x.ndim) for a in np.atleast_1d(destination)]
    order = [a for a in range(x.ndim) if a not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return s.transpose(x, axes=tuple(order))


@implements(np.expand_dims)
def expand_dims(x: Any, axis: Any) -> Statement:
    x = as_statement(x)
    listed = (axis,) if isinstance(axis, int) else tuple(axis)
    new = axes_of(listed, x.ndim + len(listed))
    lengths = iter(x.shape)
    return reshape(x, [1 if i in new else next(lengths) for i in range(x.ndim + len(listed))])


@implements(np.squeeze)
def squeeze(x: Any, axis: Any = None) -> Statement:
    x = as_statement(x)
    gone = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes_of(axis, x.ndim)
    if any(x.shape[i] != 1 for i in gone):
        raise TraceError(f"squeeze: an axis of {x.shape} is not of length 1 ({current_origin()})")
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in gone])


@implements(np.broadcast_to)
def broadcast_to(x: Any, shape: Any, subok: bool = False) -> Statement:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return s.broadcast_to(as_statement(x), shape=shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any) -> tuple[Statement, ...]:
    statements = [as_statement(x) for x in arrays]
    shape = broadcast(*(x.shape for x in statements))
    return tuple(s.broadcast_to(x, shape=shape) for x in statements)


@implements(np.atleast_1d)
def atleast_1d(x: Any) -> Statement:
    x = as_statement(x)
    return x if x.ndim else reshape(x, (1,))


@implements(np.atleast_2d)
def atleast_2d(x: Any) -> Statement:
    x = as_statement(x)
    return x if x.ndim >= 2 else reshape(x, (1, x.size))


@implements(np.concatenate)
def concatenate(arrays: Any, axis: Any = 0, dtype: Any = None) -> Statement:
    parts = [as_statement(x) for x in arrays]
    if axis is None:
        parts, axis = [ravel(x) for x in parts], 0
    if dtype is not None:
        parts = [s.convert(x, dtype=np.dtype(dtype)) for x in parts]
    return s.concatenate(*parts, axis=axis_of(axis, max(parts[0].ndim, 1)))


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, dtype: Any = None) -> Statement:
    parts = [as_statement(x) for x in arrays]
    if len({x.shape for x in parts}) > 1:
        shapes = ", ".join(str(x.shape) for x in parts)
        raise ShapeError(f"stack needs arrays of one shape, not {shapes} ({current_origin()})")
    return concatenate([expand_dims(x, axis) for x in parts], axis, dtype)


@implements(np.vstack)
def vstack(arrays: Any, dtype: Any = None) -> Statement:
    return concatenate([atleast_2d(x) for x in arrays], 0, dtype)


@implements(np.hstack)
def hstack(arrays: Any, dtype: Any = None) -> Statement:
    parts = [atleast_1d(x) for x in arrays]
    return concatenate(parts, 0 if parts[0].ndim == 1 else 1, dtype)


@implements(np.column_stack)
def column_stack(arrays: Any) -> Statement:
    parts = [as_statement(x) for x in arrays]
    return concatenate([reshape(x, (-1, 1)) if x.ndim < 2 else x for x in parts], 1)


@implements(np.append)
def append(x: Any, values: Any, axis: Any = None) -> Statement:
    return concatenate([x, values], axis)


@implements(np.split)
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Statement]:
    length = as_statement(x).shape[axis]
    if isinstance(indices_or_sections, int) and length % indices_or_sections:
        raise ShapeError(
            f"np.split: an axis of length {length} has no {indices_or_sections} equal parts; use "
            f"np.array_split ({current_origin()})"
        )
    return array_split(x, indices_or_sections, axis)


@implements(np.array_split)
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Statement]:
    x = as_statement(x)
    axis = axis_of(axis, x.ndim)
    positions = np.array_split(np.arange(x.shape[axis]), indices_or_sections)
    lengths = [len(part) for part in positions]
    return [s.take_slice(x, index=s.section(lengths, i, axis)) for i in range(len(lengths))]


@implements(np.meshgrid)
def meshgrid(*arrays: Any, indexing: str = "xy", sparse: bool = False) -> list[Statement]:
    vectors = [ravel(x) for x in arrays]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        order[0], order[1] = 1, 0
    shaped = [
        reshape(x, [-1 if i == axis else 1 for i in range(len(vectors))])
        for x, axis in zip(vectors, order, strict=True)
    ]
    return shaped if sparse else list(broadcast_arrays(*shaped))


@implements(np.copy)
def copy(x: Any, order: str = "K") -> Statement:
    return s.copy(as_statement(x))


@implements(np.shape)
def shape_(x: Any) -> tuple[int, ...]:
    return as_statement(x).shape


@implements(np.ndim)
def ndim(x: Any) -> int:
    return as_statement(x).ndim


@implements(np.size)
def size(x: Any, axis: Any = None) -> int:
    return as_statement(x).size if axis is None else as_statement(x).shape[axis]


@implements(np.zeros_like)
def zeros_like(x: Any, dtype: Any = None, shape: Any = None) -> Any:
    return np.zeros(shape or x.shape, dtype or x.dtype)


@implements(np.ones_like)
def ones_like(x: Any, dtype: Any = None, shape: Any = None) -> Any:
    return np.ones(shape or x.shape, dtype or x.dtype)


@implements(np.full_like)
def full_like(x: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Any:
    if isinstance(x, Statement) and not isinstance(fill_value, Statement):
        return np.full(shape or x.shape, fill_value, dtype or x.dtype)
    return s.broadcast_to(as_statement(fill_value), shape=tuple(shape or x.shape))
