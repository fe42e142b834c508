"""Comparing a derivative with its yardstick, and saying where they part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import DifferentiationError


def relative_differences(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """|found - expected| / max(1, |found|, |expected|), entry by entry.

    Two NaN, or two infinities of one sign, do not differ; a number and a NaN differ infinitely.

    >>> relative_differences(np.array([1.0, 200.0, np.nan]), np.array([1.0, 100.0, 0.0]))
    array([0. , 0.5, inf])
    """
    with np.errstate(invalid="ignore"):
        scale = np.maximum(1.0, np.maximum(np.abs(found), np.abs(expected)))
        difference = np.where(found == expected, 0.0, np.abs(found - expected) / scale)
    difference = np.where(np.isnan(found) & np.isnan(expected), 0.0, difference)
    return np.where(np.isnan(difference), np.inf, difference)


def expect_equal(
    found: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
    names: Sequence[str],
    tolerance: float,
    what: str,
) -> None:
    """Raise where ``found`` and ``expected`` differ, naming the worst entry of all.

    Args:
        found: the derivatives under test, one array for each name.
        expected: the yardstick, of the same shapes.
        names: how to call each array, such as ``argument 1['w']``.
        tolerance: the largest relative difference that passes.
        what: the mode and order for the message, such as ``reverse mode, order 2``.

    Raises:
        DifferentiationError: with the argument, the entry, and both numbers.
    """
    worst, message = tolerance, ""
    for name, left, right in zip(names, found, expected, strict=True):
        differences = relative_differences(np.asarray(left), np.asarray(right))
        if differences.size and differences.max() > worst:
            entry = tuple(int(i) for i in np.unravel_index(differences.argmax(), differences.shape))
            worst = float(differences[entry])
            place = f"{name}[{', '.join(map(str, entry))}]" if entry else name
            wrong = int((differences > tolerance).sum())
            message = (
                f"{what}: the derivative with respect to {place} is {np.asarray(left)[entry]:.9g}, "
                f"but central differences give {np.asarray(right)[entry]:.9g} (relative difference "
                f"{worst:.2g}, tolerance {tolerance:.2g}; {wrong} of {differences.size} entries of "
                f"{name} differ)"
            )
    if message:
        raise DifferentiationError(message)
