"""Forward mode: tangents of inputs -> tangents of outputs, by one walk up the graph.

The tangent of a statement is the sum, over its arguments, of its partial derivative times the
argument's tangent. Tangents are statements again: they have values, prints and derivatives of their
own. A tangent that is zero everywhere is None and costs nothing.

Source: R. E. Wengert (1964); Griewank and Walther, Evaluating Derivatives (2008), chapter 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.graph.graph import ancestors
from chainrule.graph.origin import inherit_origin, preserved_origin
from chainrule.graph.primitive import Kind, Primitive
from chainrule.graph.statement import Statement
from chainrule.graph.table.elementwise import multiply
from chainrule.graph.table.nonlinear import total
from chainrule.graph.table.structural import broadcast_to, convert, copy, zeros_like

Tangent = Statement | None


def push_forward(
    outputs: Sequence[Statement],
    inputs: Sequence[Statement],
    tangents: Sequence[Tangent],
    drop_zeros: bool = False,
) -> list[Tangent]:
    """The tangents of ``outputs`` for the given ``tangents`` of ``inputs``.

    Args:
        outputs: statements that may depend on the inputs.
        inputs: the statements that vary.
        tangents: one per input, of its shape; None where it does not vary.
        drop_zeros: whether tangents that follow from constants, and are zero, are left out: those
            of the parts of an array that a seed leaves alone.

    Returns:
        One tangent per output; None where the output does not depend on a varying input.
    """
    known = tangents_of(outputs, inputs, tangents, drop_zeros)
    return [known.get(output) for output in outputs]


def tangents_of(
    outputs: Sequence[Statement],
    inputs: Sequence[Statement],
    tangents: Sequence[Tangent],
    drop_zeros: bool = False,
) -> dict[Statement, Statement]:
    """The tangents of every statement between ``inputs`` and ``outputs`` that varies."""
    known = {
        statement: tangent
        for statement, tangent in zip(inputs, tangents, strict=True)
        if tangent is not None
    }
    with preserved_origin(), np.errstate(all="ignore"):
        for statement in ancestors(outputs, stop=inputs):
            if statement in known or not statement.is_differentiable:
                continue
            arguments = [known.get(argument) for argument in statement.arguments]
            if any(argument is not None for argument in arguments):
                inherit_origin(statement.origin)
                tangent = tangent_of(statement, arguments)
                if tangent is not None and not (drop_zeros and _is_fixed_zero(tangent)):
                    known[statement] = tangent
    return known


def _is_fixed_zero(tangent: Statement) -> bool:
    """Whether a tangent is zero and follows from constants, so that it stays zero."""
    value = tangent.value if isinstance(tangent, Statement) else None
    if value is None or isinstance(value, tuple) or np.any(value):
        return False
    return all(
        statement.is_constant or (statement.arguments and statement.primitive is not copy)
        for statement in ancestors([tangent])
    )


def tangent_of(statement: Statement, tangents: list[Tangent]) -> Tangent:
    """The tangent of one statement, given those of its arguments (one at least is not None)."""
    row = statement.primitive
    if row.kind is Kind.CONSTANT:
        return None
    if "tangent" in row.rules:
        result: Tangent = row.rules["tangent"](statement, tangents)
    elif row.kind is Kind.ELEMENTWISE:
        result = _elementwise(statement, tangents)
    elif row.kind is Kind.LINEAR:
        result = _jointly_linear(statement, tangents)
    elif row.kind is Kind.MULTILINEAR:
        result = _multilinear(statement, tangents)
    elif row.tangent is not None:
        result = row.tangent(statement, statement.arguments, tangents, **statement.attributes)
    else:
        result = _through_expansion(statement, tangents)
    if result is None or isinstance(statement.dtype, tuple):
        return result
    if result.dtype != statement.dtype:
        result = convert(result, dtype=statement.dtype)
    return (
        result if result.shape == statement.shape else broadcast_to(result, shape=statement.shape)
    )


def partial_times(
    partial: object, factor: Statement, statement: Statement, product: Primitive = multiply
) -> Tangent:
    """``factor`` times a partial derivative; the partials 1, -1 and 0 cost no product."""
    if callable(partial):
        partial = partial(*statement.arguments, statement, **statement.attributes)
    if isinstance(partial, Statement):
        return product(factor, partial)
    if partial is None or partial == 0:
        return None
    if partial == 1:
        return factor
    return -factor if partial == -1 else factor * partial


def _elementwise(statement: Statement, tangents: list[Tangent]) -> Tangent:
    terms = [
        partial_times(partial, tangent, statement)
        for partial, tangent in zip(statement.primitive.partials, tangents, strict=True)
        if tangent is not None
    ]
    return total(terms) if any(term is not None for term in terms) else None


def _jointly_linear(statement: Statement, tangents: list[Tangent]) -> Tangent:
    varying = [
        argument.is_differentiable and _is_linear_in(statement, position)
        for position, argument in enumerate(statement.arguments)
    ]
    if not any(v and t is not None for v, t in zip(varying, tangents, strict=True)):
        return None
    arguments = (
        argument if not linear else zeros_like(argument) if tangent is None else tangent
        for argument, tangent, linear in zip(statement.arguments, tangents, varying, strict=True)
    )  # fmt: skip
    return statement.primitive(*arguments, **statement.attributes)


def _is_linear_in(statement: Statement, position: int) -> bool:
    adjoints = statement.primitive.adjoints
    return not adjoints or (position < len(adjoints) and adjoints[position] is not None)


def _multilinear(statement: Statement, tangents: list[Tangent]) -> Tangent:
    terms: list[Tangent] = []
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            arguments = list(statement.arguments)
            arguments[position] = tangent
            terms.append(statement.primitive(*arguments, **statement.attributes))
    return total(terms)


def _through_expansion(statement: Statement, tangents: list[Tangent]) -> Tangent:
    """The tangent of the expansion of a coarse statement, taken at its own arguments."""
    expansion = statement.primitive.expansion
    if expansion is None:
        raise NotImplementedError(f"the row {statement.primitive.name} has no derivative rule")
    arguments = [copy(argument) for argument in statement.arguments]
    result = expansion(*arguments, **statement.attributes)
    return push_forward([result], arguments, tangents)[0]
