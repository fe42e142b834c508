"""Many steps in one call of the core: a graph that is run again and again on what it changed.

A training step is such a graph: parameters go in and come out new. Here they stay where they are
and are changed in place, the examples of each step are gathered from the whole data, and nothing
returns to Python in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

import chainrule._native as _native
from chainrule.graph.graph import Graph, ancestors
from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, core_dtype, new_array
from chainrule.run.native.blas import one_blas_thread
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.memory import Layout
from chainrule.run.native.operations import Unsupported
from chainrule.run.native.plan import explanation, uses_blas
from chainrule.run.native.rules import RULES
from chainrule.run.threads import threads as default_threads


class Loop:
    """A step made ready to be run many times in a row.

    Args:
        graph: the step.
        carried: position of an input -> position of the output that replaces it.
        data: position of an input -> the array, from ``place_data``, of whose rows it gets some in
            each step.
        advancing: positions of inputs that have a value for each step.
        recorded: positions of outputs, single numbers, that are kept of each step.
        check: the output among them that must be finite; where it is not, the step ends before
            anything has changed.

    Raises:
        Unsupported: where a part of the step needs NumPy.
    """

    can_keep = True

    def __init__(
        self,
        graph: Graph,
        carried: Mapping[int, int],
        data: Mapping[int, np.ndarray],
        advancing: Sequence[int],
        recorded: Sequence[int],
        check: int,
    ) -> None:
        self.graph = graph = replace(graph, known_are_constants=True)
        graph.verify()
        lowering = self.lowering = Lowering(graph, RULES)
        self._bind_inputs(carried, data, advancing)
        wanted = [lowering.same[graph.outputs[position]] for position in recorded]
        early = set(ancestors(wanted))
        lowering.lower(s for s in graph.statements if s in early)
        outputs = [self._recorded(statement) for statement in wanted]
        health = lowering.same[graph.outputs[check]]
        lowering.emit("check_finite", [lowering.array(health)], [])
        lowering.floor = len(lowering.units)
        lowering.lower(s for s in graph.statements if s not in early)
        self._carry({i: graph.outputs[o] for i, o in carried.items()})
        if lowering.fallbacks:
            names = sorted({s.primitive.name for s, _ in lowering.fallbacks})
            raise Unsupported(f"NumPy is needed for {', '.join(names)}")
        self._blas = uses_blas(lowering)
        self.layout = Layout(lowering.units, self._inputs, outputs)
        self._program = _native.Program(
            self.layout.buffers, self.layout.slots, self.layout.operations, 0, self.layout.bodies
        )
        self._output_strides = [array.dtype.itemsize for array in outputs]
        self.recorded_dtypes = [array.dtype for array in outputs]

    # ----- planning -----------------------------------------------------------------------------

    def _bind_inputs(
        self, carried: Mapping[int, int], data: Mapping[int, np.ndarray], advancing: Sequence[int]
    ) -> None:
        lowering, inputs = self.lowering, self.graph.inputs
        self._inputs: list[Array] = []
        self._input_strides: list[int] = []
        self._slots: dict[int, int] = {}

        def add(array: Array, stride: int) -> Array:
            self._inputs.append(array)
            self._input_strides.append(stride)
            return array

        for position, statement in enumerate(inputs):
            if core_dtype(statement.dtype) is None:
                raise Unsupported(f"an input of dtype {statement.dtype}")
            if position in data:
                continue
            kind = "updated_input" if position in carried else "input"
            array = new_array(statement.shape, statement.dtype, kind)
            self._slots[position] = len(self._inputs)
            add(array, array.nbytes if position in advancing else 0)
            lowering.arrays[statement] = array
        rows = {inputs[position].shape[0] for position in data}
        if len(rows) != 1:
            raise Unsupported("data of several lengths")
        self.rows = rows.pop()
        item = np.dtype(np.int64).itemsize
        order = add(new_array((self.rows,), np.int64, "input"), self.rows * item)
        self._data = []
        for position, whole in data.items():
            statement = inputs[position]
            if whole.dtype != statement.dtype or whole.shape[1:] != statement.shape[1:]:
                raise Unsupported("data of another form than the step's")
            source = add(new_array(whole.shape, whole.dtype, "input"), 0)
            batch = new_array(statement.shape, statement.dtype)
            lowering.emit("gather", [source, order], [batch], label="batch")
            lowering.arrays[statement] = batch
            self._data.append(whole)

    def _recorded(self, statement: Statement) -> Array:
        if self.lowering.array(statement).shape != ():
            raise Unsupported("a record that is not a number")
        return self.lowering.output(statement)

    def _carry(self, results: dict[int, Statement]) -> None:
        """Put new values where the old ones are: at once where nobody reads the old one later."""
        lowering = self.lowering
        pending: list[tuple[Array, Array]] = []
        taken = set()
        for position, output in results.items():
            own = self._inputs[self._slots[position]]
            new = lowering.array(lowering.same[output])
            if new.shape != own.shape or new.dtype != own.dtype:
                raise Unsupported("a carried value that changes its form")
            if new.storage is own.storage and new.is_whole():
                continue
            if lowering.can_overwrite(own, new) and new.storage not in taken:
                taken.add(new.storage)
                new.storage.parent = own.storage
                new.storage.kept = True
            else:
                pending.append((own, new))
        # All are read before any is written.
        moved = [
            (own, lowering.copied(new, new_array(new.shape, new.dtype))) for own, new in pending
        ]
        for own, new in moved:
            lowering.copied(new, own.reshaped(own.shape))

    # ----- running ------------------------------------------------------------------------------

    def run(
        self,
        values: Mapping[int, np.ndarray],
        order: np.ndarray,
        records: Sequence[np.ndarray],
        steps: int,
        seconds: float,
        threads: int | None = None,
        keeping: tuple[int, int, Mapping[int, np.ndarray]] = (0, 0, {}),
    ) -> tuple[int, bool]:
        """Run some steps.

        Args:
            values: position of an input -> its array: carried ones are changed, advancing ones
                have an entry for each step along their first axis.
            order: the rows of the data that the steps get, ``rows`` of them each.
            records: arrays for what is recorded, an entry for each step.
            steps: how many.
            seconds: after which to return early.
            threads: how many it may use; as many as ``cr.threads()`` says without it.
            keeping: (every so many steps, the first time after so many, position of a carried input
                -> an array with an entry for each of these times): copies of what is carried.

        Returns:
            (steps that ran, whether the check ended the last one).
        """
        given: list[Any] = [None] * len(self._inputs)
        for position, slot in self._slots.items():
            given[slot] = values[position]
        given[len(self._slots)] = order
        given[len(self._slots) + 1 :] = self._data
        every, first, targets = keeping
        kept = [(self._slots[position], target) for position, target in targets.items()]
        with one_blas_thread() if self._blas else nullcontext():
            return self._program.run(
                given, records, [], True, steps, self._input_strides, self._output_strides,
                seconds, default_threads() if threads is None else threads, kept, every, first,
            )  # fmt: skip

    def explain(self) -> str:
        """One step as text."""
        return explanation(self.lowering, self.layout, self._program)


def place_data(array: np.ndarray) -> np.ndarray:
    """The data of a training as the core reads it."""
    return np.ascontiguousarray(array)
