"""Will my flight be delayed? A perceptron answers, and learns with two losses.

First the lecture's perceptron: weights 0.1, 0.5, 2.5, 0.2, bias 3 and inputs 2, 3, -1, 5 add up to
3.2, so a delay has the probability sigmoid(3.2) = 0.96. Suppose the flight was on time. How hard
does each loss push the perceptron to change its mind? The slope of the binary cross-entropy (BCE)
along the sum z is p - t, nearly 1 when certain and wrong. The squared error (MSE) has a slope of
2 (p - t) p (1 - p), and p (1 - p) is nearly 0 when certain: the worse the mistake, the less it
learns from it.

Then that same perceptron, which takes every flight for late, learns from flights, once with each
loss. After as many epochs BCE is far ahead. A small network learns as well that both frost and heat
delay flights, which no weighted sum can say. The flights are made up, so that the script runs
anywhere; `chainrule demo` learns from 327 346 real ones.

The picture shows both losses of a flight on time, their slopes, and the error while learning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLUE, GREEN, GREY, ORANGE, QUICK, new_figure, picture_path, save

import chainrule as cr
from chainrule import nn, train

WEIGHTS, BIAS = [0.1, 0.5, 2.5, 0.2], 3.0
INPUTS = [2.0, 3.0, -1.0, 5.0]
LOSSES = {"BCE": nn.binary_cross_entropy, "MSE": nn.mean_squared_error}
EPOCHS = 8 if QUICK else 25
FLIGHTS, HELD_OUT = 2000, 500


def lecture_perceptron() -> nn.Perceptron:
    """The lecture's unit: sigmoid(0.1 x1 + 0.5 x2 + 2.5 x3 + 0.2 x4 + 3)."""
    return nn.Perceptron(WEIGHTS, bias=BIAS)


def small_network() -> nn.MLP:
    """Eight hidden units, and a probability."""
    return nn.MLP(4, [8], 1, activation="tanh", output_activation="sigmoid", seed=0)


MODELS = {"perceptron": (lecture_perceptron, 0.02), "network": (small_network, 0.2)}  # and rate


def slope(name: str, z: Any, target: float = 0.0) -> Any:
    """How the loss of each flight changes with the weighted sum z before its sigmoid."""

    def total(z: Any) -> Any:
        return LOSSES[name](cr.functions.sigmoid(z), np.full(z.shape, target), reduction="sum")

    return cr.grad(total)(np.asarray(z, float))


def flights() -> tuple[np.ndarray, np.ndarray]:
    """(features, delayed): hour, wind, rain and temperature, in deviations from their means."""
    generator = np.random.default_rng(2013)
    x = generator.normal(size=(FLIGHTS, 4))
    z = -2.5 + 0.9 * x[:, 0] + 0.6 * x[:, 1] + 1.2 * x[:, 2] + 0.9 * x[:, 3] ** 2
    return x, (generator.uniform(size=FLIGHTS) < cr.functions.sigmoid(z)).astype(float)


def accuracy(prediction: np.ndarray, target: np.ndarray) -> float:
    """The share of flights on the right side of 1/2."""
    return float(np.mean((prediction > 0.5) == (target > 0.5)))


def learn(model: nn.Module, loss: str, rate: float) -> dict[str, list[float]]:
    """Train on all but the held-out flights: BCE and accuracy on these, before and after epochs."""
    x, y = flights()
    y = y.reshape(FLIGHTS, *model(x[:1]).shape[1:])
    learned, held_out = (x[HELD_OUT:], y[HELD_OUT:]), (x[:HELD_OUT], y[:HELD_OUT])
    metrics = {"BCE": nn.binary_cross_entropy, "accuracy": accuracy}
    before = {name: metric(model(held_out[0]), held_out[1]) for name, metric in metrics.items()}
    history = train.fit(
        model, LOSSES[loss], learned, held_out, optimiser="sgd", rate=rate, epochs=EPOCHS,
        metrics=metrics, progress=False,
    )  # fmt: skip
    return {name: [float(before[name]), *values] for name, values in history.metrics.items()}


def show_lecture() -> None:
    """The lecture's example, term by term, and what each loss would change."""
    unit = lecture_perceptron()
    z = float(np.dot(WEIGHTS, INPUTS) + BIAS)
    terms = " + ".join(f"{w} * {x:.0f}" for w, x in zip(WEIGHTS, INPUTS, strict=True))
    print(f"z = {terms} + {BIAS} = {z:.1f}")
    print(f"probability of a delay = sigmoid({z:.1f}) = {float(unit(INPUTS)):.2f}\n")
    print("The flight was on time. The gradients at this confidently wrong prediction:")
    print(f"{'loss':6}{'value':>8}{'d/dz':>8}{'d/dbias':>9}   d/dweights")
    for name, loss in LOSSES.items():
        value, gradient = cr.value_and_grad(lambda unit, loss=loss: loss(unit(INPUTS), 0.0))(unit)
        weights = "  ".join(f"{part:6.3f}" for part in gradient.weight.value)
        print(f"{name:6}{value:8.3f}{slope(name, z):8.3f}{gradient.bias.value:9.3f}   {weights}")
    print(f"BCE pushes {slope('BCE', z) / slope('MSE', z):.0f} times as hard.\n")


def draw(curves: dict[tuple[str, str], dict[str, list[float]]], path: Path) -> None:
    """Losses and slopes of one flight against z, and the perceptron's learning curves."""
    figure, ((left, middle, right),) = new_figure(1, 3, 13, 4.2)
    z = np.linspace(-6, 8, 200)
    for name, colour in zip(LOSSES, (BLUE, ORANGE), strict=True):
        losses = LOSSES[name](cr.functions.sigmoid(z), np.zeros(len(z)), reduction="none")
        left.plot(z, losses, color=colour, label=name)
        middle.plot(z, slope(name, z), color=colour, label=name)
        middle.plot(3.2, slope(name, 3.2), "o", color=colour, markersize=8)
        curve = curves["perceptron", name]["BCE"]
        right.plot(curve, "o-", color=colour, markersize=4, label=f"with {name}")
    for axis in (left, middle):
        axis.axvline(3.2, color=GREY, linestyle=":", zorder=0)
        axis.set_xlabel("z: sure it is on time  ←  →  sure it is late")
    left.text(3, 5, "the lecture's\nflight: z = 3.2", ha="right")
    left.set(title="Loss of a flight that was on time", ylabel="loss")
    left.legend(loc="upper left")
    middle.text(3.5, 0.2, "MSE learns\nnext to nothing\nfrom its worst\nmistakes")
    middle.set(title="What it learns from: the slope", ylabel="d loss / d z")
    middle.legend(loc="upper left")
    right.axhline(base_rate(), color=GREEN, linestyle="--", label="guessing the share of delays")
    right.set(title="The lecture's perceptron learns", xlabel="epoch", ylim=(0, None))
    right.set_ylabel("cross-entropy on held-out flights")
    right.legend()
    save(figure, path)


def base_rate() -> float:
    """The held-out BCE of always answering with the share of delays."""
    delayed = flights()[1][:HELD_OUT]
    return float(nn.binary_cross_entropy(np.full(HELD_OUT, delayed.mean()), delayed))


def main() -> None:
    """The lecture's example, then training, then the picture."""
    path = picture_path(__doc__, "flight.png")
    show_lecture()
    print(f"Learning from {FLIGHTS - HELD_OUT} flights; on {HELD_OUT} others, BCE and accuracy:")
    print(f"{'model':12}{'trained on':12}{'at first':>14}{'1 epoch':>14}{f'{EPOCHS} epochs':>14}")
    curves = {}
    for model, (make, rate) in MODELS.items():
        for loss in LOSSES:
            found = curves[model, loss] = learn(make(), loss, rate)
            pairs = [f"{found['BCE'][i]:.3f} {found['accuracy'][i]:6.1%}" for i in (0, 1, -1)]
            print(f"{model:12}{loss:12}" + "".join(f"{pair:>14}" for pair in pairs))
    print(f"{'guessing the share of delays':24}{base_rate():9.3f}")
    draw(curves, path)


if __name__ == "__main__":
    main()
