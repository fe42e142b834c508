"""Linear primitives: sums, rearrangements, selections and products of arrays.

Each row: name, meaning in NumPy, shape rule, and for each argument its adjoint as an expression of
the adjoint ``g`` of the result. The tangent needs no rule: it is the primitive itself.

Source of the adjoints: M. Giles, Collected matrix derivative results for forward and reverse mode
algorithmic differentiation (2008), and the transposition of index maps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph import shapes
from chainrule.graph.primitive import linear, multilinear, without_derivative
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement, constant
from chainrule.graph.table import meanings


def first_dtype(arguments: tuple[Statement, ...], attributes: Any) -> Any:
    """The dtype of what is indexed, whatever integers index it."""
    return arguments[0].dtype


def zeros_like(x: Statement) -> Statement:
    """A constant of zeros that takes no memory: one zero, broadcast."""
    return broadcast_to(constant(np.zeros((), x.dtype)[()]), shape=x.shape)


def keep_axes(g: Statement, x: Statement, axis: tuple[int, ...]) -> Statement:
    """``g`` with the axes that a reduction of x removed put back with length 1."""
    kept = shapes.reduced(x.shape, axis=axis, keepdims=True)
    return g if g.shape == kept else reshape(g, shape=kept)


# ----- leaves, copies, conversions --------------------------------------------------------------

without_derivative("input", lambda: None, shapes.target)
without_derivative("constant", lambda: None, shapes.target)
copy = linear("copy", lambda x: x, shapes.same, lambda g, x: g, accepts_row_sparse=True)
convert = linear(
    "convert", lambda x, dtype: x.astype(dtype), shapes.same,
    lambda g, x, dtype: convert(g, dtype=x.dtype),
    result_dtype=lambda arguments, attributes: np.dtype(attributes["dtype"]),
    accepts_row_sparse=True,
)  # fmt: skip
item = linear(
    "item", lambda x, position: x[position],
    lambda x, position: x[position], None,
    result_dtype=lambda arguments, attributes: arguments[0].dtype[attributes["position"]],
)  # fmt: skip

# ----- shapes -----------------------------------------------------------------------------------

reshape = linear(
    "reshape", lambda x, shape: np.reshape(x, shape), shapes.reshaped,
    lambda g, x, shape: reshape(g, shape=x.shape),
)  # fmt: skip
transpose = linear(
    "transpose", lambda x, axes: np.transpose(x, axes), shapes.transposed,
    lambda g, x, axes: transpose(g, axes=tuple(int(i) for i in np.argsort(axes))),
)  # fmt: skip
broadcast_to = linear(
    "broadcast_to", lambda x, shape: np.broadcast_to(x, shape), shapes.broadcasted_to,
    lambda g, x, shape: sum_to_shape(g, shape=x.shape),
)  # fmt: skip
sum_to_shape = linear(
    "sum_to_shape", meanings.sum_to_shape, shapes.target,
    lambda g, x, shape: broadcast_to(g, shape=x.shape),
)  # fmt: skip

# ----- sums -------------------------------------------------------------------------------------

sum_ = linear(
    "sum", lambda x, axis, keepdims: np.add.reduce(x, axis=axis, keepdims=keepdims), shapes.reduced,
    lambda g, x, axis, keepdims: broadcast_to(keep_axes(g, x, axis), shape=x.shape),
)  # fmt: skip
cumulative_sum = linear(
    "cumsum", lambda x, axis: np.cumsum(x, axis=axis, dtype=x.dtype), shapes.same,
    lambda g, x, axis: flip(cumulative_sum(flip(g, axis), axis=axis), axis),
)  # fmt: skip


def flip(x: Statement, axis: int) -> Statement:
    """x read backwards along one axis."""
    backwards = (slice(None),) * axis + (slice(None, None, -1),)
    return take_slice(x, index=backwards)


# ----- selection --------------------------------------------------------------------------------

where = linear(
    "where", lambda c, a, b: np.asarray(np.where(c, a, b))[()], shapes.broadcast,
    None,
    lambda g, c, a, b: sum_to(where(c, g, 0), a.shape),
    lambda g, c, a, b: sum_to(where(c, 0, g), b.shape),
    result_dtype=lambda arguments, _: np.result_type(arguments[1].dtype, arguments[2].dtype),
)  # fmt: skip
take_slice = linear(
    "slice", lambda x, index: x[index],
    shapes.indexed,
    lambda g, x, index: put_slice(g, index=index, shape=x.shape),
)  # fmt: skip
put_slice = linear(
    "put_slice", meanings.put_slice, shapes.target,
    lambda g, x, index, shape: take_slice(g, index=index),
)  # fmt: skip
put_slices = linear(
    "put_slices", meanings.put_slices, shapes.target,
    any_adjoint=lambda g, position, *pieces, indices, shape: take_slice(g, index=indices[position]),
)  # fmt: skip
gather = linear(
    "gather", lambda x, *indices, index: x[meanings.fill_index(index, indices)], shapes.indexed,
    any_adjoint=lambda g, position, x, *indices, index: (
        row_sparse(*indices, g, shape=x.shape)
        if index == (Gathered(),)
        else scatter_add(g, *indices, index=index, shape=x.shape)
    ),
    result_dtype=first_dtype,
)  # fmt: skip
scatter_add = linear(
    "scatter_add", meanings.scatter_add, shapes.target,
    any_adjoint=lambda g, position, x, *indices, index, shape: gather(g, *indices, index=index),
    result_dtype=first_dtype,
)  # fmt: skip
row_sparse = linear(
    "row_sparse", lambda indices, rows, shape: RowSparse(indices, rows, shape),
    shapes.rows_to_table,
    None,
    lambda g, indices, rows, shape: gather(g, indices, index=(Gathered(),)),
    result_dtype=lambda arguments, _: arguments[1].dtype,
)  # fmt: skip
add_row_sparse = linear(
    "add_row_sparse", lambda a, b: a + b, shapes.same,
    lambda g, a, b: g, lambda g, a, b: g,
    accepts_row_sparse=True,
)  # fmt: skip
to_dense = linear(
    "to_dense", lambda x: x.to_dense() if isinstance(x, RowSparse) else x, shapes.same,
    lambda g, x: g, accepts_row_sparse=True,
)  # fmt: skip
combine_rows = linear(
    "combine_rows", meanings.combine_rows, shapes.rows_of_indices,
    None,
    lambda g, indices, rows, height: combine_rows(indices, g, height=height),
    result_dtype=lambda arguments, _: arguments[1].dtype,
)  # fmt: skip
first_rows = without_derivative(
    "first_rows", meanings.first_rows, shapes.flat_indices, result_dtype=np.dtype(np.bool_)
)
put_rows = linear(
    "put_rows", meanings.put_rows, shapes.table_of_rows,
    lambda g, x, indices, rows: put_rows(g, indices, zeros_like(rows)),
    None,
    lambda g, x, indices, rows: where(
        reshape(
            first_rows(indices, height=x.shape[0]),
            shape=rows.shape[:1] + (1,) * (len(rows.shape) - 1),
        ),
        gather(g, indices, index=(Gathered(),)),
        0,
    ),
    result_dtype=first_dtype,
)  # fmt: skip
concatenate = linear(
    "concatenate", lambda *arrays, axis: np.concatenate(arrays, axis), shapes.concatenated,
    any_adjoint=lambda g, position, *arrays, axis: take_slice(
        g, index=section([a.shape[axis] for a in arrays], position, axis)
    ),
)  # fmt: skip
pad = linear(
    "pad", lambda x, widths: np.pad(x, widths), shapes.padded,
    lambda g, x, widths: take_slice(
        g,
        index=tuple(
            slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True)
        ),
    ),
)  # fmt: skip


def section(lengths: list[int], position: int, axis: int) -> tuple[slice, ...]:
    """The index of one part of a concatenation."""
    start = sum(lengths[:position])
    return (slice(None),) * axis + (slice(start, start + lengths[position]),)


def sum_to(g: Statement, shape: tuple[int, ...]) -> Statement:
    """Undo broadcasting: sum g over the axes along which ``shape`` was stretched."""
    return g if g.shape == shape else sum_to_shape(g, shape=shape)


# ----- diagonals --------------------------------------------------------------------------------

diagonal = linear(
    "diagonal", lambda x, offset: np.diagonal(x, offset, -2, -1), shapes.diagonal,
    lambda g, x, offset: diagonal_matrix(g, offset=offset, shape=x.shape),
)  # fmt: skip
diagonal_matrix = linear(
    "diagonal_matrix", meanings.diagonal_matrix, shapes.diagonal_matrix,
    lambda g, x, offset, shape: diagonal(g, offset=offset),
)  # fmt: skip
tril = linear(
    "tril", lambda x, offset: np.tril(x, offset), shapes.same,
    lambda g, x, offset: tril(g, offset=offset),
)  # fmt: skip
triu = linear(
    "triu", lambda x, offset: np.triu(x, offset), shapes.same,
    lambda g, x, offset: triu(g, offset=offset),
)  # fmt: skip

# ----- products ---------------------------------------------------------------------------------


def swap(x: Statement) -> Statement:
    """The transpose of a stack of matrices."""
    axes = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return transpose(x, axes=axes)


matmul = multilinear(
    "matmul", np.matmul, shapes.matmul,
    lambda g, a, b: sum_to(g @ swap(b), a.shape),
    lambda g, a, b: sum_to(swap(a) @ g, b.shape),
    symbol="@",
)  # fmt: skip


def einsum_adjoint(g: Statement, position: int, *operands: Statement, subscripts: str) -> Statement:
    """The adjoint of one operand: g and the other operands, contracted to its indices.

    An index repeated inside the operand becomes two indices joined by an identity matrix; an index
    that only this operand has, or along which the others were broadcast, is filled with ones.
    """
    inputs, output = subscripts.split("->")
    letters = inputs.split(",")
    own = letters[position]
    others = [
        (names, operand)
        for i, (names, operand) in enumerate(zip(letters, operands, strict=True))
        if i != position
    ]
    factors = [(output, g), *others]
    unused = iter(sorted(set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") - set(inputs)))
    target = ""
    for axis, letter in enumerate(own):
        length = operands[position].shape[axis]
        if letter in target:
            fresh = next(unused)
            factors.append((letter + fresh, constant(np.eye(length, dtype=g.dtype))))
            letter = fresh
        elif not any(
            letter in names and factor.shape[names.index(letter)] == length
            for names, factor in factors
        ):
            factors.append((letter, constant(np.ones(length, g.dtype))))
        target += letter
    return einsum(
        *(factor for _, factor in factors),
        subscripts=",".join(names for names, _ in factors) + "->" + target,
    )


# An adjoint times a partial derivative. Where a choice was not taken the adjoint is 0, and whatever
# that branch computed there, infinity or NaN, must not leave it: not in derivatives of any order.
masked_product = multilinear(
    "masked_product", meanings.masked_product, shapes.broadcast,
    lambda g, a, b: sum_to(masked_product(g, b), a.shape),
    lambda g, a, b: sum_to(masked_product(a, g), b.shape),
    symbol="*",
)  # fmt: skip
einsum = multilinear(
    "einsum",
    lambda *operands, subscripts: np.einsum(subscripts, *operands, optimize=len(operands) > 2),
    shapes.einsum,
    any_adjoint=einsum_adjoint,
)

# ----- indices, which do not vary ---------------------------------------------------------------

POSITION = np.dtype(np.intp)
argsort = without_derivative(
    "argsort",
    lambda x, axis: np.argsort(x, axis, kind="stable"),
    shapes.same,
    result_dtype=POSITION,
)
argmax = without_derivative(
    "argmax", lambda x, axis: np.argmax(x, axis), shapes.without_axis, result_dtype=POSITION
)
argmin = without_derivative(
    "argmin", lambda x, axis: np.argmin(x, axis), shapes.without_axis, result_dtype=POSITION
)
