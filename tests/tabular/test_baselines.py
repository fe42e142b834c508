"""Baselines learn what there is to learn, and say how they were tuned."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.tabular.baselines import (
    Rows,
    boosted_trees_baseline,
    linear_baseline,
    majority_baseline,
)
from chainrule.tabular.metrics import measure


def data(task: str, seed: int, rows: int = 600) -> Rows:
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(rows, 4)).astype(np.float32)
    score = 2 * inputs[:, 0] - inputs[:, 1] + 0.3 * generator.normal(size=rows)
    if task == "regression":
        return Rows(inputs, 1e6 + 100 * score)
    bounds = [0.0] if task == "binary" else [-1.0, 1.0]
    return Rows(inputs, np.searchsorted(bounds, score))


CLASSES = {"binary": 2, "multiclass": 3, "regression": 0}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_baselines_beat_the_majority(task: str, kind: str) -> None:
    train, validation, test = (data(task, seed) for seed in (1, 2, 3))
    classes = CLASSES[task]
    majority = majority_baseline(task, classes, train)  # type: ignore[arg-type]
    if kind == "linear":
        model = linear_baseline(task, classes, train, validation)  # type: ignore[arg-type]
        assert "tuned on the validation rows" in model.description
    else:
        model = boosted_trees_baseline(
            task,  # type: ignore[arg-type]
            classes, train, validation, rounds=30,
        )  # fmt: skip
        assert "rounds" in model.description
    predicted = model.predict(test.inputs)
    assert predicted.shape == ((600,) if task == "regression" else (600, classes))
    metric = "r2" if task == "regression" else "accuracy"
    good, poor = (
        measure(task, test.targets, each.predict(test.inputs))[metric]  # type: ignore[arg-type]
        for each in (model, majority)
    )
    assert good > 0.8 > 0.65 > poor
    assert model.seconds > 0


def test_the_penalty_is_strong_where_there_is_only_noise() -> None:
    generator = np.random.default_rng(0)
    train, validation = (
        Rows(generator.normal(size=(100, 50)).astype(np.float32), generator.integers(0, 2, 100))
        for _ in range(2)
    )
    model = linear_baseline("binary", 2, train, validation)
    assert "C=0.001" in model.description
    probabilities = model.predict(validation.inputs)
    assert np.abs(probabilities - 0.5).max() < 0.2


def test_a_class_that_training_rows_lack_gets_probability_zero() -> None:
    train, validation = data("binary", 1), data("binary", 2)
    model = linear_baseline("multiclass", 3, train, validation)
    probabilities = model.predict(validation.inputs)
    assert probabilities.shape == (600, 3)
    assert np.all(probabilities[:, 2] == 0)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(600))


def test_many_coefficients_go_to_a_solver_that_scales() -> None:
    generator = np.random.default_rng(0)
    train, validation = (
        Rows(generator.normal(size=(200, 500)).astype(np.float32), np.arange(200) % 3)
        for _ in range(2)
    )
    assert "lbfgs" in linear_baseline("multiclass", 3, train, validation).description


def test_the_number_of_threads_does_not_change_the_answer() -> None:
    train, validation = data("binary", 1), data("binary", 2)
    one, default = (
        linear_baseline("binary", 2, train, validation, threads=threads) for threads in (1, None)
    )
    expected = default.predict(validation.inputs)
    assert one.predict(validation.inputs) == pytest.approx(expected, abs=1e-4)
