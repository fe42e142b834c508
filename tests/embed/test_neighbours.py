"""The best rows of a table, found block by block, against sorting all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.embed import neighbours


def sorted_whole(scores: np.ndarray, count: int, without: list[list[int]]) -> list[list[int]]:
    orders = np.argsort(-scores, axis=1, kind="stable")
    return [
        [row for row in order if row not in excluded][:count]
        for order, excluded in zip(orders, without, strict=True)
    ]


@given(data=st.data())
def test_blocks_give_what_sorting_gives(data: st.DataObject) -> None:
    queries, rows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 40))
    # Few different values, so that many are equal.
    flat = st.lists(st.integers(-3, 3), min_size=queries * rows, max_size=queries * rows)
    scores = np.array(data.draw(flat), np.float32).reshape(queries, rows)
    count = data.draw(st.integers(0, 45))
    without = [data.draw(st.lists(st.integers(0, rows - 1), max_size=4)) for _ in range(queries)]
    block = data.draw(st.sampled_from([1, 3, 16, 1 << 21]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK", block)
        found = neighbours.best(lambda a, b: scores[:, a:b], queries, rows, count, without)
    assert [places.tolist() for places, _ in found] == sorted_whole(scores, count, without)
    for row, (places, kept) in zip(scores, found, strict=True):
        np.testing.assert_array_equal(kept, row[places])


@pytest.mark.parametrize("order", ["rising", "falling", "equal"])
def test_rows_in_any_order(order: str) -> None:
    values = {"rising": np.arange(50_000), "falling": -np.arange(50_000), "equal": np.ones(50_000)}
    scores = values[order].astype(np.float32)[None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK", 1000)
        [(places, _)] = neighbours.best(lambda a, b: scores[:, a:b], 1, 50_000, 3, [[]])
    assert places.tolist() == ([49_999, 49_998, 49_997] if order == "rising" else [0, 1, 2])


def test_norms_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.random.default_rng(0).normal(size=(101, 5)).astype(np.float32)
    table[[0, 100]] = 0
    monkeypatch.setattr(neighbours, "BLOCK", 35)
    norms = np.linalg.norm(table.astype(np.float64), axis=1)
    expected = np.divide(1, norms, out=np.zeros(101), where=norms > 0)
    np.testing.assert_allclose(neighbours.inverse_norms(table), expected, rtol=1e-6)
