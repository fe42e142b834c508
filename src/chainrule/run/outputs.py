"""How the NumPy executor writes results into arrays that exist already.

A primitive that is missing here is evaluated: into a fresh array, or into a view of its operands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Writer = Callable[..., None]

# Results that may share memory with their operands, which must live as long as they do. (Indexing
# by one integer gives a view; a row-sparse value holds the rows it was made of.)
VIEWS = frozenset({
    "reshape", "transpose", "broadcast_to", "slice", "diagonal", "copy", "gather", "row_sparse",
    "to_dense",
})  # fmt: skip

# Writers of these read each operand entry before they write the entry at its place, so that the
# result may take the memory of an operand of the same shape and dtype.
IN_PLACE = frozenset({"sigmoid", "relu", "convert"})


def _relu(out: Any, x: Any) -> None:
    np.maximum(x, out.dtype.type(0), out=out)


def _sigmoid(out: Any, x: Any) -> None:
    half = out.dtype.type(0.5)
    np.multiply(x, half, out=out)
    np.tanh(out, out=out)
    np.multiply(out, half, out=out)
    np.add(out, half, out=out)


def _softplus(out: Any, x: Any) -> None:
    np.logaddexp(x, out.dtype.type(0), out=out)


def _softmax(out: Any, x: Any, axis: int) -> None:
    np.subtract(x, x.max(axis=axis, keepdims=True), out=out)
    np.exp(out, out=out)
    np.divide(out, out.sum(axis=axis, keepdims=True), out=out)


def _clip(out: Any, x: Any, low: Any, high: Any) -> None:
    np.maximum(x, low, out=out)
    np.minimum(out, high, out=out)


def _where(out: Any, condition: Any, a: Any, b: Any) -> None:
    np.copyto(out, b)
    np.copyto(out, a, where=condition)


def _convert(out: Any, x: Any, dtype: Any) -> None:
    np.copyto(out, x, casting="unsafe")


def _matmul(out: Any, a: Any, b: Any) -> None:
    np.matmul(a, b, out=out)


def _dense(out: Any, x: Any, weight: Any, bias: Any) -> None:
    np.matmul(x, weight, out=out)
    np.add(out, bias, out=out)


def _einsum(out: Any, *operands: Any, subscripts: str) -> None:
    np.einsum(subscripts, *operands, out=out, optimize=len(operands) > 2)


def _masked_product(out: Any, a: Any, b: Any) -> None:
    np.multiply(a, b, out=out)
    np.copyto(out, 0, where=a == 0)


def _sum(out: Any, x: Any, axis: Any, keepdims: bool) -> None:
    np.add.reduce(x, axis=axis, keepdims=keepdims, out=out)


def _sum_to_shape(out: Any, x: Any, shape: tuple[int, ...]) -> None:
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        axis + extra for axis, n in enumerate(shape) if n == 1 and x.shape[axis + extra] != 1
    )
    kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    np.add.reduce(x, axis=axes, keepdims=True, out=out.reshape(kept))


def _concatenate(out: Any, *arrays: Any, axis: int) -> None:
    np.concatenate(arrays, axis, out=out)


def _put_slice(out: Any, x: Any, index: Any, shape: Any) -> None:
    out.fill(0)
    out[index] = x


WRITERS: dict[str, Writer] = {
    "relu": _relu,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "softmax": _softmax,
    "clip": _clip,
    "where": _where,
    "convert": _convert,
    "matmul": _matmul,
    "einsum": _einsum,
    "masked_product": _masked_product,
    "dense": _dense,
    "sum": _sum,
    "sum_to_shape": _sum_to_shape,
    "concatenate": _concatenate,
    "put_slice": _put_slice,
}


def writer_of(primitive: Any) -> Writer | None:
    """A function ``(out, *arguments, **attributes)`` for the primitive, if there is one."""
    if isinstance(primitive.evaluate, np.ufunc):
        ufunc = primitive.evaluate
        if ufunc.nout == 1 and ufunc.signature is None:
            return lambda out, *arguments: ufunc(*arguments, out=out)
    return WRITERS.get(primitive.name)


def writes_in_place(primitive: Any) -> bool:
    """Whether the result may overwrite an operand of its own shape and dtype."""
    return isinstance(primitive.evaluate, np.ufunc) or primitive.name in IN_PLACE
