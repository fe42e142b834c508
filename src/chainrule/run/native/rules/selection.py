"""Entries and rows picked or added by arrays of indices; random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, Shape, constant_array, core_dtype, new_array
from chainrule.run.native.indices import index_arrays, known_places, scatter
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import (
    Unsupported,
)


def argsort(plan: Lowering, s: Statement, axis: int) -> Array:
    """The order of the entries along an axis; equal ones stay in theirs."""
    x = plan.array(s.arguments[0])
    if str(core_dtype(x.dtype)).startswith("raw"):
        raise Unsupported(f"no order of {x.dtype}")
    result = new_array(s.shape, s.dtype)
    rows, order = (a.view(lambda v: np.moveaxis(v, axis, -1)) for a in (x, result))
    plan.emit("argsort", [rows], [order], work=x.size)
    return result


def gather(plan: Lowering, s: Statement, index: tuple[Any, ...]) -> Array:
    """Entries or rows picked by arrays of indices."""
    x, *indices = s.arguments
    places = known_places(plan, x.shape, indices, index)
    if places is not None:
        entries = plan.reshaped(plan.array(x), (x.size,))
        result = new_array((places.size,), s.dtype)
        plan.emit("gather", [entries, constant_array(places)], [result])
        return result.reshaped(s.shape)
    arrays = index_arrays(plan, [plan.array(a) for a in indices], index)
    result = new_array(s.shape, s.dtype)
    plan.emit("gather", [plan.array(x), *arrays], [result])
    return result


def scatter_add(plan: Lowering, s: Statement, index: tuple[Any, ...], shape: Shape) -> Array:
    """Entries or rows added where arrays of indices say."""
    x, *indices = s.arguments
    places = known_places(plan, s.shape, indices, index)
    if places is not None:
        entries = plan.reshaped(plan.array(x), (x.size,))
        total = scatter(plan, entries, [constant_array(places)], (s.size,))
        return total.reshaped(s.shape)
    arrays = index_arrays(plan, [plan.array(a) for a in indices], index)
    return scatter(plan, plan.array(x), arrays, s.shape)


def row_sparse(plan: Lowering, s: Statement, shape: Shape) -> Array | None:
    """Kept as indices and rows until somebody needs the whole."""
    indices, rows = s.arguments
    if core_dtype(indices.dtype) not in ("i64", "i32") or core_dtype(s.dtype) not in ("f32", "f64"):
        raise Unsupported(f"rows of {s.dtype} at {indices.dtype}")
    if s in plan.outputs:
        raise Unsupported("a row-sparse result")
    plan.set_sparse(s, [(indices, rows)])
    return None


def add_row_sparse(plan: Lowering, s: Statement) -> Array | None:
    """The terms of both."""
    a, b = (plan.sparse_terms(x) for x in s.arguments)
    if a is not None and b is not None and s not in plan.outputs:
        plan.set_sparse(s, [*a, *b])
        return None
    if s in plan.outputs or any(plan.same[x] in plan.cells for x in s.arguments):
        raise Unsupported("a row-sparse result")
    return elementwise_as(plan, s, "add")


def elementwise_as(plan: Lowering, s: Statement, name: str) -> Array:
    """Another primitive's instruction on the same operands."""
    a, b = (plan.array(x) for x in s.arguments)
    return plan.sum_of(a, b)


def random_uniform(plan: Lowering, s: Statement, stream: int, **_: Any) -> Array:
    """Philox's numbers for a key."""
    key = plan.array(s.arguments[0])
    if key.dtype.itemsize != 8 or key.dtype.kind not in "iu" or key.shape != (2,):
        raise Unsupported(f"a key of {key.dtype}{key.shape}")
    if core_dtype(s.dtype) not in ("f32", "f64"):
        raise Unsupported(f"random numbers of {s.dtype}")
    stream &= (1 << 64) - 1
    result = new_array(s.shape, s.dtype)
    signed = stream - (1 << 64) if stream >> 63 else stream
    plan.emit("random_uniform", [plan.contiguous(key)], [result], [signed], work=20 * result.size)
    return result
