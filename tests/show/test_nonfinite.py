"""The first NaN or infinity: which statement, from what, on which line, forward or backward."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.graph import Graph
from chainrule.graph.statement import constant, input_statement, lookup
from chainrule.show.nonfinite import NonFinite, first_nonfinite


def found(function: object, *args: object) -> NonFinite:
    problem = cr.trace(function, *args).first_nonfinite()
    assert problem is not None
    return problem


def test_finite_traces_have_none() -> None:
    assert cr.trace("ln(x1) + x1*x2 - sin(x2)", 2, 5).first_nonfinite() is None
    assert cr.trace(lambda x: np.maximum(x, 0).sum(), np.ones(20)).first_nonfinite() is None


def test_forward() -> None:
    problem = found("ln(x1) + x1*x2 - sin(x2)", -2, 5)
    assert (problem.phase, problem.name, problem.expression) == ("forward", "v2", "ln(v0)")
    assert problem.operands == (("v0", -2.0),) and np.isnan(problem.value)
    assert str(problem) == (
        "the first NaN appeared in the forward pass: v2 = ln(v0) = nan, with v0 = -2"
    )


def test_the_first_is_the_first_in_time_and_not_in_numbering() -> None:
    def function(x: float) -> float:
        early = np.log(np.log(np.log(x)))
        return early + 1 / (x - x)

    assert found(function, 1.0).expression == "ln(v1)"


def test_backward() -> None:
    def function(x: float) -> float:
        return np.sqrt(x) * 3

    problem = found(function, 0.0)
    assert (problem.phase, problem.name, problem.expression) == ("backward", "v̄0", "v̄1·0.5/v1")
    assert dict(problem.operands) == {"v̄1": 3.0, "v0": 0.0, "v1": 0.0}
    assert problem.kind == "infinity" and problem.value == np.inf
    assert "return np.sqrt(x) * 3" in str(problem)
    assert problem.origin is not None and problem.origin.function == "function"


def test_overflow_in_a_sum_of_contributions() -> None:
    big = np.finfo(float).max
    problem = found(lambda x: big * x + big * x, 0.0)
    assert (problem.phase, problem.name) == ("backward", "v̄0")
    assert problem.value == np.inf


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_input(value: float) -> None:
    problem = found("x + y", 1.0, value)
    assert (problem.phase, problem.name) == ("input", "y")
    assert str(problem) == f"the input y is not finite: {value:g}"


def test_entry_of_an_array() -> None:
    x = np.ones((10, 10))
    x[3, 4] = x[5, 5] = -1.0
    text = str(found(lambda x: np.log(x + 0.0).sum(), x))
    assert "v2 = ln(v1) = nan at [3, 4] (2 of 100 entries), with v1 = -1 at [3, 4]" in text
    assert "test_nonfinite.py:" in text


def test_a_constant_that_is_not_finite() -> None:
    mask = np.array([0.0, -np.inf])
    assert ("a constant", mask.tolist()) in [
        (name, value.tolist()) for name, value in found(lambda x: x + mask, np.ones(2)).operands
    ]


def test_module_path() -> None:
    from chainrule import nn

    net = nn.MLP(2, [3], 1, seed=0)
    with np.errstate(all="ignore"):
        problem = found(lambda x: net(x).sum(), np.full((1, 2), 1.7e308))
    assert problem.origin is not None and problem.origin.path


# ----- a staged graph -----


def test_replay_of_a_staged_graph() -> None:
    x = input_statement((3,), float, name="x")
    weights = input_statement((3,), float, name="weights")
    graph = Graph((x, weights), (lookup("log")(x * weights) / constant(2.0),))
    assert first_nonfinite(graph, [np.ones(3), np.ones(3)]) is None
    problem = first_nonfinite(graph, [np.ones(3), np.array([1.0, 0.0, 1.0])])
    assert problem is not None
    assert (problem.phase, problem.name, problem.expression) == ("forward", "v3", "ln(v2)")
    assert problem.value[1] == -np.inf and problem.operands[0][1].tolist() == [1, 0, 1]
    problem = first_nonfinite(graph, [np.ones(3), np.array([1.0, np.nan, 1.0])])
    assert problem is not None and (problem.phase, problem.name) == ("input", "weights")
