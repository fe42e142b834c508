"""How many threads a run of the native executor may use."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

from chainrule.errors import ChainruleError

# The core takes no more.
MOST = 256
VARIABLES = ("CHAINRULE_THREADS", "OMP_NUM_THREADS")

_chosen: int | None = None


def threads(count: int | None = None) -> int:
    """How many threads the native executor may use; with ``count``, change that.

    Small operations run on one thread whatever the number is, and results do not depend on it,
    except in the last digits where products are so large that BLAS does them.

    Args:
        count: from now on, in all threads of this process. Before the first such call it is the
            environment variable ``CHAINRULE_THREADS``, else ``OMP_NUM_THREADS``, else the number of
            cores that this process may use.

    Returns:
        The number that holds now.

    Raises:
        ChainruleError: for what is no positive whole number.

    >>> before = threads()
    >>> threads(2), threads()
    (2, 2)
    >>> threads(before) == before
    True
    """
    global _chosen
    if count is not None:
        _chosen = checked(count)
    return _default() if _chosen is None else _chosen


def checked(count: object, where: str = "threads") -> int:
    """A number of threads, or an error that says where it came from.

    >>> checked(2)
    2
    """
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
        raise ChainruleError(f"{where} is {count!r}; it must be a whole number from 1 to {MOST}")
    return count


@cache
def _default() -> int:
    for name in VARIABLES:
        # OpenMP allows a list, one number for each level of nesting.
        value = os.environ.get(name, "").split(",")[0].strip()
        if value:
            number = int(value) if value.isdecimal() else value
            return checked(number, f"the environment variable {name}")
    return min(available_cores(), MOST)


def available_cores() -> int:
    """The cores that this process may use: by its affinity, and by the quota of its container.

    >>> 1 <= available_cores() <= os.cpu_count()
    True
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, math.ceil(min(cores, quota())))


def quota(root: Path = Path("/sys/fs/cgroup")) -> float:
    """The cores' worth of time that Linux's control groups grant; infinity where they do not say.

    >>> quota() > 0
    True
    """
    try:
        granted, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            granted = (root / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    if not granted.isdecimal() or not period.isdecimal() or int(period) == 0:  # "max", or -1
        return math.inf
    return int(granted) / int(period)
