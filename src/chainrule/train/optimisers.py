"""Optimisers: how parameters move along their gradients.

Each is written once, in plain NumPy code that can be traced, so that every executor runs it as a
part of the training step. ``init(parameters)`` gives a state of zeros; ``update(parameters,
gradients, state, rate)`` gives new parameters and a new state and changes nothing in place.
Parameters and gradients are arrays, nested in lists, dicts or modules, and of the same structure.

Row-sparse gradients (of a table from which rows were looked up) mean the same as dense ones unless
an optimiser is made with ``sparse="lazy"``. What that costs depends on what a step does to a row
without a gradient, its ``idle``:

* ``"nothing"`` (SGD, Adagrad): only the rows that were used are visited.
* ``"fades"`` (RMSprop): the row stays, its memory decays. Only used rows are visited; the decay of
  the steps that a row missed is made up for when it is used again.
* ``"moves"`` (Momentum, Nesterov, Adam, AdamW): the row goes on moving by what it remembers, or
  decays, and the next look-up must find it moved. Every row is visited.

``sparse="lazy"`` visits the rows that were used and leaves all others, and what is remembered of
them, as they are: no momentum, no decay of memories and no weight decay reaches a row until it is
used. That is another method with other results, so it is never chosen unasked. Shazeer and Stern
describe such updates of embeddings in Adafactor (2018), section 2.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.diff.reverse import dense, is_row_sparse
from chainrule.errors import ChainruleError, ShapeError
from chainrule.graph.rowsparse import RowSparse
from chainrule.nn.activations import named
from chainrule.nn.regularisers import is_offset
from chainrule.tracing.traced import Traced
from chainrule.tracing.trees import Tree
from chainrule.train.rows import Rows, rows_of

State = dict[str, Any]


class Optimiser:
    """What all optimisers share: walking over parameters, gradients and their memories.

    A subclass names its memories (one array for each parameter) and gives ``step``. Beside ``step``
    it may say what a step does to an entry whose gradient is 0, ``idle``: "nothing", "fades" (then
    it has ``faded`` too) or "moves". ``tells_offsets`` says whether a step depends on the
    parameter's path.
    """

    rate: float
    memories: tuple[str, ...] = ()
    idle = "moves"
    tells_offsets = False
    sparse: str = "exact"

    def __post_init__(self) -> None:
        if self.sparse not in ("exact", "lazy"):
            raise ChainruleError(f'sparse is "exact" or "lazy", not {self.sparse!r}')

    def init(self, parameters: Any, tables: Collection[str] = ()) -> State:
        """The state before the first step: a step count of 0 and memories of zeros.

        Args:
            parameters: arrays, possibly nested.
            tables: paths of parameters whose gradients are row-sparse. Where memories fade, the
                state holds for each of their rows the step in which it was used last; without it
                every step visits all rows.
        """
        tree = Tree(parameters)
        leaves = [_value(leaf) for leaf in tree.leaves]
        state: State = {"steps": np.float64(0.0)}
        for name in self.memories:
            state[name] = [np.zeros(np.shape(leaf), leaf.dtype) for leaf in leaves]
        if tables and self.sparse == "exact" and self._idle() == "fades":
            state["used"] = [
                np.zeros(len(leaf) if _name(path) in tables else 0)
                for leaf, path in zip(leaves, tree.paths, strict=True)
            ]
        return state

    def takes_rows(self) -> bool:
        """Whether steps visit only the rows of a table that have a gradient."""
        return self.sparse == "lazy" or self._idle() != "moves"

    def _idle(self) -> str:
        """What the class that gives ``step`` says; another class may know nothing of it."""
        owner = next(kind for kind in type(self).__mro__ if "step" in vars(kind))
        return str(vars(owner).get("idle", "moves"))

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
        latest: dict[str, list[Any]] = {name: [] for name in state if name != "steps"}
        moved = []
        for number, (leaf, path) in enumerate(zip(tree.leaves, tree.paths, strict=True)):
            parameter, gradient = _value(leaf), self._gradient(slopes[number], state, number)
            if gradient.shape != parameter.shape:
                raise ShapeError(
                    f"parameter {path or number} has shape {parameter.shape}, but its gradient has "
                    f"shape {gradient.shape}"
                )
            former = {name: memory[number] for name, memory in state.items() if name != "steps"}
            step = Step(_name(path), parameter, rate, steps)
            go = self._step_of_rows if isinstance(gradient, Rows) else self.step
            parameter, latter = go(step, parameter, gradient, former)
            moved.append(parameter)
            for name in latest:
                latest[name].append(latter.get(name, former[name]))
        return tree.rebuild(moved), {"steps": steps, **latest}

    def _gradient(self, slope: Any, state: State, number: int) -> Any:
        """The rows of a gradient where a step visits rows only, else an array."""
        if isinstance(slope, Rows):
            return slope
        marked = "used" in state and state["used"][number].size > 0
        # What fades needs the marks; without them every step is one of all rows.
        visits_rows = marked or self.sparse == "lazy" or self._idle() == "nothing"
        rows = rows_of(_value(slope)) if visits_rows else None
        if rows is not None:
            return rows
        gradient = dense_gradient(slope)
        return Rows(np.arange(len(gradient)), gradient, gradient.shape) if marked else gradient

    def _step_of_rows(
        self, step: Step, parameter: Any, gradient: Rows, memory: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """A step of some rows of a table: (new table, new memories)."""
        former = {name: gradient.taken(memory[name]) for name in self.memories}
        latter = {}
        if "used" in memory and memory["used"].size:
            missed = step.steps - 1.0 - gradient.taken(memory["used"])
            missed = np.reshape(missed, (-1,) + (1,) * (len(gradient.shape) - 1))
            former = self.faded(step, former, missed)
            now = np.broadcast_to(step.steps, gradient.indices.shape)
            latter["used"] = gradient.put(memory["used"], now)
        moved, changed = self.step(step, gradient.taken(parameter), gradient.rows, former)
        for name in self.memories:
            latter[name] = gradient.put(memory[name], changed[name])
        return gradient.put(parameter, moved), latter

    def faded(self, step: Step, memory: dict[str, Any], missed: Any) -> dict[str, Any]:
        """The memories of rows after ``missed`` steps without a gradient."""
        raise NotImplementedError(f"{type(self).__name__} has no faded")

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


def _name(path: str) -> str:
    return path.strip("['].")


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
    idle = "nothing"

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Down the gradient."""
        return parameter - step.rate * gradient, {}


@dataclass(frozen=True)
class Momentum(Optimiser):
    """v <- momentum v + g; p <- p - rate v. Polyak, Some methods of speeding up the convergence of
    iteration methods (1964).

    Rows of a table that were not looked up move by their velocity; with ``sparse="lazy"`` they and
    their velocity stay.
    """

    rate: float = 0.01
    momentum: float = 0.9
    sparse: str = field(default="exact", kw_only=True)
    memories = ("velocity",)

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Down the velocity."""
        velocity = step.cast(self.momentum) * memory["velocity"] + gradient
        return parameter - step.rate * velocity, {"velocity": velocity}


@dataclass(frozen=True)
class Nesterov(Optimiser):
    """v <- momentum v + g; p <- p - rate (g + momentum v). Nesterov (1983), in the form of
    Sutskever, Martens, Dahl and Hinton, On the importance of initialization and momentum (2013).

    Rows of a table that were not looked up move by their velocity; with ``sparse="lazy"`` they and
    their velocity stay.
    """

    rate: float = 0.01
    momentum: float = 0.9
    sparse: str = field(default="exact", kw_only=True)
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
    idle = "nothing"

    def step(self, step: Step, parameter: Any, gradient: Any, memory: Any) -> Any:
        """Less far where gradients were large."""
        squares = memory["squares"] + np.square(gradient)
        scaled = gradient / (np.sqrt(squares) + step.cast(self.epsilon))
        return parameter - step.rate * scaled, {"squares": squares}


@dataclass(frozen=True)
class RMSprop(Optimiser):
    """s <- decay s + (1 - decay) g^2; p <- p - rate g / (sqrt(s) + epsilon). Tieleman and Hinton,
    Lecture 6.5, Neural networks for machine learning (2012).

    The squares of table rows that were not looked up decay all the same: s <- decay^k s after k
    steps, when the row is used again. With ``sparse="lazy"`` they stay.
    """

    rate: float = 0.001
    decay: float = 0.9
    epsilon: float = 1e-8
    sparse: str = field(default="exact", kw_only=True)
    memories = ("squares",)
    idle = "fades"

    def faded(self, step: Step, memory: dict[str, Any], missed: Any) -> dict[str, Any]:
        """Squares that have decayed once for each step."""
        return {"squares": memory["squares"] * step.cast(self.decay**missed)}

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

    Rows of a table that were not looked up go on along their mean gradient; the sum of such steps
    has no closed form, so all rows are visited. With ``sparse="lazy"`` they and their averages
    stay, and the corrections of the start count all steps.

    >>> adam = Adam(rate=0.1)
    >>> adam.update([1.0], [3.0], adam.init([1.0]))[0]
    [np.float64(0.9000000003333333)]
    """

    rate: float = 0.001
    decay: float = 0.9
    square_decay: float = 0.999
    epsilon: float = 1e-8
    sparse: str = field(default="exact", kw_only=True)
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

    Offsets (parameters named bias, scale or shift) do not decay unless ``decay_offsets``. With
    ``sparse="lazy"`` a row of a table decays in the steps in which it is looked up.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization (2019), algorithm 2.
    """

    weight_decay: float = 0.01
    decay_offsets: bool = False
    tells_offsets = True

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
