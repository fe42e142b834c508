"""Random programs: every way to a derivative gives the same numbers.

A program is a list of operations on two arrays, each applied to results of earlier ones. Its
gradient by reverse mode, compiled, by forward mode and by central differences agree; so do second
derivatives in three orders of modes, sparse and dense Jacobians, and the dtypes of float32 inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import functions as F

Array = Any
Random = np.random.Generator


@cr.custom(adjoint=lambda g, y, x: g * np.cos(x))
def custom_sin(x: Array) -> Array:
    return np.sin(x)


# ----- operations -------------------------------------------------------------------------------


def an_axis(x: Array, random: Random) -> int:
    return int(random.integers(-x.ndim, x.ndim))


def an_index(shape: tuple[int, ...], random: Random) -> tuple[Any, ...]:
    """Integers, slices, new axes, an ellipsis and arrays of integers, negative ones too."""
    parts: list[Any] = []
    for length in shape:
        parts += [
            lambda n=length: [int(random.integers(-n, n))],
            lambda: [slice(None, None, -1)],
            lambda n=length: [slice(int(random.integers(-n, n)), None, 2)],
            lambda n=length: [random.integers(-n, n, size=3)],
            lambda: [None, slice(None)],
            lambda: [slice(None)],
        ][random.integers(0, 6)]()
    if len(parts) > 1 and random.random() < 0.3:
        parts[-1] = ...
    return tuple(parts)


def combined(a: Array, b: Array, random: Random) -> Array:
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return a * np.sum(b) * 0.1
    return [lambda: a + b, lambda: a * b, lambda: a / (1.5 + np.cos(b))][random.integers(0, 3)]()


def multiplied(a: Array, b: Array, random: Random) -> Array:
    if a.ndim and b.ndim and a.shape[-1] == b.shape[0 if b.ndim == 1 else -2]:
        return np.matmul(a, b) * 0.3
    return np.tensordot(a, b, 0) * 0.1 if a.size * b.size < 200 and a.ndim + b.ndim < 5 else a


def looped(a: Array, b: Array, random: Random) -> Array:
    """A scan along the first axis that also reads a value from outside, with a counter."""

    def body(carry: Any, row: Array) -> Any:
        state, count = carry
        state = np.tanh(state * 0.5 + row + factor * count)
        return (state, count + 1), state * row

    factor = np.mean(b) * 0.1
    (last, _), rows = cr.scan(body, (a[0] * 0.3, np.int64(0)), a, reverse=bool(random.integers(2)))
    return rows + last


UNARY: list[Callable[[Array, Random], Array]] = [
    lambda x, _: np.sin(x),
    lambda x, _: F.sigmoid(x),
    lambda x, _: np.exp(-x * x),
    lambda x, _: np.maximum(x, 0.2) * 1.1,
    lambda x, _: F.relu(x),
    lambda x, _: custom_sin(x),
    lambda x, _: x.T,
    lambda x, _: np.reshape(x, (-1,)),
    lambda x, _: np.einsum("ij->ji" if x.ndim == 2 else "...->...", x),
    lambda x, _: np.einsum("ij,kj->ik", x, x) * 0.2 if x.ndim == 2 else x * 0.5,
    lambda x, _: np.broadcast_to(x, (2, *x.shape)) if x.size < 50 and x.ndim < 3 else x,
    lambda x, random: x[an_index(x.shape, random)],
    lambda x, random: np.where(x > 0.1, x * 1.5, np.sqrt(np.maximum(x, 0.0) + (x < 0.05))),
]
ALONG_AXIS: list[Callable[[Array, int], Array]] = [
    lambda x, axis: np.sum(x, axis=axis),
    lambda x, axis: np.mean(x, axis=axis, keepdims=True),
    lambda x, axis: np.cumsum(x, axis=axis) * 0.3,
    lambda x, axis: F.softmax(x, axis=axis),
    lambda x, axis: F.logsumexp(x, axis=axis),
    lambda x, axis: np.linalg.norm(x + 3.0, axis=axis),
    lambda x, axis: np.roll(x, 1, axis=axis),
    lambda x, axis: np.diff(x, axis=axis) if x.shape[axis] > 1 else x,
]
BINARY: list[Callable[[Array, Array, Random], Array]] = [
    combined,
    combined,
    multiplied,
    lambda a, b, _: np.concatenate([a.ravel(), b.ravel() * 2]) if a.size + b.size < 100 else a,
    lambda a, b, random: looped(a, b, random) if a.ndim else a,
]


def program(seed: int) -> Callable[[Array, Array], list[Array]]:
    """A function of two arrays that returns all that it computed on the way."""
    choices = np.random.default_rng(seed)
    steps = [choices.integers(0, 1 << 30, size=4) for _ in range(choices.integers(3, 9))]

    def run(x: Array, y: Array) -> list[Array]:
        found = [x, y]
        for kind, first, second, draw in steps:
            random = np.random.default_rng(draw)
            a, b = found[first % len(found)], found[second % len(found)]
            if kind % 3 == 0:
                result = UNARY[draw % len(UNARY)](a, random)
            elif kind % 3 == 1 and a.ndim and a.size:
                result = ALONG_AXIS[draw % len(ALONG_AXIS)](a, an_axis(a, random))
            else:
                result = BINARY[draw % len(BINARY)](a, b, random)
            found.append(result)
        return found[2:]

    return run


# ----- comparisons ------------------------------------------------------------------------------


def agree(found: Any, expected: Any, tolerance: float, what: str) -> None:
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b), what
        scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
        np.testing.assert_allclose(a, b, atol=tolerance * scale, rtol=tolerance, err_msg=what)


@pytest.mark.parametrize("seed", range(40))
def test_all_derivatives_agree(seed: int) -> None:
    run, random = program(seed), np.random.default_rng(1000 + seed)
    x, y = random.normal(size=(3, 4)), random.normal(size=4)
    dx, dy = random.normal(size=(3, 4)), random.normal(size=4)

    def value(x: Array, y: Array) -> Array:
        return sum(np.sum(np.sin(v * 0.7 + i)) for i, v in enumerate(run(x, y)))

    def slope(x: Array, y: Array) -> Array:
        gx, gy = cr.grad(value, (0, 1))(x, y)
        return np.sum(gx * dx) + np.sum(gy * dy)

    gradient = cr.grad(value, (0, 1))
    expected = gradient(x, y)
    agree([cr.compile(value)(x, y)], [value(x, y)], 1e-12, "compiled value")
    agree(cr.compile(gradient)(x, y), expected, 1e-11, "compiled gradient")
    forward = cr.jvp(value, (x, y), (dx, dy))[1]
    agree([forward], [np.sum(expected[0] * dx) + np.sum(expected[1] * dy)], 1e-11, "forward mode")
    h = 1e-6
    numeric = (value(x + h * dx, y + h * dy) - value(x - h * dx, y - h * dy)) / (2 * h)
    agree([forward], [numeric], 2e-6, "central difference")

    second = cr.grad(slope, (0, 1))
    expected = second(x, y)
    agree(cr.hvp(value, (x, y), (dx, dy)), expected, 1e-10, "forward over reverse")
    agree(cr.compile(second)(x, y), expected, 1e-10, "compiled second derivative")
    compiled_hvp = cr.compile(lambda x, y: cr.hvp(value, (x, y), (dx, dy)))
    agree(compiled_hvp(x, y), expected, 1e-10, "compiled forward over reverse")

    mixed = x.astype(np.float32), y
    found, compiled = gradient(*mixed), cr.compile(gradient)(*mixed)
    agree(compiled, found, 1e-4, "compiled, of float32 and float64")
    assert [g.dtype for g in (*found, *compiled)] == [np.float32, np.float64] * 2


@pytest.mark.parametrize("seed", range(100, 150))
def test_sparse_and_dense_jacobians_agree(seed: int) -> None:
    run, random = program(seed), np.random.default_rng(1000 + seed)
    x, y = random.normal(size=(3, 4)), random.normal(size=4)

    def last(x: Array, y: Array) -> Array:
        return run(x, y)[-1]

    size = np.size(last(x, y))
    if size == 0:
        return
    expected = np.reshape(cr.jacobian(last, mode="reverse")(x, y), (size, x.size))
    for mode in ("auto", "forward", "reverse"):
        found = cr.jacobian(last, mode=mode, sparse=True)(x, y).toarray()
        agree([found], [expected], 1e-12, f"sparse, {mode}")
    compiled = cr.compile(cr.jacobian(last))(x, y)
    agree([np.reshape(compiled, (size, x.size))], [expected], 1e-12, "compiled")
