"""Functions that NumPy lacks, for arrays and traced values alike.

>>> import numpy as np
>>> sigmoid(np.array([0.0, 2.0])).round(3).tolist()
[0.5, 0.881]
>>> softmax(np.array([1e4, 1e4])).tolist()
[0.5, 0.5]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.statement import Statement, lookup
from chainrule.tracing.axes import axes_of, axis_of
from chainrule.tracing.traced import Traced, as_statement, lower_inside


def _run(name: str, *arguments: Any, **attributes: Any) -> Any:
    """Record the primitive where an argument is traced; else compute it on arrays."""
    row = lookup(name)
    lowered = [lower_inside(argument) for argument in arguments]
    if any(isinstance(argument, Statement) for argument in lowered):
        return Traced(row(*lowered, **attributes))
    return row.evaluate(*lowered, **attributes)


def _real(x: Any) -> Any:
    """``x`` as a floating array (integers become float64), or its statement."""
    x = lower_inside(x)
    if not isinstance(x, Statement | list | tuple):
        x = np.asarray(x)
    elif not isinstance(x, Statement):
        x = as_statement(x)
        x = x.value if x.is_constant else x
    if x.dtype.kind == "f":
        return x
    return (
        lookup("convert")(x, dtype=np.dtype(float)) if isinstance(x, Statement) else x.astype(float)
    )


def erf(x: Any) -> Any:
    """The error function 2/sqrt(pi) times the integral of e^-t^2 from 0 to x."""
    return _run("erf", _real(x))


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x), without overflow."""
    return _run("sigmoid", _real(x))


def log_sigmoid(x: Any) -> Any:
    """ln sigmoid(x), finite where sigmoid(x) underflows."""
    return -softplus(-_lifted(_real(x)))


def softplus(x: Any) -> Any:
    """ln(1 + e^x), without overflow."""
    return _run("softplus", _real(x))


def relu(x: Any) -> Any:
    """max(x, 0), with derivative 0 at 0."""
    return _run("relu", _real(x))


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """x where it is positive, else ``slope`` x."""
    return _run("leaky_relu", _real(x), slope=float(slope))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else ``alpha`` (e^x - 1)."""
    return _run("elu", _real(x), alpha=float(alpha))


def gelu(x: Any) -> Any:
    """x Phi(x), Phi being the standard normal distribution function."""
    return _run("gelu", _real(x))


def silu(x: Any) -> Any:
    """x sigmoid(x), also called swish."""
    return _run("silu", _real(x))


def softmax(x: Any, axis: int = -1) -> Any:
    """e^x / sum e^x along ``axis``, without overflow."""
    x = _real(x)
    return _run("softmax", x, axis=axis_of(axis, x.ndim))


def log_softmax(x: Any, axis: int = -1) -> Any:
    """ln softmax(x) along ``axis``, finite where softmax underflows."""
    x = _real(x)
    return _run("log_softmax", x, axis=axis_of(axis, x.ndim))


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """ln sum e^x over ``axis`` (all axes by default), without overflow."""
    x = _real(x)
    return _run("logsumexp", x, axis=axes_of(axis, x.ndim), keepdims=keepdims)


def cross_entropy(logits: Any, labels: Any) -> Any:
    """-ln softmax(logits)[label] along the last axis.

    Args:
        logits: (..., classes).
        labels: integers (...), each at least 0 and less than the number of classes.

    Returns:
        One number a row, shape (...).
    """
    labels = lower_inside(labels)
    if not isinstance(labels, Statement):
        labels = np.asarray(labels)
    return _run("cross_entropy", _real(logits), labels)


def dense(x: Any, weight: Any, bias: Any) -> Any:
    """x @ weight + bias as one statement; x (..., inputs), weight (inputs, outputs)."""
    return _run("dense", _real(x), weight, bias)


def layer_norm(x: Any, scale: Any, shift: Any, epsilon: float = 1e-5) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + shift over the last axis."""
    return _run("layer_norm", _real(x), scale, shift, epsilon=float(epsilon))


def triangular_solve(a: Any, b: Any, lower: bool = True) -> Any:
    """Solve a y = b with a triangular (..., n, n) and b (..., n, k) or (n,)."""
    a, b = _real(a), _real(b)
    if b.ndim == 1:
        column = np.reshape(_lifted(b), (-1, 1))
        return triangular_solve(_lifted(a), column, lower)[:, 0]
    return _run("triangular_solve", a, b, lower=bool(lower))


def stop_gradient(x: Any) -> Any:
    """x, taken as a constant by every derivative."""
    return _run("stop_gradient", _real(x))


def random_uniform(key: Any, stream: int, shape: tuple[int, ...], dtype: Any = float) -> Any:
    """Numbers in [0, 1) that depend on the key (seed, step) and the stream, and on nothing else.

    >>> bool((random_uniform([3, 1], 0, (4,)) == random_uniform([3, 1], 0, (4,))).all())
    True
    """
    if isinstance(key, list | tuple):
        key = np.asarray(key, np.int64)
    return _run("random_uniform", key, stream=stream, shape=tuple(shape), dtype=np.dtype(dtype))


def _lifted(x: Any) -> Any:
    return Traced(x) if isinstance(x, Statement) else x
