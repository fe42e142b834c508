"""The body of a loop: a graph lowered by itself, and what its buffers are bound to in each step.

The body owns no memory. Sequences, results and carries are pieces of the arrays around it, and what
it needs in between is one more of their results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import chainrule._native as _native
from chainrule.graph.graph import Graph
from chainrule.run.native.arrays import Array, Shape, Storage, constant_array, new_array
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.memory import Layout
from chainrule.run.native.operations import Unsupported

Binding = tuple[str, tuple[Array | int, ...]]


class Body:
    """What one scan repeats.

    Args:
        outer: the lowering of the graph around it.
        graph: from carries, entries of the sequences and constants to carries and outputs.
        initial, sequences, constants: where the operands lie around it.
        length: how many steps there are.
        saved: the carries of which a history is kept.

    Attributes:
        inputs, outputs: all arrays around it that it reads and writes.
        results: those that are the results of the scan: last carries, outputs, histories.
        bindings: for each of its buffers what it is bound to, as the core wants it.
        description: its op list, as the core wants it.
    """

    def __init__(
        self,
        outer: Lowering,
        graph: Graph,
        initial: Sequence[Array],
        sequences: Sequence[Array],
        constants: Sequence[Array],
        length: int,
        saved: Sequence[int],
    ) -> None:
        inner = self.lowering = Lowering(graph, outer.rules, outer)
        inner.body = self
        own = [new_array(a.shape, a.dtype, "input") for a in initial]
        entries = [_like(a, a.shape[1:], a.strides[1:]) for a in sequences]
        shared = [_like(a, a.shape, a.strides) for a in constants]
        given = [*own, *entries, *shared]
        inner.arrays.update(zip(graph.inputs, given, strict=True))
        inner.lower(graph.statements)
        news, ys = self._place_results(graph, own, saved)
        written = [array for array in news if array is not None]
        self.layout = Layout(inner.units, given, [*written, *ys])
        self._located: dict[Array, Array] = {}

        self.workspace = new_array((self.layout.arena_bytes,), np.uint8)
        self.work = length * sum(unit.work for unit in inner.units)
        last = [new_array(a.shape, a.dtype) for a in initial]
        others = [
            None if new is None else new_array((*[length] * (i in saved), *a.shape), a.dtype)
            for i, (a, new) in enumerate(zip(initial, news, strict=True))
        ]
        stacked = [new_array((length, *y.shape), y.dtype) for y in ys]
        fixed = [constant_array(storage.value) for storage in self.layout.constants]
        rows: list[Binding] = [("workspace", (self.workspace,))]
        for i, (first, final, other) in enumerate(zip(initial, last, others, strict=True)):
            if other is None:
                rows.append(("updated", (first, final)))
            else:
                rows.append(("recorded" if i in saved else "carried", (first, final, other)))
        rows += [("entry", (a,)) for a in sequences]
        rows += [("whole", (a,)) for a in constants]
        rows += [("next", (1 + i,)) for i, new in enumerate(news) if new is not None]
        rows += [("written_entry", (a,)) for a in stacked]
        rows += [("whole", (a,)) for a in fixed]
        self.inputs = [*initial, *sequences, *constants, *fixed]
        self.outputs = [self.workspace, *last, *(a for a in others if a is not None), *stacked]
        histories = [history for i in saved if (history := others[i]) is not None]
        self.results = [*last, *stacked, *histories]
        self.bindings = [number for row in rows for number in self._numbers(row)]
        self.description = self._described()

    def _place_results(
        self, graph: Graph, own: list[Array], saved: Sequence[int]
    ) -> tuple[list[Array | None], list[Array]]:
        """(new carries, outputs); a carry is None where it is changed in place."""
        inner = self.lowering
        statements = [inner.same[s] for s in graph.outputs]
        if any(s in inner.cells for s in statements):
            raise Unsupported("a body with a result that is not an array")
        carries, outputs = statements[: len(own)], statements[len(own) :]
        news: list[Array | None] = [None] * len(own)
        ys = [inner.output(s) for s in outputs]
        # What reads an old carry comes first: then the others may be changed in place.
        later = []
        for i, statement in enumerate(carries):
            if i in saved or not inner.can_move(inner.array(statement)):
                news[i] = inner.output(statement)
            else:
                later.append(i)
        for i in later:
            array = inner.array(carries[i])
            if inner.can_overwrite(own[i], array) and inner.can_move(array):
                own[i].storage.kind = "updated_input"
                array.storage.parent, array.storage.kept = own[i].storage, True
            else:
                news[i] = inner.output(carries[i])
        return news, ys

    def _numbers(self, row: Binding) -> list[int]:
        name, arrays = row
        numbers = [
            array
            if isinstance(array, int)
            else (self.inputs if _reads(name, place) else self.outputs).index(array)
            for place, array in enumerate(arrays)
        ]
        return [_native.BINDINGS[name], *numbers, *[0] * (3 - len(numbers))]

    def _described(self) -> tuple[Any, ...]:
        constant, given = _native.BUFFERS["constant"], _native.BUFFERS["input"]
        buffers = [
            (given, nbytes, None) if kind == constant else (kind, nbytes, value)
            for kind, nbytes, value in self.layout.buffers
        ]
        return (buffers, self.layout.slots, self.layout.operations, self.layout.bodies)

    def located(self, array: Array) -> Array:
        """An array in the body's arena as one of the graph around it."""
        found = self._located.get(array)
        if found is None:
            _, offset = self.layout.place(array)
            found = self._located[array] = Array(
                self.workspace.storage, array.dtype, array.shape, array.strides, offset
            )
        return found


def can_bind(array: Array) -> bool:
    """Whether the core can bind an array: no axis is walked backwards."""
    return all(n == 1 or s >= 0 for n, s in zip(array.shape, array.strides, strict=True))


def _like(array: Array, shape: Shape, strides: Shape) -> Array:
    """An input of the body for an array, or an entry of it, that lies as it lies."""
    if 0 in shape:
        return new_array(shape, array.dtype, "input")
    reach = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True) if n > 1)
    return Array(Storage(reach * array.dtype.itemsize, "input"), array.dtype, shape, strides)


def _reads(name: str, place: int) -> bool:
    return place == 0 and name not in ("workspace", "written_entry")
