"""The JAX executor's plan: the interface of the NumPy executor, compiled by XLA."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.graph import Graph
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.statement import Statement
from chainrule.run.jax.emission import Check, Emission, Error, Rows, native, precisely, stored
from chainrule.run.jax.host import Host
from chainrule.run.jax.rules import RULES
from chainrule.run.unsupported import Unsupported

# Known arrays of more entries are arguments of the compiled function, which keeps it small.
LARGE = 256


class JaxPlan:
    """A graph made ready to run many times by JAX, on the device that JAX takes by default.

    Args:
        graph: a staged graph: shapes and dtypes known, inputs without values.

    Calling the plan with an array for each input returns a new NumPy array for each output, when
    they are there: it waits for the device. The first call compiles.

    Raises:
        ChainruleError: where the graph has numbers that JAX has not.

    >>> from chainrule.graph.statement import input_statement
    >>> x = input_statement((3,), float)
    >>> plan = JaxPlan(Graph((x,), ((x + 1.0) * (x + 1.0),)))
    >>> [y.tolist() for y in plan(np.array([0.0, 1.0, 2.0]))]
    [[1.0, 4.0, 9.0]]
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph = replace(graph, known_are_constants=True)
        graph.verify()
        self.program = DeviceProgram(graph)
        self._lock = threading.Lock()
        self._run = jax.jit(self.program)
        self._forms = [(s.shape, native(s.dtype)) for s in graph.inputs]

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """New arrays for the outputs, from arrays for the inputs."""
        given = [_fitting(value, *form) for value, form in zip(inputs, self._forms, strict=True)]
        program = self.program
        with self._lock, precisely():
            outputs, checked = jax.device_get(self._run(program.constants, given))
            program.host.raise_failure()
            program.raise_checked(checked)
        return tuple(
            _own(value, statement)
            for value, statement in zip(outputs, self.graph.outputs, strict=True)
        )

    def explain(self) -> str:
        """The plan as text: each statement, the device, and what NumPy does instead."""
        program = self.program
        program.trace()
        lines = [
            str(self.graph),
            f"one function of {len(self.graph.statements) - len(self.graph.inputs)} statements, "
            f"compiled by XLA for {jax.default_backend()}",
        ]
        fallbacks = program.host.fallbacks
        if fallbacks:
            lines.append(f"{len(fallbacks)} of them by NumPy on the host:")
        for statement, reason in fallbacks.items():
            lines.append(f"  {statement.primitive.name}{statement.shape}: {reason}")
        return "\n".join(lines)


class DeviceProgram:
    """A graph as a function of arrays of JAX: ``(constants, inputs)`` -> outputs and checks.

    Attributes:
        constants: large known arrays, on the device.
        host: what NumPy does instead.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.host = Host()
        self._errors: list[Error] = []
        self._large = _large_constants(graph)
        with precisely():
            self.constants = [jnp.asarray(stored(s.value)) for s in self._large]

    def __call__(self, constants: Sequence[Any], inputs: Sequence[Any]) -> Any:
        """Called by JAX to trace: the outputs, and whether a check failed with which detail."""
        outputs, checks = self.emit(constants, inputs)
        values = [v.joined() if isinstance(v, Rows) else v for v in outputs]
        return values, self.packed(checks)

    def emit(
        self, constants: Sequence[Any], inputs: Sequence[Any]
    ) -> tuple[list[Any], list[Check]]:
        """The outputs as values of a trace, and the checks."""
        emission = Emission(self.graph, RULES, self.host)
        known = {
            statement: jnp.broadcast_to(array, statement.shape)
            for statement, array in zip(self._large, constants, strict=True)
        }
        return emission.run(inputs, known), emission.checks

    def packed(self, checks: list[Check]) -> Any:
        """All checks as two arrays."""
        self._errors = [check.error for check in checks]
        if not checks:
            return None
        return jnp.stack([c.wrong for c in checks]), jnp.stack([c.detail for c in checks])

    @property
    def check_count(self) -> int:
        """How many conditions the last trace found that must not hold."""
        return len(self._errors)

    def raise_checked(self, checked: Any) -> None:
        """Raise the error of the first check that failed."""
        if checked is None:
            return
        wrong, details = checked
        if wrong.any():
            first = int(np.argmax(wrong))
            raise self._errors[first](int(details[first]))

    def trace(self) -> None:
        """Walk over the graph without running it, to find out what NumPy does instead."""
        forms = [jax.ShapeDtypeStruct(s.shape, native(s.dtype)) for s in self.graph.inputs]
        with precisely():
            jax.eval_shape(self, self.constants, forms)


def _large_constants(graph: Graph) -> list[Statement]:
    """Known arrays that the function is given.

    Raises:
        ChainruleError: where JAX has no such numbers, as for all statements.
    """
    inputs = set(graph.inputs)
    large = []
    for statement in graph.statements:
        try:
            native(statement.dtype)
        except Unsupported as reason:
            raise ChainruleError(
                f"the jax executor cannot run {statement!r}: {reason} ({statement.origin})"
            ) from None
        known = statement not in inputs and graph.is_known(statement)
        if known and isinstance(statement.value, np.ndarray) and statement.size > LARGE:
            large.append(statement)
    return large


def _fitting(value: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """A value as the array that the program reads."""
    array = np.asarray(value)
    if not array.dtype.isnative:
        array = array.astype(dtype)
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"the plan needs an array of {dtype}{shape}, not {array.dtype}{array.shape}"
        )
    return array


def _own(value: Any, statement: Statement) -> Any:
    """A result in memory of its own."""
    if isinstance(value, tuple):
        indices, rows = (np.array(part) for part in value)
        return RowSparse(indices, rows, statement.shape)
    return np.array(value, statement.dtype)[()]
