"""The native executor: a graph becomes an op list that the C++ core runs.

``arrays`` says where values lie, ``lowering`` turns statements into operations, ``memory`` places
what must be kept, and ``plan`` runs the whole.
"""

from __future__ import annotations

from functools import cache


@cache
def why_not() -> str:
    """Why the native core cannot be used here; empty where it can."""
    try:
        import chainrule._native as _native  # noqa: F401
    except ImportError as error:
        return str(error)
    return ""


def available() -> bool:
    """Whether the extension is built and loads."""
    return not why_not()
