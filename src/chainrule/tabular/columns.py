"""What each column of a table is, and what becomes of it: decided once, then written down.

The rules, in the order in which they are asked:

1. named in `ignore`: ignored;
2. every value blank: empty, dropped; one and the same value in every row: constant, dropped;
3. named in `categories`: a category; named in `numbers`: a number;
4. true/false, yes/no, y/n, t/f, on/off: boolean;
5. whole numbers, none blank, all different, in at least 20 rows, that either count without a gap
   or are named like an identifier (id, ..._id, ...Id, index, key, uuid): identifier, dropped;
6. other numbers: a number. Codes written as digits stay numbers unless named in `categories`;
7. dates, timestamps and times of day: date;
8. text with a value that comes often enough to learn from: a category. Text whose values are all
   different, or none of them frequent: text, dropped;
9. anything else (lists, structures, bytes): unsupported, dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from chainrule.tabular.errors import TableError, nearest_names, plural, quoted

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal[
    "number", "category", "boolean", "date",
    "text", "identifier", "constant", "empty", "ignored", "unsupported",
]  # fmt: skip
USED_KINDS = ("number", "category", "boolean", "date")

BOOLEAN_WORDS = (
    ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"),
)  # fmt: skip
IDENTIFIER_ROWS = 20
IDENTIFIER_NAME = re.compile(r"(?:^|_|\W)(?:id|index|key|uuid)$|[a-z]Id$|[a-z]ID$", re.ASCII)
MAXIMUM_CATEGORIES = 128


@dataclass(frozen=True)
class Column:
    """One column: its kind, what becomes of it in words, and what was counted in it.

    Attributes:
        name: as in the table.
        kind: one of `Kind`.
        treatment: a sentence for the printed table "the columns and what became of them".
        blanks: rows in which it has no value.
        different: different values, blanks not counted.
    """

    name: str
    kind: Kind
    treatment: str
    blanks: int
    different: int

    @property
    def used(self) -> bool:
        """Whether features are made of it."""
        return self.kind in USED_KINDS


def infer_columns(
    table: pa.Table,
    *,
    target: str | None = None,
    categories: Sequence[str] = (),
    numbers: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> list[Column]:
    """Decide the kind of every column but the target, by the rules at the head of this module.

    Args:
        table: the rows to judge by (the training rows).
        target: left out of the result.
        categories: columns to treat as categories, whatever is in them.
        numbers: columns to treat as numbers though they look like identifiers.
        ignore: columns to leave out.

    Returns:
        One description a column, in the table's order.

    Raises:
        TableError: an option names a column that is not there, or one column twice.

    >>> import pyarrow as pa
    >>> table = pa.table({"carrier": ["UA", "AA", "UA"], "miles": [1.0, 2.0, None]})
    >>> [(column.name, column.kind, column.blanks) for column in infer_columns(table)]
    [('carrier', 'category', 0), ('miles', 'number', 1)]
    """
    asked: dict[str, Kind] = {}
    for kind, names in (("category", categories), ("number", numbers), ("ignored", ignore)):
        for name in names:
            if name not in table.column_names:
                raise TableError(
                    f"there is no column {quoted(name)} to treat as {kind}. "
                    f"{nearest_names(name, table.column_names)}"
                )
            if asked.setdefault(name, kind) != kind:  # type: ignore[arg-type]
                raise TableError(f"column {quoted(name)} is asked to be {asked[name]} and {kind}")
    return [
        _describe(name, table.column(name), asked.get(name))
        for name in table.column_names
        if name != target
    ]


def _describe(name: str, values: pa.ChunkedArray, asked: Kind | None) -> Column:
    import pyarrow as pa
    import pyarrow.compute as compute

    values = plain(values)
    kind_of_values = values.type
    if asked == "ignored":
        countable = _is_countable(kind_of_values)
        different = compute.count_distinct(values, mode="only_valid").as_py() if countable else 0
        return Column(name, "ignored", "ignored on request", values.null_count, different)
    if pa.types.is_nested(kind_of_values) or not _is_countable(kind_of_values):
        return Column(
            name, "unsupported", f"dropped: values of type {kind_of_values}", values.null_count, 0
        )
    rows, blanks = len(values), values.null_count
    if blanks == rows:
        return Column(name, "empty", "dropped: every value is blank", blanks, 0)
    different = compute.count_distinct(values, mode="only_valid").as_py()

    def column(kind: Kind, treatment: str) -> Column:
        return Column(name, kind, treatment, blanks, different)

    if different == 1 and blanks == 0:
        return column("constant", f"dropped: always {quoted(values[0].as_py())}")
    if asked == "category":
        return column("category", "category: columns of 0 and 1")
    if asked == "number":
        if not is_number(kind_of_values):
            raise TableError(
                f"column {quoted(name)} cannot be treated as a number: "
                f"its values are of type {kind_of_values}, such as {first_value(values)}"
            )
        return column("number", "number: standardised")
    if is_boolean(values):
        return column("boolean", "boolean: 0 and 1")
    if is_number(kind_of_values):
        reason = _identifier_reason(name, values, different)
        if reason:
            return column("identifier", f"dropped: {reason}")
        return column("number", "number: standardised")
    if is_date(kind_of_values):
        return column("date", "date: cycles of the year, week and day, and a trend")
    if different == rows - blanks and different > 1:
        return column("text", "dropped: text whose values are all different")
    if not frequent_values(values, rows):
        least = plural(rare_below(rows), "row")
        return column("text", f"dropped: text, none of whose values is in {least} or more")
    return column("category", "category: columns of 0 and 1")


def _identifier_reason(name: str, values: pa.ChunkedArray, different: int) -> str | None:
    import pyarrow as pa
    import pyarrow.compute as compute

    rows = len(values)
    if not pa.types.is_integer(values.type) or different < rows or rows < IDENTIFIER_ROWS:
        return None
    bounds = compute.min_max(values).as_py()
    if bounds["max"] - bounds["min"] + 1 == rows:
        return "it counts the rows without a gap"
    if IDENTIFIER_NAME.search(name) or name.lower() in ("id", "index", "key", "uuid"):
        return "an identifier by its name, all values different"
    return None


# ----- Questions that the preprocessing asks too -----


def rare_below(rows: int) -> int:
    """Return the number of rows under which a category is rare and joins "other".

    5, or one row in 10 000 where that is more; in tables of under 100 rows, one row in twenty
    and at least 2.

    >>> [rare_below(rows) for rows in (10, 60, 1000, 300_000)]
    [2, 3, 5, 30]
    """
    return max(2, rows // 20) if rows < 100 else max(5, rows // 10_000)


def frequent_values(values: pa.ChunkedArray, rows: int) -> list[str]:
    """Return the categories that get a column: frequent enough, at most `MAXIMUM_CATEGORIES`.

    Args:
        values: a column of any scalar type.
        rows: rows in the table.

    Returns:
        The values as text, in alphabetical order.
    """
    counts = _counts(values)
    least = rare_below(rows)
    frequent = sorted(
        (text for text, count in counts.items() if count >= least),
        key=lambda text: (-counts[text], text),
    )
    return sorted(frequent[:MAXIMUM_CATEGORIES])


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    import pyarrow.compute as compute

    counted = compute.value_counts(as_text(values).drop_null())
    return dict(
        zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    )


def plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without the wrappings of storage: dictionaries decoded, NaN made null.

    >>> import pyarrow as pa
    >>> plain(pa.chunked_array([["a", "a"]]).dictionary_encode()).to_pylist()
    ['a', 'a']
    >>> plain(pa.chunked_array([[1.0, float("nan")]])).to_pylist()
    [1.0, None]
    """
    import pyarrow as pa
    import pyarrow.compute as compute

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    if pa.types.is_floating(values.type) and compute.any(compute.is_nan(values)).as_py():
        values = compute.if_else(compute.is_nan(values), pa.scalar(None, values.type), values)
    return values


def as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of scalars as text; whole numbers are alike however they are stored.

    >>> import pyarrow as pa
    >>> as_text(pa.chunked_array([[1.0, 2.5, None]])).to_pylist()
    ['1', '2.5', None]
    """
    import pyarrow as pa
    import pyarrow.compute as compute

    values = plain(values)
    if pa.types.is_floating(values.type):
        text = values.cast(pa.float64()).cast(pa.string())
        return compute.replace_substring_regex(text, r"\.0$", "")
    return values if pa.types.is_string(values.type) else values.cast(pa.string())


def is_number(kind: pa.DataType) -> bool:
    """Tell whether values of this type are numbers (durations and decimals are)."""
    import pyarrow as pa

    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_duration(kind)
    )


def is_date(kind: pa.DataType) -> bool:
    """Tell whether values of this type are dates, timestamps or times of day."""
    import pyarrow as pa

    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind))


def is_text(kind: pa.DataType) -> bool:
    """Tell whether values of this type are text."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_boolean(values: pa.ChunkedArray) -> bool:
    """Tell whether a column is boolean: by type, or by a pair of words such as yes and no."""
    import pyarrow as pa

    if pa.types.is_boolean(values.type):
        return True
    return is_text(values.type) and boolean_words(values) is not None


def boolean_words(values: pa.ChunkedArray) -> tuple[str, str] | None:
    """Return the pair of `BOOLEAN_WORDS` that a text column is written in, both present."""
    import pyarrow.compute as compute

    distinct = compute.unique(values.drop_null()).to_pylist()
    if not 2 <= len(distinct) <= 6:
        return None
    found = {str(text).strip().lower() for text in distinct}
    return next((words for words in BOOLEAN_WORDS if found == set(words)), None)


def first_value(values: pa.ChunkedArray) -> str:
    """Return the first value that is not blank, quoted, with its row counted from 1."""
    import pyarrow.compute as compute

    row = compute.index(compute.is_valid(values), True).as_py()
    return f"{quoted(values[row].as_py())} in row {row + 1}" if row >= 0 else "a blank"


def _is_countable(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_boolean(kind)
        or is_number(kind)
        or is_date(kind)
        or is_text(kind)
        or pa.types.is_null(kind)
    )
