"""A network and its rivals: trained on the same features and rows, measured on the same test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import nn, train
from chainrule.demo.features import fit_preprocessor
from chainrule.demo.flights import GROUP_COLUMN, TARGET_COLUMN
from chainrule.tabular.baselines import (
    Baseline,
    Rows,
    boosted_trees_baseline,
    linear_baseline,
    majority_baseline,
)
from chainrule.tabular.bootstrap import paired_bootstrap
from chainrule.tabular.metrics import measure
from chainrule.tabular.model import TabularModel, TargetDescription
from chainrule.tabular.preprocessing import Preprocessor
from chainrule.tabular.report import Comparison, ModelResult
from chainrule.tabular.splitting import Split

if TYPE_CHECKING:
    import pyarrow as pa

METRICS = ("auc", "log_loss")
NETWORK, LINEAR = "network", "logistic regression"
CLASSES = ("on time", "delayed")


@dataclass(frozen=True)
class Settings:
    """How long and how large; the defaults are those of the full demo.

    Wide with much dropout: the flights of a day share their weather, so a network learns the days
    of the training rows by heart within a few epochs, and dropout delays that. Tried on the
    validation rows: 128 and 64 units with dropout 0.4 lose 0.005 of the area under the curve.

    Attributes:
        hidden: widths of the hidden layers.
        dropout: share of hidden values dropped in training.
        rate, weight_decay: of AdamW; the rate falls to 0 along half a cosine.
        batch: rows in a step.
        epochs: passes over the training rows.
        trees: rounds of boosting, 0 for none.
        resamples: of each bootstrap.
        threads: for training and trees.
        seed: of everything that is drawn.
    """

    hidden: tuple[int, ...] = (256, 64)
    dropout: float = 0.5
    rate: float = 1e-3
    weight_decay: float = 1e-4
    batch: int = 512
    epochs: int = 6
    trees: int = 200
    resamples: int = 500
    threads: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Prepared:
    """Features and targets of each part.

    Attributes:
        preprocessor: how a flight became features, learned from the training rows.
        train, validation, test: inputs, and targets of 0 and 1.
        test_days: (test rows,), the day of each.
    """

    preprocessor: Preprocessor
    train: Rows
    validation: Rows
    test: Rows
    test_days: NDArray[Any]


def prepare(flights: pa.Table, split: Split) -> Prepared:
    """Turn the flights, with their derived columns, into features learned from training rows."""
    preprocessor = fit_preprocessor(flights.take(split.train))
    parts = []
    for rows in (split.train, split.validation, split.test):
        part = flights.take(rows)
        targets = np.asarray(part[TARGET_COLUMN].to_numpy(), dtype=np.int64)
        parts.append(Rows(preprocessor.transform(part), targets))
    days = flights[GROUP_COLUMN].take(split.test).to_numpy()
    return Prepared(preprocessor, parts[0], parts[1], parts[2], days)


def train_network(
    data: Prepared, settings: Settings, *, progress: bool = True
) -> tuple[TabularModel, train.History]:
    """Train the network on the training rows, keeping its best weights on the validation rows.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; what comes after would not be worth its time.
    """
    target = TargetDescription(TARGET_COLUMN, "binary", ("false", "true"))
    network = nn.MLP(
        len(data.preprocessor.features),
        settings.hidden,
        target.outputs,
        activation="relu",
        dropout=settings.dropout,
        initializer="glorot_uniform",
        seed=settings.seed,
    )
    with limited_threads(settings.threads):
        history = train.fit(
            network,
            target.loss,
            (data.train.inputs, target.encode(data.train.targets)),
            (data.validation.inputs, target.encode(data.validation.targets)),
            optimiser=train.AdamW(settings.rate, weight_decay=settings.weight_decay),
            schedule="cosine",
            epochs=settings.epochs,
            batch_size=settings.batch,
            seed=settings.seed,
            progress=progress,
            threads=settings.threads,
        )
    if history.interrupted:
        raise KeyboardInterrupt
    return TabularModel(network, data.preprocessor, target), history


def train_rivals(data: Prepared, settings: Settings) -> Iterator[Baseline]:
    """Train, one after the other: the majority, tuned logistic regression, boosted trees."""
    parts = (data.train, data.validation)
    yield majority_baseline("binary", len(CLASSES), data.train)
    yield linear_baseline("binary", len(CLASSES), *parts, threads=settings.threads)
    if settings.trees:
        yield boosted_trees_baseline(
            "binary",
            len(CLASSES),
            *parts,
            seed=settings.seed,
            rounds=settings.trees,
            threads=settings.threads,
        )


@dataclass(frozen=True)
class Contest:
    """All models on the same test rows.

    Attributes:
        results: their metrics, the network last but for the trees, if there are any.
        predicted: of each model by name, test rows x classes.
        comparisons: network less logistic regression, rows resampled and then days.
    """

    results: list[ModelResult]
    predicted: dict[str, NDArray[np.float64]]
    comparisons: list[Comparison]

    @property
    def is_won(self) -> bool:
        """Whether every interval, of both metrics, by rows and by days, favours the network."""
        return all(each.interval.first_is_better for each in self.comparisons)


def hold_contest(
    data: Prepared, model: TabularModel, seconds: float, rivals: list[Baseline], settings: Settings
) -> Contest:
    """Measure every model on the test rows, and the network's lead by the paired bootstrap."""
    inputs, truth = data.test.inputs, data.test.targets
    with limited_threads(settings.threads):
        network = model.predict_inputs(inputs)
        predicted = {rival.name: rival.predict(inputs) for rival in rivals}
    widths = "-".join(str(width) for width in settings.hidden)
    how = f"{widths} relu, dropout {settings.dropout:g}, AdamW, best of {settings.epochs} epochs"
    entries = [(rival.name, rival.seconds, rival.description) for rival in rivals]
    entries.insert(2, (NETWORK, seconds, how))
    predicted[NETWORK] = network
    results = [
        ModelResult(name, measure("binary", truth, predicted[name]), spent, description)
        for name, spent, description in entries
    ]
    comparisons = [
        Comparison(
            NETWORK,
            LINEAR,
            paired_bootstrap(
                metric,
                truth,
                network,
                predicted[LINEAR],
                resamples=settings.resamples,
                seed=settings.seed,
                groups=groups,
            ),
            resampled,
        )
        for resampled, groups in (("rows", None), ("days", data.test_days))
        for metric in METRICS
    ]
    return Contest(results, predicted, comparisons)


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let the libraries of linear algebra use so many threads within the block."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=threads):
        yield
