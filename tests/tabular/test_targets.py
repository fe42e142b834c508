"""The target: which task, which label is positive, which rows are left out."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa
import pytest

from chainrule.tabular.errors import TableError
from chainrule.tabular.targets import decode_classes, prepare_target

TASKS: list[tuple[Any, str, tuple[str, ...], str]] = [
    ([True, False, False, True], "binary", ("false", "true"), "by its name"),
    ([0, 1, 1, 1, 0], "binary", ("0", "1"), "by its name"),
    ([0.0, 1.0, 1.0, 0.0], "binary", ("0", "1"), "by its name"),
    (["Yes", "No", "Yes", "Yes", "No"], "binary", ("No", "Yes"), "by its name"),
    (["late", "on time", "on time"] * 3, "binary", ("on time", "late"), "the rarer"),
    (["b", "a", "a", "b"], "binary", ("a", "b"), "later in the alphabet"),
    ([3, 7, 3, 3, 7, 3], "binary", ("3", "7"), "the rarer"),
    (["c", "a", "b"] * 3, "multiclass", ("a", "b", "c"), "3 classes"),
    ([10, 9, 8] * 5, "multiclass", ("8", "9", "10"), "3 classes"),
    ([10.0, 9.0, None, 8.0] * 5, "multiclass", ("8", "9", "10"), "3 classes"),
    ([10, 9, 8], "regression", (), "regression"),
    ([1.5, 2.0, 3.0] * 5, "regression", (), "regression"),
    (list(range(21)) * 10, "regression", (), "regression"),
]


@pytest.mark.parametrize(("values", "task", "classes", "note"), TASKS)
def test_tasks(values: Any, task: str, classes: tuple[str, ...], note: str) -> None:
    table = pa.table({"y": values})
    target = prepare_target(table, "y")
    assert (target.task, target.classes) == (task, classes)
    assert note in target.notes[0]
    column = table["y"].take(target.rows).to_pylist()
    assert None not in column
    if task == "regression":
        assert target.values.tolist() == column
    else:
        said = decode_classes(target.classes, target.values)
        assert [str(value).lower().removesuffix(".0") for value in column] == [
            label.lower() for label in said
        ]
    assert target.positive == (classes[1] if task == "binary" else None)


def test_overrides() -> None:
    table = pa.table({"y": [1, 2, 3] * 10, "z": ["a", "b", "b"] * 10, "w": [0.5, 1.5, 2.5] * 10})
    assert prepare_target(table, "y", task="regression").values.tolist() == [1.0, 2.0, 3.0] * 10
    assert prepare_target(table, "w", task="multiclass").classes == ("0.5", "1.5", "2.5")
    assert prepare_target(table, "z", positive="b").classes == ("a", "b")


def test_rows_left_out_are_counted() -> None:
    target = prepare_target(pa.table({"y": ["a", None, "b", "a", "b", "c", "d", "d"]}), "y")
    assert target.rows.tolist() == [0, 2, 3, 4, 6, 7]
    assert target.classes == ("a", "b", "d")
    assert target.values.tolist() == [0, 1, 0, 1, 2, 2]
    assert target.notes[1:] == (
        '1 row left out: "y" is blank',
        '1 row left out, each the only one of its class in "y" ("c")',
    )
    number = prepare_target(pa.table({"y": [0.5, float("nan"), float("inf"), 1.5, 2.5]}), "y")
    assert number.rows.tolist() == [0, 3, 4]
    assert len(number.notes) == 3


def test_three_classes_one_of_a_single_row_make_a_binary_task() -> None:
    target = prepare_target(pa.table({"y": ["a", "a", "b", "b", "b", "c"]}), "y")
    assert (target.task, target.classes) == ("binary", ("b", "a"))


ERRORS: list[tuple[Any, dict[str, Any], str]] = [
    (["a"] * 5, {}, 'always "a": there is nothing to tell apart'),
    ([1.0] * 5, {}, 'always "1"'),
    ([1.0] * 5, {"task": "regression"}, "always"),
    ([float("inf"), float("inf"), 1.0, 2.0], {"task": "regression", "positive": "1"}, "positive"),
    ([None] * 5, {}, "blank in every row"),
    (["a", "a", "b"], {}, '"b" is in a single row'),
    ([f"n{row}" for row in range(101)] * 2, {}, "101 classes, more than 100: is it a name"),
    (["a", "b", "c"] * 4, {"maximum_classes": 2}, "3 classes, more than 2"),
    ([0.5, 1.5, 2.5] * 4, {"task": "multiclass", "maximum_classes": 2}, 'give task="regression"'),
    (["a", "b", "c"] * 4, {"task": "binary"}, "3 different values, a binary task has 2"),
    (["1", "b", "c"] * 4, {"task": "regression"}, 'expected a number, found "b" in row 2'),
    (["a", "b"] * 4, {"positive": "c"}, 'no label "c": its labels are "a" and "b"'),
    (["a", "b", "c"] * 4, {"positive": "a"}, "3 classes: none of them is the positive"),
    (["a", "b"] * 4, {"task": "guess"}, 'no task "guess"'),
    ([datetime.date(2013, 1, day) for day in (1, 2)] * 4, {}, "of type date32"),
    ([[1], [2]] * 4, {}, "of type list"),
]


@pytest.mark.parametrize(("values", "options", "message"), ERRORS)
def test_errors(values: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        prepare_target(pa.table({"y": values}), "y", **options)


def test_a_missing_target_suggests_the_nearest_names() -> None:
    with pytest.raises(TableError, match=r'no target column "Delay".*Did you mean "delayed"'):
        prepare_target(pa.table({"delayed": [0, 1], "zone": [1, 2]}), "Delay")
