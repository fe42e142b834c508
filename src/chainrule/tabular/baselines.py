"""What a network must beat: the majority, a tuned linear model, and boosted trees for reference.

Each baseline is trained on the same features and the same training rows as the network, tuned on
the same validation rows, and asked for the same test rows.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tabular.targets import Task

INVERSE_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Grid of C, the inverse of the L2 penalty, for logistic regression."""

RIDGE_STRENGTHS = (0.01, 1.0, 100.0, 1e4)
"""Grid of alpha, the L2 penalty, for linear regression."""

SMALLEST_GAIN = 1e-4
"""Relative fall of the validation loss under which no weaker penalty is tried."""

NEWTON_PARAMETERS = 1200
"""Up to so many coefficients Newton's method is the fastest: measured on 209 502 rows x 134
float32 features, 2 s a fit against 3 to 8 s for L-BFGS and over 10 s for SAGA. Its memory and
time grow with the square and cube of their number."""


@dataclass(frozen=True)
class Baseline:
    """A trained baseline.

    Attributes:
        name: for the printed table.
        description: how it was trained and tuned, in a sentence.
        predict: inputs, rows x features -> probabilities, rows x classes (binary too: the second
            column is the positive class's), or numbers, (rows,).
        seconds: that training and tuning took.
    """

    name: str
    description: str
    predict: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    seconds: float


@dataclass(frozen=True)
class Rows:
    """Inputs, rows x features, with their targets: class codes or numbers, (rows,)."""

    inputs: NDArray[np.float32]
    targets: NDArray[Any]


def majority_baseline(task: Task, classes: int, train: Rows) -> Baseline:
    """Predict for every row the shares of the classes, or the mean, of the training rows.

    >>> rows = Rows(np.zeros((4, 1), np.float32), np.array([0, 0, 0, 1]))
    >>> majority_baseline("binary", 2, rows).predict(np.zeros((1, 1), np.float32)).tolist()
    [[0.75, 0.25]]
    """
    start = time.perf_counter()
    if task == "regression":
        name, answer = "mean", np.float64(train.targets.mean())
        description = "the mean of the training rows"
    else:
        counts = np.bincount(train.targets, minlength=classes)
        name, answer = "majority class", counts / counts.sum()
        description = "the shares of the classes in the training rows"

    def predict(inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.broadcast_to(answer, (len(inputs), *np.shape(answer)))

    return Baseline(name, description, predict, time.perf_counter() - start)


def linear_baseline(
    task: Task, classes: int, train: Rows, validation: Rows, *, threads: int | None = None
) -> Baseline:
    """Train logistic regression (ridge regression for numbers), its L2 penalty tuned.

    The penalties of the grid are tried from strong to weak, until the loss of the validation rows
    (log-loss, or squared error) falls by less than a ten-thousandth; the best is taken.

    Args:
        task: what the targets are.
        classes: how many; ignored for regression.
        train: at least one row of every class.
        validation: to choose the penalty by.
        threads: for the matrix products; None leaves it to the libraries. Where other processes
            keep the cores busy, 1 is the fastest: threads then mostly wait for one another.
    """
    with _threads(threads):
        if task == "regression":
            return _ridge(train, validation)
        return _logistic(classes, train, validation)


def _logistic(classes: int, train: Rows, validation: Rows) -> Baseline:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    start = time.perf_counter()
    outputs = 1 if classes == 2 else classes
    coefficients = outputs * (train.inputs.shape[1] + 1)
    solver = "newton-cholesky" if coefficients <= NEWTON_PARAMETERS else "lbfgs"

    def fit(strength: float) -> tuple[float, Any]:
        model = LogisticRegression(C=strength, solver=solver, max_iter=300)
        with warnings.catch_warnings():
            # In float32 a weakly penalised Newton step may be singular; scikit-learn says so and
            # goes on with L-BFGS by itself. What comes out is judged on the validation rows.
            warnings.simplefilter("ignore")
            model.fit(train.inputs, train.targets)
        probabilities = _all_classes(model, validation.inputs, classes)
        return log_loss(validation.targets, probabilities, labels=np.arange(classes)), model

    strength, model, tried = _tune(fit, INVERSE_STRENGTHS)
    description = (
        f"L2 penalty tuned on the validation rows: C={strength:g} "
        f"of {', '.join(f'{value:g}' for value in tried)} ({solver})"
    )
    return Baseline(
        "logistic regression",
        description,
        lambda inputs: _all_classes(model, inputs, classes),
        time.perf_counter() - start,
    )


def _ridge(train: Rows, validation: Rows) -> Baseline:
    from sklearn.linear_model import Ridge

    start = time.perf_counter()
    # Targets far from 0, such as years or incomes, would cost float32 its digits.
    centre = float(train.targets.mean())
    spread = float(train.targets.std()) or 1.0
    targets = ((train.targets - centre) / spread).astype(train.inputs.dtype)

    def predict_with(model: Any, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(model.predict(inputs), dtype=np.float64) * spread + centre

    def fit(strength: float) -> tuple[float, Any]:
        model = Ridge(alpha=strength, solver="cholesky")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a singular system is solved by SVD instead
            model.fit(train.inputs, targets)
        errors = predict_with(model, validation.inputs) - validation.targets
        return float(np.mean(errors * errors)), model

    # From strong to weak, as for logistic regression.
    strength, model, tried = _tune(fit, tuple(reversed(RIDGE_STRENGTHS)))
    description = (
        f"L2 penalty tuned on the validation rows: alpha={strength:g} "
        f"of {', '.join(f'{value:g}' for value in tried)}"
    )
    return Baseline(
        "linear regression",
        description,
        lambda inputs: predict_with(model, inputs),
        time.perf_counter() - start,
    )


def _tune(
    fit: Callable[[float], tuple[float, Any]], strengths: tuple[float, ...]
) -> tuple[float, Any, list[float]]:
    """Return the best strength, its model, and the strengths tried."""
    best: tuple[float, float, Any] | None = None
    tried = []
    for strength in strengths:
        loss, model = fit(strength)
        tried.append(strength)
        before = best
        if before is None or loss < before[0]:
            best = (loss, strength, model)
        if before is not None and not loss < before[0] * (1 - SMALLEST_GAIN):
            break
    if best is None:
        raise ValueError("no strengths to try")
    return best[1], best[2], tried


def boosted_trees_baseline(
    task: Task,
    classes: int,
    train: Rows,
    validation: Rows,
    *,
    seed: int = 0,
    rounds: int = 200,
    threads: int | None = None,
) -> Baseline:
    """Train scikit-learn's histogram gradient boosting, stopped early on the validation rows.

    An upper reference rather than a baseline: on tables, trees are hard to beat (Grinsztajn,
    Oyallon and Varoquaux, "Why do tree-based models still outperform deep learning on typical
    tabular data?", NeurIPS 2022).

    Args:
        task, classes, train, validation, threads: as in `linear_baseline`.
        seed: of the trees.
        rounds: trees at most, for each class where there are over two.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    start = time.perf_counter()
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    model = kind(
        learning_rate=0.1,
        max_iter=rounds,
        early_stopping=True,
        n_iter_no_change=20,
        random_state=seed,
    )
    with _threads(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(train.inputs, train.targets, X_val=validation.inputs, y_val=validation.targets)
    description = f"{model.n_iter_} rounds, stopped early on the validation rows"

    def predict(inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        if task == "regression":
            return np.asarray(model.predict(inputs), dtype=np.float64)
        return _all_classes(model, inputs, classes)

    return Baseline("boosted trees", description, predict, time.perf_counter() - start)


@contextmanager
def _threads(limit: int | None) -> Iterator[None]:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=limit):
        yield


def _all_classes(model: Any, inputs: NDArray[np.float32], classes: int) -> NDArray[np.float64]:
    """Return float64 probabilities, rows x classes, 0 for a class the model has not seen."""
    probabilities = np.zeros((len(inputs), classes))
    probabilities[:, model.classes_.astype(np.int64)] = model.predict_proba(inputs)
    # float32 sums miss 1 by 1e-7, which scikit-learn's log-loss remarks upon.
    return probabilities / probabilities.sum(axis=1, keepdims=True)
