"""Axes as NumPy's functions take them, counted from the front."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import TraceError
from chainrule.graph.origin import current_origin
from chainrule.graph.statement import Statement


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
