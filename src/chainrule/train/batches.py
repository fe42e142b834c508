"""Training data as arrays of the network's dtype, checked once, and its mini-batches."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, ShapeError
from chainrule.nn.checks import InputError, at_line
from chainrule.run.native.shuffling import shuffle_rows
from chainrule.tracing.trees import Tree


class Dataset:
    """Examples with their targets and, where given, their weights.

    Args:
        data: (inputs, targets) or (inputs, targets, weights). Inputs are an array whose first axis
            counts examples, or arrays nested in a tuple, list or dict, as the network takes them.
        dtype: to which real numbers are converted; integers stay integers.
        name: how messages call the data.

    Raises:
        ShapeError: where arrays have different numbers of examples, or there are none.
        InputError: for arrays that do not hold numbers.
        ChainruleError: for NaN and infinite values, naming the first.
    """

    # (seed, number, orders of some epochs) that were drawn last.
    _orders: tuple[int, int, np.ndarray] | None = None

    def __init__(self, data: Any, dtype: Any, name: str = "data") -> None:
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise InputError(
                f"{name} must be (inputs, targets) or (inputs, targets, weights), not "
                f"{_described(data)}{at_line()}"
            )
        inputs, targets, weights = (*data, None)[:3]
        self.name = name
        inputs = as_arrays(inputs)
        tree = Tree(inputs)
        if not isinstance(inputs, tuple | list | dict) and np.ndim(inputs) == 1:
            count = len(inputs)
            raise ShapeError(
                f"{name}: the inputs have shape ({count},), but need an axis for examples and one "
                f"for features; for {count} examples with one feature each give "
                f"x[:, np.newaxis], for one example x[np.newaxis]{at_line()}"
            )
        self.inputs = tree.rebuild(
            [
                _numbers(leaf, dtype, f"{name}: inputs{path}")
                for leaf, path in zip(tree.leaves, tree.paths, strict=True)
            ]
        )
        self.targets = _numbers(targets, dtype, f"{name}: targets")
        self.weights = None
        if weights is not None:
            self.weights = _numbers(weights, dtype, f"{name}: weights").astype(dtype)
            if self.weights.size and self.weights.min() < 0:
                raise ChainruleError(f"{name}: weights must not be negative{at_line()}")
        counts = {path or "inputs": np.shape(leaf) for path, leaf in self._leaves()}
        lengths = {shape[0] if shape else None for shape in counts.values()}
        if len(lengths) != 1 or None in lengths:
            listed = ", ".join(f"{path} {shape}" for path, shape in counts.items())
            raise ShapeError(
                f"{name}: the first axis of every array counts examples, but the shapes are "
                f"{listed}{at_line()}"
            )
        self.count: int = lengths.pop() or 0
        if self.count == 0:
            raise ShapeError(f"{name}: there are no examples{at_line()}")

    def _leaves(self) -> Iterator[tuple[str, Any]]:
        tree = Tree(self.inputs)
        yield from (
            (f"inputs{path}", leaf) for path, leaf in zip(tree.paths, tree.leaves, strict=True)
        )
        yield "targets", self.targets
        if self.weights is not None:
            yield "weights", self.weights

    def rows(self, positions: Any) -> tuple[Any, Any, Any]:
        """(inputs, targets, weights) of the examples at ``positions``, an array or a slice."""
        inputs = Tree(self.inputs).map(lambda leaf: leaf[positions])
        weights = None if self.weights is None else self.weights[positions]
        return inputs, self.targets[positions], weights

    def split(self, share: float, seed: int) -> tuple[Dataset, Dataset]:
        """(the rest, a random ``share`` of the examples), disjoint.

        Raises:
            ChainruleError: where one of the two would be empty.
        """
        held = round(self.count * share)
        if not 0 < held < self.count:
            raise ChainruleError(
                f"validation={share!r} holds {held} of {self.count} examples out; give a share "
                f"between 0 and 1 that leaves some on both sides{at_line()}"
            )
        order = np.random.default_rng([seed, _SPLIT]).permutation(self.count)
        return self._taken(np.sort(order[held:])), self._taken(np.sort(order[:held]))

    def _taken(self, positions: Any) -> Dataset:
        part = object.__new__(Dataset)
        part.name, part.count = self.name, len(positions)
        part.inputs, part.targets, part.weights = self.rows(positions)
        return part

    def batches(
        self, size: int, seed: int, epoch: int, shuffle: bool = True, drop_last: bool = False
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Mini-batches of one epoch. Their order depends on (seed, epoch) and on nothing else."""
        order = self.order(size, seed, epoch, shuffle, drop_last)
        for start in range(0, len(order), size):
            yield self.rows(order[start : start + size])

    def order(
        self, size: int, seed: int, epoch: int, shuffle: bool = True, drop_last: bool = False
    ) -> np.ndarray:
        """The positions of the examples of one epoch, in the order in which batches take them."""
        order = self._shuffled(seed, epoch) if shuffle else np.arange(self.count)
        end = self.count - self.count % size if drop_last and self.count >= size else self.count
        return order[:end]

    def _shuffled(self, seed: int, epoch: int) -> np.ndarray:
        """All positions in an epoch's random order.

        Orders of few examples are drawn for several epochs at once: setting up a generator takes
        longer than shuffling them.
        """
        together = max(_DRAWN // self.count, 1)
        number, row = divmod(epoch, together)
        if self._orders is None or self._orders[:2] != (seed, number):
            drawn = np.tile(np.arange(self.count, dtype=np.int64), (together, 1))
            shuffle_rows(drawn, np.random.default_rng([seed, _SHUFFLE, number]))
            drawn.flags.writeable = False
            self._orders = seed, number, drawn
        return self._orders[2][row]

    def fingerprint(self) -> str:
        """A short text that changes when the data do."""
        checksum = 0
        for path, leaf in self._leaves():
            checksum = zlib.crc32(f"{path}{leaf.shape}{leaf.dtype}".encode(), checksum)
            checksum = zlib.crc32(np.ascontiguousarray(leaf).view(np.uint8).data, checksum)
        return f"{self.count} examples, {checksum:08x}"


def as_arrays(inputs: Any) -> Any:
    """Lists of numbers as an array; arrays, and lists, tuples and dicts of arrays, as they are."""
    if isinstance(inputs, list | tuple) and not any(
        hasattr(leaf, "shape") for leaf in Tree(inputs).leaves
    ):
        try:
            return np.asarray(inputs)
        except ValueError:
            raise InputError(
                "the inputs are rows of different lengths; every example needs the same number of "
                f"features{at_line()}"
            ) from None
    return inputs


# Different streams of one seed.
_SHUFFLE, _SPLIT = 1, 2
# How many positions are drawn at least.
_DRAWN = 8192


def _numbers(values: Any, dtype: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind == "b":
        array = array.astype(dtype)
    if array.dtype.kind in "iu":
        return array
    if array.dtype.kind != "f":
        raise InputError(
            f"{name} hold {array.dtype}, not numbers; encode categories as numbers first{at_line()}"
        )
    array = np.asarray(array, dtype)
    if not np.isfinite(array).all():
        wrong = np.argwhere(~np.isfinite(array))
        first = tuple(int(i) for i in wrong[0])
        place = f"row {first[0]}" + (f", column {first[1]}" if len(first) > 1 else "")
        raise ChainruleError(
            f"{name} hold {array[first]} in {place} ({len(wrong)} such value"
            f"{'s' * (len(wrong) != 1)} in all, as {array.dtype}); fill in or leave out what is "
            f"missing before training{at_line()}"
        )
    return array


def _described(data: Any) -> str:
    if isinstance(data, np.ndarray):
        return f"an array of shape {data.shape}"
    if isinstance(data, tuple | list):
        return f"a {type(data).__name__} of {len(data)}"
    return type(data).__name__
