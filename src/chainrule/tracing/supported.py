"""The NumPy functions that can be traced: function -> its implementation on statements.

The modules ``numpy_*`` fill the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

UFUNCS: dict[Any, Callable[..., Any]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the decorated function as the traced form of NumPy ``functions``."""

    def enter(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return enter
