"""What a file of vectors holds, and how strictly it is read."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from chainrule.embed.formats.unpacking import Path, unpacked
from chainrule.embed.vector_errors import VectorsError
from chainrule.files import check_file

ERRORS = ("strict", "replace", "backslashreplace", "ignore")
DUPLICATES = ("refuse", "first")


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Words, their vectors (words, size), how often they were seen, and the place of each."""

    words: list[str]
    vectors: np.ndarray
    counts: np.ndarray | None
    index: dict[str, int]


@dataclass(frozen=True)
class Policy:
    """How a file is read.

    Attributes:
        errors: what becomes of bytes that are no UTF-8: "strict" refuses them, "replace",
            "backslashreplace" and "ignore" are Python's.
        duplicates: "refuse" a word that stands twice, or keep the "first".
        limit: rows that are read at most, or None.
    """

    errors: str = "strict"
    duplicates: str = "refuse"
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.errors not in ERRORS:
            raise VectorsError(f"errors={self.errors!r} is not one of {', '.join(ERRORS)}")
        if self.duplicates not in DUPLICATES:
            raise VectorsError(
                f"duplicates={self.duplicates!r} is not one of {', '.join(DUPLICATES)}"
            )
        if self.limit is not None and self.limit < 1:
            raise VectorsError(f"limit={self.limit} leaves no words")

    def rows(self, there: int) -> int:
        """How many of the rows that are there are read."""
        return there if self.limit is None else min(there, self.limit)


def checked_table(
    path: Path,
    words: list[str],
    vectors: np.ndarray,
    counts: np.ndarray | None,
    policy: Policy,
    place: Callable[[int], str],
) -> VectorTable:
    """A table whose words are there, and each once.

    Args:
        path: the file, for the message.
        words, vectors, counts: what it holds.
        policy: what becomes of a word that stands twice.
        place: where in the file a row is.

    Raises:
        VectorsError: for an empty word, or one that stands twice.
    """
    if not words:
        raise VectorsError(f"{path} holds no words")
    index = dict(zip(words, range(len(words)), strict=True))
    if "" in index:
        raise VectorsError(f"{path}, {place(words.index(''))}: the word is empty")
    if len(index) != len(words):
        index, rows = {}, list[int]()
        for row, word in enumerate(words):
            if word not in index:
                index[word] = len(rows)
                rows.append(row)
            elif policy.duplicates == "refuse":
                raise VectorsError(
                    f"{path}, {place(row)}: the word {word!r} was there before, at "
                    f"{place(rows[index[word]])}; duplicates='first' keeps the first of them"
                )
        words, vectors = list(index), vectors[rows]
        counts = None if counts is None else counts[rows]
    return VectorTable(words, vectors, counts, index)


def empty_vectors(path: Path, rows: int, size: int) -> np.ndarray:
    """Room for the numbers of a file, or an error that says how much it needs."""
    try:
        return np.empty((rows, size), np.float32)
    except (MemoryError, ValueError):
        raise VectorsError(
            f"{path}: {rows} words of {size} numbers need {rows * size * 4 / 2**30:.1f} GiB, more "
            "memory than there is"
        ) from None


def check_finite(
    path: Path, vectors: np.ndarray, words: Sequence[str], place: Callable[[int], str]
) -> None:
    """Raise ``VectorsError`` at the first number that is not finite."""
    for first in range(0, len(vectors), 1 << 14):
        finite = np.isfinite(vectors[first : first + (1 << 14)]).all(axis=1)
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise VectorsError(
                f"{path}, {place(row)}: the vector of {words[row]!r} holds a number that is not "
                "finite"
            )


def check_words(path: Path, words: Sequence[str], forbidden: str, what: str) -> None:
    """Raise ``VectorsError`` for a word that a format cannot hold.

    Args:
        path: where they were to be written.
        words: all of them.
        forbidden: characters that would end the word.
        what: the format's name.
    """
    for row, word in enumerate(words):
        if not word:
            raise VectorsError(
                f"{path}: the word of row {row} is empty, which no file of vectors can hold; leave "
                "it out, as in vectors.vectors_for_all(word for word in vectors.words if word)"
            )
        if any(character in word for character in forbidden):
            raise VectorsError(
                f"{path}: {what} cannot hold the word {word!r}; Parquet and safetensors can"
            )
        try:
            word.encode()
        except UnicodeEncodeError:
            raise VectorsError(f"{path}: the word {word!r} has no form in UTF-8") from None


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """The bytes of a file, or of what a compressed one holds, without reading them into memory.

    Raises:
        VectorsError: for what is no file, or an empty one, or damaged.
    """
    check_file(path, VectorsError)
    if os.path.getsize(path) == 0:
        raise VectorsError(f"{path} is empty")
    with (
        open(path, "rb") as packed,
        unpacked(path, packed) as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if hasattr(mmap, "MADV_SEQUENTIAL"):
            data.madvise(mmap.MADV_SEQUENTIAL)
        yield data
