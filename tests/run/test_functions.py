"""The core's own exp, log, tanh and sigmoid: how far from the exact value, in its last digit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.graph import Graph, all_primitives, input_statement
from chainrule.run import make_plan, native

pytestmark = pytest.mark.skipif(not native.available(), reason="the native core is not built")

# Bounds as native/src/functions.hpp states them, in units in the last place.
BOUNDS = {"exp": 1.5, "log": 1.5, "tanh": 2.5, "sigmoid": 3.0}
RANGES = {
    "exp": (-700.0, 700.0),
    "log": (0.0, 0.0),
    "tanh": (-22.0, 22.0),
    "sigmoid": (-30.0, 700.0),
}
RANGES_32 = {
    "exp": (-87.0, 88.0),
    "log": (0.0, 0.0),
    "tanh": (-10.0, 10.0),
    "sigmoid": (-80.0, 80.0),
}


def arguments(name: str, dtype: Any) -> np.ndarray:
    rng = np.random.default_rng(7)
    low, high = (RANGES if dtype is np.float64 else RANGES_32)[name]
    if name == "log":
        largest = 300 if dtype is np.float64 else 37
        wide = 10.0 ** rng.uniform(-largest, largest, 100_000)
        near = 1 + rng.uniform(-0.5, 1.0, 100_000) ** 3
        return np.concatenate([wide, near[near > 0]]).astype(dtype)
    tiny = rng.choice([-1, 1], 50_000) * 10.0 ** rng.uniform(-30, 0, 50_000)
    return np.concatenate([rng.uniform(low, high, 200_000), rng.normal(size=50_000), tiny]).astype(
        dtype
    )


def exact(name: str, x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.longdouble)
    if name == "sigmoid":
        return 1 / (1 + np.exp(-wide))
    return getattr(np, name)(wide)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
def test_errors_in_the_last_place(name: str, dtype: Any) -> None:
    if np.finfo(np.longdouble).nmant <= 52 and dtype is np.float64:
        pytest.skip("there is no wider type to compare with")
    x = arguments(name, dtype)
    s = input_statement(x.shape, dtype)
    plan = make_plan(Graph((s,), (all_primitives()[name](s),)), "native")
    y = plan(x)[0]
    reference = exact(name, x)
    unit = np.spacing(np.abs(reference).astype(dtype)).astype(np.longdouble)
    errors = np.abs(y.astype(np.longdouble) - reference) / unit
    worst = float(errors.max())
    assert worst <= BOUNDS[name], f"{name} of {x[errors.argmax()]!r} is off by {worst:.2f}"


@pytest.mark.parametrize("name", ["exp", "log", "tanh"])
def test_blocks_and_tails_agree(name: str) -> None:
    """The same argument has the same value wherever in an array it stands."""
    for dtype in (np.float32, np.float64):
        x = np.linspace(0.1, 3, 1031).astype(dtype)
        s = input_statement(x.shape, dtype)
        plan = make_plan(Graph((s,), (all_primitives()[name](s),)), "native")
        values = dict(zip(x.tolist(), plan(x)[0].tolist(), strict=True))
        mixed = np.random.default_rng(0).permutation(x)
        assert plan(mixed)[0].tolist() == [values[v] for v in mixed.tolist()]
