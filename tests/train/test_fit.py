"""The training loop: what it learns, how it ends, that it repeats, what it says."""

import sys
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.train.batches import Dataset

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}


def sine(count: int = 200) -> tuple[Any, Any]:
    x = np.linspace(-3, 3, count)[:, None]
    return x, np.sin(x)


def quiet(net: Any, data: Any, **options: Any) -> train.History:
    settings: dict[str, Any] = {"rate": 0.01, "epochs": 5, "progress": False, **options}
    return train.fit(net, settings.pop("loss", "mse"), data, **settings)


def weights(net: Any) -> list[np.ndarray]:
    return [p.value for p in {**net.parameters(), **net.states()}.values()]


def assert_same(first: Any, second: Any) -> None:
    for a, b in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(a, b)


# ----- learning -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", GATES)
def test_one_perceptron_learns_and_and_or_but_not_xor(gate: str) -> None:
    target = np.array(GATES[gate], float)
    unit = nn.Perceptron(2, seed=0)
    train.fit(unit, "bce", (CORNERS, target), optimiser="adam", rate=0.1, epochs=500,
              progress=False)  # fmt: skip
    right = ((unit(CORNERS) > 0.5) == target).sum()
    assert right == 4 if gate != "xor" else right < 4


def test_two_layers_learn_xor() -> None:
    target = np.array(GATES["xor"], float)[:, None]
    net = nn.MLP(2, [4], 1, activation="tanh", output_activation="sigmoid", seed=0)
    history = train.fit(net, "bce", (CORNERS, target), rate=0.1, epochs=300, progress=False)
    np.testing.assert_array_equal(net(CORNERS) > 0.5, target == 1)
    assert history.best_loss < 0.05


@pytest.mark.parametrize("optimiser", train.optimisers.OPTIMISERS)
def test_every_optimiser_lowers_the_loss(optimiser: str) -> None:
    rate = {"adagrad": 0.05, "sgd": 0.1}.get(optimiser, 0.01)
    history = quiet(nn.MLP(1, [16], 1, "tanh", seed=0), sine(), optimiser=optimiser, rate=rate,
                    epochs=20)  # fmt: skip
    assert history.losses[-1] < 0.6 * history.losses[0]


def test_classes_are_learned_from_integer_labels(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 2))
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    net = nn.MLP(2, [16], 3, seed=0)

    def accuracy(prediction: Any, target: Any) -> float:
        return (prediction.argmax(1) == target).mean()

    history = quiet(net, (x, y), loss="cross_entropy", validation=0.2, epochs=30,
                    metrics={"accuracy": accuracy})  # fmt: skip
    assert history.metrics["accuracy"][-1] > 0.9
    assert len(history.metrics["accuracy"]) == 30


def test_lists_of_numbers_are_data_too() -> None:
    net = nn.MLP(2, [4], 1, "tanh", seed=0)
    history = quiet(net, ([[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]))
    assert history.epochs == 5
    assert train.predict(net, [[0, 0], [1, 1]]).shape == (2, 1)
    with pytest.raises(nn.InputError, match="rows of different lengths"):
        quiet(net, ([[0, 0], [0]], [[0], [1]]))


def test_weights_of_examples_count(rng: np.random.Generator) -> None:
    x = np.ones((40, 1))
    y = np.repeat([[0.0], [1.0]], 20, axis=0)
    weight = np.repeat([1.0, 3.0], 20)
    net = nn.Dense(1, 1, seed=0)
    quiet(net, (x, y, weight), rate=0.05, epochs=200, batch_size=40)
    assert float(net(np.ones((1, 1)))[0, 0]) == pytest.approx(0.75, abs=0.01)


def test_inputs_may_be_nested_and_integers_stay_integers() -> None:
    @dataclass(eq=False, repr=False)
    class Lookup(nn.Module):
        table: nn.Parameter
        last: nn.Module

        def forward(self, x: Any) -> Any:
            return self.last(np.concatenate([self.table[x["city"]], x["numbers"]], axis=1))

    rng = np.random.default_rng(0)
    city, numbers = rng.integers(0, 4, 200), rng.normal(size=(200, 1))
    target = np.array([1.0, -1.0, 2.0, 0.0])[city][:, None] + numbers
    net = Lookup(nn.Parameter(rng.normal(size=(4, 2)).astype(np.float32)), nn.Dense(3, 1, seed=0))
    history = quiet(net, ({"city": city, "numbers": numbers}, target), epochs=60)
    assert history.losses[-1] < 0.05
    assert train.predict(net, {"city": city, "numbers": numbers}, 64).shape == (200, 1)


def test_running_statistics_move_in_training_and_serve_in_evaluation(
    rng: np.random.Generator,
) -> None:
    x = rng.normal(5.0, 2.0, (256, 2))
    net = nn.Sequential(nn.BatchNorm(2), nn.Dense(2, 1), seed=0)
    quiet(net, (x, x[:, :1]), epochs=10)
    np.testing.assert_allclose(net[0].mean.value, x.mean(0), rtol=0.1)
    np.testing.assert_allclose(net[0].variance.value, x.var(0), rtol=0.2)
    assert net[0].mean.updated is None


def test_penalties_shrink_weights_and_clipping_bounds_steps() -> None:
    free, bound = (nn.MLP(1, [16], 1, "tanh", seed=0) for _ in range(2))
    quiet(free, sine(), epochs=30)
    quiet(bound, sine(), epochs=30, regulariser=nn.L2(0.1))
    norms = [np.linalg.norm(net.layers[0].weight.value) for net in (free, bound)]
    assert norms[1] < 0.8 * norms[0]
    net = nn.Dense(1, 1, seed=0)
    before = [w.copy() for w in weights(net)]
    quiet(net, (np.ones((4, 1)), np.full((4, 1), 1e6)), optimiser=train.SGD(1.0), rate=None,
          clip=0.5, epochs=1)  # fmt: skip
    moved = np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(before, weights(net), strict=True)))
    assert moved == pytest.approx(0.5, rel=1e-4)


def test_an_optimiser_of_ones_own_sees_each_parameter() -> None:
    seen: set[str] = set()

    class Layerwise(train.SGD):
        def step(self, step: Any, parameter: Any, gradient: Any, memory: Any) -> Any:
            seen.add(step.path)
            return super().step(step, parameter, gradient, memory)

    own, usual = (nn.MLP(1, [4], 1, "tanh", seed=0) for _ in range(2))
    quiet(own, sine(), optimiser=Layerwise(0.1), rate=None)
    quiet(usual, sine(), optimiser=train.SGD(0.1), rate=None)
    assert seen == set(own.parameters())
    # The core may round the update of a single number otherwise than that of many in one loop.
    for a, b in zip(weights(own), weights(usual), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_parameters_of_several_dtypes_keep_them() -> None:
    net = nn.Sequential(nn.Dense(1, 3), nn.Dense(3, 1), seed=0)
    net.layers[1] = net.layers[1].astype(np.float64)
    quiet(net, sine(), optimiser="adamw")
    assert [w.dtype.name for w in weights(net)] == ["float32"] * 2 + ["float64"] * 2


def test_training_stays_in_float32() -> None:
    net = nn.MLP(1, [8], 1, dropout=0.2, seed=0)
    quiet(net, sine(), optimiser="adamw", clip=1.0, regulariser=nn.ElasticNet(1e-4, 1e-4))
    assert {w.dtype for w in weights(net)} == {np.dtype(np.float32)}


def test_compiled_training_equals_training_by_hand(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    net = nn.MLP(3, [5], 1, "tanh", seed=0).astype(np.float64)
    copy = net.astype(np.float64)
    quiet(net, (x, y), optimiser=train.Momentum(0.05), rate=None, epochs=3, batch_size=7)
    state = train.Momentum().init(copy)
    best = (np.inf, copy)
    for epoch in range(3):
        total = 0.0
        for inputs, targets, _ in Dataset((x, y), np.float64).batches(7, 0, epoch):
            loss, slopes = cr.value_and_grad(
                lambda net, i=inputs, t=targets: nn.mean_squared_error(net(i), t)
            )(copy)
            copy, state = train.Momentum(0.05).update(copy, slopes, state)
            total += float(loss) * len(inputs)
        if total < best[0]:
            best = (total, copy)
    for a, b in zip(weights(net), weights(best[1]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


# ----- the same again -----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_network() -> None:
    def trained(seed: int) -> Any:
        net = nn.MLP(1, [8], 1, dropout=0.3, seed=1)
        quiet(net, sine(), seed=seed, validation=0.2)
        return net

    assert_same(trained(4), trained(4))
    with pytest.raises(AssertionError):
        assert_same(trained(4), trained(5))


def test_batches_cover_all_examples_in_an_order_of_their_own() -> None:
    data = Dataset((np.arange(10.0)[:, None], np.arange(10.0)), np.float64)
    orders = [
        [targets.tolist() for _, targets, _ in data.batches(4, seed=3, epoch=epoch)]
        for epoch in (0, 1, 0)
    ]
    assert [len(batch) for batch in orders[0]] == [4, 4, 2]
    assert sorted(chain.from_iterable(orders[0])) == list(range(10))
    assert orders[0] == orders[2] != orders[1]
    short = list(data.batches(4, 3, 0, drop_last=True))
    assert [len(targets) for _, targets, _ in short] == [4, 4]
    plain = [targets.tolist() for _, targets, _ in data.batches(4, 3, 0, shuffle=False)]
    assert list(chain.from_iterable(plain)) == list(range(10))
    rest, held = data.split(0.3, seed=1)
    assert sorted([*rest.targets, *held.targets]) == list(range(10))
    assert held.count == 3


# ----- ends ---------------------------------------------------------------------------------------


def noisy() -> tuple[Any, Any]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(60, 10)), rng.normal(size=(60, 1))


def test_early_stopping_restores_the_best_weights() -> None:
    seen: dict[int, Any] = {}
    net = nn.MLP(10, [64], 1, seed=0)
    history = quiet(
        net,
        noisy(),
        validation=0.3,
        epochs=200,
        patience=4,
        callbacks=[lambda epoch: seen.setdefault(epoch.number, epoch.net) and None],
    )
    assert history.reason == "no better for 4 epochs"
    assert history.epochs == history.best_epoch + 4 < 200
    assert history.best_loss == min(history.validation_losses)
    assert_same(net, seen[history.best_epoch])
    assert "best validation loss" in str(history)


def test_a_callback_ends_training_by_returning_true() -> None:
    history = quiet(nn.MLP(1, [4], 1, seed=0), sine(), epochs=50,
                    callbacks=[lambda epoch: epoch.number == 3])  # fmt: skip
    assert history.epochs == 3 and history.reason == "stopped by a callback"


def test_ctrl_c_keeps_the_best_weights() -> None:
    seen: list[Any] = []

    def interrupt(epoch: train.Epoch) -> None:
        seen.append(epoch.net)
        if epoch.number == 12:
            raise KeyboardInterrupt

    net = nn.MLP(10, [64], 1, seed=0)
    history = quiet(net, noisy(), validation=0.3, epochs=50, rate=0.03, callbacks=[interrupt])
    assert history.interrupted and history.reason == "interrupted"
    assert history.epochs == 12
    assert_same(net, seen[history.best_epoch - 1])
    assert history.best_epoch < 12


def test_ctrl_c_in_the_first_epoch_keeps_the_last_step() -> None:
    net = nn.MLP(1, [4], 1, seed=0)
    before = [w.copy() for w in weights(net)]
    calls = []

    def loss(prediction: Any, target: Any) -> Any:
        return nn.mean_squared_error(prediction, target)

    class Rates:
        def __call__(self, epoch: float, losses: Any) -> float:
            calls.append(epoch)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return 1.0

    # The native executor asks for the rates of an epoch before its first step.
    history = quiet(net, sine(), loss=loss, schedule=Rates(), batch_size=10, executor="numpy")
    assert history.interrupted and history.epochs == 0 and history.best_epoch == 0
    assert history.steps == 2
    assert not np.array_equal(before[0], weights(net)[0])
    assert "no epoch was finished" in str(history)


def test_schedules_set_the_rates() -> None:
    history = quiet(nn.MLP(1, [4], 1, seed=0), sine(64), rate=0.1, epochs=4, batch_size=64,
                    schedule=train.StepDecay(2, 0.5))  # fmt: skip
    np.testing.assert_allclose(history.rates, [0.1, 0.1, 0.05, 0.05])
    with pytest.raises(cr.errors.ChainruleError, match="no schedule is called 'cosin'"):
        quiet(nn.MLP(1, [4], 1), sine(), schedule="cosin")


# ----- divergence ---------------------------------------------------------------------------------


@dataclass(eq=False, repr=False)
class Logarithm(nn.Module):
    """ln of a dense layer: NaN as soon as one of its outputs is negative."""

    inner: nn.Module

    def forward(self, x: Any) -> Any:
        return np.log(self.inner(x))


@dataclass(eq=False, repr=False)
class Root(nn.Module):
    """A square root at 0: finite forward, infinite backward."""

    inner: nn.Module

    def forward(self, x: Any) -> Any:
        return np.sqrt(self.inner(x) * 0.0) * 0.0


def test_a_divergence_names_the_statement_and_keeps_the_weights() -> None:
    net = nn.Sequential(Logarithm(nn.Dense(1, 1, seed=0)))
    net.assign({"layers[0].inner.weight": np.ones((1, 1)), "layers[0].inner.bias": np.zeros(1)})
    x = np.array([[1.0], [2.0], [3.0], [-4.0]])
    with pytest.raises(cr.errors.NonFiniteError) as raised:
        quiet(net, (x, x), shuffle=False, batch_size=1, optimiser="sgd", rate=1e-6)
    message = str(raised.value)
    for part in (
        "step 4 (epoch 1)",
        "forward pass in layers[0]: log gave nan",
        "from dense (1, 1), values from -4",
        "test_fit.py",
        "return np.log(self.inner(x))",
        "lower the learning rate (it is 1e-06)",
        "clip=1.0",
    ):
        assert part in message, message
    assert raised.value.history.steps == 3  # type: ignore[attr-defined]
    assert np.isfinite(weights(net)[0]).all()
    assert weights(net)[0] != 1.0


def test_a_divergence_in_the_backward_pass_stops_before_the_update() -> None:
    net = Root(nn.Dense(1, 1, seed=0))
    before = [w.copy() for w in weights(net)]
    with pytest.raises(cr.errors.NonFiniteError, match=r"backward pass: divide gave -?inf"):
        quiet(net, sine(8))
    for old, new in zip(before, weights(net), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_rate_that_is_too_large_ends_with_advice() -> None:
    x = np.linspace(0, 1000, 50)[:, None]
    with pytest.raises(cr.errors.NonFiniteError, match="scale the inputs") as raised:
        quiet(nn.MLP(1, [], 1, seed=0), (x, x), optimiser="sgd", rate=1.0, epochs=50)
    assert "forward pass" in str(raised.value)


# ----- what is said -------------------------------------------------------------------------------


def test_without_a_terminal_there_is_one_line_per_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    quiet(nn.MLP(1, [4], 1, seed=0), sine(), epochs=3, validation=0.2, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1", "epoch 2", "epoch 3"]
    assert all("loss" in line and "validation" in line and "rate 0.01" in line for line in lines)
    quiet(nn.MLP(1, [4], 1, seed=0), sine(), epochs=3)
    assert capsys.readouterr().out == ""


def test_on_a_terminal_there_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    quiet(nn.MLP(1, [4], 1, seed=0), sine(2000), epochs=3, batch_size=4, validation=0.2,
          progress=True)  # fmt: skip
    text = capsys.readouterr().out
    for part in ("epoch 1/3", "/1200", "loss", "rate", "validation"):
        assert part in text, text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, not 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"patience": -1}, "patience must be"),
        ({"seed": -1}, "a seed is a whole number of at least 0"),
        ({"seed": 2**70}, "a seed is a whole number of at least 0"),
        ({"validation": 1.5}, "validation=1.5 holds 300 of 200"),
        ({"metrics": {"error": lambda p, t: 0.0}}, "metrics are computed on validation data"),
        ({"optimiser": train.SGD(0.1), "rate": 0.2}, "given twice"),
    ],
)
def test_wrong_settings_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(cr.errors.ChainruleError, match=message):
        quiet(nn.MLP(1, [4], 1), sine(), **options)


def test_a_network_without_parameters_cannot_be_trained() -> None:
    with pytest.raises(cr.errors.ChainruleError, match="no trainable parameters"):
        quiet(nn.Sequential("relu"), sine())


def test_predict_works_in_batches_and_without_dropout() -> None:
    net = nn.MLP(1, [8], 2, dropout=0.5, seed=0)
    x = sine(103)[0]
    np.testing.assert_allclose(
        train.predict(net, x, batch_size=10), net(x.astype(np.float32)), rtol=1e-5
    )
