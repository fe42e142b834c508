"""Many steps in one call of the device: a graph that is run again and again on what it changed.

A training step is such a graph. Data, parameters and the optimiser's memory lie on the device; a
``while_loop`` gathers the examples of each step, runs it and keeps its losses. What is carried is
given away from call to call (donated), so that there is only one copy of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.graph.graph import Graph
from chainrule.interrupts import deferred_interrupts
from chainrule.run.jax.emission import native, precisely
from chainrule.run.jax.plan import DeviceProgram
from chainrule.run.unsupported import Unsupported

# How long the device is left alone; Ctrl-C is answered in between.
CHUNK_SECONDS = 0.05
# What is carried goes to the device and back in each call: at most this share of the time.
TRANSFER_SHARE = 0.05


class State(NamedTuple):
    """What one step hands to the next; ``checked`` is None where nothing is checked."""

    carried: tuple[Any, ...]
    records: tuple[Any, ...]
    step: Any
    stopped: Any
    checked: Any


class Given(NamedTuple):
    """What all steps read."""

    constants: Any
    data: Any
    order: Any
    advancing: Any
    fixed: Any
    until: Any


class Loop:
    """A step made ready to be run many times in a row.

    Args:
        graph: the step.
        carried: position of an input -> position of the output that replaces it.
        data: position of an input -> the array, from ``place_data``, of whose rows it gets some in
            each step.
        advancing: positions of inputs that have a value for each step.
        recorded: positions of outputs, single numbers, that are kept of each step.
        check: the output among them that must be finite; where it is not, the step changes nothing
            and is the last one.

    Raises:
        Unsupported: where a part of the step needs NumPy.
    """

    def __init__(
        self,
        graph: Graph,
        carried: Mapping[int, int],
        data: Mapping[int, Any],
        advancing: Sequence[int],
        recorded: Sequence[int],
        check: int,
    ) -> None:
        self.graph = graph = replace(graph, known_are_constants=True)
        graph.verify()
        self._program = DeviceProgram(graph)
        self._program.trace()
        fallbacks = self._program.host.fallbacks
        if fallbacks:
            names = sorted({statement.primitive.name for statement in fallbacks})
            raise Unsupported(f"NumPy is needed for {', '.join(names)}")
        self._carried, self._data = dict(carried), dict(data)
        self._advancing, self._recorded, self._check = list(advancing), list(recorded), check
        taken = {*carried, *data, *advancing}
        self._fixed = [i for i in range(len(graph.inputs)) if i not in taken]
        self._verify_forms()
        (self.rows,) = {graph.inputs[i].shape[0] for i in data}
        self.recorded_dtypes = [native(graph.outputs[i].dtype) for i in recorded]
        self._steps = jax.jit(self._run_until, donate_argnums=0)
        self._compiled: dict[int, Any] = {}
        self._capacity = self._chunk = 1

    def _verify_forms(self) -> None:
        inputs, outputs = self.graph.inputs, self.graph.outputs
        for i, o in self._carried.items():
            if (inputs[i].shape, inputs[i].dtype) != (outputs[o].shape, outputs[o].dtype):
                raise Unsupported("a carried value that changes its form")
        for i, whole in self._data.items():
            if whole.dtype != inputs[i].dtype or whole.shape[1:] != inputs[i].shape[1:]:
                raise Unsupported("data of another form than the step's")
        if len({inputs[i].shape[0] for i in self._data}) != 1:
            raise Unsupported("data of several lengths")
        if any(outputs[i].shape != () for i in self._recorded):
            raise Unsupported("a record that is not a number")

    # ----- on the device ------------------------------------------------------------------------

    def _run_until(self, state: State, given: Given) -> State:
        def goes_on(state: State) -> Any:
            return (state.step < given.until) & ~state.stopped

        return lax.while_loop(goes_on, lambda state: self._step(state, given), state)

    def _step(self, state: State, given: Given) -> State:
        inputs: list[Any] = [None] * len(self.graph.inputs)
        for i, value in zip(self._carried, state.carried, strict=True):
            inputs[i] = value
        for i, whole in zip(self._data, given.data, strict=True):
            inputs[i] = jnp.take(whole, given.order[state.step], axis=0, mode="clip")
        for i, values in zip(self._advancing, given.advancing, strict=True):
            inputs[i] = values[state.step]
        for i, value in zip(self._fixed, given.fixed, strict=True):
            inputs[i] = value
        outputs, checks = self._program.emit(given.constants, inputs)
        checked = self._program.packed(checks)
        good = jnp.isfinite(outputs[self._check])
        if checked is not None:
            good &= ~jnp.any(checked[0])
        carried = tuple(
            jnp.where(good, outputs[o], former)
            for o, former in zip(self._carried.values(), state.carried, strict=True)
        )
        records = tuple(
            record.at[state.step].set(jnp.where(good, outputs[o], record[state.step]))
            for o, record in zip(self._recorded, state.records, strict=True)
        )
        return State(carried, records, state.step + good, ~good, checked)

    # ----- running ------------------------------------------------------------------------------

    def run(
        self,
        values: Mapping[int, np.ndarray],
        order: np.ndarray,
        records: Sequence[np.ndarray],
        steps: int,
        seconds: float,
        threads: int | None = None,
    ) -> tuple[int, bool]:
        """Run some steps.

        Args:
            values: position of an input -> its array: carried ones are changed, advancing ones
                have an entry for each step along their first axis.
            order: the rows of the data that the steps get, ``rows`` of them each.
            records: arrays for what is recorded, an entry for each step.
            steps: how many.
            seconds: after which to return early; later where the transfers take long.
            threads: left to JAX.

        Returns:
            (steps that ran, whether the check ended the last one).
        """
        start = time.perf_counter()
        with precisely():
            state, given = self._sent(values, order, records, steps)
            seconds = max(seconds, (time.perf_counter() - start) / TRANSFER_SHARE)
            run_until = self._compiled_for(state, given)
            start = time.perf_counter()
            done, stopped = 0, False
            try:
                while done < steps and not stopped and time.perf_counter() - start < seconds:
                    before, began = done, time.perf_counter()
                    until = jnp.asarray(min(done + self._chunk, steps))
                    with deferred_interrupts():
                        state = run_until(state, given._replace(until=until))
                        done, stopped = int(state.step), bool(state.stopped)
                    self._adapt(done - before, time.perf_counter() - began)
            finally:
                with deferred_interrupts():
                    self._fetch(state, values, records)
            if stopped and state.checked is not None:
                self._program.raise_checked(jax.device_get(state.checked))
        return done, stopped

    def _sent(
        self,
        values: Mapping[int, np.ndarray],
        order: np.ndarray,
        records: Sequence[np.ndarray],
        steps: int,
    ) -> tuple[State, Given]:
        """Everything on the device, with room for as many steps as there ever were."""
        self._capacity = capacity = max(self._capacity, steps)

        def roomy(array: np.ndarray) -> Any:
            room = np.zeros((capacity, *array.shape[1:]), array.dtype)
            room[: len(array)] = array
            return jnp.asarray(room)

        checks = self._program.check_count
        state = State(
            tuple(jnp.array(values[i]) for i in self._carried),
            tuple(roomy(record) for record in records),
            jnp.asarray(0),
            jnp.asarray(False),
            (jnp.zeros(checks, bool), jnp.zeros(checks, jnp.int64)) if checks else None,
        )
        given = Given(
            self._program.constants,
            list(self._data.values()),
            roomy(order.reshape(steps, self.rows)),
            [roomy(values[i]) for i in self._advancing],
            [jnp.asarray(values[i]) for i in self._fixed],
            jnp.asarray(0),
        )
        return jax.block_until_ready((state, given))

    def _compiled_for(self, state: State, given: Given) -> Any:
        """The compiled loop; compiled here, so that Ctrl-C can end it."""
        if self._capacity not in self._compiled:
            self._compiled = {self._capacity: self._steps.lower(state, given).compile()}
        return self._compiled[self._capacity]

    def _adapt(self, made: int, elapsed: float) -> None:
        """Choose how many steps the device gets next from how long it took for the last ones."""
        if made == self._chunk:
            fitting = int(made * CHUNK_SECONDS / max(elapsed, 1e-6))
            self._chunk = max(1, min(fitting, 4 * self._chunk))

    def _fetch(
        self, state: State, values: Mapping[int, np.ndarray], records: Sequence[np.ndarray]
    ) -> None:
        """Put what the device has into the arrays of the caller."""
        carried, found, done = jax.device_get((state.carried, state.records, state.step))
        for i, value in zip(self._carried, carried, strict=True):
            values[i][...] = value
        for record, value in zip(records, found, strict=True):
            record[:done] = value[:done]

    def explain(self) -> str:
        """One step as text."""
        return str(self.graph)


def place_data(array: np.ndarray) -> Any:
    """The data of a training, on the device."""
    with precisely():
        return jnp.array(array, native(array.dtype))
