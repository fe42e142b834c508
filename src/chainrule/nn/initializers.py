"""First values of weights. Each initialiser is a function (generator, shape) -> float64 array.

A weight of shape (inputs, outputs) has ``inputs`` as its fan-in and ``outputs`` as its fan-out; a
vector (inputs,) has fan-out 1. Layers store the result as float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.nn.activations import named
from chainrule.nn.checks import seed_of

Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan-in, fan-out): how many numbers enter and leave through a weight of this shape."""
    if len(shape) < 2:
        return (shape[0] if shape else 1), 1
    inner = int(np.prod(shape[:-2], dtype=int))
    return inner * shape[-2], inner * shape[-1]


def zeros(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """All 0: right for biases; a weight of zeros never learns what its rows share."""
    return np.zeros(shape)


def ones(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """All 1: right for scales."""
    return np.ones(shape)


def uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """Uniform between ``low`` and ``high``."""
    return lambda generator, shape: generator.uniform(low, high, shape)


def normal(deviation: float = 0.05, mean: float = 0.0) -> Initializer:
    """Normal with the given standard deviation and mean."""
    return lambda generator, shape: generator.normal(mean, deviation, shape)


def glorot_uniform(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform with variance 2 / (fan-in + fan-out). Glorot and Bengio, Understanding the
    difficulty of training deep feedforward neural networks (2010)."""
    limit = np.sqrt(6.0 / max(sum(fans(shape)), 1))
    return generator.uniform(-limit, limit, shape)


def glorot_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with variance 2 / (fan-in + fan-out). Glorot and Bengio (2010)."""
    return generator.normal(0.0, np.sqrt(2.0 / max(sum(fans(shape)), 1)), shape)


def he_uniform(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform with variance 2 / fan-in, for relu. He, Zhang, Ren and Sun, Delving deep into
    rectifiers (2015)."""
    limit = np.sqrt(6.0 / max(fans(shape)[0], 1))
    return generator.uniform(-limit, limit, shape)


def he_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with variance 2 / fan-in, for relu. He et al. (2015)."""
    return generator.normal(0.0, np.sqrt(2.0 / max(fans(shape)[0], 1)), shape)


def lecun_uniform(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform with variance 1 / fan-in. LeCun, Bottou, Orr and Müller, Efficient BackProp
    (1998)."""
    limit = np.sqrt(3.0 / max(fans(shape)[0], 1))
    return generator.uniform(-limit, limit, shape)


def lecun_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with variance 1 / fan-in. LeCun et al. (1998)."""
    return generator.normal(0.0, np.sqrt(1.0 / max(fans(shape)[0], 1)), shape)


def orthogonal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A matrix with orthonormal rows or columns, drawn evenly from all of them. Saxe, McClelland
    and Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear networks
    (2014); Mezzadri, How to generate random matrices from the classical compact groups (2007).

    >>> q = orthogonal(np.random.default_rng(0), (5, 3))
    >>> bool(np.allclose(q.T @ q, np.eye(3)))
    True
    """
    rows, columns = int(np.prod(shape[:-1], dtype=int)), shape[-1]
    tall = generator.normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diagonal(r))
    return (q if rows >= columns else q.T).reshape(shape)


INITIALIZERS: dict[str, Initializer] = {
    "zeros": zeros,
    "ones": ones,
    "uniform": uniform(),
    "normal": normal(),
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "lecun_uniform": lecun_uniform,
    "lecun_normal": lecun_normal,
    "orthogonal": orthogonal,
}

# What suits an activation: He for those that cut half of the line off, LeCun and Glorot else.
SUITED = {
    "relu": "he_uniform",
    "leaky_relu": "he_uniform",
    "elu": "he_uniform",
    "gelu": "he_uniform",
    "silu": "he_uniform",
    "softplus": "he_uniform",
}


def initializer(given: str | Initializer | None, activation: str = "identity") -> Initializer:
    """An initialiser from its name or a function; None chooses by the activation's name."""
    if given is None:
        given = SUITED.get(activation.partition("(")[0], "glorot_uniform")
    if isinstance(given, str):
        found: Initializer = named(INITIALIZERS, given, "initialiser")
        return found
    return given


def generator_of(seed: Any) -> np.random.Generator:
    """A generator from an integer, a generator, or None (fresh randomness)."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(None if seed is None else seed_of(seed))
