"""Files that are there to be read, and files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def check_file(path: str | os.PathLike[str], error: type[Exception]) -> None:
    """Raise ``error`` for a path where there is nothing, and for a directory.

    >>> check_file("/", ValueError)
    Traceback (most recent call last):
        ...
    ValueError: / is a directory: give the path of a file
    """
    if not os.path.exists(path):
        raise error(f"{path}: there is no such file")
    if os.path.isdir(path):
        raise error(f"{path} is a directory: give the path of a file")


@contextmanager
def written_whole(path: str | os.PathLike[str], mode: str = "w") -> Iterator[Any]:
    """A file that takes its place only when the block ends well: "w" for text, "wb" for bytes.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(Path(folder, "a.txt")) as stream:
    ...         _ = stream.write("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    place = Path(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    except OSError as error:
        error.filename = os.fspath(place)
        raise
    try:
        with os.fdopen(handle, mode, **text) as stream:  # type: ignore[call-overload]
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        # Temporary files are for their owner alone; results are as other new files are.
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, place)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        # A full disk does not say which file it was that had no room.
        unnamed = (None, temporary)
        if isinstance(error, OSError) and error.errno is not None and error.filename in unnamed:
            error.filename = os.fspath(place)
        raise
