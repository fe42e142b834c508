"""NumPy's universal functions: which primitive each one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import TraceError
from chainrule.graph.statement import Statement
from chainrule.graph.table import elementwise as e
from chainrule.graph.table import structural as s
from chainrule.tracing import messages
from chainrule.tracing.supported import UFUNCS
from chainrule.tracing.traced import as_statement

UFUNCS.update({
    np.add: e.add, np.subtract: e.subtract, np.multiply: e.multiply, np.divide: e.divide,
    np.power: e.power, np.float_power: e.power, np.negative: e.negative, np.square: e.square,
    np.reciprocal: e.reciprocal, np.remainder: e.remainder, np.absolute: e.absolute,
    np.fabs: e.absolute, np.exp: e.exp, np.exp2: e.exp2, np.expm1: e.expm1, np.log: e.log_,
    np.log2: e.log2, np.log10: e.log10, np.log1p: e.log1p, np.sqrt: e.square_root,
    np.cbrt: e.cube_root, np.logaddexp: e.logaddexp, np.sin: e.sin, np.cos: e.cos, np.tan: e.tan,
    np.arcsin: e.arcsin, np.arccos: e.arccos, np.arctan: e.arctan, np.arctan2: e.arctan2,
    np.hypot: e.hypot, np.sinh: e.sinh, np.cosh: e.cosh, np.tanh: e.tanh, np.arcsinh: e.arcsinh,
    np.arccosh: e.arccosh, np.arctanh: e.arctanh, np.maximum: e.maximum, np.minimum: e.minimum,
    np.sign: e.sign, np.floor: e.floor, np.ceil: e.ceil, np.trunc: e.trunc, np.rint: e.rint,
    np.floor_divide: e.floor_divide, np.greater: e.greater, np.greater_equal: e.greater_equal,
    np.less: e.less, np.less_equal: e.less_equal, np.equal: e.equal, np.not_equal: e.not_equal,
    np.logical_and: e.logical_and, np.logical_or: e.logical_or, np.logical_not: e.logical_not,
    np.isfinite: e.isfinite, np.isnan: e.isnan, np.isinf: e.isinf,
    np.positive: s.copy, np.conjugate: s.copy,
    np.deg2rad: lambda x: x * (np.pi / 180), np.rad2deg: lambda x: x * (180 / np.pi),
})  # fmt: skip


def _of_masks(name: str, row: Any) -> Callable[..., Statement]:
    """An operation on bits, for booleans; on numbers it is another one, which is not supported."""

    def operation(*operands: Any) -> Statement:
        masks = [as_statement(operand) for operand in operands]
        if any(mask.dtype.kind != "b" for mask in masks):
            raise TraceError(messages.unsupported(f"np.{name} of numbers"))
        return row(*masks)

    return operation


UFUNCS[np.bitwise_and] = _of_masks("bitwise_and", e.logical_and)
UFUNCS[np.bitwise_or] = _of_masks("bitwise_or", e.logical_or)
UFUNCS[np.invert] = _of_masks("invert", e.logical_not)
