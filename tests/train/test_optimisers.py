"""Optimisers against the papers' formulas, in scalars and arrays; clipping; schedules."""

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.graph.rowsparse import RowSparse
from chainrule.train.clipping import norm_of
from chainrule.train.optimisers import OPTIMISERS, optimiser_named

STEPS = 7


def gradients(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.normal(size=(3, 2)) for _ in range(STEPS)]


def by_the_papers(name: str, p: Any, slopes: list[Any], rate: float) -> Any:
    """The formulas, written a second time, with the optimisers' usual settings."""
    v, s, m = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(slopes, 1):
        if name == "sgd":
            p = p - rate * g
        elif name == "momentum":
            v = 0.9 * v + g
            p = p - rate * v
        elif name == "nesterov":
            # Sutskever's form: the gradient is taken ahead, at x + 0.9 w; p is that point.
            w = v
            v = 0.9 * v - rate * g
            p = p - 0.9 * w + v + 0.9 * v
        elif name == "adagrad":
            s = s + g**2
            p = p - rate * g / (np.sqrt(s) + 1e-10)
        elif name == "rmsprop":
            s = 0.9 * s + 0.1 * g**2
            p = p - rate * g / (np.sqrt(s) + 1e-8)
        else:
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
            decay = rate * 0.01 * p if name == "adamw" else 0.0
            p = p - rate * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8) - decay
    return p


@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_follow_the_papers(name: str, rng: np.random.Generator) -> None:
    optimiser = optimiser_named(name)
    start, slopes = rng.normal(size=(3, 2)), gradients(rng)
    parameters: Any = {"weight": start, "deeper": [start * 2]}
    state = optimiser.init(parameters)
    for g in slopes:
        parameters, state = optimiser.update(parameters, {"weight": g, "deeper": [-g]}, state, 0.05)
    np.testing.assert_allclose(parameters["weight"], by_the_papers(name, start, slopes, 0.05))
    turned = [-g for g in slopes]
    np.testing.assert_allclose(
        parameters["deeper"][0], by_the_papers(name, 2 * start, turned, 0.05)
    )
    assert state["steps"] == STEPS


@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_follow_torch(name: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    make = {
        "sgd": lambda p: torch.optim.SGD(p, 0.05),
        "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
        "nesterov": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
        "adagrad": lambda p: torch.optim.Adagrad(p, 0.05),
        "rmsprop": lambda p: torch.optim.RMSprop(p, 0.05, alpha=0.9),
        "adam": lambda p: torch.optim.Adam(p, 0.05),
        "adamw": lambda p: torch.optim.AdamW(p, 0.05),
    }
    start, slopes = rng.normal(size=(3, 2)), gradients(rng)
    theirs = torch.tensor(start, requires_grad=True)
    torch_optimiser = make[name]([theirs])
    ours, optimiser = start, optimiser_named(name)
    state = optimiser.init(ours)
    for g in slopes:
        theirs.grad = torch.tensor(g)
        torch_optimiser.step()
        ours, state = optimiser.update(ours, g, state, 0.05)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_compile_and_keep_float32(name: str, rng: np.random.Generator) -> None:
    optimiser = optimiser_named(name)
    parameters: Any = {"weight": rng.normal(size=(3, 2)).astype(np.float32)}
    program = cr.compile(lambda p, g, s, r: optimiser.update(p, g, s, r))
    state = optimiser.init(parameters)
    eager, eager_state = parameters, state
    for g in gradients(rng):
        slopes = {"weight": g.astype(np.float32)}
        parameters, state = program(parameters, slopes, state, np.float64(0.05))
        eager, eager_state = optimiser.update(eager, slopes, eager_state, 0.05)
    assert parameters["weight"].dtype == eager["weight"].dtype == np.float32
    np.testing.assert_allclose(parameters["weight"], eager["weight"], rtol=1e-5)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_row_sparse_gradients_mean_the_same_as_dense_ones(
    name: str, rng: np.random.Generator
) -> None:
    optimiser = optimiser_named(name)
    table = rng.normal(size=(5, 2))
    sparse, dense = table, table
    sparse_state = dense_state = optimiser.init(table)
    for _ in range(3):
        gradient = RowSparse(rng.integers(0, 5, 4), rng.normal(size=(4, 2)), (5, 2))
        sparse, sparse_state = optimiser.update(sparse, gradient, sparse_state)
        dense, dense_state = optimiser.update(dense, gradient.to_dense(), dense_state)
    np.testing.assert_array_equal(sparse, dense)


def test_a_step_on_looked_up_rows_compiles(rng: np.random.Generator) -> None:
    table, rows = rng.normal(size=(6, 2)), np.array([1, 4, 1])
    adam = train.Adam(0.1)

    def step(table: Any, rows: Any, state: Any) -> Any:
        return adam.update(table, cr.grad(lambda t: np.sum(t[rows] ** 2))(table), state)

    state = adam.init(table)
    expected, _ = step(table, rows, state)
    moved, _ = cr.compile(step)(table, rows, state)
    np.testing.assert_allclose(moved, expected)
    assert (moved != table).any(1).tolist() == [False, True, False, False, True, False]


def test_modules_are_parameters_too() -> None:
    net = nn.Perceptron([1.0, 2.0], bias=3.0)
    slopes = cr.grad(lambda net: np.sum(net.weight * 2.0) + net.bias * 1.0)(net)
    moved, _ = train.SGD(0.5).update(net, slopes, train.SGD().init(net))
    assert isinstance(moved, nn.Perceptron)
    assert moved.weight.value.tolist() == [0.0, 1.0] and float(moved.bias.value) == 2.5
    assert net.weight.value.tolist() == [1.0, 2.0]


def test_weight_decay_leaves_biases_alone_unless_asked() -> None:
    for parameters in ({"layers[0].bias": np.ones(2)}, {"bias": np.ones(2)}):
        zeros = {name: np.zeros(2) for name in parameters}
        for decays, expected in ((False, 1.0), (True, 0.95)):
            optimiser = train.AdamW(0.1, weight_decay=0.5, decay_offsets=decays)
            moved, _ = optimiser.update(parameters, zeros, optimiser.init(parameters))
            for value in moved.values():
                np.testing.assert_allclose(value, expected)
    weights = {"layers[0].weight": np.ones(2)}
    optimiser = train.AdamW(0.1, weight_decay=0.5)
    moved, _ = optimiser.update(weights, {"layers[0].weight": np.zeros(2)}, optimiser.init(weights))
    np.testing.assert_allclose(moved["layers[0].weight"], 0.95)


def test_wrong_gradients_and_rates_are_errors() -> None:
    sgd = train.SGD(0.1)
    with pytest.raises(cr.errors.ShapeError, match=r"shape \(2,\), but its gradient has shape \(3"):
        sgd.update(np.ones(2), np.ones(3), sgd.init(np.ones(2)))
    with pytest.raises(cr.errors.ShapeError, match="both need the same structure"):
        sgd.update([np.ones(2)] * 2, [np.ones(2)], sgd.init([np.ones(2)] * 2))
    with pytest.raises(cr.errors.ChainruleError, match="did you mean 'adam'"):
        optimiser_named("adan")
    with pytest.raises(cr.errors.ChainruleError, match="given twice"):
        optimiser_named(sgd, 0.5)
    with pytest.raises(cr.errors.ChainruleError, match="must be positive"):
        optimiser_named("adam", -1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_by_norm(dtype: Any) -> None:
    slopes = [np.array([3.0, 0.0], dtype), np.array([[4.0]], dtype)]
    clipped = train.ClipNorm(1.0)(slopes)
    assert norm_of(clipped) == pytest.approx(1.0)
    assert all(g.dtype == dtype for g in clipped)
    np.testing.assert_allclose(clipped[1], 0.8, rtol=1e-6)
    for g, same in zip(slopes, train.ClipNorm(10.0)(slopes), strict=True):
        np.testing.assert_array_equal(g, same)
    zero = train.ClipNorm(1.0)([np.zeros(2, dtype)])[0]
    np.testing.assert_array_equal(zero, 0)
    # Squares of these overflow in float32.
    huge = train.ClipNorm(1.0)([np.array([1e30, -1e30], dtype)])[0]
    np.testing.assert_allclose(huge, [np.sqrt(0.5), -np.sqrt(0.5)], rtol=1e-6)


def test_clipping_by_value_and_its_compilation() -> None:
    slopes = {"a": np.array([3.0, -0.5, -9.0])}
    for clip in (train.ClipValue(1.0), cr.compile(train.ClipValue(1.0))):
        np.testing.assert_array_equal(clip(slopes)["a"], [1.0, -0.5, -1.0])
    np.testing.assert_allclose(
        cr.compile(train.ClipNorm(1.0))(slopes)["a"], train.ClipNorm(1.0)(slopes)["a"]
    )
    with pytest.raises(cr.errors.ChainruleError, match="must be positive"):
        train.ClipNorm(0.0)


@pytest.mark.parametrize(
    ("schedule", "epochs", "factors"),
    [
        (train.Constant(), [0, 5], [1, 1]),
        (train.StepDecay(2, 0.1), [0, 1.99, 2, 4], [1, 1, 0.1, 0.01]),
        (train.Exponential(0.5), [0, 1, 2.5], [1, 0.5, 0.5**2.5]),
        (train.Cosine(4, floor=0.2), [0, 2, 4, 9], [1, 0.6, 0.2, 0.2]),
        (train.WarmUp(2), [0, 0.5, 1, 2, 3], [0.001, 0.25, 0.5, 1, 1]),
        (train.WarmUp(2, train.StepDecay(1, 0.5)), [1, 2, 3], [0.5, 1, 0.5]),
    ],
)
def test_schedules(schedule: Any, epochs: list[float], factors: list[float]) -> None:
    np.testing.assert_allclose([schedule(epoch, []) for epoch in epochs], factors, atol=1e-12)


def test_the_rate_falls_on_a_plateau() -> None:
    schedule = train.ReduceOnPlateau(0.1, patience=2, floor=0.005)
    losses = [3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0, 1.0, 1.0, math.nan, math.nan]
    factors = [schedule(n, losses[:n]) for n in range(len(losses) + 1)]
    np.testing.assert_allclose(
        factors, [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.005, 0.005, 0.005]
    )
