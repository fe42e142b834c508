"""A word in its contexts: the lines of a text in which it stands, aligned at the word."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from chainrule.embed.store import Store
from chainrule.embed.vocabulary import VocabularyError, ranked, suggestion


@dataclass(frozen=True)
class Concordance:
    """Places of a word in a text; printed, one line for each.

    Attributes:
        word: the word.
        rows: for each place the text before and the text behind it.
        total: places there are in the whole text.
        width: columns of text on each side.
    """

    word: str
    rows: list[tuple[str, str]]
    total: int
    width: int

    def __str__(self) -> str:
        from rich.cells import cell_len

        lines = [
            f"{' ' * (self.width - cell_len(before))}{before}  {self.word}  {behind}".rstrip()
            for before, behind in self.rows
        ]
        return "\n".join([*lines, self._footer])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:right">{html.escape(before)}</td>'
            f"<td><b>{html.escape(self.word)}</b></td>"
            f'<td style="text-align:left">{html.escape(behind)}</td></tr>'
            for before, behind in self.rows
        )
        return f"<table>{rows}</table><p>{html.escape(self._footer)}</p>"

    @property
    def _footer(self) -> str:
        return f"{len(self.rows):,} of {self.total:,} places"


def concordance(store: Store, word: str, width: int, limit: int) -> Concordance:
    """See ``Corpus.contexts``."""
    place = int(store.table.find([word])[0])
    counts = store.table.counts()
    if place < 0:
        frequent = store.table.words(ranked(counts, 1, 50_000))
        index = {each: i for i, each in enumerate(frequent)}
        raise VocabularyError(f"{word!r} is not in the text{suggestion(word, index, frequent)}")
    found: list[int] = []
    for start, block in store.blocks():
        if len(found) >= limit:
            break
        found += (start + np.flatnonzero(block == place)[: limit - len(found)]).tolist()
    rows = []
    for at in found:
        line = int(np.searchsorted(store.ends, at, "right"))
        first = int(store.ends[line - 1]) if line else 0
        # A word and the space behind it take two columns at least.
        before = store.ids[max(first, at - width // 2 - 1) : at]
        behind = store.ids[at + 1 : min(int(store.ends[line]), at + width // 2 + 2)]
        left = _fitting(reversed(_words(store, before)), width)
        rows.append((" ".join(reversed(left)), " ".join(_fitting(_words(store, behind), width))))
    return Concordance(word, rows, int(counts[place]), width)


def _words(store: Store, ids: np.ndarray) -> list[str]:
    return store.table.words(ids[ids >= 0])


def _fitting(words: Iterable[str], width: int) -> list[str]:
    """The first words, as many as fit."""
    from rich.cells import cell_len

    taken: list[str] = []
    used = -1
    for word in words:
        used += 1 + cell_len(word)
        if used > width:
            break
        taken.append(word)
    return taken
