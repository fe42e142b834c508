"""NumPy meanings of primitives that NumPy itself does not have, written to stay finite.

Each takes and returns arrays (or NumPy scalars) and keeps a floating dtype: float32 stays float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.shapes import Gathered


def erf(x: Any) -> Any:
    """The error function; SciPy loads when the first one is evaluated."""
    from scipy.special import erf as scipy_erf

    return scipy_erf(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x) through tanh, which neither overflows nor branches."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def softplus(x: Any) -> Any:
    """ln(1 + e^x) without overflow."""
    return np.logaddexp(x, np.zeros((), np.result_type(x, np.float16)))


def relu(x: Any) -> Any:
    """x where it is positive, else 0; a NaN stays a NaN."""
    return np.maximum(x, np.zeros((), np.result_type(x)))


def leaky_relu(x: Any, slope: float) -> Any:
    return np.where(x > 0, x, slope * x)[()]


def elu(x: Any, alpha: float) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))[()]


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + erf(x * np.asarray(np.sqrt(0.5), np.result_type(x, np.float16))))


def silu(x: Any) -> Any:
    return x * sigmoid(x)


def clip(x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def stop_gradient(x: Any) -> Any:
    return np.array(x)[()]


def softmax(x: Any, axis: int) -> Any:
    """e^x / sum e^x, shifted by the maximum so that nothing overflows."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def logsumexp(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """ln sum e^x; an empty sum or one of e^-inf alone is -inf."""
    top = x.max(axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        result = np.log(np.exp(x - shift).sum(axis=axis, keepdims=True)) + shift
    result = result.astype(x.dtype, copy=False)
    return result if keepdims else np.squeeze(result, axis)[()]


def log_softmax(x: Any, axis: int) -> Any:
    return x - logsumexp(x, (axis,), True)


def cross_entropy(logits: Any, labels: Any) -> Any:
    """-ln softmax(logits)[label] along the last axis, one number a row."""
    chosen = np.take_along_axis(logits, labels[..., None], -1)[..., 0]
    return logsumexp(logits, (logits.ndim - 1,), False) - chosen


def norm(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The Euclidean length, scaled so that squares neither overflow nor vanish."""
    scale = np.abs(x).max(axis=axis, keepdims=True, initial=0)
    safe = np.where((scale > 0) & np.isfinite(scale), scale, 1).astype(x.dtype)
    scaled = x / safe
    result = safe * np.sqrt((scaled * scaled).sum(axis=axis, keepdims=True))
    return result if keepdims else np.squeeze(result, axis)[()]


def masked_product(a: Any, b: Any) -> Any:
    """a b, and 0 wherever a is 0, whatever b is there."""
    return np.where(a == 0, 0, a * b)[()]


def put_slice(g: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    result = np.zeros(shape, g.dtype)
    result[index] = g
    return result


def put_slices(*pieces: Any, indices: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Zeros with each piece added at its index; pieces may overlap."""
    result = np.zeros(shape, np.result_type(*pieces))
    for piece, index in zip(pieces, indices, strict=True):
        result[index] += piece
    return result


def scatter_add(g: Any, *indices: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    result = np.zeros(shape, g.dtype)
    np.add.at(result, fill_index(index, indices), g)
    return result


def _numbered_rows(indices: Any, height: int) -> tuple[Any, Any]:
    """(the first position of each different row, for each index the number of its row)."""
    wrapped = np.where(indices < 0, indices + height, indices)
    _, first, number = np.unique(wrapped, return_index=True, return_inverse=True)
    return first, number


def combine_rows(indices: Any, rows: Any, height: int) -> Any:
    """Each row replaced by the sum of all that have its index, into a table of ``height`` rows."""
    first, number = _numbered_rows(indices, height)
    sums = np.zeros((first.size, *rows.shape[1:]), rows.dtype)
    np.add.at(sums, number, rows)
    return sums[number]


def first_rows(indices: Any, height: int) -> Any:
    """Whether each index is the first that names its row of a table of ``height`` rows."""
    marks = np.zeros(indices.shape, np.bool_)
    marks[_numbered_rows(indices, height)[0]] = True
    return marks


def put_rows(x: Any, indices: Any, rows: Any) -> Any:
    """x with some rows replaced; where several name the same row the first one counts."""
    result = np.array(x)
    first, _ = _numbered_rows(indices, len(x))
    result[indices[first]] = rows[first]
    return result


def fill_index(index: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """``index`` with its marks replaced by the index arrays, in order."""
    remaining = iter(arrays)
    return tuple(next(remaining) if isinstance(part, Gathered) else part for part in index)


def sum_to_shape(x: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes along which ``shape`` was broadcast to the shape of x."""
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        axis + extra for axis, n in enumerate(shape) if n == 1 and x.shape[axis + extra] != 1
    )
    return np.add.reduce(x, axis=axes, keepdims=True).reshape(shape)[()] if axes else x


def diagonal_matrix(x: Any, offset: int, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` (..., m, n) with x on the diagonal ``offset`` of the last two axes."""
    result = np.zeros(shape, x.dtype)
    steps = np.arange(x.shape[-1])
    result[..., steps + max(-offset, 0), steps + max(offset, 0)] = x
    return result


def triangular_solve(a: Any, b: Any, lower: bool) -> Any:
    """Solve a x = b reading only one triangle of a; SciPy loads when first needed."""
    from scipy.linalg import solve_triangular

    if a.ndim == 2 and b.ndim == 2:
        return solve_triangular(a, b, lower=lower, check_finite=False)
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, stack + a.shape[-2:])
    b = np.broadcast_to(b, stack + b.shape[-2:])
    result = np.empty(b.shape, np.result_type(a, b))
    for position in np.ndindex(*stack):
        result[position] = solve_triangular(
            a[position], b[position], lower=lower, check_finite=False
        )
    return result
