"""Sums of products over named indices in the native core: values and gradients equal NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.run import native

pytestmark = pytest.mark.skipif(not native.available(), reason="the native core is not built")

LENGTHS = dict(zip("abcdehijklmqxyz", [3, 4, 5, 2, 6, 7, 3, 4, 5, 2, 6, 3, 4, 2, 5], strict=True))
CASES = [
    "ij,jk->ik", "ij,kj->ik", "ji,jk->ki", "bij,bjk->bik", "ijk,kl->ijl", "abc,cbd->ad",
    "i,j->ij", "ij,ij->", "ij,ij->i", "bhqd,bhkd->bhqk", "bhqk,bhkd->bqhd", "ii,ij->j",
    "ijkl,klm->imj", "i,ij,j->", "ab,bc,cd,de->ae", "ij->", "ijij->ji", "a,a,a->a", "ab,ab,ac->c",
    "i,ij,jk,k,kl->l", "abc->cab", "xy,z->z", "abc,ad,bd->cd",
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("subscripts", CASES)
def test_equals_numpy(subscripts: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    names = subscripts.split("->")[0].split(",")
    arrays = [rng.normal(size=[LENGTHS[c] for c in own]).astype(dtype) for own in names]

    def f(*operands: Any) -> Any:
        return np.einsum(subscripts, *operands)

    tolerance = 1e-11 if dtype is np.float64 else 1e-4
    compiled = cr.compile(f, executor="native")
    np.testing.assert_allclose(
        compiled(*arrays), np.einsum(subscripts, *arrays), rtol=tolerance, atol=tolerance
    )
    assert not compiled._program(tuple(arrays), {})[1].plan.lowering.fallbacks
    gradient = cr.grad(lambda *a: np.sum(np.sin(f(*a))), tuple(range(len(arrays))))
    expected = cr.compile(gradient, executor="numpy")(*arrays)
    for x, y in zip(cr.compile(gradient, executor="native")(*arrays), expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=10 * tolerance, atol=10 * tolerance)


def test_axes_of_length_one_are_stretched() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(1, 3)), rng.normal(size=(4, 3))
    f = cr.compile(lambda a, b: np.einsum("ij,ij->i", a, b), executor="native")
    np.testing.assert_allclose(f(a, b), np.einsum("ij,ij->i", a, b))
    empty = np.zeros((4, 0))
    assert f(empty, empty).tolist() == [0, 0, 0, 0]
