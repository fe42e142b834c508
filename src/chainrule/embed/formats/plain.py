"""The rows of files of vectors in Python, where the native core is not built: slow, but right.

The functions are those of ``chainrule._native.words`` and do the same to the last bit.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

# A word is no longer than this, in bytes.
LONGEST_WORD = 1 << 16

NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def find_rows(data: Any, offset: int, size: int, starts: np.ndarray, ends: np.ndarray) -> int:
    """Where the words of a binary file start and end; how many rows there are at most."""
    bytes_ = len(data)
    for row in range(len(starts)):
        while data[offset : offset + 1] == b"\n":
            offset += 1
        end = data.find(b" ", offset, min(offset + LONGEST_WORD, bytes_))
        if end < 0 or end + 1 + 4 * size > bytes_:
            return row
        starts[row], ends[row] = offset, end
        offset = end + 1 + 4 * size
    return len(starts)


def copy_rows(data: Any, ends: np.ndarray, table: np.ndarray) -> int:
    """Copy the numbers after each word; the first row that is not finite, or -1."""
    for row, end in enumerate(ends):
        table[row] = np.frombuffer(data, "<f4", table.shape[1], end + 1)
        if not np.isfinite(table[row]).all():
            return row
    return -1


def find_lines(data: Any, offset: int, ends: np.ndarray) -> int:
    """Where lines end; how many there are at most."""
    row = 0
    while row < len(ends) and offset < len(data):
        found = data.find(b"\n", offset)
        ends[row] = len(data) if found < 0 else found
        offset = int(ends[row]) + 1
        row += 1
    return row


def parse_lines(
    data: Any,
    starts: np.ndarray,
    ends: np.ndarray,
    with_words: bool,
    word_ends: np.ndarray,
    table: np.ndarray,
) -> int:
    """The numbers of lines; the first one of another form, or -1."""
    size = table.shape[1]
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        line = data[start:end].removesuffix(b"\r").rstrip(b" \t")
        word, fields = split_line(line, size) if with_words else (b"", line.lstrip(b" \t"))
        numbers = re.split(rb"[ \t]+", fields) if fields else []
        if (with_words and not word) or len(numbers) != size:
            return row
        if not all(NUMBER.fullmatch(number) for number in numbers):
            return row
        with np.errstate(over="ignore"):
            table[row] = [float(number) for number in numbers]
        if not np.isfinite(table[row]).all():
            return row
        word_ends[row] = start + len(word)
    return -1


def split_line(line: bytes, size: int) -> tuple[bytes, bytes]:
    """The word of a line and the ``size`` fields after it, which are the last ones.

    >>> split_line(b"new york 0.1 0.2", 2)
    (b'new york', b'0.1 0.2')
    """
    place = len(line)
    for _ in range(size):
        line_before = line[:place].rstrip(b" \t")
        place = max(line_before.rfind(b" "), line_before.rfind(b"\t")) + 1
        if place == 0:
            return b"", line
    return line[:place].rstrip(b" \t"), line[place:]


def decode_words(data: Any, starts: np.ndarray, ends: np.ndarray, errors: str) -> list[str]:
    """Words as texts; the one that cannot be decoded ends the list."""
    words: list[str] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        try:
            words.append(data[start:end].decode("utf-8", errors))
        except UnicodeDecodeError:
            break
    return words
