"""Rules of elementwise rows: NumPy's functions by the same names, on NumPy's terms.

JAX promotes dtypes by rules of its own, so operands are converted as NumPy would convert them.
Where JAX differs at a special point (an integer divided by zero, the sign of a zero), the formula
of NumPy is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import erf

from chainrule.run.jax.emission import Place, Rule, native
from chainrule.run.unsupported import Unsupported


def ufunc(function: Callable[..., Any]) -> Rule:
    """A rule for a row whose meaning is a ufunc: operands in the dtypes of the ufunc's loop."""

    def rule(at: Place, *operands: Any) -> Any:
        meaning: Any = at.statement.primitive.evaluate
        *inner, _ = meaning.resolve_dtypes((*at.dtypes, None))
        converted = [x.astype(native(d)) for x, d in zip(operands, inner, strict=True)]
        return function(*converted).astype(at.dtype)

    return rule


def real(function: Callable[..., Any]) -> Rule:
    """A rule for a row whose operands all take the dtype of the result."""

    def rule(at: Place, *operands: Any, **attributes: Any) -> Any:
        return function(*(x.astype(at.dtype) for x in operands), **attributes).astype(at.dtype)

    return rule


def is_whole(x: Any) -> bool:
    """Whether an array holds integers."""
    return np.dtype(x.dtype).kind in "iu"


def unless_whole(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Rounding, which leaves integers as they are."""
    return lambda x: function(x) if np.dtype(x.dtype).kind == "f" else x


def power(at: Place, a: Any, b: Any) -> Any:
    """Integers have no negative powers, as in NumPy."""
    if is_whole(b) and at.dtype.kind == "i":
        at.refuse(
            jnp.any(b < 0),
            lambda _: ValueError("Integers to negative integer powers are not allowed."),
        )
    return ufunc(jnp.power)(at, a, b)


def reciprocal(at: Place, x: Any) -> Any:
    if is_whole(x):
        raise Unsupported("the reciprocal of integers")
    return ufunc(jnp.reciprocal)(at, x)


def sign(x: Any) -> Any:
    """Of either zero 0."""
    return jnp.where(x == 0, jnp.zeros((), x.dtype), jnp.sign(x))


def remainder(a: Any, b: Any) -> Any:
    """With the sign of b; of integers 0 where b is 0."""
    if is_whole(a):
        return jnp.where(b == 0, 0, jnp.remainder(a, jnp.where(b == 0, 1, b)))
    rest = lax.rem(*jnp.broadcast_arrays(a, b))
    moved = jnp.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest)
    return jnp.where(rest == 0, jnp.copysign(jnp.zeros_like(rest), b), moved)


def floor_divide(a: Any, b: Any) -> Any:
    """The whole quotient that belongs to ``remainder``; a / b where b is 0."""
    if is_whole(a):
        return jnp.where(b == 0, 0, jnp.floor_divide(a, jnp.where(b == 0, 1, b)))
    rest = lax.rem(*jnp.broadcast_arrays(a, b))
    whole = (a - rest) / b
    whole = jnp.where((rest != 0) & ((b < 0) != (rest < 0)), whole - 1, whole)
    near = jnp.floor(whole)
    near = jnp.where(whole - near > 0.5, near + 1, near)
    near = jnp.where(whole == 0, jnp.copysign(jnp.zeros_like(whole), a / b), near)
    return jnp.where(b == 0, a / b, near)


def sigmoid(x: Any) -> Any:
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def softplus(x: Any) -> Any:
    return jnp.logaddexp(x, jnp.zeros((), x.dtype))


def relu(x: Any) -> Any:
    return jnp.maximum(x, jnp.zeros((), x.dtype))


def leaky_relu(x: Any, slope: float) -> Any:
    return jnp.where(x > 0, x, slope * x)


def elu(x: Any, alpha: float) -> Any:
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0)))


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + erf(x * sqrt(0.5)))


def silu(x: Any) -> Any:
    return x * sigmoid(x)


def clip(x: Any, low: Any, high: Any) -> Any:
    return jnp.minimum(jnp.maximum(x, low), high)


def masked_product(a: Any, b: Any) -> Any:
    return jnp.where(a == 0, jnp.zeros((), a.dtype), a * b)


def identity(x: Any) -> Any:
    return x


# Rows whose function has their name in jax.numpy, and means the same there.
SAME_NAME = (
    "add", "subtract", "multiply", "divide", "negative", "square", "abs", "exp", "exp2", "expm1",
    "log", "log2", "log10", "log1p", "sqrt", "cbrt", "logaddexp", "sin", "cos", "tan", "arcsin",
    "arccos", "arctan", "arctan2", "hypot", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
    "maximum", "minimum", "rint", "greater", "greater_equal", "less", "less_equal", "equal",
    "not_equal", "logical_and", "logical_or", "logical_not", "isfinite", "isnan", "isinf",
)  # fmt: skip

ELEMENTWISE: dict[str, Rule] = {
    **{name: ufunc(getattr(jnp, name)) for name in SAME_NAME},
    "floor": ufunc(unless_whole(jnp.floor)),
    "ceil": ufunc(unless_whole(jnp.ceil)),
    "trunc": ufunc(unless_whole(jnp.trunc)),
    "sign": ufunc(sign),
    "remainder": ufunc(remainder),
    "floor_divide": ufunc(floor_divide),
    "power": power,
    "reciprocal": reciprocal,
    "erf": real(erf),
    "sigmoid": real(sigmoid),
    "softplus": real(softplus),
    "relu": real(relu),
    "leaky_relu": real(leaky_relu),
    "elu": real(elu),
    "gelu": real(gelu),
    "silu": real(silu),
    "clip": real(clip),
    "masked_product": real(masked_product),
    "stop_gradient": real(identity),
}
