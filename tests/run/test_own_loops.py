"""Chains of instructions that the core runs as a loop of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import nn
from chainrule.run import native
from chainrule.train import fit
from chainrule.train.optimisers import OPTIMISERS

if not native.available():
    pytest.skip("the native core is not built", allow_module_level=True)

RANDOM = np.random.default_rng(0)
INPUTS, CLASSES = RANDOM.normal(size=(60, 5)), RANDOM.integers(0, 3, 60)


def plan_of(net: Any, loss: str, targets: Any, **options: Any) -> list[str]:
    history = fit(
        net, loss, (INPUTS, targets), batch_size=12, epochs=1, progress=False, executor="native",
        **options,
    )  # fmt: skip
    return history.plan.splitlines()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_is_one_loop_over_all_parameters(name: str, dtype: Any) -> None:
    net = nn.MLP(5, [8], 3, seed=1).astype(dtype)
    plan = plan_of(net, "cross_entropy", CLASSES, optimiser=name)
    # The weights and the offsets apart, where the optimiser tells them apart.
    sizes = [5 * 8 + 8 * 3, 8 + 3] if name == "adamw" else [5 * 8 + 8 + 8 * 3 + 3]
    for size in sizes:
        updates = [line for line in plan if f"{np.dtype(dtype)}({size},), " in line]
        assert len(updates) == 1 and updates[0].endswith(", as one loop"), updates


def test_activations_and_losses_are_one_loop_each() -> None:
    net = nn.MLP(5, [8, 7], 1, activation="tanh", seed=1)
    plan = plan_of(net, "bce_with_logits", (CLASSES[:, None] > 0).astype(float))
    loops = [line.split(":")[0] for line in plan if line.endswith(", as one loop")]
    assert sum(name.startswith("tanh") for name in loops) == 2
    assert sum(name.startswith("softplus") for name in loops) == 1


def test_a_factor_ends_the_product_before_it() -> None:
    """The slope of tanh, which needs no pass of its own."""
    net = nn.MLP(5, [8, 7], 1, activation="tanh", seed=1)
    plan = plan_of(net, "bce_with_logits", (CLASSES[:, None] > 0).astype(float))
    assert sum(line.startswith("scale(matmul)") for line in plan) == 2
    assert not any(line.startswith("multiply:") for line in plan)
