"""Columns of a table as plain arrays of numbers; what does not fit is named with its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chainrule.tabular import columns as rules
from chainrule.tabular.errors import TableError, quoted

if TYPE_CHECKING:
    import pyarrow as pa


def as_numbers(column: str, values: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column as float64, blanks as NaN.

    Raises:
        TableError: a value is no number; it and its row are named.

    >>> import pyarrow as pa
    >>> as_numbers("miles", pa.chunked_array([["1", "two"]]))
    Traceback (most recent call last):
        ...
    chainrule.tabular.errors.TableError: column "miles": expected a number, found "two" in row 2
    """
    import pyarrow as pa

    values = rules.plain(values)
    if pa.types.is_duration(values.type):
        values = values.cast(pa.duration("ns")).cast(pa.int64())
    if pa.types.is_boolean(values.type) or pa.types.is_null(values.type):
        values = values.cast(pa.int8())
    if rules.is_date(values.type):
        raise TableError(
            f"column {quoted(column)}: expected a number, found {rules.first_value(values)}"
        )
    if not pa.types.is_integer(values.type):
        values = _cast(column, values, pa.float64(), "a number")
    numbers = values.to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64)


def as_seconds(
    column: str, values: pa.ChunkedArray, original: pa.ChunkedArray | None = None
) -> NDArray[np.float64]:
    """Return a column of dates as seconds since 1970, local to its time zone; blanks as NaN.

    Args:
        column: its name, for messages.
        values: dates, timestamps, times of day, or text in the ISO form.
        original: the column that `values` was taken from, to name rows by.

    Raises:
        TableError: a value is no date; it and its row are named.
    """
    import pyarrow as pa
    import pyarrow.compute as compute

    kind = values.type
    if pa.types.is_time(kind):
        unit = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
        number = pa.int32() if kind.bit_width == 32 else pa.int64()
        return unit * np.asarray(values.cast(number).to_numpy(zero_copy_only=False), np.float64)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        values = compute.local_timestamp(values)
    elif rules.is_number(kind) or pa.types.is_boolean(kind):
        found = rules.first_value(values if original is None else original)
        raise TableError(f"column {quoted(column)}: expected a date, found {found}")
    elif not pa.types.is_timestamp(kind):
        values = _cast(column, values, pa.timestamp("ms"), "a date (such as 2013-01-31)", original)
    stamps = values.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    return 1e-3 * np.asarray(stamps.to_numpy(zero_copy_only=False), dtype=np.float64)


def _cast(
    column: str,
    values: pa.ChunkedArray,
    kind: pa.DataType,
    expected: str,
    original: pa.ChunkedArray | None = None,
) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return values.cast(kind, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        searched = rules.plain(values if original is None else original)
        for row, value in enumerate(searched.to_pylist()):
            try:
                pa.array([value], searched.type).cast(kind, safe=False)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise TableError(
                    f"column {quoted(column)}: expected {expected}, "
                    f"found {quoted(value)} in row {row + 1}"
                ) from error
        raise
