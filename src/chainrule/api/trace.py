"""``cr.trace``: the evaluation, tangent and adjoint traces of a function at a point."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.api.gradients import name_of
from chainrule.errors import DifferentiationError, TraceError
from chainrule.graph.origin import current_origin
from chainrule.graph.statement import Statement
from chainrule.show.record import MOST_SEEDS, direction_of, fitting
from chainrule.show.trace import Trace
from chainrule.tracing.formula import Formula, parse
from chainrule.tracing.parameter import Parameter
from chainrule.tracing.record import call_traced, enter, result_statement
from chainrule.tracing.traced import Traced
from chainrule.tracing.trees import Tree


def trace(
    function: Callable[..., Any] | str,
    *args: Any,
    seed: str | Sequence[str] | Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    adjoint: Any = None,
) -> Trace:
    """Record one evaluation of a function with all its intermediate values and derivatives.

    Args:
        function: ordinary NumPy code, a formula, or the text of a formula.
        args: the point: numbers, arrays, and nested values or modules of them. Arrays of integers,
            text and None are passed on as constants.
        seed: the tangent traces to show: the name of an input, several of them, ``"all"``, or a
            direction {name: tangent}. An array moves by 1 in every entry. By default every input,
            where these are at most six numbers.
        names: names of the arguments, or of all their leaves, for other than the parameters' own.
        adjoint: where the result is not one number, its adjoint, of the structure of the result;
            by default ones, so that the derivatives are those of the sum of its entries.

    Returns:
        A trace to print, to show in a notebook, or to ask for single entries.

    Raises:
        DifferentiationError: for names, seeds and adjoints that do not fit.
        FormulaError: for text that is not a formula.
        TraceError: where the code cannot be traced.

    >>> print(trace("ln(x1) + x1*x2 - sin(x2)", 2, 5, seed="x1"))
    y = ln(x1) + x1*x2 - sin(x2) at x1 = 2, x2 = 5
    <BLANKLINE>
    Evaluation trace
      v0 = x1      = 2
      v1 = x2      = 5
      v2 = ln(v0)  = 0.693147
      v3 = v0·v1   = 10
      v4 = sin(v1) = -0.958924
      v5 = v2 + v3 = 10.6931
      v6 = v5 - v4 = 11.6521
      y  = v6      = 11.6521
    ...

    Source: Baydin, Pearlmutter, Radul and Siskind, Automatic differentiation in machine learning:
    a survey (2018), section 3.
    """
    traced = parse(function) if isinstance(function, str) else function
    inputs, input_names, entered = _entered(traced, args, names)
    with np.errstate(all="ignore"):
        result = call_traced(traced, entered, {})
    output = Tree(result)
    outputs = [result_statement(leaf, name_of(traced)) for leaf in output.leaves]
    if not outputs:
        result_statement(None, name_of(traced))
    for statement in (*inputs, *outputs):
        if statement.value is None:
            raise TraceError(
                "a trace shows numbers, and under cr.compile there are none yet; call cr.trace "
                f"outside of the compiled function ({current_origin()})"
            )
    # The result is called y, but for functions that have an input of that name.
    letter = next(name for name in ("y", "z", "f", "result") if name not in input_names)
    single = len(outputs) == 1
    return Trace(
        title=_title(traced, len(args)),
        inputs=inputs,
        input_names=input_names,
        outputs=outputs,
        output_names=[letter] if single else [letter + path for path in output.paths],
        output_adjoints=_output_adjoints(adjoint, outputs),
        directions=_directions(seed, inputs, input_names),
        result=output.rebuild([np.array(statement.value)[()] for statement in outputs]),
    )


def _entered(
    function: Callable[..., Any], args: Sequence[Any], names: Sequence[str] | None
) -> tuple[list[Statement], list[str], list[Any]]:
    """The inputs, their names, and the arguments rebuilt around them."""
    trees = [Tree(argument) for argument in args]
    labels = _argument_names(function, len(args))
    if names is not None and len(names) == len(args):
        labels = list(names)
    paths = [label + path for label, tree in zip(labels, trees, strict=True) for path in tree.paths]
    if names is not None and len(names) != len(args):
        if len(names) != len(paths):
            raise DifferentiationError(
                f"{len(names)} names were given for {len(args)} arguments, in which there are "
                f"{len(paths)} values; give as many as one of both ({current_origin()})"
            )
        paths = list(names)
    found: dict[str, Statement] = {}
    entered = []
    remaining = iter(paths)
    for tree in trees:
        leaves = []
        for leaf in tree.leaves:
            path = next(remaining)
            if _is_variable(leaf):
                if path in found:
                    raise DifferentiationError(
                        f"two inputs are called {path!r}; give other names ({current_origin()})"
                    )
                found[path] = enter(leaf, path)
                leaf = Traced(found[path])
            leaves.append(leaf)
        entered.append(tree.rebuild(leaves))
    return list(found.values()), list(found), entered


def _is_variable(leaf: Any) -> bool:
    """Whether a leaf moves: numbers and real arrays do; labels, text and options do not."""
    if isinstance(leaf, Parameter):
        return _is_variable(leaf.value)
    if isinstance(leaf, Traced):
        return leaf.statement.is_differentiable
    if isinstance(leaf, np.ndarray | np.generic):
        return leaf.dtype.kind == "f"
    return isinstance(leaf, int | float) and not isinstance(leaf, bool)


def _argument_names(function: Any, count: int) -> list[str]:
    """The names of the parameters; x1, x2 ... where the function does not tell."""
    found: list[str] = []
    if isinstance(function, Formula):
        found += function.names
    else:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # Some functions written in C do not say.
            parameters = []
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                found += [f"{parameter.name}[{i}]" for i in range(count - len(found))]
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                found.append(parameter.name)
    if len(found) < count:
        found = ["x"] if count == 1 else [f"x{i + 1}" for i in range(count)]
    return found[:count]


def _title(function: Any, count: int) -> str:
    if isinstance(function, Formula):
        return function.__name__
    name = name_of(function)
    arguments = ", ".join(_argument_names(function, count))
    return f"{'f' if name == '<lambda>' else name}({arguments})"


def _output_adjoints(adjoint: Any, outputs: Sequence[Statement]) -> list[Any]:
    if adjoint is None:
        return [
            np.ones(output.shape, output.dtype)[()] if output.is_differentiable else None
            for output in outputs
        ]
    leaves = Tree(adjoint).leaves if len(outputs) > 1 else [adjoint]
    if len(leaves) != len(outputs):
        raise DifferentiationError(
            f"{len(leaves)} adjoints were given for {len(outputs)} results ({current_origin()})"
        )
    return [
        fitting(leaf, output, "adjoint") if output.is_differentiable else None
        for leaf, output in zip(leaves, outputs, strict=True)
    ]


def _directions(
    seed: Any, inputs: Sequence[Statement], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Tangent trace -> the tangents of the inputs that move in it."""
    if seed is None:
        few = len(names) <= MOST_SEEDS and all(not statement.shape for statement in inputs)
        seed = "all" if few else ()
    if isinstance(seed, Mapping):
        by_name = dict(zip(names, inputs, strict=True))
        for name in seed:
            direction_of(name, inputs, names)
        return {
            "direction": {
                name: fitting(tangent, by_name[name], f"tangent of {name}")
                for name, tangent in seed.items()
            }
        }
    if isinstance(seed, str):
        seed = list(names) if seed == "all" and "all" not in names else [seed]
    return {name: direction_of(name, inputs, names) for name in seed}
