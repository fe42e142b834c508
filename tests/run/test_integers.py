"""Integers and truth values in the native core: NumPy's results, with nothing left to NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.run import native

pytestmark = pytest.mark.skipif(not native.available(), reason="the native core is not built")

LEAST = np.iinfo(np.int64).min
NUMBERS = np.array([0, 1, -1, 2, -2, 3, -3, 7, -7, 100, -100, 2**31 - 1, -(2**31)])

PAIRS: dict[str, Any] = {
    "arithmetic": lambda x, y: (x + y, x - y, x * y, -x, abs(x), x**2, np.square(y)),
    "division": lambda x, y: (x // y, x % y, np.floor_divide(x, y), np.remainder(y, x)),
    "comparison": lambda x, y: (x > y, x >= y, x < y, x <= y, x == y, x != y),
    "selection": lambda x, y: (np.maximum(x, y), np.minimum(x, y), np.where(x > y, x, y)),
    "mixed": lambda x, y: (x + (x > y), x * 2.5, x / 2, np.sign(x), np.clip(x, -3, 50)),
}


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name: str, dtype: Any) -> None:
    x, y = (a.ravel().astype(dtype) for a in np.meshgrid(NUMBERS, NUMBERS))
    same(PAIRS[name], x, y)


def test_the_least_number_has_no_opposite() -> None:
    x, y = np.array([LEAST, LEAST, LEAST]), np.array([-1, 0, 1])
    same(lambda x, y: (x // y, x % y), x, y)


def test_numbers_that_grow_too_large_wrap_around() -> None:
    x, y = np.array([LEAST, LEAST, -(LEAST + 1), 2**40]), np.array([-1, LEAST, 1, 2**40])
    with np.errstate(over="ignore"):
        same(lambda x, y: (x + y, x - y, x * y, -x, abs(x), np.square(y)), x, y)


REDUCTIONS: dict[str, Any] = {
    "sum": lambda x: (np.sum(x), np.sum(x, axis=0), np.sum(x, axis=1, keepdims=True)),
    "product": lambda x: (np.prod(x, axis=1), np.prod(x)),
    "extremes": lambda x: (np.max(x, axis=0), np.min(x), np.max(x, axis=(0, 1))),
    "positions": lambda x: (np.argmax(x, axis=0), np.argmin(x, axis=1), np.argmax(x)),
    "partial sums": lambda x: (np.cumsum(x, axis=0), np.cumsum(x, axis=1)),
    "means": lambda x: (np.mean(x > 0), np.mean(x, axis=0)),
}


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.bool_])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str, dtype: Any) -> None:
    x = np.random.default_rng(0).integers(-3, 4, (7, 33)).astype(dtype)
    same(REDUCTIONS[name], x)
    same(REDUCTIONS[name], x[::-1, ::3])


def same(function: Any, *arguments: Any) -> None:
    """The same values and dtypes as NumPy's, and no statement of NumPy's in the plan."""
    compiled = cr.compile(function, executor="native")
    found = compiled(*arguments)
    with np.errstate(all="ignore"):
        expected = cr.compile(function, executor="numpy")(*arguments)
    for a, b in zip(found, expected, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        if np.asarray(b).dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-14)
        else:
            np.testing.assert_array_equal(a, b)
    assert not compiled._program(arguments, {})[1].plan.lowering.fallbacks
