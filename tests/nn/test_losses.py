"""Losses and penalties: values, gradients, weights, reductions, extreme arguments."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

LABELS = np.array([2, 0, 1, 1])
ONE_HOT = np.eye(3)[LABELS]


def softmax(z: Any) -> Any:
    p = np.exp(z - z.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, Any, Any, Any]]:
    """name -> (loss, prediction, target, its value for each example by an independent formula)."""
    z, p = rng.normal(size=(4, 3)), rng.uniform(0.05, 0.95, (4, 3))
    t, b = rng.normal(size=(4, 3)), rng.integers(0, 2, (4, 3)).astype(float)
    error = np.abs(z - t)
    sigmoid = 1 / (1 + np.exp(-z))

    def bce(p: Any) -> Any:
        return -np.where(b == 1, np.log(p), np.log(1 - p)).mean(1)

    chosen = -np.log(softmax(z)[np.arange(4), LABELS])
    rows = p / p.sum(1, keepdims=True)
    soft = np.full((4, 3), 1 / 3)
    return {
        "mean squared": (nn.mean_squared_error, z, t, (error**2).mean(1)),
        "mean absolute": (nn.mean_absolute_error, z, t, error.mean(1)),
        "huber": (nn.huber, z, t, np.where(error < 1, error**2 / 2, error - 0.5).mean(1)),
        "binary": (nn.binary_cross_entropy, p, b, bce(p)),
        "binary, logits": (nn.binary_cross_entropy_with_logits, z, b, bce(sigmoid)),
        "hinge": (nn.hinge, z, 2 * b - 1, np.maximum(0, 1 - (2 * b - 1) * z).mean(1)),
        "labels": (nn.categorical_cross_entropy, rows, LABELS,
                   -np.log(rows[np.arange(4), LABELS])),
        "one-hot": (nn.categorical_cross_entropy, rows, ONE_HOT,
                    -np.log(rows[np.arange(4), LABELS])),
        "labels, logits": (nn.categorical_cross_entropy_with_logits, z, LABELS, chosen),
        "one-hot, logits": (nn.categorical_cross_entropy_with_logits, z, ONE_HOT, chosen),
        "soft targets, logits": (nn.categorical_cross_entropy_with_logits, z, soft,
                                 -np.log(softmax(z)).mean(1)),
    }  # fmt: skip


NAMES = list(cases(np.random.default_rng(0)))


@pytest.mark.parametrize("name", NAMES)
def test_values_reductions_and_weights(name: str, rng: np.random.Generator) -> None:
    loss, prediction, target, expected = cases(rng)[name]
    np.testing.assert_allclose(loss(prediction, target, reduction="none"), expected)
    np.testing.assert_allclose(loss(prediction, target), expected.mean())
    np.testing.assert_allclose(loss(prediction, target, reduction="sum"), expected.sum())
    weights = np.array([1.0, 0.0, 2.0, 0.5])
    np.testing.assert_allclose(
        loss(prediction, target, weights), (weights * expected).sum() / weights.sum()
    )
    assert loss(prediction, target, np.zeros(4)) == 0
    assert loss(prediction.astype(np.float32), target).dtype == np.float32


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_central_differences(
    name: str, weighted: bool, rng: np.random.Generator
) -> None:
    loss, prediction, target, _ = cases(rng)[name]
    weights = np.array([1.0, 0.0, 2.0, 0.5]) if weighted else None
    gradient = cr.grad(lambda p: loss(p, target, weights))(prediction)
    step = 1e-6
    for index in np.ndindex(prediction.shape):
        moved = [prediction.copy(), prediction.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        slope = (loss(moved[0], target, weights) - loss(moved[1], target, weights)) / (2 * step)
        assert gradient[index] == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_losses_compile_with_integer_and_float_targets(name: str, rng: np.random.Generator) -> None:
    loss, prediction, target, _ = cases(rng)[name]
    program = cr.compile(lambda p, t: loss(p, t))
    np.testing.assert_allclose(program(prediction, target), loss(prediction, target))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_are_finite_at_extreme_predictions(dtype: Any) -> None:
    logits = np.array([[1e4, -1e4]], dtype)
    wrong = np.array([1])
    value, gradient = cr.value_and_grad(
        lambda z: nn.categorical_cross_entropy_with_logits(z, wrong)
    )(logits)
    assert value == 2e4
    np.testing.assert_array_equal(gradient, [[1, -1]])
    value, gradient = cr.value_and_grad(
        lambda z: nn.binary_cross_entropy_with_logits(z, np.array([0, 1]))
    )(logits[0])
    assert value == 1e4
    np.testing.assert_array_equal(gradient, [0.5, -0.5])
    for p, t in ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0)):
        value, gradient = cr.value_and_grad(nn.binary_cross_entropy)(
            np.array([p], dtype), np.array([t])
        )
        assert np.isfinite(value) and np.isfinite(gradient).all()
        assert value == pytest.approx(0.0) if p == t else value > 80


def test_an_unknown_reduction_is_an_error() -> None:
    with pytest.raises(cr.errors.ChainruleError, match="'mean', 'sum' or 'none', not 'average'"):
        nn.mean_squared_error(np.ones(2), np.ones(2), reduction="average")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (nn.L1(0.1), 0.1 * 6),
        (nn.L2(0.1), 0.05 * 14),
        (nn.ElasticNet(0.1, 0.2), 0.1 * 6 + 0.1 * 14),
        (nn.L1(0.1, biases=True), 0.1 * 16),
    ],
)
def test_penalties_count_weights_and_no_biases(penalty: Any, expected: float) -> None:
    net = nn.Perceptron([1.0, -2.0, 3.0], bias=10.0)
    assert float(penalty(net)) == pytest.approx(expected)
    gradient = cr.grad(lambda net: penalty(net))(net)
    weight = np.array([1.0, -2.0, 3.0])
    slopes = penalty.l1 * np.sign(weight) + penalty.l2 * weight
    np.testing.assert_allclose(gradient.weight.value, slopes, rtol=1e-6)
    assert float(gradient.bias.value) == pytest.approx(0.1 if penalty.biases else 0.0)


def test_a_negative_penalty_is_an_error() -> None:
    with pytest.raises(cr.errors.ChainruleError, match="not negative"):
        nn.L2(-1.0)
