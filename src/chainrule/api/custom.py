"""A user's own primitive: any function of arrays, with the derivative its author gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial as bind
from functools import wraps
from typing import Any

import numpy as np

from chainrule.api.gradients import name_of
from chainrule.diff.reverse import pull_back
from chainrule.errors import DifferentiationError, ShapeError, TraceError
from chainrule.graph import shapes
from chainrule.graph.origin import current_origin
from chainrule.graph.primitive import Kind, Primitive
from chainrule.graph.statement import Statement, all_primitives, input_statement
from chainrule.graph.table.nonlinear import total
from chainrule.graph.table.structural import zeros_like
from chainrule.tracing.record import tracing, untraced
from chainrule.tracing.traced import Traced, as_statement, lower

Function = Callable[..., Any]


def custom(
    function: Function | None = None,
    *,
    partials: Sequence[Function | float | None] | None = None,
    tangent: Function | None = None,
    adjoint: Function | None = None,
    shape: Function | tuple[int, ...] | None = None,
    name: str | None = None,
) -> Any:
    """Make a primitive of ``function``: opaque to tracing, with a derivative rule of your own.

    One rule is enough, and it is ordinary NumPy code. As long as it can be traced, everything else
    follows: the other mode by transposing the rule, second derivatives by differentiating it.

    Args:
        function: takes arrays and returns one array of real numbers; it is never traced, so it may
            call any library. Without it, ``custom`` returns a decorator. Keyword arguments are
            options: they are handed to the function and to the rules as they are.
        partials: for elementwise functions: for each argument its partial derivative, a function of
            ``(*arguments, y)`` with y the result, or a number, or None for zero.
        tangent: ``(tangents, y, *arguments)`` -> tangent of y, linear in the tuple ``tangents``.
        adjoint: ``(g, y, *arguments)`` -> a tuple with the adjoint of each argument (None for
            zero), linear in the adjoint g of y. For one argument the bare adjoint will do.
        shape: shape of the result, or a function of the arguments' shapes, for ``cr.compile``;
            without it an elementwise result has the broadcast shape, and any other function is
            tried on arrays of zeros.
        name: how printed traces call it; by default the function's name. Where the table has a
            primitive of that name, ``custom_`` is put before it.

    Returns:
        A function of arrays, traced values and numbers. Its result has the dtype that NumPy's
        promotion gives the arguments, and is real: integers alone give float64.

    Raises:
        DifferentiationError: where no rule is given, or rules that exclude one another are.

    >>> import chainrule as cr
    >>> cube = custom(lambda x: x**3, partials=[lambda x, y: 3 * x**2], name="cube")
    >>> cr.grad(cube)(2.0), cr.grad(cr.grad(cube))(2.0)
    (np.float64(12.0), np.float64(12.0))
    >>> @custom(adjoint=lambda g, y, x: g * np.sign(x))
    ... def length(x):
    ...     return np.abs(x).sum()
    >>> cr.grad(length)(np.array([3.0, -4.0]))
    array([ 1., -1.])
    """
    if function is None:
        return bind(
            custom, partials=partials, tangent=tangent, adjoint=adjoint, shape=shape, name=name
        )
    name = name or name_of(function)
    if name in all_primitives():  # Executors and notations know those by name.
        name = f"custom_{name}"
    if partials is None and tangent is None and adjoint is None:
        raise DifferentiationError(
            f"cr.custom({name}): give its derivative as partials=, tangent= or adjoint="
        )
    if partials is not None and (tangent is not None or adjoint is not None):
        raise DifferentiationError(
            f"cr.custom({name}): partials= says everything; leave out tangent= and adjoint="
        )
    rules: dict[str, Function] = {}
    if tangent is not None:
        rules["tangent"] = bind(_tangent, tangent)
    elif adjoint is not None:
        rules["tangent"] = bind(_transposed_adjoint, adjoint)
    if adjoint is not None:
        rules["adjoint"] = bind(_adjoints, adjoint)
    row = CustomPrimitive(
        name=name,
        evaluate=bind(_evaluate, function, name, partials is not None),
        kind=Kind.OTHER if partials is None else Kind.ELEMENTWISE,
        shape_rule=shapes.broadcast
        if partials is not None
        else bind(_shape, function, name, shape),
        partials=tuple(bind(_partial, p) if callable(p) else p for p in partials or ()),
        rules=rules,
        result_dtype=lambda arguments, attributes: _real_dtype(a.dtype for a in arguments),
    )

    @wraps(function)
    def primitive(*arguments: Any, **options: Any) -> Any:
        operands = [_operand(argument, name) for argument in arguments]
        if partials is not None and len(partials) != len(operands):
            raise DifferentiationError(
                f"{name} was called with {len(operands)} arguments, but cr.custom was given "
                f"{len(partials)} partials ({current_origin()})"
            )
        for key, value in options.items():
            if isinstance(value, Traced):
                raise TraceError(
                    f"{name}: the keyword argument {key} is traced; pass what is to be "
                    f"differentiated as a positional argument ({current_origin()})"
                )
        if any(isinstance(operand, Statement) for operand in operands):
            return Traced(row(*operands, **options))
        return row.evaluate(*operands, **options)

    return primitive


@dataclass(frozen=True, eq=False, kw_only=True)
class CustomPrimitive(Primitive):
    """A row of a user's own, kept out of the table."""

    def __post_init__(self) -> None:
        """Enter no table: two users may choose one name."""


def _operand(argument: Any, name: str) -> Any:
    """A statement or an array of numbers."""
    if isinstance(argument, list | tuple):
        argument = as_statement(argument)
        return argument.value if argument.is_constant else argument
    argument = lower(argument)
    if isinstance(argument, Statement):
        return argument
    array = np.asarray(argument)
    if array.dtype.kind not in "fiub":
        raise TraceError(
            f"{name}: {argument!r:.60} is not an array of real numbers; options go in keyword "
            f"arguments ({current_origin()})"
        )
    return array[()]


def _real_dtype(dtypes: Any) -> Any:
    """NumPy's promotion of the floating dtypes among ``dtypes``, float64 where there is none."""
    floating = [dtype for dtype in dtypes if dtype.kind == "f"]
    return np.result_type(*floating) if floating else np.dtype(np.float64)


def _evaluate(
    function: Function, name: str, is_elementwise: bool, *arrays: Any, **options: Any
) -> Any:
    """The function's value as a real array of its own."""
    with untraced():
        result = function(*arrays, **options)
    if isinstance(result, Traced):
        raise TraceError(
            f"{name} uses a traced value that is not among its arguments; pass it as one "
            f"({current_origin()})"
        )
    array = np.array(result) if result is not None else np.array(None)
    if array.dtype.kind not in "fiub":
        raise TraceError(
            f"{name} returned {result!r:.60}; a custom primitive returns one array of real numbers "
            f"({current_origin()})"
        )
    if is_elementwise:
        expected = shapes.broadcast(*(np.shape(a) for a in arrays))
        if array.shape != expected:
            raise ShapeError(
                f"{name} returned shape {array.shape} where an elementwise function gives "
                f"{expected}; describe it with tangent= or adjoint= instead of partials="
            )
    return array.astype(_real_dtype(np.asarray(a).dtype for a in arrays), copy=False)[()]


def _shape(
    function: Function, name: str, given: Any, *found: tuple[int, ...], **options: Any
) -> Any:
    """The shape given by the user, else that of the function's value at zeros."""
    if given is not None:
        return tuple(given(*found)) if callable(given) else tuple(given)
    try:
        return np.shape(function(*(np.zeros(s)[()] for s in found), **options))
    except Exception as error:
        raise ShapeError(
            f"{name} failed on zeros of shapes {', '.join(map(str, found))}, which were tried to "
            f"find the shape of its result ({type(error).__name__}: {error}); give "
            "cr.custom(shape=)"
        ) from error


def _traced(statements: Sequence[Statement]) -> list[Traced]:
    return [Traced(statement) for statement in statements]


def _partial(rule: Function, *statements: Statement, **options: Any) -> Statement:
    """A partial derivative: the user's rule run under trace."""
    with tracing():
        return as_statement(rule(*_traced(statements), **options))


def _tangent(rule: Function, y: Statement, tangents: list[Statement | None]) -> Statement:
    filled = tuple(
        Traced(zeros_like(argument) if tangent is None else tangent)
        for argument, tangent in zip(y.arguments, tangents, strict=True)
    )
    with tracing():
        return as_statement(rule(filled, Traced(y), *_traced(y.arguments), **y.attributes))


def _adjoints(
    rule: Function, y: Statement, g: Statement, active: list[bool]
) -> list[Statement | None]:
    with tracing():
        found = rule(Traced(g), Traced(y), *_traced(y.arguments), **y.attributes)
    if not isinstance(found, tuple | list):
        found = (found,)
    if len(found) != len(active):
        raise DifferentiationError(
            f"the adjoint rule of {y.primitive.name} returned {len(found)} adjoints for "
            f"{len(active)} arguments\n  at {y.origin}"
        )
    adjoints: list[Statement | None] = []
    for position, (part, argument, varies) in enumerate(
        zip(found, y.arguments, active, strict=True)
    ):
        if part is None or not varies:
            adjoints.append(None)
            continue
        statement = as_statement(part)
        if statement.shape != argument.shape:
            raise ShapeError(
                f"the adjoint rule of {y.primitive.name} gave argument {position} an adjoint of "
                f"shape {statement.shape}, but the argument has shape {argument.shape}\n"
                f"  at {y.origin}"
            )
        adjoints.append(statement)
    return adjoints


def _transposed_adjoint(
    rule: Function, y: Statement, tangents: list[Statement | None]
) -> Statement | None:
    """The tangent by an adjoint rule alone: the transpose of the transpose."""
    active = [tangent is not None for tangent in tangents]
    g = input_statement(y.shape, y.dtype)
    pairs = [
        (adjoint, tangent)
        for adjoint, tangent in zip(_adjoints(rule, y, g, active), tangents, strict=True)
        if adjoint is not None and tangent is not None
    ]
    terms = [pull_back([adjoint], [tangent], [g])[0] for adjoint, tangent in pairs]
    return total(terms) if any(term is not None for term in terms) else None
