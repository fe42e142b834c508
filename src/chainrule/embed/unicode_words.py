"""Words of any script, by what Unicode says of their characters."""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from chainrule.errors import ChainruleError

NUMBERS = ("keep", "drop", "mask")
# What a character is to a word, as the native core has it too.
SEPARATOR, LETTER, NUMBER, INNER = range(4)


class TokenError(ChainruleError, ValueError):
    """Settings of a tokeniser that cannot be, or tokens that are not words."""


@dataclass(frozen=True)
class UnicodeWords:
    """Words are runs of letters, marks and numbers of any script; the rest separates them.

    Args:
        numbers: "keep" them, "drop" words that have no letter, or "mask": write 0 for each digit.
        inner: characters that belong to a word where they stand between two of its characters:
            apostrophes and hyphens by default.
        minimum: characters of the shortest word that is taken.

    >>> UnicodeWords(numbers="mask").split("Don't panic: 42 re-runs, naïve …")
    ["Don't", 'panic', '00', 're-runs', 'naïve']
    """

    numbers: Literal["keep", "drop", "mask"] = "keep"
    inner: str = "'’-\u2010\u2011"
    minimum: int = 1

    def __post_init__(self) -> None:
        if self.numbers not in NUMBERS:
            raise TokenError(f"numbers={self.numbers!r} is not one of {', '.join(NUMBERS)}")
        if self.minimum < 1:
            raise TokenError(f"minimum={self.minimum} must be 1 or more")
        wrong = [c for c in self.inner if _kinds()[ord(c)] != SEPARATOR or c.isspace()]
        if wrong:
            raise TokenError(
                f"inner={self.inner!r} has {wrong[0]!r}, which cannot be inside a word"
            )

    def split(self, text: str) -> list[str]:
        """The words of a text."""
        words = _pattern(self.inner).findall(text)
        if self.minimum > 1:
            words = [word for word in words if len(word) >= self.minimum]
        if self.numbers == "drop":
            words = [w for w in words if any(_kinds()[ord(c)] == LETTER for c in w)]
        elif self.numbers == "mask":
            words = [_number_pattern().sub("0", word) for word in words]
        return words


@cache
def _kinds() -> np.ndarray:
    """For each code point what it is to a word."""
    kind = {"L": LETTER, "M": LETTER, "N": NUMBER}
    return np.array(
        [kind.get(unicodedata.category(chr(c))[0], SEPARATOR) for c in range(sys.maxunicode + 1)],
        np.uint8,
    )


@cache
def characters(inner: str) -> np.ndarray:
    """For each code point what it is to a word, with the inner characters."""
    kinds = _kinds().copy()
    kinds[[ord(c) for c in inner]] = INNER
    return kinds


def _ranges(wanted: np.ndarray) -> str:
    """Code points as the inside of a regular expression's brackets."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
    return "".join(f"\\U{a:08x}-\\U{b - 1:08x}" for a, b in edges.reshape(-1, 2))


@cache
def _pattern(inner: str) -> re.Pattern[str]:
    word = f"[{_ranges(_kinds() != SEPARATOR)}]"
    if not inner:
        return re.compile(f"{word}+")
    return re.compile(f"{word}+(?:[{re.escape(inner)}]{word}+)*")


@cache
def _number_pattern() -> re.Pattern[str]:
    return re.compile(f"[{_ranges(_kinds() == NUMBER)}]")
