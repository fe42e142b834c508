"""Executors: the same graph, run by different machinery."""

from __future__ import annotations

import os
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.graph.graph import Graph
from chainrule.run import native
from chainrule.run.threads import checked

EXECUTORS = ("numpy", "native")


def default_executor() -> str:
    """The executor of a plan that asks for none.

    That is the one that the environment variable ``CHAINRULE_EXECUTOR`` names; without it,
    ``native`` where the core is built, and otherwise ``numpy``, which a warning says once.

    >>> default_executor() in EXECUTORS
    True
    """
    named = os.environ.get("CHAINRULE_EXECUTOR")
    if named:
        return named
    if native.available():
        return "native"
    native.say_missing()
    return "numpy"


def make_plan(graph: Graph, executor: str | None = None, threads: int | None = None) -> Any:
    """A callable that runs ``graph``: arrays for its inputs in, new arrays for its outputs out.

    Args:
        graph: staged, without captured values.
        executor: one of ``EXECUTORS``; None takes the default one.
        threads: how many the native executor may use; None leaves it to ``cr.threads()``.

    Raises:
        ChainruleError: for an unknown executor, or one that is not available here.
    """
    executor = executor or default_executor()
    if threads is not None:
        checked(threads)
    if executor not in EXECUTORS:
        raise ChainruleError(f"no executor {executor!r}; there is {', '.join(EXECUTORS)}")
    if executor == "native" and not native.available():
        raise ChainruleError(f"the native executor is not built here: {native.why_not()}")
    if executor == "numpy":
        from chainrule.run.plan import NumpyPlan

        return NumpyPlan(graph)
    from chainrule.run.native.plan import NativePlan

    return NativePlan(graph, threads)
