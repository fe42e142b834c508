"""Executors: the same graph, run by different machinery."""

from __future__ import annotations

from typing import Any

from chainrule.errors import ChainruleError
from chainrule.graph.graph import Graph
from chainrule.run import native

EXECUTORS = ("numpy", "native")


def make_plan(graph: Graph, executor: str | None = None) -> Any:
    """A callable that runs ``graph``: arrays for its inputs in, new arrays for its outputs out.

    Args:
        graph: staged, without captured values.
        executor: one of ``EXECUTORS``; None takes the best one available: the native one where the
            extension is built.

    Raises:
        ChainruleError: for an unknown executor, or one that is not available here.
    """
    if executor not in (None, *EXECUTORS):
        raise ChainruleError(f"no executor {executor!r}; there is {', '.join(EXECUTORS)}")
    if executor == "native" and not native.available():
        raise ChainruleError(f"the native executor is not built here: {native.why_not()}")
    if executor == "numpy" or not native.available():
        from chainrule.run.plan import NumpyPlan

        return NumpyPlan(graph)
    from chainrule.run.native.plan import NativePlan

    return NativePlan(graph)
