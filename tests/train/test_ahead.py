"""Several epochs in one call of the core: the same as one by one."""

from __future__ import annotations

import io
import signal
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from chainrule import nn
from chainrule.errors import NonFiniteError
from chainrule.run import native
from chainrule.train import ahead, fit
from chainrule.train.history import History
from chainrule.train.progress import Bar
from chainrule.train.schedules import Constant
from chainrule.train.whole import WholeEpochs

if not native.available():
    pytest.skip("the native core is not built", allow_module_level=True)

import chainrule._native as core

RANDOM = np.random.default_rng(0)
INPUTS, CLASSES = RANDOM.normal(size=(80, 5)), RANDOM.integers(0, 3, 80)


def tabular() -> Any:
    return nn.MLP(5, [8, 6], 3, seed=1)


def normalised() -> Any:
    return nn.Sequential(nn.Dense(5, 8, seed=1), nn.BatchNorm(8), nn.ReLU(), nn.Dense(8, 3, seed=2))


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "adam": (tabular, {}),
    "steep": (tabular, {"optimiser": "momentum", "rate": 0.5}),
    "cosine": (tabular, {"schedule": "cosine"}),
    "states": (normalised, {}),
    "in order": (tabular, {"shuffle": False}),
    "weights": (tabular, {"data": (INPUTS, CLASSES, RANDOM.uniform(0, 2, 80))}),
}


class Counted:
    """How many calls of the executor's loop there were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        original = WholeEpochs.run

        def run(*arguments: Any) -> Any:
            self.calls += 1
            return original(*arguments)

        monkeypatch.setattr(WholeEpochs, "run", run)


def trained(name: str, **changes: Any) -> tuple[Any, Any]:
    make, options = CASES[name]
    net = make()
    settings = {"data": (INPUTS, CLASSES), "batch_size": 16, "epochs": 30, **options, **changes}
    return net, fit(net, "cross_entropy", progress=False, executor="native", **settings)


@pytest.mark.parametrize("name", CASES)
def test_the_same_training(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    # However long an epoch takes: a machine may be busy.
    monkeypatch.setattr(ahead, "SECONDS", 1e6)
    net, history = trained(name)
    assert counted.calls < 30, "the epochs were run one by one"
    monkeypatch.setattr(ahead, "SECONDS", 0.0)
    other, expected = trained(name)
    assert counted.calls > 30
    assert history.losses == expected.losses
    assert history.rates == expected.rates
    assert len(history.seconds) == 30
    assert (history.best_epoch, history.steps) == (expected.best_epoch, expected.steps)
    for of in ("parameters", "states"):
        for path, value in getattr(net, of)().items():
            np.testing.assert_array_equal(value.value, getattr(other, of)()[path].value)


@pytest.mark.parametrize(
    "changes",
    [
        {"validation": (INPUTS, CLASSES)},
        {"callbacks": [lambda epoch: False]},
        {"patience": 50},
        {"schedule": lambda epoch, losses: 1.0},
        {"batch_size": 32},  # The last step of an epoch is smaller.
    ],
    ids=["validation", "callbacks", "patience", "schedule", "batch_size"],
)
def test_one_by_one_where_something_happens_between(
    changes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "SECONDS", 1e6)
    counted = Counted(monkeypatch)
    trained("adam", **changes)
    assert counted.calls >= 30


def test_a_divergence_leaves_the_epochs_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "SECONDS", 1e6)
    data = INPUTS, INPUTS[:, :1] * 1e3
    with pytest.raises(NonFiniteError) as caught:
        fit(nn.MLP(5, [4], 1, seed=0, activation="tanh"), "mse", data, batch_size=16, epochs=300,
            optimiser="sgd", rate=2.0, progress=False, executor="native")  # fmt: skip
    history = caught.value.history  # type: ignore[attr-defined]
    assert history.reason == "diverged"
    assert history.epochs == history.steps // 5
    assert np.isfinite(history.losses).all()


def test_a_divergence_names_its_own_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not the first of those that ran at once; the same where they ran one by one."""
    data = INPUTS, INPUTS[:, :1] * 1e3
    messages = []
    for seconds in (1e6, 0.0):
        monkeypatch.setattr(ahead, "SECONDS", seconds)
        with pytest.raises(NonFiniteError) as caught:
            fit(nn.MLP(5, [], 1, seed=0), "mse", data, batch_size=16, epochs=3000,
                optimiser="sgd", rate=2.0, progress=False, executor="native")  # fmt: skip
        messages.append(str(caught.value))
        history = caught.value.history  # type: ignore[attr-defined]
        assert history.epochs > 2
        assert f"step {history.steps + 1} (epoch {history.epochs + 1})" in messages[-1]
    assert messages[0] == messages[1]


class Parts(nn.Module):
    """States whose paths hold quotation marks."""

    def __init__(self) -> None:
        self.parts = {"a": nn.BatchNorm(5), "b": nn.Dense(5, 3, seed=1)}

    def __call__(self, x: Any) -> Any:
        return self.parts["b"](self.parts["a"](x))


def test_states_in_a_dict_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    for seconds in (1e6, 0.0):
        monkeypatch.setattr(ahead, "SECONDS", seconds)
        net = Parts()
        fit(net, "cross_entropy", (INPUTS, CLASSES), batch_size=16, epochs=5, progress=False,
            executor="native")  # fmt: skip
        states.append({path: state.value for path, state in net.states().items()})
    assert list(states[0]) == ["parts['a'].mean", "parts['a'].variance"]
    for path, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][path])


class RateByLosses(Constant):
    """A schedule of one's own that is also one of those that know only the time."""

    def __call__(self, epoch: float, losses: Any = ()) -> float:
        return 1.0 / (1 + len(losses))


def test_a_schedule_made_of_another_is_asked_after_each_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "SECONDS", 1e6)
    _, history = trained("adam", schedule=RateByLosses(), rate=0.01, epochs=4)
    np.testing.assert_allclose(history.rates, [0.01, 0.005, 0.01 / 3, 0.0025])


def test_the_bar_shows_the_loss_of_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    # The console of the process is made once, for the terminal of the test that asks first.
    monkeypatch.setattr("rich.progress.get_console", lambda: Console(file=io.StringIO()))
    bar = Bar()
    bar.start(2, 3, 0)
    bar.steps(np.arange(6.0), 0.1)
    history = History(nn.Module())
    for loss in (1.0, 4.0):
        history.losses.append(loss)
        history.rates.append(0.1)
        bar.epoch(history)
    (task,) = bar._progress.tasks
    bar.close()
    assert task.completed == 6 and task.fields["numbers"].startswith("loss 4.0000")


def test_ctrl_c_keeps_the_epochs_that_are_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "SECONDS", 1e6)
    original = WholeEpochs.run

    def run(self: Any, position: Any, *arguments: Any) -> Any:
        result = original(self, position, *arguments)
        if position.step > 5:
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(WholeEpochs, "run", run)
    net, history = trained("adam")
    assert history.interrupted
    assert history.epochs == history.steps // 5 > 1
    monkeypatch.setattr(WholeEpochs, "run", original)
    other, _ = trained("adam", epochs=history.epochs)
    for path, parameter in net.parameters().items():
        np.testing.assert_array_equal(parameter.value, other.parameters()[path].value)


def test_ctrl_c_while_epochs_are_told_keeps_the_best_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "SECONDS", 1e6)

    def told(self: Any, history: History) -> None:
        if history.epochs == 9:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("chainrule.train.progress.Quiet.epoch", told)
    net, history = trained("adam")
    assert history.interrupted and history.epochs == history.best_epoch == 9
    monkeypatch.undo()
    other, _ = trained("adam", epochs=9)
    for path, parameter in net.parameters().items():
        np.testing.assert_array_equal(parameter.value, other.parameters()[path].value)


def test_copies_that_do_not_fit_are_refused() -> None:
    buffers = [(core.BUFFERS["updated_input"], 16, None)]
    program = core.Program(buffers, [], [], 0)
    values = np.arange(2.0)
    kept = np.zeros((3, 2))
    program.run([values], [], [], False, 7, [], [], 0.0, 1, [(0, kept)], 2, 3)
    np.testing.assert_array_equal(kept, np.tile(values, (3, 1)))
    for copied, every, first, words in (
        ([(1, kept)], 2, 3, "not there"),
        ([(-1, kept)], 2, 3, "not there"),
        ([(0, kept)], 1, 3, "holds fewer than 5"),
        ([(0, kept)], 0, 3, "at least one step"),
        ([(0, kept)], 2, 0, "at least one step"),
    ):
        with pytest.raises(ValueError, match=words):
            program.run([values], [], [], False, 7, [], [], 0.0, 1, copied, every, first)
