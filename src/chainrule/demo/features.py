"""What the models see of a flight: one preparation for the network and all it is compared with.

Most columns of `load_flights` go in as they are. A few are put first into a form from which a
linear model can learn as well: the hour as waves of the day, the wind as a vector, rain on a
logarithmic scale. So what the network wins over logistic regression, it does not win by features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.demo.flights import DESCRIPTION_COLUMNS, GROUP_COLUMN, TARGET_COLUMN
from chainrule.tabular.preprocessing import Preprocessor

if TYPE_CHECKING:
    import pyarrow as pa

NOT_LEARNED = (
    GROUP_COLUMN,
    *DESCRIPTION_COLUMNS,
    "plane_age_years",
    "plane_seats",
    "plane_maker",
    "wind_from_degrees",
    "precipitation_inches",
)
"""Left out: what names a day or a flight, the plane, and what is put in another form below."""

HARMONICS = (1, 2, 3)
DAY_WAVES = tuple(
    f"departure_{wave}_{harmonic}" for harmonic in HARMONICS for wave in ("sine", "cosine")
)
RAIN_SCALE = 50.0
"""Rain becomes log(1 + 50 x inches): a trace of rain, 0.01 inch, is already 0.4."""


def with_derived_columns(flights: pa.Table) -> pa.Table:
    """Return the flights with columns added that are functions of those that were there.

    Args:
        flights: as `load_flights` returns them.

    Returns:
        The table with `departure_sine_1` to `departure_cosine_3` (waves that pass once, twice and
        three times through a day), `wind_north` and `wind_east` (mph of wind from there, 0 where
        the direction is blank) and `rain` (`log(1 + 50 inches)`, blank where not recorded).

    >>> import pyarrow as pa
    >>> table = pa.table({"scheduled_departure_hour": [6.0], "wind_from_degrees": [90.0],
    ...                   "wind_speed_mph": [12.0], "precipitation_inches": [0.02]})
    >>> row = with_derived_columns(table).to_pylist()[0]
    >>> [round(row[name], 3) for name in ("departure_sine_1", "wind_north", "wind_east", "rain")]
    [1.0, 0.0, 12.0, 0.693]
    """
    import pyarrow as pa

    columns: dict[str, NDArray[np.float64]] = {}
    turn = 2 * np.pi * _numbers(flights, "scheduled_departure_hour") / 24
    for harmonic in HARMONICS:
        columns[f"departure_sine_{harmonic}"] = np.sin(harmonic * turn)
        columns[f"departure_cosine_{harmonic}"] = np.cos(harmonic * turn)
    direction = np.radians(_numbers(flights, "wind_from_degrees"))
    speed = _numbers(flights, "wind_speed_mph")
    columns["wind_north"] = np.nan_to_num(speed * np.cos(direction))
    columns["wind_east"] = np.nan_to_num(speed * np.sin(direction))
    columns["rain"] = np.log1p(RAIN_SCALE * _numbers(flights, "precipitation_inches"))
    for name, values in columns.items():
        flights = flights.append_column(name, pa.array(values, from_pandas=True))
    return flights


def fit_preprocessor(training: pa.Table) -> Preprocessor:
    """Learn from the training rows, with their derived columns, how a flight becomes numbers."""
    return Preprocessor.fit(training, TARGET_COLUMN, ignore=NOT_LEARNED)


def _numbers(table: pa.Table, column: str) -> NDArray[np.float64]:
    return np.asarray(table[column].to_numpy(zero_copy_only=False), dtype=np.float64)


# ----- Facts of a flight, as a reader knows them -----


@dataclass(frozen=True)
class Fact:
    """Something known about a flight.

    Attributes:
        name: what a reader calls it.
        columns: the learned columns that express it.
        show: a row of the flights table -> the value in words, with its unit.
        unit: of a single number, in the singular; empty where a slope would mean nothing.
    """

    name: str
    columns: tuple[str, ...]
    show: Callable[[Mapping[str, Any]], str]
    unit: str = ""


def clock(hours: float) -> str:
    """Hours since midnight as a clock shows them.

    >>> clock(20.25)
    '20:15'
    """
    minutes = round(hours * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _column(name: str, column: str, form: str = "{}", unit: str = "") -> Fact:
    """A fact that is a single column, written by a format."""

    def show(row: Mapping[str, Any]) -> str:
        return "not recorded" if row[column] is None else form.format(row[column])

    return Fact(name, (column,), show, unit)


def _wind_direction(row: Mapping[str, Any]) -> str:
    degrees = row["wind_from_degrees"]
    return "not recorded" if degrees is None else f"from {degrees:.0f} degrees"


def _rain(row: Mapping[str, Any]) -> str:
    inches = row["precipitation_inches"]
    return "not recorded" if inches is None else f"{inches:g} inch"


FACTS = (
    Fact(
        "time of departure",
        ("scheduled_departure_hour", *DAY_WAVES),
        lambda row: clock(row["scheduled_departure_hour"]),
    ),
    Fact(
        "time of arrival",
        ("scheduled_arrival_hour",),
        lambda row: clock(row["scheduled_arrival_hour"]),
        "hour",
    ),
    _column("planned duration", "scheduled_minutes", "{:.0f} minutes", "minute"),
    _column("traffic", "departures_that_hour", "{:.0f} flights an hour", "flight"),
    _column("month", "month"),
    _column("day of the week", "day_of_week"),
    _column("carrier", "carrier"),
    _column("origin", "origin"),
    _column("destination", "destination"),
    _column("distance", "distance_miles", "{:.0f} miles", "mile"),
    _column("temperature", "temperature_f", "{:.0f} °F", "degree"),
    _column("dew point", "dew_point_f", "{:.0f} °F", "degree"),
    _column("humidity", "humidity_percent", "{:.0f} %", "%"),
    Fact("wind direction", ("wind_north", "wind_east"), _wind_direction),
    _column("wind speed", "wind_speed_mph", "{:.0f} mph", "mph"),
    _column("gusts", "wind_gust_mph", "{:.0f} mph", "mph"),
    Fact("rain", ("rain",), _rain),
    _column("air pressure", "pressure_millibars", "{:.0f} millibars", "millibar"),
    _column("visibility", "visibility_miles", "{:g} miles", "mile"),
)
"""Every learned column belongs to one fact."""


def sum_by_fact(
    preprocessor: Preprocessor, attributions: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Sum attributions of inputs, (..., inputs), into one (...) for each fact that is used."""
    by_column = preprocessor.sum_by_column(attributions)
    sums = {}
    for fact in FACTS:
        parts = [by_column[column] for column in fact.columns if column in by_column]
        if parts:
            sums[fact.name] = np.sum(parts, axis=0)
    return sums


def described(row: Mapping[str, Any]) -> str:
    """All facts of a flight in one sentence."""
    return "; ".join(f"{fact.name} {fact.show(row)}" for fact in FACTS)
