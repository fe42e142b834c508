"""Loops."""

from __future__ import annotations

from chainrule.graph.graph import Graph
from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array
from chainrule.run.native.body import Body, can_bind
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import Unsupported


def scan(
    plan: Lowering,
    s: Statement,
    body: Graph,
    carries: int,
    sequences: int,
    length: int,
    reverse: bool,
    saved: tuple[int, ...],
) -> None:
    """A loop in the core, around the operations of its body."""
    arrays = [plan.array(a) for a in s.arguments]
    initial = [plan.contiguous(a) for a in arrays[:carries]]
    bound = [a if can_bind(a) else plan.copied(a) for a in arrays[carries:]]
    repeated = Body(plan, body, initial, bound[:sequences], bound[sequences:], length, saved)
    plan.fallbacks += repeated.lowering.fallbacks
    operation = plan.emit(
        "scan",
        repeated.inputs,
        repeated.outputs,
        [length, int(reverse), *repeated.bindings],
        work=repeated.work,
    )
    operation.body = repeated
    plan.tuples[s] = repeated.results


def item(plan: Lowering, s: Statement, position: int) -> Array:
    """One of several results."""
    results = plan.tuples.get(plan.same[s.arguments[0]])
    if results is None:
        raise Unsupported("one of the results of a loop that runs in NumPy")
    return results[position]
