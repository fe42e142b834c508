"""How far apart cores are: whether they share a cache is told by how soon a line of it travels.

A virtual machine does not say so, and its cores may be moved while it runs.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path

from harness.libraries import compiler, load_library

SOURCE = Path(__file__).resolve().parent.parent / "round_trip.cpp"
# Cores that share a cache need about half of this, others twice as much.
WITHIN_A_CACHE = 2e-7
# So many turns take some milliseconds; of a few tries the best one was not disturbed.
TURNS, TRIES = 20_000, 3


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = load_library(SOURCE) if compiler() else None
    except (OSError, subprocess.CalledProcessError):
        return None
    if library is not None:
        library.round_trip.restype = ctypes.c_double
        library.round_trip.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int]
    return library


def round_trip() -> float | None:
    """Seconds that a line of the cache takes from one core to another and back.

    Of the cores this process may use, each and the next; the longest way counts.

    Returns:
        None where there is one core only, or no C++ compiler, or where cores cannot be named.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or (library := _library()) is None:
        return None
    return max(
        min(float(library.round_trip(first, second, TURNS)) for _ in range(TRIES))
        for first, second in pairwise(cores)
    )
