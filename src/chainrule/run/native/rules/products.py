"""Products of matrices."""

from __future__ import annotations

import math

from chainrule.graph import shapes
from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, Shape, core_dtype, new_array
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import (
    Unsupported,
)


def matmul(plan: Lowering, s: Statement) -> Array:
    """A product of (stacks of) matrices."""
    return product(plan, s, None)


def dense(plan: Lowering, s: Statement) -> Array:
    """x W + b, the bias added where the product is written."""
    bias = plan.array(s.arguments[2])
    columns = s.arguments[1].shape[-1]
    simple = bias.shape == (columns,) and bias.dtype == s.dtype and bias.is_contiguous()
    if simple and s.shape[:-1] == s.arguments[0].shape[:-1]:
        return product(plan, s, bias)
    shape = shapes.matmul(s.arguments[0].shape, s.arguments[1].shape)
    x = product(plan, s, None, shape)
    kernel = f"add.{core_dtype(s.dtype)}"
    return plan.elementwise(
        s,
        lambda chain, x, b: chain.apply(kernel, x, chain.converted(b, bias.dtype, s.dtype)),
        x, bias,
    )  # fmt: skip


def product(plan: Lowering, s: Statement, bias: Array | None, shape: Shape | None = None) -> Array:
    """The product of the first two arguments."""
    if core_dtype(s.dtype) not in ("f32", "f64"):
        raise Unsupported(f"no product of {s.dtype}")
    shape = s.shape if shape is None else shape
    a, b = (plan.as_dtype(plan.array(x), s.dtype) for x in s.arguments[:2])
    result = new_array(shape, s.dtype)
    target = result
    if len(b.shape) == 2 and len(a.shape) > 2 and a.is_contiguous():
        # A stack of matrices against one is one tall product.
        a = a.reshaped((math.prod(a.shape[:-1]), a.shape[-1]))
        target = result.reshaped((a.shape[0], shape[-1]))
    stack = target.shape[:-2]
    a, b = a.broadcast((*stack, *a.shape[-2:])), b.broadcast((*stack, *b.shape[-2:]))
    operation = plan.emit(
        "multiply",
        [a, b] if bias is None else [a, b, bias],
        [target],
        [0, int(bias is not None), 0],
        label="matmul" if bias is None else "dense",
        work=2 * target.size * a.shape[-1],
    )
    plan.products[result] = operation
    return result


# What a product does with a gate: nothing of it, a factor of 0 or 1, or its entries as factors.
OPEN_WHERE_POSITIVE, FACTORS = 1, 2


def gated(plan: Lowering, s: Statement, factor: Statement, gate: Array) -> Array | None:
    """``factor * (gate > 0)`` as part of the product that gives the factor, where it can be."""
    return _ended(plan, s, factor, gate, OPEN_WHERE_POSITIVE, "gate")


def scaled(plan: Lowering, s: Statement, product: Statement, factors: Array) -> Array | None:
    """``product * factors`` as part of the product of matrices, where it can be."""
    return _ended(plan, s, product, factors, FACTORS, "scale")


def _ended(
    plan: Lowering, s: Statement, factor: Statement, gate: Array, kind: int, label: str
) -> Array | None:
    """A product of matrices with a gate at its end.

    Only where nobody but ``s``, the statement of the whole, reads the product, and where the gate
    is computed before it.
    """
    result = plan.arrays.get(factor)
    operation = plan.products.get(result) if result is not None else None
    if (
        result is None
        or operation is None
        or operation.ints[0]
        or operation.ints[2]
        or factor in plan.outputs
        or plan.users[factor] != [s]
        or s.shape != factor.shape
        or gate.shape != factor.shape
        or not gate.is_contiguous()
        or gate.storage.unit >= result.storage.unit
    ):
        return None
    gate.storage.kept = True
    gate.storage.last = max(gate.storage.last, result.storage.unit)
    operation.inputs.append(gate.reshaped(operation.outputs[0].shape))
    operation.ints[2] = kind
    operation.label = f"{label}({operation.label})"
    return result
