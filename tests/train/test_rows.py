"""Training steps that visit only the rows of a table which a batch looks up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.graph.rowsparse import RowSparse
from chainrule.run import native
from chainrule.train import loop
from chainrule.train.clipping import norm_of
from chainrule.train.optimisers import OPTIMISERS, Optimiser
from chainrule.train.rows import rows_of, tables_of

RANDOM = np.random.default_rng(0)
HEIGHT = 30
LOOK_UPS = RANDOM.integers(0, HEIGHT, (70, 3))
CLASSES = RANDOM.integers(0, 3, 70)
LAZY = ("momentum", "nesterov", "rmsprop", "adam", "adamw")
BY_ROWS = ("sgd", "adagrad", "rmsprop")
MADE: dict[str, Optimiser] = {
    **{name: kind(0.02) for name, kind in OPTIMISERS.items()},
    **{f"lazy {name}": OPTIMISERS[name](0.02, sparse="lazy") for name in LAZY},
}
EXECUTORS = ["numpy", *(["native"] if native.available() else [])]


class Words(nn.Module):
    """Rows of a table, looked up twice and with negative indices too, and a layer on their mean."""

    def __init__(self, height: int = HEIGHT, width: int = 4) -> None:
        values = np.random.default_rng(1).normal(size=(height, width))
        self.table = nn.Parameter(values.astype(np.float32))
        self.layer = nn.Dense(width, 3, seed=2)
        self.height = height

    def forward(self, rows: Any) -> Any:
        return self.layer(
            np.mean(self.table[rows], axis=1) + self.table[rows[:, 0] - self.height] ** 2
        )


def trained(optimiser: Any, executor: str, dtype: Any = np.float64, **options: Any) -> Any:
    net = Words().astype(dtype)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 16, "seed": 3, "progress": False}
    train.fit(net, "cross_entropy", (LOOK_UPS, CLASSES), optimiser=optimiser, executor=executor,
              **{**settings, **options})  # fmt: skip
    return {path: p.value for path, p in net.parameters().items()}


def assert_close(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    for path, value in expected.items():
        np.testing.assert_allclose(found[path], value, rtol=tolerance, atol=tolerance, err_msg=path)


def densely(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on no parameter counts as a table."""
    monkeypatch.setattr(loop, "tables_of", lambda *_: frozenset())


@pytest.mark.parametrize("clip", [None, 0.05, train.ClipValue(0.01)], ids=str)
@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_default_gives_what_dense_gradients_give(
    name: str, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [trained(name, executor, rate=0.02, clip=clip) for executor in EXECUTORS]
    densely(monkeypatch)
    for parameters in found:
        assert_close(parameters, trained(name, "numpy", rate=0.02, clip=clip))


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MADE)
def test_executors_agree(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: list[Any] = []
    original = loop.Trainer._whole_epoch
    monkeypatch.setattr(
        loop.Trainer, "_whole_epoch", lambda *a: whole.append(a[0].whole) or original(*a)
    )
    found = trained(MADE[name], "native", dtype, clip=0.1)
    assert whole and not whole[0].reason
    expected = trained(MADE[name], "numpy", dtype, clip=0.1)
    assert_close(found, expected, 1e-11 if dtype is np.float64 else 1e-4)


def lazily(name: str, table: Any, slopes: list[RowSparse], rate: float) -> Any:
    """The method in a loop over rows: each row used takes the optimiser's own dense step."""
    optimiser = OPTIMISERS[name](rate)
    table, memory = np.array(table), optimiser.init(table)
    for slope in slopes:
        whole = slope.to_dense()
        used = np.unique(slope.indices % len(table))
        moved, latter = optimiser.update(table, whole, memory)
        table[used] = moved[used]
        for key in optimiser.memories:
            memory[key][0][used] = latter[key][0][used]
        memory["steps"] = latter["steps"]
    return table


def some_slopes(rng: np.random.Generator) -> list[RowSparse]:
    return [RowSparse(rng.integers(-9, 9, 4), rng.normal(size=(4, 2)), (9, 2)) for _ in range(9)]


@pytest.mark.parametrize("name", [*LAZY, "sgd", "adagrad"])
def test_lazy_steps_are_dense_steps_of_the_rows_used(name: str, rng: np.random.Generator) -> None:
    optimiser = MADE.get(f"lazy {name}", MADE[name])
    start, slopes = rng.normal(size=(9, 2)), some_slopes(rng)
    step = cr.compile(lambda t, i, r, s: optimiser.update(t, sparse_gradient(t, i, r), s))
    table, state = start, optimiser.init(start)
    compiled, compiled_state = start, optimiser.init(start)
    for slope in slopes:
        table, state = optimiser.update(table, slope, state)
        compiled, compiled_state = step(compiled, slope.indices, slope.rows, compiled_state)
    np.testing.assert_allclose(table, lazily(name, start, slopes, 0.02), rtol=1e-12)
    np.testing.assert_allclose(compiled, table, rtol=1e-12)


def sparse_gradient(table: Any, indices: Any, rows: Any) -> Any:
    return cr.grad(lambda t: np.sum(t[indices] * rows), row_sparse=True)(table)


def test_what_fades_is_made_up_for(rng: np.random.Generator) -> None:
    optimiser = train.RMSprop(0.02)
    start, slopes = rng.normal(size=(9, 2)), some_slopes(rng)
    sparse, dense = {"words": start}, {"words": start}
    state, dense_state = optimiser.init(sparse, ["words"]), optimiser.init(dense)
    assert state["used"][0].shape == (9,)
    for number, slope in enumerate(slopes):
        # A gradient that is dense for once must not lose the marks.
        given = slope if number != 4 else slope.to_dense() + 1.0
        whole = given.to_dense() if isinstance(given, RowSparse) else given
        sparse, state = optimiser.update(sparse, {"words": given}, state)
        dense, dense_state = optimiser.update(dense, {"words": whole}, dense_state)
    np.testing.assert_allclose(sparse["words"], dense["words"], rtol=1e-12)
    assert len(set(state["used"][0])) > 1


@dataclass(frozen=True)
class Shrinking(train.SGD):
    """A step of one's own, which moves rows that SGD would leave."""

    def step(self, step: Any, parameter: Any, gradient: Any, memory: Any) -> Any:
        return parameter * step.cast(0.9) - step.rate * gradient, {}


def test_another_step_is_not_taken_for_its_base_class() -> None:
    assert train.SGD().takes_rows() and not Shrinking().takes_rows()
    optimiser = Shrinking(0.1)
    gradient = RowSparse(np.array([1]), np.ones((1, 2)), (3, 2))
    moved, _ = optimiser.update(np.ones((3, 2)), gradient, optimiser.init(np.ones((3, 2))))
    np.testing.assert_allclose(moved, [[0.9, 0.9], [0.8, 0.8], [0.9, 0.9]])


def test_only_two_words_say_how() -> None:
    with pytest.raises(cr.errors.ChainruleError, match="'fast'"):
        train.Adam(sparse="fast")


@pytest.mark.parametrize(
    "options", [{"regulariser": nn.L2(0.1)}, {"clip": lambda g: g}], ids=["regulariser", "clip"]
)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_gradient_in_every_row_is_no_error(
    executor: str, options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [trained(MADE[name], executor, **options) for name in BY_ROWS]
    densely(monkeypatch)
    for name, parameters in zip(BY_ROWS, found, strict=True):
        assert_close(parameters, trained(MADE[name], "numpy", **options))


def test_the_norm_counts_each_row_once(rng: np.random.Generator) -> None:
    gradient = RowSparse(np.array([2, 0, -2]), rng.normal(size=(3, 5)), (4, 5))
    rows = rows_of(gradient)
    assert norm_of([rows, np.ones(3)]) == pytest.approx(norm_of([gradient.to_dense(), np.ones(3)]))
    assert rows_of(np.ones(3)) is None


def test_tables_are_what_rows_are_looked_up_in() -> None:
    net = Words()
    values = {path: p.value for path, p in net.parameters().items()}
    assert tables_of(net, values, LOOK_UPS[:1]) == {"table"}
    mlp = nn.MLP(3, [4], 2, seed=0)
    values = {path: p.value for path, p in mlp.parameters().items()}
    assert tables_of(mlp, values, np.zeros((1, 3), np.float32)) == frozenset()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_training_by_rows_can_be_resumed(executor: str, tmp_path: Any) -> None:
    for name in ("rmsprop", "lazy adam"):
        whole = trained(MADE[name], executor, epochs=4)
        path = tmp_path / f"{name}.safetensors"
        trained(MADE[name], executor, epochs=2, checkpoint=path)
        assert_close(trained(MADE[name], executor, epochs=4, checkpoint=path), whole, 0)


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
@pytest.mark.parametrize("name", [*BY_ROWS, *(name for name in MADE if name.startswith("lazy"))])
def test_the_cost_of_a_step_does_not_grow_with_the_table(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cost_of(height: int) -> list[tuple[str, ...]]:
        plans: list[str] = []
        original = loop.WholeEpochs.run

        def run(self: Any, *arguments: Any) -> Any:
            plans.append(self.loops[16].explain())
            return original(self, *arguments)

        monkeypatch.setattr(loop.WholeEpochs, "run", run)
        train.fit(
            Words(height),
            "cross_entropy",
            (LOOK_UPS[:16], CLASSES[:16]),
            epochs=1,
            optimiser=MADE[name],
            batch_size=16,
            clip=1.0,
            progress=False,
            executor="native",
        )
        monkeypatch.setattr(loop.WholeEpochs, "run", original)
        assert "put_rows" in plans[0]
        return re.findall(r"(\d+) bytes(?:, (\d+) operations)?", plans[0])

    small, large = cost_of(HEIGHT), cost_of(100 * HEIGHT)
    assert small == large
    assert sum(int(nbytes) for nbytes, _ in large) < 100 * HEIGHT * 4 * 4 * 4
