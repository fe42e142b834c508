"""Dates as numbers: their places on the circles of year, week and day, and a trend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.tabular import columns as rules
from chainrule.tabular.scaling import Scale, dictionary_codes, mark_blanks
from chainrule.tabular.values import as_seconds

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class DateEncoder:
    """A date or time: the year and a linear trend standardised; month, day of the week, day of
    the year and hour as points on a circle (sine and cosine). What never varies is left out."""

    kind: ClassVar[str] = "date"
    column: str
    parts: tuple[str, ...]
    year: Scale
    trend: Scale
    means: tuple[float, ...]
    marks_blanks: bool

    @classmethod
    def fit(cls, column: str, values: pa.ChunkedArray) -> DateEncoder:
        """Find the parts of the date that vary, and the scales of year and trend."""
        seconds = as_seconds(column, values)
        known = seconds[~np.isnan(seconds)]
        years, turns = _calendar(known)
        parts = ["year"] if len(np.unique(years)) > 1 else []
        parts += [part for part, turn in turns.items() if len(np.unique(turn)) > 1]
        blanks = len(known) < len(seconds)
        means = [
            float(wave(2 * np.pi * turns[part]).mean())
            for part in parts if part != "year" for wave in (np.sin, np.cos)
        ]  # fmt: skip
        year, trend = Scale.of(years), Scale.of(known)
        return cls(column, tuple(parts), year, trend, tuple(means), blanks)

    @property
    def features(self) -> list[str]:
        """The names of the features it makes."""
        names = []
        for part in self.parts:
            names += ["year"] if part == "year" else [f"{part} sin", f"{part} cos"]
        names += ["trend"] + ["blank"] * self.marks_blanks
        return [f"{self.column}: {name}" for name in names]

    def encode(self, values: pa.ChunkedArray, out: NDArray[np.float32]) -> list[str]:
        """Fill `out`, rows x features, and return notes for the reader."""
        import pyarrow as pa

        coded = rules.plain(values).combine_chunks().dictionary_encode()
        # A day or an hour recurs in many rows: its sines are computed once.
        distinct = as_seconds(self.column, pa.chunked_array([coded.dictionary]), values)
        table = np.empty((len(distinct) + 1, len(self.features)), dtype=np.float32)
        self._encode_seconds(np.append(distinct, np.nan), table)
        places = dictionary_codes(coded.indices, len(distinct))
        out[:] = table[places]
        blank = places == len(distinct)
        return mark_blanks(self.column, blank, self.marks_blanks, out)

    def sentence(self) -> str:
        """Say in words what becomes of the column."""
        how = f"date: {', '.join([*self.parts, 'trend'])}"
        return how + ("; blanks become the mean and are marked" if self.marks_blanks else "")

    def _encode_seconds(self, seconds: NDArray[np.float64], out: NDArray[np.float32]) -> None:
        blank = np.isnan(seconds)
        years, turns = _calendar(np.where(blank, 0.0, seconds))
        place, means = 0, iter(self.means)
        for part in self.parts:
            if part == "year":
                out[:, place] = self.year.apply(np.where(blank, np.nan, years))
                place += 1
                continue
            for wave in (np.sin, np.cos):
                out[:, place] = np.where(blank, next(means), wave(2 * np.pi * turns[part]))
                place += 1
        out[:, place] = self.trend.apply(seconds)


def _calendar(
    seconds: NDArray[np.float64],
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return the years, and how far round its circle each part of the date is, from 0 to 1."""
    stamps = np.floor(seconds).astype("datetime64[s]")
    days = stamps.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    years = days.astype("datetime64[Y]")
    day_of_year = _as_float(days - years)
    next_year = (years + np.timedelta64(1, "Y")).astype("datetime64[D]")
    length_of_year = _as_float(next_year - years)
    turns: dict[str, NDArray[np.float64]] = {
        "month": (months.astype(np.int64) % 12) / 12.0,
        # 1970 began on a Thursday; Monday is the start of the circle.
        "day of week": ((days.astype(np.int64) + 3) % 7) / 7.0,
        "day of year": day_of_year / length_of_year,
        "hour": _as_float(stamps - days) / 86400.0,
    }
    return years.astype(np.int64).astype(np.float64) + 1970.0, turns


def _as_float(spans: NDArray[np.timedelta64]) -> NDArray[np.float64]:
    return np.asarray(spans.astype(np.int64), dtype=np.float64)
