"""k-means: the sum of squared distances to the nearest centre, and Newton's direction.

The Hessian is diagonal: a point pulls at one centre, each coordinate by itself. So its product with
a vector of ones is its diagonal, and the direction is gradient / (H 1), one pass forward over one
reverse pass.

Source: L. Bottou and Y. Bengio, Convergence properties of the k-means algorithms (1994).
"""

from __future__ import annotations

from typing import Any

from objectives.problem import Library, Problem, generator


def value(library: Library, centres: Any, points: Any) -> Any:
    """The cost; |p - c|^2 is |p|^2 + |c|^2 - 2 p.c, a product of matrices."""
    np = library.numpy
    squares = np.sum(points**2, axis=1, keepdims=True) + np.sum(centres**2, axis=1)
    return np.sum(np.min(squares - 2 * points @ centres.T, axis=1))


def value_in_torch(torch: Any, centres: Any, points: Any) -> Any:
    """The same with PyTorch."""
    squares = torch.sum(points**2, dim=1, keepdim=True) + torch.sum(centres**2, dim=1)
    return torch.sum(torch.min(squares - 2 * points @ centres.T, dim=1).values)


def problem(k: int, n: int, d: int) -> Problem:
    """Uniform points; the last ones are the centres, so that each centre has a point."""
    points = generator().random((n, d))
    return Problem(
        "kmeans", f"{n} points, {d} dimensions, {k} centres", "newton",
        (points[-k:].copy(),), (points,), value, value_in_torch, bound=None,
    )  # fmt: skip


FULL = [{"k": 10, "n": 10_000, "d": 8}, {"k": 100, "n": 10_000, "d": 16}]
QUICK = [{"k": 4, "n": 60, "d": 3}]
