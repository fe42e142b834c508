"""Numeric gradients, and checks of exact derivatives against them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import Any

import numpy as np

from chainrule.api.gradients import Function, grad, jvp, name_of, selected
from chainrule.diff.check import expect_equal
from chainrule.diff.numeric import difference_quotients
from chainrule.errors import DifferentiationError, TraceError
from chainrule.graph.origin import current_origin
from chainrule.tracing.record import real, result_statement
from chainrule.tracing.traced import Traced
from chainrule.tracing.trees import Tree

MODES = ("forward", "reverse")


def numeric_grad(
    function: Function, argnums: int | Sequence[int] = 0, h: float = 1e-6, method: str = "central"
) -> Function:
    """The gradient of a scalar function by difference quotients, in float64.

    It knows nothing of the function but its values, so it works for any code and checks every other
    derivative; it costs one or two evaluations for each entry of the arguments.

    Args:
        function: returns one real number. It is called with arrays, never traced.
        argnums: which positional arguments to differentiate with respect to: a position, or a
            sequence of them (the gradient is then a tuple). They may be nested and modules.
        h: the step, relative to the entry: an entry x moves by ``h * max(1, |x|)``.
        method: ``"central"`` for (f(x + s) - f(x - s)) / 2s, or ``"forward"`` for
            (f(x + s) - f(x)) / s.

    Returns:
        A function of the same arguments; its result has the structure of the differentiated one.

    Raises:
        DifferentiationError: where the result is not one real number, the method is unknown or the
            step not positive.
        TraceError: where an argument is not real, or is traced by an enclosing derivative.

    >>> f = lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2)
    >>> [round(float(g), 6) for g in numeric_grad(f, argnums=(0, 1))(2.0, 5.0)]
    [5.5, 1.716338]
    """

    @wraps(function)
    def gradient(*args: Any, **options: Any) -> Any:
        positions = selected(argnums, args, function)
        trees = [Tree(args[position]) for position in positions]
        point = [
            _number(leaf, f"argument {position}{path}")
            for position, tree in zip(positions, trees, strict=True)
            for leaf, path in zip(tree.leaves, tree.paths, strict=True)
        ]

        def value(leaves: list[Any]) -> float:
            moved = list(args)
            for position, part in zip(positions, _split(trees, leaves), strict=True):
                moved[position] = part
            return _scalar(function(*moved, **options), function)

        gradients = _split(trees, [g[()] for g in difference_quotients(value, point, h, method)])
        return gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return gradient


def check_grads(
    function: Function,
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = MODES,
    tolerance: float = 1e-5,
    h: float = 1e-6,
) -> None:
    """Check forward and reverse mode against central differences; silent where they agree.

    Results that are arrays, or nested, are reduced to one number by a fixed random weighting. The
    second order is checked by differencing first derivatives, for all four combinations of modes.

    Args:
        function: ordinary NumPy code; its result may be nested.
        args: the point: a tuple of positional arguments, each possibly nested. The check runs in
            float64, and its cost grows with the number of their entries.
        order: 1, 2 or more.
        modes: which of ``"forward"`` and ``"reverse"`` to check.
        tolerance: the largest |found - expected| / max(1, |found|, |expected|) that passes.
        h: the relative step of the differences, see :func:`numeric_grad`.

    Raises:
        DifferentiationError: naming mode, order, argument, entry, and both numbers.

    >>> check_grads(lambda x, w: np.tanh(w @ x), (np.ones(3), np.eye(3)))
    >>> wrong = lambda x: np.abs(np.round(3 * x)) + x   # a step: its derivative is not its slope
    >>> check_grads(wrong, (0.5,))
    Traceback (most recent call last):
    chainrule.errors.DifferentiationError: forward mode: the derivative with respect to argument...
    """
    if not isinstance(args, tuple | list):
        raise DifferentiationError(
            f"args is a tuple with one entry per argument, not {type(args).__name__}: write "
            f"check_grads(f, (x,)) ({current_origin()})"
        )
    if order < 1 or not modes or not set(modes) <= set(MODES):
        raise DifferentiationError(
            f"order is at least 1 and modes are among {MODES}; got order {order}, modes {modes}"
        )
    tree = Tree(tuple(args))
    names = [f"argument {path[1:].replace(']', '', 1)}" for path in tree.paths]
    point = [
        np.array(_number(leaf, name), np.float64)[()]
        for leaf, name in zip(tree.leaves, names, strict=True)
    ]
    weights = np.random.default_rng(1964)

    def weighted(*leaves: Any) -> Any:
        return _weighted_sum(function(*tree.rebuild(list(leaves))))

    directions = [weights.uniform(0.5, 1.5, np.shape(leaf))[()] for leaf in point]
    _check(weighted, point, directions, names, order, modes, tolerance, h, "")


def _check(
    function: Function,
    point: list[Any],
    directions: list[Any],
    names: list[str],
    order: int,
    modes: Sequence[str],
    tolerance: float,
    h: float,
    history: str,
) -> None:
    """Check the scalar ``function`` of the leaves ``point``, then its derivatives in its place."""
    expected = difference_quotients(
        lambda leaves: float(function(*(x[()] for x in leaves))), point, h
    )
    for mode in modes:
        derivative = _forward if mode == "forward" else _reverse
        what = f"{mode}{history} mode"
        expect_equal(derivative(function, point), expected, names, tolerance, what)
        if order > 1:
            _check(
                _along(function, directions, mode), point, directions, names, order - 1, modes,
                tolerance, h, f" over {mode}{history}",
            )  # fmt: skip


def _reverse(function: Function, point: list[Any]) -> list[Any]:
    return list(grad(function, tuple(range(len(point))))(*point))


def _forward(function: Function, point: list[Any]) -> list[Any]:
    """The gradient, one tangent pass for each entry."""
    found = []
    for position, leaf in enumerate(point):
        derivatives = np.zeros(np.shape(leaf))
        for entry in np.ndindex(derivatives.shape):
            tangents = [np.zeros(np.shape(other)) for other in point]
            tangents[position][entry] = 1.0
            derivatives[entry] = jvp(function, point, tangents)[1]
        found.append(derivatives)
    return found


def _along(function: Function, directions: list[Any], mode: str) -> Function:
    """The derivative of ``function`` along ``directions``, itself a scalar function."""
    if mode == "forward":
        return lambda *leaves: jvp(function, leaves, directions)[1]

    def slope(*leaves: Any) -> Any:
        gradients = grad(function, tuple(range(len(leaves))))(*leaves)
        return sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))

    return slope


def _weighted_sum(result: Any) -> Any:
    """One number that depends on every entry of a (nested) result."""
    weights = np.random.default_rng(1970)
    terms = []
    for leaf in Tree(result).leaves or [result]:
        statement = result_statement(leaf)
        if statement.is_differentiable:
            terms.append(np.sum(leaf * weights.uniform(0.5, 1.5, statement.shape)[()]))
    return sum(terms, np.float64(0.0))


def _number(leaf: Any, name: str) -> Any:
    """A leaf that a difference quotient can move."""
    leaf = real(leaf, name)
    if isinstance(leaf, Traced):
        raise TraceError(
            f"{name} of a numeric derivative is traced by an enclosing derivative, and a "
            f"difference quotient has no derivative rule; use cr.grad instead ({current_origin()})"
        )
    return leaf


def _scalar(result: Any, function: Function) -> float:
    is_number = np.ndim(result) == 0 and np.asarray(result).dtype.kind in "fiub"
    if not is_number:
        kind = f"an array of shape {np.shape(result)}" if np.ndim(result) else repr(result)[:60]
        raise DifferentiationError(
            f"{name_of(function)} returned {kind}, but a gradient belongs to one real number "
            f"({current_origin()})"
        )
    return float(np.asarray(result))


def _split(trees: list[Tree], leaves: Sequence[Any]) -> list[Any]:
    """Leaves for all trees -> one nested value for each."""
    values, start = [], 0
    for tree in trees:
        values.append(tree.rebuild(list(leaves[start : start + len(tree.leaves)])))
        start += len(tree.leaves)
    return values
