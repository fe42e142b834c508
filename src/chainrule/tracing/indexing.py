"""Indexing of traced arrays: basic indices become slices, arrays of integers become gathers."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import TraceError
from chainrule.graph.origin import current_origin
from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement, constant
from chainrule.graph.table.structural import gather, take_slice
from chainrule.tracing import messages


def getitem(x: Statement, index: Any) -> Statement:
    """``x[index]`` for every index that NumPy takes.

    A mask is turned into the positions where it holds, which needs its values; under ``cr.compile``
    a traced mask is an error because the shape of the result would be unknown.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if all(_is_basic(part) for part in parts):
        return take_slice(x, index=parts)
    arrays: list[Statement] = []
    pattern: list[Any] = []
    for part in parts:
        if _is_basic(part):
            pattern.append(part)
            continue
        for positions in _positions(part):
            arrays.append(positions)
            pattern.append(Gathered())
    return gather(x, *arrays, index=tuple(pattern))


def _is_basic(part: Any) -> bool:
    return part is None or part is Ellipsis or isinstance(part, slice | int | np.integer | np.bool_)


def _positions(part: Any) -> list[Statement]:
    """The integer index arrays that an advanced index stands for: one, or one an axis of a mask."""
    if isinstance(part, list | tuple):
        part = np.asarray(part, None if len(part) else np.intp)
    if not isinstance(part, Statement):
        part = np.asarray(part)
    if part.dtype.kind == "b":
        mask = part.value if isinstance(part, Statement) else part
        if mask is None:
            raise TraceError(messages.staged_branch("the shape of a masked selection"))
        return [constant(positions) for positions in np.nonzero(mask)]
    if part.dtype.kind not in "iu":
        number = "; cr.compile takes Python numbers as float64: mark the argument static"
        raise TraceError(
            f"arrays of {part.dtype} cannot be indices, only integers and booleans"
            f"{number if part.shape == () else ''} ({current_origin()})"
        )
    return [part if isinstance(part, Statement) else constant(part)]
