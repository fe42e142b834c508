"""Numbers that are written to files, and what is said where a disk has no room for them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from chainrule.errors import ChainruleError

# A disk, or a user's share of it, is full; or files may not be as large as this one.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StoreError(ChainruleError, ValueError):
    """A folder with something else than the numbers of a text, or without room for them."""


@contextmanager
def room_in(folder: Path, what: str, needed: Callable[[], int], option: str = "") -> Iterator[None]:
    """Let a full disk be an error that says what to do.

    Args:
        folder: where files are written, as the user knows it.
        what: is written.
        needed: how many bytes it needs, about; asked where there is no room.
        option: what names another folder, beside TMPDIR.

    Raises:
        StoreError: where there is none.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StoreError(
            f"{folder}: {os.strerror(error.errno).lower()}: {what} needs about {needed():,} bytes "
            f"there, and {shutil.disk_usage(folder).free:,} are free; {another_folder(option)}"
        ) from error


def another_folder(option: str = "") -> str:
    """What to do where there is no room.

    >>> another_folder("cache=")
    'make room, or name a folder on another disk with cache= or TMPDIR in the environment'
    """
    names = f"{option} or TMPDIR" if option else "TMPDIR"
    return f"make room, or name a folder on another disk with {names} in the environment"


def write(file: IO[bytes], numbers: np.ndarray) -> None:
    """Write an array as it is in memory; ``tofile`` would not say why a disk takes no more.

    >>> import io
    >>> file = io.BytesIO()
    >>> write(file, np.array([1, 2], np.int8))
    >>> file.getvalue()
    b'\\x01\\x02'
    """
    file.write(np.ascontiguousarray(numbers).data)


def allocated(file: IO[bytes], bytes_: int) -> None:
    """Make an empty file so large, with its room on the disk taken where the system can do that.

    A mapped file without it would end the process where the disk is full.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, bytes_)
    else:
        file.truncate(bytes_)
