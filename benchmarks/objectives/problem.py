"""What a benchmark of derivatives is made of: an objective, its inputs and what is wanted of it.

Each file beside this one writes one of GradBench's objectives twice: ``value``, in NumPy's
functions (for chainrule, for JAX and for HIPS autograd, each with its own module of that form), and
``value_in_torch``, as one writes it with PyTorch. Loops go through ``library.scan``, which is
``cr.scan``, ``jax.lax.scan`` or a Python loop. Inputs come from generators with fixed seeds.

Source: GradBench, https://github.com/gradbench/gradbench (2026), and what it is built from: ADBench
(Srajer, Kukelova and Fitzgibbon, A benchmark of selected algorithmic differentiation tools, 2018)
and cmpad.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SEED = 31337


@dataclass(frozen=True)
class Library:
    """What an objective is written with: a module like NumPy, and a loop like ``cr.scan``."""

    numpy: Any
    scan: Callable[..., Any]


@dataclass(frozen=True)
class Problem:
    """One row of the table.

    Attributes:
        name: of the objective, as GradBench names it.
        size: in words.
        kind: what is computed beside the value: its "gradient", Newton's direction ("newton"), or
            its "jacobian".
        variables: the arrays to differentiate with respect to.
        data: the arrays that stay as they are.
        value: (library, *variables, *data) -> the value.
        value_in_torch: (torch, *variables, *data) -> the value.
        bound: the greatest ratio of derivative to value that the table should show, if any.
        groups: for a Jacobian, an array like each variable: entries with one number share a
            forward pass. Peers are given them; chainrule finds its own.
        pattern: for a Jacobian, rows and columns of the entries that are compared.
    """

    name: str
    size: str
    kind: str
    variables: tuple[np.ndarray, ...]
    data: tuple[np.ndarray, ...]
    value: Callable[..., Any]
    value_in_torch: Callable[..., Any]
    bound: float | None = 5.0
    groups: tuple[np.ndarray, ...] = ()
    pattern: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def label(self) -> str:
        """Name and size."""
        return f"{self.name}, {self.size}"

    @property
    def seeds(self) -> tuple[np.ndarray, ...]:
        """For each variable the tangents of all forward passes: (passes, *shape) of 0 and 1."""
        passes = np.arange(1 + max(int(group.max()) for group in self.groups))
        return tuple(
            (group == passes.reshape(-1, *(1,) * group.ndim)).astype(float) for group in self.groups
        )

    def entries(self, passes: np.ndarray) -> np.ndarray:
        """The entries at ``pattern`` of a Jacobian, from the results (passes, rows) of passes."""
        assert self.pattern is not None
        rows, columns = self.pattern
        return passes[np.concatenate([group.ravel() for group in self.groups])[columns], rows]


def generator() -> np.random.Generator:
    """Random numbers, the same for every run."""
    return np.random.default_rng(SEED)


def python_scan(
    stack: Callable[[list[Any]], Any],
    step: Callable[[Any, Any], tuple[Any, Any]],
    initial: Any,
    sequence: Any = None,
    length: int | None = None,
) -> tuple[Any, Any]:
    """``cr.scan`` for libraries without a loop; ``stack`` makes one array of its outputs."""
    carry, outputs = initial, []
    for t in range(len(sequence) if sequence is not None else length or 0):
        carry, output = step(carry, None if sequence is None else sequence[t])
        outputs.append(output)
    return carry, None if not outputs or outputs[0] is None else stack(outputs)
