"""Saving and loading networks, and continuing a training bit for bit."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import nn, train
from chainrule.errors import ChainruleError
from chainrule.train.checkpoints import MODEL_FORMAT, CheckpointError, write_arrays


@dataclass(eq=False, repr=False)
class Scaled(nn.Module):
    """A module class of the user's own, with settings of several kinds and a shared layer."""

    parts: dict[str, nn.Module]
    pair: tuple[nn.Module, nn.Module]
    factor: float
    names: list[str]
    frozen: nn.Parameter

    def forward(self, x: Any) -> Any:
        for part in (*self.parts.values(), *self.pair):
            x = part(x)
        return x * self.factor + self.frozen


def scaled() -> Scaled:
    layer = nn.Dense(3, 3, nn.LeakyReLU(0.2), seed=1)
    return Scaled(
        {"first": nn.Dense(2, 3, "gelu", seed=0), "norm": nn.BatchNorm(3)},
        (layer, layer),
        0.5,
        ["a", "b"],
        nn.Parameter(np.float32(2.0), trainable=False),
    )


NETWORKS = {
    "mlp": lambda: nn.MLP(2, [5, 4], 3, activation=["relu", "tanh"], dropout=0.2, seed=0),
    "perceptron": lambda: nn.Perceptron([1.0, 2.0]),
    "sequential": lambda: nn.Sequential(nn.Dense(2, 3, bias=False), "elu", nn.BatchNorm(3), seed=0),
    "own class": scaled,
    "own initialiser": lambda: nn.Dense(2, 3, initializer=lambda rng, shape: np.ones(shape)),
    "float64": lambda: nn.MLP(2, [3], 1, seed=0).astype(np.float64),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    net, path = NETWORKS[name](), tmp_path / "net.safetensors"
    train.save(net, path, extra={"classes": ["on time", "delayed"]})
    loaded, extra = train.load_with_extra(path)
    assert extra == {"classes": ["on time", "delayed"]}
    assert type(loaded) is type(net)
    assert str(loaded) == str(net)
    x = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    np.testing.assert_array_equal(loaded(x), net(x))
    assert os.listdir(tmp_path) == ["net.safetensors"]


def test_shared_parts_and_kinds_of_attributes_survive(tmp_path: Path) -> None:
    train.save(scaled(), tmp_path / "net")
    loaded = train.load(tmp_path / "net")
    assert isinstance(loaded, Scaled)
    assert loaded.pair[0] is loaded.pair[1]
    assert isinstance(loaded.pair, tuple) and loaded.names == ["a", "b"]
    assert not loaded.frozen.trainable
    assert isinstance(loaded.parts["norm"].mean, nn.State)


def test_a_loaded_network_trains_on(tmp_path: Path) -> None:
    train.save(nn.MLP(1, [4], 1, seed=0), tmp_path / "net")
    loaded = train.load(tmp_path / "net")
    x = np.linspace(-1, 1, 50)[:, None]
    history = train.fit(loaded, "mse", (x, x), epochs=20, rate=0.05, progress=False)
    assert history.losses[-1] < history.losses[0]


def test_the_file_is_plain_json_and_arrays(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    train.save(nn.MLP(2, [3], 1, seed=0), path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header["layers[0].weight"]["shape"] == [2, 3]
    assert json.loads(header["__metadata__"]["header"])["architecture"]["module"] == "MLP"


def test_a_function_in_a_network_cannot_be_saved(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Dense(2, 2), np.sin)
    with pytest.raises(CheckpointError, match=r"layers\[1\]\.function is .* a module class"):
        train.save(net, tmp_path / "net")
    assert os.listdir(tmp_path) == []
    dense = nn.Dense(2, 2)
    dense.offset = np.ones(2)  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match=r"offset is .* nn.Parameter\(array, trainable=False"):
        train.save(dense, tmp_path / "net")
    with pytest.raises(CheckpointError, match="plain JSON"):
        train.save(nn.Dense(2, 2), tmp_path / "net", extra={1, 2})


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net"
    train.save(nn.Perceptron([1.0]), path)
    before = path.read_bytes()

    def fail(*args: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        train.save(nn.Perceptron([2.0]), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["net"]


def damaged(path: Path, kind: str) -> None:
    """Write a file that is wrong in one way."""
    net = nn.Dense(2, 3, seed=0)
    arrays = {name: p.value for name, p in net.parameters().items()}
    architecture: Any = train.checkpoints.encode(net)
    if kind == "missing":
        return
    if kind == "text":
        path.write_text("not a model")
        return
    if kind == "other":
        from safetensors.numpy import save

        path.write_bytes(save({"w": np.ones(2)}))
        return
    if kind == "unknown class":
        architecture["module"] = "Denze"
    elif kind == "array missing":
        del arrays["bias"]
    elif kind == "array of another shape":
        arrays["bias"] = np.ones(7, np.float32)
    elif kind == "settings that do not fit":
        architecture["attributes"]["outputs"] = 9
    elif kind == "another attribute":
        architecture["attributes"]["speed"] = 1
    elif kind == "no architecture":
        architecture = {"module": "Dense"}
    write_arrays(path, arrays, MODEL_FORMAT, {"architecture": architecture})
    if kind == "cut off":
        path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("text", "not a complete .safetensors file"),
        ("cut off", "not a complete .safetensors file"),
        ("other", "not written by chainrule"),
        ("unknown class", r"class Denze, which is not defined here \(similar: Dense\)"),
        ("array missing", "the array of bias is missing"),
        ("array of another shape", r"bias should be float32 of shape \(3,\).* shape \(7,\)"),
        ("settings that do not fit", r"Dense\(2, 9, identity\) needs a weight of shape \(2, 9\)"),
        ("another attribute", "class Dense has changed .* differ in speed"),
        ("no architecture", "architecture is damaged"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    kind: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.safetensors"
    damaged(path, kind)
    with pytest.raises(CheckpointError, match=message) as raised:
        train.load(path)
    assert str(path) in str(raised.value)


def test_a_class_that_is_not_imported_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net"
    train.save(scaled(), path)
    code = f"from chainrule import train; train.load({str(path)!r})"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "CheckpointError" in finished.stderr
    assert "a module of the class Scaled, which is not defined here" in finished.stderr


def test_two_classes_of_one_name_need_a_choice(tmp_path: Path) -> None:
    def make() -> type[nn.Module]:
        return type("Twin", (nn.Module,), {"forward": lambda self, x: x})

    first, second = make(), make()
    second.__module__ = "elsewhere"
    third = type("Twin", (nn.Module,), {"forward": lambda self, x: x, "__module__": "other"})
    train.save(third(), tmp_path / "net")
    with pytest.raises(CheckpointError, match="several module classes are called Twin"):
        train.load(tmp_path / "net")
    assert type(train.load(tmp_path / "net", classes=[third])) is third
    assert first is not second


# ----- going on -----------------------------------------------------------------------------------


def network() -> Any:
    layers = [nn.Dense(3, 8), nn.BatchNorm(8), "relu", nn.Dropout(0.3), nn.Dense(8, 1)]
    return nn.Sequential(*layers, seed=2)


def run(checkpoint: Path | None, epochs: int, net: Any = None, **options: Any) -> Any:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(90, 3)), rng.normal(size=(90, 1))
    net = network() if net is None else net
    settings = {
        "rate": 0.01,
        "schedule": train.ReduceOnPlateau(patience=2),
        "clip": 1.0,
        "validation": 0.2,
        "seed": 7,
        "batch_size": 16,
        **options,
    }
    history = train.fit(
        net, "mse", (x, y), epochs=epochs, checkpoint=checkpoint, progress=False, **settings
    )
    return net, history


@pytest.mark.parametrize("optimiser", ["sgd", "nesterov", "adagrad", "adamw"])
def test_a_resumed_run_equals_one_that_never_stopped(optimiser: str, tmp_path: Path) -> None:
    whole, expected = run(None, 9, optimiser=optimiser)
    run(tmp_path / "run", 4, optimiser=optimiser)
    resumed, history = run(tmp_path / "run", 9, optimiser=optimiser)
    assert history.losses == expected.losses
    assert history.validation_losses == expected.validation_losses
    assert history.rates == expected.rates
    assert history.best_epoch == expected.best_epoch
    assert history.steps == expected.steps
    parts = {**whole.parameters(), **whole.states()}
    for path, part in {**resumed.parameters(), **resumed.states()}.items():
        np.testing.assert_array_equal(part.value, parts[path].value, err_msg=path)


def test_a_run_that_was_interrupted_within_an_epoch_goes_on_exactly(tmp_path: Path) -> None:
    whole, expected = run(None, 6, schedule=None)

    class Interrupting:
        """The constant rate, and Ctrl-C in the middle of the fourth epoch."""

        def __call__(self, epoch: float, losses: Any) -> float:
            if epoch > 3.4:
                raise KeyboardInterrupt
            return 1.0

        def __repr__(self) -> str:
            return "Constant()"

    _, stopped = run(tmp_path / "run", 6, schedule=Interrupting())
    assert stopped.interrupted and stopped.epochs == 3
    resumed, history = run(tmp_path / "run", 6, schedule=None)
    assert not history.interrupted
    assert history.losses == expected.losses
    for path, part in resumed.parameters().items():
        np.testing.assert_array_equal(part.value, whole.parameters()[path].value)


def test_a_finished_run_comes_back_without_another_step(tmp_path: Path) -> None:
    whole, expected = run(tmp_path / "run", 3)
    again, history = run(tmp_path / "run", 3)
    assert history.losses == expected.losses
    for path, part in again.parameters().items():
        np.testing.assert_array_equal(part.value, whole.parameters()[path].value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 8}, "its validation is|its data is"),
        ({"batch_size": 8}, "its batch_size is 16, and here it is 8"),
        ({"optimiser": "sgd"}, r"its optimiser is .*Adam.* and here it is .*SGD"),
        ({"clip": None}, "its clip is"),
        ({"net": nn.MLP(3, [4], 1, seed=0)}, "its architecture is"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    run(tmp_path / "run", 1)
    with pytest.raises(ChainruleError, match=message):
        run(tmp_path / "run", 2, **options)


def test_a_model_is_not_a_checkpoint(tmp_path: Path) -> None:
    train.save(network(), tmp_path / "run")
    with pytest.raises(
        CheckpointError, match="holds a chainrule model 1, not a chainrule training"
    ):
        run(tmp_path / "run", 1)


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "run", 1)
    content = (tmp_path / "run").read_bytes()
    assert content.count(b"chainrule training 2") == 1
    content = content.replace(b"chainrule training 2", b"chainrule training 1")
    (tmp_path / "run").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"chainrule training 1, not a chainrule training 2; another version"
    ):
        run(tmp_path / "run", 2)
