"""cr.compile and the NumPy executor: the same numbers, memory of its own, clear errors."""

import threading
from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
import chainrule.functions as F
from chainrule import nn
from chainrule.api.compile import PROGRAMS
from chainrule.errors import ChainruleError, TraceError
from chainrule.graph.graph import Graph
from chainrule.run import EXECUTORS, why_not
from chainrule.tracing.trees import Tree

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(4, 4))


def network(parameters, x, labels):
    for weight, bias in parameters[:-1]:
        x = F.relu(F.dense(x, weight, bias))
    weight, bias = parameters[-1]
    return np.mean(F.cross_entropy(F.dense(x, weight, bias), labels))


def network_arguments():
    sizes = [4, 8, 8, 3]
    parameters = [
        (RANDOM.normal(size=pair).astype(np.float32), np.zeros(pair[1], np.float32))
        for pair in pairwise(sizes)
    ]
    x = RANDOM.normal(size=(5, 4)).astype(np.float32)
    return parameters, x, RANDOM.integers(0, 3, 5)


CASES = {
    "chain in place": (lambda x: np.tanh(np.exp(-x) * 2 + x) - x, (np.ones((3, 2)),)),
    "views": (lambda x: (x.T.reshape(-1)[::2], x[0] + x[1]), (np.arange(12.0).reshape(3, 4),)),
    "same result twice": (lambda x: (x + 1, x + 1, x), (np.ones(3),)),
    "constant result": (lambda x: (np.ones(2), x), (1.0,)),
    "scalars": (lambda x, y: x * y - np.sin(y), (2.0, 5)),
    "integers": (
        lambda table, rows: table[rows] * 2,
        (np.arange(6.0).reshape(3, 2), np.array([2, 0, 2])),
    ),
    "where": (lambda x: np.where(x > 0, x, -x) + np.clip(x, -0.5, 0.5), (RANDOM.normal(size=9),)),
    "sums": (lambda x: x - x.mean(0) / x.std(axis=1, keepdims=True), (RANDOM.normal(size=(4, 4)),)),
    "empty": (lambda x: np.sum(x * 2), (np.ones((0, 3)),)),
    "sort": (lambda x: np.sort(x), (RANDOM.normal(size=7),)),
    "value and gradient": (cr.value_and_grad(network), network_arguments()),
    "rows of a table": (
        cr.grad(lambda table, rows: np.sum(table[rows] ** 2)),
        (RANDOM.normal(size=(5, 2)), np.array([1, 1, 4])),
    ),
    "solve": (
        cr.grad(lambda a, b: np.sum(np.linalg.solve(a, b))),
        (np.eye(3) + 0.1, np.ones(3)),
    ),
}


def leaves(value):
    from chainrule.tracing.trees import Tree

    return Tree(value).leaves


@pytest.mark.parametrize("name", CASES)
def test_compiled_equals_plain(name):
    function, args = CASES[name]
    compiled = cr.compile(function)
    expected = leaves(function(*args))
    for _ in range(3):  # Buffers are used again: later calls must not see earlier ones.
        found = leaves(compiled(*args))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)
            assert np.shape(a) == np.shape(b)
            assert np.asarray(a).dtype == np.asarray(b).dtype


def test_results_share_no_memory():
    compiled = cr.compile(lambda x: (x, x[::2], np.exp(x)))
    x = np.ones(4)
    first = compiled(x)
    kept = [result.copy() for result in first]
    for result in first:
        assert not np.shares_memory(result, x)
    compiled(x * 5)
    for result, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(result, copy)
        result[...] = 7.0  # They are the caller's own.


def test_traced_once_per_shape_and_dtype():
    calls = []

    def f(x):
        calls.append(x.shape)
        return x * 2

    compiled = cr.compile(f)
    for x in (np.ones(2), np.zeros(2), np.ones(3), np.ones(2, np.float32), 1.0, 2):
        compiled(x)
    assert calls == [(2,), (3,), (2,), ()]


def test_static_arguments_shape_the_program():
    def power(x, n):
        result = 1.0
        for _ in range(n):
            result = result * x
        return result

    compiled = cr.compile(power, static=1)
    assert [compiled(2.0, n) for n in (3, 4, 3)] == [8, 16, 8]


def test_buffers_serve_again():
    x = np.zeros((100, 100))

    def chain(x):
        for _ in range(20):
            x = np.sin(x) + np.cos(x)
        return x

    for executor in ("numpy", "native"):
        if why_not(executor):
            continue
        plan = cr.compile(chain, executor=executor)._program((x,), {})[1].plan
        assert plan.buffer_bytes <= 3 * x.nbytes


def test_common_subexpressions_run_once():
    f = cr.compile(lambda x: np.exp(x) * np.exp(x) + np.exp(x), executor="numpy")
    assert len(f._program((1.0,), {})[1].plan._steps) == 3


def test_compiled_inside_a_derivative_and_a_derivative_inside():
    f = cr.compile(lambda x: np.sum(x**3))
    assert cr.grad(f)(np.array([2.0])).tolist() == [12]
    assert cr.compile(cr.grad(cr.grad(lambda x: x**3)))(2.0) == 12


def test_several_threads_get_their_own_results():
    compiled = cr.compile(lambda x: np.tanh(x) * x)
    wrong = []

    def work(seed):
        x = np.random.default_rng(seed).normal(size=1000)
        for _ in range(50):
            if np.abs(compiled(x) - np.tanh(x) * x).max() > 1e-14:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_random_numbers_depend_on_seed_stream_and_step_only():
    from chainrule.graph.statement import input_statement, lookup
    from chainrule.run import make_plan

    key = input_statement((2,), np.uint64)
    draw = lookup("random_uniform")(key, stream=3, shape=(1000,), dtype=np.dtype(np.float32))
    plan = make_plan(Graph((key,), (draw,)))
    first, again, other = (plan(np.array(k, np.uint64))[0] for k in ((1, 0), (1, 0), (1, 1)))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1
    assert first.min() >= 0 and first.max() < 1 and abs(first.mean() - 0.5) < 0.05


def transposed_by_einsum(x):
    a, b = np.einsum("ij->ji", np.sin(x)), np.cos(x)
    c = b * b + 1
    return a + np.exp(c) * c


def row_by_number(x, i):
    a, b = np.sin(x)[i], np.cos(x[0])
    c = np.tanh(x)
    return a + b, c * (np.exp(c) * 2)


def rows_of_a_table(table, w):
    first, second = table[np.array([0, 2, 2])], table[np.array([1, 3, 0])]
    return np.sum(np.sin(first * w) ** 2) + np.sum(np.exp(second) * w) + np.sum(np.tanh(w * w))


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (transposed_by_einsum, (X,)),
        (row_by_number, (X, np.int64(1))),
        (cr.grad(rows_of_a_table, (0, 1)), (X, X[:3])),
    ],
)
def test_memory_is_not_used_again_while_something_looks_into_it(function, args):
    for found, expected in zip(
        Tree(cr.compile(function)(*args)).leaves, Tree(function(*args)).leaves, strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_options_of_a_custom_primitive_are_not_taken_for_one_another():
    @cr.custom(partials=[1.0])
    def shifted(x, *, by):
        return x + by.sum()

    # Printed, both arrays are [0. 0. 0. ... 0. 0. 0.].
    zeros, sevens = np.zeros(5000), np.zeros(5000)
    sevens[2500] = 7
    f = cr.compile(lambda x: 10 * shifted(x, by=zeros) + shifted(x, by=sevens))
    assert f(1.0) == 18


@pytest.mark.parametrize("executor", [e for e in EXECUTORS if not why_not(e)])
@pytest.mark.parametrize("name", ["tanh", "relu", "softmax", "reshape", "row_sparse"])
def test_a_custom_primitive_is_not_taken_for_the_table_s_of_its_name(name, executor):
    thrice = cr.custom(lambda x: 3 * x, partials=[3.0], name=name)
    assert (
        cr.compile(lambda x: thrice(x) + 1, executor=executor)(X[0]).tolist()
        == (3 * X[0] + 1).tolist()
    )
    assert f"custom_{name}" in str(cr.trace(thrice, 1.0))


def test_a_program_is_not_used_for_another_network_in_the_same_place():
    f = cr.compile(lambda net, x: net(x))
    for factor in range(20):  # Each network is gone when the next is made, often at its address.
        net = nn.Sequential(lambda x, factor=factor: x * float(factor))
        assert f(net, X[0, 0]) == X[0, 0] * factor


def test_a_compiled_network_follows_its_parameters():
    net = nn.Sequential(nn.Dense(2, 3, seed=0), nn.BatchNorm(3))
    fast, x = cr.compile(net), np.ones((1, 2), np.float32)
    for path, part in {**net.parameters(), **net.states()}.items():
        np.testing.assert_allclose(fast(x), net(x), rtol=1e-6, err_msg=path)
        net.assign({path: part.value + 0.5})
    np.testing.assert_allclose(fast(x), net(x), rtol=1e-6)


def test_a_compiled_method_of_a_network_follows_its_parameters():
    class Doubled(nn.Dense):
        def twice(self, x, factor=2.0):
            return factor * self(x)

    net, x = Doubled(2, 3, seed=0), np.ones((1, 2), np.float32)
    for fast, plain in ((cr.compile(net.twice), net.twice), (cr.compile(net.forward), net)):
        np.testing.assert_allclose(fast(x), plain(x), rtol=1e-6)
        net.assign({"weight": net.weight.value + 1.0})
        np.testing.assert_allclose(fast(x), plain(x), rtol=1e-6)
    np.testing.assert_allclose(cr.compile(net.twice)(x, factor=3.0), 3 * net(x), rtol=1e-6)


def test_the_programs_used_last_are_kept():
    traced = []

    def power(x, n):
        traced.append(n)
        return x**n

    fast = cr.compile(power, static=1)
    for n in range(PROGRAMS + 1):
        assert fast(1.5, n) == 1.5**n
        fast(1.5, 1)  # In use all the time.
    assert len(fast._programs) == PROGRAMS
    traced.clear()
    assert fast(1.5, 1) == 1.5 and fast(1.5, PROGRAMS) == 1.5**PROGRAMS and traced == []
    assert fast(1.5, 0) == 1.0 and traced == [0]


def test_a_method_can_be_compiled():
    class Scale(nn.Module):
        def __init__(self, factor):
            self.factor = nn.Parameter(factor)

        @cr.compile
        def forward(self, x):
            return x * self.factor

    assert Scale(2.0)(3.0) == 6.0 and Scale(5.0).forward(3.0) == 15.0


def test_a_compiled_function_follows_the_mode():
    net, x = nn.Sequential(nn.Dense(4, 4, seed=0), nn.Dropout(0.5)), np.ones((2, 4), np.float32)
    fast = cr.compile(lambda net, x: net(x))
    evaluated = fast(net, x)
    with nn.training(seed=3):
        trained = [fast(net, x), fast(net, x)]
        with nn.evaluation():
            np.testing.assert_array_equal(fast(net, x), evaluated)
    with nn.training(seed=3):
        for found in trained:
            np.testing.assert_allclose(found, net(x), rtol=1e-6)
    np.testing.assert_array_equal(fast(net, x), evaluated)


@pytest.mark.parametrize("function", [np.sum, np.prod, np.cumsum, np.mean])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.bool_])
def test_small_integers_add_up_as_numpy_adds_them(function, dtype):
    x = np.array([200, 100, 50, 1]).astype(dtype)
    found, expected = cr.compile(function)(x), function(x)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_a_bool_traced_or_known_adds_up_alike():
    assert cr.compile(lambda x: np.sum(x > 0))(np.ones(300)) == 300


@pytest.mark.parametrize(
    ("function", "args", "words"),
    [
        (lambda x: x if x > 0 else -x, (1.0,), "np.where"),
        (lambda x: x[x > 0], (np.ones(3),), "masked selection"),
        (lambda x: [0.0] * int(np.argmax(x)), (np.ones(3),), "an index"),
        (lambda x: x, (np.array(["a"]),), "arrays of numbers"),
        (lambda x: x & 1, (np.array([2]),), "np.bitwise_and of numbers"),
        (lambda x: ~x, (np.array([2]),), "np.invert of numbers"),
        (lambda x: np.take(x, [-1], mode="clip"), (np.ones(3),), "np.take with mode='clip'"),
    ],
)
def test_what_cannot_be_staged_names_the_line(function, args, words):
    with pytest.raises(TraceError) as caught:
        cr.compile(function)(*args)
    assert words in str(caught.value)
    assert "test_compile.py" in str(caught.value)


def test_a_value_that_escaped_is_named():
    kept = []

    def leak(x):
        kept.append(x)
        return x

    cr.compile(leak)(1.0)
    with pytest.raises(TraceError, match="was kept and used here"):
        cr.compile(lambda y: y + kept[0])(2.0)


def test_a_computed_state_does_not_leave_inside_of_a_network():
    def moved(net, x):
        with nn.training(np.array([0, 0])):
            net = net.replaced({})
            net(x)
            return net.replaced({path: s.updated for path, s in net.states().items()})

    with pytest.raises(TraceError, match="return their values as arrays"):
        cr.compile(moved)(nn.BatchNorm(3), np.ones((4, 3)))


def test_unknown_executor():
    with pytest.raises(ChainruleError, match="no executor 'abacus'"):
        cr.compile(lambda x: x, executor="abacus")(1.0)
