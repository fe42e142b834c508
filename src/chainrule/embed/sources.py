"""Where a text comes from: files, standard input, columns of tables, lists of words."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Sized
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.embed.columns import TABLES, column_pieces
from chainrule.embed.compression import ENDINGS, compression_of, uncompressed
from chainrule.errors import ChainruleError

# Bytes that are read at a time: with what is made of them they stay in a core's cache.
CHUNK = 1 << 19
SPACES = b" \n\t\r\x0b\x0c"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SourceError(ChainruleError, ValueError):
    """A text that cannot be read."""


@dataclass(frozen=True)
class Piece:
    """A part of a text, cut where no word is cut.

    Attributes:
        data: bytes of UTF-8, as they were found.
        last: whether a file ends here; a line ends with it.
        place: says where the byte at an offset in ``data`` was found.
    """

    data: bytes
    last: bool
    place: Callable[[int], str]


class TextSource:
    """Files that hold text, read one after the other.

    Attributes:
        paths: the files; empty for standard input.
        size: bytes of all files on the disk, or None where nobody knows.
        position: how many of them have been read.
    """

    def __init__(self, paths: Sequence[Path], column: str | None = None) -> None:
        self.paths = list(paths)
        self.column = column
        self.size = sum(path.stat().st_size for path in paths) if paths else None
        self.position = 0

    def fingerprint(self) -> list[Any] | None:
        """What changes when the files do; None for what can be read only once."""
        if not self.paths or not all(path.is_file() for path in self.paths):
            return None
        found = [(path, path.stat()) for path in self.paths]
        return [self.column, [[str(p.resolve()), s.st_size, s.st_mtime_ns] for p, s in found]]

    def pieces(self, separators: bytes = SPACES) -> Generator[Piece]:
        """The text in pieces of half a megabyte or so, each cut behind one of the separators.

        Raises:
            SourceError: for a file that is missing, damaged, or has no such column.
        """
        self.position = 0
        files: Sequence[Path | None] = self.paths or [None]
        for path in files:
            done = self.position
            for piece, position in self._file(path, separators):
                self.position = done + position
                yield piece
            if path is not None:
                self.position = done + path.stat().st_size

    def _file(self, path: Path | None, separators: bytes) -> Iterator[tuple[Piece, int]]:
        name = "standard input" if path is None else str(path)
        kind = None if path is None else table_kind(path)
        if kind is None and self.column is not None:
            raise SourceError(
                f"{name} is read as plain text, which has no column {self.column!r}; tables end in "
                f"{', '.join(TABLES)}"
            )
        with _opened(path, name) as (stream, raw):
            if kind is None:
                pieces = _cut(stream, name, separators)
            else:
                pieces = column_pieces(stream, name, kind, self.column)
            # What reads the stream ends before the stream does, also where nobody reads on.
            with closing(pieces):
                for data, place in pieces:
                    yield Piece(data, False, place), raw.tell() if raw.seekable() else 0
            yield Piece(b"", True, lambda at: name), 0


class ListSource:
    """Token lists of the user's, read anew each time."""

    def __init__(self, lists: Iterable[Iterable[str]]) -> None:
        self.lists = lists
        self.size = len(lists) if isinstance(lists, Sized) else None
        self.position = 0

    def sentences(self) -> Iterator[list[str]]:
        """The token lists.

        Raises:
            SourceError: where something else is among them.
        """
        self.position = 0
        for sentence in self.lists:
            if isinstance(sentence, str | bytes) or not isinstance(sentence, Iterable):
                raise SourceError(
                    f"sentence {self.position} is a {type(sentence).__name__}, not a list of "
                    "words; split it first, as in [line.split() for line in lines]"
                )
            self.position += 1
            yield list(sentence)


def source_of(source: Any, column: str | None = None) -> TextSource | ListSource:
    """What a user names as a text.

    Args:
        source: a file, a folder (all files in it, also deeper), a pattern such as "*.txt", "-" for
            standard input, a list of paths, or an iterable of token lists.
        column: of CSV and Parquet files.

    Raises:
        SourceError: for what is not there, and for an iterator, which can be read only once.
    """
    if isinstance(source, str | os.PathLike):
        return TextSource(_paths_of(source), column)
    if isinstance(source, bytes):
        raise SourceError("the source is bytes; give the name of a file, or lists of words")
    if isinstance(source, Iterator):
        raise SourceError(
            f"the source is a {type(source).__name__}, which is empty after one reading: give a "
            "list, or an object whose __iter__ starts anew"
        )
    if not isinstance(source, Iterable):
        raise SourceError(
            "a source is a file, a folder, a pattern, '-' or an iterable of lists of words, not "
            f"a {type(source).__name__}"
        )
    if isinstance(source, Sequence) and source and isinstance(source[0], os.PathLike):
        return TextSource([path for item in source for path in _paths_of(item)], column)
    if column is not None:
        raise SourceError(f"lists of words have no column {column!r}")
    return ListSource(source)


def table_kind(path: Path) -> str | None:
    """The ending of a table, without that of a compressed file: ".csv", ".tsv", ".parquet".

    >>> table_kind(Path("a.csv.gz")), table_kind(Path("a.txt"))
    ('.csv', None)
    """
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    if endings and endings[-1] in ENDINGS:
        endings.pop()
    return endings[-1] if endings and endings[-1] in TABLES else None


def _paths_of(source: str | os.PathLike[str]) -> list[Path]:
    if source == "-":
        return []
    path = Path(source)
    if path.is_dir():
        below = (p for p in path.rglob("*") if p.is_file())
        found = [p for p in below if not any(n.startswith(".") for n in p.relative_to(path).parts)]
        if not found:
            raise SourceError(f"there is no file in the folder {path}")
        return sorted(found)
    if path.exists():
        return [path]
    pattern = os.fspath(source)
    if not glob.has_magic(pattern):
        raise SourceError(f"there is no file or folder {pattern}")
    names = sorted(n for n in glob.glob(pattern, recursive=True) if os.path.isfile(n))
    if not names:
        raise SourceError(f"no file matches {pattern}")
    return [Path(name) for name in names]


@contextmanager
def _opened(path: Path | None, name: str) -> Iterator[tuple[Any, Any]]:
    """A file's uncompressed bytes, and the file on the disk."""

    def damaged(why: str) -> SourceError:
        return SourceError(f"{name} is damaged: {why}")

    raw: Any = sys.stdin.buffer if path is None else open(path, "rb")  # noqa: SIM115
    try:
        with uncompressed(raw, compression_of(raw), damaged) as stream:
            yield stream, raw
    finally:
        if path is not None:
            raw.close()


def _cut(
    stream: io.BufferedIOBase, name: str, separators: bytes
) -> Generator[tuple[bytes, Callable[[int], str]]]:
    """Bytes of a stream, each part ending with a separator; words of any length stay whole."""
    offset = 0
    waiting: list[bytes] = []

    def placed(data: bytes) -> tuple[bytes, Callable[[int], str]]:
        nonlocal offset
        skipped = len(BYTE_ORDER_MARK) if not offset and data.startswith(BYTE_ORDER_MARK) else 0
        start = offset + skipped
        offset += len(data)
        return data[skipped:], lambda at: f"{name}, byte offset {start + at}"

    while chunk := stream.read(CHUNK):
        cut = 0
        for separator in separators:
            cut = max(cut, 1 + chunk.rfind(separator, cut))
        if not cut:
            waiting.append(chunk)
            continue
        yield placed(b"".join([*waiting, memoryview(chunk)[:cut]]))
        waiting = [chunk[cut:]]
    if rest := b"".join(waiting):
        yield placed(rest)
