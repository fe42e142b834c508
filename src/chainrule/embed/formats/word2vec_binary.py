"""word2vec's binary form: a line of sizes, then each word, a space and its float32 numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chainrule.embed.formats import rows
from chainrule.embed.formats.lines import BREAKING, read_sizes
from chainrule.embed.formats.plain import LONGEST_WORD
from chainrule.embed.formats.table import (
    Path,
    Policy,
    VectorTable,
    check_words,
    checked_table,
    empty_vectors,
    mapped,
)
from chainrule.embed.vector_errors import VectorsError
from chainrule.files import written_whole

# Rows that are written at a time.
BLOCK = 1 << 13


def read(path: Path, policy: Policy) -> VectorTable:
    """Read the file, with or without a newline after each row.

    Raises:
        VectorsError: naming the offset, for what is not of this form.
    """
    with mapped(path) as data:
        promised, size, offset = read_sizes(path, data, 0)
        if promised * (4 * size + 2) > len(data) - offset:
            raise VectorsError(
                f"{path}: line 1 says that there are {promised} words of {size} numbers, which do "
                f"not fit into the {len(data) - offset} bytes after it; is the file cut off?"
            )
        count = policy.rows(promised)
        starts, ends = rows.find_rows(data, offset, count, size)
        after = int(ends[-1]) + 1 + 4 * size if len(ends) else offset
        if len(starts) < count:
            end = data.find(b" ", after, after + LONGEST_WORD)
            why = (
                f"no word ends within {LONGEST_WORD} bytes"
                if end < 0 and len(data) - after > LONGEST_WORD
                else "the file ends within it; it was cut off"
            )
            raise VectorsError(
                f"{path}, offset {after}: word {len(starts) + 1} of {promised} begins here, but "
                f"{why}"
            )
        if count == promised and data[after:].strip(b"\n"):
            raise VectorsError(
                f"{path}, offset {after}: {len(data) - after} bytes are left after the {promised} "
                f"words of {size} numbers that line 1 speaks of"
            )
        table = empty_vectors(path, count, size)

        def place(row: int) -> str:
            return f"offset {starts[row]}"

        # Making texts of the words needs Python's lock, copying numbers does not.
        with ThreadPoolExecutor(1) as helper:
            copied = helper.submit(rows.copy_rows, data, ends, table)
            words = rows.decoded(path, data, starts, ends, policy.errors, place)
        bad = copied.result()
        if bad >= 0:
            raise VectorsError(
                f"{path}, {place(bad)}: the vector of {words[bad]!r} holds a number that is not "
                "finite; are the sizes in line 1 right?"
            )
        return checked_table(path, words, table, None, policy, place)


def write(path: Path, table: VectorTable) -> None:
    """Write the file as word2vec does, with a newline after each row; without the counts."""
    check_words(path, table.words, BREAKING, "word2vec's binary form")
    size = 4 * table.vectors.shape[1]
    with written_whole(path, "wb") as file:
        file.write(b"%d %d\n" % table.vectors.shape)
        for first in range(0, len(table.words), BLOCK):
            block = np.ascontiguousarray(table.vectors[first : first + BLOCK], "<f4").tobytes()
            names = (word.encode() for word in table.words[first : first + BLOCK])
            file.write(
                b"".join(
                    b"%b %b\n" % (name, block[place * size : place * size + size])
                    for place, name in enumerate(names)
                )
            )
