"""From a table to features: each encoder's numbers, saved forms, and tables of prediction."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.tabular.errors import TableError
from chainrule.tabular.preprocessing import Preprocessor


def feature(preprocessor: Preprocessor, table: pa.Table, name: str) -> list[float]:
    return preprocessor.transform(table)[:, preprocessor.features.index(name)].tolist()


def test_numbers_are_standardised_and_blanks_marked() -> None:
    table = pa.table({"x": [1.0, 3.0, None, float("nan")], "n": [10, 20, 30, 40]})
    preprocessor = Preprocessor.fit(table)
    assert preprocessor.features == ["x", "x blank", "n"]
    assert feature(preprocessor, table, "x") == [-1.0, 1.0, 0.0, 0.0]
    assert feature(preprocessor, table, "x blank") == [0.0, 0.0, 1.0, 1.0]
    standard = (np.arange(4) - 1.5) / np.std(np.arange(4))
    assert feature(preprocessor, table, "n") == pytest.approx(standard, rel=1e-6)


def test_outliers_are_clipped_and_infinities_do_not_spread() -> None:
    values = [0.0, 1.0] * 50
    preprocessor = Preprocessor.fit(pa.table({"x": [*values, math.inf]}))
    given_now = pa.table({"x": [1e300, -math.inf, 0.5]})
    assert feature(preprocessor, given_now, "x") == [10.0, -10.0, 0.0]


def test_enormous_numbers_stay_finite() -> None:
    table = pa.table({"x": [1e308, -1e308, 1e307, 0.0], "y": [1e-200, 0.0, -1e-200, 0.0]})
    inputs = Preprocessor.fit(table).transform(table)
    assert np.isfinite(inputs).all()
    assert inputs.std(axis=0) == pytest.approx([1.0, 1.0], rel=0.01)


def test_very_skewed_numbers_are_taken_on_a_logarithmic_scale() -> None:
    values = np.exp(np.random.default_rng(1).normal(size=1000) * 3)
    table = pa.table({"income": values, "height": np.sqrt(values + 100) % 1})
    preprocessor = Preprocessor.fit(table)
    treatments = [column.treatment for column in preprocessor.columns]
    assert "signed logarithm" in treatments[0]
    assert "signed logarithm" not in treatments[1]
    order = np.argsort(values)
    assert np.all(np.diff(preprocessor.transform(table)[order, 0]) >= 0)


def test_booleans() -> None:
    table = pa.table({"a": [True, False, True, None], "b": ["yes", "No", "YES", "no"]})
    preprocessor = Preprocessor.fit(table)
    assert preprocessor.features == ["a", "a blank", "b"]
    assert feature(preprocessor, table, "a") == pytest.approx([1, 0, 1, 2 / 3])
    assert feature(preprocessor, table, "b") == [1, 0, 1, 0]
    later = pa.table({"a": [1, 0], "b": [True, False]})
    assert preprocessor.transform(later)[:, [0, 2]].tolist() == [[1, 1], [0, 0]]


def test_categories_with_rare_unseen_and_blank_values() -> None:
    words = ["UA"] * 50 + ["AA"] * 50 + ["OO"] * 2 + [None] * 8
    preprocessor = Preprocessor.fit(pa.table({"carrier": words}))
    assert preprocessor.features == [
        "carrier=AA", "carrier=UA", "carrier=other", "carrier=(blank)",
    ]  # fmt: skip
    encoded = preprocessor.encode(pa.table({"carrier": ["AA", "OO", "ZZ", "ZZ", None]}))
    assert encoded.inputs.tolist() == [
        [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1],
    ]  # fmt: skip
    assert encoded.notes == (
        'column "carrier": 2 rows with 1 unseen category counted as "other" (such as "ZZ")',
    )


def test_unseen_and_blank_values_without_a_trained_column_get_the_average() -> None:
    preprocessor = Preprocessor.fit(pa.table({"c": ["x", "x", "x", "y"] * 25}))
    encoded = preprocessor.encode(pa.table({"c": ["new", None, "y"]}))
    assert encoded.inputs.tolist() == [[0.75, 0.25], [0.75, 0.25], [0, 1]]
    assert len(encoded.notes) == 2


def test_categories_written_as_numbers_match_however_they_are_stored() -> None:
    preprocessor = Preprocessor.fit(pa.table({"c": [1, 2, 1, 2]}), categories=["c"])
    assert preprocessor.features == ["c=1", "c=2"]
    for values in ([2.0, None, 1.0], ["2", None, "1"], pa.array([2, None, 1], pa.int8())):
        assert preprocessor.transform(pa.table({"c": values}))[[0, 2]].tolist() == [[0, 1], [1, 0]]


def test_at_most_so_many_categories_the_most_frequent_ones() -> None:
    words = [f"w{word}" for word in range(200) for _ in range(5 + word)]
    preprocessor = Preprocessor.fit(pa.table({"c": words}))
    assert len(preprocessor.features) == 129
    assert "c=w199" in preprocessor.features and "c=w0" not in preprocessor.features


def test_dates() -> None:
    stamps = [datetime.datetime(2013, 1, 7) + datetime.timedelta(hours=6 * h) for h in range(3000)]
    table = pa.table({"t": stamps})
    preprocessor = Preprocessor.fit(table)
    assert preprocessor.features == [
        "t: year", "t: month sin", "t: month cos", "t: day of week sin", "t: day of week cos",
        "t: day of year sin", "t: day of year cos", "t: hour sin", "t: hour cos", "t: trend",
    ]  # fmt: skip
    hour = [feature(preprocessor, table, f"t: hour {wave}")[:4] for wave in ("sin", "cos")]
    assert np.round(hour, 6).tolist() == [[0, 1, 0, -1], [1, 0, -1, 0]]
    # 7 January 2013 was a Monday, where the circle of the week starts.
    week = feature(preprocessor, table, "t: day of week sin")
    assert week[0] == week[28] == 0.0
    assert week[4] == pytest.approx(math.sin(2 * math.pi / 7), rel=1e-6)
    trend = np.diff(feature(preprocessor, table, "t: trend"))
    assert trend == pytest.approx(np.full(2999, trend.mean()), rel=1e-3)


def test_dates_with_blanks_zones_text_and_nothing_that_varies_but_the_hour() -> None:
    zoned = pa.array(
        [datetime.datetime(2013, 1, 1, hour) for hour in (0, 6, 12)] + [None],
        pa.timestamp("s", tz="UTC"),
    )
    preprocessor = Preprocessor.fit(pa.table({"t": zoned}))
    assert preprocessor.features == ["t: hour sin", "t: hour cos", "t: trend", "t: blank"]
    inputs = preprocessor.transform(pa.table({"t": zoned}))
    assert inputs[3].tolist() == pytest.approx([*inputs[:3, :2].mean(axis=0), 0, 1], abs=1e-6)
    written = pa.table({"t": ["2013-01-01T00:00:00", "2013-01-01 06:00:00"]})
    assert preprocessor.transform(written).tolist() == inputs[:2].tolist()


def trained() -> Preprocessor:
    return Preprocessor.fit(
        pa.table(
            {
                "miles": [1.0, 2.0, 3.0, 4.0],
                "late": [True, False, True, False],
                "day": [datetime.date(2013, 1, day) for day in (1, 2, 3, 4)],
                "carrier": ["UA", "UA", "AA", "AA"],
                "target": [0, 1, 0, 1],
            }
        ),
        "target",
    )


GOOD: dict[str, list[Any]] = {
    "miles": [1, 2], "late": [True, None], "day": ["2013-01-05", None], "carrier": ["UA", "AA"],
}  # fmt: skip

BAD_PREDICTIONS = [
    ("miles", None, r'lacks 1 column.*"miles"'),
    ("miles", ["1", "far"], r'column "miles": expected a number, found "far" in row 2'),
    ("miles", [None, datetime.date(2013, 1, 1)], 'expected a number, found "2013-01-01" in row 2'),
    ("late", ["true", "perhaps"], 'expected false or true, found "perhaps" in row 2'),
    ("late", [0.0, 0.5], 'expected false or true, found "0.5" in row 2'),
    ("day", ["2013-01-01", "New Year"], 'expected a date.*found "New Year" in row 2'),
    ("day", [None, 20130101], 'expected a date, found "20130101" in row 2'),
]  # fmt: skip


@pytest.mark.parametrize(("column", "values", "message"), BAD_PREDICTIONS)
def test_tables_that_do_not_fit(column: str, values: list[Any] | None, message: str) -> None:
    columns = dict(GOOD)
    if values is None:
        del columns[column]
    else:
        columns[column] = values
    with pytest.raises(TableError, match=message):
        trained().transform(pa.table(columns))


def test_numbers_as_text_extra_columns_and_blanks_are_accepted_with_notes() -> None:
    encoded = trained().encode(pa.table({**GOOD, "miles": ["1", "2"], "more": [1, 2]}))
    assert np.isfinite(encoded.inputs).all()
    assert encoded.notes[0] == '1 extra column ignored: "more"'
    assert [note.split(":")[0] for note in encoded.notes[1:]] == ['column "late"', 'column "day"']


def test_an_empty_part_transforms_to_no_rows() -> None:
    table = pa.table(GOOD).slice(0, 0)
    assert trained().transform(table).shape == (0, len(trained().features))


def test_features_map_back_and_sum_by_column() -> None:
    preprocessor = trained()
    columns = [preprocessor.map_back(name) for name in preprocessor.features]
    assert columns == ["miles", "late"] + ["day"] * (len(columns) - 4) + ["carrier"] * 2
    summed = preprocessor.sum_by_column(np.ones((3, len(columns))))
    assert {name: values.tolist() for name, values in summed.items()} == {
        name: [columns.count(name)] * 3 for name in ("miles", "late", "day", "carrier")
    }
    with pytest.raises(TableError, match='Did you mean "carrier=UA"'):
        preprocessor.map_back("carrier=UAA")
    with pytest.raises(TableError, match="do not end in"):
        preprocessor.sum_by_column([1.0])


def test_features_of_colliding_names_stay_apart() -> None:
    table = pa.table({"a": ["b=c", "d"] * 4, "a=b": ["c", "d"] * 4})
    preprocessor = Preprocessor.fit(table)
    assert len(set(preprocessor.features)) == 4
    assert preprocessor.map_back("a=b=c") == "a"
    assert preprocessor.map_back("a=b=c (2)") == "a=b"


def test_nothing_to_predict_from() -> None:
    with pytest.raises(TableError, match=r'no column to predict from.*"x": dropped: always "1"'):
        Preprocessor.fit(pa.table({"x": [1, 1], "y": [1, 2]}), "y")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not a saved preprocessing"),
        ({"version": 99}, "version 99"),
        ({"encoders": [{"kind": "spell"}]}, 'unknown kind "spell"'),
        ({"encoders": [{"kind": "number", "column": "x"}]}, "damaged"),
        ({"columns": [{"name": "x"}]}, "damaged"),
    ],
)
def test_damaged_saved_forms(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        Preprocessor.from_json({**trained().to_json(), **change})


COLUMNS = {
    "number": st.one_of(st.none(), st.floats(width=64)),
    "whole": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    "word": st.one_of(st.none(), st.sampled_from(["UA", "AA", "ü=|", "", "1.0"])),
    "flag": st.one_of(st.none(), st.booleans()),
    "stamp": st.one_of(
        st.none(), st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
    ),
}
TYPES = {
    "number": pa.float64(), "whole": pa.int64(), "word": pa.string(), "flag": pa.bool_(),
    "stamp": pa.timestamp("us"),
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=12))
def test_the_saved_form_transforms_alike_and_all_features_are_finite(
    rows: list[dict[str, Any]],
) -> None:
    table = pa.table(
        {name: pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()}
    )
    table = table.append_column("always", pa.array([row % 2 for row in range(len(rows))]))
    try:
        preprocessor = Preprocessor.fit(table)
    except TableError as error:
        assert "no column to predict from" in str(error)
        return
    text = json.dumps(preprocessor.to_json(), allow_nan=False)
    again = Preprocessor.from_json(json.loads(text))
    assert again == preprocessor
    inputs = preprocessor.transform(table)
    assert inputs.dtype == np.float32 and inputs.flags.c_contiguous
    assert inputs.shape == (len(rows), len(preprocessor.features))
    assert np.isfinite(inputs).all()
    assert np.array_equal(again.transform(table), inputs)
    assert preprocessor.encode(table).notes == ()
