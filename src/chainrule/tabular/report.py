"""What a fit has to say for itself: plain records, as JSON and as printed tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.files import written_whole
from chainrule.tabular.bootstrap import Interval
from chainrule.tabular.columns import Column
from chainrule.tabular.files import check_writable
from chainrule.tabular.metrics import LARGER_IS_BETTER, TITLES

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

MOST_CLASSES_PRINTED = 12


@dataclass(frozen=True)
class ModelResult:
    """One model on the test rows: metrics as in `metrics.measure`, and seconds of training."""

    name: str
    metrics: Mapping[str, float]
    seconds: float
    description: str = ""


@dataclass(frozen=True)
class Comparison:
    """A paired bootstrap interval, with the names of the two models it compares."""

    first: str
    second: str
    interval: Interval
    resampled: str = "rows"


@dataclass(frozen=True)
class Report:
    """Everything that a fit prints, and writes with `--json`.

    Attributes:
        table: where the data came from.
        target: the column predicted.
        task: "binary", "multiclass" or "regression".
        columns: what became of each.
        split: how the rows were split.
        sizes: rows in each part.
        features: how many inputs the network has.
        models: the network first, then what it is compared with.
        classes: labels, in the order of the confusion matrix; none for regression.
        confusion: of the first model, true classes x predicted classes, or None.
        comparisons: differences with their intervals.
        notes: what was left out or decided on the way.
        training: how the network was trained, for the JSON alone: options, curves, the ending.
        seconds: of each stage, such as {"reading": 0.4, "training": 12.0}.
    """

    table: str
    target: str
    task: str
    columns: Sequence[Column]
    split: str
    sizes: Mapping[str, int]
    features: int
    models: Sequence[ModelResult]
    classes: Sequence[str] = ()
    confusion: Sequence[Sequence[int]] | None = None
    comparisons: Sequence[Comparison] = ()
    notes: Sequence[str] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the report as texts, numbers, lists and dictionaries.

        Numbers that are not finite, which JSON lacks, become None.
        """
        record = _plain(asdict(self))
        if not isinstance(record, dict):
            raise TypeError("a report is a record")
        for comparison, saved in zip(self.comparisons, record["comparisons"], strict=True):
            saved["interval"]["first_is_better"] = comparison.interval.first_is_better
        return record

    def write(self, path: str | Path, *, force: bool = False) -> None:
        """Write the report as JSON, whole or not at all.

        Raises:
            TableError: the file exists and `force` was not given, or its folder does not.
        """
        check_writable(path, force=force)
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        with written_whole(path) as stream:
            stream.write(text)

    def print(self, console: Console | None = None) -> None:
        """Print the report as tables; where the output is no terminal, 100 columns, no colour."""
        console = console or make_console()
        self.print_columns(console)
        self.print_results(console)

    def print_columns(self, console: Console) -> None:
        """Print the columns and what became of them, the notes, and the split."""
        console.print(columns_table(self.columns))
        for note in self.notes:
            console.print(f"- {note}", markup=False, highlight=False)
        parts = ", ".join(f"{_thousands(size)} {name}" for name, size in self.sizes.items())
        console.print(
            f"Rows: {parts}; {self.split}. Features: {self.features}.",
            markup=False,
            highlight=False,
        )

    def print_results(self, console: Console) -> None:
        """Print the models' metrics, the comparisons, the confusion matrix, and the time."""
        console.print(models_table(self.models))
        for each in self.comparisons:
            console.print(comparison_sentence(each), markup=False, highlight=False)
        if self.confusion is not None and len(self.classes) <= MOST_CLASSES_PRINTED:
            console.print(confusion_table(self.models[0].name, self.classes, self.confusion))
        if self.seconds:
            stages = ", ".join(f"{name} {spent:.1f} s" for name, spent in self.seconds.items())
            total = sum(self.seconds.values())
            console.print(f"Time: {stages}; {total:.1f} s in all.", markup=False, highlight=False)


def make_console() -> Console:
    """Return a console on standard output; 100 columns wide where that is no terminal."""
    import sys

    from rich.console import Console

    if sys.stdout.isatty():
        return Console()
    return Console(width=100, no_color=True, force_terminal=False)


def columns_table(columns: Sequence[Column]) -> Table:
    """Return the table "the columns and what became of them"."""
    from rich.text import Text

    table = _table("The columns and what became of them")
    for heading in ("column", "different", "blanks", "treatment"):
        number = heading in ("different", "blanks")
        table.add_column(heading, justify="right" if number else "left", no_wrap=number)
    for column in columns:
        table.add_row(
            Text(column.name), _thousands(column.different), _thousands(column.blanks),
            Text(column.treatment), style="" if column.used else "dim",
        )  # fmt: skip
    return table


def models_table(models: Sequence[ModelResult]) -> Table:
    """Return the table of test metrics, the best of each marked with a star."""
    from rich.text import Text

    table = _table("On the test rows (* the best)")
    table.add_column("model")
    metrics = [name for name in LARGER_IS_BETTER if any(name in each.metrics for each in models)]
    for name in metrics:
        table.add_column(TITLES[name], justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("how")
    for model in models:
        cells = [_marked(name, model, models) for name in metrics]
        table.add_row(
            Text(model.name), *cells, f"{model.seconds:.1f}", Text(model.description)
        )  # fmt: skip
    return table


def confusion_table(
    model: str, classes: Sequence[str], confusion: Sequence[Sequence[int]]
) -> Group:
    """Return the confusion matrix as a table, true classes down and predicted across."""
    from rich.console import Group
    from rich.text import Text

    # A title of the table itself would be wrapped to the width of its few numbers.
    title = Text(f"Confusion of the {model} (rows: true, columns: predicted)", style="italic")
    table = _table(None)
    table.add_column("")
    for label in classes:
        table.add_column(Text(label), justify="right")
    table.add_column("found", justify="right")
    for place, (label, counts) in enumerate(zip(classes, confusion, strict=True)):
        total = sum(counts)
        share = f"{100 * counts[place] / total:.1f}%" if total else "-"
        table.add_row(Text(label), *(_thousands(count) for count in counts), share)
    return Group(title, table)


def comparison_sentence(comparison: Comparison) -> str:
    """Return a comparison in words.

    >>> interval = Interval("auc", 0.021, 0.015, 0.027, 0.95, 1000)
    >>> comparison_sentence(Comparison("network", "ridge", interval))[:65]
    'AUC, network less ridge: +0.0210, 95% interval +0.0150 to +0.0270'
    """
    interval = comparison.interval
    verdict = "better" if interval.first_is_better else "not shown to be better"
    return (
        f"{TITLES[interval.metric]}, {comparison.first} less {comparison.second}: "
        f"{_readable(interval.difference, '+')}, {100 * interval.level:g}% interval "
        f"{_readable(interval.low, '+')} to {_readable(interval.high, '+')} "
        f"({interval.resamples} resamples of {comparison.resampled}): {verdict}"
    )


def _table(title: str | None) -> Table:
    from rich import box
    from rich.table import Table

    return Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)


def _marked(metric: str, model: ModelResult, models: Sequence[ModelResult]) -> str:
    value = model.metrics.get(metric, math.nan)
    if not math.isfinite(value):
        return "- "
    others = [each.metrics.get(metric, math.nan) for each in models]
    finite = [other for other in others if math.isfinite(other)]
    best = max(finite) if LARGER_IS_BETTER[metric] else min(finite)
    digits = _readable(value)
    return digits + ("*" if value == best else " ")


def _readable(value: float, sign: str = "") -> str:
    """Four decimals, but of numbers of thousands the whole part."""
    return f"{value:{sign}.0f}" if abs(value) >= 1000 else f"{value:{sign}.4f}"


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _plain(value: Any) -> Any:
    """Return a value of dictionaries, sequences and NumPy numbers as JSON has them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
