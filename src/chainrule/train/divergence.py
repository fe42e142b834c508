"""Where a training diverged: the step is run again, statement by statement, up to the first NaN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.diff.reverse import pull_back
from chainrule.graph.graph import ancestors
from chainrule.graph.origin import Origin
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.statement import Statement, constant
from chainrule.show.nonfinite import first_birth, first_lost
from chainrule.tracing.record import enter_tree, tracing
from chainrule.tracing.traced import as_statement, lower
from chainrule.tracing.trees import Tree


@dataclass(frozen=True)
class Birth:
    """The statement that first gave a value that is not finite.

    Attributes:
        phase: "forward" or "backward".
        name: of its primitive, or the path of a parameter that was not finite before the step.
        value: NaN or infinity, the first of its entries.
        operands: what it was computed from, in words.
        origin: the user's line, with the module path.
    """

    phase: str
    name: str
    value: float
    operands: tuple[str, ...]
    origin: Origin | None

    def __str__(self) -> str:
        if self.phase == "parameter":
            return f"the parameter {self.name} holds {self.value} already before the step"
        module = f" in {self.origin.path}" if self.origin and self.origin.path else ""
        operands = "".join(f"\n    from {operand}" for operand in self.operands)
        line = ""
        if self.origin:
            line = f"\n    at {self.origin.file}:{self.origin.line}: {self.origin.source}"
        return f"{self.phase} pass{module}: {self.name} gave {self.value}{operands}{line}"


def first_nonfinite(objective: Callable[..., Any], parameters: Any, *others: Any) -> Birth | None:
    """Run value and gradient of ``objective`` again and find the first value that is not finite.

    Args:
        objective: (parameters, *others) -> (number, anything).
        parameters: what it is differentiated with respect to.
        others: its other arguments.

    Returns:
        The first statement, in the order of evaluation, whose value is not finite though its
        operands are; None where every value is finite.
    """
    tree, inputs, entered = enter_tree(parameters)
    with tracing(), np.errstate(all="ignore"):
        total = as_statement(lower(objective(entered, *others)[0]))
        seed = constant(np.ones((), total.dtype)[()])
        adjoints = pull_back([total], [seed], inputs)
    names = dict(zip(inputs, tree.paths, strict=True))
    birth = first_birth(ancestors([total, *(a for a in adjoints if a is not None)]))
    if birth is None:
        return None
    wrong = float(first_lost(birth.value))
    if birth in names:
        return Birth("parameter", names[birth].strip("[']"), wrong, (), None)
    operands = tuple(_described(argument, names) for argument in birth.arguments)
    phase = "forward" if birth.serial <= total.serial else "backward"
    return Birth(phase, birth.primitive.name, wrong, operands, birth.origin)


def explain(birth: Birth | None, step: int, epoch: int, rate: float, inputs: Any) -> str:
    """The message of a divergence: what happened, where it was born, what to try."""
    advice = [
        f"lower the learning rate (it is {rate:.4g})",
        "bound the gradients with clip=1.0",
    ]
    largest = max(
        (
            float(np.abs(leaf).max(initial=0))
            for leaf in Tree(inputs).leaves
            if leaf.dtype.kind == "f"
        ),
        default=0.0,
    )
    if largest > 100:
        advice.insert(0, f"scale the inputs (one of this batch is {largest:.4g}; aim at about 1)")
    if birth is not None and birth.name in ("log", "divide", "power", "sqrt", "reciprocal"):
        advice.insert(0, "use a loss on logits, or keep the operand away from 0")
    found = str(birth) if birth else "running the step again gave finite values only"
    return (
        f"training diverged at step {step} (epoch {epoch}); the weights of the step before were "
        f"kept\n  {found}\n  what to try: {'; '.join(advice)}"
    )


def _described(statement: Statement, names: dict[Statement, str]) -> str:
    value = statement.value
    name = names.get(statement, "").strip("[']") or statement.primitive.name
    if isinstance(value, RowSparse):
        value = value.rows
    if isinstance(value, tuple) or not np.size(value):
        return name
    if np.shape(value) == ():
        return (
            f"{name} = {value:.6g}" if np.asarray(value).dtype.kind == "f" else f"{name} = {value}"
        )
    return f"{name} {np.shape(value)}, values from {np.min(value):.6g} to {np.max(value):.6g}"
