"""GloVe's descent over the entries of a matrix of counts: the native core, or NumPy."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.embed.counts import MEMORY, CountError, empty
from chainrule.embed.tables import empty_table, table_of
from chainrule.embed.training import Runner
from chainrule.run import native

# Entries in a piece, on average: what is done before a training can stop.
PIECE = 2**19
# A piece has STRIPES x STRIPES cells; see ``arranged``.
STRIPES = 32
# Derivatives are cut off here, as in the authors' program.
LARGEST = 100.0

ENTRY = np.dtype(
    [("row", np.int32), ("column", np.int32), ("logarithm", np.float32), ("weight", np.float32)]
)
_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, eq=False)
class Entries:
    """A matrix of counts, dealt out.

    Attributes:
        entries: of the type ``ENTRY``, cell after cell.
        cell_ends: int64, where each cell ends.
    """

    entries: np.ndarray
    cell_ends: np.ndarray

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(eq=False)
class Side:
    """What is learned about the words as rows, or as columns.

    Attributes:
        vectors: a table of ``tables.empty_table``.
        sums: of the same shape, of squared steps, from 1 on.
        biases, bias_sums: a number for each word.
        frozen: uint8, 1 for each vector that must not change; or None.
    """

    vectors: np.ndarray
    sums: np.ndarray
    biases: np.ndarray
    bias_sums: np.ndarray
    frozen: np.ndarray | None = None

    @classmethod
    def fresh(cls, vectors: np.ndarray) -> Side:
        """Vectors that have not learned yet, shape (words, size)."""
        count, size = vectors.shape
        sums = empty_table(count, size)
        sums[:] = 1.0
        ones = np.ones(count, np.float32)
        return cls(table_of(vectors), sums, np.zeros(count, np.float32), ones)

    def native(self) -> tuple[Any, ...]:
        """As the core takes it."""
        return self.vectors, self.sums, self.biases, self.bias_sums, self.frozen


def arranged(
    counts: Any,
    *,
    x_max: float,
    alpha: float,
    seed: int,
    piece: int,
    memory: int = MEMORY,
    folder: str | os.PathLike[str] | None = None,
) -> Entries:
    """Deal out the entries of a matrix at random to pieces, and those of a piece to cells.

    The cell of an entry is given by the remainders of its row and column by ``STRIPES``. The
    ``STRIPES`` cells of a diagonal have no row and no column in common, so they can be worked off
    in any order, or at once, with the same result.

    Args:
        counts: scipy.sparse.csr_array of positive numbers.
        x_max, alpha: an entry has the weight min(count / x_max, 1)**alpha.
        seed: of the pieces.
        piece: entries in one, on average.
        memory: bytes; what is larger goes to a file in ``folder`` that vanishes with it.

    Raises:
        CountError: for counts below 0 or not finite; zeros are left out.
    """
    values = np.ascontiguousarray(counts.data, np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        raise CountError("counts must be finite and not below 0")
    if (values == 0).any():
        counts = counts.copy()
        counts.eliminate_zeros()
        values = np.ascontiguousarray(counts.data, np.float64)
    row_ends = np.ascontiguousarray(counts.indptr[1:], np.int64)
    columns = np.ascontiguousarray(counts.indices, np.int32)
    if not native.available():
        return _arranged_by_numpy(row_ends, columns, values, x_max, alpha, seed, piece)
    from chainrule._native import words

    entries = empty(len(values), ENTRY, memory, folder)
    cell_ends = np.empty(words.glove_cells(len(values), piece), np.int64)
    words.glove_arrange(
        row_ends, columns, values, x_max, alpha, seed, piece, entries.view(np.uint8), cell_ends
    )
    return Entries(entries, cell_ends)


def _arranged_by_numpy(
    row_ends: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    x_max: float,
    alpha: float,
    seed: int,
    piece: int,
) -> Entries:
    pieces = -(-len(values) // piece)
    rows = np.repeat(np.arange(len(row_ends)), np.diff(row_ends, prepend=0))
    keys = np.uint64(_key(seed, 0)) + np.arange(len(values), dtype=np.uint64)
    pieces_of = ((_mixed_all(keys) >> np.uint64(32)) * np.uint64(pieces)) >> np.uint64(32)
    cells_of = (columns - rows) % STRIPES * STRIPES + rows % STRIPES
    cells = pieces_of.astype(np.int64) * STRIPES**2 + cells_of
    order = np.argsort(cells, kind="stable")
    entries = np.empty(len(values), ENTRY)
    entries["row"], entries["column"] = rows[order], columns[order]
    entries["logarithm"] = np.log(values[order])
    entries["weight"] = np.minimum(values[order] / x_max, 1.0) ** alpha
    ends = np.cumsum(np.bincount(cells, minlength=pieces * STRIPES**2))
    return Entries(entries, ends.astype(np.int64))


def _mixed_all(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _mixed(x: int) -> int:
    return int(_mixed_all(np.array([x & _MASK], np.uint64))[0])


def _key(seed: int, purpose: int) -> int:
    return _mixed(_mixed(seed + _GOLDEN) + purpose)


def descent(
    entries: Entries, row: Side, column: Side, size: int, seed: int, workers: int
) -> Runner:
    """The faster implementation that is there."""
    if native.available():
        return NativeGloVe(entries, row, column, size, seed, workers)
    native.say_missing()
    return NumpyGloVe(entries, row, column, size, seed)


class NativeGloVe(Runner):
    """By the kernels of the native core; the same bits for any number of workers."""

    def __init__(
        self, entries: Entries, row: Side, column: Side, size: int, seed: int, workers: int
    ) -> None:
        from chainrule._native import words

        self._training = words.GloveTraining(
            row.native(),
            column.native(),
            size,
            row.vectors.shape[1],
            entries.entries.view(np.uint8),
            entries.cell_ends,
            seed,
            workers,
        )
        self.pieces: int = self._training.pieces

    def run(
        self, epoch: int, first: int, rate: float, final_rate: float, seconds: float
    ) -> tuple[int, float, int]:
        """See ``training.Runner``; the rate stays, as AdaGrad has steps that fall by themselves."""
        return self._training.run(epoch, first, rate, seconds)


class NumpyGloVe(Runner):
    """The same with NumPy, entry after entry."""

    def __init__(self, entries: Entries, row: Side, column: Side, size: int, seed: int) -> None:
        self._entries, self._size, self._seed = entries, size, seed
        self._row, self._column = row, column
        self.pieces: int = len(entries.cell_ends) // STRIPES**2

    def run(
        self, epoch: int, first: int, rate: float, final_rate: float, seconds: float
    ) -> tuple[int, float, int]:
        """See ``training.Runner``."""
        until = time.perf_counter() + seconds
        order, key = list(range(self.pieces)), _key(self._seed, 1 + epoch)
        for i in range(self.pieces, 1, -1):
            other = (_mixed(key + i) >> 32) * i >> 32
            order[i - 1], order[other] = order[other], order[i - 1]
        loss, count, piece = 0.0, 0, first
        ends = self._entries.cell_ends
        while piece < self.pieces:
            cell = order[piece] * STRIPES**2
            begin, end = ends[cell - 1] if cell else 0, ends[cell + STRIPES**2 - 1]
            for entry in self._entries.entries[begin:end]:
                loss += self._step(entry, rate)
            count += int(end - begin)
            piece += 1
            if time.perf_counter() >= until:
                break
        return piece, loss, count

    def _step(self, entry: np.void, rate: float) -> float:
        row, column = self._row, self._column
        i, j, logarithm, weight = entry.item()
        x, y = row.vectors[i, : self._size].copy(), column.vectors[j, : self._size].copy()
        difference = float(x @ y + row.biases[i] + column.biases[j]) - logarithm
        error = weight * difference
        for side, k, other in ((row, i, y), (column, j, x)):
            if side.frozen is None or not side.frozen[k]:
                step = rate * np.clip(error * other, -LARGEST, LARGEST)
                side.vectors[k, : self._size] -= step / np.sqrt(side.sums[k, : self._size])
                side.sums[k, : self._size] += step**2
            bias_step = min(max(error, -LARGEST), LARGEST)
            side.biases[k] -= bias_step / np.sqrt(side.bias_sums[k])
            side.bias_sums[k] += bias_step**2
        return 0.5 * error * difference
