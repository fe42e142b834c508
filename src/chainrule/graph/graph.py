"""A graph: inputs, statements in topological order, outputs. A Wengert list.

Source: R. E. Wengert, A simple automatic derivative evaluation program (1964).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chainrule.errors import GraphError
from chainrule.graph.origin import inherit_origin, preserved_origin
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.statement import Statement, apply


def ancestors(outputs: Iterable[Statement], stop: Iterable[Statement] = ()) -> list[Statement]:
    """All statements that ``outputs`` depend on, oldest first, outputs included.

    The walk does not go behind the statements in ``stop``, nor to anything older than all of them.
    """
    stops = set(stop)
    oldest = min((statement.serial for statement in stops), default=-1)
    found = set(outputs)
    pending = list(found)
    while pending:
        statement = pending.pop()
        if statement in stops:
            continue
        for argument in statement.arguments:
            if argument.serial >= oldest and argument not in found:
                found.add(argument)
                pending.append(argument)
    return sorted(found, key=_serial)


def _serial(statement: Statement) -> int:
    return statement.serial


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """``outputs`` as functions of ``inputs``.

    With ``known_are_constants``, statements that have a value already are constants of the graph
    (a derivative at a point is a linear function whose coefficients are known).

    >>> from chainrule.graph.statement import input_statement
    >>> x = input_statement((), float, name="x")
    >>> graph = Graph((x,), (x * x,))
    >>> graph.evaluate(3.0)
    (np.float64(9.0),)
    >>> print(graph)
    v0 = input x: float64 ()
    v1 = multiply(v0, v0): float64 ()
    return v1
    """

    inputs: tuple[Statement, ...]
    outputs: tuple[Statement, ...]
    known_are_constants: bool = False

    def is_known(self, statement: Statement) -> bool:
        """Whether the graph takes the statement's value as it is, without what led to it."""
        return statement.is_constant or (self.known_are_constants and statement.value is not None)

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Inputs, then everything the outputs need, each after its arguments."""
        found = []
        seen = set(self.inputs)
        pending = [output for output in dict.fromkeys(self.outputs) if output not in seen]
        seen.update(pending)
        while pending:
            statement = pending.pop()
            found.append(statement)
            if self.is_known(statement):
                continue
            for argument in statement.arguments:
                if argument not in seen:
                    seen.add(argument)
                    pending.append(argument)
        return (*self.inputs, *sorted(found, key=_serial))

    def captures(self) -> list[Statement]:
        """Leaves that are neither inputs nor constants: values from outside of the graph."""
        inputs = set(self.inputs)
        return [
            statement
            for statement in self.statements
            if statement.primitive.name == "input" and statement not in inputs
        ]

    def inline(self, *arguments: Statement, expanded: bool = False) -> tuple[Statement, ...]:
        """Record the graph again with ``arguments`` in place of its inputs.

        Args:
            arguments: one statement per input.
            expanded: whether coarse primitives are replaced by their expansions, all the way down.

        Returns:
            The statements that now compute the outputs.
        """
        now: dict[Statement, Statement] = dict(zip(self.inputs, arguments, strict=True))
        with preserved_origin():
            for statement in self.statements[len(self.inputs) :]:
                coarse = expanded and statement.primitive.expansion is not None
                if self.is_known(statement) or not (
                    coarse or any(argument in now for argument in statement.arguments)
                ):
                    continue
                inherit_origin(statement.origin)
                changed = [now.get(argument, argument) for argument in statement.arguments]
                if coarse:
                    now[statement] = _expanded(statement, changed)
                else:
                    now[statement] = apply(statement.primitive, *changed, **statement.attributes)
        return tuple(now.get(output, output) for output in self.outputs)

    def evaluate(self, *values: Any) -> tuple[Any, ...]:
        """The values of the outputs for NumPy ``values`` of the inputs, statement by statement."""
        if len(values) != len(self.inputs):
            raise GraphError(f"{len(values)} values were given for {len(self.inputs)} inputs")
        steps, outputs = self._program
        slots = [*values, *(None for _ in steps)]
        for slot, (primitive, sources, attributes, known) in enumerate(steps, len(values)):
            if primitive is None:
                slots[slot] = known
                continue
            arguments = [slots[source] for source in sources]
            if not primitive.accepts_row_sparse:
                arguments = [a.to_dense() if type(a) is RowSparse else a for a in arguments]
            slots[slot] = primitive.evaluate(*arguments, **attributes)
        return tuple(slots[output] for output in outputs)

    @cached_property
    def _program(self) -> tuple[list[Any], list[int]]:
        """The statements with positions in place of arguments: (primitive, positions, attributes,
        value), the primitive None where the value is known."""
        position = {statement: i for i, statement in enumerate(self.statements)}
        steps: list[Any] = []
        for statement in self.statements[len(self.inputs) :]:
            if not statement.arguments or self.is_known(statement):
                steps.append((None, (), {}, statement.value))
            else:
                sources = tuple(position[argument] for argument in statement.arguments)
                attributes = dict(statement.attributes)
                steps.append((statement.primitive, sources, attributes, None))
        return steps, [position[output] for output in self.outputs]

    def verify(self) -> None:
        """Check that the graph is well formed.

        Raises:
            GraphError: naming the statement whose arguments, shape or dtype do not fit.
        """
        seen = set(self.inputs)
        if len(seen) != len(self.inputs):
            raise GraphError("the same statement stands twice among the inputs")
        for statement in self.statements[len(self.inputs) :]:
            seen.add(statement)
            if self.is_known(statement):
                continue
            for argument in statement.arguments:
                if argument not in seen:
                    raise GraphError(f"{statement!r} uses {argument!r} before it is computed")
            if statement.primitive.name == "input":
                raise GraphError(f"{statement!r} is a leaf that is not among the inputs")
            primitive, attributes = statement.primitive, statement.attributes
            shape = primitive.shape_of(statement.arguments, attributes)
            dtype = primitive.dtype_of(statement.arguments, attributes)
            if shape != statement.shape or dtype != statement.dtype:
                raise GraphError(
                    f"{statement!r} should have shape {shape} and dtype {dtype} by the rules of "
                    f"{primitive.name}"
                )

    def __str__(self) -> str:
        names = {statement: f"v{i}" for i, statement in enumerate(self.statements)}
        lines = []
        inputs = set(self.inputs)  # Those of a loop's body may be statements around it.
        for statement, name in names.items():
            if statement in inputs or statement.primitive.name == "input":
                right = f"input {statement.attributes.get('name', '')}".rstrip()
            elif self.is_known(statement) and statement.shape == ():
                right = f"constant {statement.value}"
            elif self.is_known(statement):
                right = "constant"
            else:
                parts = [names[argument] for argument in statement.arguments]
                parts += [f"{key}={value}" for key, value in statement.attributes.items()]
                right = f"{statement.primitive.name}({', '.join(parts)})"
            lines.append(f"{name} = {right}: {statement.dtype} {statement.shape}")
        return "\n".join([*lines, "return " + ", ".join(names[output] for output in self.outputs)])


def _expanded(statement: Statement, arguments: list[Statement]) -> Statement:
    """A coarse statement as elementary ones; expansions may be coarse themselves."""
    expansion = statement.primitive.expansion
    if expansion is None:
        raise GraphError(f"{statement.primitive.name} is elementary: it has no expansion")
    result = expansion(*arguments, **statement.attributes)
    return Graph(tuple(dict.fromkeys(arguments)), (result,)).inline(
        *dict.fromkeys(arguments), expanded=True
    )[0]
