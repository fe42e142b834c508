"""Malformed op lists are refused before anything runs, and never end the process."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
import chainrule.functions as F
from chainrule.run import native

if not native.available():
    pytest.skip("the native core is not built", allow_module_level=True)

import chainrule._native as _native
from chainrule.graph.graph import Graph
from chainrule.graph.statement import lookup
from chainrule.run.native.plan import NativePlan
from chainrule.tracing.traced import Traced, lower

F64, I64 = _native.DTYPES["f64"], _native.DTYPES["i64"]
KIND, CODE, KERNEL = _native.BUFFERS, _native.OPERATIONS, _native.kernels()


def primitive(name: str, *arguments: Any, **attributes: Any) -> Any:
    return Traced(lookup(name)(*map(lower, arguments), **attributes))


def network(x: Any, weight: Any, bias: Any, labels: Any, table: Any, rows: Any) -> Any:
    hidden = np.tanh(F.dense(x, weight, bias)) + np.sum(table[rows], axis=0)
    loss = np.mean(F.cross_entropy(hidden, labels))

    def step(h: Any, x: Any) -> Any:
        inner, _ = cr.scan(lambda c, y: (c * y, None), h[0], x[:2])
        return np.tanh(h @ weight @ weight.T[:, :3] + x) * inner, h[1]

    whole = primitive("combine_rows", rows, table[rows], height=2)
    first = primitive("first_rows", rows, height=2)
    loss = loss + np.sum(primitive("put_rows", table, rows, whole)) + np.sum(np.where(first, 1, 0))
    square = weight.T[:3] @ weight[:, :3] + np.eye(3)
    solved = np.linalg.solve(square, x.T) + np.linalg.inv(square)[:, :1]
    loss = loss + np.sum(np.sort(solved, axis=1)) + np.linalg.slogdet(square)[1]
    last, seen = cr.scan(step, x[0], x, reverse=True)
    loss = loss + np.sum(last) + np.sum(seen)
    return loss + np.sum(np.where(hidden > 0, hidden, 0.1 * hidden).T[::-1]) + np.max(hidden)


ARGUMENTS = (
    np.linspace(-1, 1, 12).reshape(4, 3),
    np.linspace(-1, 1, 15).reshape(3, 5),
    np.zeros(5),
    np.array([0, 4, 2, 1]),
    np.linspace(0, 1, 10).reshape(2, 5),
    np.array([1, 0, 1]),
)


def real_list() -> dict[str, Any]:
    """A list with most operations, as the planner writes it."""
    gradient = cr.value_and_grad(network, argnums=(0, 1, 2, 4))
    plan = cr.compile(gradient, executor="native")._program(ARGUMENTS, {})[1].plan
    return {
        "buffers": plan.layout.buffers,
        "slots": plan.layout.slots,
        "operations": plan.layout.operations,
        "bodies": plan.layout.bodies,
        "outputs": plan._forms,
    }


REAL = real_list()


def run(description: dict[str, Any], inputs: list[Any], sizes: list[int]) -> list[Any]:
    program = _native.Program(
        description["buffers"], description["slots"], description["operations"], 0,
        description["bodies"],
    )  # fmt: skip
    outputs = [np.zeros(max(size, 0), np.uint8) for size in sizes]
    program.run(inputs, outputs)
    return outputs


def one(operation: tuple[Any, ...], slots: list[Any], buffers: list[Any] | None = None) -> None:
    buffers = buffers or [(KIND["arena"], 256, None), (KIND["input"], 64, None)]
    _native.Program(buffers, slots, [operation], 0)


def slot(
    offset: int = 0, shape: Any = (4,), strides: Any = (1,), buffer: int = 0, dtype: int = F64
) -> Any:
    return (buffer, offset, dtype, shape, strides)


def add(inputs: list[int], outputs: list[int], block: Any = None, results: Any = (2,)) -> Any:
    block = [(KERNEL["add.f64"][0], 0, 1, 0)] if block is None else block
    return (CODE["elementwise"], inputs, outputs, [], [], block, list(results))


SLOTS = [slot(0), slot(64), slot(128), slot(buffer=1)]
# fmt: off
REFUSED: dict[str, Any] = {
    "a slot that is not there": (add([0, 9], [2]), SLOTS, "not a slot"),
    "beyond the buffer": (add([0, 1], [2]), [slot(240), *SLOTS[1:]], "outside"),
    "before the buffer": (add([0, 1], [2]), [slot(0, strides=(-1,)), *SLOTS[1:]], "outside"),
    "negative offset": (add([0, 1], [2]), [slot(-8), *SLOTS[1:]], "outside"),
    "not aligned": (add([0, 1], [2]), [slot(3), *SLOTS[1:]], "aligned"),
    "huge shape": (add([0, 1], [2]), [slot(shape=(2**40, 2**40), strides=(0, 0)), *SLOTS[1:]],
        "entries"),
    "stride missing": (add([0, 1], [2]), [slot(shape=(2, 2)), *SLOTS[1:]], "stride"),
    "buffer that is not there": (add([0, 1], [2]), [slot(buffer=7), *SLOTS[1:]], "not there"),
    "other shapes": (add([0, 1], [2]), [slot(shape=(3,)), *SLOTS[1:]], "shape"),
    "other dtypes": (add([0, 1], [2]), [slot(dtype=I64), *SLOTS[1:]], "dtype"),
    "writes an input": (add([0, 1], [3]), SLOTS, "only read"),
    "result overlaps itself": (add([0, 1], [2]), [*SLOTS[:2], slot(128, strides=(0,)), SLOTS[3]],
        "overlap"),
    "result overlaps an operand": (add([0, 1], [2]), [*SLOTS[:2], slot(8), SLOTS[3]], "overlaps"),
    "value not computed yet": (add([0, 1], [2], [(KERNEL["add.f64"][0], 0, 2, 0)]), SLOTS,
        "not computed"),
    "unknown instruction": (add([0, 1], [2], [(9999, 0, 1, 0)]), SLOTS, "unknown instruction"),
    "result not computed": (add([0, 1], [2], results=(5,)), SLOTS, "not computed"),
    "no result": (add([0, 1], [], results=()), SLOTS, "without a result"),
    "two results in one place": (add([0, 1], [2, 2], results=(2, 2)), SLOTS, "two results"),
    "unknown reduction": ((CODE["reduce"], [0], [1], [99, 1], [], [], []), SLOTS,
        "unknown reduction"),
    "reduction without attributes": ((CODE["reduce"], [0], [1], [], [], [], []), SLOTS,
        "attribute"),
    "product of vectors": ((CODE["multiply"], [0, 1], [2], [0, 0, 0], [], [], []), SLOTS,
        "matrices"),
    "product without attributes": ((CODE["multiply"], [0, 1], [2], [0], [], [], []), SLOTS,
        "attribute"),
    "product without its gate": ((CODE["multiply"], [0, 1], [2], [0, 0, 1], [], [], []), SLOTS,
        "number of operands"),
    "product with a gate of another shape": ((CODE["multiply"], [0, 1, 3], [2], [0, 0, 1], [], [],
        []), [*(slot(64 * i, shape=(2, 2), strides=(2, 1)) for i in range(3)), slot(buffer=1)],
        "gate"),
    "unknown callback": ((CODE["callback"], [], [], [0], [], [], []), SLOTS, "callback"),
    "index of floats": ((CODE["gather"], [0, 1], [2], [], [], [], []), SLOTS, "index"),
    "check of an array": ((CODE["check_finite"], [0], [], [], [], [], []), SLOTS, "number"),
    "unknown operation": ((99, [0], [1], [], [], [], []), SLOTS, "unknown operation"),
}
# fmt: on


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_lists_are_refused(name: str) -> None:
    operation, slots, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        one(operation, slots)


def test_a_well_formed_list_is_taken() -> None:
    one(add([0, 1], [2]), SLOTS)
    one(add([0, 1], [0]), SLOTS)  # A result in the place of an operand.


def test_buffers_that_are_too_small_are_refused() -> None:
    program = _native.Program(
        [(KIND["input"], 32, None), (KIND["output"], 32, None)],
        [slot(buffer=0), slot(buffer=1)],
        [(CODE["elementwise"], [0], [1], [], [], [], [0])],
        0,
    )
    x, y = np.arange(4.0), np.zeros(4)
    program.run([x], [y])
    assert y.tolist() == x.tolist()
    for inputs, outputs in (([x[:3]], [y]), ([x], [y[:3]]), ([], [y]), ([x], [y, y])):
        with pytest.raises(ValueError, match=r"input|output"):
            program.run(inputs, outputs)
    with pytest.raises(ValueError, match="fewer than"):
        program.run([x], [y], [], False, 2, [8], [0])
    y.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        program.run([x], [y])


NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.sampled_from([-(2**62), -(2**40), 2**31, 2**40, 2**46, 2**62, 255, 256, 1024]),
)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the integers are in nested lists and tuples."""
    if isinstance(value, int):
        return [prefix]
    if isinstance(value, list | tuple):
        return [p for i, item in enumerate(value) for p in paths(item, (*prefix, i))]
    return []


def replaced(value: Any, path: tuple[Any, ...], number: int) -> Any:
    if not path:
        return number
    items = list(value)
    items[path[0]] = replaced(items[path[0]], path[1:], number)
    return tuple(items) if isinstance(value, tuple) else items


PLACES = {key: paths(REAL[key]) for key in ("buffers", "slots", "operations", "bodies")}


@given(st.data())
@settings(max_examples=1500)
def test_random_changes_are_refused_or_harmless(data: Any) -> None:
    description = copy.copy(REAL)
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(["slots", "operations", "operations", "buffers", "bodies"]))
        place = data.draw(st.sampled_from(PLACES[key]))
        number = data.draw(NUMBERS)
        if key == "buffers" and place[-1] == 1:
            number = min(number, 1 << 20)  # An arena of the size of the machine is no mistake.
        description[key] = replaced(description[key], place, number)
    sizes = [n for kind, n, _ in description["buffers"] if kind == KIND["output"]]
    wanted = [
        n for kind, n, _ in description["buffers"] if kind in (KIND["input"], KIND["updated_input"])
    ]
    if any(size > 1 << 24 for size in [*sizes, *wanted]):
        return
    inputs = [np.ones(max(n, 0) // 8 + 1) for n in wanted]
    with contextlib.suppress(ValueError, IndexError, TypeError, OverflowError):
        run(description, inputs, sizes)


def test_the_list_that_is_changed_runs() -> None:
    plan = cr.compile(cr.value_and_grad(network, argnums=(0, 1, 2, 4)), executor="native")
    reference = cr.value_and_grad(network, argnums=(0, 1, 2, 4))
    np.testing.assert_allclose(plan(*ARGUMENTS)[0], reference(*ARGUMENTS)[0])
    assert isinstance(NativePlan(Graph((), ())), NativePlan)
