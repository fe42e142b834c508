"""How good predictions are, through scikit-learn, on rows that were held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.tabular.targets import Task

LARGER_IS_BETTER = {
    "accuracy": True, "auc": True, "log_loss": False, "rmse": False, "mae": False, "r2": True,
}  # fmt: skip
TITLES = {
    "accuracy": "accuracy", "auc": "AUC", "log_loss": "log-loss",
    "rmse": "RMSE", "mae": "MAE", "r2": "R2",
}  # fmt: skip


def measure(
    task: Task,
    truth: NDArray[np.int64] | NDArray[np.float64],
    predicted: NDArray[np.float64],
) -> dict[str, float]:
    """Return every metric of a task.

    Args:
        task: which.
        truth: (rows,) class codes or numbers.
        predicted: rows x classes probabilities (also for two classes), or (rows,) numbers.

    Returns:
        accuracy, auc and log_loss, or rmse, mae and r2. `auc` is one class against the rest,
        averaged over the classes that occur in `truth`; NaN where only one does.

    >>> measure("regression", np.array([1.0, 3.0]), np.array([1.0, 2.0]))["mae"]
    0.5
    """
    if task == "regression":
        return _regression(truth, predicted)
    return _classification(truth.astype(np.int64), predicted)


def _regression(
    truth: NDArray[np.int64] | NDArray[np.float64], predicted: NDArray[np.float64]
) -> dict[str, float]:
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    return {
        "rmse": float(root_mean_squared_error(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
        "r2": float(r2_score(truth, predicted)) if len(truth) > 1 else float("nan"),
    }


def _classification(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    classes = probabilities.shape[1]
    # float32 probabilities do not sum to 1 as closely as scikit-learn wishes.
    shares = np.asarray(probabilities, dtype=np.float64)
    shares = shares / shares.sum(axis=1, keepdims=True)
    areas = [
        float(roc_auc_score(truth == place, shares[:, place]))
        for place in ([1] if classes == 2 else range(classes))
        if 0 < int((truth == place).sum()) < len(truth)
    ]
    return {
        "accuracy": float(accuracy_score(truth, shares.argmax(axis=1))),
        "auc": float(np.mean(areas)) if areas else float("nan"),
        "log_loss": float(log_loss(truth, shares, labels=np.arange(classes))),
    }


def confusion(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the confusion matrix, true classes x predicted classes.

    >>> confusion(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])).tolist()
    [[1, 0], [1, 1]]
    """
    from sklearn.metrics import confusion_matrix

    classes = np.arange(probabilities.shape[1])
    matrix: NDArray[np.int64] = confusion_matrix(
        truth, probabilities.argmax(axis=1), labels=classes
    )
    return matrix
