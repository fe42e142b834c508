"""Parameters end to end in a few long vectors, so that an optimiser makes few calls on them.

An optimiser that treats every number alike does not care which parameter it belongs to. A network
of six small arrays then costs one pass of the update rule and not six.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from chainrule.nn.regularisers import is_offset

Arrays = dict[str, Any]


class Packing:
    """How parameters lie in vectors: one for each dtype, or two, for weights and for offsets.

    Args:
        arrays: the parameters by path.
        together: whether to join them; otherwise each stays an array of its own.
        by_kind: whether the optimiser tells weights and offsets apart.
        alone: paths of those that are not joined: tables that change in some of their rows.

    >>> packing = Packing({"a.weight": np.eye(2), "a.bias": np.zeros(2), "b.weight": np.ones(1)})
    >>> vectors = packing.pack({"a.weight": np.eye(2), "a.bias": np.zeros(2), "b.weight": [5.0]})
    >>> {name: vector.tolist() for name, vector in vectors.items()}
    {'float64.weight': [1.0, 0.0, 0.0, 1.0, 5.0], 'float64.bias': [0.0, 0.0]}
    >>> packing.unpack(vectors)["a.weight"].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(
        self,
        arrays: Arrays,
        together: bool = True,
        alone: Collection[str] = (),
        by_kind: bool = True,
    ) -> None:
        self.together = together
        self.alone = frozenset(alone)
        self.shapes = {path: tuple(np.shape(array)) for path, array in arrays.items()}
        self.groups: dict[str, list[str]] = {}
        for path, array in arrays.items():
            if path not in self.alone:
                group = f"{array.dtype}.{_kind(path)}" if by_kind else str(array.dtype)
                self.groups.setdefault(group, []).append(path)

    def pack(self, arrays: Arrays) -> Arrays:
        """The vectors, by dtype and kind, from arrays by path."""
        if not self.together:
            return dict(arrays)
        vectors = {
            group: np.concatenate([np.reshape(arrays[path], (-1,)) for path in paths])
            for group, paths in self.groups.items()
        }
        return vectors | {path: arrays[path] for path in self.alone}

    def unpack(self, vectors: Arrays) -> Arrays:
        """The arrays by path, as views of the vectors."""
        if not self.together:
            return dict(vectors)
        arrays = {path: vectors[path] for path in self.alone}
        for group, paths in self.groups.items():
            start = 0
            for path in paths:
                end = start + int(np.prod(self.shapes[path], dtype=int))
                arrays[path] = np.reshape(vectors[group][start:end], self.shapes[path])
                start = end
        return {path: arrays[path] for path in self.shapes}


def _kind(path: str) -> str:
    """The last name of the group's path: weight decay leaves offsets alone by their name."""
    return "bias" if is_offset(path) else "weight"
