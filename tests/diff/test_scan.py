"""Loops as one statement: values and derivatives of every order equal the unrolled loop's."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError, TraceError

STEPS = 6


def arguments():
    random = np.random.default_rng(0)
    return (
        random.normal(size=(3, 3)) * 0.5,
        random.normal(size=(STEPS, 3)),
        random.normal(size=3),
    )


def recurrent(weight, xs, start):
    def body(h, x):
        return np.tanh(h @ weight + x), np.sum(h * h)

    last, energies = cr.scan(body, start, xs)
    return np.sum(last) + np.sum(energies)


def unrolled(weight, xs, start):
    h, energy = start, 0.0
    for t in range(STEPS):
        energy = energy + np.sum(h * h)
        h = np.tanh(h @ weight + xs[t])
    return np.sum(h) + energy


def gradient_norm(f):
    return lambda *args: sum(np.sum(g**2) for g in cr.grad(f, (0, 1, 2))(*args))


def directional(f):
    return lambda *args: cr.jvp(f, args, [np.ones(np.shape(a)) for a in args])[1]


@pytest.mark.parametrize(
    "derived",
    [
        lambda f: f,
        lambda f: cr.grad(f, (0, 1, 2)),
        directional,
        lambda f: cr.grad(gradient_norm(f), (0, 1, 2)),
        lambda f: directional(gradient_norm(f)),
        lambda f: cr.grad(directional(f), (0, 1, 2)),
        lambda f: directional(directional(f)),
        lambda f: cr.grad(gradient_norm(gradient_norm(f)), (0, 1, 2)),
        lambda f: cr.compile(cr.grad(f, (0, 1, 2))),
    ],
    ids=[
        "value", "reverse", "forward", "reverse-reverse", "forward-reverse", "reverse-forward",
        "forward-forward", "third", "compiled",
    ],
)  # fmt: skip
def test_equals_the_unrolled_loop(derived):
    found, expected = derived(recurrent)(*arguments()), derived(unrolled)(*arguments())
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_reverse_runs_from_the_last_entry():
    xs = np.array([1.0, 2.0, 3.0])

    def f(xs):
        last, ys = cr.scan(lambda s, x: (s * 0.5 + x, s), 0.0, xs, reverse=True)
        return last + ys[0] ** 2

    last, ys = cr.scan(lambda s, x: (s * 0.5 + x, s), 0.0, xs, reverse=True)
    assert last == 1 + 0.5 * (2 + 0.5 * 3)
    assert ys.tolist() == [3.5, 3.0, 0.0]
    np.testing.assert_allclose(cr.grad(f)(xs), cr.numeric_grad(f)(xs), rtol=1e-6)


def test_nested_structures_integers_and_no_sequence():
    def power(x):
        def body(carry, _):
            return {"value": carry["value"] * x, "count": carry["count"] + 1}, None

        start = {"value": x * 0 + 1.0, "count": np.array(0)}
        return cr.scan(body, start, length=5)[0]

    assert power(2.0)["value"] == 32 and power(2.0)["count"] == 5
    assert cr.grad(lambda x: power(x)["value"])(2.0) == pytest.approx(5 * 2**4)


def test_scan_inside_scan():
    def f(a, xs):
        def outer(s, x):
            inner, _ = cr.scan(lambda c, y: (np.sin(c * a + y), None), s, x)
            return inner, inner

        return np.sum(cr.scan(outer, 0.1, xs)[1])

    xs = np.random.default_rng(1).normal(size=(3, 4))
    for number in (0, 1):
        np.testing.assert_allclose(
            cr.grad(f, number)(0.7, xs), cr.numeric_grad(f, number)(0.7, xs), rtol=1e-6, atol=1e-9
        )


def test_a_thousand_steps_are_one_statement():
    graph = cr.compile(lambda w, x: cr.scan(lambda c, v: (np.tanh(w * c + v), c), 0.0, x)).graph(
        0.5, np.zeros(1000)
    )
    names = [statement.primitive.name for statement in graph.statements]
    assert names.count("scan") == 1 and len(names) < 10


def test_empty_sequence_returns_the_initial_carry():
    def f(start):
        return cr.scan(lambda c, x: (c * x, c), start, np.zeros(0))[0]

    assert f(3.0) == 3.0
    assert cr.grad(f)(3.0) == 1.0


@pytest.mark.parametrize(
    ("body", "initial", "sequence", "error", "words"),
    [
        (lambda c, x: c, 0.0, np.ones(3), TraceError, "(carry, output)"),
        (lambda c, x: (np.stack([c, c]), x), 0.0, np.ones(3), ShapeError, "keep its shape"),
        (lambda c, x: ((c, c), x), 0.0, np.ones(3), ShapeError, "parts"),
        (lambda c, x: (c, x[0]), 0.0, (np.ones(3), np.ones(2)), ShapeError, "one length"),
        (lambda c, x: (c, x), 0.0, None, ShapeError, "one length"),
        (lambda c, x: (c + x, x), np.int64(0), np.ones(3), ShapeError, "begin with a float64"),
        (lambda c, x: (c if c > 0 else x, x), 0.0, np.ones(3), TraceError, "np.where"),
    ],
)
def test_mistakes_are_explained(body, initial, sequence, error, words):
    with pytest.raises(error) as caught:
        cr.scan(body, initial, sequence)
    assert words in str(caught.value)
    assert "test_scan.py" in str(caught.value)


def captured(f, *args):
    graph = cr.compile(f).graph(*args)
    return [
        len(s.arguments) - s.attributes["carries"] - s.attributes["sequences"]
        for s in graph.statements
        if s.primitive.name == "scan"
    ]


def test_what_a_body_reads_twice_from_outside_is_carried_once():
    def f(w, xs):
        def body(h, x):
            h = np.tanh(h * w[0] + x)
            return h * w[0] + w[1], None

        return np.sum(cr.scan(body, w[2], xs)[0])

    w, xs = np.array([[0.5, 0.2], [0.1, 0.3], [1.0, 2.0]]), np.ones((4, 2))
    assert captured(f, w, xs) == [2]
    assert captured(cr.grad(f), w, xs)[0] == 2

    def unrolled(w, xs):
        h = w[2]
        for x in xs:
            h = np.tanh(h * w[0] + x) * w[0] + w[1]
        return np.sum(h)

    np.testing.assert_allclose(cr.grad(f)(w, xs), cr.grad(unrolled)(w, xs), rtol=1e-12)


def test_equal_values_to_differentiate_by_stay_two():
    def f(a, b):
        return cr.scan(lambda h, _: (h * a + b, None), 1.0, length=3)[0]

    def slope(z):
        return sum(cr.grad(f, (0, 1))(z, z))

    # f = a^3 + b a^2 + b a + b; at a = b = z the sum of both slopes is 6 z^2 + 2 z + 1.
    assert cr.grad(slope)(2.0) == pytest.approx(12 * 2.0 + 2)
    assert slope(2.0) == pytest.approx(6 * 4 + 2 * 2 + 1)


def logistic(w, xs):
    """A recurrence whose body has an exponential, a hyperbolic tangent and a product."""

    def body(h, x):
        return np.tanh(h @ w) / (1 + np.exp(-x)) + np.exp(-h * h), h

    last, hs = cr.scan(body, xs[0], xs)
    return np.sum(last * last) + np.sum(hs[-1])


def scans(graph):
    return [s for s in graph.statements if s.primitive.name == "scan"]


def names_in(scan):
    body = scan.attributes["body"]
    return {s.primitive.name for s in body.statements[len(body.inputs) :]}


def test_the_backward_loop_reads_what_was_costly():
    w, xs = np.random.default_rng(0).normal(size=(2, 3, 3))
    compiled = cr.compile(cr.grad(logistic, (0, 1)))
    forward, backward = scans(compiled.graph(w, xs))
    assert {"exp", "tanh", "matmul"} <= names_in(forward)
    assert not {"exp", "tanh"} & names_in(backward)
    for found, expected in zip(compiled(w, xs), cr.grad(logistic, (0, 1))(w, xs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_results_of_loops_that_nobody_reads_are_dropped():
    w, xs = np.random.default_rng(0).normal(size=(2, 3, 3))
    (value,) = scans(cr.compile(logistic).graph(w, xs))
    assert len(value.shape) == 2  # The last carry and the output: no history, nothing costly.
    forward, _ = scans(cr.compile(cr.grad(logistic, (0, 1))).graph(w, xs))
    # Beside these the history of the carry, and tanh, 1 / (1 + exp) and exp.
    assert len(forward.shape) == 6


def test_equals_differences_in_every_order():
    w, xs = np.random.default_rng(0).normal(size=(2, 3, 3)) / 2
    cr.check_grads(logistic, (w, xs), order=2)
