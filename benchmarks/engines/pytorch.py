"""PyTorch: eager, reverse mode by its tape, forward passes by ``torch.func``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from objectives.problem import Problem

from engines.serving import Ready, serve_engine


def prepare(problem: Problem) -> Ready:
    """Functions of tensors in float64."""
    torch.set_default_dtype(torch.float64)
    variables = tuple(torch.from_numpy(x.copy()) for x in problem.variables)
    data = tuple(torch.from_numpy(x.copy()) for x in problem.data)

    def value(*arrays: Any) -> Any:
        return problem.value_in_torch(torch, *arrays)

    def plain() -> Any:
        with torch.no_grad():
            return value(*variables, *data)

    def gradient() -> Any:
        leaves = [x.detach().requires_grad_() for x in variables]
        return torch.autograd.grad(value(*leaves, *data), leaves)

    def direction() -> Any:
        (centres,) = variables
        leaf = centres.detach().requires_grad_()
        (slope,) = torch.autograd.grad(value(leaf, *data), leaf, create_graph=True)
        (curvature,) = torch.autograd.grad(slope, leaf, torch.ones_like(centres))
        return (slope.detach() / curvature,)

    def jacobian() -> Any:
        def one_pass(*seeds: Any) -> Any:
            return torch.func.jvp(lambda *v: value(*v, *data), variables, seeds)[1]

        return torch.func.vmap(one_pass)(*seeds)

    seeds = [torch.from_numpy(x) for x in problem.seeds] if problem.kind == "jacobian" else []

    def arrays(what: str, result: Any) -> list[np.ndarray]:
        if what == "value":
            return [np.asarray(result)]
        if problem.kind == "jacobian":
            return [problem.entries(np.asarray(result))]
        return [np.asarray(part) for part in result]

    derivative = {"gradient": gradient, "newton": direction, "jacobian": jacobian}[problem.kind]
    return Ready(plain, derivative, arrays)


if __name__ == "__main__":
    serve_engine(prepare)
