"""The cheapest way to carry one heap of weights to another: a linear programme."""

from __future__ import annotations

import numpy as np


def mover_distance(weights: np.ndarray, others: np.ndarray, distances: np.ndarray) -> float:
    """The least mean distance over which all of one heap becomes the other.

    Args:
        weights: (n,) of the places of one heap, positive.
        others: (m,) of those of the other.
        distances: (n, m).

    Source: Y. Rubner, C. Tomasi and L. Guibas (2000), The earth mover's distance as a metric for
    image retrieval. HiGHS solves it, through SciPy.

    >>> round(mover_distance(np.array([1, 1]), np.array([3]), np.array([[1.0], [2.0]])), 6)
    1.5
    """
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, kron, vstack

    n, m = distances.shape
    # All that leaves a place, and all that comes to one.
    leaving = kron(eye_array(n), np.ones((1, m)))
    coming = kron(np.ones((1, n)), eye_array(m))
    shares = np.concatenate([weights / weights.sum(), others / others.sum()])
    # The last sum follows from the others; rounding might contradict it.
    sums = vstack([leaving, coming]).tocsr()[:-1]
    solution = linprog(distances.ravel(), A_eq=sums, b_eq=shares[:-1], method="highs")
    return float(solution.fun)
