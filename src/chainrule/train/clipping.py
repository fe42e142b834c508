"""Gradient clipping: bounds on how large gradients may be, written as traceable NumPy code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.tracing.trees import Tree
from chainrule.train.optimisers import dense_gradient
from chainrule.train.rows import Rows

Clipping = Callable[[Any], Any]


def norm_of(gradients: Any) -> Any:
    """The length of all gradients together, as one vector, in float64.

    >>> norm_of([np.array([3.0]), np.array([4.0])])
    np.float64(5.0)
    """
    squares: Any = np.float64(0.0)
    for leaf in Tree(gradients).leaves:
        # float32 squares overflow where gradients pass 1e19.
        entries = leaf.once() if isinstance(leaf, Rows) else dense_gradient(leaf)
        squares = squares + np.sum(np.square(entries.astype(np.float64)))
    return np.sqrt(squares)


@dataclass(frozen=True)
class ClipNorm:
    """Scale all gradients down together where their norm is above ``limit``. Pascanu, Mikolov and
    Bengio, On the difficulty of training recurrent neural networks (2013).

    >>> [g.tolist() for g in ClipNorm(1.0)([np.array([3.0]), np.array([4.0])])]
    [[0.6000000000000001], [0.8]]
    """

    limit: float

    def __post_init__(self) -> None:
        _positive(self.limit)

    def __call__(self, gradients: Any) -> Any:
        """Gradients of the same structure whose norm is at most the limit."""
        norm = norm_of(gradients)
        # Where the norm is below the limit this is exactly 1.
        scale = self.limit / np.maximum(norm, self.limit)

        return Tree(gradients).map(_of_entries(lambda g: g * scale.astype(g.dtype)))


@dataclass(frozen=True)
class ClipValue:
    """Confine each entry of each gradient to [-limit, limit].

    >>> ClipValue(1.0)(np.array([0.5, -3.0])).tolist()
    [0.5, -1.0]
    """

    limit: float

    def __post_init__(self) -> None:
        _positive(self.limit)

    def __call__(self, gradients: Any) -> Any:
        """Gradients of the same structure with every entry confined."""

        def confined(gradient: Any) -> Any:
            limit = gradient.dtype.type(self.limit)
            return np.clip(gradient, -limit, limit)

        return Tree(gradients).map(_of_entries(confined))


def _of_entries(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A change of an array's entries for gradients of every kind; it leaves zeros alone."""

    def changed(gradient: Any) -> Any:
        if isinstance(gradient, Rows):
            return gradient.with_rows(change(gradient.rows))
        return change(dense_gradient(gradient))

    return changed


def keeps_rows(clip: Clipping | None) -> bool:
    """Whether a clipping takes gradients of table rows as ``Rows``; functions get arrays."""
    return clip is None or isinstance(clip, ClipNorm | ClipValue)


def clipping_of(given: float | Clipping | None) -> Clipping | None:
    """A clipping from a function, or from the largest norm as a number."""
    if given is None or callable(given):
        return given
    return ClipNorm(float(given))


def _positive(limit: float) -> None:
    if not limit > 0:
        raise ChainruleError(f"the limit of clipping must be positive, not {limit!r}")
