"""XOR: what one perceptron cannot learn and two layers can.

A perceptron divides the plane by one straight line. That is enough for AND and OR, but no line
separates XOR's two ones from its two zeros: the perceptron's best answer is "1/2" everywhere. Two
hidden units, each with a line of its own, move the four points so that one line separates them.

The picture shows each model's probability of a 1 over the plane (blue 0, white 1/2, orange 1) and
its decision boundary; on the right, the losses on XOR, and where the hidden layer puts the points.

Source: Minsky and Papert, Perceptrons (1969).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLACK, BLUE, ORANGE, QUICK, class_colours, new_figure, picture_path, save

from chainrule import nn, train

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
GATES = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}
MODELS = {
    "perceptron": lambda: nn.Perceptron(2, seed=0),
    "2-2-1 network": lambda: nn.MLP(
        2, [2], 1, activation="tanh", output_activation="sigmoid", seed=0
    ),
}
EPOCHS = 200 if QUICK else 500


def learn(model: nn.Module, gate: str) -> train.History:
    """Train a model on the four rows of a gate's truth table, all in one batch."""
    targets = np.reshape(GATES[gate], model(INPUTS).shape)
    return train.fit(
        model, "bce", (INPUTS, targets), rate=0.1, epochs=EPOCHS, batch_size=4, progress=False
    )


def accuracy(model: nn.Module, gate: str) -> float:
    """The share of the four rows that the model gets right, with 1 for more than 1/2."""
    answers = probability(model, INPUTS) > 0.5
    return float(np.mean(answers == np.array(GATES[gate], bool)))


def probability(model: nn.Module, points: np.ndarray) -> np.ndarray:
    """The model's probability of a 1 at each point: one number for each row."""
    return train.predict(model, points).reshape(len(points))


Results = dict[tuple[str, str], tuple[nn.Module, train.History]]


def learn_all() -> Results:
    """Every model on every gate: (model, gate) -> the trained model and its history."""
    results: Results = {}
    for name, make in MODELS.items():
        for gate in GATES:
            model = make()
            results[name, gate] = model, learn(model, gate)
    return results


def draw(results: Results, path: Path) -> None:
    """Two rows of maps, a row per model and a column per gate; the fourth column explains XOR."""
    figure, axes = new_figure(2, 4, 13, 6.2)
    side = np.linspace(-0.5, 1.5, 101)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    for row, name in enumerate(MODELS):
        for column, gate in enumerate(GATES):
            axis, (model, _) = axes[row, column], results[name, gate]
            values = probability(model, plane).reshape(len(side), len(side))
            shades = axis.imshow(
                values, class_colours(), vmin=0, vmax=1, origin="lower", extent=(-0.5, 1.5) * 2
            )
            if np.ptp(values) > 0.1:
                axis.contour(side, side, values, [0.5], colors=BLACK, linewidths=2)
            else:  # A flat map has no boundary to speak of.
                axis.text(0.5, 0.5, "1/2 everywhere", ha="center", va="center")
            mark_points(axis, INPUTS, gate)
            right = round(4 * accuracy(model, gate))
            axis.set(title=f"{gate}, {name}: {right} of 4 right", xlabel="$x_1$", ylabel="$x_2$")
            axis.set(xticks=[0, 1], yticks=[0, 1], aspect="equal")
    bar = figure.colorbar(shades, ax=axes[:, :3], ticks=[0, 0.5, 1], aspect=40)
    bar.set_label("probability of a 1")
    for name, colour in zip(MODELS, (BLUE, ORANGE), strict=True):
        axes[0, 3].plot(results[name, "XOR"][1].losses, color=colour, label=name)
    axes[0, 3].axhline(np.log(2), color=BLACK, linewidth=1, linestyle=":")
    axes[0, 3].text(EPOCHS, np.log(2) - 0.02, "ln 2: guessing", ha="right", va="top")
    axes[0, 3].set(title="XOR: loss while learning", xlabel="epoch", ylabel="cross-entropy")
    axes[0, 3].set_ylim(bottom=0)
    axes[0, 3].legend(loc="center right")
    draw_hidden(axes[1, 3], results["2-2-1 network", "XOR"][0])
    save(figure, path)


def mark_points(axis: Any, points: np.ndarray, gate: str) -> None:
    """The truth table as points: circles for 0, squares for 1."""
    for value, marker, colour in ((0, "o", BLUE), (1, "s", ORANGE)):
        chosen = points[np.array(GATES[gate]) == value]
        axis.scatter(*chosen.T, s=90, marker=marker, color=colour, edgecolor=BLACK, zorder=3)
        for x, y in chosen:
            axis.annotate(str(value), (x, y), (8, 6), textcoords="offset points", weight="bold")


def draw_hidden(axis: Any, net: Any) -> None:
    """Where the hidden layer puts XOR's four points, and the line the output unit draws there."""
    hidden = np.asarray(net.record(INPUTS)["layers[0]"].output)
    (first, second), offset = net.layers[1].weight.value[:, 0], net.layers[1].bias.value[0]
    line = np.array([-1.4, 1.4])
    axis.plot(line, -(first * line + offset) / second, color=BLACK)
    mark_points(axis, hidden, "XOR")
    axis.set(title="XOR, as the hidden layer sees it", xlabel="unit 1", ylabel="unit 2")
    axis.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")


def main() -> None:
    """Train, print the table, draw."""
    path = picture_path(__doc__, "xor.png")
    results = learn_all()
    print(f"{'accuracy':14}" + "".join(f"{gate:>8}" for gate in GATES))
    for name in MODELS:
        shares = [accuracy(results[name, gate][0], gate) for gate in GATES]
        print(f"{name:14}" + "".join(f"{share:8.2f}" for share in shares))
    print("\nXOR, the probability of a 1:")
    print(f"{'x1 x2':8}{'target':>8}" + "".join(f"{name:>16}" for name in MODELS))
    answers = [probability(results[name, "XOR"][0], INPUTS) for name in MODELS]
    for (x1, x2), target, *values in zip(INPUTS, GATES["XOR"], *answers, strict=True):
        print(f"{x1:.0f}  {x2:.0f}{target:12}" + "".join(f"{value:16.3f}" for value in values))
    draw(results, path)


if __name__ == "__main__":
    main()
