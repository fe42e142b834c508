"""Rules of structural rows: sums, shapes, selections, row-sparse matrices and products."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.graph.shapes import Gathered
from chainrule.run.jax.emission import Place, Rows, Rule, dense
from chainrule.run.unsupported import Unsupported

# ----- conversions, shapes, sums ----------------------------------------------------------------


def copy(at: Place, x: Any) -> Any:
    return x


def convert(at: Place, x: Any, dtype: Any) -> Any:
    """To an integer, what fits none is another one than NumPy's, which depends on the machine."""
    return x.astype(at.dtype)


def item(at: Place, x: Any, position: int) -> Any:
    return x[position]


def reshape(at: Place, x: Any, shape: Any) -> Any:
    return jnp.reshape(x, shape)


def transpose(at: Place, x: Any, axes: Any) -> Any:
    return jnp.transpose(x, axes)


def broadcast_to(at: Place, x: Any, shape: Any) -> Any:
    return jnp.broadcast_to(x, shape)


def sum_to_shape(at: Place, x: Any, shape: tuple[int, ...]) -> Any:
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        axis + extra for axis, n in enumerate(shape) if n == 1 and x.shape[axis + extra] != 1
    )
    return jnp.sum(x, axes, dtype=at.dtype).reshape(shape)


def sum_(at: Place, x: Any, axis: Any, keepdims: bool) -> Any:
    return jnp.sum(x, axis, dtype=at.dtype, keepdims=keepdims)


def cumulative_sum(at: Place, x: Any, axis: int) -> Any:
    return jnp.cumsum(x, axis, dtype=at.dtype)


# ----- selection --------------------------------------------------------------------------------


def where(at: Place, condition: Any, a: Any, b: Any) -> Any:
    return jnp.where(condition.astype(bool), a.astype(at.dtype), b.astype(at.dtype))


def has_truth(index: tuple[Any, ...]) -> bool:
    """Whether True or False is a part of an index: a new axis of length 1 or 0."""
    return any(isinstance(part, bool | np.bool_) for part in index)


def positions(index: tuple[Any, ...], shape: tuple[int, ...]) -> np.ndarray:
    """The places, in C order, of the entries that an index takes."""
    return np.arange(int(np.prod(shape, dtype=int))).reshape(shape)[index]


def take_slice(at: Place, x: Any, index: tuple[Any, ...]) -> Any:
    if has_truth(index):
        return x.reshape(-1)[positions(index, x.shape)]
    return x[index]


def put_slice(at: Place, x: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    if has_truth(index):
        flat = jnp.zeros(int(np.prod(shape, dtype=int)), x.dtype)
        return flat.at[positions(index, shape)].set(x).reshape(shape)
    return padded(x, index, shape)


def put_slices(at: Place, *pieces: Any, indices: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    total = jnp.zeros(shape, at.dtype)
    for piece, index in zip(pieces, indices, strict=True):
        total = total + put_slice(at, piece.astype(at.dtype), index, shape)
    return total


def padded(x: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Zeros of a shape with x at a basic index: x with zeros around and between its entries."""
    taken = sum(part is not None and part is not Ellipsis for part in index)
    full = [slice(None)] * (len(shape) - taken)
    if Ellipsis in index:
        place = index.index(Ellipsis)
        index = (*index[:place], *full, *index[place + 1 :])
    else:
        index = (*index, *full)
    lengths, backwards, widths = [], [], []
    parts = [part for part in index if part is not None]
    for axis, (part, n) in enumerate(zip(parts, shape, strict=True)):
        chosen = range(n)[part if isinstance(part, slice) else slice(int(part), None)]
        chosen = chosen if isinstance(part, slice) else chosen[:1]
        if len(chosen) == 0:
            return jnp.zeros(shape, x.dtype)
        if chosen.step < 0:
            backwards.append(axis)
            chosen = chosen[::-1]
        lengths.append(len(chosen))
        between = chosen.step - 1 if len(chosen) > 1 else 0
        widths.append((chosen[0], n - 1 - chosen[-1], between))
    return lax.pad(jnp.flip(x.reshape(lengths), backwards), jnp.zeros((), x.dtype), widths)


def filled(
    at: Place, index: tuple[Any, ...], arrays: tuple[Any, ...], shape: tuple[int, ...], first: int
) -> tuple[Any, ...]:
    """An index with its arrays, which are arguments from number ``first``, checked for bounds."""
    if has_truth(index):
        raise Unsupported("a truth value beside index arrays")
    taken = sum(part is not None and part is not Ellipsis for part in index)
    result: list[Any] = []
    axis = number = 0
    for part in index:
        if isinstance(part, Gathered):
            bound = at.bound(first + number, arrays[number], axis, shape[axis])
            result.append(bound)
            number += 1
        else:
            result.append(part)
        axis += 0 if part is None else len(shape) - taken if part is Ellipsis else 1
    return tuple(result)


def gather(at: Place, x: Any, *arrays: Any, index: tuple[Any, ...]) -> Any:
    return x.at[filled(at, index, arrays, x.shape, 1)].get(mode="clip")


def scatter_add(at: Place, x: Any, *arrays: Any, index: tuple[Any, ...], shape: Any) -> Any:
    return jnp.zeros(shape, at.dtype).at[filled(at, index, arrays, shape, 1)].add(x)


def concatenate(at: Place, *arrays: Any, axis: int) -> Any:
    return jnp.concatenate([array.astype(at.dtype) for array in arrays], axis)


def pad(at: Place, x: Any, widths: Any) -> Any:
    return jnp.pad(x, widths)


# ----- row-sparse matrices ----------------------------------------------------------------------


def row_sparse(at: Place, indices: Any, rows: Any, shape: tuple[int, ...]) -> Any:
    return Rows(((indices, rows),), shape)


def add_row_sparse(at: Place, a: Any, b: Any) -> Any:
    if isinstance(a, Rows) and isinstance(b, Rows):
        return Rows(a.astype(at.dtype).terms + b.astype(at.dtype).terms, at.shape)
    return (dense(at, a) + dense(at, b)).astype(at.dtype)


def to_dense(at: Place, x: Any) -> Any:
    return dense(at, x)


# ----- diagonals and products -------------------------------------------------------------------


def diagonal(at: Place, x: Any, offset: int) -> Any:
    return jnp.diagonal(x, offset, -2, -1)


def diagonal_matrix(at: Place, x: Any, offset: int, shape: tuple[int, ...]) -> Any:
    steps = np.arange(x.shape[-1])
    rows, columns = steps + max(-offset, 0), steps + max(offset, 0)
    return jnp.zeros(shape, x.dtype).at[..., rows, columns].set(x)


def tril(at: Place, x: Any, offset: int) -> Any:
    return jnp.tril(x, offset)


def triu(at: Place, x: Any, offset: int) -> Any:
    return jnp.triu(x, offset)


def matmul(at: Place, a: Any, b: Any) -> Any:
    return jnp.matmul(a.astype(at.dtype), b.astype(at.dtype))


def dense_layer(at: Place, x: Any, weight: Any, bias: Any) -> Any:
    x, weight, bias = (operand.astype(at.dtype) for operand in (x, weight, bias))
    return jnp.matmul(x, weight) + bias


def einsum(at: Place, *operands: Any, subscripts: str) -> Any:
    """NumPy stretches axes of length 1; here they are left out of the operand instead."""
    inputs, output = subscripts.split("->")
    names = inputs.split(",")
    lengths: dict[str, int] = {}
    for letters, operand in zip(names, operands, strict=True):
        for letter, n in zip(letters, operand.shape, strict=True):
            lengths[letter] = n if lengths.get(letter, 1) == 1 else lengths[letter]
    kept, arrays = [], []
    for letters, operand in zip(names, operands, strict=True):
        stretched = [
            axis
            for axis, (letter, n) in enumerate(zip(letters, operand.shape, strict=True))
            if n == 1 and lengths[letter] != 1
        ]
        kept.append("".join(c for axis, c in enumerate(letters) if axis not in stretched))
        arrays.append(jnp.squeeze(operand, stretched).astype(at.dtype))
    return jnp.einsum(f"{','.join(kept)}->{output}", *arrays)


# ----- indices ----------------------------------------------------------------------------------


def argsort(at: Place, x: Any, axis: int) -> Any:
    return jnp.argsort(x, axis, stable=True).astype(at.dtype)


def argmax(at: Place, x: Any, axis: int | None) -> Any:
    return jnp.argmax(x, axis).astype(at.dtype)


def argmin(at: Place, x: Any, axis: int | None) -> Any:
    return jnp.argmin(x, axis).astype(at.dtype)


ARRAYS: dict[str, Rule] = {
    "copy": copy,
    "convert": convert,
    "item": item,
    "reshape": reshape,
    "transpose": transpose,
    "broadcast_to": broadcast_to,
    "sum_to_shape": sum_to_shape,
    "sum": sum_,
    "cumsum": cumulative_sum,
    "where": where,
    "slice": take_slice,
    "put_slice": put_slice,
    "put_slices": put_slices,
    "gather": gather,
    "scatter_add": scatter_add,
    "concatenate": concatenate,
    "pad": pad,
    "row_sparse": row_sparse,
    "add_row_sparse": add_row_sparse,
    "to_dense": to_dense,
    "diagonal": diagonal,
    "diagonal_matrix": diagonal_matrix,
    "tril": tril,
    "triu": triu,
    "matmul": matmul,
    "dense": dense_layer,
    "einsum": einsum,
    "argsort": argsort,
    "argmax": argmax,
    "argmin": argmin,
}
