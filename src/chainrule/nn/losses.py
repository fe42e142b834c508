"""Losses: how far predictions are from targets, as one number to make small.

Every loss is called as ``loss(prediction, target, weights=None, reduction="mean")``. The loss of
one example is the mean over its outputs; ``reduction`` says what becomes of the examples: "mean"
(weighted by ``weights``, a number for each example), "sum", or "none" for one number each.

Shapes must agree: a target of shape (n,) beside a prediction of shape (n, 1) would broadcast to
(n, n) and train a wrong model without a word, so it is an error that says what to write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from chainrule import functions
from chainrule.errors import ChainruleError, ShapeError
from chainrule.nn.activations import named
from chainrule.nn.checks import InputError, at_line
from chainrule.tracing.parameter import Parameter
from chainrule.tracing.traced import Traced

Reduction = Literal["mean", "sum", "none"]
Loss = Callable[..., Any]


class TargetError(ChainruleError, ValueError):
    """Targets whose values a loss cannot use: a label out of range, a probability above 1."""


# ----- targets that are numbers -------------------------------------------------------------------


def mean_squared_error(
    prediction: Any, target: Any, weights: Any = None, reduction: Reduction = "mean"
) -> Any:
    """(prediction - target)^2, both of one shape.

    >>> mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    >>> mean_squared_error(np.ones((3, 1)), np.ones(3))
    Traceback (most recent call last):
    ...
    chainrule.errors.ShapeError: mean_squared_error: the target has shape (3,), but the prediction
    has shape (3, 1): give target[:, np.newaxis] ...
    """
    prediction, target = _same_shape("mean_squared_error", prediction, target)
    return _reduced("mean_squared_error", np.square(prediction - target), weights, reduction)


def mean_absolute_error(
    prediction: Any, target: Any, weights: Any = None, reduction: Reduction = "mean"
) -> Any:
    """abs(prediction - target), both of one shape; its minimiser is the median.

    >>> mean_absolute_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)
    """
    prediction, target = _same_shape("mean_absolute_error", prediction, target)
    return _reduced("mean_absolute_error", np.abs(prediction - target), weights, reduction)


def huber(
    prediction: Any,
    target: Any,
    weights: Any = None,
    reduction: Reduction = "mean",
    delta: float = 1.0,
) -> Any:
    """error^2 / 2 for errors up to ``delta``, and a straight line beyond. Huber, Robust estimation
    of a location parameter (1964).

    >>> huber(np.array([0.5, 3.0]), np.zeros(2), reduction="none").tolist()
    [0.125, 2.5]
    """
    prediction, target = _same_shape("huber", prediction, target)
    size = np.abs(prediction - target)
    # With m the part of the error up to delta, the loss is m (size - m / 2) on both sides.
    inner = np.minimum(size, size.dtype.type(delta))
    return _reduced("huber", inner * (size - inner / 2), weights, reduction)


# ----- two classes --------------------------------------------------------------------------------


def binary_cross_entropy(
    prediction: Any, target: Any, weights: Any = None, reduction: Reduction = "mean"
) -> Any:
    """-target ln p - (1 - target) ln(1 - p) for probabilities p, and targets from 0 to 1.

    Logarithms are cut at those of the smallest normal number, so a certain mistake is finite. With
    a network that ends without a sigmoid, ``binary_cross_entropy_with_logits`` is exact.

    >>> round(float(binary_cross_entropy(np.array([0.96]), np.array([1.0]))), 4)
    0.0408
    """
    name = "binary_cross_entropy"
    prediction, target = _same_shape(name, prediction, target)
    _check_between_0_and_1(name, "prediction", prediction, "apply a sigmoid, or use "
                           "binary_cross_entropy_with_logits")  # fmt: skip
    _check_between_0_and_1(name, "target", target, "encode the classes as 0 and 1")
    losses = -(target * _safe_log(prediction) + (1 - target) * _safe_log(1 - prediction))
    return _reduced(name, losses, weights, reduction)


def binary_cross_entropy_with_logits(
    prediction: Any, target: Any, weights: Any = None, reduction: Reduction = "mean"
) -> Any:
    """``binary_cross_entropy`` of sigmoid(prediction), exact for logits of any size.

    >>> float(binary_cross_entropy_with_logits(np.array([-1000.0]), np.array([1])))
    1000.0
    """
    name = "binary_cross_entropy_with_logits"
    prediction, target = _same_shape(name, prediction, target)
    _check_between_0_and_1(name, "target", target, "encode the classes as 0 and 1")
    # -t ln s(z) - (1 - t) ln(1 - s(z)) = softplus(z) - t z.
    return _reduced(name, functions.softplus(prediction) - target * prediction, weights, reduction)


def hinge(prediction: Any, target: Any, weights: Any = None, reduction: Reduction = "mean") -> Any:
    """max(0, 1 - target prediction) for targets -1 and 1. Cortes and Vapnik, Support-vector
    networks (1995).

    >>> hinge(np.array([0.5, 2.0]), np.array([1, -1]), reduction="none").tolist()
    [0.5, 3.0]
    """
    prediction, target = _same_shape("hinge", prediction, target)
    values = _known(target)
    if values is not None and not np.isin(values, (-1, 1)).all():
        wrong = values[~np.isin(values, (-1, 1))].ravel()[0]
        raise TargetError(
            f"hinge: targets are -1 and 1, but there is {wrong:g}; for targets 0 and 1 give "
            f"2 * target - 1{at_line()}"
        )
    return _reduced("hinge", functions.relu(1 - target * prediction), weights, reduction)


# ----- many classes -------------------------------------------------------------------------------


def categorical_cross_entropy(
    prediction: Any, target: Any, weights: Any = None, reduction: Reduction = "mean"
) -> Any:
    """-ln p[label] for rows p of probabilities.

    Args:
        prediction: (..., classes), each row summing to 1.
        target: integer labels (...), or one-hot rows or probabilities of the prediction's shape.
        weights: one number per example.
        reduction: "mean", "sum" or "none".

    >>> p = np.array([[0.25, 0.75]])
    >>> round(float(categorical_cross_entropy(p, np.array([1]))), 4)
    0.2877
    """
    name = "categorical_cross_entropy"
    prediction, target, labels = _classes(name, prediction, target)
    _check_between_0_and_1(name, "prediction", prediction, "apply a softmax, or use "
                           "categorical_cross_entropy_with_logits")  # fmt: skip
    logarithms = _safe_log(prediction)
    if labels:
        chosen = np.take_along_axis(logarithms, target[..., np.newaxis], -1)
        return _reduced(name, -chosen[..., 0], weights, reduction)
    return _reduced(name, -np.sum(target * logarithms, axis=-1), weights, reduction)


def categorical_cross_entropy_with_logits(
    prediction: Any, target: Any, weights: Any = None, reduction: Reduction = "mean"
) -> Any:
    """``categorical_cross_entropy`` of softmax(prediction), exact for logits of any size.

    Arguments are the same, with logits in place of probabilities.

    >>> logits = np.array([[0.0, 1000.0], [0.0, 0.0]])
    >>> categorical_cross_entropy_with_logits(logits, np.array([0, 1]), reduction="none").round(4)
    array([1.000e+03, 6.931e-01])
    >>> categorical_cross_entropy_with_logits(logits, np.array([0, 2]))
    Traceback (most recent call last):
    ...
    chainrule.nn.losses.TargetError: categorical_cross_entropy_with_logits: target[1] is 2, but the
    prediction has 2 classes: labels go from 0 to 1; ...
    """
    name = "categorical_cross_entropy_with_logits"
    prediction, target, labels = _classes(name, prediction, target)
    if labels:
        return _reduced(name, functions.cross_entropy(prediction, target), weights, reduction)
    losses = -np.sum(target * functions.log_softmax(prediction, axis=-1), axis=-1)
    return _reduced(name, losses, weights, reduction)


LOSSES: dict[str, Loss] = {
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "huber": huber,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "hinge": hinge,
    "categorical_cross_entropy": categorical_cross_entropy,
    "categorical_cross_entropy_with_logits": categorical_cross_entropy_with_logits,
}
SHORT_NAMES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "bce": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy_with_logits",
    "cross_entropy": "categorical_cross_entropy_with_logits",
}


def loss_named(given: str | Loss) -> Loss:
    """A loss from its name (``"mse"``, ``"huber"``, ...) or a function of your own."""
    if not isinstance(given, str):
        return given
    found: Loss = named(LOSSES, SHORT_NAMES.get(given.lower(), given), "loss")
    return found


# ----- checks and reductions ----------------------------------------------------------------------


def _array(x: Any) -> Any:
    if isinstance(x, Parameter):
        x = x.value
    return x if isinstance(x, Traced | np.ndarray | np.generic) else np.asarray(x)


def _known(x: Any) -> Any:
    """The array behind x, None where it is being compiled and has no values yet."""
    return x.value if isinstance(x, Traced) else x


def _real(name: str, what: str, x: Any, dtype: Any) -> Any:
    x = _array(x)
    if x.dtype.kind not in "fiub":
        raise InputError(
            f"{name}: the {what} is an array of {x.dtype}, not of real numbers; encode classes as "
            f"whole numbers from 0 on (np.unique(target, return_inverse=True)){at_line()}"
        )
    return x if dtype is None or x.dtype == dtype else x.astype(dtype)


def _prediction(name: str, prediction: Any) -> Any:
    prediction = _real(name, "prediction", prediction, None)
    return prediction if prediction.dtype.kind == "f" else prediction.astype(np.float64)


def _same_shape(name: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Prediction and target, checked to have one shape, in the prediction's dtype."""
    prediction = _prediction(name, prediction)
    target = _real(name, "target", target, prediction.dtype)
    if prediction.shape != target.shape:
        raise _shape_error(name, prediction.shape, target.shape)
    return prediction, target


def _shape_error(name: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> ShapeError:
    start = f"{name}: the target has shape {target}, but the prediction has shape {prediction}"
    if prediction == (*target, 1):
        fix = "give target[:, np.newaxis]" if len(target) == 1 else "give target[..., np.newaxis]"
        fix += f" (NumPy would broadcast the two to {np.broadcast_shapes(prediction, target)})"
    elif target == (*prediction, 1):
        fix = "give target[..., 0], or let the network end in one output per example"
    elif prediction[:1] != target[:1]:
        counts = [shape[0] if shape else 1 for shape in (target, prediction)]
        fix = f"there are {counts[0]} targets for {counts[1]} predictions; were rows left out?"
    elif len(prediction) == 2 and len(target) == 1:
        fix = (
            f"the network gives {prediction[1]} numbers for each example and the target has one; "
            f"for {prediction[1]} classes use categorical_cross_entropy_with_logits, else let the "
            "last layer have 1 output"
        )
    elif len(prediction) == len(target) == 2:
        fix = f"let the last layer have {target[1]} outputs, one for each column of the target"
    else:
        fix = "every number of the prediction needs a target"
    return ShapeError(f"{start}: {fix}{at_line()}")


def _classes(name: str, prediction: Any, target: Any) -> tuple[Any, Any, bool]:
    """(prediction, target, whether the target holds labels), checked."""
    prediction = _prediction(name, prediction)
    target = _real(name, "target", target, None)
    if prediction.ndim == 0 or prediction.shape[-1] < 2:
        raise ShapeError(
            f"{name}: the prediction has shape {prediction.shape}; its last axis holds the "
            "classes, at least 2. For one output per example use binary_cross_entropy_with_logits"
            f"{at_line()}"
        )
    classes = prediction.shape[-1]
    if target.shape == prediction.shape:
        if target.dtype != prediction.dtype:
            target = target.astype(prediction.dtype)
        _check_between_0_and_1(name, "target", target, "one-hot rows hold 0 and 1")
        return prediction, target, False
    if target.shape == prediction.shape[:-1]:
        if target.dtype.kind not in "iu":
            raise InputError(
                f"{name}: the labels are {target.dtype}, but labels count classes and must be "
                f"whole numbers: give target.astype(int){at_line()}"
            )
        _check_labels(name, target, classes)
        return prediction, target, True
    start = f"{name}: the target has shape {target.shape}, but the prediction has shape " + str(
        prediction.shape
    )
    if target.shape == (*prediction.shape[:-1], 1):
        fix = "labels have one axis less than the prediction: give target[:, 0]"
    elif target.ndim == prediction.ndim and target.shape[:-1] == prediction.shape[:-1]:
        fix = (
            f"the one-hot target has {target.shape[-1]} classes and the network gives {classes}; "
            f"let the last layer have {target.shape[-1]} outputs"
        )
    elif target.shape[:1] != prediction.shape[:1]:
        count = target.shape[0] if target.ndim else 1
        fix = f"{count} targets for {prediction.shape[0]} predictions; were rows left out?"
    else:
        fix = (
            f"give whole labels of shape {prediction.shape[:-1]}, or one-hot rows of shape "
            f"{prediction.shape}"
        )
    raise ShapeError(f"{start}: {fix}{at_line()}")


def _check_labels(name: str, target: Any, classes: int) -> None:
    values = _known(target)
    if values is None or not values.size or (values.min() >= 0 and values.max() < classes):
        return
    first = tuple(int(i) for i in np.argwhere((values < 0) | (values >= classes))[0])
    place = f"target[{', '.join(map(str, first))}]" if first else "the target"
    low, high = int(values.min()), int(values.max())
    if low == 1 and high == classes:
        fix = "they seem to count from 1: give target - 1"
    elif low < 0:
        fix = "negative labels (missing values?) must be left out or counted as a class"
    else:
        fix = f"let the last layer have {high + 1} outputs, or number the classes without gaps"
    raise TargetError(
        f"{name}: {place} is {int(values[first])}, but the prediction has {classes} classes: "
        f"labels go from 0 to {classes - 1}; {fix}{at_line()}"
    )


def _check_between_0_and_1(name: str, what: str, x: Any, advice: str) -> None:
    """NaN passes: a prediction that diverged is reported where it was born, not here."""
    values = _known(x)
    if values is None or not values.size:
        return
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        raise TargetError(
            f"{name}: the {what} has values from {low:g} to {high:g}, but probabilities lie "
            f"between 0 and 1; {advice}{at_line()}"
        )


def _safe_log(p: Any) -> Any:
    return np.log(np.maximum(p, np.finfo(p.dtype).tiny))


def _reduced(name: str, losses: Any, weights: Any, reduction: str) -> Any:
    """The losses of examples (the first axis) brought together as ``reduction`` says."""
    if reduction not in ("mean", "sum", "none"):
        raise ChainruleError(
            f"{name}: reduction is 'mean', 'sum' or 'none', not {reduction!r}{at_line()}"
        )
    if losses.ndim > 1:
        losses = np.mean(losses, axis=tuple(range(1, losses.ndim)))
    if weights is not None:
        weights = _real(name, "array of weights", weights, losses.dtype)
        if weights.shape != losses.shape:
            raise ShapeError(
                f"{name}: the weights have shape {weights.shape}, but there is one weight for each "
                f"example: {losses.shape}{at_line()}"
            )
        losses = losses * weights
    if reduction == "none":
        return losses
    total = np.sum(losses)
    if reduction == "sum":
        return total
    if weights is None:
        return total / losses.size
    # Weights that are all 0 leave a loss of 0.
    return total / np.maximum(np.sum(weights), np.finfo(losses.dtype).tiny)
