"""Numeric differentiation: difference quotients, the yardstick of every exact derivative.

The step of an entry x is ``h * max(1, |x|)``, rounded so that x + step is a floating point number.
With h = 1e-6 in float64 a forward difference is good to about 6 digits (error h f''/2), a central
one to about 9 (error h^2 f'''/6, and rounding of the order 1e-16 |f| / h).

Source: W. Press, S. Teukolsky, W. Vetterling and B. Flannery, Numerical Recipes (2007), 5.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import DifferentiationError

METHODS = ("central", "forward")


def difference_quotients(
    function: Callable[[list[Any]], Any],
    point: Sequence[np.ndarray],
    h: float = 1e-6,
    method: str = "central",
) -> list[np.ndarray]:
    """The gradient of a scalar function of several arrays, entry by entry.

    Args:
        function: takes a list of float64 arrays shaped like those of ``point``; returns a number.
        point: where to differentiate.
        h: the relative step (see above).
        method: ``"central"``, two evaluations an entry, or ``"forward"``, one.

    Returns:
        One float64 array for each array of ``point``, of its shape.

    Raises:
        DifferentiationError: for an unknown method or a step that is not positive.

    >>> difference_quotients(lambda arrays: (arrays[0] ** 2).sum(), [np.array([1.0, -3.0])])
    [array([ 2., -6.])]
    """
    if method not in METHODS:
        raise DifferentiationError(f"method is 'central' or 'forward', not {method!r}")
    if not h > 0:
        raise DifferentiationError(f"the step h is a positive number, not {h!r}")
    arrays = [np.array(array, np.float64) for array in point]
    middle = function(arrays) if method == "forward" else None
    return [
        _quotients_of_one(function, arrays, position, h, middle) for position in range(len(arrays))
    ]


def _quotients_of_one(
    function: Callable[[list[Any]], Any],
    arrays: list[np.ndarray],
    position: int,
    h: float,
    middle: Any,
) -> np.ndarray:
    """Quotients for the entries of one array; central ones where ``middle`` is None."""
    array = arrays[position]
    quotients = np.zeros(array.shape)

    def at(entry: tuple[int, ...], x: float) -> Any:
        moved = array.copy()
        moved[entry] = x
        return function([*arrays[:position], moved, *arrays[position + 1 :]])

    for entry in np.ndindex(array.shape):
        x = float(array[entry])
        step = h * max(1.0, abs(x))
        above, below = x + step, x if middle is not None else x - step
        lower_value = middle if middle is not None else at(entry, below)
        quotients[entry] = (at(entry, above) - lower_value) / (above - below)
    return quotients
