"""A determinant by expansion along the first row, minors of minors down to single entries.

``value`` expands all minors of a size at once. It does the arithmetic of the recursion, no less: a
minor that two expansions share is computed for each of them, e times l! products for l rows.
``recursive_value`` is the recursion itself, one number at a time, which shows what a scalar
operation costs.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import permutations
from typing import Any

import numpy

from objectives.problem import Library, Problem, generator


@cache
def levels(rows: int) -> tuple[numpy.ndarray, ...]:
    """For each row, the columns that its expansions pick: (minors to expand, columns left)."""
    orders = numpy.array(list(permutations(range(rows))))
    picked = []
    for row in range(rows):
        repeats = math.factorial(rows - row - 1)
        picked.append(orders[::repeats, row].reshape(-1, rows - row))
    return tuple(picked)


def value(library: Library, a: Any) -> Any:
    """The determinant of a square matrix."""
    np = library.numpy
    *above, last = levels(a.shape[0])
    minors = a[-1, last]
    for row, picked in reversed(list(enumerate(above))):
        signs = (-1.0) ** numpy.arange(picked.shape[1])
        minors = np.sum(a[row, picked] * signs * minors.reshape(picked.shape), axis=1)
    return minors[0]


def value_in_torch(torch: Any, a: Any) -> Any:
    """The same with PyTorch."""
    *above, last = map(torch.from_numpy, levels(a.shape[0]))
    minors = a[-1, last]
    for row, picked in reversed(list(enumerate(above))):
        signs = (-1.0) ** torch.arange(picked.shape[1])
        minors = torch.sum(a[row, picked] * signs * minors.reshape(picked.shape), dim=1)
    return minors[0]


def recursive_value(library: Any, a: Any) -> Any:
    """The determinant by recursion; every library runs this text."""

    def expanded(row: int, columns: tuple[int, ...]) -> Any:
        if len(columns) == 1:
            return a[row, columns[0]]
        total: Any = 0.0
        for position, column in enumerate(columns):
            rest = columns[:position] + columns[position + 1 :]
            term = a[row, column] * expanded(row + 1, rest)
            total = total + term if position % 2 == 0 else total - term
        return total

    return expanded(0, tuple(range(a.shape[0])))


def problem(rows: int, recursive: bool = False) -> Problem:
    """A matrix of uniform numbers."""
    a = generator().random((rows, rows))
    size = f"{rows} x {rows}" + (", recursive" if recursive else "")
    functions = (recursive_value,) * 2 if recursive else (value, value_in_torch)
    return Problem("det", size, "gradient", (a,), (), *functions)


FULL = [{"rows": 5, "recursive": True}, {"rows": 7}, {"rows": 9}]
QUICK = [{"rows": 4, "recursive": True}, {"rows": 5}]
