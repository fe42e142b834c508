"""Gradients of small functions: time of the gradient against time of the value, beside peers.

Engines run interleaved (A B A B ...) in one process and the table shows medians, so that a busy
machine slows all of them alike. Each gradient is checked against the others before it is timed.

    python benchmarks/gradients.py            # about a minute
    python benchmarks/gradients.py --quick    # a few seconds, to see that it runs

HIPS autograd (pip install autograd) is shown where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr

RANDOM = np.random.default_rng(0)


def chain(np: Any, x: Any) -> Any:
    """Two hundred scalar operations in a row: what a tape costs."""
    for _ in range(100):
        x = np.sin(x) * 1.01
    return x


def rosenbrock(np: Any, x: Any) -> Any:
    """A thousand variables, elementwise."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def perceptron(np: Any, weights: Any) -> Any:
    """The loss of a network 20-64-64-2 on a batch of 32."""
    first, second, third = weights
    hidden = np.tanh(np.dot(np.tanh(np.dot(INPUTS, first)), second))
    logits = np.dot(hidden, third)
    scores = logits - np.max(logits, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(scores), axis=1)) - scores[ROWS, LABELS])


INPUTS, ROWS = RANDOM.normal(size=(32, 20)), np.arange(32)
LABELS = RANDOM.integers(0, 2, 32)
WORK: dict[str, tuple[Callable[..., Any], Any]] = {
    "chain of 200 scalar operations": (chain, 0.5),
    "Rosenbrock, 1000 variables": (rosenbrock, RANDOM.normal(size=1000)),
    "network 20-64-64-2, batch 32": (
        perceptron,
        [RANDOM.normal(size=shape) / 4 for shape in ((20, 64), (64, 64), (64, 2))],
    ),
}


def engines(function: Callable[..., Any]) -> dict[str, Callable[[Any], Any]]:
    """Callables to time, by name; the first is the value alone."""
    found: dict[str, Callable[[Any], Any]] = {
        "NumPy, value": lambda x: function(np, x),
        "chainrule": cr.grad(lambda x: function(np, x)),
        "chainrule, compiled": cr.compile(cr.grad(lambda x: function(np, x))),
    }
    if importlib.util.find_spec("autograd"):
        import autograd
        import autograd.numpy as autograd_numpy

        found["HIPS autograd"] = autograd.grad(lambda x: function(autograd_numpy, x))
    return found


def medians(callables: dict[str, Callable[[Any], Any]], x: Any, rounds: int) -> dict[str, float]:
    """Median seconds of each callable, run in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in callables}
    for _ in range(rounds):
        for name, call in callables.items():
            start = time.perf_counter()
            call(x)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def flat(gradient: Any) -> np.ndarray:
    """A gradient as one vector."""
    parts = gradient if isinstance(gradient, list | tuple) else [gradient]
    return np.concatenate([np.ravel(part) for part in parts])


def main() -> None:
    """Check, time and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few repetitions, to see that it runs")
    rounds = 5 if parser.parse_args().quick else 300
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}")
    for title, (function, x) in WORK.items():
        callables = engines(function)
        gradients = {n: flat(call(x)) for n, call in callables.items() if n != "NumPy, value"}
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, gradients["chainrule"], rtol=1e-8, err_msg=name)
        times = medians(callables, x, rounds)
        value = times["NumPy, value"]
        print(f"\n{title}")
        for name, seconds in times.items():
            print(f"  {name:<22}{seconds * 1e6:10.1f} us{seconds / value:9.1f} x the value")


if __name__ == "__main__":
    main()
