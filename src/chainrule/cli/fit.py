"""``chainrule fit``: train a network on a table, compare it with simpler models, save it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from chainrule.cli.unread import also_unread
from chainrule.errors import NonFiniteError
from chainrule.nn.activations import ACTIVATIONS
from chainrule.tabular.errors import TableError, plural, quoted
from chainrule.tabular.files import check_writable
from chainrule.tabular.options import FitOptions
from chainrule.tabular.targets import Task
from chainrule.train.optimisers import OPTIMISERS

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from chainrule.tabular.report import Report

EPILOG = """\
\b
Examples:
  chainrule fit flights.csv --target delayed
  chainrule fit houses.parquet --target price --hidden 256,128 --dropout 0.2 -o houses.safetensors
  chainrule fit visits.csv.gz --target ill --group patient --json report.json --trees

The target's values decide the task: two different values are two classes; text, or few whole
numbers, are many classes; other numbers are predicted as numbers. --task overrides.

Ctrl-C ends the training early: the best weights so far are measured, reported and saved.
"""

DEFAULTS = FitOptions()


class Widths(click.ParamType):
    """Widths of hidden layers: whole numbers with commas between, or the word none."""

    name = "widths"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """``"64,32"`` as (64, 32)."""
        if isinstance(value, tuple):
            return value
        if value.strip().lower() in ("none", "0", ""):
            return ()
        try:
            widths = tuple(int(part) for part in value.split(","))
        except ValueError:
            widths = (0,)
        if min(widths) < 1:
            self.fail(
                f"{value!r} is no list of layer widths: write whole numbers such as 64,32, or none",
                param,
                ctx,
            )
        return widths


def _options(*chosen: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several click options as one decorator, in the order in which help lists them."""

    def decorate(command: Any) -> Any:
        for option in reversed(chosen):
            command = option(command)
        return command

    return decorate


_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
_POSITIVE = click.FloatRange(0, min_open=True)
_WHOLE = click.IntRange(1)

table_options = _options(
    click.option("--target", required=True, metavar="COLUMN", help="The column to predict."),
    click.option("--task", type=click.Choice(get_args(Task)), help="Overrides what is inferred."),
    click.option("--positive", metavar="LABEL", help="Of two classes, the positive one."),
    click.option("--categories", multiple=True, metavar="COLUMNS",
                 help="Treat as categories, such as codes written in digits. Names with commas "
                 "between, or the option several times."),
    click.option("--numbers", multiple=True, metavar="COLUMNS",
                 help="Treat as numbers, though they look like identifiers."),
    click.option("--ignore", multiple=True, metavar="COLUMNS", help="Leave out."),
    click.option("--test-fraction", type=_SHARE, default=DEFAULTS.test_fraction,
                 show_default=True, metavar="SHARE",
                 help="Share of the rows that only the final test sees."),
    click.option("--validation-fraction", type=_SHARE, default=DEFAULTS.validation_fraction,
                 show_default=True, metavar="SHARE",
                 help="Share of the rows that stops the training."),
    click.option("--group", "group_by", metavar="COLUMN",
                 help="Keep rows with one value of COLUMN in one part; it is not a feature."),
    click.option("--order-by", metavar="COLUMN",
                 help="Split in the order of COLUMN: train on the first rows, test on the last."),
)  # fmt: skip

network_options = _options(
    click.option("--hidden", type=Widths(), default=",".join(map(str, DEFAULTS.hidden)),
                 show_default=True, metavar="WIDTHS",
                 help="Widths of the hidden layers; none is a linear model."),
    click.option("--activation", type=click.Choice(list(ACTIVATIONS), case_sensitive=False),
                 default=DEFAULTS.activation, show_default=True, help="Of the hidden layers."),
    click.option("--dropout", type=click.FloatRange(0, 1, max_open=True), default=DEFAULTS.dropout,
                 show_default=True, metavar="SHARE",
                 help="Share of hidden values dropped in training."),
    click.option("--optimiser", "--optimizer", type=click.Choice(list(OPTIMISERS)),
                 default=DEFAULTS.optimiser, show_default=True, help="How the weights move."),
    click.option("--rate", type=_POSITIVE, metavar="NUMBER",
                 help="Learning rate at the start; it falls to 0 along a cosine.  [default: 0.001 "
                 "for classes, 0.005 for numbers]"),
    click.option("--weight-decay", type=click.FloatRange(0), metavar="NUMBER",
                 help="Decay of the weights (adamw) or L2 penalty (others).  [default: 0.1 with "
                 "adamw, else 0]"),
    click.option("--clip", type=_POSITIVE, metavar="NORM",
                 help="Scale gradients of a larger norm down to it.  [default: never]"),
    click.option("--batch", type=_WHOLE, metavar="ROWS",
                 help="Rows in a step.  [default: by the number of rows, 32 to 512]"),
    click.option("--epochs", type=_WHOLE, metavar="COUNT",
                 help="Passes over the training rows at most.  [default: by the number of rows]"),
    click.option("--patience", type=_WHOLE, default=DEFAULTS.patience, show_default=True,
                 metavar="COUNT",
                 help="Stop after so many epochs without a better validation loss."),
    click.option("--seed", type=click.IntRange(0), default=DEFAULTS.seed, show_default=True,
                 metavar="NUMBER",
                 help="Of the split, the weights and the order; the same seed, the same result."),
    click.option("--threads", type=_WHOLE, default=DEFAULTS.threads, show_default=True,
                 metavar="COUNT",
                 help="Threads for training and trees. More help only wide networks on an "
                 "idle machine, and may change the last digits."),
)  # fmt: skip

output_options = _options(
    click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
                 help="Where the model goes.  [default: TABLE's name with .safetensors, in the "
                 "current directory]"),
    click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
                 help="Write the whole report as JSON too."),
    click.option("--force", is_flag=True, help="Overwrite files that exist."),
    click.option("--trees", is_flag=True, help="Train boosted trees as a reference too."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
)  # fmt: skip


@click.command("fit", epilog=EPILOG)
@click.argument("table", type=click.Path(path_type=Path))
@table_options
@network_options
@output_options
@also_unread
def fit(
    table: Path,
    target: str,
    categories: Sequence[str],
    numbers: Sequence[str],
    ignore: Sequence[str],
    output: Path | None,
    json_path: Path | None,
    force: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Train a network on TABLE and save it.

    TABLE is a CSV or Parquet file, compressed or not. Its columns become features by what is in
    them; some rows are held out; a network is trained and compared on the test rows with the
    majority class and with logistic (or linear) regression.
    """
    options = FitOptions(**choices)
    output = default_output(table) if output is None else output
    _check_outputs(table, output, json_path, force)

    from chainrule.tabular.fitting import fit_table
    from chainrule.tabular.reading import read_table
    from chainrule.tabular.report import make_console

    console = make_console()
    start = time.perf_counter()
    rows = read_table(table)
    reading = time.perf_counter() - start
    options = replace(
        options,
        categories=column_names(categories, rows),
        numbers=column_names(numbers, rows),
        ignore=column_names(ignore, rows),
    )

    def announce(report: Report) -> None:
        console.print(
            f"{table}: {plural(rows.num_rows, 'row')}, {plural(rows.num_columns, 'column')}; "
            f"to predict: {quoted(target)} ({report.task})\n",
            markup=False, highlight=False,
        )  # fmt: skip
        report.print_columns(console)
        console.print(plan_sentence(report), markup=False, highlight=False)
        console.print("First the simpler models, then the network.\n")

    try:
        model, report = fit_table(
            rows,
            target,
            options,
            source=str(table),
            announce=None if quiet else announce,
            progress=not quiet,
        )
    except NonFiniteError as error:
        raise NonFiniteError(_in_options(str(error))) from error
    report = replace(report, seconds={"reading": reading, **report.seconds})
    # Files first: whoever reads the output may leave early.
    model.save(output, force=force)
    if json_path is not None:
        report.write(json_path, force=force)
    if not quiet:
        _print_ending(console, report, output, json_path)


def default_output(table: Path) -> Path:
    """The model's file, named after the table's, in the current directory.

    >>> default_output(Path("data/flights.2013.csv.gz")).as_posix()
    'flights.2013.safetensors'
    """
    from chainrule.tabular.reading import COMPRESSIONS, CSV_ENDINGS, PARQUET_ENDINGS

    endings = (*CSV_ENDINGS, *PARQUET_ENDINGS, *COMPRESSIONS, ".zip")
    stem = Path(table.name)
    while stem.suffix.lower() in endings:
        stem = stem.with_suffix("")
    return Path(f"{stem}.safetensors")


def _in_options(divergence: str) -> str:
    """Where training diverged, without a line of code that whoever types commands has not."""
    lines = [line for line in divergence.splitlines() if not line.lstrip().startswith("at ")]
    return "\n".join([*lines, "  as options: --rate and --clip"])


def _check_outputs(table: Path, output: Path, json_path: Path | None, force: bool) -> None:
    """What would stop the writing stops the command before it has trained for nothing."""
    places = {"--output": output} | ({"--json": json_path} if json_path is not None else {})
    for option, place in places.items():
        if place.resolve() == table.resolve():
            raise TableError(f"{option} is the table itself, {place}: give another name")
        check_writable(place, force=force)
    if json_path is not None and json_path.resolve() == output.resolve():
        raise TableError(f"--output and --json are the same file, {output}: give two names")


def column_names(given: Sequence[str], table: pa.Table) -> tuple[str, ...]:
    """The columns that an option names: one, or several with commas between."""
    names: list[str] = []
    for value in given:
        several = [value] if value in table.column_names else value.split(",")
        names += [name.strip() for name in several if name.strip()]
    return tuple(dict.fromkeys(names))


def plan_sentence(report: Report) -> str:
    """What is about to be trained, in words."""
    options = report.training["options"]
    outputs = len(report.classes) if report.task == "multiclass" else 1
    widths = "-".join(map(str, (report.features, *options["hidden"], outputs)))
    rate = "its usual rate" if options["rate"] is None else f"rate {options['rate']:g}"
    return (
        f"Network {widths}, {options['activation']}, dropout {options['dropout']:g}; "
        f"{options['optimiser']} at {rate}, weight decay {options['weight_decay']:g}, "
        f"batches of {options['batch']}, {plural(options['epochs'], 'epoch')} at most."
    )


def _print_ending(console: Console, report: Report, output: Path, json_path: Path | None) -> None:
    training = report.training
    losses = training["validation_losses"]
    best = training["best_epoch"]
    how = "stopped by Ctrl-C" if training["interrupted"] else training["reason"]
    unit = " (squared error in standard deviations)" if report.task == "regression" else ""
    console.print(
        f"Trained {plural(len(losses), 'epoch')} ({how}); kept the weights of epoch {best}, "
        f"whose validation loss {losses[best - 1]:.4f}{unit} was the lowest.\n",
        markup=False, highlight=False,
    )  # fmt: skip
    report.print_results(console)
    command = shlex.join(["chainrule", "predict", str(output), "NEW_ROWS.csv"])
    if json_path is not None:
        click.echo(f"Report: {json_path}")
    click.echo(f"Model saved: {output}")
    click.echo(f"To predict new rows: {command}")
