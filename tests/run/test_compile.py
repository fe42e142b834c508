"""cr.compile and the NumPy executor: the same numbers, memory of its own, clear errors."""

import threading

import numpy as np
import pytest

import chainrule as cr
import chainrule.functions as F
from chainrule.errors import ChainruleError, TraceError
from chainrule.graph.graph import Graph
from chainrule.run import EXECUTORS

RANDOM = np.random.default_rng(0)


def network(parameters, x, labels):
    for weight, bias in parameters[:-1]:
        x = F.relu(F.dense(x, weight, bias))
    weight, bias = parameters[-1]
    return np.mean(F.cross_entropy(F.dense(x, weight, bias), labels))


def network_arguments():
    sizes = [4, 8, 8, 3]
    parameters = [
        (RANDOM.normal(size=pair).astype(np.float32), np.zeros(pair[1], np.float32))
        for pair in zip(sizes, sizes[1:], strict=False)
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

    for executor in EXECUTORS:
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
    assert 0 <= first.min() and first.max() < 1 and abs(first.mean() - 0.5) < 0.05


@pytest.mark.parametrize(
    ("function", "args", "words"),
    [
        (lambda x: x if x > 0 else -x, (1.0,), "np.where"),
        (lambda x: x[x > 0], (np.ones(3),), "masked selection"),
        (lambda x: [0.0] * int(np.argmax(x)), (np.ones(3),), "an index"),
        (lambda x: x, (np.array(["a"]),), "arrays of numbers"),
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


def test_unknown_executor():
    with pytest.raises(ChainruleError, match="no executor 'abacus'"):
        cr.compile(lambda x: x, executor="abacus")(1.0)
