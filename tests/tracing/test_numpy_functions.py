"""Every NumPy function that can be traced: NumPy's values, central differences as derivatives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, TraceError
from chainrule.tracing.supported import FUNCTIONS, UFUNCS
from chainrule.tracing.trees import Tree

rng = np.random.default_rng(42)
V, W = rng.normal(size=3), rng.uniform(0.5, 2.0, 3)
M, N = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
T = rng.normal(size=(2, 3, 4))
S = rng.normal(size=(3, 3)) * 0.3 + 2 * np.eye(3)
D = S @ S.T
B = rng.normal(size=(2, 3, 3)) * 0.3 + 2 * np.eye(3)
U = rng.uniform(-0.8, 0.8, 3)
X = np.float64(0.7)

Case = tuple[Any, Callable[..., Any], tuple[Any, ...]]

# ----- universal functions ----------------------------------------------------------------------

OPERANDS: dict[Any, tuple[Any, ...]] = {
    np.power: (W, V), np.float_power: (W, V), np.log: (W,), np.log2: (W,), np.log10: (W,),
    np.log1p: (W,), np.sqrt: (W,), np.cbrt: (W,), np.arcsin: (U,), np.arccos: (U,),
    np.arctanh: (U,), np.arccosh: (W + 1,), np.tan: (U,), np.matmul: (M, N), np.divide: (M, W),
    np.arctan2: (M, W), np.remainder: (M, W), np.bitwise_and: (V > 0, W > 1),
    np.bitwise_or: (V > 0, W > 1), np.invert: (V > 0,), np.floor_divide: (M, W),
}  # fmt: skip

# ----- functions, each in all of its forms ------------------------------------------------------


def cases() -> list[Case]:
    """(NumPy function, a use of it, arguments)."""
    table: list[Case] = []

    def add(function: Any, *uses: tuple[Any, ...]) -> None:
        table.extend((function, use, arguments) for use, *arguments in uses)  # type: ignore[misc]

    for reduction in (np.sum, np.mean, np.prod, np.max, np.min, np.amax, np.amin, np.var, np.std):
        add(
            reduction,
            (lambda x, f=reduction: f(x), V),
            (lambda x, f=reduction: f(x), T),
            (lambda x, f=reduction: f(x, axis=1), T),
            (lambda x, f=reduction: f(x, 0, keepdims=True), M),
            (lambda x, f=reduction: f(x, axis=(0, -1)), T),
            (lambda x, f=reduction: f(x, axis=-1, keepdims=True), T),
        )
    add(
        np.sum,
        (lambda x: np.sum(x > 0), V),
        (lambda x: np.sum(x, dtype=np.float64), V),
        (lambda x: x.sum(0), M),
        (lambda x: np.add.reduce(x), M),
        (lambda x: sum(x), V),
    )
    add(np.mean, (lambda x: x.mean(), M))
    add(np.max, (lambda x: np.maximum.reduce(x, axis=1), M), (lambda x: max(x), V))
    add(np.var, (lambda x: np.var(x, ddof=1), V), (lambda x: x.var(axis=0), M))
    add(np.std, (lambda x: np.std(x, axis=1, ddof=1), M))
    add(
        np.average,
        (np.average, V),
        (lambda x, w: np.average(x, weights=w), V, W),
        (lambda x: np.average(x, axis=0), M),
        (lambda x, w: np.average(x, 1, w), M, W),
    )
    add(np.any, (lambda x: np.any(x > 0), V), (lambda x: np.any(x > 5, axis=0), M))
    add(np.all, (lambda x: np.all(x > -9), V), (lambda x: np.all(x > 0, axis=0), M))
    add(np.cumsum, (np.cumsum, V), (np.cumsum, M), (lambda x: np.cumsum(x, axis=-1), T))
    add(np.diff, (np.diff, V), (lambda x: np.diff(x, n=2), T), (lambda x: np.diff(x, axis=0), M))
    add(np.argmax, (np.argmax, M), (lambda x: np.argmax(x, axis=0), M))
    add(np.argmin, (np.argmin, M), (lambda x: np.argmin(x, axis=-1), M))
    add(np.argsort, (np.argsort, V), (lambda x: np.argsort(x, axis=0), M))
    add(np.sort, (lambda x: np.sort(x, axis=None), M))
    add(np.sort, (np.sort, V), (lambda x: np.sort(x, axis=0), M), (np.sort, T))
    # shapes
    add(
        np.reshape,
        (lambda x: np.reshape(x, (3, 2)), M),
        (lambda x: np.reshape(x, -1), M),
        (lambda x: np.reshape(x, (4, -1), order="F"), T),
        (lambda x: x.reshape(2, -1), T),
        (lambda x: np.reshape(x, 6), M),
    )
    add(np.ravel, (np.ravel, T), (lambda x: np.ravel(x, "F"), M), (lambda x: x.flatten(), M))
    add(
        np.transpose,
        (np.transpose, T),
        (lambda x: np.transpose(x, (1, -1, 0)), T),
        (lambda x: x.T, M),
        (lambda x: x.transpose(1, 0), M),
    )
    add(np.permute_dims, (lambda x: np.permute_dims(x, (2, 0, 1)), T))
    add(np.matrix_transpose, (np.matrix_transpose, T))
    add(np.swapaxes, (lambda x: np.swapaxes(x, 0, -1), T), (lambda x: x.swapaxes(0, 1), M))
    add(
        np.moveaxis,
        (lambda x: np.moveaxis(x, 0, -1), T),
        (lambda x: np.moveaxis(x, (0, 1), (1, 2)), T),
        (lambda x: np.moveaxis(x, [2, 0], [0, 1]), T),
    )
    add(
        np.expand_dims,
        (lambda x: np.expand_dims(x, 1), M),
        (lambda x: np.expand_dims(x, (0, -1)), M),
    )
    add(np.squeeze, (np.squeeze, T[:1]), (lambda x: np.squeeze(x, axis=0), T[:1, :, :1]))
    add(
        np.broadcast_to,
        (lambda x: np.broadcast_to(x, (2, 3)), V),
        (lambda x: np.broadcast_to(x, 3), X),
    )
    add(np.broadcast_arrays, (lambda x, y: np.broadcast_arrays(x, y), V, M))
    add(np.atleast_1d, (np.atleast_1d, X), (np.atleast_1d, M))
    add(np.atleast_2d, (np.atleast_2d, V), (np.atleast_2d, X), (np.atleast_2d, T))
    # joining, splitting, moving
    add(
        np.concatenate,
        (lambda x, y: np.concatenate([x, y]), V, W),
        (lambda x, y: np.concatenate((x, y), axis=-1), M, M),
        (lambda x: np.concatenate([x, [1.0]]), V),
        (lambda x, y: np.concatenate([x, y], axis=None), M, V),
    )
    add(
        np.stack,
        (lambda x, y: np.stack([x, y]), V, W),
        (lambda x, y: np.stack((x, y), -1), M, M),
        (lambda x: np.stack([x, 1.0, x * 2]), X),
        (lambda x, y: np.stack([x, y], axis=1), T, T),
    )
    add(np.vstack, (lambda x, y: np.vstack([x, y]), V, M))
    add(np.hstack, (lambda x, y: np.hstack([x, y]), V, X), (lambda x, y: np.hstack([x, y]), M, M))
    add(np.column_stack, (lambda x, y: np.column_stack([x, y]), V, N))
    add(
        np.append,
        (lambda x: np.append(x, [1.0, 2.0]), V),
        (lambda x, y: np.append(x, y, axis=0), M, M),
    )
    add(np.split, (lambda x: np.split(x, 3), V), (lambda x: np.split(x, [1, 3], axis=2), T))
    add(
        np.array_split,
        (lambda x: np.array_split(x, 2), V),
        (lambda x: np.array_split(x, 3, axis=-1), T),
    )
    add(np.flip, (np.flip, M), (lambda x: np.flip(x, 1), T), (lambda x: np.flip(x, (0, 2)), T))
    add(np.flipud, (np.flipud, M))
    add(np.fliplr, (np.fliplr, M))
    add(
        np.roll,
        (lambda x: np.roll(x, 1), M),
        (lambda x: np.roll(x, 1, axis=(0, 1)), M),
        (lambda x: np.roll(x, -2, axis=1), M),
        (lambda x: np.roll(x, (1, 2), axis=(0, 1)), M),
    )
    add(np.tile, (lambda x: np.tile(x, 2), V), (lambda x: np.tile(x, (2, 1, 2)), M))
    add(
        np.repeat,
        (lambda x: np.repeat(x, 2), M),
        (lambda x: np.repeat(x, [1, 0, 2], axis=1), M),
        (lambda x: x.repeat(2, axis=0), M),
    )
    for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
        add(
            np.pad,
            (lambda x, m=mode: np.pad(x, 1, mode=m), M),
            (lambda x, m=mode: np.pad(x, ((0, 1), (2, 1)), m), M),
        )
    add(
        np.pad,
        (lambda x: np.pad(x, (1, 2)), V),
        (lambda x: np.pad(x, ((1, 1), (0, 2)), constant_values=3.0), M),
    )
    # selection
    add(
        np.where,
        (lambda x: np.where(x > 0, x, 2 * x), M),
        (lambda x, y: np.where(y > 1, x, y), M, W),
        (lambda x: np.where([True, False, True], x, 0.0), V),
    )
    add(
        np.clip,
        (lambda x: np.clip(x, -0.5, 0.5), M),
        (lambda x: np.clip(x, None, 0.5), M),
        (lambda x: np.clip(x, 0.1, None), M),
        (lambda x: x.clip(0.1, 0.3), M),
        (lambda x, a, b: np.clip(x, a, b), M, -W, W),
    )
    add(
        np.take,
        (lambda x: np.take(x, [0, 2, 0]), M),
        (lambda x: np.take(x, [[0, -1]], axis=1), M),
        (lambda x: np.take(x, 1, axis=0), T),
    )
    add(
        np.take_along_axis,
        (lambda x: np.take_along_axis(x, np.array([[0, 2, 2, 1]] * 2), 1), M),
        (lambda x: np.take_along_axis(x, np.argsort(x, 0), 0), M),
    )
    add(
        np.diagonal,
        (np.diagonal, S),
        (lambda x: np.diagonal(x, 1, 0, 2), T),
        (lambda x: x.diagonal(-1), S),
    )
    add(
        np.diag,
        (np.diag, V),
        (np.diag, S),
        (lambda x: np.diag(x, 1), V),
        (lambda x: np.diag(x, -1), M),
    )
    add(np.trace, (np.trace, S), (lambda x: np.trace(x, 1, 1, 2), T), (lambda x: x.trace(), S))
    add(np.tril, (np.tril, S), (lambda x: np.tril(x, 1), T))
    add(np.triu, (np.triu, S), (lambda x: np.triu(x, -1), M))
    add(np.nan_to_num, (np.nan_to_num, V), (lambda x: np.nan_to_num(x, posinf=1.0), V))
    add(np.zeros_like, (lambda x: x + np.zeros_like(x), V))
    add(np.ones_like, (lambda x: x * np.ones_like(x), V))
    add(
        np.full_like,
        (lambda x: x * np.full_like(x, 2.0), V),
        (lambda x, y: np.full_like(x, y), V, X),
    )
    add(np.shape, (lambda x: x * np.shape(x)[0], M))
    add(np.ndim, (lambda x: x * np.ndim(x), M))
    add(np.size, (lambda x: x * np.size(x), M), (lambda x: x * np.size(x, 1), M))
    add(np.round, (lambda x: np.round(x, 1), V), (np.round, V))
    add(np.around, (np.around, V))
    add(np.isclose, (lambda x: np.isclose(x, x + 1e-12), V))
    add(np.allclose, (lambda x: np.allclose(x, x + 1e-12), V))
    add(np.copy, (np.copy, V), (lambda x: x.copy(), V))
    add(
        np.meshgrid,
        (lambda x, y: np.meshgrid(x, y), V, W[:2]),
        (lambda x, y: np.meshgrid(x, y, indexing="ij"), V, W[:2]),
        (lambda x, y: np.meshgrid(x, y, sparse=True), V, W[:2]),
    )
    # products
    for a, b in (
        (V, W),
        (V, N),
        (M, V),
        (M, N),
        (V, B),
        (B, V),
        (B, S),
        (S, B),
        (M, B),
        (B[:, None], B),
    ):
        add(np.matmul, (lambda x, y: x @ y, a, b), (np.matmul, a, b))
    add(np.matmul, (lambda x: x @ np.ones(3), M), (lambda x: np.ones((2, 2)) @ x, M))
    for a, b in (
        (V, W),
        (M, V),
        (M, N),
        (X, M),
        (M, X),
        (T, T[0].T[:, 0]),
        (T, rng.normal(size=(2, 4, 2))),
    ):
        add(np.dot, (np.dot, a, b))
    add(np.dot, (lambda x, y: x.dot(y), M, N))
    add(np.vdot, (np.vdot, V, W), (np.vdot, M, N.T))
    add(np.inner, (np.inner, V, W), (np.inner, M, M), (np.inner, X, M), (np.inner, M, V))
    add(np.outer, (np.outer, V, W), (np.outer, M, V))
    add(
        np.tensordot,
        (lambda x, y: np.tensordot(x, y, 1), M, N),
        (np.tensordot, M, M),
        (lambda x, y: np.tensordot(x, y, axes=([1, 0], [0, 1])), M, N),
        (lambda x, y: np.tensordot(x, y, axes=(-1, -2)), T, rng.normal(size=(4, 2))),
        (lambda x, y: np.tensordot(x, y, 0), V, W),
    )
    add(np.kron, (np.kron, V, W), (np.kron, M, S), (np.kron, V, M))
    add(np.cross, (np.cross, V, W), (np.cross, M, V), (lambda x, y: np.cross(x, y, axis=0), S, S.T))
    for subscripts, *operands in (
        ("ij,jk->ik", M, N),
        ("ij,jk", M, N),
        ("ij->ji", M),
        ("ji", M),
        ("ii", S),
        ("ii->i", S),
        ("...ij,...jk->...ik", B, B),
        ("...ij,jk", B, N),
        ("...i->...", T),
        ("i...->i...", T),
        ("ij->", M),
        ("ij->j", M),
        ("i,ij,j", M[:, 0], M, V),
        ("bij,bjk->bik", B, B),
        ("i,j->ij", V, W),
        ("i,i->i", V, W),
        ("ij,kk->i", M, S),
        (" i j , j -> i ", M, V),
        ("ii,ij->j", S, S),
        ("i,i,i->", V, W, U),
        (",ij->ij", X, M),
        ("...,...->...", M, V),
        # Lengths of 1 are broadcast.
        ("ij,ij->ij", M, M[:, :1]),
        ("ij,ij->i", M[:1], M),
        ("...j,...j->...", T[:, :1], T),
        ("b...i,ij->b...j", T, rng.normal(size=(4, 2))),
    ):
        add(np.einsum, (lambda *x, s=subscripts: np.einsum(s, *x), *operands))
    add(np.einsum, (lambda x, y: np.einsum("ij,jk->ik", x, y, optimize=True), M, N))
    # linear algebra
    add(np.linalg.solve, (np.linalg.solve, S, V), (np.linalg.solve, S, N), (np.linalg.solve, B, B))
    add(np.linalg.inv, (np.linalg.inv, S), (np.linalg.inv, B))
    add(np.linalg.cholesky, (lambda x: np.linalg.cholesky(x @ x.T), S))
    add(np.linalg.det, (np.linalg.det, S), (np.linalg.det, B))
    add(
        np.linalg.slogdet,
        (np.linalg.slogdet, S),
        (lambda x: np.linalg.slogdet(x)[1], -B),
        (lambda x: np.linalg.slogdet(x).logabsdet, B),
    )
    for order in (None, 1, 2, 3, 1.5, np.inf):
        add(
            np.linalg.norm,
            (lambda x, o=order: np.linalg.norm(x, o), V),
            (lambda x, o=order: np.linalg.norm(x, o, axis=1), M),
        )
    add(
        np.linalg.norm,
        (np.linalg.norm, T),
        (lambda x: np.linalg.norm(x, "fro"), M),
        (lambda x: np.linalg.norm(x, axis=-1, keepdims=True), T),
        (lambda x: np.linalg.norm(x, axis=(0, 2)), T),
    )
    for exponent in (0, 1, 3, -2):
        add(np.linalg.matrix_power, (lambda x, n=exponent: np.linalg.matrix_power(x, n), S))
    return table


def ufunc_cases() -> list[Case]:
    table: list[Case] = []
    for ufunc in UFUNCS:
        operands = OPERANDS.get(ufunc, (M, V)[: ufunc.nin])
        table.append((ufunc, ufunc, operands))
        if ufunc.nin == 2 and ufunc is not np.matmul:
            left, right = operands
            table.append((ufunc, lambda x, f=ufunc, fixed=right: f(x, fixed), (left,)))  # type: ignore[misc]
            table.append((ufunc, lambda x, f=ufunc, fixed=left: f(fixed, x), (right,)))  # type: ignore[misc]
    return table


def operators() -> list[Case]:
    """Python's operators, from both sides."""
    a, b = M, W
    uses: list[Callable[..., Any]] = [
        lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y,
        lambda x, y: y**x, lambda x, y: -x + y, lambda x, y: +x * abs(y), lambda x, y: x % y + y,
        lambda x, y: x // y + x, lambda x, y: 2 + x - 3 * y, lambda x, y: (1 - x) / (4 / y),
        lambda x, y: 2.0**x * y**2, lambda x, y: x * [1.0, 2.0, 3.0] + y,
        lambda x, y: 7 % (y + 2) + x,
        lambda x, y: x * ((x > 0) & (y > 1)), lambda x, y: x * ((x > 0) | ~(y > 1)),
        lambda x, y: x * (x == x) + (x != x), lambda x, y: x * (x <= y) - y * (x >= y),
        lambda x, y: np.ones(3) * x + np.float64(2) * y, lambda x, y: np.arange(3) / y + x,
        lambda x, y: np.multiply.outer(x, y), lambda x, y: np.add(x, y, dtype=np.float64),
    ]  # fmt: skip
    return [(None, use, (a, b)) for use in uses]


def indexing() -> list[Case]:
    """Basic and advanced indices of a (2, 3, 4) array."""
    uses: list[Callable[..., Any]] = [
        lambda x: x[0], lambda x: x[-1, 1], lambda x: x[1, 2, 3], lambda x: x[:, 1:],
        lambda x: x[..., ::2], lambda x: x[:, None, :, -1], lambda x: x[..., -1], lambda x: x[()],
        lambda x: x[::-1, 1], lambda x: x[5:], lambda x: x[None], lambda x: x[np.int64(1)],
        lambda x: x[[0, 1, 1]], lambda x: x[np.array([-1, 0])], lambda x: x[:, [2, 0], 1:],
        lambda x: x[[0, 1], [2, -1]], lambda x: x[[0, 1], :, [3, 3]], lambda x: x[0, [1, 1], None],
        lambda x: x[np.array([[0], [1]]), [0, 2]], lambda x: x[..., [0, -1]],
        lambda x: x[x > 0], lambda x: x[np.array([True, False])],
        lambda x: x[:, [True, False, True]],
        lambda x: x[np.arange(2), np.argmax(x, axis=1)[:, 0]], lambda x: x[[]], lambda x: x[:, ()],
        lambda x: x[M > 0], lambda x: np.stack(list(x)),
        lambda x: [row * i for i, row in enumerate(x)],
        lambda x: x[True], lambda x: x[np.array(1)], lambda x: x[-1:, ..., None, [0]],
    ]  # fmt: skip
    return [(None, use, (T,)) for use in uses]


ALL = [*ufunc_cases(), *cases(), *operators(), *indexing()]


def name(case: Case) -> str:
    return getattr(case[0], "__name__", "expression")


def test_every_function_is_tested() -> None:
    tested = {case[0] for case in ALL}
    missing = [f.__name__ for f in (*UFUNCS, *FUNCTIONS) if f not in tested]
    assert not missing


def leaves(result: Any) -> list[Any]:
    return [np.asarray(leaf) for leaf in Tree(result).leaves]


@pytest.mark.parametrize("case", ALL, ids=name)
def test_value_is_numpys(case: Case) -> None:
    _, function, arguments = case
    with np.errstate(all="ignore"):
        expected = leaves(function(*arguments))
        floats = [np.asarray(a) for a in arguments]
        if any(a.dtype.kind != "f" for a in floats):
            found = leaves(cr.compile(function)(*arguments))
        else:
            found = leaves(cr.vjp(function, *arguments)[0])
    assert len(found) == len(expected)
    for left, right in zip(found, expected, strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(left, right, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("case", ALL, ids=name)
def test_derivatives_are_central_differences(case: Case) -> None:
    _, function, arguments = case
    if all(np.asarray(a).dtype.kind == "f" for a in arguments):
        with np.errstate(all="ignore"):
            cr.check_grads(function, arguments, order=1, tolerance=1e-6)


@pytest.mark.parametrize("case", ALL, ids=name)
def test_compiled_value_is_the_same(case: Case) -> None:
    _, function, arguments = case
    with np.errstate(all="ignore"):
        expected = leaves(function(*arguments))
        try:
            found = leaves(cr.compile(function)(*arguments))
        except TraceError as error:
            assert "np.where" in str(error)  # A mask's shape, or a branch, depends on values.
            return
    for left, right in zip(found, expected, strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(left, right, rtol=1e-13, atol=1e-14)


# ----- an independent oracle --------------------------------------------------------------------

ORACLE: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (lambda np, x, y: np.sum(np.sin(x) * np.exp(y)), (V, W)),
    (lambda np, x, y: np.sum(np.tanh(np.dot(x, y))), (M, N)),
    (lambda np, x: np.sum(np.sqrt(np.sum(x**2, axis=1))), (M,)),
    (lambda np, x: np.sum(np.cumsum(x, axis=1) ** 2), (M,)),
    (lambda np, x: np.prod(x) + np.max(x) - np.min(x), (V,)),
    (lambda np, x: np.sum(np.where(x > 0, x**3, np.abs(x))), (M,)),
    (lambda np, x, y: np.sum(np.einsum("ij,jk,kl->il", x, y, x) ** 2), (M, N)),
    (lambda np, x: np.linalg.det(x) + np.sum(np.linalg.inv(x) ** 2), (S,)),
    (lambda np, x: np.linalg.slogdet(x)[1], (S,)),
    (lambda np, x, y: np.sum(np.linalg.solve(x, y) ** 2), (S, N)),
    (lambda np, x: np.sum(np.linalg.cholesky(np.dot(x, x.T)) ** 3), (S,)),
    (lambda np, x: np.sum(np.log(np.sum(np.exp(x), axis=0))), (M,)),
    (lambda np, x, y: np.sum(np.arctan2(x, y) + np.arcsinh(x) / np.logaddexp(x, y)), (V, W)),
    (lambda np, x: np.var(x) + np.std(x) + np.mean(x**4), (M,)),
    (lambda np, x, y: np.sum(np.concatenate([x, y * 2])[1:4] ** 2), (V, W)),
    (lambda np, x: np.sum(np.sort(x)[::2] * np.roll(x, 1)[:2]), (V,)),
    (lambda np, x, y: np.sum(np.outer(x, y) * np.kron(x, y).reshape((3, 3))), (V, W)),
    (lambda np, x: np.sum(np.tensordot(x, x, axes=([0, 1], [0, 1])) ** 2), (T,)),
    (lambda np, x: np.sum(np.pad(x, 1, "constant")[1:, :2] ** 2) + np.trace(np.dot(x, x.T)), (M,)),
    (lambda np, x: np.sum(np.tile(x, (2, 2)) * np.repeat(np.repeat(x, 2, 0), 2, 1)), (M,)),
]


@pytest.mark.parametrize("function, arguments", ORACLE)
def test_gradients_equal_those_of_autograd(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    autograd = pytest.importorskip("autograd")
    import autograd.numpy as autograd_numpy

    ours, theirs = partial(function, np), partial(function, autograd_numpy)
    numbers = tuple(range(len(arguments)))
    found = cr.grad(ours, numbers)(*arguments)
    for left, right in zip(found, autograd.grad(theirs, numbers)(*arguments), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-10)

    def slope(grad: Any, function: Any) -> Any:
        return lambda *x: sum((g**2).sum() for g in grad(function, numbers)(*x))

    found = cr.grad(slope(cr.grad, ours), numbers)(*arguments)
    expected = autograd.grad(slope(autograd.grad, theirs), numbers)(*arguments)
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-8)


# ----- functions without a derivative -----------------------------------------------------------


def test_close_numbers_infinite_ones_too() -> None:
    a = np.array([1.0, np.inf, np.inf, 1.0, np.nan])
    b = np.array([np.inf, np.inf, -np.inf, 1.0 + 1e-9, np.nan])
    np.testing.assert_array_equal(cr.compile(np.isclose)(a, b), np.isclose(a, b))


@pytest.mark.parametrize("join", [np.concatenate, np.stack, np.vstack, np.hstack])
def test_joined_arrays_have_the_dtype_asked_for(join: Any) -> None:
    found = cr.compile(lambda x: join([x, x], dtype=np.float32))(M)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, join([M, M], dtype=np.float32))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: np.sum(x, axis="rows"), "an axis is a whole number; here it is 'rows'"),
        (lambda x: np.swapaxes(x, 0, 5), "axis 5 of an array with 2 axes"),
        (lambda x: np.stack([x, x[:1]]), r"one shape, not \(2, 3\), \(1, 3\)"),
        (lambda x: np.einsum("...i->i", x), "must stand in the output as well"),
    ],
)
def test_wrong_axes_are_named(function: Any, words: str) -> None:
    with pytest.raises(ChainruleError, match=words):
        cr.compile(function)(M)
