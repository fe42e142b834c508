"""Rows of a table that indices name, at a cost that does not grow with the table's height."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, core_dtype, new_array
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import Unsupported


def _indices(plan: Lowering, statement: Statement) -> Array:
    indices = plan.array(statement)
    if core_dtype(indices.dtype) not in ("i64", "i32"):
        raise Unsupported(f"an index of {indices.dtype}")
    return plan.contiguous(plan.as_dtype(indices, np.dtype(np.int64)))


def combine_rows(plan: Lowering, s: Statement, height: int) -> Array:
    """Each row replaced by the sum of those of the same index."""
    if core_dtype(s.dtype) not in ("f32", "f64"):
        raise Unsupported(f"no sum of {s.dtype}")
    indices, rows = _indices(plan, s.arguments[0]), plan.contiguous(plan.array(s.arguments[1]))
    result = new_array(s.shape, s.dtype)
    plan.emit("combine_rows", [indices, rows], [result], [height], work=result.size)
    return result


def first_rows(plan: Lowering, s: Statement, height: int) -> Array:
    """Marks of the first index of each row."""
    result = new_array(s.shape, s.dtype)
    plan.emit("first_rows", [_indices(plan, s.arguments[0])], [result], [height])
    return result


def put_rows(plan: Lowering, s: Statement, **_: Any) -> Array:
    """Rows written over a table: in place where it is changed in place and read no more."""
    indices = _indices(plan, s.arguments[1])
    rows = plan.contiguous(plan.as_dtype(plan.array(s.arguments[2]), s.dtype))
    table = plan.array(s.arguments[0])
    if (
        table.storage.kind == "updated_input"
        and table.is_whole()
        and len(plan.units) >= plan.floor > 0
        and not plan.is_read_later(s.arguments[0], s)
    ):
        # The same memory, but another value: what read the old one must not be taken for it.
        target = table.reshaped(table.shape)
    else:
        target = plan.copied(table, new_array(s.shape, s.dtype))
    plan.emit("put_rows", [indices, rows], [target])
    return target
