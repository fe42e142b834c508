"""The core's own exp, log and others: how far from the exact value, in its last digit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chainrule.graph import Graph, all_primitives, input_statement
from chainrule.run import make_plan, native

pytestmark = pytest.mark.skipif(not native.available(), reason="the native core is not built")

# Bounds as native/src/functions.hpp states them, in units in the last place.
BOUNDS = {
    "exp": 1.5, "log": 1.5, "expm1": 2.0, "log1p": 2.0, "tanh": 2.5, "sigmoid": 3.0,
    "softplus": 3.0, "sin": 1.0, "cos": 1.0, "erf": 2.0,
}  # fmt: skip
# Arguments: from where to where in float64, and in float32.
RANGES: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "exp": ((-700, 700), (-87, 88)),
    "log": ((1e-300, 1e300), (1e-37, 1e37)),
    "expm1": ((-40, 709), (-20, 88)),
    "log1p": ((-1, 1e300), (-1, 1e37)),
    "tanh": ((-22, 22), (-10, 10)),
    "sigmoid": ((-30, 700), (-80, 80)),
    "softplus": ((-700, 700), (-87, 88)),
    "sin": ((-1e6, 1e6), (-1e6, 1e6)),
    "cos": ((-1e6, 1e6), (-1e6, 1e6)),
    "erf": ((-7, 7), (-5, 5)),
}


def arguments(name: str, dtype: Any) -> np.ndarray:
    """Over the whole range, around 0 and 1, at multiples of pi / 2, and down to tiny numbers."""
    rng = np.random.default_rng(7)
    low, high = RANGES[name][dtype is np.float32]
    smallest = np.log10(np.finfo(dtype).tiny) + 1
    signs = rng.choice([-1, 1], 50_000)
    tiny = signs * 10.0 ** rng.uniform(smallest, 0, 50_000)
    wide = signs * 10.0 ** rng.uniform(0, np.log10(high), 50_000)
    near = signs + rng.uniform(-0.5, 0.5, 50_000) ** 3
    quarters = np.round(rng.uniform(-1e4, 1e4, 20_000)) * (np.pi / 2)
    x = [rng.uniform(low, min(high, 1e9), 200_000), rng.normal(size=50_000), tiny, wide, near]
    values = np.concatenate([*x, quarters]).astype(dtype)
    return values[(values > low) & (values < high)]


def exact(name: str, x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.longdouble)
    if name == "sigmoid":
        return 1 / (1 + np.exp(-wide))
    if name == "softplus":
        return np.maximum(wide, 0) + np.log1p(np.exp(-np.abs(wide)))
    if name == "erf" and x.dtype == np.float32:
        return np.array([math.erf(v) for v in x.tolist()], np.longdouble)
    if name == "erf":
        mpmath = pytest.importorskip("mpmath")
        with mpmath.workdps(30):
            parts = [(float(v), float(v - float(v))) for v in map(mpmath.erf, x.tolist())]
        return np.array([p[0] for p in parts], np.longdouble) + [p[1] for p in parts]
    return getattr(np, name)(wide)


def native_plan(name: str, *arguments: np.ndarray) -> Any:
    inputs = tuple(input_statement(a.shape, a.dtype) for a in arguments)
    return make_plan(Graph(inputs, (all_primitives()[name](*inputs),)), "native")


def worst_error(y: np.ndarray, reference: np.ndarray, size: Any = None) -> tuple[float, int]:
    """In units in the last place of the reference, or of a size; and where."""
    size = np.abs(reference if size is None else size).astype(y.dtype)
    errors = np.abs(y.astype(np.longdouble) - reference) / np.spacing(size).astype(np.longdouble)
    return float(errors.max()), int(errors.argmax())


def needs_wider(dtype: Any) -> None:
    if np.finfo(np.longdouble).nmant <= 52 and dtype is np.float64:
        pytest.skip("there is no wider type to compare with")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
def test_errors_in_the_last_place(name: str, dtype: Any) -> None:
    needs_wider(dtype)
    x = arguments(name, dtype)
    if name == "erf":
        x = x[:: 40 if dtype is np.float64 else 4]
    reference = exact(name, x)
    normal = np.abs(reference) >= np.finfo(dtype).tiny
    x, reference = x[normal], reference[normal]
    worst, where = worst_error(native_plan(name, x)(x)[0], reference)
    assert worst <= BOUNDS[name], f"{name} of {x[where]!r} is off by {worst:.2f}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_errors_of_the_logarithm_of_a_sum(dtype: Any) -> None:
    needs_wider(dtype)
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=100_000) * 10.0 ** rng.uniform(-3, 2, 100_000) for _ in range(2))
    x, y = x.astype(dtype), y.astype(dtype)
    reference = np.logaddexp(x.astype(np.longdouble), y.astype(np.longdouble))
    size = np.maximum(np.abs(reference), np.maximum(np.abs(x), np.abs(y)))
    worst, where = worst_error(native_plan("logaddexp", x, y)(x, y)[0], reference, size)
    assert worst <= 3, f"logaddexp of {x[where]!r} and {y[where]!r} is off by {worst:.2f}"


def test_errors_of_the_power_in_float32() -> None:
    rng = np.random.default_rng(1)
    x = (10.0 ** rng.uniform(-30, 30, 100_000)).astype(np.float32)
    y = (rng.normal(size=100_000) * 2).astype(np.float32)
    reference = np.power(x.astype(np.float64), y.astype(np.float64))
    normal = (reference > 2e-38) & (reference < 3e38)
    x, y, reference = x[normal], y[normal], reference[normal]
    assert worst_error(native_plan("power", x, y)(x, y)[0], reference)[0] <= 1


EDGES = [
    0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 1e-310, 1e-45, 1e-40, 1e-200,
    2.3e-308, -1 + 2**-53, -1 - 2**-52, -2.0, 0.5, -745.2, -745.1, -709.0, -708.0, 708.0, 709.78,
    709.79, 745.0, -103.9, -104.1, -87.5, 88.7, 88.8, 1e15, 1e16, -1e16, 36.0, 37.5, -36.8, -40.0,
    1e6, 1000001.0, 1e22, -1e300, 1.7e308, 2.0**-52, 24.1, 25.0, 50.0, 0.9999999, 1.0000001, 6.1,
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
def test_edges(name: str, dtype: Any) -> None:
    """Infinities, zeros and their signs, what is no number, subnormals, where results overflow."""
    with np.errstate(all="ignore"):
        x = np.array(EDGES).astype(dtype)
        x = np.concatenate([x, np.nextafter(x, dtype(0)), np.nextafter(x, dtype(np.inf))])
        expected = make_plan(native_plan(name, x).graph, "numpy")(x)[0]
    found = native_plan(name, x)(x)[0]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))
    # Where a result is about to overflow or to vanish its last digit counts for little.
    info = np.finfo(dtype)
    # The reference takes the logistic function from tanh, which is exact beside 1.
    tiny = info.eps if name == "sigmoid" else 4 * info.smallest_subnormal
    np.testing.assert_allclose(found, expected, rtol=8 * info.eps, atol=tiny)


@pytest.mark.parametrize("name", BOUNDS)
def test_blocks_and_tails_agree(name: str) -> None:
    """The same argument has the same value wherever in an array it stands."""
    for dtype in (np.float32, np.float64):
        x = np.linspace(0.1, 3, 1031).astype(dtype)
        plan = native_plan(name, x)
        values = dict(zip(x.tolist(), plan(x)[0].tolist(), strict=True))
        mixed = np.random.default_rng(0).permutation(x)
        assert plan(mixed)[0].tolist() == [values[v] for v in mixed.tolist()]
