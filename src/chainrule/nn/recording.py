"""Recording a call: what went into and came out of every module, and the adjoints of both.

The record holds the statements of the call. ``backward`` sends an adjoint through them with the
engine that also computes every other gradient; a module has no backward rule of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.diff.reverse import dense, pull_back
from chainrule.errors import DifferentiationError, ShapeError
from chainrule.graph.statement import Statement, constant
from chainrule.graph.table.structural import copy
from chainrule.nn.calling import recorded_by
from chainrule.tracing.record import enter, enter_tree, leave, tracing
from chainrule.tracing.traced import Traced, as_statement, lower
from chainrule.tracing.trees import Tree

if TYPE_CHECKING:
    from chainrule.nn.module import Module


@dataclass(eq=False)
class Call:
    """One call of one module.

    Attributes:
        path: of the module, empty for the outermost; a second call of it has ``#2`` appended.
        module: what was called, with its parameters at the time.
        inputs: arrays that went in.
        output: what came out.
        input_adjoints: after ``backward``: what the module sent back to each input; None for
            inputs that are not real arrays.
        output_adjoint: after ``backward``: the adjoint that reached the output.
    """

    path: str
    module: Module
    inputs: tuple[Any, ...]
    output: Any
    input_adjoints: tuple[Any, ...] | None = None
    output_adjoint: Any = None
    statements: tuple[tuple[Statement | None, ...], Statement | None] = ((), None)


@dataclass(eq=False)
class Run:
    """A recorded call of a network: its modules' calls by path, in the order of their start.

    ``run["layers[0]"]`` is one call; ``run.output`` the result; ``run.backward(adjoint)`` adds the
    adjoints, and ``run.gradients`` is then a module that holds those of the parameters.
    """

    calls: dict[str, Call]
    output: Any
    inputs: tuple[Any, ...]
    parameter_tree: Tree
    parameter_statements: list[Statement]
    output_statement: Statement | None
    gradients: Any = None
    adjoints: dict[Statement, Statement] = field(default_factory=dict, repr=False)

    def __getitem__(self, path: str) -> Call:
        if path not in self.calls:
            raise KeyError(f"no module {path!r} was called; there are {', '.join(self.calls)}")
        return self.calls[path]

    @property
    def input_adjoints(self) -> tuple[Any, ...] | None:
        """After ``backward``: the adjoints of the network's inputs."""
        return self.calls[""].input_adjoints

    def backward(self, adjoint: Any = None) -> Run:
        """Send ``adjoint`` (of the output's shape; 1 for a single number) back through the call.

        Raises:
            ShapeError: where the adjoint does not have the output's shape.
            DifferentiationError: where the output is not an array, or no adjoint was given for one
                with more than one entry.
        """
        output = self.output_statement
        if output is None:
            raise DifferentiationError("backward needs a module that returns one array")
        if adjoint is None:
            if output.size != 1:
                raise DifferentiationError(
                    f"the output has shape {output.shape}: give backward an adjoint of that shape"
                )
            adjoint = np.ones(output.shape)
        seed = constant(np.array(adjoint, output.dtype))
        if seed.shape != output.shape:
            raise ShapeError(
                f"the adjoint has shape {seed.shape}, but the output has shape {output.shape}"
            )
        found: dict[Statement, Statement] = {output: seed}

        def observe(statement: Statement, position: int, contribution: Statement) -> None:
            target = statement.arguments[position]
            term = dense(contribution)
            found[target] = found[target] + term if target in found else term

        leaves = [s for s in self.calls[""].statements[0] if s is not None]
        adjoints = pull_back([output], [seed], [*self.parameter_statements, *leaves], observe)
        for call in self.calls.values():
            inputs, result = call.statements
            call.input_adjoints = tuple(None if s is None else _value(found, s) for s in inputs)
            call.output_adjoint = None if result is None else _value(found, result)
        self.gradients = self.parameter_tree.rebuild(
            [
                np.zeros(s.shape, s.dtype) if a is None else leave(dense(a))
                for s, a in zip(
                    self.parameter_statements,
                    adjoints[: len(self.parameter_statements)],
                    strict=True,
                )
            ]
        )
        return self

    def __str__(self) -> str:
        rows = [("module", "class", "inputs", "output", "|adjoint of output|")]
        for path, call in self.calls.items():
            shapes = ", ".join(str(np.shape(x)) for x in call.inputs)
            adjoint = call.output_adjoint
            size = "" if adjoint is None else f"{np.abs(adjoint).mean():.4g}"
            name = type(call.module).__name__
            rows.append((path or "(itself)", name, shapes, str(np.shape(call.output)), size))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        return "\n".join(
            "  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def record(module: Module, inputs: tuple[Any, ...]) -> Run:
    """Call ``module`` on ``inputs`` and keep the inputs and outputs of every module inside."""
    tree, statements, entered = enter_tree(module)
    calls: dict[str, Call] = {}

    def recorder(path: str, part: Module, args: tuple[Any, ...]) -> Any:
        # A copy of each input is a statement of its own: its adjoint is what this module sends
        # back, where the adjoint of the original also sums what others send.
        args = tuple(Traced(copy(lower(x))) if isinstance(x, Traced) else x for x in args)
        key, number = path, 2
        while key in calls:
            key, number = f"{path}#{number}", number + 1
        calls[key] = call = Call(key, part, tuple(map(_plain, args)), None)
        output = part.forward(*args)
        if isinstance(output, np.ndarray | np.generic):
            output = Traced(as_statement(output))
        call.output = _plain(output)
        call.statements = (
            tuple(lower(x) if isinstance(x, Traced) else None for x in args),
            lower(output) if isinstance(output, Traced) else None,
        )
        return output

    arguments = [_entered(x) for x in inputs]
    with tracing(), recorded_by(recorder):
        output = entered(*arguments)
    return Run(
        calls,
        _plain(output),
        tuple(inputs),
        tree,
        statements,
        lower(output) if isinstance(output, Traced) else None,
    )


def _entered(x: Any) -> Any:
    if isinstance(x, list | tuple):
        x = np.asarray(x)
    real = isinstance(x, Traced) or (
        isinstance(x, float | np.ndarray | np.generic) and np.asarray(x).dtype.kind == "f"
    )
    return Traced(enter(x)) if real else x


def _plain(x: Any) -> Any:
    return x.value if isinstance(x, Traced) else x


def _value(found: dict[Statement, Statement], statement: Statement) -> Any:
    adjoint = found.get(statement)
    if adjoint is None:
        return np.zeros(statement.shape, statement.dtype)[()]
    return adjoint.value
