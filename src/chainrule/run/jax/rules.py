"""The rules of all primitives, and of the loop among them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from chainrule.graph.graph import Graph
from chainrule.run.jax.arrays import ARRAYS
from chainrule.run.jax.elementwise import ELEMENTWISE
from chainrule.run.jax.emission import Emission, Error, Place, Rule, native
from chainrule.run.jax.nonlinear import NONLINEAR
from chainrule.run.jax.random import random_uniform
from chainrule.run.jax.tables import TABLES


def scan(
    at: Place,
    *arguments: Any,
    body: Graph,
    carries: int,
    sequences: int,
    length: int,
    reverse: bool,
    saved: tuple[int, ...],
) -> tuple[Any, ...]:
    """A loop on the device. What its body checks comes out step by step, like its outputs."""
    dtypes = [native(statement.dtype) for statement in body.inputs]
    arguments = tuple(a.astype(d) for a, d in zip(arguments, dtypes, strict=True))
    initial = arguments[:carries]
    xs, constants = arguments[carries : carries + sequences], arguments[carries + sequences :]
    errors: list[Error] = []

    def step(carry: Any, x: Any) -> Any:
        emission = Emission(body, RULES, at.emission.host)
        results = emission.run((*carry, *x, *constants))
        errors[:] = [check.error for check in emission.checks]
        checked = [(check.wrong, check.detail) for check in emission.checks]
        history = [carry[i] for i in saved]
        return tuple(results[:carries]), (results[carries:], history, checked)

    last, (outputs, history, checked) = lax.scan(step, initial, xs, length, reverse)
    for (wrong, detail), error in zip(checked, errors, strict=True):
        if length:
            at.refuse(jnp.any(wrong), error, detail[jnp.argmax(wrong)])
    return (*last, *outputs, *history)


RULES: dict[str, Rule] = {
    **ELEMENTWISE,
    **ARRAYS,
    **NONLINEAR,
    **TABLES,
    "random_uniform": random_uniform,
    "scan": scan,
}
