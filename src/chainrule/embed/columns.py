"""Texts in a column of a Parquet or CSV file, read batch by batch."""

from __future__ import annotations

import bisect
import csv
import difflib
import io
from collections.abc import Callable, Generator, Iterator
from itertools import accumulate
from typing import Any

from chainrule.errors import ChainruleError

TABLES = {".csv": ",", ".tsv": "\t", ".parquet": ""}
# Rows that are taken at a time.
ROWS = 1024


class ColumnError(ChainruleError, ValueError):
    """A table without the column that is asked for, or that cannot be read."""


def column_pieces(
    stream: Any, name: str, kind: str, column: str | None
) -> Generator[tuple[bytes, Callable[[int], str]]]:
    """The texts of one column, each with a line end behind it.

    Args:
        stream: the table's bytes.
        name: of the file, for messages.
        kind: ".csv", ".tsv" or ".parquet".
        column: its name.

    Yields:
        Bytes of some rows, and a function that says in which row an offset lies. A missing value is
        an empty line.

    Raises:
        ColumnError: where there is no such column, or it holds no text, or the file is damaged.
    """
    first = 1
    for values in (_parquet if kind == ".parquet" else _csv)(stream, name, kind, column):
        lines = [(value or b"") + b"\n" for value in values]
        yield b"".join(lines), _place(name, column, first, lines)
        first += len(lines)


def _place(name: str, column: str | None, first: int, lines: list[bytes]) -> Callable[[int], str]:
    def place(at: int) -> str:
        row = bisect.bisect(list(accumulate(map(len, lines))), at)
        return f"{name}, column {column!r}, row {first + row}"

    return place


def _parquet(stream: Any, name: str, kind: str, column: str | None) -> Iterator[list[bytes | None]]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if not hasattr(stream, "fileno"):
        raise ColumnError(f"{name}: Parquet compresses inside; leave the file as .parquet")
    try:
        file = parquet.ParquetFile(stream)
    except pa.ArrowException as error:
        raise ColumnError(f"{name} is not a Parquet file, or is damaged: {error}") from error
    names = file.schema_arrow.names
    chosen = _chosen(name, column, names)
    found = file.schema_arrow.field(chosen).type
    if pa.types.is_dictionary(found):
        found = found.value_type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    if not any(is_text(found) for is_text in texts):
        raise ColumnError(f"{name}: the column {chosen!r} holds {found}, not text")
    for batch in _batches(file, name, chosen):
        yield batch.column(0).cast(found).cast(pa.large_binary()).to_pylist()


def _batches(file: Any, name: str, column: str) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from file.iter_batches(ROWS, columns=[column])
    except (pa.ArrowException, OSError) as error:
        raise ColumnError(f"{name} is damaged: {error}") from error


def _csv(stream: Any, name: str, kind: str, column: str | None) -> Iterator[list[bytes]]:
    # What is not UTF-8 passes through, so that the policy for it is the one of all texts.
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=TABLES[kind])
    before = csv.field_size_limit(2**31 - 1)
    try:
        names = next(reader, [])
        chosen = names.index(_chosen(name, column, names))
        values = []
        for row in reader:
            if len(row) != len(names):
                if not row:
                    continue
                raise ColumnError(
                    f"{name}, line {reader.line_num}: a row of {len(row)} fields under a header of "
                    f"{len(names)}"
                )
            values.append(row[chosen].encode(errors="surrogateescape"))
            if len(values) == ROWS:
                yield values
                values = []
        yield values
    except csv.Error as error:
        raise ColumnError(f"{name}, line {reader.line_num}: {error}") from error
    finally:
        csv.field_size_limit(before)
        text.detach()


def _chosen(name: str, column: str | None, names: list[str]) -> str:
    there = ", ".join(names[:30]) + (" ..." if len(names) > 30 else "")
    if column is None:
        raise ColumnError(f"{name} is a table: say with column= which holds the text, of {there}")
    if column not in names:
        nearest = difflib.get_close_matches(column, names, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ColumnError(f"{name} has no column {column!r}, but {there}{hint}")
    return column
