"""The kinds of columns and the rules that decide them."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from chainrule.tabular.columns import infer_columns
from chainrule.tabular.errors import TableError

DAYS = [datetime.date(2013, 1, 1) + datetime.timedelta(days=day) for day in range(40)]

KINDS: list[tuple[str, str, Any, str]] = [
    ("miles", "number", [1.5, 2.5] * 20, "standardised"),
    ("grade", "number", [1, 2, 3, 4] * 10, "standardised"),
    ("carrier", "category", ["UA", "AA"] * 20, "0 and 1"),
    ("carrier", "category", pa.array(["UA", "AA"] * 20).dictionary_encode(), "0 and 1"),
    ("late", "boolean", [True, False] * 20, "boolean"),
    ("late", "boolean", ["Yes", "no", "NO", None] * 10, "boolean"),
    ("late", "category", ["yes", "maybe"] * 20, "0 and 1"),
    ("day", "date", DAYS, "trend"),
    ("time", "date", [datetime.time(hour) for hour in range(20)] * 2, "trend"),
    ("name", "text", [f"name {row}" for row in range(40)], "all different"),
    ("name", "text", [f"name {row // 2}" for row in range(1000)], "in 5 rows or more"),
    ("row", "identifier", list(range(7, 47)), "counts the rows"),
    ("flight_id", "identifier", [3 * row for row in range(40)], "by its name"),
    ("flightId", "identifier", [3 * row for row in range(40)], "by its name"),
    ("paid", "number", [3 * row for row in range(40)], "standardised"),
    ("id", "number", [3 * (row // 2) for row in range(40)], "standardised"),
    ("id", "number", list(range(19)), "standardised"),
    ("year", "constant", [2013] * 40, 'always "2013"'),
    ("year", "constant", ["x"] * 40, 'always "x"'),
    ("year", "number", [2013, None] * 20, "standardised"),
    ("nothing", "empty", [None] * 40, "every value is blank"),
    ("nothing", "empty", [float("nan")] * 40, "every value is blank"),
    ("list", "unsupported", [[1, 2]] * 40, "dropped: values of type list"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "values", "sentence"), KINDS)
def test_kinds(name: str, kind: str, values: Any, sentence: str) -> None:
    (column,) = infer_columns(pa.table({name: values}))
    assert column.kind == kind
    assert sentence in column.treatment
    assert column.used == (kind in ("number", "category", "boolean", "date"))


def test_counts_and_the_target_left_out() -> None:
    table = pa.table({"a": ["x", "y", None, "x", "y"], "b": [1.0, float("nan"), 2.0, 2.0, 3.0]})
    counted = [(each.blanks, each.different) for each in infer_columns(table)]
    assert counted == [(1, 2), (1, 3)]
    assert [each.name for each in infer_columns(table, target="a")] == ["b"]


def test_options() -> None:
    table = pa.table({"grade": [1, 2] * 20, "row": range(40), "x": np.arange(40) / 7})
    kinds = {
        each.name: each.kind
        for each in infer_columns(table, categories=["grade"], numbers=["row"], ignore=["x"])
    }
    assert kinds == {"grade": "category", "row": "number", "x": "ignored"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categories": ["grad"]}, 'no column "grad".*Did you mean "grade"'),
        ({"ignore": ["zzz"]}, 'The columns are: "grade", "word"'),
        ({"ignore": ["grade"], "numbers": ["grade"]}, "number and ignored"),
        ({"numbers": ["word"]}, 'such as "x" in row 1'),
    ],
)
def test_wrong_options(options: dict[str, list[str]], message: str) -> None:
    table = pa.table({"grade": [1, 2], "word": ["x", "y"]})
    with pytest.raises(TableError, match=message):
        infer_columns(table, **options)
