"""Primitives that mix the entries of an array non-linearly: reductions and linear algebra.

Each row: name, meaning in NumPy, shape rule, and its tangent, an expression that is linear in the
tangents ``t`` of the arguments (None where an argument does not vary). Adjoints are found by
transposing it. Coarse primitives also give their expansion into simpler ones.

Conventions: tied maxima share the derivative equally; the norm has derivative 0 at 0; cholesky
reads the symmetric part of its argument.

Source: M. Giles, Collected matrix derivative results (2008); I. Murray, Differentiation of the
Cholesky decomposition (2016).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.graph import shapes
from chainrule.graph.primitive import other, without_derivative
from chainrule.graph.shapes import Gathered
from chainrule.graph.statement import Statement, constant
from chainrule.graph.table import meanings
from chainrule.graph.table.elementwise import (
    choose,
    equal,
    exp,
    isfinite,
    log_,
    square,
    square_root,
)
from chainrule.graph.table.structural import (
    broadcast_to,
    concatenate,
    convert,
    first_dtype,
    gather,
    keep_axes,
    matmul,
    reshape,
    sum_,
    sum_to,
    swap,
    take_slice,
    transpose,
    tril,
    triu,
)

Tangents = list[Statement | None]


def total(terms: list[Statement | None]) -> Statement:
    """The sum of the terms that are not zero; there is at least one."""
    present = [term for term in terms if term is not None]
    result = present[0]
    for term in present[1:]:
        result = result + term
    return result


def along(x: Statement, axis: int) -> Statement:
    """The sum along one axis, kept with length 1."""
    return sum_(x, axis=(axis,), keepdims=True)


# ----- reductions -------------------------------------------------------------------------------


def extreme_tangent(y: Any, x: Any, t: Tangents, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The mean of the tangents of the entries that attain the extreme."""
    hit = equal(x[0], keep_axes(y, x[0], axis))
    count = sum_(convert(hit, dtype=y.dtype), axis=axis, keepdims=keepdims)
    return sum_(choose(hit, t[0], 0, like=y), axis=axis, keepdims=keepdims) / count


max_ = other(
    "max", lambda x, axis, keepdims: np.max(x, axis, keepdims=keepdims), shapes.reduced,
    extreme_tangent,
)  # fmt: skip
min_ = other(
    "min", lambda x, axis, keepdims: np.min(x, axis, keepdims=keepdims), shapes.reduced,
    extreme_tangent,
)  # fmt: skip


def product_by_halves(x: Statement, axis: tuple[int, ...], keepdims: bool) -> Statement:
    """The product as a balanced tree of multiplications.

    Its derivatives, of every order, are products again and right where factors are zero, where the
    textbook's y / x is not. The cost is linear in the number of factors.
    """
    kept = tuple(i for i in range(x.ndim) if i not in axis)
    shape = shapes.reduced(x.shape, axis=axis, keepdims=keepdims)
    length = math.prod(x.shape[i] for i in axis)
    factors = transpose(x, axes=kept + axis)
    factors = reshape(factors, shape=(*(x.shape[i] for i in kept), length))
    if length == 0:
        return broadcast_to(constant(np.ones((), x.dtype)[()]), shape=shape)
    while length > 1:
        half = length // 2
        first, second = (
            take_slice(factors, index=(..., slice(start, start + half))) for start in (0, half)
        )
        product = first * second
        if length % 2:
            last = take_slice(factors, index=(..., slice(length - 1, length)))
            product = concatenate(product, last, axis=x.ndim - len(axis))
        factors, length = product, half + length % 2
    return reshape(factors, shape=shape)


prod = other(
    "prod", lambda x, axis, keepdims: np.multiply.reduce(x, axis=axis, keepdims=keepdims),
    shapes.reduced, expansion=product_by_halves,
)  # fmt: skip


def logsumexp_tangent(y: Any, x: Any, t: Tangents, axis: tuple[int, ...], keepdims: bool) -> Any:
    """sum e^(x - y) t; where the sum is empty (y = -inf) the weights are 0."""
    top = keep_axes(y, x[0], axis)
    weights = exp(x[0] - choose(isfinite(top), top, 0, like=top))
    return sum_(weights * t[0], axis=axis, keepdims=keepdims)


logsumexp = other(
    "logsumexp", meanings.logsumexp, shapes.reduced, logsumexp_tangent,
    expansion=lambda x, axis, keepdims: log_(sum_(exp(x), axis=axis, keepdims=keepdims)),
)  # fmt: skip
softmax = other(
    "softmax", meanings.softmax, shapes.same,
    lambda y, x, t, axis: y * (t[0] - along(y * t[0], axis)),
    expansion=lambda x, axis: exp(x) / along(exp(x), axis),
)  # fmt: skip
log_softmax = other(
    "log_softmax", meanings.log_softmax, shapes.same,
    lambda y, x, t, axis: t[0] - along(exp(y) * t[0], axis),
    expansion=lambda x, axis: x - log_(along(exp(x), axis)),
)  # fmt: skip


def norm_tangent(y: Any, x: Any, t: Tangents, axis: tuple[int, ...], keepdims: bool) -> Any:
    """x . t / |x|, and 0 at 0."""
    length = choose(equal(y, 0), 1, y, like=y)
    return sum_(x[0] * t[0], axis=axis, keepdims=keepdims) / length


norm = other(
    "norm", meanings.norm, shapes.reduced, norm_tangent,
    expansion=lambda x, axis, keepdims: square_root(sum_(square(x), axis=axis, keepdims=keepdims)),
)  # fmt: skip

# ----- linear algebra ---------------------------------------------------------------------------


def solve_tangent(y: Any, x: Any, t: Tangents) -> Any:
    """a y = b, so a ty = tb - ta y."""
    return solve(x[0], total([t[1], None if t[0] is None else -(t[0] @ y)]))


def triangular_solve_tangent(y: Any, x: Any, t: Tangents, lower: bool) -> Any:
    """As for solve; only the triangle that is read varies."""
    part = tril if lower else triu
    moved = None if t[0] is None else -(part(t[0], offset=0) @ y)
    return triangular_solve(x[0], total([t[1], moved]), lower=lower)


def cholesky_tangent(y: Any, x: Any, t: Tangents) -> Any:
    """tL = L phi(L^-1 tA L^-T), phi taking the lower triangle and half of the diagonal."""
    symmetric = 0.5 * (t[0] + swap(t[0]))  # type: ignore[arg-type, operator]
    inner = triangular_solve(y, symmetric, lower=True)
    inner = swap(triangular_solve(y, swap(inner), lower=True))
    eye = constant(np.eye(y.shape[-1], dtype=y.dtype))
    return y @ (tril(inner, offset=0) - 0.5 * inner * eye)


def trace_of_inverse_times(a: Statement, t: Statement | None) -> Statement:
    """The trace of a^-1 t for each matrix in a stack, without that product."""
    return sum_(swap(inverse(a)) * t, axis=(a.ndim - 2, a.ndim - 1), keepdims=False)


# A solution is linear in the right-hand side: there the adjoint is given, which ends the recursion.
solve = other(
    "solve", np.linalg.solve, shapes.solved, solve_tangent,
    adjoints=(None, lambda g, a, b: sum_to(solve(swap(a), g), b.shape)),
)  # fmt: skip
triangular_solve = other(
    "triangular_solve", meanings.triangular_solve, shapes.solved, triangular_solve_tangent,
    adjoints=(
        None,
        lambda g, a, b, lower: sum_to(triangular_solve(swap(a), g, lower=not lower), b.shape),
    ),
)  # fmt: skip
inverse = other("inv", np.linalg.inv, shapes.square, lambda y, x, t: -(y @ t[0] @ y))
cholesky = other(
    "cholesky", lambda a: np.linalg.cholesky(0.5 * (a + a.swapaxes(-1, -2))), shapes.square,
    cholesky_tangent,
)  # fmt: skip
determinant = other(
    "det", lambda a: np.linalg.det(a), shapes.square_to_scalar,
    lambda y, x, t: y * trace_of_inverse_times(x[0], t[0]),
)  # fmt: skip
log_abs_determinant = other(
    "logabsdet", lambda a: np.linalg.slogdet(a).logabsdet, shapes.square_to_scalar,
    lambda y, x, t: trace_of_inverse_times(x[0], t[0]),
)  # fmt: skip
sign_determinant = without_derivative(
    "signdet", lambda a: np.linalg.slogdet(a).sign, shapes.square_to_scalar,
    result_dtype=first_dtype,
)  # fmt: skip

# ----- layers and losses ------------------------------------------------------------------------


def dense_tangent(y: Any, x: Any, t: Tangents) -> Any:
    """(x W + b)' = tx W + x tW + tb."""
    moved = total([
        None if t[0] is None else t[0] @ x[1],
        None if t[1] is None else x[0] @ t[1],
        t[2],
    ])  # fmt: skip
    return moved if moved.shape == y.shape else broadcast_to(moved, shape=y.shape)


dense = other(
    "dense", lambda x, weight, bias: np.matmul(x, weight) + bias, shapes.dense, dense_tangent,
    expansion=lambda x, weight, bias: matmul(x, weight) + bias,
)  # fmt: skip


def chosen(x: Statement, labels: Statement) -> Statement:
    """x[..., label]: one entry of each row, picked by its label."""
    grids = np.ogrid[tuple(slice(n) for n in x.shape[:-1])]
    return gather(x, *map(constant, grids), labels, index=(Gathered(),) * x.ndim)


def cross_entropy_tangent(y: Any, x: Any, t: Tangents) -> Any:
    """The difference softmax - one-hot, applied to the tangent."""
    logits, labels = x
    probabilities = softmax(logits, axis=logits.ndim - 1)
    mean = sum_(probabilities * t[0], axis=(logits.ndim - 1,), keepdims=False)
    return mean - chosen(t[0], labels)  # type: ignore[arg-type]


cross_entropy = other(
    "cross_entropy", meanings.cross_entropy, shapes.without_last, cross_entropy_tangent,
    expansion=lambda logits, labels: -chosen(
        log_softmax(logits, axis=logits.ndim - 1), labels
    ),
    result_dtype=lambda arguments, _: arguments[0].dtype,
)  # fmt: skip


def layer_norm_by_parts(x: Statement, scale: Statement, shift: Statement, epsilon: float) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + shift over the last axis."""
    last, count = x.ndim - 1, x.shape[-1]
    centred = x - along(x, last) / count
    variance = along(square(centred), last) / count
    return centred / square_root(variance + epsilon) * scale + shift


def layer_norm_value(x: Any, scale: Any, shift: Any, epsilon: float) -> Any:
    """The same on arrays."""
    centred = x - x.mean(-1, keepdims=True)
    variance = np.square(centred).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * scale + shift


# Ba, Kiros and Hinton, Layer normalization (2016).
layer_norm = other(
    "layer_norm", layer_norm_value,
    lambda x, scale, shift, epsilon: shapes.broadcast(x, scale, shift),
    expansion=layer_norm_by_parts,
)  # fmt: skip
