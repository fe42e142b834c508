"""Compressed files of vectors: their beginning, and all of them in a temporary file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import IO, Any

from chainrule.embed.compression import ENDINGS, compression_of, uncompressed
from chainrule.embed.disk import room_in
from chainrule.embed.vector_errors import VectorsError

Path = str | os.PathLike[str]

# Bytes that are unpacked at a time.
CHUNK = 1 << 20
# Vectors become a few times smaller, not a hundred times. What grows so much, and beyond this
# size, was made to fill a disk.
LARGEST_GROWTH = 100
UNSUSPICIOUS = 1 << 30


def kind_of(path: Path) -> str | None:
    """What a file is compressed with, or None."""
    with open(path, "rb") as raw:
        return compression_of(raw)


def plain_name(path: Path) -> FilePath:
    """The name of a file without the ending of a compressed one.

    >>> plain_name("news.vec.gz").name, plain_name("news.vec").name
    ('news.vec', 'news.vec')
    """
    name = FilePath(path)
    return name.with_suffix("") if name.suffix.lower() in ENDINGS else name


def beginning(path: Path, size: int) -> bytes:
    """The first bytes of what a compressed file holds, ``size`` of them at most."""
    with open(path, "rb") as raw, uncompressed(raw, compression_of(raw), _damaged(path)) as stream:
        head = b""
        while len(head) < size and (chunk := stream.read(size - len(head))):
            head += chunk
        if not head:
            raise VectorsError(f"{path} is empty, but for what compression adds")
        return head


@contextmanager
def unpacked(path: Path, raw: Any) -> Iterator[IO[bytes]]:
    """A file, or where it is compressed a temporary one with what it holds.

    Args:
        path: the file's name, for messages.
        raw: the file, open at its beginning.

    Raises:
        VectorsError: for a file that is damaged, or grows beyond all that vectors do.
        StoreError: where there is no room for the temporary one.
    """
    kind = compression_of(raw)
    if kind is None:
        yield raw
        return
    done, packed = 0, os.path.getsize(path)
    folder = FilePath(tempfile.gettempdir())

    def needed() -> int:
        return max(done, packed) * packed // max(raw.tell(), 1)

    # Without a buffer there is nothing left to be written where the disk was full.
    with tempfile.TemporaryFile(buffering=0) as whole:
        with (
            room_in(folder, f"what {path} holds, unpacked,", needed),
            uncompressed(raw, kind, _damaged(path, lambda: done)) as stream,
        ):
            while chunk := stream.read(CHUNK):
                rest = memoryview(chunk)
                while len(rest):
                    rest = rest[whole.write(rest) :]
                done += len(chunk)
                if done > UNSUSPICIOUS and done > LARGEST_GROWTH * packed:
                    raise VectorsError(
                        f"{path}: its {packed:,} bytes hold more than {LARGEST_GROWTH} times as "
                        "many, which no vectors do"
                    )
        if not done:
            raise VectorsError(f"{path} is empty, but for what compression adds")
        yield whole


def _damaged(path: Path, offset: Callable[[], int] = lambda: 0) -> Callable[[str], VectorsError]:
    def error(why: str) -> VectorsError:
        place = f", offset {offset()} of what it holds" if offset() else ""
        return VectorsError(f"{path}{place}: the file is damaged: {why}")

    return error
