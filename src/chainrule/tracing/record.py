"""Running user code under trace: arguments in, statements out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, TraceError
from chainrule.graph.origin import current_origin
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.statement import Statement, constant, input_statement
from chainrule.graph.table.structural import copy, to_dense
from chainrule.tracing import messages
from chainrule.tracing.parameter import Parameter
from chainrule.tracing.traced import Traced, as_statement, lower
from chainrule.tracing.trees import Tree

_depth: ContextVar[int] = ContextVar("trace_depth", default=0)
_as_written: ContextVar[bool] = ContextVar("as_written", default=False)


@contextmanager
def tracing() -> Iterator[None]:
    """While the block runs, results of derivatives stay traced: an outer trace may need them.

    NumPy covers our error about ``a[0] = x`` with one of its own: the clearer one is raised.
    """
    token = _depth.set(_depth.get() + 1)
    try:
        yield
    except ValueError as error:
        if isinstance(error.__cause__, ChainruleError):
            raise error.__cause__ from None
        raise
    finally:
        _depth.reset(token)


@contextmanager
def untraced() -> Iterator[None]:
    """While the block runs, derivatives give numbers: no trace sees what happens in it."""
    token = _depth.set(0)
    try:
        yield
    finally:
        _depth.reset(token)


@contextmanager
def as_written(wanted: bool) -> Iterator[None]:
    """While the block runs, compiled functions run as they are written (or no longer do).

    A program depends on its arguments alone. Where something else decides what a function does,
    such as the mode of modules, a program traced before would be another function.
    """
    token = _as_written.set(wanted)
    try:
        yield
    finally:
        _as_written.reset(token)


def runs_as_written() -> bool:
    """Whether compiled functions are to run their Python code, in a trace for example."""
    return _as_written.get() or is_tracing()


def is_tracing() -> bool:
    """Whether some function is being traced now."""
    return _depth.get() > 0


def real(value: Any, path: str = "") -> Any:
    """A leaf to differentiate with respect to, checked; Python numbers become float64.

    Raises:
        TraceError: for integer arrays, complex numbers, text and objects, naming ``path``.
    """
    if isinstance(value, Parameter):
        value = value.value
    if isinstance(value, Traced):
        if not value.statement.is_differentiable:
            raise TraceError(messages.not_differentiable(value.value, path))
        return value
    if isinstance(value, int | float) and not isinstance(value, bool | np.generic):
        return np.float64(value)
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind == "f":
        return value
    raise TraceError(messages.not_differentiable(value, path))


def enter(value: Any, path: str = "") -> Statement:
    """A fresh statement for one leaf, which derivatives can be taken with respect to.

    A value that an outer trace is following enters as a copy: an identity of its own here, while
    the outer derivative still passes through it. That is what keeps nested derivatives apart.
    """
    value = real(value, path)
    if isinstance(value, Traced):
        return copy(value.statement)
    return input_statement(value.shape, value.dtype, value, path or None)


def enter_tree(value: Any, name: str = "") -> tuple[Tree, list[Statement], Any]:
    """All leaves of a nested value as fresh statements, and the value rebuilt around them."""
    tree = Tree(value)
    statements = [
        enter(leaf, name + path) for leaf, path in zip(tree.leaves, tree.paths, strict=True)
    ]
    return tree, statements, tree.rebuild([Traced(statement) for statement in statements])


def leave(statement: Statement, row_sparse: bool = False) -> Any:
    """What the caller gets for a statement.

    Args:
        statement: a result.
        row_sparse: whether a row-sparse value stays so.

    Returns:
        An array of the caller's own; inside of another trace, a traced value.
    """
    if _depth.get():
        sparse = isinstance(statement.value, RowSparse) and not row_sparse
        return Traced(to_dense(statement) if sparse else statement)
    value = statement.value
    if value is None:
        raise TraceError(
            "a value that was traced under cr.compile escaped from its function; return it instead "
            f"({current_origin()})"
        )
    if isinstance(value, RowSparse):
        return value.coalesced() if row_sparse else value.to_dense()
    return np.array(value) if value.shape else value[()]


def leave_zeros(like: Statement) -> Any:
    """Zeros of the shape of ``like``, as ``leave`` would give them."""
    zeros = np.zeros(like.shape, like.dtype)
    return Traced(constant(zeros)) if _depth.get() else zeros[()]


def result_statement(result: Any, what: str = "the function") -> Statement:
    """The statement of one returned leaf; plain numbers and arrays are constants."""
    if result is None:
        raise TraceError(f"{what} returned None; did it forget its return statement?")
    if isinstance(result, str | bytes) or (callable(result) and not isinstance(result, Traced)):
        raise TraceError(f"{what} returned {result!r:.60}, which is not a number or array")
    return as_statement(lower(result))


def call_traced(function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> Any:
    """Run ``function`` under trace and return what it returns."""
    with tracing():
        return function(*args, **options)
