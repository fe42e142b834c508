"""Neighbours in a stored text: counted, and joined into one word each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from chainrule.embed.disk import write
from chainrule.embed.store import BLOCK, Store, Temporary, read_store, write_table
from chainrule.embed.tally import Tally, restored


def pair_counts(
    store: Store,
    possible: Callable[[np.ndarray, np.ndarray], np.ndarray],
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often words stand next to each other in a line.

    Args:
        store: the text.
        possible: says of pairs, two arrays of places, which ones are counted.
        progress: whether to say how far it is.

    Returns:
        First and second places, int64, and counts, int64, of the pairs that were there.
    """
    size = len(store.table)
    keys, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    with closing(_neighbours(store, "counting pairs", progress)) as neighbours:
        for _, block, following, within in neighbours:
            first, second = block[within].astype(np.int64), following[within].astype(np.int64)
            kept = possible(first, second)
            waiting.append(np.unique(first[kept] * size + second[kept], return_counts=True))
            # Merged when as much is new as was there: each count is moved a few times only.
            if sum(len(new) for new, _ in waiting) > len(keys):
                keys, counts = _merged([(keys, counts), *waiting])
                waiting = []
    keys, counts = _merged([(keys, counts), *waiting])
    return keys // max(size, 1), keys % max(size, 1), counts


def _merged(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    all_keys = np.concatenate([keys for keys, _ in parts])
    all_counts = np.concatenate([counts for _, counts in parts])
    order = np.argsort(all_keys, kind="stable")
    all_keys = all_keys[order]
    starts = np.flatnonzero(np.diff(all_keys, prepend=-1))
    if not len(starts):
        return all_keys, all_counts
    return all_keys[starts], np.add.reduceat(all_counts[order], starts)


def _neighbours(
    store: Store, task: str, progress: bool
) -> Generator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """For each block: its offset, its ids, the ids behind them, and which two are in one line.

    The last word of the text has none behind it; its place is filled with -1.
    """
    for start, block in store.blocks(task, progress):
        stop = start + len(block)
        following = np.append(block[1:], store.ids[stop : stop + 1])
        following = np.append(following, np.full(len(block) - len(following), -1, np.int32))
        within = (block >= 0) & (following >= 0)
        low = np.searchsorted(store.ends, start, "right")
        high = np.searchsorted(store.ends, stop, "right")
        within[store.ends[low:high] - 1 - start] = False
        yield start, block, following, within


def joined(
    store: Store, pairs: Sequence[tuple[str, str]], delimiter: str, progress: bool = False
) -> Store:
    """The text with pairs of words made one word, from left to right, no word in two of them.

    Args:
        store: the text.
        pairs: the words to join.
        delimiter: is put between them.
        progress: whether to say how far it is.

    Returns:
        Another text, in a temporary folder; its words are numbered as they come.
    """
    size = len(store.table)
    places = [store.table.find([pair[side] for pair in pairs]) for side in (0, 1)]
    known = (places[0] >= 0) & (places[1] >= 0)
    first, second = (side[known].astype(np.int64) for side in places)
    names = [delimiter.join(pair) for pair, there in zip(pairs, known, strict=True) if there]
    table = restored(*store.table.dump(), store.table.counts())
    keys = first * size + second
    order = np.argsort(keys)
    keys, numbers = keys[order], table.add(names)[order]
    begins, goes_on = np.zeros(size, bool), np.zeros(size, bool)
    begins[first], goes_on[second] = True, True

    owner = Temporary()
    folder = owner.path
    appearing = _Appearing(len(table))
    written = line = 0
    used = False  # whether a phrase of the block before has the first word of this one
    with (
        closing(_neighbours(store, "joining phrases", progress)) as neighbours,
        open(folder / "ids", "wb") as ids_file,
        open(folder / "ends", "wb") as ends_file,
    ):
        for start, block, following, within in neighbours:
            found = np.flatnonzero(within & begins[block] & goes_on[following])
            key = block[found].astype(np.int64) * size + following[found]
            rule = np.minimum(np.searchsorted(keys, key), max(len(keys) - 1, 0))
            is_rule = keys[rule] == key
            found, rule = found[is_rule], rule[is_rule]
            if used and len(found) and not found[0]:
                found, rule = found[1:], rule[1:]
            taken = _every_other(found)
            kept = np.ones(len(block) + 1, bool)
            kept[0] = not used
            kept[found[taken] + 1] = False
            used = not kept[-1]
            result = block.copy()
            result[found[taken]] = numbers[rule[taken]]
            result = result[kept[:-1]]
            appearing.see(result)
            write(ids_file, result)
            before = np.concatenate([[0], np.cumsum(kept[:-1])])
            next_line = int(np.searchsorted(store.ends, start + len(block), "right"))
            write(ends_file, written + before[store.ends[line:next_line] - start])
            line, written = next_line, written + len(result)
        write(ends_file, np.full(len(store.ends) - line, written, np.int64))
    write_table(folder, appearing.renumbered(table, folder / "ids"), 0)
    return read_store(folder, owner)[0]


def _every_other(places: np.ndarray) -> np.ndarray:
    """Which of these rising numbers are the first, third, ... of a run without gaps.

    >>> _every_other(np.array([3, 4, 5, 9, 11, 12])).tolist()
    [True, False, True, True, True, False]
    """
    index = np.arange(len(places))
    runs = np.where(np.diff(places, prepend=-2) > 1, index, 0)
    return (index - np.maximum.accumulate(runs)) % 2 == 0


class _Appearing:
    """In which order words appear in a text that is being written, and how often."""

    def __init__(self, size: int) -> None:
        self.counts = np.zeros(size, np.int64)
        self.order: list[np.ndarray] = []

    def see(self, ids: np.ndarray) -> None:
        ids = ids[ids >= 0]
        new, first = np.unique(ids[self.counts[ids] == 0], return_index=True)
        self.order.append(new[np.argsort(first)])
        self.counts += np.bincount(ids, minlength=len(self.counts))

    def renumbered(self, table: Tally, path: Path) -> Tally:
        """The words that appear, numbered as they do; the file of ids is changed to match."""
        order = np.concatenate([np.zeros(0, np.int32), *self.order]).astype(np.int32)
        new = np.full(len(self.counts) + 1, -1, np.int32)
        new[order] = np.arange(len(order), dtype=np.int32)
        if path.stat().st_size:
            ids = np.memmap(path, np.int32, "r+")
            for start in range(0, len(ids), BLOCK):
                ids[start : start + BLOCK] = new[ids[start : start + BLOCK]]
            ids.flush()
        table.keep(order)
        return restored(*table.dump(), self.counts[order])
