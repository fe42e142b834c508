"""GradBench's objectives: values and derivatives against references, and against every peer."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from engines import chainrule as own
from objectives import NAMES, build, sizes
from objectives.problem import Library, Problem, python_scan

from chainrule.run import native

PLAIN = Library(np, lambda step, *args, **options: python_scan(np.stack, step, *args, **options))
CASES = [(name, size) for name in NAMES for size in sizes(name, quick=True)]
EXECUTORS = ["numpy", *(["native"] if native.available() else [])]

every = pytest.mark.parametrize(("name", "size"), CASES, ids=[f"{n}-{s}" for n, s in CASES])


def value(problem: Problem, *variables: Any) -> np.ndarray:
    return np.asarray(problem.value(PLAIN, *variables, *problem.data))


def differences(problem: Problem, h: float = 1e-6) -> list[np.ndarray]:
    """For each variable the derivatives of the value, flat, by central differences: a row each."""
    found = []
    for number, variable in enumerate(problem.variables):
        rows = []
        for place in np.ndindex(variable.shape):
            ends = []
            for sign in (1, -1):
                moved = variable.copy()
                moved[place] += sign * h
                arguments = [*problem.variables]
                arguments[number] = moved
                ends.append(value(problem, *arguments).ravel())
            rows.append((ends[0] - ends[1]) / (2 * h))
        found.append(np.array(rows))
    return found


@every
@pytest.mark.parametrize("executor", EXECUTORS)
def test_value_and_derivative(name: str, size: dict[str, Any], executor: str) -> None:
    problem = build(name, size)
    ready = own.prepare(problem, executor)
    (found,) = ready.arrays("value", ready.value())
    np.testing.assert_allclose(found, value(problem, *problem.variables), rtol=1e-12)
    derivative = ready.arrays("derivative", ready.derivative())
    expected = differences(problem)
    if problem.kind == "jacobian":
        assert problem.pattern is not None
        expected = [np.concatenate(expected).T[problem.pattern]]
    elif problem.kind == "newton":
        (points,) = problem.data
        (centres,) = problem.variables
        nearest = np.argmin(((points[:, None] - centres) ** 2).sum(2), axis=1)
        # The cost of a centre is quadratic: twice its number of points is the second derivative.
        counts = np.bincount(nearest, minlength=len(centres))[:, None]
        expected = [expected[0].reshape(centres.shape) / (2 * counts)]
    for a, b in zip(derivative, expected, strict=True):
        np.testing.assert_allclose(a, b.reshape(a.shape), rtol=1e-5, atol=2e-6 * np.abs(b).max())


@every
@pytest.mark.parametrize("peer", ["autograd", "jax", "pytorch"])
def test_peers_agree(name: str, size: dict[str, Any], peer: str) -> None:
    pytest.importorskip({"pytorch": "torch"}.get(peer, peer))
    problem = build(name, size)
    answers = []
    for ready in (own.prepare(problem, "numpy"), import_module(f"engines.{peer}").prepare(problem)):
        answers.append([
            *ready.arrays("value", ready.value()), *ready.arrays("derivative", ready.derivative()),
        ])  # fmt: skip
    for a, b in zip(*answers, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10 * np.abs(b).max())


@pytest.mark.parametrize("name", ["ba", "ht"])
def test_the_seeds_of_peers_find_every_entry(name: str) -> None:
    """No two variables of a group may meet in a row of the pattern."""
    problem = build(name, sizes(name, quick=True)[0])
    assert problem.pattern is not None
    rows, columns = problem.pattern
    groups = np.concatenate([group.ravel() for group in problem.groups])
    assert len(set(zip(rows.tolist(), groups[columns].tolist(), strict=True))) == len(rows)


@every
def test_inputs_are_the_same_every_time(name: str, size: dict[str, Any]) -> None:
    first, second = build(name, size), build(name, size)
    for a, b in zip(
        (*first.variables, *first.data), (*second.variables, *second.data), strict=True
    ):
        assert a.tobytes() == b.tobytes()


# ----- what the objectives are ------------------------------------------------------------------


@pytest.mark.parametrize("size", sizes("det", quick=True), ids=str)
def test_det_is_the_determinant(size: dict[str, Any]) -> None:
    problem = build("det", size)
    assert value(problem, *problem.variables) == pytest.approx(np.linalg.det(problem.variables[0]))


def test_gmm_is_a_log_posterior() -> None:
    """Against the densities as they are defined, point by point."""
    problem = build("gmm", {"d": 3, "k": 4, "n": 5})
    (alpha, mu, q, low), (x,) = problem.variables, problem.data
    density, prior = np.zeros(len(x)), 0.0
    for k in range(4):
        factor = np.diag(np.exp(q[k]))
        factor[1:, 0], factor[2, 1] = low[k][:2], low[k][2]
        precision = factor.T @ factor
        moved = x - mu[k]
        normal = np.sqrt(np.linalg.det(precision) / (2 * math.pi) ** 3)
        share = np.exp(alpha[k]) / np.exp(alpha).sum()
        density += share * normal * np.exp(-np.einsum("ni,ij,nj->n", moved, precision, moved) / 2)
        # The Wishart density with D + 1 degrees of freedom and the unit matrix.
        gamma = 3 * 2 / 4 * math.log(math.pi) + sum(math.lgamma((4 - j) / 2) for j in range(3))
        prior += -np.trace(precision) / 2 - 4 * 3 / 2 * math.log(2) - gamma
    expected = np.log(density).sum() + prior
    assert value(problem, *problem.variables) == pytest.approx(expected, rel=1e-12)


def test_ode_follows_the_solution() -> None:
    """y_0 = x_0 t, y_1 = x_0 x_1 t^2 / 2, ..., which the method follows exactly up to t^4."""
    problem = build("ode", {"entries": 4, "steps": 3})
    (x,) = problem.variables
    exact = sum(np.prod(x[: i + 1]) * 2.0 ** (i + 1) / math.factorial(i + 1) for i in range(4))
    assert value(problem, x) == pytest.approx(exact, rel=1e-12)


def test_ht_in_its_rest_pose_is_the_mesh() -> None:
    problem = build("ht", {"points": 8, "vertices": 20})
    _, places = problem.variables
    points, *_, mesh, _ = problem.data
    rest = np.concatenate([[1e-9, 0, 0], np.zeros(23)])
    found = points.ravel() - value(problem, rest, places)
    low, high = mesh[:3].min(), mesh[:3].max()
    on_corner = points.ravel() - value(problem, rest, np.tile([1.0, 0.0], (8, 1)))
    assert ((found >= low) & (found <= high)).all()
    for vertex in on_corner.reshape(8, 3):
        assert np.abs(mesh[:3].T - vertex).sum(1).min() < 1e-6
