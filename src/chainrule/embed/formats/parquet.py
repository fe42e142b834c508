"""A Parquet file with a column of words, one of lists of numbers, and maybe one of counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.embed.formats.table import (
    Path,
    Policy,
    VectorTable,
    check_finite,
    check_words,
    checked_table,
    empty_vectors,
    mapped,
)
from chainrule.embed.vector_errors import VectorsError
from chainrule.files import written_whole

# Numbers in a group of rows.
GROUP = 1 << 22
COUNTS = ("count", "counts", "frequency")


def read(path: Path, policy: Policy) -> VectorTable:
    """Read the one column of texts and the one column of lists; a column "count" where it is.

    Raises:
        VectorsError: for other columns, missing values, or lists of different lengths.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with mapped(path):
        pass
    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(path, file.schema_arrow)
            return _read(path, file, columns, policy)
    except (pa.ArrowException, OSError) as error:
        raise VectorsError(f"{path} cannot be read as Parquet: {error}") from None


def _columns(path: Path, schema: Any) -> list[str]:
    """The names of the columns: words, vectors, and counts where there are any."""
    from pyarrow import types

    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    texts = [f.name for f in schema if types.is_string(f.type) or types.is_large_string(f.type)]
    vectors = [
        f.name
        for f in schema
        if any(kind(f.type) for kind in lists) and types.is_floating(f.type.value_type)
    ]
    if len(texts) != 1 or len(vectors) != 1:
        held = ", ".join(f"{field.name} ({field.type})" for field in schema)
        raise VectorsError(
            f"{path}: expected one column of texts and one of lists of floats, not {held}"
        )
    counts = [f.name for f in schema if f.name in COUNTS and types.is_integer(f.type)]
    return [texts[0], vectors[0], *counts[:1]]


def _read(path: Path, file: Any, columns: list[str], policy: Policy) -> VectorTable:
    import pyarrow as pa
    import pyarrow.compute as pc

    count, done = policy.rows(file.metadata.num_rows), 0
    words: list[str] = []
    counts: list[np.ndarray] = []
    table = np.empty((0, 0), np.float32)
    for batch in file.iter_batches(columns=columns):
        batch = batch.slice(0, count - done)
        if not len(batch):
            continue
        parts = [batch.column(name) for name in columns]
        for name, part in zip(columns, parts, strict=True):
            if part.null_count:
                row = done + int(np.argmax(part.is_null().to_numpy(zero_copy_only=False)))
                raise VectorsError(f"{path}, row {row}: the {name} is missing")
        # Unlike values, flatten leaves out what a slice leaves out.
        numbers, lengths = parts[1].flatten(), pc.list_value_length(parts[1]).to_numpy()
        if not done:
            table = empty_vectors(path, count, int(lengths[0]))
        odd = np.flatnonzero(lengths != table.shape[1])
        if len(odd) or numbers.null_count or not table.shape[1]:
            row = done + (int(odd[0]) if len(odd) else 0)
            raise VectorsError(
                f"{path}, row {row}: there must be {table.shape[1] or 'some'} numbers and none "
                "missing"
            )
        values = numbers.cast(pa.float32(), safe=False).to_numpy().reshape(len(batch), -1)
        table[done : done + len(batch)] = values
        words += parts[0].to_pylist()
        counts += [part.cast(pa.int64()).to_numpy() for part in parts[2:]]
        done += len(batch)

    def place(row: int) -> str:
        return f"row {row}"

    check_finite(path, table[:done], words, place)
    numbers_seen = np.concatenate(counts) if counts else None
    return checked_table(path, words, table[:done], numbers_seen, policy, place)


def write(path: Path, table: VectorTable) -> None:
    """Write the columns word, vector and, where there are counts, count."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_words(path, table.words, "", "Parquet")
    size = table.vectors.shape[1]
    fields = [("word", pa.string()), ("vector", pa.list_(pa.float32(), size))]
    if table.counts is not None:
        fields.append(("count", pa.int64()))
    schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])
    step = max(1, GROUP // size)
    with (
        written_whole(path, "wb") as file,
        # Numbers of vectors hardly repeat: a dictionary of them only costs.
        pq.ParquetWriter(file, schema, use_dictionary=False) as writer,
    ):
        for first in range(0, len(table.words), step):
            part = slice(first, first + step)
            flat = pa.array(np.ascontiguousarray(table.vectors[part]).ravel())
            arrays = [
                pa.array(table.words[part], pa.string()),
                pa.FixedSizeListArray.from_arrays(flat, type=schema.field("vector").type),
            ]
            if table.counts is not None:
                arrays.append(pa.array(table.counts[part]))
            writer.write_batch(pa.record_batch(arrays, schema=schema))
