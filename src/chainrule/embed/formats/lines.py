"""Text files with a word and its numbers on each line, with or without a first line of sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.embed.formats import plain, rows
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

# Of the first line of a file that says how large it is.
SIZES = re.compile(rb"\s*(\d{1,18})[ \t]+(\d{1,18})\s*")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What would end a word, or make another of it, when the file is read again.
BREAKING = " \t\n\r\f\v\0"
# Numbers that are written at a time.
BLOCK = 1 << 20


def read_lines(path: Path, policy: Policy, sized: bool) -> VectorTable:
    """Read a word and its numbers from each line.

    A word may hold spaces: the numbers are the last fields of the line.

    Args:
        path: the file.
        policy: how strictly.
        sized: whether the first line says how many words and numbers there are.

    Raises:
        VectorsError: naming the line, for what is not of this form.
    """
    with mapped(path) as data:
        offset = len(BYTE_ORDER_MARK) if data[:3] == BYTE_ORDER_MARK else 0
        promised, size, first = 0, 0, 1
        if sized:
            promised, size, offset = read_sizes(path, data, offset)
            first = 2
            if promised * (2 * size + 1) > len(data) - offset + 1:
                raise VectorsError(
                    f"{path}, line 1: {promised} words of {size} numbers do not fit into the "
                    f"{len(data) - offset} bytes after it"
                )
        starts, ends = rows.find_lines(data, offset)
        if sized and len(starts) != promised:
            raise VectorsError(
                f"{path}: line 1 says that {promised} words follow, but there are {len(starts)} "
                "lines"
            )
        if not len(starts):
            raise VectorsError(f"{path} holds no words")
        if not sized:
            size = _fields_after_the_word(data[int(starts[0]) : int(ends[0])])
            if size == 0:
                raise VectorsError(f"{path}, line 1: there is no number after the word")
        count = policy.rows(len(starts))
        starts, ends = starts[:count], ends[:count]
        table, word_ends = read_numbers(path, data, starts, ends, size, True, first)

        def place(row: int) -> str:
            return f"line {row + first}"

        words = rows.decoded(path, data, starts, word_ends, policy.errors, place)
        return checked_table(path, words, table, None, policy, place)


def read_sizes(path: Path, data: Any, offset: int) -> tuple[int, int, int]:
    """The two numbers of the first line, and where the second one starts.

    Raises:
        VectorsError: where the line is another, or no vector has a number.
    """
    end = data.find(b"\n", offset, offset + 100)
    found = SIZES.fullmatch(data[offset:end]) if end >= 0 else None
    if found is None:
        raise VectorsError(
            f"{path}, line 1: expected how many words there are and how many numbers each has, "
            f"not {data[offset : offset + 40]!r}"
        )
    rows_, size = int(found[1]), int(found[2])
    if rows_ == 0 or size == 0:
        raise VectorsError(f"{path}, line 1: there are {rows_} words of {size} numbers")
    return rows_, size, end + 1


def read_numbers(
    path: Path,
    data: Any,
    starts: np.ndarray,
    ends: np.ndarray,
    size: int,
    with_words: bool,
    first: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of lines as a table, and where the words before them end.

    Args:
        path, data: the file and its bytes.
        starts, ends: of the lines.
        size: numbers on each.
        with_words: whether a word comes before them.
        first: the number of the first line, for messages.

    Raises:
        VectorsError: naming the first line of another form.
    """
    # A number and the gap before it take two bytes, so that the file bounds what is allocated.
    short = np.flatnonzero(ends - starts < 2 * size - (not with_words))
    bad = int(short[0]) if len(short) else -1
    if bad < 0:
        table = empty_vectors(path, len(starts), size)
        bad, word_ends = rows.parse_lines(data, starts, ends, table, with_words)
        if bad < 0:
            return table, word_ends
    line = data[int(starts[bad]) : int(ends[bad])]
    raise VectorsError(f"{path}, line {bad + first}: {_complaint(line, size, with_words)}")


def _complaint(line: bytes, size: int, with_words: bool) -> str:
    """Why a line is not of the form that it should have."""
    line = line.removesuffix(b"\r").strip(b" \t") if not with_words else line.rstrip(b" \t\r")
    fields = re.split(rb"[ \t]+", line) if line else []
    if with_words:
        if not fields:
            return "it is blank"
        if fields[0] == b"":
            return "the word is empty"
        fields = fields[max(1, len(fields) - size) :]
    if len(fields) != size:
        return f"there are {len(fields)} numbers, not {size}"
    for place, field in enumerate(fields):
        if not plain.NUMBER.fullmatch(field):
            shown = field[:40].decode("utf-8", "backslashreplace")
            return f"number {place + 1} of {size} is {shown!r}"
        if abs(float(field)) > float(np.finfo(np.float32).max):
            return f"number {place + 1} of {size}, {field.decode()}, is too large for a float32"
    return f"it does not hold a word and {size} numbers"


def _fields_after_the_word(line: bytes) -> int:
    """How many numbers there are at the end of a line, its first field not counted."""
    fields = re.split(rb"[ \t]+", line.rstrip(b" \t\r"))
    count = 0
    while count < len(fields) - 1 and plain.NUMBER.fullmatch(fields[-1 - count]):
        count += 1
    return count


def write_lines(path: Path, words: list[str], vectors: np.ndarray, sized: bool, what: str) -> None:
    """Write a word and its numbers on each line, in the fewest digits that give them back.

    Raises:
        VectorsError: for a word that would not be read as it was.
    """
    check_words(path, words, BREAKING, what)
    with written_whole(path, "wb") as file:
        if sized:
            file.write(b"%d %d\n" % vectors.shape)
        for first, texts in texts_of(vectors, " "):
            for word, text in zip(words[first : first + len(texts)], texts, strict=True):
                file.write(f"{word} {text}\n".encode())


def texts_of(vectors: np.ndarray, gap: str) -> Iterator[tuple[int, list[str]]]:
    """Rows as texts, in blocks: the first row of each, and its texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    size = vectors.shape[1]
    step = max(1, BLOCK // size)
    for first in range(0, len(vectors), step):
        block = np.ascontiguousarray(vectors[first : first + step])
        numbers = pc.cast(pa.array(block.ravel()), pa.string())
        ends = pa.array(np.arange(len(block) + 1, dtype=np.int32) * size)
        joined = pc.binary_join(pa.ListArray.from_arrays(ends, numbers), gap)
        yield first, joined.to_pylist()
