"""Loops in the native core: values and derivatives equal NumPy's, and nothing returns to Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph import Graph, all_primitives, input_statement
from chainrule.run import native

pytestmark = pytest.mark.skipif(not native.available(), reason="the native core is not built")

RNG = np.random.default_rng(5)
WEIGHT = RNG.normal(size=(3, 3)) * 0.5
XS = RNG.normal(size=(7, 3))
START = RNG.normal(size=3)


def recurrent(weight: Any, xs: Any, h: Any) -> Any:
    last, ys = cr.scan(lambda h, x: (np.tanh(h @ weight + x), np.sum(h)), h, xs)
    return np.sum(last * last) + np.sum(ys * ys)


def two_ways(weight: Any, xs: Any, h: Any) -> Any:
    back, _ = cr.scan(lambda h, x: (np.sin(h * x), None), h, xs, reverse=True)
    _, forth = cr.scan(lambda h, x: (h + x, h * x), back, xs)
    return np.sum(np.cos(forth) @ weight)


def exchange(weight: Any, xs: Any, h: Any) -> Any:
    """Carries that change places, one that stays, one that counts, one that is only read."""

    def body(carry: Any, x: Any) -> Any:
        a, b, stays, count, total = carry
        return (b, a * 0.5 + x, stays, count + 1, total + np.sum(a * stays)), (a, a, count)

    first = (h, h * 2.0, h - 1.0, np.int64(0), 0.0)
    (a, b, stays, count, total), (seen, again, counts) = cr.scan(body, first, xs)
    parts = np.sum(a) - np.sum(b * stays) + total + np.sum(seen * again)
    return parts + np.sum(counts * xs[:, 0]) + count


def nested(weight: Any, xs: Any, h: Any) -> Any:
    def inner(s: Any, w: Any) -> Any:
        return np.tanh(s + w @ s), np.sum(s)

    def outer(h: Any, x: Any) -> Any:
        last, sums = cr.scan(inner, h * x, np.stack([weight, weight.T]), reverse=True)
        return last, sums * x[0]

    last, sums = cr.scan(outer, h, xs)
    return np.sum(last) + np.sum(sums**2)


def views(weight: Any, xs: Any, h: Any) -> Any:
    """Sequences that are transposed, reversed, spread or stretched; constants as well."""
    wide = np.concatenate([xs, xs * 2.0], axis=1)

    def body(h: Any, x: Any) -> Any:
        a, b, c, d = x
        return h * 0.9 + a + b[::-1] + c, (h @ weight.T)[::2] * d

    sequences = (xs[::-1], wide[:, ::2][:, ::-1], (xs.T * 1.0).T, np.broadcast_to(h[:1], (7, 1)))
    last, ys = cr.scan(body, np.broadcast_to(h[:1], (3,)), sequences)
    return np.sum(last) + np.sum(ys * ys)


def of_no_sequence(weight: Any, xs: Any, h: Any) -> Any:
    last, _ = cr.scan(lambda h, _: (h - 0.1 * np.sin(h) @ weight, None), h, length=12)
    return np.sum(last * xs)


def selecting(weight: Any, xs: Any, h: Any) -> Any:
    """Rows of a table picked in each step, whose gradients are sums over the steps."""

    def body(h: Any, x: Any) -> Any:
        row = weight[np.int64(1)] + weight[x]
        return np.where(h > 0, h, 0.2 * h) + row, np.max(h)

    last, ys = cr.scan(body, h, np.array([0, 2, 1, 2, 2]))
    return np.sum(last * last) + np.sum(ys)


PROGRAMS = {
    f.__name__: f for f in (recurrent, two_ways, exchange, nested, views, of_no_sequence, selecting)
}
DERIVED: dict[str, Any] = {
    "value": lambda f: f,
    "gradient": lambda f: cr.value_and_grad(f, (0, 1, 2)),
    "tangent": lambda f: lambda *a: cr.jvp(f, a, [np.ones(np.shape(x)) for x in a]),
    "second order": lambda f: (
        lambda *a: cr.grad(
            lambda *b: sum(np.sum(g * g) for g in cr.grad(f, (0, 1, 2))(*b)), (0, 1, 2)
        )(*a)
    ),
}


def leaves(result: Any) -> list[Any]:
    return (
        [leaf for part in result for leaf in leaves(part)]
        if isinstance(result, tuple)
        else [result]
    )


def assert_equal(found: Any, expected: Any, rtol: float = 1e-10) -> None:
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 100)


@pytest.mark.parametrize("steps", [7, 1, 2, 0])
@pytest.mark.parametrize("derived", DERIVED)
@pytest.mark.parametrize("name", PROGRAMS)
def test_equals_numpy(name: str, derived: str, steps: int) -> None:
    if steps != 7 and name in ("views", "selecting"):
        steps = 7
    arguments = (WEIGHT, XS[:steps], START)
    function = DERIVED[derived](PROGRAMS[name])
    expected = cr.compile(function, executor="numpy")(*arguments)
    compiled = cr.compile(function, executor="native")
    for _ in range(2):  # Memory is used again.
        assert_equal(compiled(*arguments), expected)
    assert not compiled._program(arguments, {})[1].plan.lowering.fallbacks


@pytest.mark.parametrize("length", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("reverse", [False, True])
def test_every_result(length: int, reverse: bool) -> None:
    """Last carries, outputs and histories, for even and odd numbers of steps."""
    h, x, w = (input_statement((3,), np.float32) for _ in range(3))
    total = input_statement((), np.float64)
    row = all_primitives()
    body = Graph(
        (h, total, x, w), (h * x + w, total + 1.0, h * w, row["max"](h, axis=(0,), keepdims=False))
    )
    initial = input_statement((3,), np.float32), input_statement((), np.float64)
    xs, constant = input_statement((length, 3), np.float32), input_statement((3,), np.float32)
    values = [
        START.astype("f4"),
        np.float64(2),
        RNG.normal(size=(length, 3)).astype("f4"),
        WEIGHT[0].astype("f4"),
    ]
    for saved in ((), (0,), (1, 0)):
        s = row["scan"](
            *initial, xs, constant, body=body, carries=2, sequences=1, length=length,
            reverse=reverse, saved=saved,
        )  # fmt: skip
        outputs = tuple(row["item"](s, position=i) for i in range(4 + len(saved)))
        graph = Graph((*initial, xs, constant), outputs)
        from chainrule.run import make_plan

        expected = make_plan(graph, "numpy")(*values)
        assert_equal(make_plan(graph, "native")(*values), expected, 1e-6)


def test_numpy_inside_of_a_body() -> None:
    """What the core has no operation for is called in every step."""

    def f(weight: Any, xs: Any, h: Any) -> Any:
        def body(h: Any, x: Any) -> Any:
            rounded = (h + x).astype(np.float16).astype(np.float64)
            return np.tanh(rounded @ weight), (np.sum(weight * x).astype(np.float16), rounded)

        def outer(h: Any, x: Any) -> Any:
            last, (a, b) = cr.scan(body, h * x, xs)
            return last, np.sum(a) + np.sum(b.astype(np.float16)[0])

        last, ys = cr.scan(outer, h, xs)
        return np.sum(last) + np.sum(ys)

    for derived in (f, cr.value_and_grad(f, (0, 1, 2))):
        compiled = cr.compile(derived, executor="native")
        for scale in (1.0, 0.5):
            arguments = (WEIGHT * scale, XS, START)
            assert_equal(compiled(*arguments), cr.compile(derived, executor="numpy")(*arguments))


def test_the_gradient_of_a_long_loop_is_two_loops() -> None:
    xs = np.random.default_rng(1).normal(size=(1024, 3))
    gradient = cr.value_and_grad(recurrent, (0, 1, 2))
    compiled = cr.compile(gradient, executor="native")
    assert_equal(compiled(WEIGHT, xs, START), gradient(WEIGHT, xs, START), 1e-8)
    text = compiled.explain(WEIGHT, xs, START)
    assert text.count("scan of 1024 steps") == 2
    assert "NumPy" not in text
