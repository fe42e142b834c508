"""A text that is read once, and from then on is numbers on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chainrule.embed.concordance import Concordance, concordance
from chainrule.embed.counting import reporter
from chainrule.embed.disk import StoreError, room_in
from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.sources import TextSource, source_of
from chainrule.embed.store import (
    Store,
    Temporary,
    folder_written_whole,
    mapped,
    read_store,
    write_store,
)
from chainrule.embed.tally import Tally
from chainrule.embed.tokenise import Tokeniser
from chainrule.embed.unicode_words import UnicodeWords
from chainrule.embed.vocabulary import Vocabulary, ranked
from chainrule.nn.checks import positive_whole


class Corpus:
    """A text of any size: its words are numbered and counted once, in bounded memory.

    It is read when it is first needed. Its numbers lie in files that are memory-mapped; in memory
    are the different words. Lines are sentences, of any length: nothing is cut.

    Args:
        source: a text file; a folder, with all files in it and below; a pattern such as "*.txt";
            "-" for standard input; a list of ``pathlib.Path``; or an iterable of token lists that
            can be read more than once. Files may be compressed by gzip, bzip2, xz or Zstandard.
        tokens: "whitespace": what ``bytes.split()`` finds in each line; "words": letters, marks and
            numbers of any script, see ``UnicodeWords``, which has options; or a function from a
            line to a list of words. The first two are native code.
        lower: whether letters are made small.
        column: of CSV, TSV and Parquet files, the one that holds the text.
        errors: for bytes that are not UTF-8: "strict" is an error that names file and offset,
            "replace" writes U+FFFD for them, "ignore" leaves them out.
        max_vocab_size: different words that are kept in memory while counting, beside those of the
            last half megabyte. Beyond it the rarest are forgotten, and ``undercount`` says what
            that may have done. By default all are kept: 70 bytes each or so.
        cache: a folder for the files of numbers. Where the source is files that have not changed,
            the next run reads nothing. By default they are temporary.
        progress: a bar with words per second on a terminal, a line elsewhere; False for neither.

    Raises:
        SourceError: for a source that is not there or can be read only once; later, for a damaged
            file or bytes that are not UTF-8.
        ColumnError: for a table without the column; it names those there are.
        TokenError: for settings that cannot be; later, for tokens that are not words, or are empty.
        StoreError: later, where the disk has no room for the numbers.

    >>> text = Corpus([["a", "rose", "is", "a", "rose"]], progress=False)
    >>> text.vocabulary(min_count=2).words
    ['a', 'rose']
    >>> text.encode(text.vocabulary(min_count=1)).ids.tolist()
    [0, 1, 2, 0, 1]
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Iterable[Any],
        *,
        tokens: str | UnicodeWords | Callable[[str], Iterable[str]] = "whitespace",
        lower: bool = False,
        column: str | None = None,
        errors: Literal["strict", "replace", "ignore"] = "strict",
        max_vocab_size: int | None = None,
        cache: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> None:
        self.name = str(source) if isinstance(source, str | os.PathLike) else "lists of words"
        if max_vocab_size is not None:
            positive_whole(max_vocab_size, "max_vocab_size")
        self._source = source_of(source, column)
        self._tokeniser = Tokeniser(tokens, lower, errors)
        self._limit = max_vocab_size
        self._cache = None if cache is None else Path(cache)
        self._progress = progress
        self._kept: Store | None = None
        self._undercount = 0
        self._derived = False

    @classmethod
    def of_store(
        cls, store: Store, name: str, undercount: int = 0, progress: bool = True
    ) -> Corpus:
        """A corpus of numbers that lie on the disk already."""
        corpus = cls([], progress=progress)
        corpus.name, corpus._kept, corpus._undercount = name, store, undercount
        corpus._derived = True
        return corpus

    # ----- what is in it --------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """Words of the text."""
        return len(self.store.ids)

    @property
    def distinct(self) -> int:
        """Different words of the text."""
        return len(self.store.table)

    @property
    def undercount(self) -> int:
        """By how much a count may be too small: 0 where ``max_vocab_size`` was never reached."""
        return self._undercount if self.store else 0

    def __len__(self) -> int:
        """Lines of the text, empty ones too."""
        return len(self.store.ends)

    def __iter__(self) -> Iterator[list[str]]:
        """Lines as lists of words; words that were forgotten are left out."""
        store = self.store
        words = np.array([*store.table.words(np.arange(len(store.table))), None], object)
        start = 0
        for end in store.ends:
            ids = store.ids[start:end]
            yield words[ids[ids >= 0]].tolist()
            start = end

    def __repr__(self) -> str:
        size = f", {self.total:,} words in {len(self):,} lines" if self._kept else ""
        return f"Corpus({self.name!r}{size})"

    def vocabulary(self, min_count: int = 5, max_size: int | None = None) -> Vocabulary:
        """The words of the text by falling count; ties keep the order of the text.

        Args:
            min_count: rarer words are left out.
            max_size: words at most, the frequent ones.

        Raises:
            VocabularyError: for a negative size.
        """
        table = self.store.table
        counts = table.counts()
        places = ranked(counts, min_count, max_size)
        return Vocabulary(table.words(places), counts[places], self.total)

    def encode(self, vocabulary: Vocabulary) -> EncodedCorpus:
        """The text as places in a vocabulary, of this text or of another, in mapped files."""
        store = self.store
        places = store.table.find(vocabulary.words)
        found = places >= 0
        new = np.full(len(store.table), -1, np.int32)
        new[places[found]] = np.flatnonzero(found)
        place = store.folder / f"encoded-{_digest_of_bytes(places.tobytes())}"
        if not place.exists():
            with (
                folder_written_whole(place) as folder,
                self._room(lambda: 4 * len(store.ids) + 8 * len(store.ends)),
            ):
                store.renumbered(new, folder, self._progress)
        ids, ends = mapped(place / "ids", np.int32), mapped(place / "ends", np.int64)
        return EncodedCorpus(ids, ends, vocabulary, self.total - len(ids), store.owner)

    def contexts(self, word: str, width: int = 36, limit: int = 20) -> Concordance:
        """A word where it stands in the text, one line for each place, aligned.

        Args:
            word: as it is in the text.
            width: columns of text on each side.
            limit: places at most, from the beginning of the text.

        Raises:
            VocabularyError: where the word is not in the text; it names the nearest.

        >>> text = [["the", "moon", "rose"], ["a", "full", "moon"]]
        >>> print(Corpus(text, progress=False).contexts("moon", width=8))
             the  moon  rose
          a full  moon
        2 of 2 places
        """
        return concordance(self.store, word, width, limit)

    # ----- its files ------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The text as numbers; it is read here, where it was not yet."""
        if self._kept is None:
            self._kept, self._undercount = self._read()
        return self._kept

    def close(self) -> None:
        """Remove temporary files now; they go with the last object that needs them anyway.

        A corpus that is asked again after this is read again.
        """
        if self._kept is not None and isinstance(self._kept.owner, Temporary):
            self._kept.owner.remove()
        self._kept = None

    def __enter__(self) -> Corpus:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _read(self) -> tuple[Store, int]:
        if self._derived:
            raise StoreError(f"{self.name}: these phrases were closed; join them again")
        owner: Temporary | None = None
        if self._cache is not None:
            self._cache.mkdir(parents=True, exist_ok=True)
        fingerprint = self._fingerprint()
        if self._cache is not None and fingerprint is not None:
            place = self._cache / f"corpus-{_digest(fingerprint)}"
        else:
            owner = Temporary(self._cache)
            place = owner.path / "corpus"
        table = None
        if not place.exists():
            try:
                table = self._write(place)
            except BaseException:
                if owner is not None:
                    owner.remove()
                raise
        return read_store(place, owner, table)

    def _write(self, place: Path) -> Tally:
        report = reporter(self._progress)
        line = ""
        report.start(f"reading {os.path.basename(self.name) or self.name}", self._source.size)
        try:
            with (
                folder_written_whole(place) as folder,
                self._room(lambda: self._needed(folder)),
            ):
                table, words, lost = write_store(
                    folder, self._source, self._tokeniser, self._limit, report
                )
            line = f"read {self.name}: {words:,} words, {len(table):,} different"
            if lost:
                line += f" that are not forgotten (counts up to {lost:,} too small)"
        finally:
            report.close(line)
        return table

    def _room(self, needed: Callable[[], int]) -> AbstractContextManager[None]:
        folder = Path(tempfile.gettempdir()) if self._cache is None else self._cache
        return room_in(folder, "the text as numbers", needed, "cache=")

    def _needed(self, folder: Path) -> int:
        """Bytes of the text as numbers, judged by those that were written for what was read."""
        written = sum(file.stat().st_size for file in folder.iterdir())
        size = self._source.size or 0
        return written * max(size, 1) // max(min(self._source.position, size), 1)

    def _fingerprint(self) -> list[Any] | None:
        """What changes when the numbers would be others; None where nobody can tell."""
        source = self._source.fingerprint() if isinstance(self._source, TextSource) else None
        tokens = self._tokeniser.fingerprint()
        return None if source is None or tokens is None else [source, tokens, self._limit]


def _digest(value: Any) -> str:
    return _digest_of_bytes(json.dumps(value).encode())


def _digest_of_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
