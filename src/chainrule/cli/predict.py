"""``chainrule predict``: what a saved model says about the rows of a table, as CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from chainrule.files import written_whole
from chainrule.tabular.errors import TableError, nearest_names, plural, quoted
from chainrule.tabular.files import check_writable

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from chainrule.tabular.model import TabularModel
    from chainrule.tabular.predictions import Predictions

EPILOG = """\
\b
Examples:
  chainrule predict flights.safetensors tomorrow.csv
  chainrule predict flights.safetensors tomorrow.csv --keep flight -o predictions.csv

The table needs the columns that the model was trained on, by name, in any order. Columns beyond
them, unseen categories and unexpected blanks are noted on standard error. Where the table has the
target's column too, the predictions are measured against it.
"""


@click.command("predict", epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the CSV goes.  [default: standard output]",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="Copy this column of TABLE before the predictions; may be given several times.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@click.option("-q", "--quiet", is_flag=True, help="Print no notes.")
def predict(
    model: Path, table: Path, output: Path | None, keep: Sequence[str], force: bool, quiet: bool
) -> None:  # fmt: skip
    """Predict the rows of TABLE with MODEL, a file that chainrule fit has saved.

    Writes one line for each row, in the table's order: the prediction and, for classes, the
    probability of each.
    """
    if output is not None:
        for what, place in (("the table", table), ("the model", model)):
            if output.resolve() == place.resolve():
                raise TableError(f"--output is {what} itself, {place}: give another name")
        check_writable(output, force=force)

    from chainrule.tabular.model import TabularModel
    from chainrule.tabular.predictions import write_csv
    from chainrule.tabular.reading import read_table

    trained = TabularModel.load(model)
    rows = read_table(table)
    kept = _kept(rows, keep, trained.target.classes)
    for note in trained.notes(rows):
        _note(note, quiet)
    values: list[NDArray[np.float64]] = []
    known = trained.target.name in rows.column_names and not quiet

    def batches() -> Iterator[Predictions]:
        for batch in trained.predict_batches(rows):
            if known:
                values.append(batch.values)
            yield batch

    with _opened(output) as stream:
        count = write_csv(stream, batches(), trained.target.classes, kept)
    if known:
        _measure(trained, rows, values)
    if output is not None:
        _note(f"{plural(count, 'prediction')} written to {output}", quiet)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with written_whole(output) as stream:
        yield stream


def _note(text: str, quiet: bool = False) -> None:
    if not quiet:
        click.echo(text, err=True)


def _kept(
    table: pa.Table, names: Sequence[str], classes: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """The columns to copy, as texts, blanks empty."""
    from chainrule.tabular import columns as rules
    from chainrule.tabular.predictions import header

    kept = []
    for name in dict.fromkeys(names):
        if name not in table.column_names:
            raise TableError(
                f"there is no column {quoted(name)} to keep. "
                f"{nearest_names(name, table.column_names)}"
            )
        if name in header(classes):
            raise TableError(
                f"the column {quoted(name)} cannot be kept: the predictions have one of that name"
            )
        texts = rules.as_text(table.column(name)).to_pylist()
        kept.append((name, ["" if text is None else text for text in texts]))
    return kept


def _measure(trained: TabularModel, table: pa.Table, values: Sequence[NDArray[np.float64]]) -> None:
    """Say how good the predictions are, where the table holds the truth."""
    import numpy as np

    from chainrule.tabular.metrics import TITLES

    name = quoted(trained.target.name)
    try:
        score = trained.score(table, np.concatenate(values))
    except TableError as error:
        _note(f"not measured: {error}")
        return
    if score is None:
        _note(f"not measured: the column {name} is blank, or has only unknown classes")
        return
    for label, rows in list(score.unknown.items())[:3]:
        _note(f"{plural(rows, 'row')} not measured: {quoted(label)} is no class of the model")
    measured = ", ".join(
        f"{TITLES[metric]} {value:.6g}" if abs(value) >= 1000 else f"{TITLES[metric]} {value:.4f}"
        for metric, value in score.metrics.items()
        if np.isfinite(value)
    )
    _note(
        f"measured on the {plural(score.rows, 'row')} with {name}: {measured} "
        "(flattering where the model was trained on them)"
    )
