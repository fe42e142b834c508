"""``train.fit``: what a training can be told, checked before it begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.nn.checks import at_line, positive_whole, seed_of
from chainrule.nn.losses import Loss, loss_named
from chainrule.nn.module import Module
from chainrule.train import progress as progress_of
from chainrule.train.batches import Dataset
from chainrule.train.clipping import Clipping, clipping_of
from chainrule.train.history import History
from chainrule.train.loop import Epoch, Metric, Trainer
from chainrule.train.optimisers import Optimiser, optimiser_named
from chainrule.train.schedules import Schedule, schedule_of
from chainrule.train.step import trainable_values


def fit(
    net: Module,
    loss: str | Loss,
    data: Any,
    validation: Any = None,
    *,
    optimiser: str | Optimiser = "adam",
    rate: float | None = None,
    epochs: int = 100,
    batch_size: int = 32,
    seed: int = 0,
    shuffle: bool = True,
    drop_last: bool = False,
    schedule: str | Schedule | None = None,
    clip: float | Clipping | None = None,
    regulariser: Callable[[Module], Any] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    callbacks: Sequence[Callable[[Epoch], Any]] = (),
    patience: int | None = None,
    least_change: float = 0.0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    executor: str | None = None,
    threads: int | None = None,
) -> History:
    """Train ``net`` by gradient descent on mini-batches; it ends up with its best weights.

    The best weights are those of the epoch with the least validation loss, or training loss without
    validation data. The same seed gives the same result. Ctrl-C ends the training and keeps the
    best weights so far; a second one, while it ends, is raised.

    Args:
        net: the network; its parameters are changed at the end.
        loss: a name such as "mse", "bce_with_logits" or "cross_entropy", or a function
            (prediction, target[, weights]) -> number.
        data: (inputs, targets) or (inputs, targets, weights); first axes count examples.
        validation: the same for examples that are not learned from; or a share of ``data``, such as
            0.1, to hold out at random.
        optimiser: a name ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw") or
            an optimiser of ``chainrule.train``.
        rate: learning rate, where the optimiser is a name; each has a usual one.
        epochs: passes over the data at most.
        batch_size: examples in a step.
        seed: of the order of examples, of dropout, of the held-out share.
        shuffle: whether each epoch has its own order.
        drop_last: whether to leave out the last batch of an epoch where it is smaller.
        schedule: "cosine", "plateau", or one of ``chainrule.train``: changes of the rate.
        clip: the largest norm of all gradients together, or a clipping of ``chainrule.train``.
        regulariser: a penalty such as ``nn.L2(1e-4)``.
        metrics: name -> function (predictions, targets) -> number, on the validation data.
        callbacks: called after each epoch with an ``Epoch``; one that returns True ends training.
        patience: end after this many epochs without a better loss.
        least_change: what counts as better.
        checkpoint: a file that is written after each epoch; where it exists, training continues
            from it, and ends with the same weights as if it had never stopped.
        progress: a bar on a terminal, a line per epoch elsewhere; False for neither.
        executor: which executor runs the steps, "numpy", "native" or "jax"; the default one without
            it.
        threads: how many the native executor may use; as many as ``cr.threads()`` says without it.

    Returns:
        The history; ``history.net`` is ``net``.

    Raises:
        NonFiniteError: where loss or gradients stop being finite, before they reach the weights,
            naming the statement where it began. The history is its attribute ``history``.
        ShapeError, TargetError, InputError: where data, loss and network do not fit one another.
        CheckpointError: where the checkpoint belongs to another training.

    >>> import numpy as np
    >>> from chainrule import nn
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    >>> y = np.array([[0], [1], [1], [0]], float)
    >>> net = nn.MLP(2, [8], 1, activation="tanh", seed=1)
    >>> history = fit(net, "bce_with_logits", (x, y), rate=0.1, epochs=200, progress=False)
    >>> (net(x) > 0).astype(int).ravel().tolist()
    [0, 1, 1, 0]
    """
    positive_whole(epochs, "epochs")
    seed = seed_of(seed)
    positive_whole(batch_size, "batch_size")
    if metrics and validation is None:
        raise ChainruleError(
            f"metrics are computed on validation data: give validation=(inputs, targets), or a "
            f"share such as validation=0.1{at_line()}"
        )
    if patience is not None:
        positive_whole(patience, "patience")
    loss = loss_named(loss)
    chosen = optimiser_named(optimiser, rate)
    if not trainable_values(net):
        raise ChainruleError(f"{type(net).__name__} has no trainable parameters{at_line()}")
    train, held = _datasets(net, data, validation, seed)
    trainer = Trainer(
        net=net,
        loss=loss,
        train=train,
        validation=held,
        optimiser=chosen,
        epochs=epochs,
        batch_size=min(batch_size, train.count),
        seed=seed,
        shuffle=shuffle,
        drop_last=drop_last,
        schedule=schedule_of(schedule, epochs),
        clip=clipping_of(clip),
        regulariser=regulariser,
        metrics=dict(metrics or {}),
        callbacks=list(callbacks),
        patience=patience,
        least_change=least_change,
        checkpoint=checkpoint,
        executor=executor,
        threads=threads,
    )
    return trainer.run(progress_of.reporter(progress))


def _datasets(net: Module, data: Any, validation: Any, seed: int) -> tuple[Dataset, Dataset | None]:
    train = Dataset(data, net.dtype, "data")
    if validation is None:
        return train, None
    if isinstance(validation, int | float) and not isinstance(validation, bool):
        return train.split(validation, seed)
    return train, Dataset(validation, net.dtype, "validation")
