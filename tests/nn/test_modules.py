"""Modules: parts, paths, copies, derivatives by central differences, records."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.tracing.trees import Tree


@dataclass(eq=False, repr=False)
class Branches(nn.Module):
    """A module with modules in a dict and a tuple, a scale of its own, and a shared layer."""

    towers: dict[str, nn.Module]
    shared: tuple[nn.Module, nn.Module]
    scale: nn.Parameter

    def forward(self, x: Any) -> Any:
        left, right = self.towers["left"](x), self.towers["right"](x)
        return self.shared[1](self.shared[0](left)) * self.scale + right


def branches() -> Branches:
    layer = nn.Dense(3, 3, "tanh", seed=3)
    towers: dict[str, nn.Module] = {
        "left": nn.Dense(2, 3, seed=1),
        "right": nn.Dense(2, 3, seed=2),
    }
    return Branches(towers, (layer, layer), nn.Parameter(np.float32(0.5)))


def central_differences(function: Any, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gradient of ``function`` (of a dict of float64 arrays) by central differences."""
    step = 1e-6
    found = {}
    for name, value in values.items():
        slopes = np.zeros(value.shape)
        for index in np.ndindex(value.shape):
            moved = {sign: value.copy() for sign in (1, -1)}
            for sign, array in moved.items():
                array[index] += sign * step
            high, low = (function({**values, name: moved[sign]}) for sign in (1, -1))
            slopes[index] = (high - low) / (2 * step)
        found[name] = slopes
    return found


def values_of(net: nn.Module) -> dict[str, np.ndarray]:
    return {path: parameter.value for path, parameter in net.parameters().items()}


MODULES = {
    "dense": lambda: nn.Dense(3, 2, seed=0),
    "dense without bias": lambda: nn.Dense(3, 2, bias=False, seed=0),
    "perceptron": lambda: nn.Perceptron(3, seed=0),
    "batch norm": lambda: nn.BatchNorm(3),
    "dropout": lambda: nn.Sequential(
        nn.Dense(3, 4, seed=0), nn.Dropout(0.5), nn.Dense(4, 2, seed=1)
    ),
    "mlp": lambda: nn.MLP(3, [4, 4], 2, activation=["tanh", "gelu"], dropout=0.2, seed=0),
    **{
        name: lambda name=name: nn.Dense(3, 4, activation=name, seed=0)
        for name in nn.activations.ACTIVATIONS
    },
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_gradients_of_modules_equal_central_differences(
    name: str, training: bool, rng: np.random.Generator
) -> None:
    net = MODULES[name]().astype(np.float64)
    net = net.replaced({p: v + 0.1 * rng.normal(size=v.shape) for p, v in values_of(net).items()})
    x, weights = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))

    def loss(net: Any) -> Any:
        if training:
            with nn.training(seed=3, step=1):
                output = net(x)
        else:
            output = net(x)
        shape = (5, 1) if output.ndim == 1 else output.shape
        return np.sum(np.sin(output.reshape(shape)) * weights[:, : shape[-1]])

    gradient = cr.grad(loss)(net)
    assert type(gradient) is type(net)
    expected = central_differences(lambda v: loss(net.replaced(v)), values_of(net))
    assert expected
    for path, slopes in values_of(gradient).items():
        np.testing.assert_allclose(slopes, expected[path], rtol=1e-6, atol=1e-7, err_msg=path)


def test_parts_are_found_in_lists_tuples_and_dicts_and_shared_ones_once() -> None:
    net = branches()
    assert list(net.parameters()) == [
        "towers['left'].weight",
        "towers['left'].bias",
        "towers['right'].weight",
        "towers['right'].bias",
        "shared[0].weight",
        "shared[0].bias",
        "scale",
    ]
    assert net.parameter_count == 2 * 9 + 12 + 1
    assert len(Tree(net).leaves) == 7


def test_a_shared_layer_stays_shared_and_its_gradient_sums_both_uses() -> None:
    net = branches().astype(np.float64)
    assert net.shared[0] is net.shared[1]
    x = np.array([[0.3, -0.7]])
    gradient = cr.grad(lambda net: np.sum(net(x)))(net)
    assert gradient.shared[0] is gradient.shared[1]
    expected = central_differences(lambda v: np.sum(net.replaced(v)(x)), values_of(net))
    np.testing.assert_allclose(
        gradient.shared[0].weight.value, expected["shared[0].weight"], rtol=1e-6, atol=1e-9
    )


def test_a_frozen_parameter_gets_no_gradient_and_is_not_a_leaf() -> None:
    net = nn.Dense(2, 1, seed=0)
    net.bias.trainable = False
    assert Tree(net).paths == [".weight"]
    gradient = cr.grad(lambda net: np.sum(net(np.ones((1, 2)))))(net)
    assert gradient.bias is net.bias


def test_the_lectures_perceptron() -> None:
    unit = nn.Perceptron([0.1, 0.5, 2.5, 0.2], bias=3.0)
    assert float(unit([2, 3, -1, 5])) == pytest.approx(1 / (1 + np.exp(-3.2)), rel=1e-6)
    assert round(float(unit([2, 3, -1, 5])), 2) == 0.96
    assert unit(np.ones((7, 4))).shape == (7,)


@pytest.mark.parametrize(
    ("shape", "output"), [((4,), (2,)), ((3, 4), (3, 2)), ((2, 3, 4), (2, 3, 2)), ((0, 4), (0, 2))]
)
def test_dense_takes_one_example_or_any_stack_of_them(
    shape: tuple[int, ...], output: tuple[int, ...]
) -> None:
    layer = nn.Dense(4, 2, "relu", seed=0)
    x = np.ones(shape, np.float32)
    assert layer(x).shape == output
    assert layer(x).dtype == np.float32
    gradient = cr.grad(lambda layer: np.sum(layer(x)))(layer)
    assert gradient.weight.shape == (4, 2)


def test_integers_take_the_dtype_of_the_weights() -> None:
    assert nn.Dense(2, 1, seed=0)(np.array([[1, 2]])).dtype == np.float32
    assert nn.Dense(2, 1, seed=0)([[True, False]]).dtype == np.float32


def test_seeds_make_weights_reproducible() -> None:
    first, second = nn.MLP(3, [5], 1, seed=4), nn.MLP(3, [5], 1, seed=4)
    for path, value in values_of(first).items():
        np.testing.assert_array_equal(value, values_of(second)[path])
    other = nn.MLP(3, [5], 1, seed=5)
    assert not np.array_equal(first.layers[0].weight.value, other.layers[0].weight.value)
    net = nn.Sequential(nn.Dense(3, 3), nn.Dense(3, 3), seed=1)
    again = nn.Sequential(nn.Dense(3, 3), nn.Dense(3, 3), seed=1)
    np.testing.assert_array_equal(net[0].weight.value, again[0].weight.value)
    assert not np.array_equal(net[0].weight.value, net[1].weight.value)


@pytest.mark.parametrize("name", nn.initializers.INITIALIZERS)
def test_initialisers_have_the_variance_of_their_papers(name: str) -> None:
    inputs, outputs = 300, 200
    draw = nn.initializers.INITIALIZERS[name]
    weight = draw(np.random.default_rng(1), (inputs, outputs))
    variance = {
        "zeros": 0.0,
        "ones": 0.0,
        "uniform": 0.1**2 / 12,
        "normal": 0.05**2,
        "glorot_uniform": 2 / (inputs + outputs),
        "glorot_normal": 2 / (inputs + outputs),
        "he_uniform": 2 / inputs,
        "he_normal": 2 / inputs,
        "lecun_uniform": 1 / inputs,
        "lecun_normal": 1 / inputs,
        "orthogonal": 1 / inputs,
    }[name]
    assert weight.shape == (inputs, outputs)
    assert weight.var() == pytest.approx(variance, rel=0.03)
    assert weight.mean() == pytest.approx(float(name == "ones"), abs=0.003)


def test_dropout_drops_in_training_only_and_by_its_key() -> None:
    drop, x = nn.Dropout(0.25), np.ones((200, 200))
    np.testing.assert_array_equal(drop(x), x)
    with nn.training(seed=1, step=5):
        first, second = drop(x), drop(x)
        with nn.evaluation():
            np.testing.assert_array_equal(drop(x), x)
    with nn.training(seed=1, step=5):
        again = drop(x)
    with nn.training(seed=1, step=6):
        later = drop(x)
    assert set(np.unique(first)) == {0.0, 1 / 0.75}
    assert (first == 0).mean() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, later)
    np.testing.assert_array_equal(drop(x), x)


def test_dropout_draws_the_same_when_it_is_compiled() -> None:
    drop, x = nn.Dropout(0.5), np.ones((8, 8), np.float32)

    def dropped(x: Any, key: Any) -> Any:
        with nn.training(key):
            return drop(x)

    program = cr.compile(dropped)
    for step in range(3):
        key = np.array([9, step])
        np.testing.assert_array_equal(program(x, key), dropped(x, key))


def test_batch_norm_normalises_and_proposes_the_next_statistics(rng: np.random.Generator) -> None:
    layer = nn.BatchNorm(3, momentum=0.8).astype(np.float64)
    x = rng.normal(2.0, 3.0, (50, 3))
    with nn.training():
        output = layer(x)
    np.testing.assert_allclose(output.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(output.var(0), 1, rtol=1e-4)
    np.testing.assert_allclose(layer.mean.updated, 0.2 * x.mean(0))
    np.testing.assert_allclose(layer.variance.updated, 0.8 + 0.2 * x.var(0))
    np.testing.assert_allclose(layer(x), x / np.sqrt(1 + 1e-5))


def test_a_record_holds_inputs_outputs_and_adjoints(rng: np.random.Generator) -> None:
    net = nn.MLP(3, [4], 2, activation="tanh", seed=0).astype(np.float64)
    x, adjoint = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    run = net.record(x)
    assert list(run.calls) == [
        "",
        "layers[0]",
        "layers[0].activation",
        "layers[1]",
        "layers[1].activation",
    ]
    np.testing.assert_allclose(run.output, net(x))
    np.testing.assert_array_equal(run["layers[0]"].output, run["layers[1]"].inputs[0])
    assert run["layers[0]"].output_adjoint is None
    run.backward(adjoint)
    first, second = net.layers
    np.testing.assert_allclose(run["layers[1]"].output_adjoint, adjoint)
    np.testing.assert_allclose(run["layers[0]"].output_adjoint, adjoint @ second.weight.value.T)
    inner = run["layers[0]"].output_adjoint * (1 - run["layers[0]"].output ** 2)
    np.testing.assert_allclose(run.gradients.layers[0].weight.value, x.T @ inner)
    np.testing.assert_allclose(run.gradients.layers[1].bias.value, adjoint.sum(0))
    np.testing.assert_allclose(run.input_adjoints[0], inner @ first.weight.value.T)
    assert "layers[1]" in str(run)


def test_a_records_input_adjoint_is_what_this_module_sent(rng: np.random.Generator) -> None:
    @dataclass(eq=False, repr=False)
    class Residual(nn.Module):
        inner: nn.Module

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    net = Residual(nn.Dense(2, 2, seed=0)).astype(np.float64)
    run = net.backward(np.ones((1, 2)), rng.normal(size=(1, 2)))
    sent = net.inner.weight.value.sum(1)[None]
    np.testing.assert_allclose(run["inner"].input_adjoints[0], sent)
    np.testing.assert_allclose(run.input_adjoints[0], sent + 1)


def test_backward_of_a_module_is_the_engines(rng: np.random.Generator) -> None:
    net, x = nn.Dense(3, 2, "sigmoid", seed=0).astype(np.float64), rng.normal(size=(4, 3))
    adjoint = rng.normal(size=(4, 2))
    run = net.backward(adjoint, x)
    _, pull = cr.vjp(lambda net, x: net(x), net, x)
    expected, at_x = pull(adjoint)
    np.testing.assert_allclose(run.gradients.weight.value, expected.weight.value)
    np.testing.assert_allclose(run.input_adjoints[0], at_x)
    with pytest.raises(cr.errors.ShapeError, match=r"the adjoint has shape \(3,\)"):
        net.backward(np.ones(3), x)


def test_print_shows_every_layer_and_the_total() -> None:
    text = str(nn.MLP(4, [8, 8], 3, dropout=0.1, seed=0))
    assert "layers[1]" in text and "weight (8, 8), bias (8,)" in text
    assert "dropouts[0]  Dropout(0.1)" in text
    assert text.splitlines()[-1] == "MLP: 139 parameters, float32"


def test_modules_pass_through_compile(rng: np.random.Generator) -> None:
    net, x = nn.MLP(3, [4], 1, seed=0), rng.normal(size=(5, 3)).astype(np.float32)
    program = cr.compile(cr.grad(lambda net, x: np.mean(net(x) ** 2)))
    gradient = program(net, x)
    expected = cr.grad(lambda net: np.mean(net(x) ** 2))(net)
    for path, value in values_of(expected).items():
        np.testing.assert_allclose(values_of(gradient)[path], value, rtol=1e-4, atol=1e-6)


def test_rooms_above_are_loaded_when_they_are_used() -> None:
    assert cr.nn is nn
    assert cr.train.fit.__module__ == "chainrule.train.fitting"
    with pytest.raises(AttributeError, match="no attribute 'nnn'"):
        _ = cr.nnn


def test_a_module_class_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        type("Empty", (nn.Module,), {})()(1.0)


def test_replaced_and_assign_check_paths_and_shapes() -> None:
    net = nn.Dense(2, 1, seed=0)
    with pytest.raises(KeyError, match="weigth"):
        net.replaced({"weigth": np.ones((2, 1))})
    with pytest.raises(cr.errors.ShapeError, match=r"weight has shape \(2, 1\)"):
        net.assign({"weight": np.ones((1, 2))})
