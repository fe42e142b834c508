"""The logarithm of a sum of exponentials, with the greatest term taken out: one long reduction."""

from __future__ import annotations

from typing import Any

from objectives.problem import Library, Problem, generator


def value(library: Library, x: Any) -> Any:
    """log(sum(exp(x))) for a vector."""
    np = library.numpy
    greatest = np.max(x)
    return greatest + np.log(np.sum(np.exp(x - greatest)))


def value_in_torch(torch: Any, x: Any) -> Any:
    """The same with PyTorch's own function."""
    return torch.logsumexp(x, dim=0)


def problem(entries: int) -> Problem:
    """A vector of uniform numbers."""
    x = generator().random(entries)
    return Problem("lse", f"{entries} entries", "gradient", (x,), (), value, value_in_torch)


FULL = [{"entries": 100_000}, {"entries": 1_280_000}]
QUICK = [{"entries": 2500}]
