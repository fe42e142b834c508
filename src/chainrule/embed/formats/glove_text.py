"""GloVe's text form: a word a line, without a line of sizes before them."""

from __future__ import annotations

from chainrule.embed.formats.lines import read_lines, write_lines
from chainrule.embed.formats.table import Path, Policy, VectorTable


def read(path: Path, policy: Policy) -> VectorTable:
    """Read the file; the first line says how many numbers there are. See ``read_lines``."""
    return read_lines(path, policy, sized=False)


def write(path: Path, table: VectorTable) -> None:
    """Write the file; the counts are not in it."""
    write_lines(path, table.words, table.vectors, False, "GloVe's text form")
