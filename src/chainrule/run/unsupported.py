"""What an executor says of work that it leaves to another one."""

from __future__ import annotations


class Unsupported(Exception):
    """The executor has no operation for a statement; the message says which part it lacks."""
