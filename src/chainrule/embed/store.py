"""A text on the disk as numbers of words: read once, in bounded memory, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np

from chainrule.embed.counting import Quiet, reporter
from chainrule.embed.disk import StoreError as StoreError
from chainrule.embed.disk import write
from chainrule.embed.sources import ListSource, TextSource
from chainrule.embed.tally import Tally, new_tally, renumbered, restored
from chainrule.embed.tokenise import Tokeniser, added

FORMAT = "chainrule corpus 1"
# Words that are taken at a time: from lists, and when numbers are replaced by others. What is
# made of them fits into a core's cache.
BLOCK = 1 << 16
FORGOTTEN = -1


@dataclass(eq=False)
class Store:
    """The words of a text in order, as places in a table.

    Attributes:
        folder: where the files lie.
        table: the words.
        ids: int32, memory-mapped: each word's place, or -1 where the table was to be kept small and
            has forgotten the word.
        ends: int64, memory-mapped: for each line the offset after its last word.
        owner: what removes the folder when nobody holds it any more.
    """

    folder: Path
    table: Tally
    ids: np.ndarray
    ends: np.ndarray
    owner: object = None

    def blocks(self, task: str = "", progress: bool = False) -> Generator[tuple[int, np.ndarray]]:
        """All ids, some at a time, each time with their offset.

        Args:
            task: what is done with them.
            progress: whether to say how far it is.
        """
        report = reporter(progress)
        report.start(task, len(self.ids))
        try:
            for start in range(0, len(self.ids), BLOCK):
                yield start, np.asarray(self.ids[start : start + BLOCK])
                report.read(start, start)
        finally:
            report.close()

    def renumbered(self, new: np.ndarray, folder: Path, progress: bool = False) -> int:
        """Write ``ids`` and ``ends`` with other numbers.

        Args:
            new: int32, for each place the number that is written; words with -1 are left out.
            folder: where they are written.
            progress: whether to say how far it is.

        Returns:
            How many words were left out.
        """
        written = line = 0
        with (
            closing(self.blocks("encoding", progress)) as blocks,
            open(folder / "ids", "wb") as ids_file,
            open(folder / "ends", "wb") as ends_file,
        ):
            for start, block in blocks:
                next_line = int(np.searchsorted(self.ends, start + len(block), "right"))
                ids, ends = renumbered(block, new, self.ends[line:next_line] - start)
                write(ids_file, ids)
                write(ends_file, ends + written)
                line = next_line
                written += len(ids)
            write(ends_file, np.full(len(self.ends) - line, written, np.int64))
        return len(self.ids) - written


@dataclass
class _Writer:
    """What is written while a text is read."""

    folder: Path
    table: Tally
    limit: int | None
    ids: IO[bytes]
    ends: IO[bytes]
    total: int = 0
    # Where the table was made smaller: words so far. Files tell each old place's new one.
    cuts: list[int] = field(default_factory=list)
    lost: int = 0

    def write(self, ids: np.ndarray, ends: np.ndarray) -> None:
        write(self.ids, ids)
        write(self.ends, ends + self.total)
        self.total += len(ids)
        if self.limit is not None and len(self.table) > self.limit:
            self._forget(self.limit)

    def _forget(self, limit: int) -> None:
        """Keep no more than three quarters of what is allowed, the most frequent words."""
        counts = self.table.counts()
        least = np.sort(counts)[-(limit * 3 // 4) - 1]
        places = np.flatnonzero(counts > least).astype(np.int32)
        new = np.full(len(counts), FORGOTTEN, np.int32)
        new[places] = np.arange(len(places), dtype=np.int32)
        self._write_cut(len(self.cuts), new)
        self.cuts.append(self.total)
        self.table.keep(places)
        self.lost += int(least)

    def settle(self) -> None:
        """Give the words that were numbered before a cut the numbers of today."""
        if not self.cuts:
            return
        self.ids.flush()
        ids = np.memmap(self.folder / "ids", np.int32, "r+")
        # From the last cut back to the first: what each one's old places are at the end.
        final = np.arange(len(self.table), dtype=np.int32)
        for number in reversed(range(len(self.cuts))):
            final = np.append(final, np.int32(FORGOTTEN))[self._read_cut(number)]
            self._write_cut(number, final)
        for number, (start, stop) in enumerate(pairwise([0, *self.cuts])):
            final = self._read_cut(number)
            for at in range(start, stop, BLOCK):
                part = slice(at, min(at + BLOCK, stop))
                ids[part] = final[ids[part]]
            self._cut(number).unlink()
        ids.flush()

    def _cut(self, number: int) -> Path:
        return self.folder / f"cut-{number}"

    def _read_cut(self, number: int) -> np.ndarray:
        return np.fromfile(self._cut(number), np.int32)

    def _write_cut(self, number: int, places: np.ndarray) -> None:
        with open(self._cut(number), "wb") as file:
            write(file, places)


def write_store(
    folder: Path,
    source: TextSource | ListSource,
    tokeniser: Tokeniser,
    limit: int | None,
    report: Quiet,
) -> tuple[Tally, int, int]:
    """Read a text once and write it as numbers.

    Args:
        folder: an empty one.
        source: the text.
        tokeniser: how it is split.
        limit: different words that are kept in memory, or None for all.
        report: is told how far it is.

    Returns:
        The words, how many the text has, and by how much counts may be too small.
    """
    table = new_tally()
    with open(folder / "ids", "wb") as ids, open(folder / "ends", "wb") as ends:
        writer = _Writer(folder, table, limit, ids, ends)
        if isinstance(source, TextSource):
            _write_text(writer, source, tokeniser, report)
        else:
            _write_lists(writer, source, tokeniser.lower, report)
        writer.settle()
    write_table(folder, table, writer.lost)
    return table, writer.total, writer.lost


def _write_text(writer: _Writer, source: TextSource, tokeniser: Tokeniser, report: Quiet) -> None:
    open_line = False
    with closing(source.pieces(tokeniser.separators)) as pieces:
        for piece in pieces:
            if piece.data:
                ids, ends = tokeniser.read(writer.table, piece)
                writer.write(ids, ends)
                open_line = not piece.data.endswith(b"\n")
                report.read(source.position, writer.total)
            if piece.last and open_line:
                writer.write(np.zeros(0, np.int32), np.zeros(1, np.int64))
                open_line = False


def _write_lists(writer: _Writer, source: ListSource, lower: bool, report: Quiet) -> None:
    words: list[str] = []
    ends: list[int] = []

    def flush() -> None:
        nonlocal words
        if lower:
            words = [word.lower() if isinstance(word, str) else word for word in words]
        first = source.position - len(ends)
        ids = added(
            writer.table, words, lambda word: f"sentence {first + bisect_right(ends, word)}"
        )
        writer.write(ids, np.array(ends, np.int64))
        report.read(source.position, writer.total)
        words.clear()
        ends.clear()

    for sentence in source.sentences():
        words += sentence
        ends.append(len(words))
        if len(words) >= BLOCK or len(ends) >= BLOCK:
            flush()
    flush()


def write_table(folder: Path, table: Tally, lost: int) -> None:
    """Write the words beside the numbers, and by how much counts may be too small."""
    data, ends = table.dump()
    (folder / "words").write_bytes(data)
    for name, numbers in (("word_ends", ends), ("counts", table.counts())):
        with open(folder / name, "wb") as numbers_file:
            write(numbers_file, numbers)
    with open(folder / "corpus.json", "w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, "lost": lost}, file)


def read_store(folder: Path, owner: object = None, table: Tally | None = None) -> tuple[Store, int]:
    """What ``write_store`` wrote, and by how much counts may be too small.

    Words that were forgotten and came again are counted anew.

    Args:
        folder: where it was written.
        owner: what removes the folder.
        table: the words, where they are still in memory.

    Raises:
        StoreError: where files are missing or do not fit one another.
    """
    try:
        facts = json.loads((folder / "corpus.json").read_text("utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError(f"its format is {facts['format']!r}")
        if table is None:
            counts = np.fromfile(folder / "counts", np.int64)
            words = (folder / "words").read_bytes()
            table = restored(words, np.fromfile(folder / "word_ends", np.int64), counts)
        ids, ends = mapped(folder / "ids", np.int32), mapped(folder / "ends", np.int64)
        if len(ends) and int(ends[-1]) != len(ids):
            raise ValueError(f"the last line ends at {ends[-1]} of {len(ids)} words")
        return Store(folder, table, ids, ends, owner), int(facts["lost"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{folder} does not hold a text as numbers ({error}); remove it, and it is made anew"
        ) from None


def mapped(path: Path, dtype: Any) -> np.ndarray:
    """A file of numbers, memory-mapped; nothing can be mapped of an empty one."""
    if not path.stat().st_size:
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, "r")


class Temporary:
    """A folder that is removed with the last object that holds it, and when Python ends."""

    def __init__(self, parent: Path | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="chainrule-corpus-", dir=parent))
        self.remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@contextmanager
def folder_written_whole(place: Path) -> Iterator[Path]:
    """A folder that takes its place only when the block ends well.

    Where another process was faster, its folder stays.
    """
    temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        yield temporary
        try:
            os.replace(temporary, place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
