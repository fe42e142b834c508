"""The windows of a piece of text: which words meet which targets.

Every draw is a function of (seed, epoch, position in the text), so this and the native core draw
the same windows, however the text is cut and whoever works on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_STREAM = 0xD1B54A32D192ED03
_ATTEMPTS = 8


@dataclass(frozen=True, eq=False)
class Group:
    """Windows that share their targets, usually one window.

    Attributes:
        contexts: for each window, the rows of the input table around its centre.
        centres: the word in the middle of each window.
        targets: rows of the output table; where there are several windows, first the centre of
            each, which counts for that window alone.
        labels: 1 for a target that is right, 0 for one that is wrong.
    """

    contexts: list[np.ndarray]
    centres: np.ndarray
    targets: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Windows:
    """All windows of a piece.

    Attributes:
        ids: the words that were kept, with those around the piece.
        window_ends: offset after the last window of each group.
        centres, firsts, lasts: of each window, its centre and its bounds as positions in ``ids``.
        target_ends: offset after the last target of each group.
        targets, labels: see ``Group``.
    """

    ids: np.ndarray
    window_ends: np.ndarray
    centres: np.ndarray
    firsts: np.ndarray
    lasts: np.ndarray
    target_ends: np.ndarray
    targets: np.ndarray
    labels: np.ndarray

    @classmethod
    def of_native(cls, parts: dict[str, bytes]) -> Windows:
        """What the native core drew."""
        kinds: dict[str, Any] = {"window_ends": np.int64, "target_ends": np.int64}
        kinds["labels"] = np.float32
        names = [field.name for field in fields(cls)]
        return cls(*(np.frombuffer(parts[name], kinds.get(name, np.int32)) for name in names))

    def __len__(self) -> int:
        return len(self.window_ends)

    def groups(self) -> Iterator[Group]:
        """The groups in order."""
        window = target = 0
        for window_end, target_end in zip(self.window_ends, self.target_ends, strict=True):
            inside = range(window, window_end)
            contexts = [
                np.delete(
                    self.ids[self.firsts[w] : self.lasts[w]], self.centres[w] - self.firsts[w]
                )
                for w in inside
            ]
            yield Group(
                contexts,
                self.ids[self.centres[window:window_end]],
                self.targets[target:target_end],
                self.labels[target:target_end],
            )
            window, target = int(window_end), int(target_end)


@dataclass(frozen=True, eq=False)
class Drawing:
    """How windows are drawn; the fields are those of the native core.

    Attributes:
        seed: of all draws.
        window: words on each side of a centre at most.
        shrink: whether the width is drawn from 1 to ``window``.
        negatives: wrong targets of each group.
        share: how many windows share them.
        uses: how many groups, far from each other, a drawn negative serves.
        centre: whether the centre itself is a target.
        paths: whether the nodes above it are.
        node_offset: the first node's row in the output table.
    """

    seed: int
    window: int
    shrink: bool
    negatives: int
    share: int
    uses: int
    centre: bool
    paths: bool
    node_offset: int

    def draw(
        self,
        ids: np.ndarray,
        ends: np.ndarray,
        keep: np.ndarray,
        alias: np.ndarray | None,
        paths: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
        epoch: int,
        begin: int,
        end: int,
    ) -> Windows:
        """The windows whose centres lie in [begin, end) of the text."""
        key = mixed(mixed((self.seed + _GOLDEN) & _MASK) + epoch)
        kept: list[int] = []
        positions: list[int] = []
        centres: list[int] = []
        firsts: list[int] = []
        lasts: list[int] = []
        window_ends: list[int] = []

        def bits_at(position: int) -> int:
            return _bits(key, position)

        def is_kept(position: int) -> bool:
            return bits_at(position) >> 32 <= int(keep[ids[position]])

        sentence = int(np.searchsorted(ends, begin, side="right"))
        while begin < end:
            start, stop = int(ends[sentence - 1]) if sentence else 0, int(ends[sentence])
            upto = min(end, stop)
            around = [p for p in range(begin, upto) if is_kept(p)]
            before: list[int] = []
            position = begin
            while position > start and len(before) < self.window:
                position -= 1
                if is_kept(position):
                    before.insert(0, position)
            after: list[int] = []
            position = upto
            while position < stop and len(after) < self.window:
                if is_kept(position):
                    after.append(position)
                position += 1
            base = len(kept)
            places = before + around + after
            kept += [int(ids[p]) for p in places]
            positions += places
            open_window = len(centres)
            for p in range(base + len(before), base + len(before) + len(around)):
                reach = self.window
                if self.shrink:
                    reach = 1 + ((bits_at(positions[p]) % 2**32 * self.window) >> 32)
                first, last = max(base, p - reach), min(base + len(places), p + reach + 1)
                if last - first == 1:
                    continue
                centres.append(p)
                firsts.append(first)
                lasts.append(last)
                if len(centres) - open_window == self.share:
                    window_ends.append(len(centres))
                    open_window = len(centres)
            if len(centres) > open_window:
                window_ends.append(len(centres))
            begin = upto
            sentence += 1
        targets: list[int] = []
        labels: list[float] = []
        target_ends: list[int] = []
        open_window = 0
        for close in window_ends:
            inside = centres[open_window:close]
            slot = positions[inside[0]] // self.share
            self._add_targets(inside, kept, key, slot, alias, paths, targets, labels)
            target_ends.append(len(targets))
            open_window = close
        return Windows(
            np.array(kept, np.int32),
            np.array(window_ends, np.int64),
            np.array(centres, np.int32),
            np.array(firsts, np.int32),
            np.array(lasts, np.int32),
            np.array(target_ends, np.int64),
            np.array(targets, np.int32),
            np.array(labels, np.float32),
        )

    def lag(self, kind: int) -> int:
        """How many slots before its own a group finds its negatives of a kind.

        A slot is as many words of the text as windows share negatives. Those of the first kind are
        drawn in the group's own slot. The steps grow, so that no two negatives meet twice, and are
        longer than a window.
        """
        return (2 * self.window + 3) * kind + 3 * kind * (kind - 1) // 2

    def _add_targets(
        self,
        centres: list[int],
        kept: list[int],
        key: int,
        slot: int,
        alias: np.ndarray | None,
        paths: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
        targets: list[int],
        labels: list[float],
    ) -> None:
        if self.centre:
            words = [kept[p] for p in centres]
            targets += words
            labels += [1.0] * len(words)
            fresh = -(-self.negatives // self.uses)
            for k in range(self.negatives):
                assert alias is not None
                position = (slot - self.lag(k // fresh)) * self.share
                random = mixed(_bits(key, position) + (k % fresh + 1) * _STREAM)
                for _ in range(_ATTEMPTS):
                    row = _alias_draw(alias, random)
                    if row not in words:
                        targets.append(row)
                        labels.append(0.0)
                        break
                    random = mixed(random)
        if self.paths:
            assert paths is not None
            ends, nodes, codes = paths
            word = kept[centres[0]]
            part = slice(int(ends[word - 1]) if word else 0, int(ends[word]))
            targets += (nodes[part] + self.node_offset).tolist()
            labels += (1.0 - codes[part]).tolist()


def mixed(x: int) -> int:
    """64 bits in which every bit depends on every bit of x: the finaliser of splitmix64."""
    x &= _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def _bits(key: int, position: int) -> int:
    return mixed(key + (position + 1) * _GOLDEN)


def _alias_draw(alias: np.ndarray, random: int) -> int:
    index = ((random >> 32) * len(alias)) >> 32
    entry = int(alias[index])
    return index if random % 2**32 < entry % 2**32 else entry >> 32
