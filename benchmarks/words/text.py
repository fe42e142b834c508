"""The text that is learned from: a slice of it as plain lines, for everybody."""

from __future__ import annotations

import lzma
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

# No sentence is longer: word2vec and fastText would cut it, each elsewhere.
LONGEST = 1000


def lines_of(path: Path | None) -> Iterator[list[str]]:
    """The words of each line; without a path, of the documentation in Python's own library."""
    if path is None:
        for source in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
            for line in source.read_text(encoding="utf-8", errors="replace").splitlines():
                yield "".join(c.lower() if c.isalpha() else " " for c in line).split()
        return
    opened = lzma.open if path.suffix == ".xz" else open
    try:
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            for line in file:
                yield line.split()
    except (OSError, EOFError, lzma.LZMAError) as error:
        sys.exit(f"error: {path} cannot be read: {error}")


def write_slice(path: Path | None, words: int, to: Path) -> int:
    """Write the first ``words`` words of a text, a sentence a line; returns how many there were.

    Args:
        path: the text, or None.
        words: how many at most; 0 for all.
        to: the file that is written.
    """
    count = 0
    with to.open("w", encoding="utf-8") as file:
        for line in lines_of(path):
            kept = line[: words - count] if words else line
            for start in range(0, len(kept), LONGEST):
                file.write(" ".join(kept[start : start + LONGEST]) + "\n")
            count += len(kept)
            if words and count >= words:
                break
    return count
