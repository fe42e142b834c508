"""What is said for each kind of mistake: path, parameter, both shapes and the fix."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.errors import ChainruleError, ShapeError


def replaced_weight() -> Any:
    net = nn.MLP(4, [3], 1, seed=0)
    net.layers[1].weight = nn.Parameter(np.ones((1, 3), np.float32))
    return net(np.ones((2, 4)))


def foreign_weight() -> Any:
    net = nn.MLP(4, [3], 1, seed=0)
    net.layers[0].bias = nn.Parameter(np.ones(5, np.float32))
    return net(np.ones((2, 4)))


def plain_weight() -> Any:
    net = nn.MLP(4, [3], 1, seed=0)
    net.layers[0].weight = np.ones((4, 3))  # type: ignore[assignment]
    return net(np.ones((2, 4)))


def fit(x: Any, y: Any, loss: str = "mse", net: Any = None, **options: Any) -> Any:
    net = nn.MLP(4, [3], 1, seed=0) if net is None else net
    return train.fit(net, loss, (x, y), epochs=1, progress=False, **options)


X = np.ones((10, 4))
LOGITS = np.zeros((10, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
ONE_HOT = np.eye(3)[LABELS]
cross_entropy = nn.categorical_cross_entropy_with_logits

MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "two layers that do not fit": (
        lambda: nn.Sequential(nn.Dense(20, 64), nn.Dense(32, 2))(np.ones((8, 20))),
        ShapeError,
        ["layers[1].weight has shape (32, 2)", "64 features", "(8, 64)", "Dense(64, 2)",
         "layers[0], gives 64 features", "test_messages.py"],
    ),
    "two layers with an activation between": (
        lambda: nn.Sequential(nn.Dense(20, 64), "relu", nn.Dense(32, 2))(np.ones((8, 20))),
        ShapeError,
        ["layers[2].weight has shape (32, 2)", "layers[1], gives 64 features"],
    ),
    "two networks that do not fit": (
        lambda: nn.Sequential(nn.MLP(4, [8], 6), nn.MLP(5, [8], 1))(X),
        ShapeError,
        ["layers[1].layers[0].weight has shape (5, 8)", "layers[0], gives 6 features"],
    ),
    "wrong number of features": (
        lambda: nn.MLP(5, [3], 1)(X),
        ShapeError,
        ["layers[0].weight has shape (5, 3)", "4 features (shape (10, 4))", "Dense(4, 3)",
         "5 features a row"],
    ),
    "wrong number of features in fit": (
        lambda: fit(np.ones((10, 7)), np.ones((10, 1))),
        ShapeError,
        ["layers[0].weight has shape (4, 3)", "7 features", "test_messages.py"],
    ),
    "a transposed table": (
        lambda: nn.Dense(4, 2)(np.ones((4, 10))),
        ShapeError,
        ["Dense.weight has shape (4, 2)", "give x.T"],
    ),
    "images that are not flattened": (
        lambda: nn.Dense(784, 10)(np.ones((5, 28, 28))),
        ShapeError,
        ["Dense.weight has shape (784, 10)", "x.reshape(len(x), 784)"],
    ),
    "missing batch axis": (
        lambda: nn.Dense(4, 2)(np.ones(10)),
        ShapeError,
        ["(10,)", "a batch has shape (examples, 4)"],
    ),
    "missing feature axis": (
        lambda: nn.Dense(1, 2)(np.ones(10)),
        ShapeError,
        ["(10,)", "10 examples with one feature each, give x[:, np.newaxis]"],
    ),
    "missing axis in fit": (
        lambda: fit(np.ones(10), np.ones((10, 1))),
        ShapeError,
        ["the inputs have shape (10,)", "x[:, np.newaxis]", "x[np.newaxis]"],
    ),
    "a number as input": (
        lambda: nn.Dense(1, 2)(3.0),
        ShapeError,
        ["single number", "(examples, 1)"],
    ),
    "a perceptron with other inputs": (
        lambda: nn.Perceptron([0.1, 0.5])(np.ones((3, 4))),
        ShapeError,
        ["Perceptron.weight has shape (2,)", "Perceptron(4)"],
    ),
    "parameter replaced by its transpose": (
        replaced_weight,
        ShapeError,
        ["layers[1].weight has shape (1, 3)", "Dense(3, 1, identity) needs (3, 1)", "weight.T"],
    ),
    "parameter replaced by another shape": (
        foreign_weight,
        ShapeError,
        ["layers[0].bias has shape (5,)", "needs (3,)", "replaced"],
    ),
    "parameter replaced by a plain array": (
        plain_weight,
        nn.InputError,
        ["layers[0].weight is a plain ndarray", "weight = nn.Parameter(...)"],
    ),
    "target without the outputs' axis": (
        lambda: nn.mean_squared_error(np.ones((10, 1)), np.ones(10)),
        ShapeError,
        ["mean_squared_error", "target has shape (10,)", "prediction has shape (10, 1)",
         "target[:, np.newaxis]", "(10, 10)"],
    ),
    "target shape in fit": (
        lambda: fit(X, np.ones(10)),
        ShapeError,
        ["target has shape (10,)", "target[:, np.newaxis]", "test_messages.py"],
    ),
    "target with an axis too many": (
        lambda: nn.mean_squared_error(np.ones(10), np.ones((10, 1))),
        ShapeError,
        ["target[..., 0]"],
    ),
    "targets of other examples": (
        lambda: nn.binary_cross_entropy(np.full((10, 1), 0.5), np.ones((9, 1))),
        ShapeError,
        ["9 targets for 10 predictions"],
    ),
    "examples and targets that differ in number": (
        lambda: fit(X, np.ones((9, 1))),
        ShapeError,
        ["inputs (10, 4)", "targets (9, 1)"],
    ),
    "regression loss for labels": (
        lambda: nn.mean_squared_error(LOGITS, LABELS),
        ShapeError,
        ["3 numbers for each example", "categorical_cross_entropy_with_logits"],
    ),
    "label out of range": (
        lambda: cross_entropy(LOGITS, np.array([0, 1, 3, 0, 1, 2, 0, 1, 2, 0])),
        nn.TargetError,
        ["target[2] is 3", "3 classes", "0 to 2", "4 outputs"],
    ),
    "labels from 1": (
        lambda: cross_entropy(LOGITS, LABELS + 1),
        nn.TargetError,
        ["count from 1", "target - 1"],
    ),
    "negative labels": (
        lambda: cross_entropy(LOGITS, LABELS - 1),
        nn.TargetError,
        ["target[0] is -1", "missing values"],
    ),
    "label out of range in the last batch": (
        lambda: fit(X, np.append(LABELS[:-1], 9), "cross_entropy", nn.Dense(4, 3, seed=0),
                    batch_size=4),
        nn.TargetError,
        ["target[9] is 9", "0 to 2"],
    ),
    "float labels": (
        lambda: cross_entropy(LOGITS, LABELS.astype(float)),
        nn.InputError,
        ["float64", "target.astype(int)"],
    ),
    "labels in a column": (
        lambda: cross_entropy(LOGITS, LABELS[:, None]),
        ShapeError,
        ["(10, 1)", "target[:, 0]"],
    ),
    "one-hot with other classes": (
        lambda: cross_entropy(LOGITS, np.eye(4)[LABELS]),
        ShapeError,
        ["one-hot", "4 classes", "gives 3", "4 outputs"],
    ),
    "labels and one output": (
        lambda: cross_entropy(np.zeros((10, 1)), LABELS),
        ShapeError,
        ["(10, 1)", "binary_cross_entropy_with_logits"],
    ),
    "logits where probabilities belong": (
        lambda: nn.binary_cross_entropy(np.array([[3.0]]), np.array([[1.0]])),
        nn.TargetError,
        ["prediction", "sigmoid", "binary_cross_entropy_with_logits"],
    ),
    "classes 1 and 2 for two classes": (
        lambda: nn.binary_cross_entropy_with_logits(np.zeros(2), np.array([1, 2])),
        nn.TargetError,
        ["from 1 to 2", "0 and 1"],
    ),
    "classes 0 and 1 for the hinge": (
        lambda: nn.hinge(np.zeros(2), np.array([0, 1])),
        nn.TargetError,
        ["-1 and 1", "2 * target - 1"],
    ),
    "text as targets": (
        lambda: nn.mean_squared_error(np.zeros(2), np.array(["a", "b"])),
        nn.InputError,
        ["np.unique"],
    ),
    "text as inputs": (
        lambda: nn.MLP(2, [3], 1)(np.array([["a", "b"]])),
        nn.InputError,
        ["layers[0]", "text", "one column per category"],
    ),
    "objects as inputs": (
        lambda: nn.MLP(2, [3], 1)(np.array([[1, None]], object)),
        nn.InputError,
        ["Python objects", "astype(np.float32)"],
    ),
    "complex inputs": (
        lambda: nn.Dense(1, 1)(np.array([[1j]])),
        nn.InputError,
        ["complex", "x.real"],
    ),
    "ragged rows": (
        lambda: nn.Dense(2, 1)([[1.0, 2.0], [3.0]]),
        nn.InputError,
        ["rows of different lengths"],
    ),
    "NaN in the inputs": (
        lambda: fit(np.where(np.arange(40).reshape(10, 4) == 13, np.nan, X), np.ones((10, 1))),
        ChainruleError,
        ["inputs hold nan in row 3, column 1", "missing"],
    ),
    "no examples": (
        lambda: fit(np.ones((0, 4)), np.ones((0, 1))),
        ShapeError,
        ["no examples"],
    ),
    "inputs without targets": (
        lambda: train.fit(nn.MLP(4, [3], 1), "mse", X),
        nn.InputError,
        ["(inputs, targets)", "(10, 4)"],
    ),
    "weights of other examples": (
        lambda: nn.mean_squared_error(np.ones((10, 1)), np.ones((10, 1)), weights=np.ones((10, 1))),
        ShapeError,
        ["weights have shape (10, 1)", "(10,)"],
    ),
    "a width that is not whole": (
        lambda: nn.MLP(4, [2.5], 1),
        ShapeError,
        ["hidden width", "2.5"],
    ),
    "activations for other layers": (
        lambda: nn.MLP(4, [3, 3], 1, activation=["relu"]),
        ChainruleError,
        ["2 hidden layers", "activation lists 1"],
    ),
    "an unknown activation": (
        lambda: nn.Dense(2, 2, "sigmoyd"),
        nn.UnknownNameError,
        ["'sigmoyd'", "did you mean 'sigmoid'?"],
    ),
    "an unknown loss": (
        lambda: fit(X, np.ones((10, 1)), "hubber"),
        nn.UnknownNameError,
        ["did you mean 'huber'?", "mean_squared_error"],
    ),
    "dropout of everything": (
        lambda: nn.Dropout(1.0),
        ChainruleError,
        ["less than 1", "1.0"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_named_with_its_place_and_its_fix(kind: str) -> None:
    mistake, error, parts = MISTAKES[kind]
    with pytest.raises(error) as raised:
        mistake()
    message = str(raised.value)
    for part in parts:
        assert part in message, message


def test_the_message_names_the_line_of_the_call() -> None:
    net = nn.Sequential(nn.Dense(20, 64), nn.Dense(32, 2))
    with pytest.raises(ShapeError) as raised:
        net(np.ones((8, 20)))  # the user's line
    assert str(raised.value).endswith("net(np.ones((8, 20)))  # the user's line")


def test_mistakes_are_named_under_gradients_and_compilation_too() -> None:
    net = nn.Sequential(nn.Dense(20, 64), nn.Dense(32, 2))
    x = np.ones((8, 20), np.float32)

    def loss(net: Any, x: Any) -> Any:
        return np.sum(net(x))

    for function in (cr.grad(loss), cr.compile(loss)):
        with pytest.raises(ShapeError, match=r"layers\[1\]\.weight has shape \(32, 2\)"):
            function(net, x)
