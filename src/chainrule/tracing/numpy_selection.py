"""NumPy's functions that pick, move and bound entries, as compositions of primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import TraceError
from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement, constant
from chainrule.graph.table import elementwise as e
from chainrule.graph.table import structural as s
from chainrule.tracing import messages
from chainrule.tracing.axes import axes_of, axis_of
from chainrule.tracing.indexing import getitem
from chainrule.tracing.numpy_shapes import (
    moveaxis,
    ravel,
    reshape,
)
from chainrule.tracing.supported import implements
from chainrule.tracing.traced import as_statement


@implements(np.flip)
def flip(x: Any, axis: Any = None) -> Statement:
    x = as_statement(x)
    for a in axes_of(axis, x.ndim):
        x = s.flip(x, a)
    return x


@implements(np.flipud)
def flipud(x: Any) -> Statement:
    return flip(x, 0)


@implements(np.fliplr)
def fliplr(x: Any) -> Statement:
    return flip(x, 1)


@implements(np.roll)
def roll(x: Any, shift: Any, axis: Any = None) -> Statement:
    x = as_statement(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    for step, a in np.broadcast(shift, axis):
        order = np.roll(np.arange(x.shape[a]), step)
        x = take(x, order, int(a))
    return x


@implements(np.tile)
def tile(x: Any, reps: Any) -> Statement:
    x = as_statement(x)
    positions = np.tile(np.arange(x.size).reshape(x.shape), reps)
    return getitem(ravel(x), positions)


@implements(np.repeat)
def repeat(x: Any, repeats: Any, axis: Any = None) -> Statement:
    x = as_statement(x)
    if axis is None:
        x, axis = ravel(x), 0
    return take(x, np.repeat(np.arange(x.shape[axis]), repeats), axis)


@implements(np.pad)
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Statement:
    x = as_statement(x)
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    if mode == "constant":
        if np.any(np.asarray(constant_values)):
            inside = np.pad(np.ones(x.shape, bool), widths)
            frame = np.pad(np.zeros(x.shape, x.dtype), widths, constant_values=constant_values)
            padded = s.pad(x, widths=tuple((int(a), int(b)) for a, b in widths))
            return s.where(inside, padded, frame)
        return s.pad(x, widths=tuple((int(a), int(b)) for a, b in widths))
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise TraceError(messages.unsupported("np.pad", {"mode": mode}))
    for axis, (before, after) in enumerate(widths):
        x = take(x, np.pad(np.arange(x.shape[axis]), (before, after), mode), axis)  # type: ignore[call-overload]
    return x


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise TraceError(messages.unsupported("np.where with one argument"))
    return s.where(condition, x, y)


@implements(np.clip)
def clip(x: Any, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Any:
    low, high = (a if a is not None else b for a, b in ((a_min, min), (a_max, max)))
    x = as_statement(x)
    return e.clip(x, -np.inf if low is None else low, np.inf if high is None else high)


@implements(np.take)
def take(x: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Statement:
    x = as_statement(x)
    if mode != "raise":
        raise TraceError(messages.unsupported("np.take", {"mode": mode}))
    if axis is None:
        x, axis = ravel(x), 0
    before = (slice(None),) * axis_of(axis, x.ndim)
    return getitem(x, (*before, indices if isinstance(indices, Statement) else np.asarray(indices)))


@implements(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, axis: Any = -1) -> Statement:
    x, indices = as_statement(x), as_statement(indices)
    axis = axis_of(axis, x.ndim)
    grids: list[Any] = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    arrays = [indices if i == axis else constant(grid) for i, grid in enumerate(grids)]
    return s.gather(x, *arrays, index=(Gathered(),) * x.ndim)


@implements(np.diagonal)
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Statement:
    return s.diagonal(moveaxis(x, (axis1, axis2), (-2, -1)), offset=offset)


@implements(np.diag)
def diag(x: Any, k: int = 0) -> Statement:
    x = as_statement(x)
    if x.ndim == 2:
        return s.diagonal(x, offset=k)
    size = x.shape[0] + abs(k)
    return s.diagonal_matrix(x, offset=k, shape=(size, size))


@implements(np.tril)
def tril(x: Any, k: int = 0) -> Statement:
    return s.tril(as_statement(x), offset=k)


@implements(np.triu)
def triu(x: Any, k: int = 0) -> Statement:
    return s.triu(as_statement(x), offset=k)


@implements(np.nan_to_num)
def nan_to_num(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Statement:
    x = as_statement(x)
    limits = np.finfo(x.dtype)
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    x = s.where(e.isnan(x), nan, x)
    return s.where(x > limits.max, high, s.where(x < limits.min, low, x))


@implements(np.round, np.around)
def round_(x: Any, decimals: int = 0) -> Statement:
    scale = 10.0**decimals
    return e.rint(as_statement(x) * scale) / scale
