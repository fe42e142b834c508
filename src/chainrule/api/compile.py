"""``cr.compile``: trace a function once, run it many times."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from types import MethodType
from typing import Any

import numpy as np

from chainrule.api.jacobians import TracedBlock
from chainrule.diff.reverse import dense
from chainrule.errors import TraceError
from chainrule.graph.graph import Graph
from chainrule.graph.origin import current_origin
from chainrule.graph.pruning import without_unused_results
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.statement import Statement, input_statement, plain
from chainrule.run import make_plan
from chainrule.tracing.parameter import Parameter
from chainrule.tracing.record import result_statement, runs_as_written, tracing
from chainrule.tracing.traced import Traced, lower
from chainrule.tracing.trees import Tree

# How many programs a compiled function keeps; of more, those used longest ago are traced anew.
PROGRAMS = 64


class Compiled:
    """A function that is traced once for each structure, shape and dtype of its arguments."""

    def __init__(
        self,
        function: Callable[..., Any],
        static: Sequence[int] = (),
        executor: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.function = function
        self.threads = threads
        self.static = frozenset([static] if isinstance(static, int) else static)
        self.executor = executor
        # The parameters of a network are arguments too: they change when it is trained.
        owner = function.__self__ if isinstance(function, MethodType) else function
        self._module = owner if hasattr(type(owner), "tree_children") else None
        self._programs: dict[Any, Program] = {}
        self._lock = threading.Lock()
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The function's results, computed by the plan for these shapes."""
        if runs_as_written():  # An outer trace must see what happens inside.
            return self.function(*args, **options)
        tree, program = self._program(args, options)
        return program.run(tree)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A compiled method, bound to its object like every other."""
        return self if instance is None else partial(self, instance)

    def _program(self, args: Any, options: Any) -> tuple[Tree, Program]:
        # Static arguments are wrapped, which makes each of them one leaf that is never an array.
        marked = tuple(Fixed(a) if i in self.static else a for i, a in enumerate(args))
        tree = Tree((marked, options, self._module))
        tree.leaves = [_as_input(leaf) for leaf in tree.leaves]
        key = (tree.key(), tuple(_signature(leaf) for leaf in tree.leaves))
        program = self._programs.get(key)
        if program is None:
            program = Program(self.function, tree, self.executor, self.threads)
        with self._lock:  # The last one used goes to the end, the first one leaves.
            self._programs.pop(key, None)
            self._programs[key] = program
            while len(self._programs) > PROGRAMS:
                del self._programs[next(iter(self._programs))]
        return tree, program

    def graph(self, *args: Any, **options: Any) -> Graph:
        """The graph for arguments of these shapes, traced now where it is new."""
        return self._program(args, options)[1].graph

    def explain(self, *args: Any, **options: Any) -> str:
        """The plan for arguments of these shapes, as text."""
        return self._program(args, options)[1].plan.explain()


class Fixed:
    """A static argument: part of the program, not an input of it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Program:
    """One trace of a function, planned for an executor."""

    def __init__(
        self,
        function: Callable[..., Any],
        tree: Tree,
        executor: str | None = None,
        threads: int | None = None,
    ) -> None:
        inputs: list[Statement] = []
        entered: list[Any] = []
        for leaf, path in zip(tree.leaves, tree.paths, strict=True):
            if isinstance(leaf, np.ndarray | np.generic):
                inputs.append(input_statement(leaf.shape, leaf.dtype, name=path[3:].lstrip(".")))
                entered.append(Traced(inputs[-1]))
            else:
                entered.append(leaf.value if isinstance(leaf, Fixed) else leaf)
        args, options, module = tree.rebuild(entered)
        if module is not None:  # The same method of a network whose parameters are traced.
            method = function.__func__ if isinstance(function, MethodType) else None
            function = module if method is None else partial(method, module)
        with tracing():
            result = Tree(function(*args, **options))
        for part in result.objects:
            if isinstance(part, Parameter) and not part.trainable and _is_traced(part.value):
                raise TraceError(
                    f"{getattr(function, '__name__', 'the function')} returned a network in which "
                    "it had computed a state or a frozen parameter; these are constants of a "
                    "compiled function: return their values as arrays and put them into the "
                    f"network with assign ({current_origin()})"
                )
        self.result = result
        self.leave = [_leaving(leaf) for leaf in result.leaves]
        self.dynamic = [leave is not None for leave in self.leave]
        outputs = [
            leaf.entries if _is_sparse(leaf) else dense(result_statement(lower(leaf)))
            for leaf in result.leaves
            if _is_array(leaf)
        ]
        self.graph = without_unused_results(Graph(tuple(inputs), tuple(outputs)))
        self._check_captures()
        self.plan = make_plan(self.graph, executor, threads)

    def _check_captures(self) -> None:
        for statement in self.graph.captures():
            if statement.value is None:
                raise TraceError(
                    "a value traced under another cr.compile was kept and used here; pass it as an "
                    f"argument instead ({statement.origin})"
                )

    def run(self, tree: Tree) -> Any:
        """Results for the leaves of a tree of this program's form."""
        arrays = [leaf for leaf in tree.leaves if isinstance(leaf, np.ndarray | np.generic)]
        results = iter(self.plan(*arrays))
        return self.result.rebuild(
            [
                leaf if leave is None else leave(next(results))
                for leaf, leave in zip(self.result.leaves, self.leave, strict=True)
            ]
        )


def _as_input(leaf: Any) -> Any:
    """Numbers and array-likes as arrays; bool, text and other objects stay what they are."""
    if isinstance(leaf, Parameter):
        leaf = leaf.value
    if isinstance(leaf, bool | str | bytes | Fixed) or leaf is None:
        return leaf
    if isinstance(leaf, int | float) and not isinstance(leaf, np.generic):
        return np.float64(leaf)
    if isinstance(leaf, RowSparse):
        return leaf.to_dense()
    if isinstance(leaf, np.ndarray | np.generic):
        if leaf.dtype.kind not in "fiub":
            raise TraceError(
                f"cr.compile takes arrays of numbers, not of {leaf.dtype}; mark the argument "
                f"static ({current_origin()})"
            )
        return plain(leaf)
    return leaf


def _is_sparse(leaf: Any) -> bool:
    return isinstance(leaf, TracedBlock) and leaf.wanted


def _leaving(leaf: Any) -> Callable[[Any], Any] | None:
    """What is done to a result of the plan before it is returned; None for what is no array."""
    if not _is_array(leaf):
        return None
    return leaf.assembled if _is_sparse(leaf) else lambda value: value


def _is_traced(value: Any) -> bool:
    return isinstance(value, Traced) and not value.statement.is_constant


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, Traced | np.ndarray | np.generic | int | float | Parameter) and not (
        isinstance(leaf, bool)
    )


def _signature(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray | np.generic):
        return (leaf.shape, leaf.dtype)
    value = leaf.value if isinstance(leaf, Fixed) else leaf
    try:
        hash(value)
    except TypeError:
        raise TraceError(
            f"the static argument {value!r:.60} cannot be hashed; use a tuple, a number or text "
            f"({current_origin()})"
        ) from None
    return (type(value), value)


def compile(
    function: Callable[..., Any],
    static: int | Sequence[int] = (),
    executor: str | None = None,
    threads: int | None = None,
) -> Compiled:
    """Trace ``function`` once per shape and dtype of its arguments and run it as a plan.

    The plan allocates its memory once, shares common subexpressions and skips Python. Derivatives
    compile as well: ``cr.compile(cr.grad(f))``. The 64 programs used last are kept.

    Args:
        function: NumPy code; arguments and results may be nested and may contain modules. A network
            or a method of one follows the network's parameters when they change.
        static: positions of arguments whose values, not only shapes, shape the program: loop
            counts, names of activations. Each new value is traced anew.
        executor: which executor runs it, "numpy", "native" or "jax"; the default one without it.
        threads: how many the native executor may use; as many as ``cr.threads()`` says without it.

    Returns:
        A function with the same arguments and results; ``.graph(*args)`` and ``.explain(*args)``
        show what it runs.

    Raises:
        TraceError: where Python code branches on a traced value, naming the line.

    >>> f = compile(lambda x: np.tanh(x) ** 2)
    >>> f(np.array([0.0, 1.0])).round(4).tolist()
    [0.0, 0.58]
    """
    return Compiled(function, static, executor, threads)  # type: ignore[arg-type]
