"""Is one model better than another by more than luck? The paired bootstrap of a metric.

Both models are asked about the same resampled rows, so that what makes rows easy or hard for both
cancels out of the difference (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
A resample is a vector of counts, how often each row was drawn. Every metric here is computed from
counts: means as dot products, the area under the curve in one pass over scores sorted once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.tabular.errors import TableError, quoted
from chainrule.tabular.metrics import LARGER_IS_BETTER

Weighted = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True)
class Interval:
    """The difference of a metric, first model less second, and its bootstrap interval.

    Attributes:
        metric: as in `metrics.measure`.
        difference: on the rows as they are.
        low, high: percentile bounds at `level`.
        level: such as 0.95.
        resamples: that could be measured (one without both classes cannot).
        first_is_better: whether the whole interval says so, in the metric's direction.
    """

    metric: str
    difference: float
    low: float
    high: float
    level: float
    resamples: int

    @property
    def first_is_better(self) -> bool:
        """Whether even the interval's worse end favours the first model."""
        return self.low > 0 if LARGER_IS_BETTER[self.metric] else self.high < 0


def paired_bootstrap(
    metric: str,
    truth: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Return the interval of `metric(first) - metric(second)`.

    Args:
        metric: "accuracy", "auc", "log_loss", "rmse", "mae" or "r2".
        truth: (rows,) class codes or numbers.
        first, second: the models' predictions, as `metrics.measure` takes them.
        resamples: how many.
        seed: of the drawing.
        groups: (rows,) values; whole groups are drawn instead of rows, as they must be where
            rows of a group resemble each other (flights of one day).
        level: the interval's probability.

    Raises:
        TableError: unknown metric, arguments of different lengths, no resample measurable.

    >>> truth = np.arange(100) % 2
    >>> good = np.where(truth[:, None] == [0, 1], 0.8, 0.2)
    >>> interval = paired_bootstrap("log_loss", truth, good, np.full((100, 2), 0.5), resamples=50)
    >>> round(interval.difference, 3), interval.first_is_better
    (-0.47, True)
    """
    if metric not in LARGER_IS_BETTER:
        raise TableError(f"no metric {quoted(metric)}: use {', '.join(LARGER_IS_BETTER)}")
    targets, predictions = np.asarray(truth), [np.asarray(first), np.asarray(second)]
    rows = len(targets)
    if any(len(each) != rows for each in predictions) or not rows:
        raise TableError(
            f"truth and predictions have {rows}, {len(predictions[0])} and "
            f"{len(predictions[1])} rows: they must be as many, and not none"
        )
    if not 0 < level < 1 or resamples < 1:
        raise TableError("the level must lie between 0 and 1, with at least one resample")
    measures = [weighted_metric(metric, targets, each) for each in predictions]
    whole = np.ones(rows)
    difference = measures[0](whole) - measures[1](whole)
    if groups is None:
        code, drawn = None, rows
    else:
        if np.shape(groups) != (rows,):
            raise TableError(f"groups has shape {np.shape(groups)}, expected ({rows},)")
        _, code = np.unique(np.asarray(groups), return_inverse=True)
        drawn = int(code.max()) + 1
    generator = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for place in range(resamples):
        draws = generator.integers(0, drawn, size=drawn)
        counts = np.bincount(draws, minlength=drawn).astype(np.float64)
        weights = counts if code is None else counts[code]
        differences[place] = measures[0](weights) - measures[1](weights)
    measured = differences[np.isfinite(differences)]
    if not len(measured):
        raise TableError(f"{metric} cannot be measured on any resample: is there only one class?")
    low, high = np.quantile(measured, [(1 - level) / 2, (1 + level) / 2])
    return Interval(metric, float(difference), float(low), float(high), level, len(measured))


def weighted_metric(metric: str, truth: NDArray[Any], predicted: ArrayLike) -> Weighted:
    """Return a function of row weights that gives the metric with rows so weighted.

    What does not depend on the weights (losses, sorting) is done here, once.

    >>> area = weighted_metric("auc", np.array([0, 1, 1]), np.array([[.5, .5], [.6, .4], [.2, .8]]))
    >>> area(np.array([1.0, 1.0, 1.0])), area(np.array([1.0, 3.0, 1.0]))
    (0.5, 0.25)
    """
    values = np.asarray(predicted, dtype=np.float64)
    if metric == "auc":
        return _weighted_area(truth, values)
    if metric == "r2":
        return _weighted_r2(truth.astype(np.float64), values)
    if metric == "accuracy":
        losses = (values.argmax(axis=1) == truth).astype(np.float64)
    elif metric == "log_loss":
        shares = values / values.sum(axis=1, keepdims=True)
        chosen = shares[np.arange(len(truth)), truth.astype(np.int64)]
        smallest = np.finfo(np.float64).eps  # as scikit-learn does
        losses = -np.log(np.clip(chosen, smallest, 1 - smallest))
    elif metric == "mae":
        losses = np.abs(values - truth)
    else:
        losses = np.square(values - truth)
    if metric == "rmse":
        return lambda weights: float(np.sqrt(weights @ losses / weights.sum()))
    return lambda weights: float(weights @ losses / weights.sum())


def _weighted_r2(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> Weighted:
    centred = truth - truth.mean()
    errors, squares = np.square(truth - predicted), np.square(centred)

    def measure(weights: NDArray[np.float64]) -> float:
        total = weights.sum()
        mean = weights @ centred / total
        spread = weights @ squares - total * mean * mean
        return float(1 - weights @ errors / spread) if spread > 0 else float("nan")

    return measure


def _weighted_area(truth: NDArray[Any], probabilities: NDArray[np.float64]) -> Weighted:
    """One class against the rest, averaged over the classes that occur (two: the second)."""
    classes = probabilities.shape[1]
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    areas = [
        _weighted_binary_area(truth == place, shares[:, place])
        for place in ([1] if classes == 2 else range(classes))
    ]

    def measure(weights: NDArray[np.float64]) -> float:
        measured = [area for area in (each(weights) for each in areas) if np.isfinite(area)]
        return float(np.mean(measured)) if measured else float("nan")

    return measure


def _weighted_binary_area(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> Weighted:
    """The chance that a positive scores above a negative, ties counted half (Mann and Whitney,
    1947), for weighted rows: rows are sorted once, then each call is a running sum."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    is_positive = positive[order].astype(np.float64)
    tied = len(starts) < len(ordered)

    def measure(weights: NDArray[np.float64]) -> float:
        weights = weights[order]
        positives = weights * is_positive
        negatives = weights - positives
        if tied:
            positives = np.add.reduceat(positives, starts)
            negatives = np.add.reduceat(negatives, starts)
        below = np.cumsum(negatives)
        pairs = float(positives.sum()) * float(below[-1])
        if pairs == 0:
            return float("nan")
        return float(positives @ (below - 0.5 * negatives)) / pairs

    return measure
