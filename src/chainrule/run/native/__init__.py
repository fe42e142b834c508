"""The native executor: a graph becomes an op list that the C++ core runs.

``arrays`` says where values lie, ``lowering`` turns statements into operations, ``memory`` places
what must be kept, and ``plan`` runs the whole.
"""

from __future__ import annotations

import os
import warnings
from functools import cache

from chainrule.errors import ExecutorWarning
from chainrule.graph.origin import current_origin


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


@cache
def say_missing() -> None:
    """Warn, once in a process, that NumPy serves since the core is not there.

    Who has named NumPy in the environment knows.
    """
    if os.environ.get("CHAINRULE_EXECUTOR") == "numpy":
        return
    text = (
        f"chainrule's native core cannot be used here ({why_not()}): NumPy runs everything, which "
        "takes several times as long for small networks. Installing chainrule where there is a C++ "
        "compiler builds it; CHAINRULE_EXECUTOR=numpy in the environment ends this warning"
    )
    origin = current_origin()
    if origin is None:
        warnings.warn(text, ExecutorWarning, stacklevel=2)
    else:
        warnings.warn_explicit(text, ExecutorWarning, origin.file, origin.line)
