"""Reverse mode: adjoints of outputs -> adjoints of inputs, by one walk down the graph.

The adjoint of a statement is the sum, over the statements that use it, of their adjoint times their
partial derivative with respect to it. Adjoints are statements again. Each statement between inputs
and outputs is visited once, so the gradient costs a small constant times the value.

Source: S. Linnainmaa (1970); Griewank and Walther, Evaluating Derivatives (2008), chapter 3.2.
The adjoint of a row that gives only a tangent rule is the transpose of that linear rule, as in
Frostig, Johnson, Maclaurin, Paszke and Radul, Decomposing reverse-mode automatic differentiation
(2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.diff.forward import partial_times, tangent_of
from chainrule.graph.graph import ancestors
from chainrule.graph.idioms import sigmoid_argument
from chainrule.graph.origin import inherit_origin, preserved_origin
from chainrule.graph.primitive import Kind, Primitive
from chainrule.graph.sharing import same_values
from chainrule.graph.statement import Statement, input_statement
from chainrule.graph.table.elementwise import multiply
from chainrule.graph.table.structural import (
    add_row_sparse,
    convert,
    masked_product,
    put_slice,
    put_slices,
    sum_to,
    take_slice,
    to_dense,
)

# A statement; ``Parts`` for one with several results; None for zero.
Adjoint = Any
# An index, and the adjoint of what was read there.
Piece = tuple[tuple[Any, ...], Statement]
Observer = Callable[[Statement, int, Statement], None]

_ROW_SPARSE = {"row_sparse", "add_row_sparse"}


def pull_back(
    outputs: Sequence[Statement],
    seeds: Sequence[Adjoint],
    inputs: Sequence[Statement],
    observe: Observer | None = None,
) -> list[Adjoint]:
    """The adjoints of ``inputs`` for the given adjoints (``seeds``) of ``outputs``.

    Args:
        outputs: statements that may depend on the inputs.
        seeds: one adjoint per output, of its shape; None for zero.
        inputs: the statements to differentiate with respect to.
        observe: called with (statement, position, contribution) for each contribution that a
            statement sends to its argument at that position, in the order of the walk.

    Returns:
        One adjoint per input, of its shape and dtype; None where no output depends on it. An
        adjoint may be row-sparse; ``dense`` turns it into an array.
    """
    same = _merged(outputs, inputs, observe)
    adjoints: dict[Any, Any] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        if seed is not None:
            accumulate(adjoints, same.get(output, output), seed)
    order = ancestors(outputs, stop=inputs)
    varying = varying_statements(order, inputs)
    stops = set(inputs)
    below_choices: set[Statement] = set()
    pieces: dict[Statement, list[Piece]] = {}
    with preserved_origin(), np.errstate(all="ignore"):
        for statement in reversed(order):
            if statement in stops or statement not in varying:
                continue
            if same.get(statement, statement) is not statement:
                continue
            inherit_origin(statement.origin)
            if statement in pieces:
                accumulate(adjoints, statement, _assembled(pieces.pop(statement), statement))
            adjoint = adjoints.pop(statement, None)
            if adjoint is None:
                continue
            arguments = [same.get(argument, argument) for argument in statement.arguments]
            active = [argument in varying for argument in arguments]
            is_below_choice = statement in below_choices
            if is_below_choice or statement.primitive.name in ("where", "masked_product"):
                below_choices.update(arguments)
            product = masked_product if is_below_choice else multiply
            inner = sigmoid_argument(statement) if same else None
            if inner is not None:
                inner = same.get(inner, inner)
                if is_below_choice:
                    below_choices.add(inner)
                if inner in varying:
                    partial = statement * (1 - statement)
                    accumulate(adjoints, inner, product(dense(adjoint), partial))
                continue
            if statement.primitive is take_slice and observe is None:
                piece = (statement.attributes["index"], dense(adjoint))
                pieces.setdefault(arguments[0], []).append(piece)
                continue
            contributions = adjoints_of(statement, adjoint, active, product)
            for position, contribution in enumerate(contributions):
                if contribution is not None:
                    argument = arguments[position]
                    contribution = _fitted(contribution, argument)
                    if observe is not None:
                        observe(statement, position, contribution)
                    accumulate(adjoints, argument, contribution)
        for statement in dict.fromkeys(inputs):
            if statement in pieces:
                accumulate(adjoints, statement, _assembled(pieces[statement], statement))
    return [adjoints.get(statement) for statement in inputs]


def _merged(
    outputs: Sequence[Statement], inputs: Sequence[Statement], observe: Observer | None
) -> dict[Statement, Statement]:
    """For a statement that computes again what an earlier one has, the earlier one.

    One that is used in two places then has one adjoint, the sum; the planner, which merges
    statements as well, could not add up what was pulled back along separate ways. Where values are
    there already nothing would be saved, and one who observes wants to see what was written.
    """
    if observe is not None or all(output.value is not None for output in outputs):
        return {}
    return same_values(outputs, inputs)


def varying_statements(order: Sequence[Statement], inputs: Sequence[Statement]) -> set[Statement]:
    """Those of ``order`` (oldest first) whose value varies differentiably with the inputs."""
    varying = {statement for statement in inputs if statement.is_differentiable}
    for statement in order:
        if (
            statement.primitive.kind is not Kind.CONSTANT
            and statement.is_differentiable
            and any(argument in varying for argument in statement.arguments)
        ):
            varying.add(statement)
    return varying


def accumulate(adjoints: dict[Any, Any], target: Any, term: Any) -> None:
    """Add ``term`` to the adjoint of ``target`` (a key); row-sparse terms stay row-sparse."""
    present = adjoints.get(target)
    if present is None:
        adjoints[target] = term
    elif isinstance(present, Parts):
        present.add(term)
    elif not is_row_sparse(term):
        adjoints[target] = dense(present) + term
    elif is_row_sparse(present):
        adjoints[target] = add_row_sparse(present, term)
    else:
        adjoints[target] = present + dense(term)


def _assembled(pieces: list[Piece], like: Statement) -> Statement:
    """The adjoint of an array of which slices were read: one array, however many slices."""
    if len(pieces) == 1:
        (index, adjoint), *_ = pieces
        return put_slice(adjoint, index=index, shape=like.shape)
    indices = tuple(index for index, _ in pieces)
    return put_slices(*(adjoint for _, adjoint in pieces), indices=indices, shape=like.shape)


class Parts:
    """The adjoint of a statement with several results: position -> adjoint, absent where zero."""

    def __init__(self, position: int, adjoint: Statement) -> None:
        self.by_position: dict[int, Statement] = {position: adjoint}

    def add(self, other: Parts) -> None:
        """Add the adjoints of another use of the results."""
        for position, adjoint in other.by_position.items():
            accumulate(self.by_position, position, adjoint)


def is_row_sparse(adjoint: Statement) -> bool:
    """Whether the statement's value is a ``RowSparse``."""
    while adjoint.primitive.name == "convert":
        adjoint = adjoint.arguments[0]
    return adjoint.primitive.name in _ROW_SPARSE


def dense(adjoint: Statement) -> Statement:
    """The adjoint as an ordinary array."""
    return to_dense(adjoint) if is_row_sparse(adjoint) else adjoint


def adjoints_of(
    statement: Statement, adjoint: Statement, active: list[bool], product: Primitive = multiply
) -> list[Adjoint]:
    """What one statement sends to each of its arguments; None where nothing, or not active.

    Args:
        statement: with its arguments.
        adjoint: of the statement.
        active: for each argument whether its adjoint is wanted.
        product: of the adjoint and a partial derivative: ``masked_product`` below a choice.
    """
    row = statement.primitive
    if "adjoint" in row.rules:
        return row.rules["adjoint"](statement, adjoint, active)
    if row.name in ("copy", "to_dense"):
        return [adjoint]
    if row.name == "item":
        return [Parts(statement.attributes["position"], dense(adjoint))]
    if row.kind is not Kind.CONSTANT and is_row_sparse(adjoint):
        adjoint = dense(adjoint)
    if row.kind is Kind.ELEMENTWISE:
        return [
            partial_times(partial, adjoint, statement, product) if varies else None
            for partial, varies in zip(row.partials, active, strict=True)
        ]
    if row.kind in (Kind.LINEAR, Kind.MULTILINEAR) or _has_adjoints_for(row, active):
        return [
            _adjoint_of_linear(statement, adjoint, position) if varies else None
            for position, varies in enumerate(active)
        ]
    return _transposed(statement, adjoint, active)


def _has_adjoints_for(row: Primitive, active: list[bool]) -> bool:
    """Whether the row is linear in every active argument, and says with which adjoint."""
    return len(row.adjoints) == len(active) and all(
        adjoint is not None for adjoint, varies in zip(row.adjoints, active, strict=True) if varies
    )


def _adjoint_of_linear(statement: Statement, adjoint: Statement, position: int) -> Adjoint:
    row = statement.primitive
    if row.any_adjoint is not None:
        return row.any_adjoint(adjoint, position, *statement.arguments, **statement.attributes)
    rule = row.adjoints[position]
    return rule and rule(adjoint, *statement.arguments, **statement.attributes)


def _transposed(statement: Statement, adjoint: Statement, active: list[bool]) -> list[Adjoint]:
    """Pull the adjoint back through the tangent rule, which is linear in the tangents."""
    tangents = [
        input_statement(argument.shape, argument.dtype) if varies else None
        for argument, varies in zip(statement.arguments, active, strict=True)
    ]
    result = tangent_of(statement, tangents)
    present = [tangent for tangent in tangents if tangent is not None]
    if result is None:
        return [None] * len(active)
    found = iter(pull_back([result], [adjoint], present))
    return [None if tangent is None else next(found) for tangent in tangents]


def _fitted(contribution: Statement, argument: Statement) -> Statement:
    """The contribution with the argument's shape (broadcasting undone) and dtype."""
    if isinstance(argument.dtype, tuple):
        return contribution
    if contribution.shape != argument.shape:
        contribution = sum_to(contribution, argument.shape)
    if contribution.dtype != argument.dtype:
        contribution = convert(contribution, dtype=argument.dtype)
    return contribution
