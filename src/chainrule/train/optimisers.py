"""Optimisers: how parameters move along their gradients.

Each is written once, in plain NumPy code that can be traced, so that every executor runs it as a
part of the training step. ``init(parameters)`` gives a state of zeros; ``update(parameters,
gradients, state, rate)`` gives new parameters and a new state and changes nothing in place.
Parameters and gradients are arrays, nested in lists, dicts or modules, and of the same structure.

Row-sparse gradients (of a table from which rows were looked up) are accepted by all optimisers and
mean the same as dense ones: rows without a gradient still decay, and still move by their momentum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.diff.reverse import dense, is_row_sparse
from chainrule.errors import ChainruleError, ShapeError
from chainrule.graph.rowsparse import RowSparse
from chainrule.nn.activations import named
from chainrule.nn.regularisers import is_offset
from chainrule.tracing.traced import Traced
from chainrule.tracing.trees import Tree

State = dict[str, Any]


class Optimiser:
    """What all optimisers share: walking over parameters, gradients and their memories.

    A subclass names its memories (one array for each parameter) and gives ``step``.
    """

    rate: float
    memories: tuple[str, ...] = ()

    def init(self, parameters: Any) -> State:
        """The state before the first step: a step count of 0 and memories of zeros."""
        leaves = [_value(leaf) for leaf in Tree(parameters).leaves]
        state: State = {"steps": np.float64(0.0)}
        for name in self.memories:
            state[name] = [np.zeros(np.shape(leaf), leaf.dtype) for leaf in leaves]
        return state

    def update(
        self, parameters: Any, gradients: Any, state: State, rate: Any = None
    ) -> tuple[Any, State]:
        """One step.

        Args:
            parameters: arrays, possibly nested.
            gradients: of the same structure.
            state: from ``init`` or the last step.
            rate: the learning rate; the optimiser's own by default.

        Returns:
            (new parameters, new state).

        Raises:
            ShapeError: where a gradient does not have its parameter's shape, or gradients and
                parameters differ in structure.
        """
        tree = Tree(parameters)
        slopes = tree.leaves_of(gradients, "gradient")
        rate = self.rate if rate is None else rate
        steps = state["steps"] + 1.0
        memories: dict[str, list[Any]] = {name: [] for name in self.memories}
        moved = []
        for number, (leaf, path) in enumerate(zip(tree.leaves, tree.paths, strict=True)):
            parameter, gradient = _value(leaf), dense_gradient(slopes[number])
            if gradient.shape != parameter.shape:
                raise ShapeError(
                    f"parameter {path or number} has shape {parameter.shape}, but its gradient has "
                    f"shape {gradient.shape}"
                )
            former = {name: state[name][number] for name in self.memories}
            step = Step(path.strip("[']."), parameter, rate, steps)
            parameter, latter = self.step(step, parameter, gradient, former)
            moved.append(parameter)
            for name in self.memories:
                memories[name].append(latter[name])
        return tree.rebuild(moved), {"steps": steps, **memories}

    def step(
        self, step: Step, parameter: Any, gradient: Any, memory: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """One parameter's step: (new parameter, new memories)."""
        raise NotImplementedError(f"{type(self).__name__} has no step")


class Step:
    """Where a parameter stands in a step: its path, the rate, the number of the step from 1.

    Numbers are cast to the parameter's dtype, so that float32 stays float32.
    """

    def __init__(self, path: str, parameter: Any, rate: Any, steps: Any) -> None:
        self.path = path
        self.dtype = parameter.dtype
        self.rate = self.cast(rate)
        self.steps = steps

    def cast(self, number: Any) -> Any:
        """A number, or one that is traced, in the parameter's dtype."""
        return number.astype(self.dtype) if isinstance(number, Traced) else self.dtype.type(number)

    def unbiased(self, decay: float) -> Any:
        """1 - decay^steps: what an average that began at 0 must be divided by."""
        return self.cast(1.0 - decay**self.steps)


def dense_gradient(gradient: Any) -> Any:
    """A gradient as an array, also where it is row-sparse."""
    gradient = _value(gradient)
    if isinstance(gradient, RowSparse):
        return gradient.to_dense()
    if isinstance(gradient, Traced) and is_row_sparse(gradient.statement):
        return Traced(dense(gradient.statement))
    return gradient


def _value(leaf: Any) -> Any:
    value = getattr(leaf, "value", leaf) if not isinstance(leaf, Traced) else leaf
    return value if isinstance(value, Traced | RowSparse | np.ndarray) else np.asarray(value)[()]


@dataclass(frozen=True)
class SGD(Optimiser):
    """p <- p - rate g. Robbins and Monro, A stochastic approximation method (1951).

    >>> SGD(0.1).update(np.array([1.0]), np.array([2.0]), SGD().init(np.array([1.0])))[0].tolist()
    [0.8]
    """

    rate: float = 0.01

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Down the gradient."""
        return parameter - step.rate * gradient, {}


@dataclass(frozen=True)
class Momentum(Optimiser):
    """v <- momentum v + g; p <- p - rate v. Polyak, Some methods of speeding up the convergence of
    iteration methods (1964).
    """

    rate: float = 0.01
    momentum: float = 0.9
    memories = ("velocity",)

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Down the velocity."""
        velocity = step.cast(self.momentum) * memory["velocity"] + gradient
        return parameter - step.rate * velocity, {"velocity": velocity}


@dataclass(frozen=True)
class Nesterov(Optimiser):
    """v <- momentum v + g; p <- p - rate (g + momentum v). Nesterov (1983), in the form of
    Sutskever, Martens, Dahl and Hinton, On the importance of initialization and momentum (2013).
    """

    rate: float = 0.01
    momentum: float = 0.9
    memories = ("velocity",)

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Down the velocity after the gradient has changed it."""
        momentum = step.cast(self.momentum)
        velocity = momentum * memory["velocity"] + gradient
        moved = parameter - step.rate * (gradient + momentum * velocity)
        return moved, {"velocity": velocity}


@dataclass(frozen=True)
class Adagrad(Optimiser):
    """s <- s + g^2; p <- p - rate g / (sqrt(s) + epsilon). Duchi, Hazan and Singer, Adaptive
    subgradient methods (2011).
    """

    rate: float = 0.01
    epsilon: float = 1e-10
    memories = ("squares",)

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Less far where gradients were large."""
        squares = memory["squares"] + np.square(gradient)
        scaled = gradient / (np.sqrt(squares) + step.cast(self.epsilon))
        return parameter - step.rate * scaled, {"squares": squares}


@dataclass(frozen=True)
class RMSprop(Optimiser):
    """s <- decay s + (1 - decay) g^2; p <- p - rate g / (sqrt(s) + epsilon). Tieleman and Hinton,
    Lecture 6.5, Neural networks for machine learning (2012).
    """

    rate: float = 0.001
    decay: float = 0.9
    epsilon: float = 1e-8
    memories = ("squares",)

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Less far where gradients were large of late."""
        squares = step.cast(self.decay) * memory["squares"]
        squares = squares + step.cast(1 - self.decay) * np.square(gradient)
        scaled = gradient / (np.sqrt(squares) + step.cast(self.epsilon))
        return parameter - step.rate * scaled, {"squares": squares}


@dataclass(frozen=True)
class Adam(Optimiser):
    """Moving averages m of g and s of g^2, freed of their start at 0; p <- p - rate m / (sqrt(s) +
    epsilon). Kingma and Ba, Adam: a method for stochastic optimization (2015), algorithm 1.

    >>> adam = Adam(rate=0.1)
    >>> adam.update([1.0], [3.0], adam.init([1.0]))[0]
    [np.float64(0.9000000003333333)]
    """

    rate: float = 0.001
    decay: float = 0.9
    square_decay: float = 0.999
    epsilon: float = 1e-8
    memories = ("means", "squares")

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Along the mean gradient, over its root mean square."""
        means = step.cast(self.decay) * memory["means"] + step.cast(1 - self.decay) * gradient
        squares = step.cast(self.square_decay) * memory["squares"]
        squares = squares + step.cast(1 - self.square_decay) * np.square(gradient)
        # The corrections are numbers: dividing by them once is cheaper than once per entry.
        size = np.sqrt(squares) * (1 / np.sqrt(step.unbiased(self.square_decay)))
        rate = step.rate / step.unbiased(self.decay)
        moved = parameter - rate * means / (size + step.cast(self.epsilon))
        return moved, {"means": means, "squares": squares}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam, and p <- p - rate weight_decay p beside it: decay that the averages do not rescale.

    Offsets (parameters named bias, scale or shift) do not decay unless ``decay_offsets``.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization (2019), algorithm 2.
    """

    weight_decay: float = 0.01
    decay_offsets: bool = False

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Adam's step from a parameter that has decayed."""
        if self.decay_offsets or not is_offset(step.path):
            parameter = parameter * (1 - step.rate * step.cast(self.weight_decay))
        return super().step(step, parameter, gradient, memory)


OPTIMISERS: dict[str, type[Optimiser]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}


def optimiser_named(given: str | Optimiser, rate: float | None = None) -> Optimiser:
    """An optimiser from its name, with a rate of its own or the usual one.

    Raises:
        ChainruleError: where both an optimiser and a rate are given, or the rate is not positive.
    """
    chosen: Optimiser
    if isinstance(given, str):
        kind = named(OPTIMISERS, given, "optimiser")
        chosen = kind() if rate is None else kind(rate)
    elif rate is not None:
        raise ChainruleError(
            f"the rate is given twice: as rate={rate} and in {given!r}; leave one of them out"
        )
    else:
        chosen = given
    if not chosen.rate > 0:
        raise ChainruleError(f"the learning rate must be positive, not {chosen.rate!r}")
    return chosen
