"""Networks made of layers: one after the other, and the multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.nn import checks
from chainrule.nn.activations import activation as activation_of
from chainrule.nn.initializers import Initializer, generator_of
from chainrule.nn.layers import ActivationLike, Dense, Dropout
from chainrule.nn.module import Module


@dataclass(eq=False, repr=False, init=False)
class Sequential(Module):
    """Modules one after the other: the output of each is the input of the next.

    Args:
        layers: modules, names of activations, or functions of an array; also as one list.
        seed: draws all weights anew, reproducibly; None leaves them as they are.

    >>> net = Sequential(Dense(2, 4), "tanh", Dense(4, 1), seed=0)
    >>> net(np.zeros((3, 2), np.float32)).shape
    (3, 1)
    >>> Sequential(Dense(20, 64), Dense(32, 2))(np.zeros((8, 20)))
    Traceback (most recent call last):
    ...
    chainrule.errors.ShapeError: layers[1].weight has shape (32, 2), but the input has 64 features
    (shape (8, 64)): did you mean Dense(64, 2)? The layer before, layers[0], gives 64 features ...
    """

    layers: list[Module]

    def __init__(self, *layers: Any, seed: int | None = None) -> None:
        if len(layers) == 1 and isinstance(layers[0], list | tuple):
            layers = tuple(layers[0])
        self.layers = [activation_of(layer) for layer in layers]
        if seed is not None:
            self.assign(self.fresh_values(seed))

    def forward(self, x: Any) -> Any:
        """The output of the last layer."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]

    def description(self) -> str:
        """Sequential(number of layers)."""
        return f"Sequential({len(self.layers)} layers)"


@dataclass(eq=False, repr=False, init=False)
class MLP(Module):
    """A multilayer perceptron: dense layers with an activation and dropout between them.

    Args:
        inputs: features of an example.
        hidden: the widths of the hidden layers; one number for one layer.
        outputs: numbers in the output.
        activation: of the hidden layers: one for all, or a list with one for each.
        output_activation: of the last layer; the identity by default, which is what the losses on
            logits expect.
        dropout: the share of hidden values dropped in training: one for all, or one for each layer.
        initializer: of the weights; chosen by the activation by default.
        seed: an integer makes the weights reproducible.

    Dense layers are ``layers[0]`` to ``layers[-1]``, dropout after them ``dropouts[0]`` and on.

    Source: Rumelhart, Hinton and Williams, Learning representations by back-propagating errors
    (1986).

    >>> net = MLP(4, [8, 8], 3, activation=["relu", "tanh"], dropout=0.1, seed=0)
    >>> net.parameter_count
    139
    >>> net(np.zeros((5, 4), np.float32)).shape
    (5, 3)
    """

    layers: list[Dense]
    dropouts: list[Dropout]

    def __init__(
        self,
        inputs: int,
        hidden: int | Sequence[int],
        outputs: int,
        activation: ActivationLike | Sequence[ActivationLike] = "relu",
        output_activation: ActivationLike = None,
        dropout: float | Sequence[float] = 0.0,
        initializer: str | Initializer | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        widths = [hidden] if isinstance(hidden, int | np.integer) else list(hidden)
        activations = _one_each(activation, len(widths), "activation")
        rates = _one_each(dropout, len(widths), "dropout")
        generator = generator_of(seed)
        sizes = [
            checks.positive_whole(inputs, "the number of inputs of MLP"),
            *(checks.positive_whole(w, "a hidden width of MLP") for w in widths),
            checks.positive_whole(outputs, "the number of outputs of MLP"),
        ]
        self.layers = [
            Dense(before, after, chosen, initializer=initializer, seed=generator)
            for before, after, chosen in zip(
                sizes[:-1], sizes[1:], [*activations, output_activation], strict=True
            )
        ]
        self.dropouts = [Dropout(float(rate)) for rate in rates] if any(rates) else []

    def forward(self, x: Any) -> Any:
        """The outputs for inputs of shape (..., inputs)."""
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number < len(self.dropouts):
                x = self.dropouts[number](x)
        return x

    def description(self) -> str:
        """MLP(inputs, [hidden], outputs)."""
        widths = [layer.outputs for layer in self.layers]
        return f"MLP({self.layers[0].inputs}, {widths[:-1]}, {widths[-1]})"


def _one_each(given: Any, count: int, what: str) -> list[Any]:
    """``given`` repeated for each hidden layer, or its items where there is one for each."""
    if not isinstance(given, list | tuple):
        return [given] * count
    if len(given) != count:
        raise ChainruleError(
            f"MLP has {count} hidden layer{'s' * (count != 1)}, but {what} lists {len(given)}: "
            f"give one for all of them, or one for each{checks.at_line()}"
        )
    return list(given)
