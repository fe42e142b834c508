"""Views, which cost nothing, and copies into parts of an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, Shape, constant_array, core_dtype, new_array
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import (
    Unsupported,
    has_kernel,
)


def reshape(plan: Lowering, s: Statement, shape: Shape) -> Array:
    """Another shape."""
    return plan.reshaped(plan.array(s.arguments[0]), s.shape)


def transpose(plan: Lowering, s: Statement, axes: Shape) -> Array:
    """Another order of the axes."""
    return plan.array(s.arguments[0]).view(lambda x: np.transpose(x, axes))


def broadcast_to(plan: Lowering, s: Statement, shape: Shape) -> Array:
    """Strides of 0."""
    return plan.array(s.arguments[0]).broadcast(s.shape)


def basic_slice(plan: Lowering, s: Statement, index: tuple[Any, ...]) -> Array:
    """A view by basic indexing."""
    return sliced(plan.array(s.arguments[0]), index)


def sliced(array: Array, index: tuple[Any, ...]) -> Array:
    """The part of an array that a basic index names."""
    for part in index:
        if isinstance(part, bool | np.bool_ | np.ndarray) or not (
            part is None or part is Ellipsis or isinstance(part, int | np.integer | slice)
        ):
            raise Unsupported(f"an index with {part!r}")
    if not any(part is Ellipsis for part in index):
        index = (*index, Ellipsis)  # The result is an array then, even of one entry.
    return array.view(lambda x: x[index])


def diagonal(plan: Lowering, s: Statement, offset: int) -> Array:
    """A view of a diagonal."""
    return plan.array(s.arguments[0]).view(lambda x: np.diagonal(x, offset, -2, -1))


def put_slice(plan: Lowering, s: Statement, index: Any, shape: Shape) -> Array:
    """Zeros, and the operand in a part of them."""
    x = plan.as_dtype(plan.array(s.arguments[0]), s.dtype)
    section = section_of(index, s.shape)
    if section is not None:
        axis, start, stop = section
        zero = constant_array(np.zeros((), s.dtype))

        def along(length: int) -> Shape:
            return (*s.shape[:axis], length, *s.shape[axis + 1 :])

        before, after = (zero.broadcast(along(n)) for n in (start, s.shape[axis] - stop))
        pieces = [before, x.broadcast(along(stop - start)), after]
        filled = [piece for piece in pieces if piece.shape[axis]]
        return joined(plan, filled, axis, s.shape, s.dtype)
    whole = plan.zeros(s.shape, s.dtype)
    part = sliced(whole, index)
    plan.copied(x.broadcast(part.shape), part)
    return whole


def section_of(index: tuple[Any, ...], shape: Shape) -> tuple[int, int, int] | None:
    """(axis, start, stop) where an index cuts a section out of one axis, None for other ones.

    >>> section_of((slice(None), slice(-3, None)), (2, 5))
    (1, 2, 5)
    """
    cut = []
    for axis, part in enumerate(index):
        if not isinstance(part, slice):
            return None
        start, stop, step = part.indices(shape[axis])
        if step != 1 or stop < start:
            return None
        if stop - start < shape[axis]:
            cut.append((axis, start, stop))
    return cut[0] if len(cut) == 1 else None


def put_slices(plan: Lowering, s: Statement, indices: Any, shape: Shape) -> Array:
    """Zeros, and each operand added to a part of them."""
    if not has_kernel("add", s.dtype):
        raise Unsupported(f"no add of {s.dtype}")
    pieces = [plan.as_dtype(plan.array(a), s.dtype) for a in s.arguments]
    whole = plan.zeros(s.shape, s.dtype)
    for piece, index in zip(pieces, indices, strict=True):
        part = sliced(whole, index)
        piece = piece.broadcast(part.shape)
        chain = plan.chain(part.shape, [part, piece], alone=True)
        kernel = f"add.{core_dtype(s.dtype)}"
        value = chain.apply(kernel, chain.value_of(part), chain.value_of(piece))
        chain.labels.append("put_slices")
        chain.give(value, s.dtype, part)
    return whole


def concatenate(plan: Lowering, s: Statement, axis: int) -> Array:
    """Every operand in its part; one that is computed for this alone is computed there."""
    pieces = [plan.as_dtype(plan.array(argument), s.dtype) for argument in s.arguments]
    return joined(plan, pieces, axis, s.shape, s.dtype)


def joined(plan: Lowering, pieces: list[Array], axis: int, shape: Shape, dtype: Any) -> Array:
    """Arrays end to end along an axis."""
    whole = new_array(shape, dtype)
    whole.storage.kept = True
    start = 0
    seen = set()
    for piece in pieces:
        end = start + piece.shape[axis]
        part = sliced(whole, (slice(None),) * axis + (slice(start, end),))
        start = end
        storage = piece.storage
        if (
            storage.kind == "arena"
            and storage.parent is None
            and storage not in seen
            and piece.is_whole()
            and part.is_contiguous()
            and storage.unit >= 0
        ):
            storage.parent, storage.start = whole.storage, part.offset
            storage.kept = True
            unit = storage.unit
            whole.storage.unit = max(whole.storage.unit, unit)
            first = whole.storage.first
            whole.storage.first = unit if first < 0 else min(first, storage.first)
            whole.storage.last = max(whole.storage.last, storage.last)
        else:
            plan.copied(piece, part)
        seen.add(storage)
    return whole


def pad(plan: Lowering, s: Statement, widths: Any) -> Array:
    """Zeros around the operand."""
    x = plan.array(s.arguments[0])
    index = tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))
    whole = plan.zeros(s.shape, s.dtype)
    plan.copied(x, sliced(whole, index))
    return whole


def diagonal_matrix(plan: Lowering, s: Statement, offset: int, shape: Shape) -> Array:
    """Zeros with the operand on a diagonal."""
    x = plan.array(s.arguments[0])
    whole = plan.zeros(s.shape, s.dtype)
    plan.copied(x, whole.view(lambda y: np.diagonal(y, offset, -2, -1)))
    return whole


def triangle(plan: Lowering, s: Statement, offset: int) -> Array:
    """A selection by a constant triangle."""
    if not has_kernel("where", s.dtype):
        raise Unsupported(f"no where of {s.dtype}")
    part = np.tril if s.primitive.name == "tril" else np.triu
    mask = constant_array(part(np.ones(s.shape[-2:], np.bool_), offset))
    zero = constant_array(np.zeros((), s.dtype))
    kernel = f"where.{core_dtype(s.dtype)}"
    return plan.elementwise(
        s, lambda chain, c, x, z: chain.apply(kernel, c, x, z),
        mask, plan.array(s.arguments[0]), zero,
    )  # fmt: skip
