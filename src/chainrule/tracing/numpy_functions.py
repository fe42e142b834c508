"""NumPy's functions as compositions of primitives.

``implements(np.f)`` enters a function into the table that ``Traced.__array_function__`` reads.
Implementations work on statements; arrays given beside them become constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ShapeError, TraceError
from chainrule.graph.origin import current_origin
from chainrule.graph.shapes import Gathered, broadcast
from chainrule.graph.statement import Statement, constant
from chainrule.graph.table import elementwise as e
from chainrule.graph.table import structural as s
from chainrule.graph.table.nonlinear import max_, min_, prod
from chainrule.tracing import messages
from chainrule.tracing.indexing import getitem
from chainrule.tracing.supported import FUNCTIONS, UFUNCS
from chainrule.tracing.traced import as_statement

UFUNCS.update({
    np.add: e.add, np.subtract: e.subtract, np.multiply: e.multiply, np.divide: e.divide,
    np.power: e.power, np.float_power: e.power, np.negative: e.negative, np.square: e.square,
    np.reciprocal: e.reciprocal, np.remainder: e.remainder, np.absolute: e.absolute,
    np.fabs: e.absolute, np.exp: e.exp, np.exp2: e.exp2, np.expm1: e.expm1, np.log: e.log_,
    np.log2: e.log2, np.log10: e.log10, np.log1p: e.log1p, np.sqrt: e.square_root,
    np.cbrt: e.cube_root, np.logaddexp: e.logaddexp, np.sin: e.sin, np.cos: e.cos, np.tan: e.tan,
    np.arcsin: e.arcsin, np.arccos: e.arccos, np.arctan: e.arctan, np.arctan2: e.arctan2,
    np.hypot: e.hypot, np.sinh: e.sinh, np.cosh: e.cosh, np.tanh: e.tanh, np.arcsinh: e.arcsinh,
    np.arccosh: e.arccosh, np.arctanh: e.arctanh, np.maximum: e.maximum, np.minimum: e.minimum,
    np.sign: e.sign, np.floor: e.floor, np.ceil: e.ceil, np.trunc: e.trunc, np.rint: e.rint,
    np.floor_divide: e.floor_divide, np.greater: e.greater, np.greater_equal: e.greater_equal,
    np.less: e.less, np.less_equal: e.less_equal, np.equal: e.equal, np.not_equal: e.not_equal,
    np.logical_and: e.logical_and, np.logical_or: e.logical_or, np.logical_not: e.logical_not,
    np.isfinite: e.isfinite, np.isnan: e.isnan, np.isinf: e.isinf,
    np.positive: s.copy, np.conjugate: s.copy,
    np.deg2rad: lambda x: x * (np.pi / 180), np.rad2deg: lambda x: x * (180 / np.pi),
})  # fmt: skip


def _of_masks(name: str, row: Any) -> Callable[..., Statement]:
    """An operation on bits, for booleans; on numbers it is another one, which is not supported."""

    def operation(*operands: Any) -> Statement:
        masks = [as_statement(operand) for operand in operands]
        if any(mask.dtype.kind != "b" for mask in masks):
            raise TraceError(messages.unsupported(f"np.{name} of numbers"))
        return row(*masks)

    return operation


UFUNCS[np.bitwise_and] = _of_masks("bitwise_and", e.logical_and)
UFUNCS[np.bitwise_or] = _of_masks("bitwise_or", e.logical_or)
UFUNCS[np.invert] = _of_masks("invert", e.logical_not)


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the decorated function as the traced form of NumPy ``functions``."""

    def enter(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return enter


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """An ``axis`` argument as a sorted tuple of non-negative axes; None means all."""
    if axis is None:
        return tuple(range(ndim))
    listed = axis if isinstance(axis, tuple | list | range) else (axis,)
    return tuple(sorted(axis_of(a, ndim) for a in listed))


def axis_of(axis: Any, ndim: int) -> int:
    """One axis counted from the front."""
    if not isinstance(axis, int | np.integer):
        given = "traced (mark the argument static)" if isinstance(axis, Statement) else repr(axis)
        raise TraceError(f"an axis is a whole number; here it is {given} ({current_origin()})")
    if not -ndim <= axis < ndim:
        raise TraceError(f"axis {axis} of an array with {ndim} axes ({current_origin()})")
    return int(axis) % ndim


def count(x: Statement, axes: tuple[int, ...]) -> int:
    """How many entries a reduction over ``axes`` takes together."""
    return int(np.prod([x.shape[a] for a in axes], dtype=int))


# ----- reductions -------------------------------------------------------------------------------


def _accumulating(x: Statement, dtype: Any = None) -> Statement:
    """x in the dtype in which NumPy adds and multiplies its entries up: no integer is too small."""
    if dtype is None:
        dtype = np.add.reduce(np.zeros(1, x.dtype)).dtype
    return x if x.dtype == dtype else s.convert(x, dtype=np.dtype(dtype))


@implements(np.sum)
def sum_(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Statement:
    x = _accumulating(as_statement(x), dtype)
    return s.sum_(x, axis=axes_of(axis, x.ndim), keepdims=bool(keepdims))


@implements(np.mean)
def mean(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Statement:
    x = as_statement(x)
    return sum_(x, axis, dtype, keepdims) / count(x, axes_of(axis, x.ndim))


@implements(np.average)
def average(x: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Statement:
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    x, weights = as_statement(x), as_statement(weights)
    if weights.shape != x.shape:  # One weight for each position along the axis.
        along = axis_of(axis, x.ndim)
        weights = reshape(weights, [n if i == along else 1 for i, n in enumerate(x.shape)])
        weights = s.broadcast_to(weights, shape=x.shape)
    return sum_(x * weights, axis, keepdims=keepdims) / sum_(weights, axis, keepdims=keepdims)


@implements(np.var)
def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Statement:
    x = as_statement(x)
    centred = x - mean(x, axis, keepdims=True)
    return sum_(e.square(centred), axis, keepdims=keepdims) / (
        count(x, axes_of(axis, x.ndim)) - ddof
    )


@implements(np.std)
def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Statement:
    return e.square_root(var(x, axis, ddof, keepdims))


@implements(np.prod)
def prod_(x: Any, axis: Any = None, keepdims: bool = False) -> Statement:
    x = _accumulating(as_statement(x))
    return prod(x, axis=axes_of(axis, x.ndim), keepdims=bool(keepdims))


@implements(np.max, np.amax)
def max__(x: Any, axis: Any = None, keepdims: bool = False) -> Statement:
    x = as_statement(x)
    return max_(x, axis=axes_of(axis, x.ndim), keepdims=bool(keepdims))


@implements(np.min, np.amin)
def min__(x: Any, axis: Any = None, keepdims: bool = False) -> Statement:
    x = as_statement(x)
    return min_(x, axis=axes_of(axis, x.ndim), keepdims=bool(keepdims))


@implements(np.any)
def any_(x: Any, axis: Any = None, keepdims: bool = False) -> Statement:
    return sum_(e.not_equal(as_statement(x), 0), axis, keepdims=keepdims) > 0


@implements(np.all)
def all_(x: Any, axis: Any = None, keepdims: bool = False) -> Statement:
    return e.logical_not(any_(e.equal(as_statement(x), 0), axis, keepdims))


@implements(np.cumsum)
def cumsum(x: Any, axis: Any = None) -> Statement:
    x = _accumulating(as_statement(x))
    if axis is None:
        x, axis = ravel(x), 0
    return s.cumulative_sum(x, axis=axis_of(axis, x.ndim))


@implements(np.diff)
def diff(x: Any, n: int = 1, axis: int = -1) -> Statement:
    x = as_statement(x)
    before = (slice(None),) * axis_of(axis, x.ndim)
    for _ in range(n):
        x = getitem(x, (*before, slice(1, None))) - getitem(x, (*before, slice(None, -1)))
    return x


@implements(np.argmax)
def argmax(x: Any, axis: Any = None) -> Statement:
    return _position(s.argmax, x, axis)


@implements(np.argmin)
def argmin(x: Any, axis: Any = None) -> Statement:
    return _position(s.argmin, x, axis)


def _position(row: Any, x: Any, axis: Any) -> Statement:
    x = as_statement(x)
    return row(ravel(x), axis=0) if axis is None else row(x, axis=axis_of(axis, x.ndim))


@implements(np.argsort)
def argsort(x: Any, axis: int = -1, kind: Any = None, stable: Any = None) -> Statement:
    x = as_statement(x)
    return argsort(ravel(x), 0) if axis is None else s.argsort(x, axis=axis_of(axis, x.ndim))


@implements(np.sort)
def sort(x: Any, axis: int = -1, kind: Any = None, stable: Any = None) -> Statement:
    if axis is None:
        x, axis = ravel(x), 0
    return take_along_axis(x, argsort(x, axis), axis)


# ----- shapes -----------------------------------------------------------------------------------


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


# ----- joining, splitting, moving ---------------------------------------------------------------


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


# ----- selection --------------------------------------------------------------------------------


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


@implements(np.trace)
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Statement:
    return sum_(diagonal(x, offset, axis1, axis2), -1)


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


@implements(np.shape)
def shape_(x: Any) -> tuple[int, ...]:
    return as_statement(x).shape


@implements(np.ndim)
def ndim(x: Any) -> int:
    return as_statement(x).ndim


@implements(np.size)
def size(x: Any, axis: Any = None) -> int:
    return as_statement(x).size if axis is None else as_statement(x).shape[axis]


@implements(np.round, np.around)
def round_(x: Any, decimals: int = 0) -> Statement:
    scale = 10.0**decimals
    return e.rint(as_statement(x) * scale) / scale


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> Statement:
    a, b = as_statement(a), as_statement(b)
    near = e.logical_and(e.absolute(a - b) <= atol + rtol * e.absolute(b), e.isfinite(b))
    return e.logical_or(near, e.equal(a, b))


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> Statement:
    return all_(isclose(a, b, rtol, atol))


@implements(np.copy)
def copy(x: Any, order: str = "K") -> Statement:
    return s.copy(as_statement(x))


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
