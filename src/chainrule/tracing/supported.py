"""The NumPy functions that can be traced: function -> its implementation on statements.

``numpy_functions`` and ``numpy_linear_algebra`` fill the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

UFUNCS: dict[Any, Callable[..., Any]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
