"""Splits: their sizes, what they keep together, and that a seed fixes them."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.tabular.errors import TableError
from chainrule.tabular.splitting import Split, split_rows, split_table


def whole(split: Split) -> list[int]:
    return sorted(np.concatenate([split.train, split.validation, split.test]).tolist())


@settings(max_examples=60, deadline=None)
@given(st.integers(12, 400), st.integers(0, 9), st.sampled_from(["", "classes", "groups", "order"]))
def test_every_row_is_in_one_part(count: int, seed: int, how: str) -> None:
    values = np.random.default_rng(seed).integers(0, max(2, count // 2), count)
    values = values % 3 if how == "classes" else values
    options = {how: values} if how else {}
    split = split_rows(count, seed=seed, **options)  # type: ignore[arg-type]
    assert whole(split) == list(range(count))
    again = split_rows(count, seed=seed, **options)  # type: ignore[arg-type]
    assert np.array_equal(split.test, again.test) and np.array_equal(split.train, again.train)


def test_default_sizes_and_seeds() -> None:
    split = split_rows(10_000, seed=1)
    assert split.sizes == {"training": 6400, "validation": 1600, "test": 2000}
    assert not np.array_equal(split.test, split_rows(10_000, seed=2).test)


def test_classes_are_shared_out_alike() -> None:
    classes = np.repeat([0, 1, 2], [9000, 900, 100])
    split = split_rows(10_000, classes=classes)
    counts = [np.bincount(classes[rows]).tolist() for rows in
              (split.train, split.validation, split.test)]  # fmt: skip
    assert counts == [[5760, 576, 64], [1440, 144, 16], [1800, 180, 20]]


def test_small_classes_train_and_keep_the_proportions() -> None:
    classes = np.repeat(np.arange(50), 2)
    split = split_rows(100, classes=classes)
    assert set(classes[split.train].tolist()) == set(range(50))
    assert 15 <= len(split.test) <= 25


def test_groups_stay_together() -> None:
    groups = np.random.default_rng(0).integers(0, 365, 20_000)
    split = split_rows(20_000, groups=groups, seed=3)
    parts = [set(groups[rows].tolist()) for rows in (split.train, split.validation, split.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert abs(len(split.test) - 4000) < 120


@pytest.mark.parametrize("how", ["groups", "order"])
def test_three_uneven_groups_fill_three_parts(how: str) -> None:
    values = np.repeat([0, 1, 2], [1, 97, 2])
    assert min(split_rows(100, **{how: values}).sizes.values()) > 0  # type: ignore[arg-type]


def test_in_order_of_a_date_ties_together() -> None:
    days = [datetime.date(2013, 1, 1) + datetime.timedelta(days=row // 7) for row in range(700)]
    table = pa.table({"day": days[::-1]})
    split = split_table(table, order_by="day")
    days = table["day"].to_pylist()
    last, first = max(days[row] for row in split.train), min(days[row] for row in split.validation)
    assert last < first
    assert max(days[row] for row in split.validation) < min(days[row] for row in split.test)
    assert split.description.endswith('by "day"')


def test_groups_by_a_column_with_blanks() -> None:
    table = pa.table({"who": ["a", None, "b", "c", None, "d"] * 10})
    split = split_table(table, group_by="who")
    blank = [row for row, who in enumerate(table["who"].to_pylist()) if who is None]
    parts = (split.train, split.validation, split.test)
    assert sum(bool(set(blank) & set(rows.tolist())) for rows in parts) == 1


ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"fractions": (0.5, 0.5)}, "not three shares of 1"),
    ({"fractions": (0.9, 0.2, -0.1)}, "not three shares of 1"),
    ({"fractions": (0.0, 0.5, 0.5)}, "training rows is 0"),
    ({"groups": [1] * 10}, r"no rows are left for .*too few groups"),
    ({"order": [1] * 10}, "too few groups or moments"),
    ({"groups": [1] * 10, "order": [1] * 10}, "not both"),
    ({"classes": [1] * 9}, r"classes has shape \(9,\), expected \(10,\)"),
]


@pytest.mark.parametrize(("options", "message"), ERRORS)
def test_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        split_rows(10, **options)


def test_too_few_rows_and_wrong_columns() -> None:
    with pytest.raises(TableError, match=r"2 rows cannot be split 64/16/20.*Give more rows"):
        split_rows(2)
    table = pa.table({"day": [1, None, 3], "word": ["a", "b", "c"]})
    with pytest.raises(TableError, match=r'"day", is blank in 1 row .first in row 2'):
        split_table(table, order_by="day")
    with pytest.raises(TableError, match=r'no column "dax" to split by.*Did you mean "day"'):
        split_table(table, group_by="dax")
    with pytest.raises(TableError, match=r'expected a date.*found "a" in row 1'):
        split_table(table, order_by="word")
