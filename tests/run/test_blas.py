"""Products that BLAS computes, with what follows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.run import native

if not native.available():
    pytest.skip("the native core is not built", allow_module_level=True)

import chainrule._native as core


@pytest.fixture
def always_blas() -> Iterator[None]:
    """BLAS computes every product that it can."""
    before = core.blas_threshold()
    core.set_blas_threshold(1)
    yield
    core.set_blas_threshold(before)


def loss(weights: Any, offset: Any, last: Any, x: Any) -> Any:
    hidden = cr.functions.relu(cr.functions.dense(x, weights, offset))
    return np.sum(np.tanh(hidden @ last))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bias_activation_and_gate_follow_a_product_of_blas(dtype: Any, always_blas: None) -> None:
    generator = np.random.default_rng(0)
    shapes = ((7, 9), (9,), (9, 5), (6, 7))
    arrays = [generator.normal(size=shape).astype(dtype) for shape in shapes]
    both = cr.value_and_grad(loss, argnums=(0, 1, 2, 3))
    value, slopes = cr.compile(both, executor="native")(*arrays)
    expected, others = cr.compile(both, executor="numpy")(*arrays)
    assert core.blas_is_loaded()
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(value, expected, rtol=tolerance)
    for slope, other in zip(slopes, others, strict=True):
        np.testing.assert_allclose(slope, other, rtol=tolerance, atol=tolerance)
