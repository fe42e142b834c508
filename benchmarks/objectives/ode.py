"""Runge and Kutta's fourth-order method for y_0' = x_0, y_i' = x_i y_(i-1), y(0) = 0, up to t = 2.

GradBench differentiates the last entry of y. At its sizes that entry is 0, and so is the gradient:
a step moves information by four entries at most, and there are thousands. Here the sum of all
entries is differentiated, so that there is something to agree on. The arithmetic is the same.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from objectives.problem import Library, Problem, generator

END = 2.0


def value(library: Library, x: Any, steps: int) -> Any:
    """The sum of y(2), by ``steps`` steps."""
    np = library.numpy
    h = END / steps

    def slope(y: Any) -> Any:
        return np.concatenate([x[:1], x[1:] * y[:-1]])

    def step(y: Any, _: None) -> Any:
        k1 = slope(y)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + h / 2 * k2)
        k4 = slope(y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    y, _ = library.scan(step, np.zeros(x.shape), None, length=steps)
    return np.sum(y)


def value_in_torch(torch: Any, x: Any, steps: int) -> Any:
    """The same with PyTorch."""
    h = END / steps
    y = torch.zeros_like(x)

    def slope(y: Any) -> Any:
        return torch.cat([x[:1], x[1:] * y[:-1]])

    for _ in range(steps):
        k1 = slope(y)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + h / 2 * k2)
        k4 = slope(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return torch.sum(y)


def problem(entries: int, steps: int) -> Problem:
    """Uniform coefficients."""
    x = generator().random(entries)
    return Problem(
        "ode", f"{entries} entries, {steps} steps", "gradient", (x,), (),
        partial(value, steps=steps), partial(value_in_torch, steps=steps),
    )  # fmt: skip


FULL = [{"entries": 1000, "steps": 100}, {"entries": 100_000, "steps": 10}]
QUICK = [{"entries": 50, "steps": 4}]
