"""Traces: the textbook's numbers, formulas that follow from the rows, arrays and networks."""

import json
import math
import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DifferentiationError, ShapeError, TraceError
from chainrule.graph.primitive import Kind
from chainrule.graph.statement import all_primitives
from chainrule.show.style import BAR, DOT, TEXT
from chainrule.show.tables import tables
from chainrule.show.trace import Trace
from chainrule.tracing.formula import parse

TEXTBOOK = "ln(x1) + x1*x2 - sin(x2)"


def textbook(x1: float, x2: float) -> float:
    return np.log(x1) + x1 * x2 - np.sin(x2)


def plain_letters(text: str) -> str:
    """A printed formula in the language of formulas: v̄3·v1² as a3*v1^2."""
    text = re.sub(rf"v{BAR}(\d+)", r"a\1", text)
    text = re.sub(rf"v{DOT}(\d+)", r"t\1", text)
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    return re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda match: "^" + match[0].translate(digits), text)


# ----- the textbook's example -----


@pytest.mark.parametrize("function", [TEXTBOOK, parse(TEXTBOOK), textbook])
def test_textbook(function: object) -> None:
    found = cr.trace(function, 2, 5)
    evaluation, tangents, adjoints = tables(found)
    assert [(row.name, row.expression) for row in evaluation.rows] == [
        ("v0", "x1"),
        ("v1", "x2"),
        ("v2", "ln(v0)"),
        ("v3", "v0·v1"),
        ("v4", "sin(v1)"),
        ("v5", "v2 + v3"),
        ("v6", "v5 - v4"),
        ("y", "v6"),
    ]
    v2, v4 = math.log(2), math.sin(5)
    expected = [2, 5, v2, 10, v4, v2 + 10, v2 + 10 - v4]
    assert [found.value(i) for i in range(7)] == pytest.approx(expected, rel=1e-15)
    assert round(found.value("y"), 3) == 11.652
    assert tangents.value_heads == ("ẋ1 = 1", "ẋ2 = 1")
    assert {row.name: (row.expression, row.values) for row in tangents.rows} == {
        "v̇0": ("ẋ1", ("1", "0")),
        "v̇1": ("ẋ2", ("0", "1")),
        "v̇2": ("v̇0/v0", ("0.5", "0")),
        "v̇3": ("v̇0·v1 + v̇1·v0", ("5", "2")),
        "v̇4": ("v̇1·cos(v1)", ("0", "0.283662")),
        "v̇5": ("v̇2 + v̇3", ("5.5", "2")),
        "v̇6": ("v̇5 - v̇4", ("5.5", "1.71634")),
        "ẏ": ("v̇6", ("5.5", "1.71634")),
    }
    assert [(row.name, row.expression, *row.values) for row in adjoints.rows] == [
        ("v̄6", "ȳ", "1"),
        ("v̄5", "v̄6", "1"),
        ("v̄4", "-v̄6", "-1"),
        ("v̄3", "v̄5", "1"),
        ("v̄2", "v̄5", "1"),
        ("v̄1", "v̄4·cos(v1) + v̄3·v0", "1.71634"),
        ("v̄0", "v̄3·v1 + v̄2/v0", "5.5"),
    ]
    assert [row.notes[0] for row in adjoints.rows[-2:]] == ["1.71634", "5.5"]
    assert max(check.deviation for check in found.checks.values()) < 1e-8
    assert found.gradient == pytest.approx({"x1": 5.5, "x2": 2 - math.cos(5)})


def test_one_seed_shows_one_tangent_trace() -> None:
    found = cr.trace(TEXTBOOK, 2, 5, seed="x1")
    assert found.seeds == ("x1",)
    assert found.tangent("y") == 5.5
    assert "Tangent trace, ẋ1 = 1\n" in str(found)
    assert found.tangent("y", "x2") == pytest.approx(2 - math.cos(5))


def test_seeds_in_a_direction() -> None:
    found = cr.trace(TEXTBOOK, 2, 5, seed={"x1": 2, "x2": 1})
    assert found.tangent("y") == pytest.approx(11 + 2 - math.cos(5))


def test_constants_are_written_where_they_are_used() -> None:
    found = cr.trace(lambda x: 3 * x + np.sin(1.0) - 2**2, 1.0)
    assert [line.expression() for line in found.lines][1] == "3·v0"
    assert len(found.lines) == 4


def test_numbers_go_by_depth_and_then_by_the_order_of_the_source() -> None:
    found = cr.trace(lambda x, y: np.exp(np.sin(np.cos(x))) + y * y, 1.0, 2.0)
    assert [line.expression() for line in found.lines] == [
        "x", "y", "cos(v0)", "v1·v1", "sin(v2)", "exp(v4)", "v5 + v3",
    ]  # fmt: skip
    assert [line.depth for line in found.lines] == [0, 0, 1, 1, 2, 3, 4]


# ----- formulas follow from the rows -----

ELEMENTWISE = sorted(
    name
    for name, row in all_primitives().items()
    if row.kind is Kind.ELEMENTWISE
    and row.domain is not None
    and name not in ("clip", "where", "logical_and", "logical_or")
    and not row.rules
)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_printed_formulas_evaluate_to_the_printed_numbers(name: str) -> None:
    """Each formula of each row, read back by the parser, gives the number beside it."""
    row = all_primitives()[name]
    count = len(row.partials)
    domains = row.domain or ((-2.0, 2.0),) * count
    domains = domains if len(domains) == count else domains * count
    point = [low + 0.3 * (high - low) + 0.05 * i for i, (low, high) in enumerate(domains)]
    text = f"{name}({', '.join(f'x{i}' for i in range(count))})"
    if row.symbol:
        text = "-x0" if count == 1 else f"x0 {'^' if row.symbol == '**' else row.symbol} x1"
    if row.symbol in ("%", "//"):
        pytest.skip("not in the language of formulas")
    found = cr.trace(f"1.5*({text})", *point, seed="all")
    known = {}
    for line in found.lines:
        known[f"v{line.number}"] = line.value
        known[f"a{line.number}"] = line.adjoint
    checked = 0
    for line in found.lines:
        formulas = [(plain_letters(found.adjoint_expression(line)), line.adjoint)]
        for seed in found.seeds:
            tangents = {f"t{o.number}": found.tangent(o.number, seed) for o in found.lines}
            if not line.input_name:
                formulas.append((plain_letters(line.local.tangent(TEXT)), tangents))
        for formula, expected in formulas:
            if any(mark in formula for mark in ("where", ">", "∂", "\u0233")):
                continue
            values = known
            if isinstance(expected, dict):
                values, expected = known | expected, expected[f"t{line.number}"]
            read = parse(formula)
            assert read(**{n: values[n] for n in read.names}) == pytest.approx(expected, rel=1e-12)
            checked += 1
    assert checked


# ----- arrays, structures, networks -----


def loss(parameters: dict, x: np.ndarray, labels: np.ndarray) -> float:
    hidden = np.tanh(x @ parameters["w1"] + parameters["b1"])
    logits = hidden @ parameters["w2"]
    return cr.functions.cross_entropy(logits, labels).mean() + 0.01 * (parameters["w1"] ** 2).sum()


@pytest.fixture
def network(rng: np.random.Generator) -> tuple:
    parameters = {"w1": rng.normal(size=(4, 8)), "b1": np.zeros(8), "w2": rng.normal(size=(8, 3))}
    return parameters, rng.normal(size=(20, 4)), rng.integers(0, 3, 20)


def test_a_network_agrees_with_grad_and_jvp(network: tuple) -> None:
    parameters, x, labels = network
    found = cr.trace(loss, parameters, x, labels)
    gradient = cr.grad(loss)(parameters, x, labels)
    for name in parameters:
        assert np.array_equal(found.gradient[f"parameters['{name}']"], gradient[name])
        assert np.array_equal(found.adjoint(f"parameters['{name}']"), gradient[name])
    assert found.seeds == () and "labels" not in found.gradient
    ones = np.ones((4, 8))
    with_w1 = lambda w: loss({**parameters, "w1": w}, x, labels)  # noqa: E731
    _, moved = cr.jvp(with_w1, (parameters["w1"],), (ones,))
    assert found.tangent("y", "parameters['w1']") == pytest.approx(moved, rel=1e-12)
    assert all(check.along and check.deviation < 1e-7 for name, check in found.checks.items()
               if name != "parameters['b1']")  # fmt: skip
    text = str(found)
    assert "20×4: min " in text and "test_trace.py:" in text and "v̄8·(1 - v8·v8)" in text


def test_any_entry_can_be_opened(network: tuple) -> None:
    found = cr.trace(loss, *network)
    hidden = next(line.number for line in found.lines if line.expression() == "tanh(v6)")
    assert found.value(hidden).shape == found.adjoint(hidden).shape == (20, 8)
    assert found.tangent(hidden, "x").shape == (20, 8)
    assert found.value("v0") is found.line("parameters['w1']").value


def test_modules_show_their_paths() -> None:
    from chainrule import nn

    net = nn.MLP(3, [4], 1, activation="tanh", seed=0)
    found = cr.trace(lambda net, x: net(x).sum(), net, np.ones((5, 3)), seed=())
    paths = {line.origin.path for line in found.lines if line.origin}
    assert any("[0]" in path for path in paths)
    assert all(name.startswith(("net.", "x")) for name in found.gradient)
    assert all(name in str(found) for name in found.gradient)


def test_hundreds_of_statements() -> None:
    def chain(x: float) -> float:
        for _ in range(600):
            x = np.sin(x) + x * 0.5
        return x

    found = cr.trace(chain, 0.7)
    assert len(found.lines) == 1801
    assert f"… {1801 - 400} more statements …" in str(found)
    assert found.checks["x"].deviation < 1e-6
    assert "more statements" in found.to_html() and "<svg" not in found.to_html()


def test_a_result_of_several_arrays() -> None:
    found = cr.trace(lambda x: {"a": np.sin(x), "b": (x.sum(), 3.0)}, np.array([1.0, 2.0]))
    assert found.output_names == ["y['a']", "y['b'][0]", "y['b'][1]"]
    assert found.gradient["x"] == pytest.approx(np.cos([1, 2]) + 1)
    weighted = cr.trace(np.sin, np.array([1.0, 2.0]), adjoint=[1.0, 10.0])
    assert weighted.gradient["x"] == pytest.approx(np.cos([1, 2]) * [1, 10])
    assert weighted.checks["x"].deviation < 1e-8
    assert found.result["b"][1] == 3.0


def test_a_value_that_is_used_and_returned() -> None:
    found = cr.trace(lambda x: (x**2, 3 * x**2 + x), 2.0)
    assert found.gradient["x"] == 17
    same = cr.trace(lambda x: x, 2.0)
    assert same.gradient == {"x": 1} and same.adjoint_expression(same.lines[0]) == "ȳ"


def test_a_constant_result() -> None:
    found = cr.trace(lambda x: 3.0, 2.0)
    assert found.gradient == {"x": 0} and "y  = 3 = 3" in str(found)
    assert found.to_json()["value"] == 3.0


def test_many_contributions_are_counted() -> None:
    found = cr.trace(lambda x: sum(np.sin(x) * k for k in range(1, 30)) * x, 1.0, seed=())
    assert "(27 more terms)" in found.adjoint_expression(found.lines[0])


def test_names() -> None:
    assert list(cr.trace(lambda *xs: xs[0] * xs[1], 1, 2).gradient) == ["xs[0]", "xs[1]"]
    assert list(cr.trace(lambda a, b: a * b, 1, 2, names=["p", "q"]).gradient) == ["p", "q"]
    assert list(cr.trace(lambda a: a[0] * a[1], (1, 2), names=["p", "q"]).gradient) == ["p", "q"]
    assert list(cr.trace(np.sin, 1.0).gradient) == ["x"]


def test_a_trace_inside_of_a_derivative() -> None:
    def function(x: float) -> float:
        assert cr.trace(TEXTBOOK, x, 5.0).gradient["x1"] == 5.5
        return x * x

    assert cr.grad(function)(2.0) == 4.0


def test_custom_primitives_are_written_by_the_chain_rule() -> None:
    doubled = cr.custom(lambda x: 2 * x, adjoint=lambda y_adjoint, y, x: 2 * y_adjoint)
    found = cr.trace(lambda x: doubled(x) * 3, 1.5, seed=())
    assert found.gradient["x"] == 6
    assert found.adjoint_expression(found.lines[0]) == "v̄1·∂v1/∂v0"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cr.trace(TEXTBOOK, 2, 5, seed="x3"), DifferentiationError, "no input is called"),
        (lambda: cr.trace(TEXTBOOK, 2), ChainruleError, "'x2' has no value"),
        (lambda: cr.trace("2x", 2), ChainruleError, "write 2*x"),
        (lambda: cr.trace(lambda x: None, 2), TraceError, "returned None"),
        (lambda: cr.trace(lambda x: x, 2, names=["a", "b"]), DifferentiationError, "2 names"),
        (lambda: cr.trace(lambda x, y: x, 2, 3, names=["a", "a"]), ChainruleError, "two inputs"),
        (lambda: cr.trace(np.sin, np.ones(2), adjoint=np.ones(3)), ShapeError, "adjoint has shape"),
        (lambda: cr.trace(np.sin, 1.0, seed={"x": [1, 2]}), ShapeError, "tangent of x has shape"),
        (lambda: cr.trace(np.sin, 1.0).value(9), DifferentiationError, "no line 9"),
        (lambda: cr.trace(TEXTBOOK, 2, 5).tangent(3), ChainruleError, "say which input"),
        (lambda: cr.compile(lambda x: cr.trace(np.sin, x) and x)(1.0), TraceError, "outside of"),
    ],
)  # fmt: skip
def test_wrong_use(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)


def test_json_holds_value_gradient_and_statements() -> None:
    found = cr.trace(TEXTBOOK, 2, 5, seed="all").to_json()
    assert found["value"] == pytest.approx(11.652, abs=1e-3)
    assert found["gradient"] == pytest.approx({"x1": 5.5, "x2": 1.716}, abs=1e-3)
    names = {"name", "expression", "value", "adjoint", "tangents", "line", "path"}
    assert all(names <= set(statement) for statement in found["statements"])
    assert found["statements"][3]["tangents"] == {"x1": 5.0, "x2": 2.0}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_json_of_large_arrays_and_of_numbers_that_json_lacks() -> None:
    data = cr.trace(lambda x: np.log(x), np.arange(-1.0, 20.0)).to_json()
    assert data["value"]["shape"] == [21] and data["value"]["nonfinite"] == 2
    data = cr.trace("1/x", 0.0).to_json()
    assert data["value"] == "Infinity" and data["gradient"] == {"x": "-Infinity"}
    json.dumps(data, allow_nan=False)


def test_trace_is_shown_by_repr() -> None:
    found = cr.trace(TEXTBOOK, 2, 5)
    assert isinstance(found, Trace) and repr(found) == str(found)
