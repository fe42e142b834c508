"""A loss surface over two weights, and how three kinds of gradient descent walk on it.

A neuron with two weights and no bias learns from 64 examples. Its loss, as a function of the two
weights, is a long valley. All three walkers start in the same place and read every example equally
often; they differ in how many they look at before each step:

- full batch: all 64. The exact slope, so a smooth path, but few steps;
- mini-batch: 8. The slope of a sample: eight times the steps, each a little wrong;
- single example: 1. Far along soon, but it never settles: each example pulls its own way.

The picture shows the surface as contour lines with the three paths, and the loss along them.

Source: Bottou, Curtis and Nocedal, Optimization methods for large-scale machine learning (2018).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLACK, BLUE, GREEN, GREY, ORANGE, QUICK, new_figure, picture_path, save

import chainrule as cr
from chainrule import nn, train

EXAMPLES = 64
EPOCHS = 10 if QUICK else 30
RATE = 0.3
START = np.array([-3.0, 3.0])
WALKS = {"full batch": EXAMPLES, "mini-batch of 8": 8, "single example": 1}
COLOURS = dict(zip(WALKS, (BLACK, BLUE, ORANGE), strict=True))


def data() -> tuple[np.ndarray, np.ndarray]:
    """Two features that mostly agree, which makes the valley long, and classes drawn from them."""
    generator = np.random.default_rng(4)
    x = generator.normal(size=(EXAMPLES, 2)) @ np.array([[1.8, 1.2], [0.0, 0.6]])
    chances = cr.functions.sigmoid(x @ np.array([1.5, -0.5]))
    return x, (generator.uniform(size=EXAMPLES) < chances).astype(float)


def loss(weights: Any, x: Any, y: Any) -> Any:
    """Cross-entropy of the neuron sigmoid(x . weights): the height of the surface at a place."""
    return nn.binary_cross_entropy_with_logits(x @ weights, y)


def walk(x: np.ndarray, y: np.ndarray, batch: int, seed: int = 0) -> np.ndarray:
    """Gradient descent from START: the weights before the first step and after each, (steps, 2)."""
    slope: Callable[..., Any] = cr.compile(cr.grad(loss))
    optimiser = train.SGD(RATE)
    weights, memory = START, optimiser.init(START)
    generator, path = np.random.default_rng(seed), [START]
    for _ in range(EPOCHS):
        order = generator.permutation(len(x))
        for rows in order.reshape(-1, batch):
            gradient = slope(weights, x[rows], y[rows])
            weights, memory = optimiser.update(weights, gradient, memory)
            path.append(weights)
    return np.array(path)


def lowest(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The weights at the bottom, by Newton's method: w - H^-1 g, with the exact Hessian H."""
    weights = np.zeros(2)
    for _ in range(12):
        slope, curvature = cr.grad(loss)(weights, x, y), cr.hessian(loss)(weights, x, y)
        weights = weights - np.linalg.solve(curvature, slope)
    return weights


def draw(
    x: np.ndarray, y: np.ndarray, paths: dict[str, np.ndarray], bottom: np.ndarray, path: Path
) -> None:
    """The surface with the three paths, one panel each, and the losses by examples read."""
    figure, axes = new_figure(2, 2, 10, 8.4)
    horizontal, vertical = np.linspace(-4, 5, 91), np.linspace(-4, 5, 91)
    heights = [[loss(np.array([u, v]), x, y) for u in horizontal] for v in vertical]
    levels = loss(bottom, x, y) * 1.25 ** np.arange(14)
    for axis, (name, places) in zip(axes.flat, paths.items(), strict=False):
        shades = {"cmap": "Greys", "norm": "log", "alpha": 0.5}  # the darker, the higher
        axis.contourf(horizontal, vertical, heights, levels, extend="max", **shades)
        axis.contour(horizontal, vertical, heights, levels, colors=GREY, linewidths=0.6)
        size, width = (5, 0.8) if len(places) < 500 else (2, 0.4)
        axis.plot(*places.T, ".-", color=COLOURS[name], linewidth=width, markersize=size)
        axis.plot(*START, "s", color=GREEN, markersize=9, label="start")
        axis.plot(*bottom, "*", color=GREEN, markersize=15, label="lowest loss")
        axis.set(title=f"{name}: {len(places) - 1} steps", xlabel="$w_1$", ylabel="$w_2$")
        axis.set_aspect("equal")
    axes[0, 0].legend(loc="lower right", frameon=True)
    curves = axes[1, 1]
    for name, places in reversed(paths.items()):
        read = np.arange(len(places)) * WALKS[name] / EXAMPLES
        curves.plot(
            read,
            [loss(place, x, y) for place in places],
            color=COLOURS[name],
            linewidth=1.2,
            label=name,
        )
    curves.axhline(loss(bottom, x, y), color=GREEN, linestyle="--", label="lowest loss")
    curves.set(title="Loss on all 64 examples", xlabel="epochs (64 examples read)", ylabel="loss")
    curves.legend(reverse=True)
    save(figure, path)


def main() -> None:
    """Walk three times, print where each walk came to, draw."""
    path = picture_path(__doc__, "loss_surface.png")
    x, y = data()
    bottom = lowest(x, y)
    paths = {name: walk(x, y, batch) for name, batch in WALKS.items()}
    print(f"Every walk reads {EPOCHS} times {EXAMPLES} examples, with a learning rate of {RATE}.\n")
    print(f"{'walk':18}{'steps':>6}{'w1':>8}{'w2':>8}{'loss':>9}")
    for name, places in paths.items():
        (w1, w2), steps = places[-1], len(places) - 1
        print(f"{name:18}{steps:6}{w1:8.3f}{w2:8.3f}{loss(places[-1], x, y):9.4f}")
    print(f"{'lowest loss':24}{bottom[0]:8.3f}{bottom[1]:8.3f}{loss(bottom, x, y):9.4f}")
    draw(x, y, paths, bottom, path)


if __name__ == "__main__":
    main()
