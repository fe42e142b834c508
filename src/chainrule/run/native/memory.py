"""Where everything lies: buffers, and one arena in which values follow one another.

A value takes its place when it is first written and leaves it after it is last read; a chain may
write a result over an operand that it reads for the last time.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import chainrule._native as _native
from chainrule.run.native.arrays import Array, Storage, core_dtype
from chainrule.run.native.operations import Chain, Operation

ALIGNMENT = 64


class Arena:
    """Hands out ranges of bytes: the first gap that is large enough.

    >>> arena = Arena()
    >>> first, second = arena.take(100), arena.take(10)
    >>> arena.give(first, 100)
    >>> first, second, arena.take(64), arena.size
    (0, 128, 0, 192)
    """

    def __init__(self) -> None:
        self.size = 0
        self._gaps: list[tuple[int, int]] = []  # (start, end), in order

    def take(self, nbytes: int) -> int:
        """The start of a range."""
        needed = _rounded(nbytes)
        for i, (start, end) in enumerate(self._gaps):
            if end - start >= needed:
                self._gaps[i : i + 1] = [(start + needed, end)] if end - start > needed else []
                return start
        start = self.size
        if self._gaps and self._gaps[-1][1] == self.size:
            start = self._gaps.pop()[0]
        self.size = start + needed
        return start

    def give(self, start: int, nbytes: int) -> None:
        """Take a range back."""
        merged: list[tuple[int, int]] = []
        for gap in sorted([*self._gaps, (start, start + _rounded(nbytes))]):
            if merged and merged[-1][1] == gap[0]:
                merged[-1] = (merged[-1][0], gap[1])
            else:
                merged.append(gap)
        self._gaps = merged


def _rounded(nbytes: int) -> int:
    return max(-(-nbytes // ALIGNMENT), 1) * ALIGNMENT


class Layout:
    """Buffers and slots of an op list.

    Args:
        units: the operations, in order.
        inputs, outputs: the arrays that stand for the program's inputs and outputs.
    """

    def __init__(
        self, units: list[Chain | Operation], inputs: list[Array], outputs: list[Array]
    ) -> None:
        self.buffers: list[tuple[int, int, Any]] = []
        self.slots: list[Any] = []
        self.operations: list[Any] = []
        self.bodies: list[Any] = []
        self.constants: list[Storage] = []
        self._numbers: dict[Array, int] = {}
        self._finished: list[Any] = [
            unit.finished() if isinstance(unit, Chain) else None for unit in units
        ]
        self.arena_bytes = self._place_values(units)
        self.arena = self._buffer("arena", self.arena_bytes)
        for array in (*inputs, *outputs):
            storage = array.storage
            storage.buffer = self._buffer(storage.kind, storage.nbytes)
        for unit, finished in zip(units, self._finished, strict=True):
            self._operation(unit, finished)

    def _buffer(self, kind: str, nbytes: int, value: Any = None) -> int:
        self.buffers.append((_native.BUFFERS[kind], nbytes, value))
        return len(self.buffers) - 1

    def place(self, array: Array) -> tuple[int, int]:
        """(buffer, byte at which the array begins)."""
        root, start = array.storage.root()
        if root.kind == "arena":
            root.buffer = self.arena
        elif root.buffer < 0:
            self.constants.append(root)
            root.buffer = self._buffer(root.kind, root.nbytes, root.value)
        return root.buffer, root.offset + start + array.offset

    def _slot(self, array: Array) -> int:
        number = self._numbers.get(array)
        if number is None:
            buffer, offset = self.place(array)
            dtype = _native.DTYPES[str(core_dtype(array.dtype))]
            number = self._numbers[array] = len(self.slots)
            self.slots.append((buffer, offset, dtype, array.shape, array.strides))
        return number

    def _operation(self, unit: Chain | Operation, finished: Any) -> None:
        name, ints, floats = "elementwise", list[int](), list[float]()
        code, results = list[Any](), list[int]()
        if isinstance(unit, Chain):
            inputs, outputs, code, results = finished
            if not outputs:
                return
        else:
            name, ints, floats = unit.code, unit.ints, unit.floats
            inputs, outputs = unit.inputs, unit.outputs
            if unit.body is not None:
                ints = [len(self.bodies), *ints]
                self.bodies.append(unit.body.description)
        self.operations.append(
            (
                _native.OPERATIONS[name],
                [self._slot(a) for a in inputs],
                [self._slot(a) for a in outputs],
                ints,
                floats,
                code,
                results,
            )
        )

    # ----- the arena ----------------------------------------------------------------------------

    def _place_values(self, units: list[Chain | Operation]) -> int:
        lives: dict[Storage, list[int]] = {}
        for number, (unit, finished) in enumerate(zip(units, self._finished, strict=True)):
            if isinstance(unit, Chain):
                arrays = [*finished[0], *finished[1]]
            else:
                arrays = [*unit.inputs, *unit.outputs]
            for array in arrays:
                root, _ = array.storage.root()
                if root.kind == "arena":
                    lives.setdefault(root, [number, number])[1] = number
        arriving, leaving = defaultdict(list), defaultdict(list)
        for root, (first, last) in lives.items():
            arriving[first].append(root)
            leaving[last].append(root)
        arena = Arena()
        for number, unit in enumerate(units):
            gone = list(leaving[number])
            for root in arriving[number]:
                operand = None
                if isinstance(unit, Chain):
                    operand = self._overwritten(root, gone, self._finished[number])
                if operand is not None:
                    gone.remove(operand)
                    root.offset = operand.offset
                else:
                    root.offset = arena.take(root.nbytes)
            for root in gone:
                arena.give(root.offset, root.nbytes)
        return arena.size

    def _overwritten(self, root: Storage, gone: list[Storage], finished: Any) -> Storage | None:
        """An operand of a chain whose memory a result can take: entry for entry the same place."""
        inputs, outputs, _, _ = finished
        written = [a for a in outputs if a.storage.root()[0] is root]
        if len(written) != 1 or written[0].storage is not root or not written[0].is_whole():
            return None
        for candidate in gone:
            read = [a for a in inputs if a.storage.root()[0] is candidate]
            if (
                candidate is not root
                and candidate.nbytes == root.nbytes
                and len(read) == 1
                and read[0].storage is candidate
                and read[0].is_whole()
                and read[0].dtype.itemsize == written[0].dtype.itemsize
                and not any(a.storage.root()[0] is candidate for a in outputs)
            ):
                return candidate
        return None
