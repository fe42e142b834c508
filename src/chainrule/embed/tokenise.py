"""From characters to words: by white space, by Unicode, or as a function of the user's says."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from chainrule.embed.sources import SPACES, Piece, SourceError
from chainrule.embed.tally import Tally
from chainrule.embed.unicode_words import TokenError, UnicodeWords
from chainrule.embed.vocabulary import EMPTY_WORD

ERRORS = ("strict", "replace", "ignore")


@dataclass(frozen=True)
class Tokeniser:
    """How a text becomes numbers of words.

    Args:
        tokens: "whitespace", "words", ``UnicodeWords(...)``, or a function from a line to words.
        lower: whether letters are made small first.
        errors: what becomes of bytes that are not UTF-8: "strict" is an error, "replace" writes
            U+FFFD for them, "ignore" leaves them out.
    """

    tokens: str | UnicodeWords | Callable[[str], Iterable[str]] = "whitespace"
    lower: bool = False
    errors: Literal["strict", "replace", "ignore"] = "strict"

    def __post_init__(self) -> None:
        if self.errors not in ERRORS:
            raise TokenError(f"errors={self.errors!r} is not one of {', '.join(ERRORS)}")
        if isinstance(self.tokens, str) and self.tokens not in ("whitespace", "words"):
            raise TokenError(
                f"tokens={self.tokens!r} is not 'whitespace', 'words', UnicodeWords(...) or a "
                "function from a line to its words"
            )
        if not isinstance(self.tokens, str | UnicodeWords) and not callable(self.tokens):
            raise TokenError(f"tokens is a {type(self.tokens).__name__}, not a function")

    @property
    def separators(self) -> bytes:
        """Bytes behind which a text may be cut: a user's function is given whole lines."""
        return SPACES if isinstance(self.tokens, str | UnicodeWords) else b"\n"

    def fingerprint(self) -> list[Any] | None:
        """What tells two of them apart; None for a function, which nobody can compare."""
        if isinstance(self.tokens, str | UnicodeWords):
            version = unicodedata.unidata_version
            return [str(self.rule or self.tokens), self.lower, self.errors, version]
        return None

    @property
    def rule(self) -> UnicodeWords | None:
        """How words are found, where it is not by white space or a function."""
        if self.tokens == "words":
            return UnicodeWords()
        return self.tokens if isinstance(self.tokens, UnicodeWords) else None

    def read(self, table: Tally, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
        """Count the words of a piece.

        Returns:
            Their places in the table, int32, and for each line that ends in the piece the number
            of words before its end, int64.

        Raises:
            SourceError: for bytes that are not UTF-8, under "strict".
            TokenError: where a user's function gives something else than words, or an empty one.
        """
        data = self._prepared(piece)
        if (rule := self.rule) is not None:
            return table.read_words(data, rule)
        if isinstance(self.tokens, str):
            return table.read(data)
        return self._by_function(table, data, piece)

    def _prepared(self, piece: Piece) -> bytes:
        data = piece.data
        if data.isascii():
            return data.lower() if self.lower else data
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            if self.errors == "strict":
                raise SourceError(
                    f"{piece.place(error.start)}: the byte 0x{data[error.start]:02x} is not UTF-8 "
                    f"({error.reason}); convert the text, or give errors='replace' or "
                    "errors='ignore'"
                ) from None
            text = data.decode(errors=self.errors)
            data = text.encode()
        return text.lower().encode() if self.lower else data

    def _by_function(
        self, table: Tally, data: bytes, piece: Piece
    ) -> tuple[np.ndarray, np.ndarray]:
        function: Any = self.tokens
        lines = data.decode().split("\n")
        # Behind the last line end there is nothing, or a line that ends with the file.
        complete = len(lines) - 1
        if not lines[-1]:
            lines.pop()
        words: list[str] = []
        ends = []
        offset = 0
        for line in lines:
            found = function(line.removesuffix("\r"))
            if isinstance(found, str) or not isinstance(found, Iterable):
                raise TokenError(
                    f"{piece.place(offset)}: the function for tokens gave a "
                    f"{type(found).__name__} for this line, not a list of words"
                )
            words += found
            ends.append(len(words))
            offset += len(line.encode()) + 1

        def place(word: int) -> str:
            number = bisect_right(ends, word)
            before = sum(len(line.encode()) + 1 for line in lines[:number])
            return f"{piece.place(before)}, the line {lines[number][:40]!r}"

        return added(table, words, place), np.array(ends[:complete], np.int64)


def added(table: Tally, words: list[str], place: Callable[[int], str]) -> np.ndarray:
    """Count words that a user made; returns their numbers.

    Args:
        table: where they are counted.
        words: all of them, in order.
        place: says where in the text a word is, by its number in ``words``.

    Raises:
        TokenError: for what is no word, and for an empty one; it says where that was.
    """
    try:
        numbers = table.add(words)
    except (TypeError, UnicodeEncodeError):
        for at, word in enumerate(words):
            if not isinstance(word, str):
                raise TokenError(
                    f"{place(at)}: {word!r}, a {type(word).__name__}, is not a word"
                ) from None
            try:
                word.encode()
            except UnicodeEncodeError as error:
                raise TokenError(
                    f"{place(at)}: the word {word!r} cannot be written as UTF-8: {error.reason}"
                ) from None
        raise
    # Asking the table takes no longer for more words.
    if table.find([""])[0] >= 0:
        raise TokenError(f"{place(words.index(''))}: {EMPTY_WORD}")
    return numbers
