"""Files that are written whole or not at all, and never over another by accident."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

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
    if not os.access(folder, os.W_OK):
        raise TableError(f"{place} cannot be written: {folder} is closed to writing")


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """A text file that takes its place only when the block ends well.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(Path(folder, "a.txt")) as stream:
    ...         _ = stream.write("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    place = Path(path)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
        mask = os.umask(0)
        os.umask(mask)
        # Temporary files are for their owner alone; results are as other new files are.
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
