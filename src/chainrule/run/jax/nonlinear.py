"""Rules of rows that mix entries non-linearly: reductions, linear algebra, losses.

The formulas are those of the rows' NumPy meanings. Matrices that NumPy refuses (singular ones, one
that is not positive definite) end the run with NumPy's error.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy import linalg

from chainrule.run.jax.emission import Place, Rule

# ----- reductions -------------------------------------------------------------------------------


def max_(at: Place, x: Any, axis: Any, keepdims: bool) -> Any:
    return jnp.max(x, axis, keepdims=keepdims)


def min_(at: Place, x: Any, axis: Any, keepdims: bool) -> Any:
    return jnp.min(x, axis, keepdims=keepdims)


def prod(at: Place, x: Any, axis: Any, keepdims: bool) -> Any:
    return jnp.prod(x, axis, dtype=at.dtype, keepdims=keepdims)


def log_sum_exp(x: Any, axis: Any, keepdims: bool) -> Any:
    """ln sum e^x; an empty sum or one of e^-inf alone is -inf."""
    top = jnp.max(x, axis, keepdims=True, initial=-jnp.inf)
    shift = jnp.where(jnp.isfinite(top), top, jnp.zeros((), x.dtype))
    result = jnp.log(jnp.sum(jnp.exp(x - shift), axis, keepdims=True)) + shift
    return result if keepdims else jnp.squeeze(result, axis)


def logsumexp(at: Place, x: Any, axis: Any, keepdims: bool) -> Any:
    return log_sum_exp(x, axis, keepdims).astype(at.dtype)


def softmax(at: Place, x: Any, axis: int) -> Any:
    e = jnp.exp(x - jnp.max(x, axis, keepdims=True))
    return (e / jnp.sum(e, axis, keepdims=True)).astype(at.dtype)


def log_softmax(at: Place, x: Any, axis: int) -> Any:
    return (x - log_sum_exp(x, (axis,), True)).astype(at.dtype)


def norm(at: Place, x: Any, axis: Any, keepdims: bool) -> Any:
    """Scaled so that squares neither overflow nor vanish."""
    scale = jnp.max(jnp.abs(x), axis, keepdims=True, initial=0)
    safe = jnp.where((scale > 0) & jnp.isfinite(scale), scale, 1).astype(at.dtype)
    scaled = x / safe
    result = safe * jnp.sqrt(jnp.sum(scaled * scaled, axis, keepdims=True))
    return (result if keepdims else jnp.squeeze(result, axis)).astype(at.dtype)


# ----- linear algebra ---------------------------------------------------------------------------


def broadcast_stacks(a: Any, b: Any) -> tuple[Any, ...]:
    """Two stacks of matrices, one for one."""
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return tuple(jnp.broadcast_to(x, stack + x.shape[-2:]) for x in (a, b))


def refuse_singular(at: Place, diagonal: Any, message: str = "Singular matrix") -> None:
    """A zero on the diagonal of a triangular factor."""
    at.refuse(jnp.any(diagonal == 0), lambda _: np.linalg.LinAlgError(message))


def solve(at: Place, a: Any, b: Any) -> Any:
    a, b = broadcast_stacks(a.astype(at.dtype), b.astype(at.dtype))
    if 0 in at.shape:
        return jnp.zeros(at.shape, at.dtype)
    factors = linalg.lu_factor(a)
    refuse_singular(at, jnp.diagonal(factors[0], 0, -2, -1))
    return linalg.lu_solve(factors, b)


def inverse(at: Place, a: Any) -> Any:
    return solve(at, a, jnp.eye(a.shape[-1], dtype=a.dtype))


def triangular_solve(at: Place, a: Any, b: Any, lower: bool) -> Any:
    a, b = broadcast_stacks(a.astype(at.dtype), b.astype(at.dtype))
    if 0 in at.shape:
        return jnp.zeros(at.shape, at.dtype)
    refuse_singular(at, jnp.diagonal(a, 0, -2, -1))
    return linalg.solve_triangular(a, b, lower=lower)


def cholesky(at: Place, a: Any) -> Any:
    if 0 in at.shape:
        return jnp.zeros(at.shape, at.dtype)
    factor = jnp.linalg.cholesky(0.5 * (a + jnp.swapaxes(a, -1, -2)), symmetrize_input=False)
    at.refuse(
        jnp.any(jnp.isnan(jnp.diagonal(factor, 0, -2, -1))),
        lambda _: np.linalg.LinAlgError("Matrix is not positive definite"),
    )
    return factor


def pivots(a: Any) -> tuple[Any, Any]:
    """(diagonal of U, sign of the permutation) of the LU factors of each matrix in a stack."""
    size = a.shape[-1]
    if 0 in a.shape:
        return jnp.ones((*a.shape[:-2], size), a.dtype), jnp.ones(a.shape[:-2], a.dtype)
    factors, order = linalg.lu_factor(a)
    exchanges = jnp.sum(order != jnp.arange(size), -1)
    sign = jnp.where(exchanges % 2 == 0, 1, -1).astype(a.dtype)
    return jnp.diagonal(factors, 0, -2, -1), sign


def determinant(at: Place, a: Any) -> Any:
    diagonal, sign = pivots(a.astype(at.dtype))
    return sign * jnp.prod(diagonal, -1)


def log_abs_determinant(at: Place, a: Any) -> Any:
    diagonal, _ = pivots(a.astype(at.dtype))
    return jnp.sum(jnp.log(jnp.abs(diagonal)), -1)


def sign_determinant(at: Place, a: Any) -> Any:
    diagonal, sign = pivots(a.astype(at.dtype))
    return sign * jnp.prod(jnp.sign(diagonal), -1)


# ----- layers and losses ------------------------------------------------------------------------


def cross_entropy(at: Place, logits: Any, labels: Any) -> Any:
    labels = at.bound(1, labels, logits.ndim - 1, logits.shape[-1])
    chosen = jnp.take_along_axis(logits, labels[..., None], -1, mode="clip")[..., 0]
    return log_sum_exp(logits, (logits.ndim - 1,), False) - chosen


def layer_norm(at: Place, x: Any, scale: Any, shift: Any, epsilon: float) -> Any:
    x, scale, shift = (operand.astype(at.dtype) for operand in (x, scale, shift))
    centred = x - jnp.mean(x, -1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), -1, keepdims=True)
    return centred / jnp.sqrt(variance + epsilon) * scale + shift


NONLINEAR: dict[str, Rule] = {
    "max": max_,
    "min": min_,
    "prod": prod,
    "logsumexp": logsumexp,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "norm": norm,
    "solve": solve,
    "inv": inverse,
    "triangular_solve": triangular_solve,
    "cholesky": cholesky,
    "det": determinant,
    "logabsdet": log_abs_determinant,
    "signdet": sign_determinant,
    "cross_entropy": cross_entropy,
    "layer_norm": layer_norm,
}
