"""First derivatives of functions: ``grad``, ``value_and_grad``, ``jvp``, ``vjp``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from chainrule.diff.forward import push_forward
from chainrule.diff.reverse import pull_back
from chainrule.errors import DifferentiationError, ShapeError
from chainrule.graph.origin import current_origin
from chainrule.graph.statement import Statement, constant
from chainrule.tracing.record import (
    call_traced,
    enter_tree,
    leave,
    leave_zeros,
    result_statement,
)
from chainrule.tracing.traced import Traced, lower
from chainrule.tracing.trees import Tree

Function = Callable[..., Any]


def name_of(function: Function) -> str:
    """How messages call a function."""
    return getattr(function, "__name__", type(function).__name__)


def selected(argnums: int | Sequence[int], args: Sequence[Any], function: Function) -> list[int]:
    """``argnums`` as checked positions in ``args``."""
    numbers = [argnums] if isinstance(argnums, int) else list(argnums)
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise DifferentiationError(
                f"argnums has {number}, but {name_of(function)} was called with {len(args)} "
                f"positional argument{'s' * (len(args) != 1)} ({current_origin()})"
            )
    return [number % len(args) for number in numbers]


class Recording:
    """One traced call: entered arguments, and the statements of the result.

    Args:
        function: user code.
        args: its positional arguments, of which those at ``positions`` are differentiated.
        options: its keyword arguments.
    """

    def __init__(
        self, function: Function, args: Sequence[Any], options: Any, positions: list[int]
    ) -> None:
        self.trees: list[Tree] = []
        self.inputs: list[Statement] = []
        entered = list(args)
        for position in positions:
            name = f"argument {position} " if len(args) > 1 else ""
            tree, statements, entered[position] = enter_tree(args[position], name.strip())
            self.trees.append(tree)
            self.inputs += statements
        self.result = call_traced(function, entered, options)
        if self.result is None:
            result_statement(None, name_of(function))

    def split(self, leaves: list[Any]) -> list[Any]:
        """Leaves for all inputs -> one nested value for each differentiated argument."""
        values, start = [], 0
        for tree in self.trees:
            values.append(tree.rebuild(leaves[start : start + len(tree.leaves)]))
            start += len(tree.leaves)
        return values


def scalar_result(result: Any, function: Function, advice: str = "") -> Statement:
    """The statement of a result that must be one real number.

    Raises:
        DifferentiationError: where it is an array, a tuple, or not a real number.
    """
    if isinstance(result, tuple | list | dict):
        raise DifferentiationError(
            f"{name_of(function)} returned a {type(result).__name__}, but a gradient belongs to "
            f"one number; return the number, or pass has_aux=True for (number, anything else) "
            f"({current_origin()})"
        )
    statement = result_statement(lower(result), name_of(function))
    if statement.shape != ():
        raise DifferentiationError(
            f"{name_of(function)} returned an array of shape {statement.shape}, but a gradient "
            "belongs to one number; reduce it (np.sum, np.mean), or use cr.jacobian or cr.vjp"
            f"\n  at {statement.origin or current_origin()}"
        )
    if not statement.is_differentiable:
        raise DifferentiationError(
            f"{name_of(function)} returned a {statement.dtype}, which has no derivative; return a "
            f"real number\n  at {statement.origin or current_origin()}"
        )
    return statement


def grad(
    function: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    row_sparse: bool = False,
) -> Function:
    """The gradient of a scalar function, by reverse mode.

    Args:
        function: ordinary NumPy code that returns one real number.
        argnums: which positional arguments to differentiate with respect to: a position, or a
            sequence of them (the gradient is then a tuple).
        has_aux: whether ``function`` returns (number, anything); the second is passed on.
        row_sparse: whether the gradient of a table of which only some rows were looked up comes as
            a ``RowSparse`` of those rows, which takes memory and time for them alone; by default
            it is an array like any other.

    Returns:
        A function of the same arguments. Its result has the structure of the differentiated
        argument: arrays, or tuples, lists, dicts and modules of arrays.

    Raises:
        DifferentiationError: where the function's result is not one real number.
        TraceError: where an argument is not real, or the code cannot be traced.

    >>> import numpy as np
    >>> f = lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2)
    >>> gradient = grad(f, argnums=(0, 1))(2.0, 5.0)
    >>> [round(float(g), 4) for g in gradient]
    [5.5, 1.7163]

    Source: S. Linnainmaa (1970); Baydin et al., Automatic differentiation in machine learning
    (2018), section 3.2.
    """
    both = value_and_grad(function, argnums, has_aux, row_sparse)

    @wraps(function)
    def gradient(*args: Any, **options: Any) -> Any:
        value, found = both(*args, **options)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(
    function: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    row_sparse: bool = False,
) -> Function:
    """The value of a scalar function and its gradient, for the price of one trace.

    Arguments, structures and errors are those of :func:`grad`.

    >>> value_and_grad(lambda x: x**3)(2.0)
    (np.float64(8.0), np.float64(12.0))
    """

    @wraps(function)
    def both(*args: Any, **options: Any) -> Any:
        recording = Recording(function, args, options, selected(argnums, args, function))
        result, extra = _with_extra(recording.result, has_aux, function)
        output = scalar_result(result, function)
        seed = constant(np.ones((), output.dtype)[()])
        adjoints = pull_back([output], [seed], recording.inputs)
        gradients = recording.split(
            [
                leave_zeros(leaf) if adjoint is None else leave(adjoint, row_sparse)
                for leaf, adjoint in zip(recording.inputs, adjoints, strict=True)
            ]
        )
        found = gradients[0] if isinstance(argnums, int) else tuple(gradients)
        value = leave(output)
        return ((value, extra) if has_aux else value), found

    return both


def _with_extra(result: Any, has_aux: bool, function: Function) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise DifferentiationError(
            f"with has_aux=True, {name_of(function)} must return (number, anything else), not "
            f"{type(result).__name__} ({current_origin()})"
        )
    tree = Tree(result[1])
    return result[0], tree.map(
        lambda leaf: leave(leaf.statement) if isinstance(leaf, Traced) else leaf
    )


def jvp(function: Function, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """A Jacobian-vector product by forward mode: the value and how it moves with the arguments.

    Args:
        function: ordinary NumPy code; its result may be nested.
        args: the point: a tuple of positional arguments, each possibly nested.
        tangents: the direction, of the same structure and shapes.

    Returns:
        (value, tangent of the value), of the same structure.

    >>> import numpy as np
    >>> jvp(lambda x: x * np.exp(x), (0.0,), (1.0,))
    (np.float64(0.0), np.float64(1.0))
    """
    args, tangents = _as_tuple(args, "args"), _as_tuple(tangents, "tangents")
    recording = Recording(function, args, {}, list(range(len(args))))
    directions = matching_leaves(tangents, recording, "tangent")
    output = Tree(recording.result)
    outputs = [result_statement(leaf, name_of(function)) for leaf in output.leaves]
    moved = push_forward(outputs, recording.inputs, directions)
    values = output.rebuild([leave(statement) for statement in outputs])
    return values, output.rebuild(
        [
            leave_zeros(statement) if tangent is None else leave(tangent)
            for statement, tangent in zip(outputs, moved, strict=True)
        ]
    )


def vjp(function: Function, *args: Any) -> tuple[Any, Function]:
    """A vector-Jacobian product by reverse mode: the value, and the map from adjoints to adjoints.

    Returns:
        (value, pull): ``pull(adjoint)`` takes an adjoint with the structure and shapes of the value
        and returns a tuple with the adjoint of each argument. It can be called many times.

    >>> import numpy as np
    >>> value, pull = vjp(lambda x, y: x * y, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> [part.tolist() for part in pull(np.array([1.0, 10.0]))]
    [[3.0, 40.0], [1.0, 20.0]]
    """
    recording = Recording(function, args, {}, list(range(len(args))))
    output = Tree(recording.result)
    outputs = [result_statement(leaf, name_of(function)) for leaf in output.leaves]

    def pull(adjoint: Any) -> tuple[Any, ...]:
        seeds = _fitting(output.leaves_of(adjoint, "adjoint"), outputs, "adjoint")
        adjoints = pull_back(outputs, seeds, recording.inputs)
        return tuple(
            recording.split(
                [
                    leave_zeros(leaf) if found is None else leave(found)
                    for leaf, found in zip(recording.inputs, adjoints, strict=True)
                ]
            )
        )

    return output.rebuild([leave(statement) for statement in outputs]), pull


def matching_leaves(tangents: Any, recording: Recording, what: str) -> list[Statement]:
    """The leaves of ``tangents`` as statements that fit the recording's inputs."""
    if len(tangents) != len(recording.trees):
        raise ShapeError(
            f"{len(tangents)} {what}s were given for {len(recording.trees)} arguments "
            f"({current_origin()})"
        )
    leaves = [
        leaf
        for tree, tangent in zip(recording.trees, tangents, strict=True)
        for leaf in tree.leaves_of(tangent, what)
    ]
    return _fitting(leaves, recording.inputs, what)


def _fitting(leaves: list[Any], statements: list[Statement], what: str) -> list[Statement]:
    seeds = []
    for number, (leaf, statement) in enumerate(zip(leaves, statements, strict=True)):
        lowered = lower(leaf)
        seed = (
            lowered if isinstance(lowered, Statement)
            else constant(np.asarray(lowered, statement.dtype))
        )  # fmt: skip
        if seed.shape != statement.shape:
            raise ShapeError(
                f"{what} {number} has shape {seed.shape}, but the array it belongs to has shape "
                f"{statement.shape} ({current_origin()})"
            )
        seeds.append(seed)
    return seeds


def _as_tuple(value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise DifferentiationError(
            f"{name} is a tuple with one entry per argument, not {type(value).__name__}: write "
            f"jvp(f, (x,), (direction,)) ({current_origin()})"
        )
    return tuple(value)
