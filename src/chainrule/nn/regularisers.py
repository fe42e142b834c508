"""Penalties on the weights of a network, added to the loss.

A penalty is called with a network and returns one number. It counts weights only: parameters named
``bias``, ``scale`` or ``shift`` stay free, because penalising an offset does not make a function
simpler, unless ``biases=True``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.nn.module import Module
from chainrule.tracing.parameter import unwrapped

OFFSETS = frozenset({"bias", "scale", "shift"})


def is_offset(path: str) -> bool:
    """Whether a parameter's path ends in a name that penalties and weight decay leave alone.

    >>> is_offset("layers[0].bias"), is_offset("layers[0].weight")
    (True, False)
    """
    return path.split(".")[-1] in OFFSETS


@dataclass(frozen=True)
class ElasticNet:
    """l1 sum abs(w) + l2 / 2 sum w^2. Zou and Hastie, Regularization and variable selection via the
    elastic net (2005).

    Args:
        l1: strength of the absolute values; drives weights to exactly 0.
        l2: strength of the squares; its gradient is l2 w.
        biases: whether offsets are penalised too.
    """

    l1: float = 0.0
    l2: float = 0.0
    biases: bool = False

    def __post_init__(self) -> None:
        if self.l1 < 0 or self.l2 < 0:
            raise ChainruleError(f"strengths of a penalty are not negative: {self!r}")

    def __call__(self, net: Module) -> Any:
        """The penalty of the network's trainable weights."""
        total: Any = net.dtype.type(0)
        for path, parameter in net.parameters().items():
            if not parameter.trainable or (is_offset(path) and not self.biases):
                continue
            weight = unwrapped(parameter)
            if self.l1:
                total = total + weight.dtype.type(self.l1) * np.sum(np.abs(weight))
            if self.l2:
                total = total + weight.dtype.type(self.l2 / 2) * np.sum(np.square(weight))
        return total


def L1(strength: float, biases: bool = False) -> ElasticNet:
    """strength sum abs(w): the lasso's penalty. Tibshirani (1996).

    >>> from chainrule import nn
    >>> round(float(L1(0.1)(nn.Perceptron([1.0, -2.0], bias=5.0))), 4)
    0.3
    """
    return ElasticNet(l1=strength, biases=biases)


def L2(strength: float, biases: bool = False) -> ElasticNet:
    """strength / 2 sum w^2: the ridge penalty. Hoerl and Kennard (1970).

    >>> from chainrule import nn
    >>> round(float(L2(0.1)(nn.Perceptron([1.0, -2.0], bias=5.0))), 4)
    0.25
    """
    return ElasticNet(l2=strength, biases=biases)
