"""A command whose result is a file: it does its work to the end though nobody reads its output."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])


def also_unread(command: Command) -> Command:
    """Let a command go on where the reader of its output has gone, such as ``head``.

    Its file is what matters, and may have taken hours; the lines about it are lost on nobody.
    """

    @functools.wraps(command)
    def running(*arguments: Any, **options: Any) -> Any:
        with ExitStack() as streams:
            for name in ("stdout", "stderr"):
                streams.enter_context(_kept_open(name))
            return command(*arguments, **options)

    return running  # type: ignore[return-value]


class _MayBeUnread(io.RawIOBase):
    """A file descriptor whose text goes nowhere once its reader has gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            return os.write(self._descriptor, data)
        except BrokenPipeError:
            # From here on for all who write there, also after the command.
            silence(self._descriptor)
            return len(data)


@contextmanager
def _kept_open(name: str) -> Iterator[None]:
    """Put a stream of ``sys`` that may be unread in the place of one that is a file of the system.

    One that a program or a test has put there is left alone.
    """
    before = getattr(sys, name)
    # Under `python -u` there is no buffer between the text and the file.
    buffer = getattr(before, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(before, io.TextIOWrapper) or not isinstance(raw, io.FileIO):
        yield
        return
    before.flush()
    stream = io.TextIOWrapper(
        io.BufferedWriter(_MayBeUnread(before.fileno())),
        before.encoding,
        before.errors,
        line_buffering=before.line_buffering or raw is buffer,
    )
    setattr(sys, name, stream)
    try:
        yield
    finally:
        setattr(sys, name, before)
        stream.flush()


def silence(descriptor: int) -> None:
    """Let what is still written to a reader that has gone go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
