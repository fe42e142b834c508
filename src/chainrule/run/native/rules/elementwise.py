"""Functions of single entries: instructions of chains."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.idioms import sigmoid_argument
from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, constant_array, core_dtype
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import (
    Chain,
    Unsupported,
    can_convert,
    has_kernel,
    is_one,
    is_zero,
)
from chainrule.run.native.rules import products

COMPARISONS = frozenset({"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"})
LOGICAL = frozenset({"logical_and", "logical_or", "logical_not"})
TESTS = frozenset({"isnan", "isfinite", "isinf"})


def _computed(dtype: Any) -> Any:
    """The dtype in which to compute: 64-bit integers for 32-bit ones, cut at the end."""
    return np.dtype(np.int64) if core_dtype(dtype) == "i32" else dtype


def elementwise(plan: Lowering, s: Statement, **attributes: Any) -> Array:
    """A function of the core's, on operands converted to the dtype in which NumPy computes."""
    name = s.primitive.name
    operands = [plan.array(a) for a in s.arguments]
    if name in COMPARISONS:
        dtype = np.result_type(*(a.dtype for a in s.arguments))
    elif name in LOGICAL:
        dtype = np.dtype(np.bool_)
    elif name in TESTS:
        dtype = s.arguments[0].dtype
    else:
        dtype = s.dtype
    dtype = _computed(dtype)
    parameters = [constant_array(np.asarray(attributes[key], dtype)) for key in attributes]
    if not has_kernel(name, dtype):
        raise Unsupported(f"no {name} of {dtype}")
    for operand in operands:
        if not can_convert(operand.dtype, dtype):
            raise Unsupported(f"no conversion of {operand.dtype} to {dtype}")

    def compute(chain: Chain, *values: int) -> int:
        converted = [
            chain.converted(value, operand.dtype, dtype)
            for value, operand in zip(values, [*operands, *parameters], strict=True)
        ]
        result = chain.apply(f"{name}.{core_dtype(dtype)}", *converted)
        if core_dtype(s.dtype) != "i32":
            return result
        return chain.converted(result, dtype, s.dtype)

    return plan.elementwise(s, compute, *operands, *parameters)


def _unchanged(plan: Lowering, s: Statement, x: Statement, factor: Statement) -> Array | None:
    """x, where s is x times (or divided by) the number 1."""
    one = plan.graph.is_known(factor) and factor not in plan.inputs and is_one(factor.value)
    return plan.array(x) if one and x.shape == s.shape and x.dtype == s.dtype else None


def gate_or_multiply(plan: Lowering, s: Statement) -> Array:
    """A product; one with ``x > 0`` is a single instruction, others may end a dense product."""
    for factor, other in (s.arguments[::-1], s.arguments):
        same = _unchanged(plan, s, other, factor)
        if same is not None:
            return same
    for test, other in (s.arguments[::-1], s.arguments):
        test = plan.same[test]
        if test.primitive.name != "greater" or plan.is_leaf(test):
            continue
        x, bound = test.arguments
        if is_zero(bound.value) and x.dtype == s.dtype == other.dtype and x.shape == test.shape:
            gated = products.gated(plan, s, plan.same[other], plan.array(x))
            if gated is not None:
                return gated
            kernel = f"gate.{core_dtype(s.dtype)}"
            return plan.elementwise(
                s,
                lambda chain, g, x, kernel=kernel: chain.apply(kernel, g, x),
                plan.array(other),
                plan.array(x),
                label="multiply(greater)",
            )
    for factor, other in (s.arguments[::-1], s.arguments):
        if factor.shape == s.shape and factor.dtype == other.dtype == s.dtype:
            scaled = products.scaled(plan, s, plan.same[other], plan.array(factor))
            if scaled is not None:
                return scaled
    return elementwise(plan, s)


def divide_or_sigmoid(plan: Lowering, s: Statement) -> Array:
    """A quotient; 1 / (1 + exp(-x)) is a single instruction."""
    same = _unchanged(plan, s, *s.arguments)
    if same is not None:
        return same
    x = sigmoid_argument(s)
    if x is None or not has_kernel("sigmoid", s.dtype):
        return elementwise(plan, s)
    kernel = f"sigmoid.{core_dtype(s.dtype)}"
    return plan.elementwise(
        s, lambda chain, x: chain.apply(kernel, x), plan.array(x), label="sigmoid"
    )


# Exponents whose powers are products or quotients, within an ulp or two of the power itself.
_POWERS: dict[float, tuple[str, ...]] = {
    2: ("square",),
    3: ("square", "multiply"),
    4: ("square", "square"),
    -1: ("reciprocal",),
    -2: ("square", "reciprocal"),
}


def power(plan: Lowering, s: Statement) -> Array:
    """A power; products where the exponent is a small whole number."""
    exponent = s.arguments[1]
    known = plan.graph.is_known(exponent) and exponent not in plan.inputs
    steps = _POWERS.get(float(exponent.value)) if known and exponent.shape == () else None
    dtype = _computed(s.dtype)
    if steps is None or not all(has_kernel(name, dtype) for name in steps):
        return elementwise(plan, s)
    base = plan.as_dtype(plan.array(s.arguments[0]), dtype)

    def compute(chain: Chain, x: int) -> int:
        value = x
        for name in steps:
            operands = (value, x) if name == "multiply" else (value,)
            value = chain.apply(f"{name}.{core_dtype(dtype)}", *operands)
        return chain.converted(value, dtype, s.dtype)

    return plan.elementwise(s, compute, base)


def relu(plan: Lowering, s: Statement) -> Array:
    """Part of the product before it, where nothing else reads what lies between."""
    x = plan.same[s.arguments[0]]
    operation = plan.products.get(plan.arrays[x]) if x in plan.arrays else None
    others = [user for user in plan.users[x] if user is not s]
    if (
        operation is not None
        and x not in plan.outputs
        and all(u.primitive.name == "greater" and is_zero(u.arguments[1].value) for u in others)
        and all(plan.same[u.arguments[0]] is x for u in others)
        and not any(u in plan.arrays for u in others)
    ):
        operation.ints[0] = 1
        operation.label = f"relu({operation.label})"
        return plan.arrays[x]
    return elementwise(plan, s)


def where(plan: Lowering, s: Statement) -> Array:
    """A selection."""
    condition, a, b = (plan.array(x) for x in s.arguments)
    if not has_kernel("where", s.dtype):
        raise Unsupported(f"no where of {s.dtype}")
    if not all(can_convert(x.dtype, s.dtype) for x in (a, b)) or not can_convert(
        condition.dtype, np.dtype(np.bool_)
    ):
        raise Unsupported(f"no conversion to {s.dtype}")

    def compute(chain: Chain, c: int, x: int, y: int) -> int:
        c = chain.converted(c, condition.dtype, np.dtype(np.bool_))
        x, y = chain.converted(x, a.dtype, s.dtype), chain.converted(y, b.dtype, s.dtype)
        return chain.apply(f"where.{core_dtype(s.dtype)}", c, x, y)

    return plan.elementwise(s, compute, condition, a, b)


def clip(plan: Lowering, s: Statement) -> Array:
    """The greater of x and the lower bound, then the lesser of that and the upper one."""
    operands = [plan.array(a) for a in s.arguments]
    dtype = _computed(s.dtype)
    if not has_kernel("maximum", dtype):
        raise Unsupported(f"no clip of {s.dtype}")
    if not all(can_convert(x.dtype, dtype) for x in operands):
        raise Unsupported(f"no conversion to {s.dtype}")

    def compute(chain: Chain, *values: int) -> int:
        x, low, high = (
            chain.converted(value, operand.dtype, dtype)
            for value, operand in zip(values, operands, strict=True)
        )
        t = core_dtype(dtype)
        result = chain.apply(f"minimum.{t}", chain.apply(f"maximum.{t}", x, low), high)
        return chain.converted(result, dtype, s.dtype)

    return plan.elementwise(s, compute, *operands)


def convert(plan: Lowering, s: Statement, dtype: Any) -> Array:
    """Another dtype."""
    return plan.as_dtype(plan.array(s.arguments[0]), s.dtype)


def alias(plan: Lowering, s: Statement, **_: Any) -> Array | None:
    """The same value again."""
    terms = plan.sparse_terms(s.arguments[0])
    if terms is not None and s.primitive.name == "copy":
        plan.set_sparse(s, terms)
        return None
    return plan.array(s.arguments[0])
