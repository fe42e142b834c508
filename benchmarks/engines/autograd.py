"""HIPS autograd: a tape in Python over NumPy; forward passes by its ``make_jvp``."""

from __future__ import annotations

from functools import partial
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import grad, make_hvp
from autograd.differential_operators import make_jvp
from objectives.problem import Library, Problem, python_scan

from engines.serving import Ready, serve_engine


def prepare(problem: Problem) -> Ready:
    """Functions of NumPy arrays."""
    library = Library(anp, partial(python_scan, anp.stack))
    variables, data = problem.variables, problem.data
    count = len(variables)

    def value(*arrays: Any) -> Any:
        return problem.value(library, *arrays)

    def direction() -> Any:
        (centres,) = variables
        product, slope = make_hvp(lambda c: value(c, *data))(centres)
        return (slope / product(np.ones_like(centres)),)

    def jacobian() -> Any:
        # It differentiates by one argument; a tuple of arrays is one.
        push = make_jvp(lambda v: value(*v, *data))(tuple(variables))
        return np.stack([push(tuple(seeds))[1] for seeds in zip(*problem_seeds, strict=True)])

    problem_seeds = problem.seeds if problem.kind == "jacobian" else ()
    gradient = partial(grad(value, argnum=tuple(range(count))), *variables, *data)

    def arrays(what: str, result: Any) -> list[np.ndarray]:
        if what == "value":
            return [np.asarray(result)]
        if problem.kind == "jacobian":
            return [problem.entries(result)]
        return [np.asarray(part) for part in result]

    derivative = {"gradient": gradient, "newton": direction, "jacobian": jacobian}[problem.kind]
    return Ready(lambda: value(*variables, *data), derivative, arrays)


if __name__ == "__main__":
    serve_engine(prepare)
