"""NumPy's products and ``np.linalg`` as compositions of primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError, TraceError
from chainrule.graph.origin import current_origin
from chainrule.graph.statement import Statement
from chainrule.graph.table import elementwise as e
from chainrule.graph.table import nonlinear as n
from chainrule.graph.table import structural as s
from chainrule.tracing import messages
from chainrule.tracing.axes import axes_of
from chainrule.tracing.numpy_reductions import max__, sum_
from chainrule.tracing.numpy_selection import take
from chainrule.tracing.numpy_shapes import moveaxis, ravel, reshape, squeeze, transpose
from chainrule.tracing.supported import UFUNCS, implements
from chainrule.tracing.traced import as_statement


@implements(np.matmul)
def matmul(a: Any, b: Any) -> Statement:
    a, b = as_statement(a), as_statement(b)
    if not a.ndim or not b.ndim:
        raise ShapeError(f"matmul of a number; use * instead ({current_origin()})")
    row, column = a.ndim == 1, b.ndim == 1
    left = reshape(a, (1, a.size)) if row else a
    right = reshape(b, (b.size, 1)) if column else b
    product = s.matmul(left, right)
    if row or column:
        product = squeeze(product, (*([-2] if row else []), *([-1] if column else [])))
    return product


UFUNCS[np.matmul] = matmul


@implements(np.dot)
def dot(a: Any, b: Any) -> Statement:
    a, b = as_statement(a), as_statement(b)
    if not a.ndim or not b.ndim:
        return a * b
    if b.ndim <= 2 and a.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Statement:
    return sum_(ravel(a) * ravel(b))


@implements(np.inner)
def inner(a: Any, b: Any) -> Statement:
    a, b = as_statement(a), as_statement(b)
    if not a.ndim or not b.ndim:
        return a * b
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,)))


@implements(np.outer)
def outer(a: Any, b: Any) -> Statement:
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Statement:
    a, b = as_statement(a), as_statement(b)
    if isinstance(axes, int):
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    first, second = ([x] if isinstance(x, int) else list(x) for x in axes)
    first, second = [i % a.ndim for i in first], [i % b.ndim for i in second]
    kept_a = [i for i in range(a.ndim) if i not in first]
    kept_b = [i for i in range(b.ndim) if i not in second]
    length = int(np.prod([a.shape[i] for i in first], dtype=int))
    left = reshape(transpose(a, [*kept_a, *first]), (-1 if a.size else 0, length))
    right = reshape(transpose(b, [*second, *kept_b]), (length, -1 if b.size else 0))
    shape = [a.shape[i] for i in kept_a] + [b.shape[i] for i in kept_b]
    return reshape(s.matmul(left, right), shape)


@implements(np.kron)
def kron(a: Any, b: Any) -> Statement:
    a, b = as_statement(a), as_statement(b)
    ndim = max(a.ndim, b.ndim)
    a = reshape(a, (1,) * (ndim - a.ndim) + a.shape)
    b = reshape(b, (1,) * (ndim - b.ndim) + b.shape)
    left = reshape(a, [length for m in a.shape for length in (m, 1)])
    right = reshape(b, [length for m in b.shape for length in (1, m)])
    return reshape(left * right, [i * j for i, j in zip(a.shape, b.shape, strict=True)])


@implements(np.einsum)
def einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Statement:
    if not isinstance(subscripts, str):
        raise TraceError(messages.unsupported("np.einsum with lists of axes (write a string)"))
    statements = [as_statement(x) for x in operands]
    return s.einsum(
        *statements, subscripts=explicit_subscripts(subscripts, [x.ndim for x in statements])
    )


def explicit_subscripts(subscripts: str, ndims: list[int]) -> str:
    """Subscripts with the output written out and every ellipsis replaced by letters.

    >>> explicit_subscripts("...ij,jk", [3, 2])
    'Aij,jk->Aik'
    """
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    parts = inputs.split(",")
    if len(parts) != len(ndims):
        raise ShapeError(
            f"einsum {subscripts!r} names {len(parts)} operands, {len(ndims)} were given "
            f"({current_origin()})"
        )
    free = [
        c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in subscripts
    ]
    hidden = [
        ndim - len(part.replace("...", "")) if "..." in part else 0
        for part, ndim in zip(parts, ndims, strict=True)
    ]
    letters = "".join(free[: max(hidden, default=0)])
    if not arrow:
        named = "".join(parts).replace(".", "")
        output = ("..." if any(hidden) else "") + "".join(
            sorted(letter for letter in set(named) if named.count(letter) == 1)
        )
    if any(hidden) and "..." not in output:
        raise ShapeError(
            f"einsum {subscripts!r}: the axes that ... stands for must stand in the output as well "
            f"({current_origin()})"
        )
    parts = [
        part.replace("...", letters[len(letters) - h :])
        for part, h in zip(parts, hidden, strict=True)
    ]
    return ",".join(parts) + "->" + output.replace("...", letters)


@implements(np.cross)
def cross(a: Any, b: Any, axis: int = -1) -> Statement:
    a, b = moveaxis(a, axis, -1), moveaxis(b, axis, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ShapeError(f"cross needs vectors of length 3, not {a.shape} and {b.shape}")
    product = take(a, [1, 2, 0], -1) * take(b, [2, 0, 1], -1) - take(a, [2, 0, 1], -1) * take(
        b, [1, 2, 0], -1
    )
    return moveaxis(product, -1, axis)


# ----- np.linalg --------------------------------------------------------------------------------


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Statement:
    a, b = as_statement(a), as_statement(b)
    if b.ndim == 1:
        return squeeze(n.solve(a, reshape(b, (b.size, 1))), -1)
    return n.solve(a, b)


@implements(np.linalg.inv)
def inv(a: Any) -> Statement:
    return n.inverse(as_statement(a))


@implements(np.linalg.cholesky)
def cholesky(a: Any) -> Statement:
    return n.cholesky(as_statement(a))


@implements(np.linalg.det)
def det(a: Any) -> Statement:
    return n.determinant(as_statement(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    a = as_statement(a)
    result = type(np.linalg.slogdet(np.eye(1)))
    return result(n.sign_determinant(a), n.log_abs_determinant(a))


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Statement:
    x = as_statement(x)
    axes = axes_of(axis, x.ndim)
    if len(axes) > 1 and ord not in (None, "fro") and not (axis is None and x.ndim == 1):
        raise TraceError(messages.unsupported("np.linalg.norm of a matrix", {"ord": ord}))
    if ord in (None, 2, "fro"):
        return n.norm(x, axis=axes, keepdims=bool(keepdims))
    if ord == 1:
        return sum_(e.absolute(x), axes, keepdims=keepdims)
    if ord == np.inf:
        return max__(e.absolute(x), axes, keepdims)
    if ord == -np.inf or not ord:
        raise TraceError(messages.unsupported("np.linalg.norm", {"ord": ord}))
    return sum_(e.absolute(x) ** float(ord), axes, keepdims=keepdims) ** (1 / float(ord))


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, exponent: int) -> Statement:
    a = as_statement(a)
    if exponent < 0:
        return matrix_power(n.inverse(a), -exponent)
    result = s.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), shape=a.shape)
    while exponent:
        if exponent % 2:
            result = s.matmul(result, a)
        a, exponent = s.matmul(a, a), exponent // 2
    return result
