"""Where a statement came from: the user's line and the path of the module that was running.

Every statement remembers the line of user code that built it, so that an error or a trace can name
it. A derivative statement has no line of its own: it inherits the origin of the statement that it
differentiates.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import numpy as np

_FOLDERS = (Path(__file__).resolve().parent.parent, Path(np.__file__).parent)
_OWN_FOLDERS = tuple(f"{folder}{os.sep}" for folder in _FOLDERS)


class Origin(NamedTuple):
    """A line of user code and the module path (``"layers[0]"``) that was active there."""

    file: str
    line: int
    function: str
    path: str = ""

    @property
    def source(self) -> str:
        """The text of the line, empty where the file cannot be read (an interactive prompt)."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        module = f" in {self.path}" if self.path else ""
        return f"{place}{module}" + (f": {self.source}" if self.source else "")


_inherited: ContextVar[Origin | None] = ContextVar("inherited_origin", default=None)
_path: ContextVar[str] = ContextVar("module_path", default="")
_is_own: dict[str, bool] = {}
# By the identity of the code object, whose hash is slow; the entry keeps the object alive.
_known: dict[tuple[int, int, str], tuple[CodeType, Origin]] = {}


def current_origin() -> Origin | None:
    """The origin to give to a statement built now: an inherited one, else the user's line."""
    inherited = _inherited.get()
    if inherited is not None:
        return inherited
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        own = _is_own.get(code.co_filename)
        if own is None:
            own = _is_own[code.co_filename] = code.co_filename.startswith(_OWN_FOLDERS)
        if not own:
            key = (id(code), frame.f_lasti, _path.get())
            known = _known.get(key)
            if known is not None:
                return known[1]
            origin = Origin(code.co_filename, frame.f_lineno, code.co_name, key[2])
            _known[key] = (code, origin)
            return origin
        frame = frame.f_back  # type: ignore[assignment]
    return None


def inherit_origin(origin: Origin | None) -> None:
    """Give ``origin`` to all statements built from now on; None returns to the user's lines."""
    _inherited.set(origin)


@contextmanager
def preserved_origin() -> Iterator[None]:
    """Restore, at the end of the block, the inherited origin that was in force at its start."""
    token = _inherited.set(_inherited.get())
    try:
        yield
    finally:
        _inherited.reset(token)


@contextmanager
def module_path(name: str) -> Iterator[str]:
    """Run a block as part of the module ``name``; nested names are joined by dots."""
    outer = _path.get()
    inner = name if not outer else f"{outer}{name}" if name.startswith("[") else f"{outer}.{name}"
    token = _path.set(inner)
    try:
        yield inner
    finally:
        _path.reset(token)


def current_path() -> str:
    """The path of the module whose call is running now, empty outside of every module."""
    return _path.get()
