"""Rows to numbers, and rows to rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, Shape, core_dtype, new_array
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import (
    ROW_MAPS,
    ROW_REDUCTIONS,
    Unsupported,
)

_OF_INTEGERS = frozenset({"sum", "max", "min", "prod", "argmax", "argmin", "cumsum"})


def reduced(plan: Lowering, x: Array, kind: str, axis: Shape, shape: Shape, dtype: Any) -> Array:
    """One number for each row along ``axis``."""
    if np.dtype(dtype).kind == "f":
        x = plan.as_dtype(x, np.dtype(dtype))
    if kind in ("sum", "max", "min", "prod") and all(x.shape[i] == 1 for i in axis):
        return plan.reshaped(plan.as_dtype(x, np.dtype(dtype)), shape)
    x = computable(plan, x, kind)
    wanted = x.dtype if kind not in ("argmax", "argmin") else np.dtype(np.int64)
    length = math.prod(x.shape[i] for i in axis)
    if length == 0 and kind != "sum":
        raise Unsupported(f"{kind} of nothing")
    kept = tuple(i for i in range(len(x.shape)) if i not in axis)
    rows = x.view(lambda a: np.transpose(a, (*kept, *axis)))
    result = new_array(tuple(x.shape[i] for i in kept), wanted)
    plan.emit(
        "reduce", [rows], [result], [ROW_REDUCTIONS[kind], len(axis)], label=kind, work=x.size
    )
    return plan.as_dtype(result.reshaped(shape), np.dtype(dtype))


def computable(plan: Lowering, x: Array, kind: str) -> Array:
    """The array in a dtype of whose rows the core has the function; small integers as large."""
    if core_dtype(x.dtype) in ("i32", "bool"):
        x = plan.as_dtype(x, np.dtype(np.int64))
    dtype = core_dtype(x.dtype)
    known = ("f32", "f64") if kind not in _OF_INTEGERS else ("f32", "f64", "i64")
    if dtype not in known:
        raise Unsupported(f"no {kind} of {x.dtype}")
    return x


def reduction(plan: Lowering, s: Statement, axis: Shape, keepdims: bool) -> Array:
    """A reduction over some axes."""
    x = plan.array(s.arguments[0])
    if not axis and s.primitive.name in ("sum", "max", "min", "prod"):
        return plan.as_dtype(x, s.dtype)
    return reduced(plan, x, s.primitive.name, axis, s.shape, s.dtype)


def sum_to_shape(plan: Lowering, s: Statement, shape: Shape) -> Array:
    """A sum over the axes that were stretched."""
    x = plan.array(s.arguments[0])
    extra = len(x.shape) - len(shape)
    axes = tuple(range(extra)) + tuple(
        axis + extra for axis, n in enumerate(shape) if n == 1 and x.shape[axis + extra] != 1
    )
    if not axes:
        return plan.reshaped(x, s.shape)
    return reduced(plan, x, "sum", axes, s.shape, s.dtype)


def extreme_position(plan: Lowering, s: Statement, axis: int | None) -> Array:
    """The position of the greatest or least entry."""
    x = plan.array(s.arguments[0])
    axes = tuple(range(len(x.shape))) if axis is None else (axis % max(len(x.shape), 1),)
    return reduced(plan, x, s.primitive.name, axes, s.shape, s.dtype)


def map_rows(plan: Lowering, s: Statement, axis: int) -> Array:
    """A function of whole rows along one axis."""
    x = plan.as_dtype(plan.array(s.arguments[0]), s.dtype)
    return plan.as_dtype(mapped(plan, x, s.primitive.name, axis), s.dtype)


def mapped(plan: Lowering, x: Array, kind: str, axis: int, parameter: float = 0.0) -> Array:
    """The rows of x along one axis, each mapped to another."""
    x = computable(plan, x, kind)
    result = new_array(x.shape, x.dtype)
    rows, target = (a.view(lambda v: np.moveaxis(v, axis, -1)) for a in (x, result))
    plan.emit(
        "map_rows", [rows], [target], [ROW_MAPS[kind]], [parameter], label=kind, work=5 * x.size
    )
    return result


def cross_entropy(plan: Lowering, s: Statement) -> Array:
    """-ln softmax(logits)[label]."""
    logits, labels = (plan.array(a) for a in s.arguments)
    if core_dtype(logits.dtype) not in ("f32", "f64") or labels.dtype.kind not in "i":
        raise Unsupported(f"no cross entropy of {logits.dtype} and {labels.dtype}")
    if logits.shape[-1] == 0:
        raise Unsupported("a cross entropy of nothing")
    labels = plan.as_dtype(labels, np.dtype(np.int64))
    result = new_array(s.shape, s.dtype)
    plan.emit("cross_entropy", [logits, labels], [result], work=4 * logits.size)
    return result


def layer_norm(plan: Lowering, s: Statement, epsilon: float) -> Array:
    """Standardised rows, scaled and shifted."""
    x, scale, shift = (plan.as_dtype(plan.array(a), s.dtype) for a in s.arguments)
    if x.shape[-1] == 0 or not x.shape:
        raise Unsupported("a row of nothing")
    rows = mapped(plan, x, "standardise", len(x.shape) - 1, epsilon)
    t = core_dtype(s.dtype)
    return plan.elementwise(
        s,
        lambda chain, x, a, b: chain.apply(f"add.{t}", chain.apply(f"multiply.{t}", x, a), b),
        rows, scale, shift,
    )  # fmt: skip
