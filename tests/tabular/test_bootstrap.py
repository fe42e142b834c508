"""Metrics and paired bootstrap intervals, held against scikit-learn and against theory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from chainrule.tabular.bootstrap import paired_bootstrap, weighted_metric
from chainrule.tabular.errors import TableError
from chainrule.tabular.metrics import confusion, measure

ROWS = 500


def binary(seed: int = 0, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, ROWS)
    score = 1 / (1 + np.exp(-(truth - 0.5 + generator.normal(size=ROWS))))
    score = np.round(score, 1) if ties else score
    return truth, np.stack([1 - score, score], axis=1)


def weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(ROWS, np.full(ROWS, 1 / ROWS)).astype(float)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_weighted_classification_metrics_are_scikit_learns(ties: bool, seed: int) -> None:
    truth, shares = binary(seed, ties)
    drawn = weights(seed)
    expected = {
        "auc": roc_auc_score(truth, shares[:, 1], sample_weight=drawn),
        "log_loss": log_loss(truth, shares, sample_weight=drawn),
        "accuracy": accuracy_score(truth, shares.argmax(axis=1), sample_weight=drawn),
    }
    for metric, value in expected.items():
        assert weighted_metric(metric, truth, shares)(drawn) == pytest.approx(value, abs=1e-12)


def test_weighted_regression_metrics_are_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    truth = 1e4 + generator.normal(size=ROWS)
    predicted, drawn = truth + generator.normal(size=ROWS), weights(3)
    expected = {
        "rmse": root_mean_squared_error(truth, predicted, sample_weight=drawn),
        "mae": mean_absolute_error(truth, predicted, sample_weight=drawn),
        "r2": r2_score(truth, predicted, sample_weight=drawn),
    }
    for metric, value in expected.items():
        assert weighted_metric(metric, truth, predicted)(drawn) == pytest.approx(value, rel=1e-9)


def test_multiclass_area_is_the_mean_of_one_against_the_rest() -> None:
    generator = np.random.default_rng(0)
    truth, shares = generator.integers(0, 3, ROWS), generator.dirichlet(np.ones(3), ROWS)
    area = weighted_metric("auc", truth, shares)(np.ones(ROWS))
    assert area == pytest.approx(roc_auc_score(truth, shares, multi_class="ovr"))
    assert measure("multiclass", truth, shares)["auc"] == pytest.approx(area)


def test_measure_and_confusion() -> None:
    truth, shares = binary()
    measured = measure("binary", truth, shares.astype(np.float32))
    assert measured["auc"] == pytest.approx(roc_auc_score(truth, shares[:, 1]), abs=1e-6)
    matrix = confusion(truth, shares)
    assert matrix.sum() == ROWS
    assert np.trace(matrix) / ROWS == pytest.approx(measured["accuracy"])
    alone = measure("binary", np.ones(3, int), np.full((3, 2), 0.5))
    assert np.isnan(alone["auc"]) and alone["log_loss"] == pytest.approx(np.log(2))


def test_the_interval_of_a_mean_is_that_of_the_normal_theory() -> None:
    generator = np.random.default_rng(0)
    truth = np.zeros(4000)
    first, second = np.abs(generator.normal(size=(2, 4000)))
    interval = paired_bootstrap("mae", truth, first, second, resamples=1500)
    difference = first - second
    error = difference.std() / np.sqrt(4000)
    assert interval.difference == pytest.approx(difference.mean())
    expected = [difference.mean() - 1.96 * error, difference.mean() + 1.96 * error]
    assert [interval.low, interval.high] == pytest.approx(expected, abs=0.2 * error)


def test_whole_groups_widen_the_interval_of_rows_that_resemble_each_other() -> None:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 50)
    errors = np.repeat(generator.normal(size=40), 50) + 5
    truth, worse = np.zeros(2000), np.full(2000, 5.0)
    alone = paired_bootstrap("mae", truth, errors, worse, resamples=300)
    together = paired_bootstrap("mae", truth, errors, worse, resamples=300, groups=groups)
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(50), rel=0.35)


@pytest.mark.parametrize(("metric", "sign"), [("auc", 1), ("log_loss", -1)])
def test_direction_and_seed(metric: str, sign: int) -> None:
    truth, shares = binary()
    coin = np.full((ROWS, 2), 0.5)
    better = paired_bootstrap(metric, truth, shares, coin, resamples=200, seed=4)
    worse = paired_bootstrap(metric, truth, coin, shares, resamples=200, seed=4)
    assert better.first_is_better and not worse.first_is_better
    assert np.sign(better.difference) == sign
    assert better.low <= better.difference <= better.high
    assert better == paired_bootstrap(metric, truth, shares, coin, resamples=200, seed=4)
    same = paired_bootstrap(metric, truth, shares, shares, resamples=20)
    assert (same.difference, same.low, same.high, same.first_is_better) == (0, 0, 0, False)


def test_resamples_without_both_classes_are_not_counted() -> None:
    truth, shares = np.array([0, 0, 1]), np.full((3, 2), 0.5)
    interval = paired_bootstrap("auc", truth, shares, shares, resamples=200)
    assert 80 < interval.resamples < 180


ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"metric": "f1"}, 'no metric "f1"'),
    ({"first": np.ones((3, 2))}, "500, 3 and 500 rows"),
    ({"groups": [1, 2]}, r"groups has shape \(2,\)"),
    ({"level": 95}, "between 0 and 1"),
    ({"truth": np.zeros(ROWS, int)}, "only one class"),
]


@pytest.mark.parametrize(("change", "message"), ERRORS)
def test_errors(change: dict[str, Any], message: str) -> None:
    truth, shares = binary()
    arguments = {"metric": "auc", "truth": truth, "first": shares, "second": shares, **change}
    with pytest.raises(TableError, match=message):
        paired_bootstrap(**arguments, resamples=5)
