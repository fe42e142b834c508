"""Rows of words and numbers in the bytes of a file: found by one thread, read by all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from chainrule.embed.formats import plain
from chainrule.embed.formats.table import Path
from chainrule.embed.vector_errors import VectorsError
from chainrule.run import native
from chainrule.run.threads import available_cores

# Lines that are looked for at a time, where it is not known how many there are.
LINES = 1 << 18
# Rows that one thread takes at a time.
PIECE = 1 << 14


def scanner() -> Any:
    """The native functions, or the plain ones where the core is missing or floats are turned."""
    if native.available() and sys.byteorder == "little":
        from chainrule._native import words

        return words
    return plain


def find_rows(data: Any, offset: int, rows: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the words of word2vec's binary form start and end, int64; fewer than ``rows`` where the
    data ends before."""
    starts, ends = np.empty(rows, np.int64), np.empty(rows, np.int64)
    count = scanner().find_rows(data, offset, size, starts, ends)
    return starts[:count], ends[:count]


def copy_rows(data: Any, ends: np.ndarray, table: np.ndarray) -> int:
    """Fill the table with the floats after each word; the first row that is not finite, or -1."""
    scan = scanner()
    return _first_bad(len(ends), lambda a, b: scan.copy_rows(data, ends[a:b], table[a:b]))


def find_lines(data: Any, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Where lines start and end, int64; blank lines at the end of the data are left out."""
    scan, found = scanner(), []
    while offset < len(data):
        ends = np.empty(LINES, np.int64)
        count = scan.find_lines(data, offset, ends)
        starts = np.concatenate([[offset], ends[: count - 1] + 1])
        found.append((starts, ends[:count]))
        offset = int(ends[count - 1]) + 1
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts, ends = (np.concatenate(parts) for parts in zip(*found, strict=True))
    count = len(starts)
    while count and not data[int(starts[count - 1]) : int(ends[count - 1])].strip():
        count -= 1
    return starts[:count], ends[:count]


def parse_lines(
    data: Any, starts: np.ndarray, ends: np.ndarray, table: np.ndarray, with_words: bool
) -> tuple[int, np.ndarray]:
    """Fill the table with the numbers of lines.

    Returns:
        The first line of another form, or -1; and where the words end.
    """
    scan, word_ends = scanner(), np.empty(len(starts), np.int64)

    def parse(a: int, b: int) -> int:
        place: int = scan.parse_lines(
            data, starts[a:b], ends[a:b], with_words, word_ends[a:b], table[a:b]
        )
        return place

    return _first_bad(len(starts), parse), word_ends


def decoded(
    path: Path,
    data: Any,
    starts: np.ndarray,
    ends: np.ndarray,
    errors: str,
    place: Callable[[int], str],
) -> list[str]:
    """The words as texts.

    Raises:
        VectorsError: at the first one that is no UTF-8, where errors are strict.
    """
    words: list[str] = scanner().decode_words(data, starts, ends, errors)
    if len(words) < len(starts):
        row = len(words)
        raise VectorsError(
            f"{path}, {place(row)}: the word {data[int(starts[row]) : int(ends[row])]!r} is not "
            "UTF-8; errors='replace' reads it all the same"
        )
    return words


def _first_bad(rows: int, read: Callable[[int, int], int]) -> int:
    """Read rows in pieces on all cores; the first one that could not be read, or -1."""

    def piece(first: int) -> int:
        bad = read(first, min(first + PIECE, rows))
        return first + bad if bad >= 0 else -1

    starts = range(0, rows, PIECE)
    threads = min(available_cores(), len(starts))
    if threads < 2:
        results = [piece(first) for first in starts]
    else:
        with ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(piece, starts))
    return min((bad for bad in results if bad >= 0), default=-1)
