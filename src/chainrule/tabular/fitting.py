"""From a table to a trained network and an honest report of it.

The order of events: decide the task, split the rows, learn the preprocessing from the training
rows, train what the network must beat, train the network with early stopping on the validation
rows, and only then look at the test rows, once, for all models alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import nn, train
from chainrule.tabular import columns as rules
from chainrule.tabular.baselines import (
    Baseline,
    Rows,
    boosted_trees_baseline,
    linear_baseline,
    majority_baseline,
)
from chainrule.tabular.bootstrap import paired_bootstrap
from chainrule.tabular.errors import TableError, plural, quoted
from chainrule.tabular.metrics import confusion, measure
from chainrule.tabular.model import TabularModel, TargetDescription
from chainrule.tabular.options import FitOptions
from chainrule.tabular.preprocessing import Preprocessor
from chainrule.tabular.report import Comparison, ModelResult, Report
from chainrule.tabular.splitting import Split, group_codes, split_table
from chainrule.tabular.targets import Target, prepare_target

if TYPE_CHECKING:
    import pyarrow as pa

NETWORK = "neural network"
COMPARED = {
    "binary": ("auc", "log_loss"), "multiclass": ("accuracy", "log_loss"), "regression": ("rmse",),
}  # fmt: skip


def fit_table(
    table: pa.Table,
    target: str,
    options: FitOptions | None = None,
    *,
    source: str = "table",
    announce: Callable[[Report], None] | None = None,
    progress: bool = False,
) -> tuple[TabularModel, Report]:
    """Train a multilayer perceptron to predict a column, and compare it with simpler models.

    Args:
        table: all rows; some are held out for validation and test.
        target: the column to predict.
        options: see there; the defaults suit most tables.
        source: what the report calls the table.
        announce: called before training with a report that has no results yet.
        progress: whether to show each epoch's losses.

    Returns:
        The model with its best weights, and the report. Ctrl-C during the network's training ends
        it; the weights that were best so far are returned.

    Raises:
        TableError: the target, the split or an option does not suit the table.
        NonFiniteError: training diverged.

    >>> import pyarrow as pa
    >>> x = np.linspace(-1, 1, 60)
    >>> table = pa.table({"x": x, "large": x * x > 0.3})
    >>> model, report = fit_table(table, "large", FitOptions(hidden=(8,), resamples=20))
    >>> report.task, report.sizes["test"], [each.name for each in report.models]
    ('binary', 12, ['neural network', 'logistic regression', 'majority class'])
    """
    import sklearn.linear_model  # noqa: F401 (loads the libraries whose threads are limited)
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    options = options or FitOptions()
    with threadpool_limits(limits=options.threads):
        prepared = prepare(table, target, options)
        options = options.chosen_for(prepared.target.task, len(prepared.train.inputs))
        blank = Report(
            table=source, target=target, task=prepared.target.task,
            columns=prepared.preprocessor.columns, split=prepared.split.description,
            sizes=prepared.split.sizes, features=len(prepared.preprocessor.features), models=(),
            classes=prepared.target.classes, notes=prepared.notes,
            training={"options": asdict(options)},
        )  # fmt: skip
        if announce is not None:
            announce(blank)
        return _trained(prepared, blank, options, progress)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table ready for training: parts with features and targets, and how they came about.

    Attributes:
        target: of all kept rows.
        split: of the kept rows, as places among them.
        preprocessor: learned from the training rows.
        train, validation, test: features and targets.
        groups: of the test rows, where the split keeps groups together.
        notes: what was left out or decided.
        seconds: that all this took.
    """

    target: Target
    split: Split
    preprocessor: Preprocessor
    train: Rows
    validation: Rows
    test: Rows
    groups: NDArray[np.int64] | None
    notes: tuple[str, ...]
    seconds: float


def prepare(table: pa.Table, name: str, options: FitOptions) -> Prepared:
    """Decide the task, split the rows, learn the preprocessing from the training rows.

    Raises:
        TableError: the target, the split or an option does not suit the table.
    """
    start = time.perf_counter()
    target = prepare_target(table, name, task=options.task, positive=options.positive)
    for option, column in (("group by", options.group_by), ("order by", options.order_by)):
        if column == name:
            raise TableError(f"the column to {option}, {quoted(name)}, is the target itself")
    kept = table if len(target.rows) == table.num_rows else table.take(target.rows)
    split = split_table(
        kept,
        seed=options.seed,
        fractions=options.fractions,
        classes=None if target.task == "regression" else target.values,
        group_by=options.group_by,
        order_by=options.order_by,
    )
    notes = [*target.notes, *_check_classes(target, split)]
    parts = [kept.take(rows) for rows in (split.train, split.validation, split.test)]
    preprocessor = _fit_preprocessor(kept, parts[0], name, options)
    encoded = [preprocessor.encode(part) for part in parts]
    notes += [f"test rows, {note}" for note in encoded[2].notes]
    groups = None
    if options.group_by is not None:
        groups = group_codes(parts[2].column(options.group_by))
    seconds = time.perf_counter() - start
    return Prepared(
        target,
        split,
        preprocessor,
        train=Rows(encoded[0].inputs, target.values[split.train]),
        validation=Rows(encoded[1].inputs, target.values[split.validation]),
        test=Rows(encoded[2].inputs, target.values[split.test]),
        groups=groups,
        notes=tuple(notes),
        seconds=seconds,
    )


def _fit_preprocessor(
    kept: pa.Table, train_part: pa.Table, name: str, options: FitOptions
) -> Preprocessor:
    asked = {*options.categories, *options.numbers, *options.ignore}
    by = options.group_by
    dropped = (by,) if by is not None and by not in asked else ()
    # A third word (yes, no, maybe) may lie outside the training rows: then it is no boolean.
    words = tuple(
        column
        for column in train_part.column_names
        if column not in {name, by, *asked}
        and rules.is_boolean(rules.plain(train_part.column(column)))
        and not rules.is_boolean(rules.plain(kept.column(column)))
    )
    preprocessor = Preprocessor.fit(
        train_part,
        name,
        categories=(*options.categories, *words),
        numbers=options.numbers,
        ignore=(*options.ignore, *dropped),
    )
    reason = "not used: rows of one value are kept together"
    return replace(
        preprocessor,
        columns=tuple(
            replace(column, treatment=reason) if column.name in dropped else column
            for column in preprocessor.columns
        ),
    )


def _check_classes(target: Target, split: Split) -> list[str]:
    """Notes on classes that a split by group or order left out of the training rows."""
    if target.task == "regression":
        return []
    counts = np.bincount(target.values[split.train], minlength=len(target.classes))
    if (counts > 0).sum() < 2:
        only = target.classes[int(counts.argmax())]
        raise TableError(
            f"the target {quoted(target.name)} is {quoted(only)} in every training row of this "
            f"split ({split.description}): split otherwise"
        )
    missing = [label for label, count in zip(target.classes, counts, strict=True) if not count]
    if not missing:
        return []
    shown = ", ".join(quoted(label) for label in missing[:5])
    return [f"no training row of this split has {shown}: it cannot be predicted"]


# ----- training -----------------------------------------------------------------------------------


def _trained(
    prepared: Prepared, blank: Report, options: FitOptions, progress: bool
) -> tuple[TabularModel, Report]:
    target, test = prepared.target, prepared.test
    baselines = _baselines(prepared, options)
    model, network = train_network(prepared, options, progress=progress)
    results = [
        ModelResult(NETWORK, {}, sum(network.history.seconds), network.description),
        *(ModelResult(each.name, {}, each.seconds, each.description) for each in baselines),
    ]
    start = time.perf_counter()
    predicted = [
        model.predict_inputs(test.inputs),
        *(np.asarray(baseline.predict(test.inputs)) for baseline in baselines),
    ]
    results = [
        replace(result, metrics=measure(target.task, test.targets, values))
        for result, values in zip(results, predicted, strict=True)
    ]
    matrix = None if target.task == "regression" else confusion(test.targets, predicted[0])
    report = replace(
        blank,
        models=tuple(results),
        confusion=None if matrix is None else matrix.tolist(),
        comparisons=_comparisons(prepared, results, predicted, options),
        training={**blank.training, **network.record()},
    )
    seconds = {
        "preparing": prepared.seconds,
        "baselines": sum(each.seconds for each in baselines),
        "network": network.seconds,
        "testing": time.perf_counter() - start,
    }
    return model, replace(report, seconds=seconds)


def _baselines(prepared: Prepared, options: FitOptions) -> list[Baseline]:
    """The linear model first, which the network is compared with."""
    task, classes = prepared.target.task, len(prepared.target.classes)
    baselines = [linear_baseline(task, classes, prepared.train, prepared.validation)]
    if options.trees:
        trees = boosted_trees_baseline(
            task, classes, prepared.train, prepared.validation, seed=options.seed
        )
        baselines.append(trees)
    return [*baselines, majority_baseline(task, classes, prepared.train)]


def _comparisons(
    prepared: Prepared,
    results: list[ModelResult],
    predicted: list[NDArray[np.float64]],
    options: FitOptions,
) -> tuple[Comparison, ...]:
    """The network less the linear model, with intervals."""
    target, test = prepared.target, prepared.test
    resampled = "rows"
    if prepared.groups is not None:
        resampled = f"groups of one {quoted(options.group_by)}"
    comparisons = []
    for metric in COMPARED[target.task]:
        if not all(np.isfinite(result.metrics[metric]) for result in results[:2]):
            continue
        interval = paired_bootstrap(
            metric, test.targets, predicted[0], predicted[1],
            resamples=options.resamples, seed=options.seed, groups=prepared.groups,
        )  # fmt: skip
        comparisons.append(Comparison(NETWORK, results[1].name, interval, resampled))
    return tuple(comparisons)


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """How the network was trained: its curves, its size, the time in all, and a short sentence."""

    history: train.History
    parameters: int
    seconds: float
    description: str

    def record(self) -> dict[str, Any]:
        """The training as JSON has it, times left to the report's own."""
        curves = self.history.as_dict()
        curves.pop("seconds")
        return {"parameters": self.parameters, **curves}


def train_network(
    prepared: Prepared, options: FitOptions, *, progress: bool = False
) -> tuple[TabularModel, TrainedNetwork]:
    """Train the network on the training rows, stopped early on the validation rows.

    Args:
        prepared: from `prepare`.
        options: what they leave open is chosen by the number of training rows.
        progress: whether to show each epoch's losses.

    Raises:
        KeyboardInterrupt: Ctrl-C came before the first epoch was finished.
        NonFiniteError: training diverged.
    """
    start = time.perf_counter()
    chosen = options.chosen_for(prepared.target.task, len(prepared.train.inputs))
    target = TargetDescription.of(prepared.target, prepared.train.targets)
    network = nn.MLP(
        len(prepared.preprocessor.features),
        list(chosen.hidden),
        target.outputs,
        activation=chosen.activation,
        dropout=chosen.dropout,
        seed=chosen.seed,
    )
    decay = chosen.weight_decay or 0.0
    optimiser: str | train.Optimiser = chosen.optimiser
    rate = chosen.rate
    if chosen.optimiser == "adamw":
        optimiser, rate = train.AdamW(chosen.rate or 0.001, weight_decay=decay), None
    history = train.fit(
        network,
        target.loss,
        (prepared.train.inputs, target.encode(prepared.train.targets)),
        validation=(prepared.validation.inputs, target.encode(prepared.validation.targets)),
        optimiser=optimiser,
        rate=rate,
        epochs=chosen.epochs or 1,
        batch_size=chosen.batch or 1,
        seed=chosen.seed,
        # Rows are dealt anew in each epoch: those left over now take part in the next.
        drop_last=True,
        schedule="cosine",
        clip=chosen.clip,
        regulariser=nn.L2(decay) if decay and chosen.optimiser != "adamw" else None,
        patience=chosen.patience,
        progress=progress,
        threads=chosen.threads,
    )
    if not history.best_epoch:
        raise KeyboardInterrupt
    widths = "-".join(str(layer.inputs) for layer in network.layers)
    description = (
        f"{widths}-{target.outputs} {chosen.activation}, best of {plural(history.epochs, 'epoch')} "
        f"was {history.best_epoch}"
    )
    if history.interrupted:
        description += ", interrupted"
    trained = TrainedNetwork(
        history, network.parameter_count, time.perf_counter() - start, description
    )
    return TabularModel(network, prepared.preprocessor, target), trained
