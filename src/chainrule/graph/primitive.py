"""The form of a row in the table of primitives.

A row says once what a primitive means; everything else is derived from it: tangent and adjoint
rules, symbolic derivatives, shapes, printed forms and tests. There are three kinds of rows.

* **Elementwise** rows give a partial derivative for each argument, as an expression of the same
  primitives in the arguments ``x`` and the result ``y``: ``sin: cos(x)``, ``tanh: 1 - y * y``.
* **Linear** rows give an adjoint for each argument; their tangent is the primitive itself.
  *Jointly* linear rows (concatenate) apply to all tangents at once, *multilinear* rows (matmul)
  to one at a time.
* **Other** rows give a tangent rule that is linear in the tangents, or an expansion into simpler
  primitives, or both; their adjoint follows by transposing the tangent rule.

Rows without any of these (comparisons, floor, argmax) have derivative zero wherever they have one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.graph import shapes
from chainrule.graph.statement import Rule, Statement, apply, register


class Kind(Enum):
    """How a row gives its derivative."""

    ELEMENTWISE = "elementwise"
    LINEAR = "jointly linear"
    MULTILINEAR = "multilinear"
    OTHER = "other"
    CONSTANT = "no derivative"


Partial = Rule | float | None
ShapeRule = Callable[..., Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Primitive:
    """One row. Call it with statements, arrays or numbers to record a statement.

    Attributes:
        name: the field's name of the operation, also its name in formulas and printed traces.
        evaluate: its meaning, a function of NumPy arrays.
        kind: which of the fields below hold its derivative.
        shape_rule: shapes of the arguments and attributes -> shape of the result.
        partials: elementwise rows: per argument an expression of ``(*arguments, y)``, a number
            (1 and -1 cost nothing), or None for zero.
        adjoints: linear rows: per argument ``(adjoint of y, *arguments, **attributes)`` -> adjoint
            of that argument, or None where the primitive is not linear in it (an index). Other rows
            that are linear in some arguments (solve) may give adjoints for those.
        any_adjoint: the same for rows with any number of arguments; takes the position first.
        tangent: other rows: ``(y, arguments, tangents, **attributes)`` -> tangent of y; a tangent
            is None where it is zero.
        expansion: the same computation in simpler primitives: ``(*arguments, **attributes)``.
        symbol: the infix operator, where the primitive has one.
        latex: a template such as ``\\sin {0}``; empty means an upright name with parentheses. An
            argument that ends the template gets parentheses where it needs them.
        domain: elementwise rows: per argument the interval to which tests confine it.
        result_dtype: a fixed dtype of the result; None applies NumPy's promotion.
        accepts_row_sparse: whether ``evaluate`` can read a ``RowSparse`` value.
    """

    name: str
    evaluate: Callable[..., Any]
    kind: Kind
    shape_rule: ShapeRule
    partials: tuple[Partial, ...] = ()
    adjoints: tuple[Rule | None, ...] = ()
    any_adjoint: Rule | None = None
    tangent: Callable[..., Statement] | None = None
    expansion: Rule | None = None
    symbol: str = ""
    latex: str = ""
    domain: tuple[tuple[float, float], ...] = ()
    result_dtype: Any = None
    accepts_row_sparse: bool = False
    rules: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        register(self)

    def __call__(self, *arguments: Any, **attributes: Any) -> Statement:
        """Record a statement."""
        return apply(self, *arguments, **attributes)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def shape_of(self, arguments: tuple[Statement, ...], attributes: Mapping[str, Any]) -> Any:
        """The result's shape, from the shapes of the arguments alone."""
        return self.shape_rule(*(argument.shape for argument in arguments), **attributes)

    def dtype_of(self, arguments: tuple[Statement, ...], attributes: Mapping[str, Any]) -> Any:
        """The result's dtype, from the dtypes of the arguments alone."""
        if self.result_dtype is not None:
            rule = self.result_dtype
            return rule(arguments, attributes) if callable(rule) else np.dtype(rule)
        dtypes = tuple(argument.dtype for argument in arguments)
        if self.kind in (Kind.ELEMENTWISE, Kind.CONSTANT):
            return _dtype_by_example(self.evaluate, dtypes, tuple(sorted(attributes.items())))
        return np.result_type(*dtypes)


@lru_cache(maxsize=4096)
def _dtype_by_example(
    evaluate: Callable[..., Any], dtypes: tuple[Any, ...], attributes: Any
) -> Any:
    with np.errstate(all="ignore"):
        return evaluate(*(np.ones((), dtype) for dtype in dtypes), **dict(attributes)).dtype


def elementwise(
    name: str, evaluate: Callable[..., Any], *partials: Partial, **fields: Any
) -> Primitive:
    """Enter an elementwise row: its partial derivatives follow its meaning."""
    return Primitive(
        name=name,
        evaluate=evaluate,
        kind=Kind.ELEMENTWISE if any(p is not None for p in partials) else Kind.CONSTANT,
        shape_rule=shapes.broadcast,
        partials=partials,
        **fields,
    )


def linear(
    name: str,
    evaluate: Callable[..., Any],
    shape_rule: ShapeRule,
    *adjoints: Rule | None,
    **fields: Any,
) -> Primitive:
    """Enter a row that is linear in all its differentiable arguments together."""
    return Primitive(
        name=name,
        evaluate=evaluate,
        kind=Kind.LINEAR,
        shape_rule=shape_rule,
        adjoints=adjoints,
        **fields,
    )


def multilinear(
    name: str,
    evaluate: Callable[..., Any],
    shape_rule: ShapeRule,
    *adjoints: Rule | None,
    **fields: Any,
) -> Primitive:
    """Enter a row that is linear in each of its arguments while the others stay fixed."""
    return Primitive(
        name=name,
        evaluate=evaluate,
        kind=Kind.MULTILINEAR,
        shape_rule=shape_rule,
        adjoints=adjoints,
        **fields,
    )


def other(
    name: str,
    evaluate: Callable[..., Any],
    shape_rule: ShapeRule,
    tangent: Callable[..., Statement] | None = None,
    **fields: Any,
) -> Primitive:
    """Enter a row that gives its tangent rule, its expansion, or both."""
    return Primitive(
        name=name,
        evaluate=evaluate,
        kind=Kind.OTHER,
        shape_rule=shape_rule,
        tangent=tangent,
        **fields,
    )


def without_derivative(
    name: str, evaluate: Callable[..., Any], shape_rule: ShapeRule, **fields: Any
) -> Primitive:
    """Enter a row whose result does not vary, or has no derivative, where it is differentiated."""
    return Primitive(
        name=name, evaluate=evaluate, kind=Kind.CONSTANT, shape_rule=shape_rule, **fields
    )
