"""The training step as one function: forward, loss, backward, clipping, update.

It takes arrays and returns arrays, so it is traced once and then run as a plan. Nothing in it is
written for one executor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.api.gradients import value_and_grad
from chainrule.nn.mode import evaluation, training
from chainrule.nn.module import Module
from chainrule.train.clipping import Clipping
from chainrule.train.optimisers import Optimiser, dense_gradient
from chainrule.train.packing import Packing
from chainrule.train.rows import Rows, rows_of

Arrays = dict[str, Any]


def trainable_values(net: Module) -> Arrays:
    """The arrays that training changes, by path."""
    return {path: p.value for path, p in net.parameters().items() if p.trainable}


def state_values(net: Module) -> Arrays:
    """The arrays that the forward pass changes in training, by path."""
    return {path: state.value for path, state in net.states().items()}


def make_objective(
    net: Module, loss: Callable[..., Any], regulariser: Callable[[Module], Any] | None
) -> Callable[..., Any]:
    """What is minimised, as a function of the parameters.

    Returns:
        (parameters, states, inputs, targets, weights, key) -> (objective, (loss, next states)).
    """

    def objective(
        parameters: Arrays, states: Arrays, inputs: Any, targets: Any, weights: Any, key: Any
    ) -> Any:
        copy = net.replaced({**parameters, **states})
        with training(key):
            prediction = copy(inputs)
        value = loss(prediction, targets) if weights is None else loss(prediction, targets, weights)
        updated = {
            path: state.value if state.updated is None else state.updated
            for path, state in copy.states().items()
        }
        total = value if regulariser is None else value + regulariser(copy)
        return total, (value, updated)

    return objective


def make_step(
    objective: Callable[..., Any], optimiser: Optimiser, clip: Clipping | None, packing: Packing
) -> Callable[..., Any]:
    """One update of the parameters.

    Returns:
        (parameters, states, memory, inputs, targets, weights, key, rate) -> (loss, sum of the
        objective and of all gradients, parameters, states, memory). Parameters go in and out as
        ``packing`` packs them. The sum is finite only where all of its terms are, which is how the
        loop finds a divergence without a look at each.
    """
    both = value_and_grad(objective, has_aux=True)

    def step(
        parameters: Arrays,
        states: Arrays,
        memory: Any,
        inputs: Any,
        targets: Any,
        weights: Any,
        key: Any,
        rate: Any,
    ) -> Any:
        (total, (value, updated)), gradients = both(
            packing.unpack(parameters), states, inputs, targets, weights, key
        )
        for path, gradient in gradients.items():
            rows = rows_of(gradient) if path in packing.alone else None
            gradients[path] = dense_gradient(gradient) if rows is None else rows
        slopes = packing.pack(gradients)
        health = total
        for slope in slopes.values():
            health = health + np.sum(slope.rows if isinstance(slope, Rows) else slope)
        if clip is not None:
            slopes = packing.pack(clip(gradients))
        parameters, memory = optimiser.update(parameters, slopes, memory, rate)
        return value, health, parameters, updated, memory

    return step


def make_forward(net: Module) -> Callable[..., Any]:
    """The network in evaluation: (parameters, states, inputs) -> prediction."""

    def forward(parameters: Arrays, states: Arrays, inputs: Any) -> Any:
        with evaluation():
            return net.replaced({**parameters, **states})(inputs)

    return forward
