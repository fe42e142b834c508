"""Tables, as text for a terminal and as Markdown for a document."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.machine import heading


@dataclass
class Table:
    """Rows of text under a title.

    Attributes:
        title: what the table shows.
        columns: the header.
        rows: one text for each column.
        notes: sentences under the table.
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def _lefts(self) -> list[bool]:
        """Which columns stand at the left: the first, and those that hold words."""
        return [
            number == 0 or not any(row[number][:1].isdigit() for row in self.rows)
            for number in range(len(self.columns))
        ]

    def text(self) -> str:
        """With columns aligned by spaces."""
        rows = [self.columns, *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        lefts = self._lefts()
        lines = [
            "  ".join(
                cell.ljust(width) if left else cell.rjust(width)
                for cell, width, left in zip(row, widths, lefts, strict=True)
            ).rstrip()
            for row in rows
        ]
        lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
        return "\n".join([self.title, "", *lines, *self.notes])

    def markdown(self) -> str:
        """As a Markdown section of level three."""
        rule = ["---" if left else "---:" for left in self._lefts()]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, *self.rows)]
        lines.insert(1, f"|{'|'.join(rule)}|")
        notes = "".join(f"\n{note}\n" for note in self.notes)
        return f"### {self.title}\n\n" + "\n".join(lines) + "\n" + notes


def duration(seconds: float) -> str:
    """A time with three digits and its unit.

    >>> duration(1.234e-6), duration(0.0456), duration(12.3)
    ('1.23 us', '45.6 ms', '12.3 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def _three_digits(value: float) -> str:
    return (
        f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
    )


def publish(
    tables: Sequence[Table],
    found: Sequence[Mapping[str, Any]],
    command: str,
    path: Path | None,
    name: str,
) -> None:
    """Print tables, and put them into a section of a document below what they were measured with.

    Args:
        tables: in order.
        found: the saved cells that they are made of; without any, nothing is written.
        command: how to measure them again.
        path: the document, or None.
        name: of the section; see ``write_section``.
    """
    for table in tables:
        print(f"\n{table.text()}")
    if path and found:
        in_order = sorted(found, key=lambda cell: str(cell["date"]))
        about = {**_machines(in_order), "versions": _versions(in_order)}
        head = heading(about, command, [cell["date"] for cell in found])
        write_section(path, name, "\n\n".join([head, *(t.markdown() for t in tables)]))


def _machines(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of each fact of the machines all values that cells were measured on, the first one first."""
    seen: dict[str, dict[str, None]] = {}
    for cell in found:
        for name, value in cell["about"].items():
            if name != "versions":
                seen.setdefault(name, {})[str(value)] = None
    return {name: " and ".join(values) for name, values in seen.items()}


def _versions(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of each library all versions that cells were measured with, the first one first."""
    seen: dict[str, dict[str, None]] = {}
    for cell in found:
        for name, version in cell["about"]["versions"].items():
            seen.setdefault(name, {})[version] = None
    return {name: " and ".join(versions) for name, versions in seen.items()}


def write_section(path: Path, name: str, text: str) -> None:
    """Put ``text`` between the marks of a section of a document; other parts stay as they are.

    The marks are the lines ``<!-- NAME -->`` and ``<!-- end of NAME -->``.

    Raises:
        SystemExit: where the document lacks the marks, with what to add.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    document = path.read_text(encoding="utf-8") if path.exists() else ""
    before, found, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise SystemExit(f"error: {path} has no place for the tables: add {begin} and {end} to it")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}")
        if path.exists():
            os.chmod(temporary, path.stat().st_mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
