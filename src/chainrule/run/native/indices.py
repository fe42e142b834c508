"""Indexing by arrays: what is gathered from, or added to, the first axes of an array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement
from chainrule.graph.table.meanings import fill_index
from chainrule.run.native.arrays import Array, Shape, core_dtype, new_array
from chainrule.run.native.operations import Unsupported

if TYPE_CHECKING:
    from chainrule.run.native.lowering import Lowering


def index_arrays(plan: Lowering, indices: list[Array], index: tuple[Any, ...]) -> list[Array]:
    """The arrays of an index of the first axes, int64 and of one shape."""
    if any(not isinstance(part, Gathered) for part in index):
        raise Unsupported("an index that is not of the first axes")
    for array in indices:
        if core_dtype(array.dtype) not in ("i64", "i32"):
            raise Unsupported(f"an index of {array.dtype}")
    shape = np.broadcast_shapes(*(array.shape for array in indices))
    return [plan.as_dtype(array, np.dtype(np.int64)).broadcast(shape) for array in indices]


def known_places(
    plan: Lowering, shape: Shape, indices: Sequence[Statement], index: tuple[Any, ...]
) -> np.ndarray | None:
    """The places, in the order of its entries, of what a constant index picks of an array.

    Indices of several axes, or of others than the first ones, become one index of the entries end
    to end. None where they are not known, or pick whole rows, which are copied faster than entries.
    """
    rows = index == (Gathered(),) * len(index) and math.prod(shape[len(index) :]) > 1
    if rows or not all(plan.graph.is_known(a) and a not in plan.inputs for a in indices):
        return None
    places = np.arange(math.prod(shape)).reshape(shape)
    return places[fill_index(index, tuple(a.value for a in indices))].ravel()


def scatter(plan: Lowering, values: Array, indices: list[Array], shape: Shape) -> Array:
    """Zeros of a shape with values added at the indices of the first axes."""
    indices = index_arrays(plan, indices, (Gathered(),) * len(indices))
    if core_dtype(values.dtype) not in ("f32", "f64", "i64"):
        raise Unsupported(f"no sum of {values.dtype}")
    result = new_array(shape, values.dtype)
    values = values.broadcast((*indices[0].shape, *shape[len(indices) :]))
    plan.emit("scatter_add", [values, *indices], [result], work=values.size)
    return result
