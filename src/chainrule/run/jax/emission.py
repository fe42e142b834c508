"""From statements to calls of JAX: one walk over a graph while JAX traces.

A value is an array of JAX, a tuple (the results of a loop) or ``Rows`` (a row-sparse matrix). What
can be known only when the program runs, such as an index out of bounds, cannot raise on a device:
rules leave such conditions as checks, which go out with the results and raise afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.graph.graph import Graph
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.sharing import shared
from chainrule.graph.statement import Statement, all_primitives
from chainrule.run.jax.host import Host
from chainrule.run.unsupported import Unsupported

Error = Callable[[int], Exception]
Rule = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """A row-sparse matrix as the (indices, rows) of which it is the sum."""

    terms: tuple[tuple[Any, Any], ...]
    shape: tuple[int, ...]

    def joined(self) -> tuple[Any, Any]:
        """All terms as one."""
        width = self.shape[1:]
        indices = [indices.reshape(-1) for indices, _ in self.terms]
        rows = [rows.reshape((-1, *width)) for _, rows in self.terms]
        return jnp.concatenate(indices), jnp.concatenate(rows)

    def astype(self, dtype: Any) -> Rows:
        """The same rows in another dtype."""
        return Rows(tuple((i, rows.astype(dtype)) for i, rows in self.terms), self.shape)


@dataclass(frozen=True, eq=False)
class Check:
    """A condition under which a run is an error: ``error(detail)``."""

    wrong: Any
    detail: Any
    error: Error


class Place:
    """Where a rule stands: the statement, and what the rule may leave behind.

    Attributes:
        shape, dtype: of the result.
        dtypes: of the operands.
        known: the values of operands that never change, None for others.
    """

    def __init__(self, emission: Emission, statement: Statement) -> None:
        self.emission = emission
        self.statement = statement
        self.shape = statement.shape
        self.dtype = native(statement.dtype)
        self.dtypes = [native(argument.dtype) for argument in statement.arguments]
        self.known = [
            argument.value if emission.is_known(argument) else None
            for argument in statement.arguments
        ]

    def refuse(self, wrong: Any, error: Error, detail: Any = 0) -> None:
        """End the run with ``error(detail)`` where ``wrong``, a single truth value, holds."""
        detail = jnp.asarray(detail, jnp.int64)
        self.emission.checks.append(Check(wrong, detail, error))

    def bound(self, position: int, index: Any, axis: int, length: int) -> Any:
        """An index of an axis of some length; one out of bounds is an error, as it is in NumPy."""
        known = self.known[position]
        if known is not None and bool(np.all((known >= -length) & (known < length))):
            return index
        index = index.astype(jnp.int64)
        wrong = ((index < -length) | (index >= length)).reshape(-1)
        if not wrong.size:
            return index
        detail = index.reshape(-1)[jnp.argmax(wrong)]
        self.refuse(jnp.any(wrong), _out_of_bounds(axis, length), detail)
        return index


def _out_of_bounds(axis: int, length: int) -> Error:
    return lambda index: IndexError(
        f"index {index} is out of bounds for axis {axis} with size {length}"
    )


class Emission:
    """One walk over a graph.

    Args:
        graph: what is to be computed.
        rules: for each primitive of the table, the function ``(place, *operands, **attributes)``.
        host: runs what has no rule.

    Attributes:
        checks: what must not hold when the program runs.
    """

    def __init__(self, graph: Graph, rules: Mapping[str, Rule], host: Host) -> None:
        self.graph, self.rules, self.host = graph, rules, host
        self.same = shared(graph)
        self.checks: list[Check] = []
        self.values: dict[Statement, Any] = {}
        self._inputs = set(graph.inputs)
        self._table = all_primitives()

    def is_known(self, statement: Statement) -> bool:
        """Whether the statement's value never changes."""
        return statement not in self._inputs and self.graph.is_known(statement)

    def run(self, inputs: Iterable[Any], known: Mapping[Statement, Any] | None = None) -> list[Any]:
        """The outputs; ``known`` holds values of statements that are there already."""
        same, values = self.same, self.values
        values.update(known or {})
        for statement, value in zip(self.graph.inputs, inputs, strict=True):
            values[same[statement]] = value
        for statement in self.graph.statements:
            if same[statement] is not statement or statement in values:
                continue
            if self.is_known(statement):
                values[statement] = constant(statement)
            else:
                values[statement] = self._apply(statement)
        return [values[same[output]] for output in self.graph.outputs]

    def _apply(self, statement: Statement) -> Any:
        row = statement.primitive
        operands = [self.values[self.same[argument]] for argument in statement.arguments]
        place = Place(self, statement)
        if not row.accepts_row_sparse:
            operands = [dense(place, operand) for operand in operands]
        try:
            # A primitive of a user's own may have the name of one of the table.
            if self._table.get(row.name) is not row:
                raise Unsupported("a primitive of your own")
            rule = self.rules.get(row.name)
            if rule is None:
                raise Unsupported("there is no rule for it")
            return rule(place, *operands, **statement.attributes)
        except Unsupported as reason:
            return self.host.call(statement, [dense(place, o) for o in operands], str(reason))


def native(dtype: Any) -> Any:
    """The dtype in the machine's order of bytes, which is the only one JAX knows.

    Raises:
        Unsupported: where JAX has no such numbers.
    """
    if isinstance(dtype, tuple):
        return tuple(native(part) for part in dtype)
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise Unsupported(f"JAX has no arrays of {dtype}")
    return dtype.newbyteorder("=")


def stored(value: Any) -> np.ndarray:
    """A known array without the axes along which it does not vary: they have length 1."""
    array = np.asarray(value)
    if array.size and 0 in array.strides:
        array = array[tuple(slice(0, 1) if s == 0 else slice(None) for s in array.strides)]
    return np.asarray(array, native(array.dtype))


def constant(statement: Statement) -> Any:
    """A known value."""
    value = statement.value
    if isinstance(value, RowSparse):
        return Rows(((jnp.asarray(value.indices), jnp.asarray(value.rows)),), value.shape)
    if isinstance(value, tuple):
        return tuple(jnp.asarray(part, native(part.dtype)) for part in value)
    return jnp.broadcast_to(jnp.asarray(stored(value)), statement.shape)


def dense(place: Place, value: Any) -> Any:
    """A row-sparse matrix as an array; anything else as it is."""
    if not isinstance(value, Rows):
        return value
    indices, rows = value.joined()
    length = value.shape[0]
    wrong = (indices < -length) | (indices >= length)
    if wrong.size:
        place.refuse(jnp.any(wrong), _out_of_bounds(0, length), indices[jnp.argmax(wrong)])
    return jnp.zeros(value.shape, rows.dtype).at[indices].add(rows)


def precisely() -> Any:
    """A block in which arrays may be float64 and products of float32 lose no digits.

    Both are settings of JAX; they hold for this thread and this block. A precision of products that
    the user has set (``jax_default_matmul_precision``) is kept.
    """
    stack = contextlib.ExitStack()
    stack.enter_context(jax.enable_x64(True))
    if jax.config.jax_default_matmul_precision is None:
        stack.enter_context(jax.default_matmul_precision("highest"))
    return stack
