"""How each primitive becomes operations of the core: one function a row, by its name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.graph import shapes
from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, Shape, constant_array, core_dtype, new_array
from chainrule.run.native.indices import index_arrays, scatter
from chainrule.run.native.lowering import Lowering, Rule
from chainrule.run.native.operations import (
    ROW_MAPS,
    ROW_REDUCTIONS,
    Chain,
    Unsupported,
    can_convert,
    has_kernel,
    is_zero,
)

# ----- elementwise ------------------------------------------------------------------------------


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
        return chain.apply(f"{name}.{core_dtype(dtype)}", *converted)

    return plan.elementwise(s, compute, *operands, *parameters)


def gate_or_multiply(plan: Lowering, s: Statement) -> Array:
    """A product; one with ``x > 0`` is a single instruction."""
    for test, other in (s.arguments[::-1], s.arguments):
        test = plan.same[test]
        if test.primitive.name != "greater" or plan.is_leaf(test):
            continue
        x, bound = test.arguments
        if is_zero(bound.value) and x.dtype == s.dtype == other.dtype and x.shape == test.shape:
            kernel = f"gate.{core_dtype(s.dtype)}"
            return plan.elementwise(
                s,
                lambda chain, g, x, kernel=kernel: chain.apply(kernel, g, x),
                plan.array(other),
                plan.array(x),
                label="multiply(greater)",
            )
    return elementwise(plan, s)


def power(plan: Lowering, s: Statement) -> Array:
    """A power; a square where the exponent is 2."""
    exponent = s.arguments[1]
    known = plan.graph.is_known(exponent) and exponent not in plan.inputs
    if known and exponent.shape == () and exponent.value == 2 and has_kernel("square", s.dtype):
        base = plan.as_dtype(plan.array(s.arguments[0]), s.dtype)
        kernel = f"square.{core_dtype(s.dtype)}"
        return plan.elementwise(s, lambda chain, x: chain.apply(kernel, x), base)
    return elementwise(plan, s)


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
    if not has_kernel("maximum", s.dtype):
        raise Unsupported(f"no clip of {s.dtype}")
    if not all(can_convert(x.dtype, s.dtype) for x in operands):
        raise Unsupported(f"no conversion to {s.dtype}")

    def compute(chain: Chain, *values: int) -> int:
        x, low, high = (
            chain.converted(value, operand.dtype, s.dtype)
            for value, operand in zip(values, operands, strict=True)
        )
        t = core_dtype(s.dtype)
        return chain.apply(f"minimum.{t}", chain.apply(f"maximum.{t}", x, low), high)

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


# ----- views and copies -------------------------------------------------------------------------


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
    whole = plan.zeros(s.shape, s.dtype)
    part = sliced(whole, index)
    plan.copied(x.broadcast(part.shape), part)
    return whole


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
    whole = new_array(s.shape, s.dtype)
    whole.storage.kept = True
    start = 0
    seen = set()
    for argument in s.arguments:
        piece = plan.as_dtype(plan.array(argument), s.dtype)
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


# ----- reductions and rows ----------------------------------------------------------------------


def reduced(plan: Lowering, x: Array, kind: str, axis: Shape, shape: Shape, dtype: Any) -> Array:
    """One number for each row along ``axis``."""
    if x.dtype.kind != "f" or core_dtype(x.dtype) not in ("f32", "f64"):
        raise Unsupported(f"no {kind} of {x.dtype}")
    length = math.prod(x.shape[i] for i in axis)
    if length == 0 and kind != "sum":
        raise Unsupported(f"{kind} of nothing")
    kept = tuple(i for i in range(len(x.shape)) if i not in axis)
    rows = x.view(lambda a: np.transpose(a, (*kept, *axis)))
    result = new_array(tuple(x.shape[i] for i in kept), dtype)
    plan.emit(
        "reduce", [rows], [result], [ROW_REDUCTIONS[kind], len(axis)], label=kind, work=x.size
    )
    return result.reshaped(shape)


def reduction(plan: Lowering, s: Statement, axis: Shape, keepdims: bool) -> Array:
    """A reduction over some axes."""
    x = plan.array(s.arguments[0])
    if not axis and s.primitive.name in ("sum", "max", "min", "prod"):
        return x
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
    x = plan.array(s.arguments[0])
    return mapped(plan, x, s.primitive.name, axis)


def mapped(plan: Lowering, x: Array, kind: str, axis: int, parameter: float = 0.0) -> Array:
    """The rows of x along one axis, each mapped to another."""
    if core_dtype(x.dtype) not in ("f32", "f64"):
        raise Unsupported(f"no {kind} of {x.dtype}")
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


# ----- products ---------------------------------------------------------------------------------


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
        [0],
        label="matmul" if bias is None else "dense",
        work=2 * target.size * a.shape[-1],
    )
    plan.products[result] = operation
    return result


# ----- indices ----------------------------------------------------------------------------------


def gather(plan: Lowering, s: Statement, index: tuple[Any, ...]) -> Array:
    """Entries or rows picked by arrays of indices."""
    x, *indices = (plan.array(a) for a in s.arguments)
    indices = index_arrays(plan, indices, index)
    result = new_array(s.shape, s.dtype)
    plan.emit("gather", [x, *indices], [result])
    return result


def scatter_add(plan: Lowering, s: Statement, index: tuple[Any, ...], shape: Shape) -> Array:
    """Entries or rows added where arrays of indices say."""
    x, *indices = (plan.array(a) for a in s.arguments)
    return scatter(plan, x, index_arrays(plan, indices, index), s.shape)


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


COMPARISONS = frozenset({"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"})
LOGICAL = frozenset({"logical_and", "logical_or", "logical_not"})
TESTS = frozenset({"isnan", "isfinite", "isinf"})
# fmt: off
_ELEMENTWISE = [
    "add", "subtract", "masked_product", "divide", "negative", "square", "reciprocal",
    "remainder", "abs", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt",
    "logaddexp", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "hypot", "sinh",
    "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "erf", "sigmoid", "softplus", "leaky_relu",
    "elu", "gelu", "silu", "maximum", "minimum", "sign", "floor", "ceil", "trunc", "rint",
    "floor_divide",
]
# fmt: on
RULES: dict[str, Rule] = {
    **dict.fromkeys([*_ELEMENTWISE, *COMPARISONS, *LOGICAL, *TESTS], elementwise),
    "multiply": gate_or_multiply,
    "power": power,
    "relu": relu,
    "where": where,
    "clip": clip,
    "convert": convert,
    "copy": alias,
    "stop_gradient": alias,
    "to_dense": alias,
    "reshape": reshape,
    "transpose": transpose,
    "broadcast_to": broadcast_to,
    "slice": basic_slice,
    "diagonal": diagonal,
    "put_slice": put_slice,
    "put_slices": put_slices,
    "concatenate": concatenate,
    "pad": pad,
    "diagonal_matrix": diagonal_matrix,
    "tril": triangle,
    "triu": triangle,
    **dict.fromkeys(("sum", "max", "min", "prod", "logsumexp", "norm"), reduction),
    "sum_to_shape": sum_to_shape,
    "argmax": extreme_position,
    "argmin": extreme_position,
    **dict.fromkeys(("softmax", "log_softmax", "cumsum"), map_rows),
    "cross_entropy": cross_entropy,
    "layer_norm": layer_norm,
    "matmul": matmul,
    "dense": dense,
    "gather": gather,
    "scatter_add": scatter_add,
    "row_sparse": row_sparse,
    "add_row_sparse": add_row_sparse,
    "random_uniform": random_uniform,
}
