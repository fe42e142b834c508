"""Files that are never written over another by accident."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from chainrule.tabular.errors import TableError


def check_writable(path: str | os.PathLike[str], *, force: bool) -> None:
    """Refuse a path that cannot, or must not, be written; to be asked before the work.

    Raises:
        TableError: it exists and `force` is not given, it is a directory, or its folder is
            missing or closed to writing.

    >>> check_writable("/", force=True)
    Traceback (most recent call last):
        ...
    chainrule.tabular.errors.TableError: / is a directory: give the path of a file
    """
    place = Path(path)
    folder = place.parent
    if place.is_dir():
        raise TableError(f"{place} is a directory: give the path of a file")
    if place.exists() and not force:
        raise TableError(f"{place} exists: give another name, or --force to overwrite it")
    if not folder.is_dir():
        raise TableError(f"{folder} is not a directory: make it first")
    try:
        # Whoever may do anything still cannot write everywhere, so it is tried.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise TableError(
            f"{place} cannot be written: {folder} is closed to writing ({error.strerror})"
        ) from None
