"""Activations: elementwise functions (softmax apart) as modules, also known by their names."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import functions
from chainrule.errors import ChainruleError
from chainrule.nn.module import Module


class UnknownNameError(ChainruleError, ValueError):
    """A name of an activation, initialiser, loss or optimiser that there is not."""


class Activation(Module):
    """A module without parameters that maps an array to one of the same shape."""

    def description(self) -> str:
        """The name by which layers know the activation, with its settings."""
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return NAMES.get(type(self), type(self).__name__) + (f"({settings})" if settings else "")


@dataclass(eq=False, repr=False)
class Identity(Activation):
    """x."""

    def forward(self, x: Any) -> Any:
        """x itself."""
        return x


@dataclass(eq=False, repr=False)
class Sigmoid(Activation):
    """1 / (1 + e^-x): a probability from log-odds.

    >>> round(float(Sigmoid()(3.2)), 2)
    0.96
    """

    def forward(self, x: Any) -> Any:
        """The sigmoid of each entry."""
        return functions.sigmoid(x)


@dataclass(eq=False, repr=False)
class Tanh(Activation):
    """The hyperbolic tangent."""

    def forward(self, x: Any) -> Any:
        """The hyperbolic tangent of each entry."""
        return np.tanh(x)


@dataclass(eq=False, repr=False)
class ReLU(Activation):
    """max(x, 0), with derivative 0 at 0. Nair and Hinton (2010)."""

    def forward(self, x: Any) -> Any:
        """Each entry where it is positive, else 0."""
        return functions.relu(x)


@dataclass(eq=False, repr=False)
class LeakyReLU(Activation):
    """x where it is positive, else ``slope`` x. Maas, Hannun and Ng (2013)."""

    slope: float = 0.01

    def forward(self, x: Any) -> Any:
        """Each entry, scaled where it is negative."""
        return functions.leaky_relu(x, self.slope)


@dataclass(eq=False, repr=False)
class ELU(Activation):
    """x where it is positive, else ``alpha`` (e^x - 1). Clevert et al. (2016)."""

    alpha: float = 1.0

    def forward(self, x: Any) -> Any:
        """The exponential linear unit of each entry."""
        return functions.elu(x, self.alpha)


@dataclass(eq=False, repr=False)
class GELU(Activation):
    """x times the normal distribution function of x. Hendrycks and Gimpel (2016)."""

    def forward(self, x: Any) -> Any:
        """The Gaussian error linear unit of each entry."""
        return functions.gelu(x)


@dataclass(eq=False, repr=False)
class SiLU(Activation):
    """x sigmoid(x), also called swish. Elfwing et al. (2018)."""

    def forward(self, x: Any) -> Any:
        """The sigmoid linear unit of each entry."""
        return functions.silu(x)


@dataclass(eq=False, repr=False)
class Softplus(Activation):
    """ln(1 + e^x), a smooth relu."""

    def forward(self, x: Any) -> Any:
        """The softplus of each entry."""
        return functions.softplus(x)


@dataclass(eq=False, repr=False)
class Softmax(Activation):
    """e^x / sum e^x along ``axis``: probabilities of classes."""

    axis: int = -1

    def forward(self, x: Any) -> Any:
        """Probabilities that sum to 1 along the axis."""
        return functions.softmax(x, self.axis)


@dataclass(eq=False, repr=False)
class Function(Activation):
    """Any function of an array as a module. It cannot be saved: write a module class for that.

    >>> Function(np.sin)(np.array([0.0])).tolist()
    [0.0]
    """

    function: Callable[[Any], Any]

    def forward(self, x: Any) -> Any:
        """The function's result."""
        return self.function(x)

    def description(self) -> str:
        """The function's own name."""
        return getattr(self.function, "__name__", repr(self.function))


ACTIVATIONS: dict[str, type[Activation]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "softplus": Softplus,
    "softmax": Softmax,
}
NAMES = {activation: name for name, activation in ACTIVATIONS.items()}


def named(table: dict[str, Any], name: str, what: str) -> Any:
    """The entry called ``name``; spaces and hyphens count as underscores.

    Raises:
        UnknownNameError: with the names that there are, the nearest one first.
    """
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    if key in table:
        return table[key]
    near = difflib.get_close_matches(key, table, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UnknownNameError(f"no {what} is called {name!r}; {hint}there are {', '.join(table)}")


def activation(given: str | Module | Callable[[Any], Any] | None) -> Module:
    """An activation from its name, a module, or any function of an array; None is the identity.

    >>> activation("leaky relu").slope
    0.01
    >>> activation("rellu")
    Traceback (most recent call last):
    ...
    chainrule.nn.activations.UnknownNameError: no activation is called 'rellu';
    did you mean 'relu'? there are identity, sigmoid, ...
    """
    if given is None:
        return Identity()
    if isinstance(given, Module):
        return given
    if isinstance(given, str):
        made: Module = named(ACTIVATIONS, given, "activation")()
        return made
    if isinstance(given, type) and issubclass(given, Module):
        return given()
    if callable(given):
        return Function(given)
    raise UnknownNameError(
        f"an activation is a name, a module or a function, not {type(given).__name__} {given!r:.40}"
    )
