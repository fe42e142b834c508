"""chainrule: the objectives as they are written, compiled for one executor."""

from __future__ import annotations

from typing import Any

import numpy as np
from objectives.problem import Library, Problem

import chainrule as cr
from engines.serving import Ready, serve_engine


def prepare(problem: Problem, executor: str = "native") -> Ready:
    """Value and derivative as compiled functions."""
    library = Library(np, cr.scan)

    def value(*arrays: Any) -> Any:
        return problem.value(library, *arrays)

    positions = tuple(range(len(problem.variables)))
    jacobian = cr.jacobian(value, argnums=positions, sparse=True)

    def direction(centres: Any, points: Any) -> Any:
        slope = cr.grad(value)(centres, points)
        ones = np.ones(centres.shape)
        return slope / cr.hvp(lambda c: value(c, points), centres, ones)

    derivative = {
        "gradient": cr.grad(value, argnums=positions), "newton": direction, "jacobian": jacobian,
    }[problem.kind]  # fmt: skip
    compiled = [cr.compile(f, executor=executor) for f in (value, derivative)]
    inputs = (*problem.variables, *problem.data)

    def arrays(what: str, result: Any) -> list[np.ndarray]:
        if what == "value" or problem.kind == "newton":
            return [np.asarray(result)]
        if problem.kind == "gradient":
            return [np.asarray(part) for part in result]
        from scipy import sparse

        assert problem.pattern is not None
        whole = sparse.csr_array(sparse.hstack(result, format="csr"))
        return [np.asarray(whole[problem.pattern]).ravel()]

    return Ready(
        lambda: compiled[0](*inputs),
        lambda: compiled[1](*inputs),
        arrays,
        lambda: str(jacobian.report) if problem.kind == "jacobian" else "",
    )


if __name__ == "__main__":
    serve_engine(prepare)
