"""The NumPy executor: a graph becomes a list of calls on arrays that are allocated once.

Buffers of values that are no longer needed serve later statements, so that a training step
allocates next to nothing and touches little memory. It is the reference for other executors.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.diff.reverse import is_row_sparse
from chainrule.graph.graph import Graph
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.sharing import shared
from chainrule.graph.statement import Statement
from chainrule.run.outputs import VIEWS, writer_of, writes_in_place


class NumpyPlan:
    """A graph made ready to run many times.

    Args:
        graph: a staged graph: shapes and dtypes known, inputs without values.

    Calling the plan with an array for each input returns a new array for each output. Calls from
    several threads take turns, since they share the buffers.

    >>> from chainrule.graph.statement import input_statement
    >>> x = input_statement((3,), float)
    >>> plan = NumpyPlan(Graph((x,), ((x + 1.0) * (x + 1.0),)))
    >>> [y.tolist() for y in plan(np.array([0.0, 1.0, 2.0]))]
    [[1.0, 4.0, 9.0]]
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph = replace(graph, known_are_constants=True)
        graph.verify()
        self._inputs = set(graph.inputs)
        self.buffer_bytes = 0
        self._lock = threading.Lock()
        self._slots: dict[Statement, int] = {}
        self._values: list[Any] = []
        self._steps: list[Callable[[list[Any]], None]] = []
        self._same = shared(graph)
        self._owners: dict[Statement, frozenset[Statement]] = {}
        self._free: dict[tuple[Any, int], list[np.ndarray]] = defaultdict(list)
        self._buffers: dict[Statement, np.ndarray] = {}
        self._build()

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """New arrays for the outputs, from arrays for the inputs."""
        with self._lock, np.errstate(all="ignore"):
            values = self._values
            for slot, value in zip(self._input_slots, inputs, strict=True):
                values[slot] = value
            for step in self._steps:
                step(values)
            results = tuple(_own(values[slot]) for slot in self._output_slots)
            for slot in self._transient:
                values[slot] = None
            return results

    # ----- planning ----------------------------------------------------------------------------

    def _build(self) -> None:
        same = self._same
        needed = [s for s in self.graph.statements if same[s] is s]
        last_use = self._last_uses(needed)
        retired: dict[int, list[Statement]] = defaultdict(list)
        for statement, position in last_use.items():
            retired[position].append(statement)
        transient = []
        for position, statement in enumerate(needed):
            slot = self._slots[statement] = len(self._values)
            known = statement not in self._inputs and self.graph.is_known(statement)
            self._values.append(statement.value if known else None)
            if known:
                continue
            transient.append(slot)
            if statement not in self._inputs:
                leaving = retired.pop(position, [])
                self._steps.append(self._step(statement, slot, leaving))
                self._release(leaving)
        self._transient = transient
        self._input_slots = [self._slots[same[s]] for s in self.graph.inputs]
        self._output_slots = [self._slots[same[s]] for s in self.graph.outputs]

    def _last_uses(self, needed: list[Statement]) -> dict[Statement, int]:
        """For each statement that owns memory, the position of the last one that reads it."""
        last: dict[Statement, int] = {}
        for position, statement in enumerate(needed):
            if statement in self._inputs or self.graph.is_known(statement):
                continue
            read = frozenset[Statement]().union(*map(self._owners_of, statement.arguments))
            if statement.primitive.name in VIEWS or _reads_row_sparse(statement):
                self._owners[statement] = read
            last.update(dict.fromkeys(read, position))
        for output in self.graph.outputs:
            last.update(dict.fromkeys(self._owners_of(output), len(needed)))
        return last

    def _owners_of(self, statement: Statement) -> frozenset[Statement]:
        """The statements in whose memory the value of ``statement`` may lie."""
        statement = self._same[statement]
        return self._owners.get(statement) or frozenset([statement])

    def _release(self, statements: list[Statement]) -> None:
        for statement in statements:
            buffer = self._buffers.pop(statement, None)
            if buffer is not None:
                self._free[buffer.dtype, buffer.size].append(buffer)

    def _step(
        self, statement: Statement, slot: int, leaving: list[Statement]
    ) -> Callable[[list[Any]], None]:
        primitive = statement.primitive
        attributes = dict(statement.attributes)
        sources = [self._slots[self._same[argument]] for argument in statement.arguments]
        write = writer_of(primitive)
        if write is None or isinstance(statement.dtype, tuple) or _reads_row_sparse(statement):
            return _evaluating(primitive, sources, slot, attributes)
        out = self._buffer(statement, leaving if writes_in_place(primitive) else [])
        return _writing(write, sources, slot, out, attributes)

    def _buffer(self, statement: Statement, leaving: list[Statement]) -> np.ndarray:
        """Memory for a result: an operand's that is read for the last time, a free one, or new."""
        for operand in leaving:
            buffer = self._buffers.get(operand)
            if (
                buffer is not None
                and operand in statement.arguments
                and operand.shape == statement.shape
                and operand.dtype == statement.dtype
            ):
                del self._buffers[operand]
                break
        else:
            pool = self._free[statement.dtype, statement.size]
            if pool:
                buffer = pool.pop()
            else:
                buffer = np.empty(statement.size, statement.dtype)
                self.buffer_bytes += buffer.nbytes
        self._buffers[statement] = buffer
        return buffer.reshape(statement.shape)

    def explain(self) -> str:
        """The plan as text: each statement with its shape, and the memory of all buffers."""
        lines = [str(self.graph), f"{len(self._steps)} calls, {self.buffer_bytes} bytes of buffers"]
        return "\n".join(lines)


def _reads_row_sparse(statement: Statement) -> bool:
    return any(map(is_row_sparse, statement.arguments))


def _own(value: Any) -> Any:
    """A result that shares no memory with buffers or arguments."""
    if isinstance(value, RowSparse):
        return value
    return np.array(value)[()] if value.shape == () else np.array(value)


def _writing(
    write: Any, sources: list[int], slot: int, out: np.ndarray, attributes: dict[str, Any]
) -> Callable[[list[Any]], None]:
    if attributes:

        def step(values: list[Any]) -> None:
            write(out, *[values[source] for source in sources], **attributes)
            values[slot] = out
    elif len(sources) == 2:
        first, second = sources

        def step(values: list[Any]) -> None:
            write(out, values[first], values[second])
            values[slot] = out
    else:

        def step(values: list[Any]) -> None:
            write(out, *[values[source] for source in sources])
            values[slot] = out

    return step


def _evaluating(
    primitive: Any, sources: list[int], slot: int, attributes: dict[str, Any]
) -> Callable[[list[Any]], None]:
    evaluate, accepts = primitive.evaluate, primitive.accepts_row_sparse

    def step(values: list[Any]) -> None:
        arguments = [values[source] for source in sources]
        if not accepts:
            arguments = [a.to_dense() if type(a) is RowSparse else a for a in arguments]
        values[slot] = evaluate(*arguments, **attributes)

    return step
