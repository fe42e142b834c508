"""NumPy's sums, means, extremes and sorts, as compositions of primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.statement import Statement
from chainrule.graph.table import elementwise as e
from chainrule.graph.table import structural as s
from chainrule.graph.table.nonlinear import max_, min_, prod
from chainrule.tracing.axes import axes_of, axis_of, count
from chainrule.tracing.indexing import getitem
from chainrule.tracing.numpy_selection import (
    diagonal,
    take_along_axis,
)
from chainrule.tracing.numpy_shapes import (
    ravel,
    reshape,
)
from chainrule.tracing.supported import implements
from chainrule.tracing.traced import as_statement


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


def _position(row: Any, x: Any, axis: Any) -> Statement:
    x = as_statement(x)
    return row(ravel(x), axis=0) if axis is None else row(x, axis=axis_of(axis, x.ndim))


@implements(np.argmax)
def argmax(x: Any, axis: Any = None) -> Statement:
    return _position(s.argmax, x, axis)


@implements(np.argmin)
def argmin(x: Any, axis: Any = None) -> Statement:
    return _position(s.argmin, x, axis)


@implements(np.argsort)
def argsort(x: Any, axis: int = -1, kind: Any = None, stable: Any = None) -> Statement:
    x = as_statement(x)
    return argsort(ravel(x), 0) if axis is None else s.argsort(x, axis=axis_of(axis, x.ndim))


@implements(np.sort)
def sort(x: Any, axis: int = -1, kind: Any = None, stable: Any = None) -> Statement:
    if axis is None:
        x, axis = ravel(x), 0
    return take_along_axis(x, argsort(x, axis), axis)


@implements(np.trace)
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Statement:
    return sum_(diagonal(x, offset, axis1, axis2), -1)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> Statement:
    a, b = as_statement(a), as_statement(b)
    near = e.logical_and(e.absolute(a - b) <= atol + rtol * e.absolute(b), e.isfinite(b))
    return e.logical_or(near, e.equal(a, b))


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> Statement:
    return all_(isclose(a, b, rtol, atol))
