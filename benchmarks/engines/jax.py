"""JAX: value and derivative under ``jax.jit``, in float64, waiting for every result."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from objectives.problem import Library, Problem

from engines.serving import Ready, serve_engine


def prepare(problem: Problem) -> Ready:
    """Compiled functions of arrays that are on the device already."""
    jax.config.update("jax_enable_x64", True)
    library = Library(jnp, jax.lax.scan)
    count = len(problem.variables)

    def value(*arrays: Any) -> Any:
        return problem.value(library, *arrays)

    gradient = jax.grad(value, argnums=tuple(range(count)))

    def direction(centres: Any, points: Any) -> Any:
        slope, curvature = jax.jvp(
            lambda c: gradient(c, points)[0], (centres,), (jnp.ones_like(centres),)
        )
        return slope / curvature

    def jacobian(*arrays: Any) -> Any:
        variables, data = arrays[:count], arrays[count : len(inputs)]

        def one_pass(*seeds: Any) -> Any:
            return jax.jvp(lambda *v: value(*v, *data), variables, seeds)[1]

        return jax.vmap(one_pass)(*arrays[len(inputs) :])

    inputs = [jnp.asarray(x) for x in (*problem.variables, *problem.data)]
    seeds = [jnp.asarray(x) for x in problem.seeds] if problem.kind == "jacobian" else []
    derivative = {"gradient": gradient, "newton": direction, "jacobian": jacobian}[problem.kind]
    first, second = jax.jit(value), jax.jit(derivative)

    def arrays(what: str, result: Any) -> list[np.ndarray]:
        if what == "derivative" and problem.kind == "jacobian":
            return [problem.entries(np.asarray(result))]
        return [np.asarray(part) for part in (result if isinstance(result, tuple) else [result])]

    return Ready(
        lambda: jax.block_until_ready(first(*inputs)),
        lambda: jax.block_until_ready(second(*inputs, *seeds)),
        arrays,
    )


if __name__ == "__main__":
    serve_engine(prepare)
