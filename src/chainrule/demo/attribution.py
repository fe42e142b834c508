"""How far each input pushed a prediction: integrated gradients, by the engine's own derivatives.

The gradient of the log-odds says what a small change of an input would do where the example
stands. Integrated gradients follow the straight line from an average example to this one and add
up what each input contributed on the way. The contributions of all inputs sum to the difference
between the two log-odds, which `Attribution.gap` checks.

Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.api.gradients import grad
from chainrule.nn.module import Module

STEPS = 1000
"""Points on the line. A network of relus is linear in pieces, so that the sum is off by about the
share of a step at each piece's end."""


@dataclass(frozen=True)
class Attribution:
    """What moved the log-odds from those of the average example to those of this one.

    Attributes:
        start: log-odds of the average example.
        end: log-odds of this example.
        contributions: (inputs,), of each input, in log-odds.
        gradient: (inputs,), of the log-odds with respect to each input, at this example.
    """

    start: float
    end: float
    contributions: NDArray[np.float64]
    gradient: NDArray[np.float64]

    @property
    def gap(self) -> float:
        """By how much the contributions miss the difference of the log-odds; 0 if exact."""
        return float(self.contributions.sum() - (self.end - self.start))


def integrated_gradients(
    network: Module, average: ArrayLike, example: ArrayLike, steps: int = STEPS
) -> Attribution:
    """Attribute the log-odds of one example to its inputs.

    Args:
        network: (rows, inputs) -> (rows, 1) log-odds; computed in float64.
        average: (inputs,), where the line starts.
        example: (inputs,), where it ends.
        steps: points on the line, in the middle of as many equal parts.

    >>> from chainrule import nn
    >>> found = integrated_gradients(nn.MLP(2, [8], 1, "tanh", seed=0), [0.0, 0.0], [1.0, -1.0])
    >>> abs(found.gap) < 1e-6
    True
    """
    exact = network.astype(np.float64)
    start, end = np.asarray(average, np.float64), np.asarray(example, np.float64)
    # The rows do not influence one another: the gradient of their sum holds each row's gradient.
    gradients = grad(lambda rows: np.sum(exact(rows)))
    places = (np.arange(steps)[:, np.newaxis] + 0.5) / steps
    along = gradients(start + places * (end - start))
    outputs = np.asarray(exact(np.stack([start, end])))
    return Attribution(
        float(outputs[0, 0]),
        float(outputs[1, 0]),
        (end - start) * along.mean(axis=0),
        gradients(end[np.newaxis])[0],
    )
