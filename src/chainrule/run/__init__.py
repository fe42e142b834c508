"""Executors: the same graph, run by different machinery."""

from __future__ import annotations

from typing import Any

from chainrule.errors import ChainruleError
from chainrule.graph.graph import Graph

EXECUTORS = ("numpy",)


def make_plan(graph: Graph, executor: str | None = None) -> Any:
    """A callable that runs ``graph``: arrays for its inputs in, new arrays for its outputs out.

    Args:
        graph: staged, without captured values.
        executor: one of ``EXECUTORS``; None takes the best one available.

    Raises:
        ChainruleError: for an unknown executor.
    """
    if executor not in (None, *EXECUTORS):
        raise ChainruleError(f"no executor {executor!r}; there is {', '.join(EXECUTORS)}")
    from chainrule.run.plan import NumpyPlan

    return NumpyPlan(graph)
