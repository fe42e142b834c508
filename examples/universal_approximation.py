"""Universal approximation: one hidden layer draws any curve, ever better as it widens.

Each hidden unit is a smooth step, tanh(w x + b); the output adds the steps up, each with a height
of its own. One step is a poor picture of a wavy curve, 32 steps are hard to tell from it. The
units start spread over the interval; training then moves, stretches and weighs them.

The picture shows the curve and three networks, the steps that one of them adds up, and the error
against the width.

Sources: Cybenko, Approximation by superpositions of a sigmoidal function (1989); Hornik,
Stinchcombe and White, Multilayer feedforward networks are universal approximators (1989).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from drawing import BLACK, BLUE, GREEN, GREY, ORANGE, QUICK, new_figure, picture_path, save

from chainrule import nn, train

WIDTHS = [1, 4, 16] if QUICK else [1, 2, 4, 8, 16, 32]
EPOCHS = 150 if QUICK else 500
DRAWN = {1: (ORANGE, ":"), 4: (GREEN, "--"), 16: (BLUE, "-")}  # width: colour and line
X = np.linspace(-3, 3, 121)[:, np.newaxis]


def curve(x: np.ndarray) -> np.ndarray:
    """The function to be approximated: two waves on a slope."""
    return np.sin(2 * x) + 0.4 * np.sin(5 * x) + x / 4


def network(width: int) -> nn.MLP:
    """One hidden layer whose steps, at x = -bias / weight, are spread evenly over the interval."""
    net = nn.MLP(1, [width], 1, activation="tanh", seed=1)
    slopes = np.full((1, width), 3.0)
    places = np.linspace(X.min(), X.max(), width + 2)[1:-1]
    net.assign({"layers[0].weight": slopes, "layers[0].bias": -slopes[0] * places})
    return net.astype(np.float32)


def learn(width: int) -> nn.MLP:
    """A network of this width, trained on all points at once."""
    net = network(width)
    train.fit(
        net, "mse", (X, curve(X)), rate=0.03, schedule="cosine", batch_size=len(X), epochs=EPOCHS,
        progress=False,
    )  # fmt: skip
    return net


def error(net: nn.Module) -> float:
    """The root of the mean squared error, halfway between the points it learned from."""
    between = (X[1:] + X[:-1]) / 2
    return float(np.sqrt(nn.mean_squared_error(train.predict(net, between), curve(between))))


def draw(nets: dict[int, nn.MLP], errors: dict[int, float], path: Path) -> None:
    """Three panels: the approximations, one network's steps, error against width."""
    figure, ((left, middle, right),) = new_figure(1, 3, 13, 4.2)
    for axis in (left, middle):
        axis.plot(X, curve(X), color=GREY, linewidth=6, alpha=0.5, label="the curve")
        axis.set(xlabel="$x$", ylim=(-1.4, 2.3))
    for width, (colour, style) in DRAWN.items():
        label = f"{width} hidden unit{'s' * (width > 1)}"
        left.plot(X, train.predict(nets[width], X), style, color=colour, label=label)
    left.set(title="The curve, and networks that learned it", ylabel="$y$")
    left.legend(loc="upper left")

    steps = np.asarray(nets[4].record(X)["layers[0]"].output) * nets[4].layers[1].weight.value[:, 0]
    lines = middle.plot(X, steps, color=BLUE, linewidth=1)
    lines[0].set_label("height × tanh(w x + b), each unit")
    middle.plot(X, train.predict(nets[4], X), "--", color=GREEN, label="their sum, and the bias")
    middle.set(title="What 4 hidden units add up")
    middle.legend(loc="upper left")

    right.loglog(list(errors), list(errors.values()), "o-", color=BLACK, base=2)
    right.set_yscale("log", base=10)
    right.set_xticks(list(errors), [str(width) for width in errors])
    right.set(title="Wider is better", xlabel="hidden units", ylabel="root mean squared error")
    right.grid(axis="y", alpha=0.3)
    save(figure, path)


def main() -> None:
    """Train a network of each width, print the errors, draw."""
    path = picture_path(__doc__, "universal_approximation.png")
    nets, errors = {}, {}
    print("width   parameters   root mean squared error")
    for width in WIDTHS:
        nets[width] = learn(width)
        errors[width] = error(nets[width])
        print(f"{width:5}{nets[width].parameter_count:13}{errors[width]:26.4f}")
    draw(nets, errors, path)


if __name__ == "__main__":
    main()
