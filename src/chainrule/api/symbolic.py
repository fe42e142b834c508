"""Symbolic expressions: ``cr.symbolic`` turns a function or a formula into one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.api.gradients import name_of
from chainrule.diff.simplify import simplify
from chainrule.diff.symbolic import derivative, sizes
from chainrule.errors import DifferentiationError, GraphError, TraceError
from chainrule.graph.graph import Graph
from chainrule.graph.statement import Statement, input_statement
from chainrule.graph.text import (
    MAXIMUM_NODES,
    expression_latex,
    expression_text,
    latex_name,
    statement_latex,
    statement_text,
    tree_size,
)
from chainrule.tracing.formula import Formula, parse
from chainrule.tracing.record import call_traced, result_statement
from chainrule.tracing.traced import Traced


class Expression:
    """A simplified scalar expression in named variables: printed, differentiated, evaluated.

    Two expressions built separately have variables of their own; a derivative shares those of its
    function.

    >>> f = symbolic("ln(x1) + x1*x2 - sin(x2)")
    >>> print(f.diff("x1"), "|", f.diff("x2"), "|", f.diff("x2").diff("x2"))
    1/x1 + x2 | x1 - cos(x2) | sin(x2)
    >>> round(float(f.diff("x1").evaluate(x1=2, x2=5)), 3), round(float(f(2, 5)), 3)
    (5.5, 11.652)
    """

    def __init__(self, names: Sequence[str], inputs: Sequence[Statement], output: Statement):
        self._inputs = tuple(inputs)
        self._output = output
        self._names = dict(zip(self._inputs, names, strict=True))

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, in the order of the function's arguments."""
        return tuple(self._names.values())

    @cached_property
    def graph(self) -> Graph:
        """The shared graph: the variables as inputs, the expression as its only output."""
        return Graph(self._inputs, (self._output,))

    # ----- derivatives ----------------------------------------------------------------------------

    def diff(self, variable: str | int | None = None) -> Expression:
        """The derivative, an expression in the same variables.

        Args:
            variable: a name, or a position among the variables; may be left out where there is only
                one.

        Raises:
            DifferentiationError: where there is no such variable, or several to choose from.

        >>> print(symbolic("x*exp(-x^2)").diff())
        exp(-x**2) - 2*x**2*exp(-x**2)
        """
        statement = self._variable(variable)
        return Expression(self.variables, self._inputs, derivative(self._output, statement))

    def gradient(self) -> dict[str, Expression]:
        """The partial derivative with respect to each variable, by its name.

        >>> {name: str(part) for name, part in symbolic("x**2*y").gradient().items()}
        {'x': '2*x*y', 'y': 'x**2'}
        """
        return {name: self.diff(name) for name in self.variables}

    def _variable(self, variable: str | int | None) -> Statement:
        names = self.variables
        known = ", ".join(names) or "none"
        if variable is None:
            if len(names) != 1:
                raise DifferentiationError(
                    f"the expression has {len(names)} variables ({known}); say with respect to "
                    "which one to differentiate: .diff('name')"
                )
            return self._inputs[0]
        if isinstance(variable, str) and variable in names:
            return self._inputs[names.index(variable)]
        if isinstance(variable, int) and -len(names) <= variable < len(names):
            return self._inputs[variable]
        raise DifferentiationError(
            f"the expression has no variable {variable!r}; its variables: {known}"
        )

    # ----- values ---------------------------------------------------------------------------------

    def __call__(self, *values: Any) -> Any:
        """The value at a point: one number per variable, in their order, or arrays that broadcast.

        Outside of its domain it is NaN or infinite.

        Raises:
            TraceError: where the number of values is not that of the variables.
        """
        if len(values) != len(self._inputs):
            raise TraceError(
                f"{len(values)} values were given for {len(self._inputs)} variables "
                f"({', '.join(self.variables)})"
            )
        points = [np.float64(value) for value in values]
        with np.errstate(all="ignore"):
            (result,) = self.graph.evaluate(*points)
        return result

    def evaluate(self, **values: float) -> Any:
        """The value at a point, given by name; outside of the domain it is NaN or infinite.

        Raises:
            TraceError: where a variable has no value, or a value no variable.
        """
        missing = [name for name in self.variables if name not in values]
        extra = [name for name in values if name not in self.variables]
        if missing or extra:
            raise TraceError(
                "; ".join(
                    [f"{name!r} has no value" for name in missing]
                    + [f"there is no variable {name!r}" for name in extra]
                )
                + f" (the variables: {', '.join(self.variables) or 'none'})"
            )
        return self(*(values[name] for name in self.variables))

    # ----- size -----------------------------------------------------------------------------------

    @cached_property
    def tree_size(self) -> int:
        """The nodes of the expression written out as a tree: counted, never built.

        >>> f = symbolic("x")
        >>> for _ in range(60):  # The iterated logistic map of Baydin et al. (2018), table 1.
        ...     f = symbolic(lambda x, g=f: 4 * g.apply(x) * (1 - g.apply(x)))
        >>> f.tree_size > 10**9, f.graph_size < 2000
        (True, True)
        """
        return sizes([self._output]).tree

    @cached_property
    def graph_size(self) -> int:
        """The nodes of the graph in which each common part stands once."""
        return sizes([self._output]).graph

    def apply(self, *values: Any) -> Any:
        """The expression at traced values, inside of a function that is being traced.

        >>> square = symbolic("x^2")
        >>> print(symbolic(lambda y: square.apply(y) + 1))
        y**2 + 1
        """
        statements = [result_statement(value, "an argument of apply") for value in values]
        return Traced(self.graph.inline(*statements)[0])

    # ----- printing -------------------------------------------------------------------------------

    def __str__(self) -> str:
        if tree_size(self._output, self._names) <= MAXIMUM_NODES:
            return expression_text(self._output, self._names)
        return "\n".join(f"{name} = {right}" for name, right in self._lines(statement_text))

    def __repr__(self) -> str:
        text = str(self) if self.tree_size <= 200 else f"{self.tree_size} nodes"
        return f"Expression({text!r}, variables={list(self.variables)})"

    def latex(self) -> str:
        r"""The expression in LaTeX; a very large one is written statement by statement.

        >>> print(symbolic("sin(x1)/x2^2").latex())
        \frac{\sin x_{1}}{x_{2}^{2}}
        """
        try:
            return expression_latex(self._output, self._names)
        except GraphError:
            lines = [
                f"{latex_name(name)} &= {right}" for name, right in self._lines(statement_latex)
            ]
            return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _lines(self, write: Callable[..., str]) -> list[tuple[str, str]]:
        """The shared form: each statement of the graph on a line, the expression the last one."""
        names = dict(self._names)
        prefix = "v" if not any(name.startswith("v") for name in self.variables) else "_v"
        lines: list[tuple[str, str]] = []
        for statement in self.graph.statements:
            if statement in names or statement.is_constant:
                continue
            name = f"{prefix}{len(lines)}"
            lines.append((name, write(statement, names)))
            names[statement] = name
        return lines

    # ----- SymPy ----------------------------------------------------------------------------------

    def to_sympy(self) -> Any:
        """The same expression for SymPy, its variables real symbols of the same names.

        Raises:
            ImportError: where SymPy is not installed.
            GraphError: where a primitive has no counterpart in SymPy.
        """
        from chainrule.api.sympy import to_sympy

        return to_sympy(self._output, self._names)

    @classmethod
    def from_sympy(cls, expression: Any) -> Expression:
        """The same as :func:`from_sympy`."""
        return from_sympy(expression)


def symbolic(function: Callable[..., Any] | str) -> Expression:
    """The simplified expression of a function of real numbers, or of a formula.

    Args:
        function: ordinary NumPy code of scalar arguments, whose names become the variables (those
            with a default keep it); or a formula such as ``"ln(x1) + x1*x2 - sin(x2)"``.

    Raises:
        TraceError: where the function cannot be traced: its arguments have no values here, so it
            cannot branch on them (``np.where`` can).
        DifferentiationError: where the result is not one real number.
        FormulaError: where the formula cannot be read.

    >>> import numpy as np
    >>> f = symbolic(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2))
    >>> print(f.diff("x1"))
    1/x1 + x2
    >>> f.diff("x2")
    Expression('x1 - cos(x2)', variables=['x1', 'x2'])
    """
    if isinstance(function, Expression):
        return function
    if isinstance(function, str | Formula):
        formula = parse(function) if isinstance(function, str) else function
        names = list(formula.names)
        called: Callable[..., Any] = formula
    elif callable(function):
        names, called = _argument_names(function), function
    else:
        raise TraceError(
            f"cr.symbolic takes a function or a formula in text, not {type(function).__name__}"
        )
    inputs = [input_statement((), np.float64, name=name) for name in names]
    result = call_traced(called, [Traced(statement) for statement in inputs], {})
    what = "the formula" if isinstance(function, str) else name_of(function)
    output = result_statement(result, what)
    if output.shape != ():
        raise DifferentiationError(
            f"{what} returned an array of shape {output.shape}; a symbolic expression is one number"
        )
    return Expression(names, inputs, simplify([output])[0])


def from_sympy(expression: Any) -> Expression:
    """An expression of SymPy as an expression here; its free symbols, sorted, are the variables.

    Raises:
        ImportError: where SymPy is not installed.
        GraphError: where a function of SymPy has no counterpart here.

    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> print(from_sympy(sympy.log(x) * y).diff("x"))
    y/x
    """
    from chainrule.api.sympy import to_statement

    names, inputs, output = to_statement(expression)
    return Expression(names, inputs, simplify([output])[0])


def _argument_names(function: Callable[..., Any]) -> list[str]:
    """The parameters that become variables: positional ones without a default.

    Raises:
        TraceError: where the function takes ``*args`` or needs keywords, so that there is no name.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise TraceError(
            f"{name_of(function)!r} has no signature to take the names of "
            "variables from; wrap it: lambda x: f(x)"
        ) from None
    names = []
    for parameter in parameters:
        if parameter.default is not parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.KEYWORD_ONLY):
            raise TraceError(
                f"the parameter {parameter} of {name_of(function)!r} cannot "
                "be a variable; wrap the function: lambda x, y: f(x, y)"
            )
        names.append(parameter.name)
    return names
