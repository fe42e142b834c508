"""The words that a text was found to have, numbered as they came, and how often each did."""

from __future__ import annotations

import functools
from itertools import accumulate, pairwise
from typing import Any, Protocol

import numpy as np

from chainrule.embed.unicode_words import UnicodeWords, characters
from chainrule.run import native


def renumbered(
    ids: np.ndarray, numbers: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give words other numbers, and leave out those that have none.

    Args:
        ids: int32, places in ``numbers``, or -1 for what is left out anyway.
        numbers: int32, -1 for words that are left out.
        ends: int64, rising offsets into ids.

    Returns:
        The numbers of the words that are kept, int32, and for each end how many of them are before
        it, int64.

    >>> new = np.array([1, -1, 0], np.int32)
    >>> ids, ends = renumbered(np.array([0, 1, 2, -1, 0], np.int32), new, np.array([2, 5]))
    >>> ids.tolist(), ends.tolist()
    ([1, 0, 1], [1, 3])
    """
    if native.available():
        import chainrule._native as core

        parts = (np.ascontiguousarray(ids), np.ascontiguousarray(numbers), ends.astype(np.int64))
        return _arrays(*core.words.renumbered(*parts))
    # -1 reads the last entry.
    found = np.append(numbers, np.int32(-1))[ids]
    kept = found >= 0
    return found[kept], np.concatenate([[0], np.cumsum(kept)])[ends]


class Tally(Protocol):
    """Words with numbers from 0 on; reading a text numbers its words and counts them."""

    def __len__(self) -> int:
        """How many different words there are."""

    def read(self, data: bytes) -> tuple[np.ndarray, np.ndarray]:
        """Words between ASCII white space: their numbers, int32, and the ends of lines, int64.

        Within a line the words are those of ``bytes.split()``; a line ends with ``\\n``.
        """

    def read_words(self, data: bytes, rule: UnicodeWords) -> tuple[np.ndarray, np.ndarray]:
        """The same for words by a rule, in UTF-8."""

    def add(self, words: list[str]) -> np.ndarray:
        """Numbers of words, which are counted."""

    def find(self, words: list[str]) -> np.ndarray:
        """Numbers of words, -1 for those that are not there."""

    def counts(self) -> np.ndarray:
        """How often each word came, int64."""

    def words(self, places: np.ndarray) -> list[str]:
        """The words that have these numbers."""

    def keep(self, places: np.ndarray) -> None:
        """Forget all words but these, which get new numbers in this order."""

    def dump(self) -> tuple[bytes, np.ndarray]:
        """All words end to end in UTF-8, and where each ends, int64."""


def new_tally() -> Tally:
    """An empty table: native where the core is built, else plain Python."""
    if native.available():
        return NativeTally()
    native.say_missing()
    return PlainTally()


def restored(data: bytes, ends: np.ndarray, counts: np.ndarray) -> Tally:
    """A table with what ``dump`` and ``counts`` gave."""
    table = new_tally()
    if isinstance(table, NativeTally):
        table.native.restore(data, np.ascontiguousarray(ends), np.ascontiguousarray(counts))
        return table
    assert isinstance(table, PlainTally)
    steps = np.diff(ends, prepend=0)
    if len(counts) != len(ends) or (steps < 0).any() or int(steps.sum()) != len(data):
        raise ValueError("the ends of the words do not fit the words or their counts")
    words = [data[a:b] for a, b in pairwise([0, *ends.tolist()])]
    table.numbers.update({word: i for i, word in enumerate(words)})
    if len(table) != len(words):
        raise ValueError("a word stands twice")
    table.tallies = counts.copy()
    return table


class NativeTally:
    """The table of the native core."""

    def __init__(self) -> None:
        import chainrule._native as core

        self.native: Any = core.words.WordTable()

    def __len__(self) -> int:
        return len(self.native)

    def read(self, data: bytes) -> tuple[np.ndarray, np.ndarray]:
        """See ``Tally``."""
        return _arrays(*self.native.read(data))

    def read_words(self, data: bytes, rule: UnicodeWords) -> tuple[np.ndarray, np.ndarray]:
        """See ``Tally``."""
        drop, mask = rule.numbers == "drop", rule.numbers == "mask"
        kinds = characters(rule.inner)
        return _arrays(*self.native.read_words(data, kinds, rule.minimum, drop, mask))

    def add(self, words: list[str]) -> np.ndarray:
        """See ``Tally``."""
        return np.frombuffer(self.native.add(words), np.int32)

    def find(self, words: list[str]) -> np.ndarray:
        """See ``Tally``."""
        return np.frombuffer(self.native.find(words), np.int32)

    def counts(self) -> np.ndarray:
        """See ``Tally``."""
        return np.frombuffer(self.native.counts(), np.int64)

    def words(self, places: np.ndarray) -> list[str]:
        """See ``Tally``."""
        found: list[str] = self.native.words(np.ascontiguousarray(places, np.int32))
        return found

    def keep(self, places: np.ndarray) -> None:
        """See ``Tally``."""
        self.native.keep(np.ascontiguousarray(places, np.int32))

    def dump(self) -> tuple[bytes, np.ndarray]:
        """See ``Tally``."""
        data, ends = self.native.dump()
        return data, np.frombuffer(ends, np.int64)


def _arrays(ids: bytes, ends: bytes) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer(ids, np.int32), np.frombuffer(ends, np.int64)


class _Numbers(dict[bytes, int]):
    """Words with numbers; a new word gets the next one."""

    def __missing__(self, word: bytes) -> int:
        number = self[word] = len(self)
        return number


class PlainTally:
    """The same in Python, for where the core is not built."""

    def __init__(self) -> None:
        self.numbers = _Numbers()
        self.tallies = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.numbers)

    def read(self, data: bytes) -> tuple[np.ndarray, np.ndarray]:
        """See ``Tally``."""
        return self._lines([line.split() for line in data.split(b"\n")])

    def read_words(self, data: bytes, rule: UnicodeWords) -> tuple[np.ndarray, np.ndarray]:
        """See ``Tally``."""
        lines = [rule.split(line) for line in data.decode().split("\n")]
        return self._lines([[word.encode() for word in line] for line in lines])

    def _lines(self, lines: list[list[bytes]]) -> tuple[np.ndarray, np.ndarray]:
        ends = np.fromiter(accumulate(map(len, lines)), np.int64, len(lines))
        return self._numbered([word for line in lines for word in line]), ends[:-1]

    def _numbered(self, words: list[bytes]) -> np.ndarray:
        ids = np.fromiter(map(self.numbers.__getitem__, words), np.int32, len(words))
        tallies = np.bincount(ids, minlength=len(self.numbers)).astype(np.int64)
        tallies[: len(self.tallies)] += self.tallies
        self.tallies = tallies
        return ids

    def add(self, words: list[str]) -> np.ndarray:
        """See ``Tally``."""
        for place, word in enumerate(words):
            if not isinstance(word, str):
                raise TypeError(f"word {place} is not a str")
        return self._numbered([word.encode() for word in words])

    def find(self, words: list[str]) -> np.ndarray:
        """See ``Tally``."""
        get = functools.partial(dict.get, self.numbers)
        return np.array([get(word.encode(), -1) for word in words], np.int32)

    def counts(self) -> np.ndarray:
        """See ``Tally``."""
        return self.tallies.copy()

    def words(self, places: np.ndarray) -> list[str]:
        """See ``Tally``."""
        known = list(self.numbers)
        return [known[place].decode() for place in places]

    def keep(self, places: np.ndarray) -> None:
        """See ``Tally``."""
        known = list(self.numbers)
        self.numbers = _Numbers({known[place]: i for i, place in enumerate(places)})
        self.tallies = self.tallies[places]

    def dump(self) -> tuple[bytes, np.ndarray]:
        """See ``Tally``."""
        sizes = np.fromiter(map(len, self.numbers), np.int64, len(self.numbers))
        return b"".join(self.numbers), np.cumsum(sizes)
