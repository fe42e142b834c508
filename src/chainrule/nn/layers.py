"""Layers with weights: the dense layer, the single perceptron, dropout, batch normalisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule import functions
from chainrule.errors import ChainruleError
from chainrule.nn import checks
from chainrule.nn.activations import activation as activation_of
from chainrule.nn.initializers import Initializer, generator_of
from chainrule.nn.initializers import initializer as initializer_of
from chainrule.nn.mode import current_training
from chainrule.nn.module import Module
from chainrule.tracing.parameter import Parameter, State, unwrapped

ActivationLike = str | Module | Callable[[Any], Any] | None


@dataclass(eq=False, repr=False, init=False)
class Dense(Module):
    """activation(x @ weight + bias).

    Args:
        inputs: features of x, its last axis.
        outputs: features of the result.
        activation: a name, a module or a function; None is the identity.
        bias: whether to add one.
        initializer: of the weight: a name or a function (generator, shape) -> array. By default
            He for relu and its relatives, Glorot for others. Biases start at 0.
        seed: an integer, or a generator; None draws different weights each time.

    The input has shape (..., inputs), also (inputs,) for one example; integers are converted.

    >>> layer = Dense(3, 2, activation="tanh", seed=0)
    >>> layer(np.zeros((4, 3), np.float32)).shape
    (4, 2)
    >>> layer(np.zeros((4, 5)))
    Traceback (most recent call last):
    ...
    chainrule.errors.ShapeError: Dense.weight has shape (3, 2), but the input has 5 features ...
    """

    inputs: int
    outputs: int
    activation: Module
    initializer: str | Initializer | None
    weight: Parameter
    bias: Parameter | None

    unsaved: ClassVar[frozenset[str]] = frozenset({"initializer"})

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: ActivationLike = None,
        bias: bool = True,
        initializer: str | Initializer | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        self.inputs = checks.positive_whole(inputs, "the number of inputs of Dense")
        self.outputs = checks.positive_whole(outputs, "the number of outputs of Dense")
        self.activation = activation_of(activation)
        self.initializer = initializer
        values = self.initial_values(generator_of(seed))
        self.weight = Parameter(values["weight"])
        self.bias = Parameter(values["bias"]) if bias else None

    def forward(self, x: Any) -> Any:
        """The outputs for inputs of shape (..., inputs)."""
        checks.check_parameters(self)
        x = checks.real_input(self, x, self.weight.dtype)
        checks.check_features(self, x, self.inputs, "weight", f"Dense({{n}}, {self.outputs})")
        rows = x.reshape((1, self.inputs)) if x.ndim == 1 else x
        if self.bias is None:
            sums = np.matmul(rows, unwrapped(self.weight))
        else:
            sums = functions.dense(rows, self.weight, self.bias)
        return self.activation(sums.reshape((self.outputs,)) if x.ndim == 1 else sums)

    def expected_shapes(self) -> dict[str, tuple[int, ...]]:
        """weight (inputs, outputs), bias (outputs,)."""
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.inputs, self.outputs)}
        return shapes if self.bias is None else {**shapes, "bias": (self.outputs,)}

    def initial_values(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """A drawn weight and a bias of zeros, in float32."""
        draw = initializer_of(self.initializer, self.activation.description())
        weight = np.asarray(draw(generator, (self.inputs, self.outputs)), np.float32)
        return {"weight": weight, "bias": np.zeros(self.outputs, np.float32)}

    def description(self) -> str:
        """Dense(inputs, outputs, activation)."""
        return f"Dense({self.inputs}, {self.outputs}, {self.activation.description()})"


@dataclass(eq=False, repr=False, init=False)
class Perceptron(Module):
    """activation(x . weight + bias): one unit, one number for each example.

    Args:
        weight: the weights, one per input; or the number of inputs, to draw them.
        bias: a number.
        activation: a name, a module or a function; the sigmoid by default.
        seed: for drawn weights.

    The lecture's example:

    >>> unit = Perceptron([0.1, 0.5, 2.5, 0.2], bias=3.0)
    >>> round(float(unit([2, 3, -1, 5])), 2)
    0.96
    """

    weight: Parameter
    bias: Parameter
    activation: Module

    def __init__(
        self,
        weight: Any,
        bias: float = 0.0,
        activation: ActivationLike = "sigmoid",
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if isinstance(weight, int | np.integer):
            count = checks.positive_whole(weight, "the number of inputs of Perceptron")
            weight = initializer_of("glorot_uniform")(generator_of(seed), (count,))
        values = np.asarray(weight, np.float32)
        if values.ndim != 1:
            raise checks.ShapeError(
                f"the weights of a Perceptron are a list of numbers, one per input, not an array "
                f"of shape {values.shape}; for several outputs use Dense{checks.at_line()}"
            )
        self.weight = Parameter(values)
        self.bias = Parameter(np.asarray(bias, np.float32))
        self.activation = activation_of(activation)

    def forward(self, x: Any) -> Any:
        """One number for each example; x has shape (..., inputs)."""
        x = checks.real_input(self, x, self.weight.dtype)
        checks.check_features(self, x, len(self.weight), "weight", "Perceptron({n})")
        return self.activation(np.matmul(x, unwrapped(self.weight)) + unwrapped(self.bias))

    def initial_values(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Drawn weights and a bias of zero, in float32."""
        weight = initializer_of("glorot_uniform")(generator, tuple(self.weight.shape))
        return {"weight": weight.astype(np.float32), "bias": np.zeros((), np.float32)}

    def description(self) -> str:
        """Perceptron(inputs, activation)."""
        return f"Perceptron({len(self.weight)}, {self.activation.description()})"


@dataclass(eq=False, repr=False)
class Dropout(Module):
    """In training, each entry is 0 with probability ``rate`` and else divided by 1 - rate.

    In evaluation it is the identity. The random bits depend on the training step's key (seed, step)
    and on which dropout of the network this is, so every executor drops the same entries.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout: a simple way to
    prevent neural networks from overfitting (2014).

    >>> Dropout(0.5)(np.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ChainruleError(
                f"the rate of Dropout is the share of entries that become 0: at least 0 and less "
                f"than 1, not {self.rate!r}{checks.at_line()}"
            )

    def forward(self, x: Any) -> Any:
        """x with some of its entries dropped, in training."""
        step = current_training()
        if step is None or self.rate == 0:
            return x
        x = checks.real_input(self, x, np.float32)
        uniform = functions.random_uniform(step.key, step.next_stream(), tuple(x.shape), x.dtype)
        kept = (uniform >= x.dtype.type(self.rate)).astype(x.dtype)
        return x * (kept * x.dtype.type(1 / (1 - self.rate)))

    def description(self) -> str:
        """Dropout(rate)."""
        return f"Dropout({self.rate})"


@dataclass(eq=False, repr=False, init=False)
class BatchNorm(Module):
    """(x - mean) / sqrt(variance + epsilon) * scale + shift, feature by feature.

    In training mean and variance are those of the batch, and move the running statistics; in
    evaluation they are the running ones. The variance is the population's (divided by n).

    Args:
        features: the length of the last axis.
        momentum: how much of the running statistics stays in each step.
        epsilon: keeps constant features finite.

    Source: Ioffe and Szegedy, Batch normalization (2015).
    """

    features: int
    momentum: float
    epsilon: float
    scale: Parameter
    shift: Parameter
    mean: State
    variance: State

    def __init__(self, features: int, momentum: float = 0.9, epsilon: float = 1e-5) -> None:
        self.features = checks.positive_whole(features, "the number of features of BatchNorm")
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        values = self.initial_values(np.random.default_rng(0))
        self.scale, self.shift = Parameter(values["scale"]), Parameter(values["shift"])
        self.mean, self.variance = State(values["mean"]), State(values["variance"])

    def forward(self, x: Any) -> Any:
        """The normalised input, of the same shape (examples, ..., features)."""
        checks.check_parameters(self)
        x = checks.real_input(self, x, self.scale.dtype)
        checks.check_features(self, x, self.features, "scale", "BatchNorm({n})")
        mean, variance = unwrapped(self.mean), unwrapped(self.variance)
        if current_training() is not None:
            axes = tuple(range(x.ndim - 1))
            batch_mean = np.mean(x, axis=axes)
            batch_variance = np.mean(np.square(x - batch_mean), axis=axes)
            stays = self.scale.dtype.type(self.momentum)
            moves = self.scale.dtype.type(1 - self.momentum)
            self.mean.updated = mean * stays + functions.stop_gradient(batch_mean) * moves
            self.variance.updated = (
                variance * stays + functions.stop_gradient(batch_variance) * moves
            )
            mean, variance = batch_mean, batch_variance
        return (x - mean) / np.sqrt(variance + self.epsilon) * self.scale + self.shift

    def expected_shapes(self) -> dict[str, tuple[int, ...]]:
        """One number per feature in each parameter and state."""
        return dict.fromkeys(("scale", "shift", "mean", "variance"), (self.features,))

    def initial_values(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Scale and variance 1, shift and mean 0, in float32."""
        zero, one = np.zeros(self.features, np.float32), np.ones(self.features, np.float32)
        return {"scale": one, "shift": zero, "mean": zero.copy(), "variance": one.copy()}

    def description(self) -> str:
        """BatchNorm(features)."""
        return f"BatchNorm({self.features})"
