"""The native executor's plan: the interface of the NumPy executor, run by the core."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import chainrule._native as _native
from chainrule.graph.graph import Graph
from chainrule.graph.rowsparse import RowSparse
from chainrule.run.native.arrays import Array, core_dtype, new_array
from chainrule.run.native.blas import load_blas, one_blas_thread
from chainrule.run.native.lowering import Cell, Lowering
from chainrule.run.native.memory import Layout
from chainrule.run.native.operations import Chain, Operation, total_size
from chainrule.run.native.rules import RULES
from chainrule.run.threads import threads as default_threads


class NativePlan:
    """A graph made ready to run many times by the native core.

    Args:
        graph: a staged graph: shapes and dtypes known, inputs without values.
        threads: how many it may use; as many as ``cr.threads()`` says at each call without it.

    Calling the plan with an array for each input returns a new array for each output. Calls from
    several threads take turns, since they share the buffers; others run meanwhile.

    >>> from chainrule.graph.statement import input_statement
    >>> x = input_statement((3,), float)
    >>> plan = NativePlan(Graph((x,), ((x + 1.0) * (x + 1.0),)))
    >>> [y.tolist() for y in plan(np.array([0.0, 1.0, 2.0]))]
    [[1.0, 4.0, 9.0]]
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        self.threads = threads
        self.graph = graph = replace(graph, known_are_constants=True)
        graph.verify()
        self._lock = threading.Lock()
        lowering = self.lowering = Lowering(graph, RULES)
        self._inputs: list[Array | Cell] = []
        for statement in graph.inputs:
            if core_dtype(statement.dtype) is None:
                cell = lowering.cells[statement] = Cell()
                self._inputs.append(cell)
            else:
                array = new_array(statement.shape, statement.dtype, "input")
                lowering.arrays[statement] = array
                self._inputs.append(array)
        lowering.lower(graph.statements)
        self._outputs = self._place_outputs()
        self._build()

    def _place_outputs(self) -> list[Array | Cell]:
        """Arrays that are results of the program; what is something else as well is copied."""
        lowering = self.lowering
        outputs: list[Array | Cell] = []
        for output in self.graph.outputs:
            statement = lowering.same[output]
            known = self.graph.is_known(statement) and statement not in lowering.inputs
            if known and (
                isinstance(statement.value, RowSparse) or core_dtype(statement.dtype) is None
            ):
                cell = lowering.cells.setdefault(statement, Cell())
                cell.value = statement.value
            if statement in lowering.cells:
                outputs.append(lowering.cells[statement])
                continue
            outputs.append(lowering.output(statement))
        return outputs

    def _build(self) -> None:
        units = self.lowering.units
        self._blas = uses_blas(self.lowering)
        inputs = [a for a in self._inputs if isinstance(a, Array)]
        outputs = [a for a in self._outputs if isinstance(a, Array)]
        layout = self.layout = Layout(units, inputs, outputs)
        self.buffer_bytes = layout.arena_bytes
        self._input_buffers = {a.storage.buffer: i for i, a in enumerate(inputs)}
        self._output_buffers = {a.storage.buffer: i for i, a in enumerate(outputs)}
        self._given: list[Any] = []
        self._results: list[Any] = []
        self._views: dict[Array, np.ndarray] = {}
        calls: list[Any] = self.lowering.calls
        for call in calls:
            call.views = partial(self._view_in, call.lowering)
        self._program = _native.Program(
            layout.buffers, layout.slots, layout.operations, len(calls), layout.bodies
        )
        self._forms = [(a.shape, a.dtype) for a in outputs]
        self._calls = calls

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """New arrays for the outputs, from arrays for the inputs."""
        with self._lock:
            given = []
            for place, value in zip(self._inputs, inputs, strict=True):
                if isinstance(place, Cell):
                    place.value = value
                else:
                    given.append(_contiguous(value, place))
            results = [np.empty(shape, dtype) for shape, dtype in self._forms]
            if self._calls:
                self._given, self._results = given, results
                try:
                    with np.errstate(all="ignore"):
                        self._run(given, results, self._calls)
                finally:
                    self._given, self._results = [], []
            else:
                self._run(given, results, [])
            arrays = iter(results)
            return tuple(
                _own(place.value) if isinstance(place, Cell) else next(arrays)[()]
                for place in self._outputs
            )

    def _view_in(self, lowering: Lowering, array: Array) -> np.ndarray:
        while lowering.body is not None and lowering.outer is not None:
            array = lowering.body.located(array)
            lowering = lowering.outer
        return self._view(array)

    def _run(self, given: list[Any], results: list[Any], calls: list[Any]) -> None:
        threads = default_threads() if self.threads is None else self.threads
        if not self._blas:
            self._program.run(given, results, calls, threads=threads)
            return
        with one_blas_thread():
            self._program.run(given, results, calls, threads=threads)

    def _view(self, array: Array) -> np.ndarray:
        """NumPy's view of an array, for callbacks."""
        view = self._views.get(array)
        if view is not None:
            return view
        buffer, offset = self.layout.place(array)
        if buffer in self._input_buffers:
            memory = self._given[self._input_buffers[buffer]]
        elif buffer in self._output_buffers:
            memory = self._results[self._output_buffers[buffer]]
        else:
            memory = self._program.arena(buffer)
        strides = tuple(s * array.dtype.itemsize for s in array.strides)
        if array.size == 0:
            return np.empty(array.shape, array.dtype)
        view = np.ndarray(array.shape, array.dtype, memory, offset, strides)
        if buffer not in self._input_buffers and buffer not in self._output_buffers:
            self._views[array] = view
        return view

    def explain(self) -> str:
        """The plan as text: operations with the bytes they touch and the arithmetic they do."""
        return explanation(self.lowering, self.layout, self._program)


def explanation(lowering: Lowering, layout: Layout, program: _native.Program) -> str:
    """An op list as text, with what the program says of each operation."""
    spread = program.spread()
    lines = _lines(lowering, "", spread, program.own_loops())
    lines.append(
        f"{len(lines)} operations, {layout.arena_bytes} bytes of buffers; {sum(spread)} of the "
        "operations are large enough for several threads"
    )
    if lowering.fallbacks:
        lines.append(f"{len(lowering.fallbacks)} of them by NumPy:")
        for statement, reason in lowering.fallbacks:
            lines.append(f"  {statement.primitive.name}{statement.shape}: {reason}")
    return "\n".join(lines)


def _lines(
    lowering: Lowering, indent: str, spread: Sequence[bool] = (), own_loops: Sequence[bool] = ()
) -> list[str]:
    """A line for each operation, those of a body below its loop."""
    lines: list[str] = []
    shared, own = iter(spread), iter(own_loops)
    for unit in lowering.units:
        inner = []
        if isinstance(unit, Chain):
            inputs, outputs, code, _ = unit.finished()
            if not outputs:
                continue
            shape, name = unit.shape, " ".join(unit.labels)
            work = len(code) * int(np.prod(shape, dtype=int))
        else:
            inputs, outputs, work, name = unit.inputs, unit.outputs, unit.work, unit.label
            shape = outputs[0].shape if outputs else ()
            if unit.body is not None:
                name = f"{name} of {unit.ints[0]} steps"
                inner = _lines(unit.body.lowering, indent + "  ")
        dtype = outputs[0].dtype if outputs else ""
        moved = total_size(inputs) + total_size(outputs)
        if name in ("gather", "batch", "put_rows"):  # Of the whole only the rows that are named.
            whole, part = (inputs[0], outputs[0]) if name != "put_rows" else (outputs[0], inputs[1])
            moved += part.nbytes - whole.nbytes
        lines.append(f"{indent}{name}: {dtype}{shape}, {moved} bytes, {work} operations")
        if next(own, False):
            lines[-1] += ", as one loop"
        if next(shared, False):
            lines[-1] += ", on several threads"
        lines += inner
    return lines


def uses_blas(lowering: Lowering) -> bool:
    """Whether one of the operations is a product for BLAS, which is loaded then."""
    large = 2 * _native.blas_threshold()
    for unit in lowering.units:
        if isinstance(unit, Operation):
            if unit.code == "multiply" and unit.work >= large and not load_blas():
                return True
            if unit.body is not None and uses_blas(unit.body.lowering):
                return True
    return False


def _contiguous(value: Any, place: Array) -> np.ndarray:
    """A value as the array that the program reads."""
    array = np.asarray(value, order="C")
    if array.dtype != place.dtype or array.shape != place.shape:
        raise ValueError(
            f"the plan needs an array of {place.dtype}{place.shape}, not {array.dtype}{array.shape}"
        )
    return array if array.flags.aligned else array.copy()


def _own(value: Any) -> Any:
    return value if isinstance(value, RowSparse) else np.array(value)[()]
