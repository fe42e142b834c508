"""word2vec's text form: a line with how many words and numbers, then a word a line."""

from __future__ import annotations

from chainrule.embed.formats.lines import read_lines, write_lines
from chainrule.embed.formats.table import Path, Policy, VectorTable


def read(path: Path, policy: Policy) -> VectorTable:
    """Read the file; see ``read_lines``."""
    return read_lines(path, policy, sized=True)


def write(path: Path, table: VectorTable) -> None:
    """Write the file; the counts are not in it."""
    write_lines(path, table.words, table.vectors, True, "word2vec's text form")
