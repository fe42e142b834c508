"""Whole epochs in one call of an executor: the same training as step by step with NumPy."""

from __future__ import annotations

import signal
import threading
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.api.compile import compile as compiled
from chainrule.errors import NonFiniteError
from chainrule.run import EXECUTORS, why_not
from chainrule.train import fit
from chainrule.train.batches import Dataset
from chainrule.train.clipping import ClipValue
from chainrule.train.loop import Trainer
from chainrule.train.optimisers import OPTIMISERS
from chainrule.train.resume import Position
from chainrule.train.whole import WholeEpochs

WITH_LOOPS = [e for e in EXECUTORS if e != "numpy" and not why_not(e)]
pytestmark = pytest.mark.skipif(not WITH_LOOPS, reason="no executor here runs whole epochs")
by_executor = pytest.mark.parametrize("executor", WITH_LOOPS)
native_only = pytest.mark.skipif("native" not in WITH_LOOPS, reason="the core is not built")

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(70, 5))
CLASSES = RANDOM.integers(0, 3, 70)
WEIGHTS = RANDOM.uniform(0, 2, 70)


def tabular(**options: Any) -> Any:
    return nn.MLP(5, [8, 6], 3, seed=1, **options)


class Words(nn.Module):
    """A table of rows and a layer on their mean."""

    def __init__(self) -> None:
        self.table = nn.Parameter(np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32))
        self.layer = nn.Dense(4, 3, seed=2)

    def forward(self, rows: Any) -> Any:
        return self.layer(np.mean(self.table[rows], axis=1))


class Recurrent(nn.Module):
    """A state that reads the columns one after the other, and a layer on the last one."""

    def __init__(self) -> None:
        draw = np.random.default_rng(1).normal
        self.inner = nn.Parameter(draw(size=(4, 4)).astype(np.float32) * 0.5)
        self.outer = nn.Parameter(draw(size=(1, 4)).astype(np.float32))
        self.layer = nn.Dense(4, 3, seed=2)

    def forward(self, x: Any) -> Any:
        def step(h: Any, column: Any) -> Any:
            return np.tanh(h @ self.inner.value + column[:, None] @ self.outer.value), None

        start = np.zeros((x.shape[0], 4), x.dtype)
        return self.layer(cr.scan(step, start, x.T)[0])


ROWS = RANDOM.integers(0, 20, (70, 3))
CASES: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    **{
        name: (tabular, (INPUTS, CLASSES), {"optimiser": name, "rate": 0.01})
        for name in OPTIMISERS
    },
    "tanh": (lambda: tabular(activation="tanh"), (INPUTS, CLASSES), {}),
    "weights": (tabular, (INPUTS, CLASSES, WEIGHTS), {}),
    "clipped norm": (tabular, (INPUTS, CLASSES), {"clip": 0.1, "rate": 0.05}),
    "clipped values": (tabular, (INPUTS, CLASSES), {"clip": ClipValue(0.01)}),
    "penalty": (tabular, (INPUTS, CLASSES), {"regulariser": nn.L2(1e-2)}),
    "cosine": (tabular, (INPUTS, CLASSES), {"schedule": "cosine"}),
    "one batch": (tabular, (INPUTS, CLASSES), {"batch_size": 70}),
    "drop last": (tabular, (INPUTS, CLASSES), {"drop_last": True}),
    "in order": (tabular, (INPUTS, CLASSES), {"shuffle": False}),
    "regression": (
        lambda: nn.MLP(5, [6], 1, activation="gelu", seed=1),
        (INPUTS, INPUTS[:, :1] ** 2),
        {"loss": "mse"},
    ),
    "dropout": (
        lambda: nn.Sequential(
            nn.Dense(5, 8, seed=1), nn.ReLU(), nn.Dropout(0.4),
            nn.Dense(8, 3, seed=2),
        ),
        (INPUTS, CLASSES),
        {},
    ),
    "normalised": (
        lambda: nn.Sequential(
            nn.Dense(5, 8, seed=1), nn.BatchNorm(8), nn.ReLU(),
            nn.Dense(8, 3, seed=2),
        ),
        (INPUTS, CLASSES),
        # The offsets before it have gradients of rounding errors alone, which Adam would scale.
        {"optimiser": "sgd", "rate": 0.01},
    ),
    "recurrent": (Recurrent, (INPUTS, CLASSES), {}),
    "rows of a table": (Words, (ROWS, CLASSES), {}),
}  # fmt: skip


def trained(name: str, dtype: Any, executor: str | None, **changes: Any) -> tuple[Any, Any]:
    make, data, options = CASES[name]
    net = make().astype(dtype)
    settings = {"loss": "cross_entropy", "batch_size": 16, "epochs": 4, "seed": 3, **options}
    history = fit(net, data=data, progress=False, executor=executor, **{**settings, **changes})
    return net, history


# JAX compiles for long; what differs in float32 shows in a few trainings.
TRAININGS = [
    (name, dtype, executor)
    for executor in WITH_LOOPS
    for dtype in (np.float64, np.float32)
    for name in CASES
    if (executor, dtype) != ("jax", np.float32) or name in ("adam", "clipped norm", "dropout")
]


@pytest.mark.parametrize(("name", "dtype", "executor"), TRAININGS)
def test_the_same_training(
    name: str, dtype: Any, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    original = Trainer.run_steps
    monkeypatch.setattr(Trainer, "run_steps", lambda *args: called.append(1) or original(*args))
    net, history = trained(name, dtype, executor)
    # Once for each epoch, or for several.
    assert called, "the executor did not run whole epochs"
    called.clear()
    other, expected = trained(name, dtype, "numpy")
    assert not called
    tolerance = 1e-9 if dtype is np.float64 else 2e-3
    np.testing.assert_allclose(history.losses, expected.losses, rtol=tolerance)
    np.testing.assert_allclose(history.rates, expected.rates)
    assert history.steps == expected.steps
    for path, parameter in net.parameters().items():
        reference = other.parameters()[path].value
        scale = np.abs(reference).max() + 1e-3
        np.testing.assert_allclose(parameter.value, reference, atol=tolerance * scale)
        assert parameter.value.dtype == reference.dtype
    for path, state in net.states().items():
        np.testing.assert_allclose(state.value, other.states()[path].value, rtol=tolerance)


@by_executor
def test_checkpoints_continue_exactly(tmp_path: Any, executor: str) -> None:
    whole, _ = trained("adam", np.float32, executor, epochs=6)
    for epochs in (2, 5, 6):
        net, history = trained(
            "adam", np.float32, executor, epochs=epochs, checkpoint=tmp_path / "training"
        )
    assert history.epochs == 6
    for path, parameter in net.parameters().items():
        np.testing.assert_array_equal(parameter.value, whole.parameters()[path].value)


@by_executor
def test_the_initial_arrays_are_left_alone(executor: str) -> None:
    net = tabular()
    before = {path: p.value for path, p in net.parameters().items()}
    copies = {path: array.copy() for path, array in before.items()}
    fit(net, "cross_entropy", (INPUTS, CLASSES), epochs=1, progress=False, executor=executor)
    for path, array in before.items():
        np.testing.assert_array_equal(array, copies[path])


def test_a_divergence_is_found_before_it_reaches_the_weights() -> None:
    for executor in (*WITH_LOOPS, "numpy"):
        net = nn.MLP(5, [4], 1, seed=0)
        with pytest.raises(NonFiniteError) as caught:
            fit(net, "mse", (INPUTS, INPUTS[:, :1] * 1e30), optimiser="sgd", rate=1e10, epochs=3,
                progress=False, executor=executor)  # fmt: skip
        assert "step" in str(caught.value)
        for parameter in net.parameters().values():
            assert np.isfinite(parameter.value).all()


def large() -> Any:
    net = nn.MLP(20, [64, 64], 2, seed=0)
    x = np.random.default_rng(0).normal(size=(200_000, 20)).astype(np.float32)
    return net, (x, (x[:, 0] > 0).astype(int))


@by_executor
def test_ctrl_c_ends_an_epoch_in_its_midst(executor: str) -> None:
    """The epoch's end is far when Ctrl-C comes, and still far when the training has ended."""
    net, data = large()
    data = tuple(np.tile(part, (5, 1)[: part.ndim]) for part in data)
    position, steps = [0], len(data[0]) // 2
    finished = threading.Event()

    def interrupt() -> None:
        # As soon as the training has begun, which the count of steps tells.
        while not position[0] and not finished.wait(0.01):
            pass
        signal.raise_signal(signal.SIGINT)

    original = WholeEpochs.run

    def run(self: WholeEpochs, *arguments: Any) -> Any:
        result = original(self, *arguments)
        position[0] = result[0]
        return result

    WholeEpochs.run = run  # type: ignore[method-assign]
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        history = fit(net, "cross_entropy", data, batch_size=2, epochs=1, progress=False,
                      executor=executor)  # fmt: skip
    finally:
        WholeEpochs.run = original  # type: ignore[method-assign]
        finished.set()
        thread.join()
    assert history.interrupted
    assert history.epochs == 0
    assert 0 < history.steps < steps / 2


@by_executor
def test_a_row_that_does_not_exist_ends_the_training(executor: str) -> None:
    net = Words()
    rows = ROWS.copy()
    rows[40, 1] = 20
    before = {path: np.array(p.value) for path, p in net.parameters().items()}
    with pytest.raises(IndexError, match="index 20 is out of bounds for axis 0 with size 20"):
        fit(net, "cross_entropy", (rows, CLASSES), shuffle=False, batch_size=16, epochs=1,
            progress=False, executor=executor)  # fmt: skip
    # Two batches came before it.
    assert any((p.value != before[path]).any() for path, p in net.parameters().items())
    assert all(np.isfinite(p.value).all() for p in net.parameters().values())


@native_only
def test_another_thread_advances_while_the_core_runs() -> None:
    """Looked at from within one call of the core, which no Python code interrupts."""
    import chainrule._native as core
    from chainrule.run.native.loop import Loop

    net, data = large()
    inside: list[int] = []
    count, done = [0], threading.Event()

    def work() -> None:
        while not done.wait(0.0005):
            count[0] += 1

    class Watched:
        def __init__(self, program: Any) -> None:
            self.program = program

        def run(self, *arguments: Any) -> Any:
            before = count[0]
            result = self.program.run(*arguments)
            inside.append(count[0] - before)
            return result

    original = Loop.run

    def run(self: Loop, *arguments: Any) -> Any:
        if isinstance(self._program, core.Program):
            self._program = Watched(self._program)
        return original(self, *arguments)

    thread = threading.Thread(target=work)
    Loop.run = run  # type: ignore[method-assign]
    thread.start()
    try:
        fit(net, "cross_entropy", data, epochs=1, progress=False, executor="native")
    finally:
        Loop.run = original  # type: ignore[method-assign]
        done.set()
        thread.join()
    # A thread that had to wait for the core would not move within any of the calls.
    assert sum(advanced > 2 for advanced in inside) >= len(inside) / 2


def test_says_why_not() -> None:
    step = compiled(lambda *arguments: arguments, executor="numpy")
    data = Dataset((INPUTS, CLASSES), np.float64)
    whole = WholeEpochs(step, data, Position({}, {}, {}), 0, [8])
    assert whole.reason == "the executor is numpy"


@native_only
def test_the_history_tells_what_a_step_does() -> None:
    net = nn.MLP(60, [256], 3, seed=0)
    data = RANDOM.normal(size=(300, 60)), RANDOM.integers(0, 3, 300)
    history = fit(net, "cross_entropy", data, batch_size=128, epochs=1, progress=False,
                  executor="native")  # fmt: skip
    steps = history.plan.split("\n\n")
    assert [step.splitlines()[0] for step in steps] == [
        f"a step on {rows} rows of the data, by the native executor" for rows in (128, 44)
    ]
    lines = steps[0].splitlines()
    assert "batch: float32(128, 60), " in lines[1]
    # The gradient of the first weights: 60 x 256 sums of 128 products.
    work = [line for line in lines if f"{2 * 128 * 60 * 256} operations" in line]
    assert work and all("on several threads" in line for line in work)
    assert "bytes of buffers" in lines[-1]
    assert "0 of the operations are large enough" not in lines[-1]
    reference = fit(net, "cross_entropy", data, epochs=1, progress=False, executor="numpy")
    assert reference.plan == "step by step: the executor is numpy"
