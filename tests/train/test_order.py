"""The order of examples: the same whoever draws it."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.run import native
from chainrule.run.native import shuffling
from chainrule.train.batches import Dataset


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
@pytest.mark.parametrize("length", [1, 2, 3, 8, 9, 255, 256, 257, 700, 5000])
def test_the_core_shuffles_as_numpy_does_and_leaves_the_generator_where_numpy_would(
    length: int,
) -> None:
    rows = np.tile(np.arange(length, dtype=np.int64), (3, 1))
    generator, other = np.random.default_rng([7, length]), np.random.default_rng([7, length])
    expected = other.permuted(rows, axis=1)
    shuffling._by_core(rows, generator)
    np.testing.assert_array_equal(rows, expected)
    assert generator.random() == other.random()


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
def test_the_core_refuses_rows_that_do_not_fit() -> None:
    import chainrule._native as core

    bits = np.random.PCG64(0)
    for rows, length in ((np.arange(10), 3), (np.arange(10), 0), (np.zeros(3, np.int8), 1)):
        with pytest.raises(ValueError, match="rows"):
            core.shuffle(bits.capsule, rows, length)


@pytest.mark.parametrize("count", [30, 9000])
def test_orders_do_not_depend_on_the_core(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def orders() -> list[list[int]]:
        data = Dataset((np.zeros((count, 1)), np.zeros(count)), np.float32)
        return [data.order(10, 5, epoch).tolist() for epoch in range(3)]

    drawn = orders()
    monkeypatch.setattr(shuffling, "_core_agrees", lambda: False)
    assert drawn == orders()
    assert all(sorted(order) == list(range(count)) for order in drawn)
    assert drawn[0] != drawn[1]
