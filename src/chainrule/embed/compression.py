"""Compressed files: told by what they begin with, read as the bytes that were compressed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chainrule.errors import ChainruleError

# How compressed files begin.
MAGIC = {
    b"\x1f\x8b\x08": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
# What bzip2 writes behind "BZh" and the size of its blocks; a text may begin with "BZh" as well.
BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
# How their names end.
ENDINGS = (".gz", ".bz2", ".xz", ".zst")


def compression_of(raw: Any) -> str | None:
    """What a buffered file at its beginning is compressed with, or None; it stays there."""
    head = raw.peek(16)[:16]
    for magic, kind in MAGIC.items():
        if head.startswith(magic) and (kind != "bzip2" or head[4:10] in BZIP2_BLOCKS):
            return kind
    return None


@contextmanager
def uncompressed(
    raw: Any, kind: str | None, damaged: Callable[[str], ChainruleError]
) -> Iterator[Any]:
    """A file's bytes as they were before they were compressed.

    Args:
        raw: the file.
        kind: what ``compression_of`` found; where that is None, the file itself is given.
        damaged: makes an error of what is wrong with a file that cannot be read to its end.
    """
    import bz2
    import gzip
    import lzma
    import zlib

    if kind == "gzip":
        stream: Any = gzip.GzipFile(fileobj=raw)
    elif kind == "bzip2":
        stream = bz2.BZ2File(raw)
    elif kind == "xz":
        stream = lzma.LZMAFile(raw)  # noqa: SIM115
    elif kind == "zstd":
        import pyarrow as pa

        stream = pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")
    else:
        stream = raw
    try:
        yield stream
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        # Errors of the disk have a number; others of these come from what decompresses.
        if not kind or isinstance(error, ChainruleError) or getattr(error, "errno", None):
            raise
        raise damaged(f"it is {kind} at first, but {error}") from error
