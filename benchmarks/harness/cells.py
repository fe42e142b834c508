"""Measured cells of a table, kept in a file, so that a long table survives an interruption."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# A file beyond this is not one that was written here.
LARGEST_FILE = 64 << 20
Facts = Mapping[str, Any]


class Cells:
    """Cells by name and settings, in a JSON file that is replaced as a whole after each one.

    A cell is taken up again only where the machine, the versions and its settings are those it was
    measured with, or where those facts are that it is said to depend on.

    Args:
        path: the file; None keeps the cells in memory only.
        about: machine and versions, as ``about()`` gives them.
        fresh: whether to measure again what is there already.

    Raises:
        SystemExit: where the file is not one of saved cells, with what to do about it.
    """

    def __init__(self, path: Path | None, about: Mapping[str, Any], fresh: bool = False) -> None:
        self.path, self.about = path, dict(about)
        self._cells: dict[str, dict[str, Any]] = {}
        self._measured_here: set[str] = set()
        self._fresh = fresh
        if path is not None and path.exists():
            self._cells = _read(path)

    def key(self, name: str, settings: Mapping[str, Any], facts: Facts | None = None) -> str:
        """What a cell is filed under."""
        text = json.dumps([facts or self.about, name, settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def get(self, name: str, settings: Mapping[str, Any], facts: Facts | None = None) -> Any:
        """The value of a cell that was measured before; None where there is none."""
        key = self.key(name, settings, facts)
        if self._fresh and key not in self._measured_here:
            return None
        cell = self._cells.get(key)
        return None if cell is None else cell["value"]

    def put(
        self, name: str, settings: Mapping[str, Any], value: Any, facts: Facts | None = None
    ) -> None:
        """Keep a cell; the file has it when this returns."""
        key = self.key(name, settings, facts)
        self._measured_here.add(key)
        self._cells.pop(key, None)  # So that the last one stands last.
        self._cells[key] = {
            "name": name,
            "settings": dict(settings),
            "about": self.about,
            "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "value": value,
        }
        if self.path is not None:
            _write(self.path, {"cells": self._cells})

    def measured(
        self,
        name: str,
        settings: Mapping[str, Any],
        measure: Callable[[], Any],
        facts: Facts | None = None,
    ) -> tuple[Any, bool]:
        """(value of a cell, whether it was saved before); it is measured where it is not there.

        Args:
            name: of the cell.
            settings: everything that its value depends on beside machine and versions.
            measure: gives the value, as plain JSON: numbers, text, lists, dicts.
            facts: of machine and versions, those that its value depends on; default all.
        """
        value = self.get(name, settings, facts)
        if value is not None:
            return value, True
        value = measure()
        self.put(name, settings, value, facts)
        return value, False

    def newest(self, name: str) -> dict[str, Any] | None:
        """The last measured cell of a name, with its settings, machine, versions and date."""
        found = [cell for cell in reversed(self._cells.values()) if cell["name"] == name]
        return max(found, key=lambda cell: str(cell["date"]), default=None)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"it has more than {LARGEST_FILE >> 20} MB")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells.values():
            if not {"name", "settings", "about", "date", "value"} <= set(cell):
                raise ValueError("a cell in it is incomplete")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(
            f"error: {path} does not hold saved cells ({error}); delete it, or name another file "
            "with --cells"
        ) from None
    return dict(cells)


def _write(path: Path, contents: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(contents, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
