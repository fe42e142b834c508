"""Executors: the same graph, run by different machinery."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.graph.graph import Graph
from chainrule.run import jax, native
from chainrule.run.threads import checked
from chainrule.run.unsupported import Unsupported

EXECUTORS = ("numpy", "native", "jax")
_OPTIONAL = {"native": native, "jax": jax}


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


def why_not(executor: str) -> str:
    """Why an executor cannot be used here; empty where it can.

    Raises:
        ChainruleError: for an executor that does not exist.

    >>> why_not("numpy")
    ''
    """
    if executor not in EXECUTORS:
        raise ChainruleError(f"no executor {executor!r}; there is {', '.join(EXECUTORS)}")
    return _OPTIONAL[executor].why_not() if executor in _OPTIONAL else ""


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
    reason = why_not(executor)
    if reason:
        raise ChainruleError(f"the {executor} executor cannot be used here: {reason}")
    if executor == "jax":
        from chainrule.run.jax.plan import JaxPlan

        return JaxPlan(graph)
    if executor == "native":
        from chainrule.run.native.plan import NativePlan

        return NativePlan(graph, threads)
    from chainrule.run.plan import NumpyPlan

    return NumpyPlan(graph)


def make_loop(
    executor: str | None,
    graph: Graph,
    carried: Mapping[int, int],
    data: Mapping[int, Any],
    advancing: Sequence[int],
    recorded: Sequence[int],
    check: int,
) -> Any:
    """A step that runs many times in a row without Python: ``Loop`` of the executor.

    Args:
        executor: one of ``EXECUTORS``; None takes the default one.
        graph: the step.
        carried: position of an input -> position of the output that replaces it.
        data: position of an input -> the array, from ``place_data``, of whose rows it gets some in
            each step.
        advancing: positions of inputs that have a value for each step.
        recorded: positions of outputs, single numbers, that are kept of each step.
        check: the output among them that must be finite for a step to change anything.

    Raises:
        Unsupported: where the executor runs single steps only, or a part of this one.
    """
    return _loops(executor).Loop(graph, carried, data, advancing, recorded, check)


def place_data(executor: str | None, array: Any) -> Any:
    """An array where the loops of an executor read it: in memory, or on a device.

    Raises:
        Unsupported: where the executor has no loops.
    """
    return _loops(executor).place_data(array)


def _loops(executor: str | None) -> Any:
    executor = executor or default_executor()
    reason = why_not(executor)
    if reason:
        raise Unsupported(reason)
    if executor not in _OPTIONAL:
        raise Unsupported(f"the executor is {executor}")
    return import_module(f"{_OPTIONAL[executor].__name__}.loop")
