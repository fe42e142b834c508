"""``chainrule evaluate``: word vectors beside people's similarities, and at analogies."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.reading_vectors import load, reading_options
from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from rich.table import Table

    from chainrule.embed.evaluation import AnalogyResult, Estimate, SimilarityResult

EPILOG = """\
\b
Examples:
  chainrule evaluate news.bin --similarity wordsim353.tsv --similarity SimLex-999.txt
  chainrule evaluate news.bin --analogies questions-words.txt --restrict 30000 --json report.json

A similarity file has two words and a number on each line, between tabs, commas, semicolons or
spaces. An analogy file is in Google's form: four words a line, ": name" begins a section. Pairs and
questions with a word that has no vector are left out; how many is printed. Intervals are those of
the bootstrap, at 95 %; questions that share words make them too narrow for analogies.
"""

MOST_UNKNOWN_PRINTED = 5
_FILE = click.Path(path_type=Path)


@click.command("evaluate", epilog=EPILOG)
@click.argument("vectors", type=_FILE)
@click.option(
    "--similarity",
    "similarity_files",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="Pairs of words with the similarity people give them; several times for several.",
)
@click.option(
    "--analogies",
    "analogy_files",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="Questions of the form a is to b as c is to d; several times for several.",
)
@click.option(
    "--json", "json_path", type=_FILE, metavar="FILE", help="Write the results as JSON too."
)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@click.option(
    "--restrict",
    type=click.IntRange(1),
    default=300_000,
    show_default=True,
    metavar="COUNT",
    help="Ask analogies among the first COUNT words only.",
)
@click.option(
    "--method",
    type=click.Choice(["add", "mul"]),
    default="add",
    show_default=True,
    help="Answer analogies by 3CosAdd or by 3CosMul.",
)
@click.option("--case-sensitive", is_flag=True, help="Take words in their own case only.")
@click.option(
    "--resamples",
    type=click.IntRange(0, 1_000_000),
    default=1000,
    show_default=True,
    metavar="COUNT",
    help="Of the bootstrap; 0 for no intervals.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="NUMBER",
    help="Of the bootstrap.",
)
@reading_options
def evaluate(
    vectors: Path,
    similarity_files: Sequence[Path],
    analogy_files: Sequence[Path],
    json_path: Path | None,
    force: bool,
    restrict: int,
    method: str,
    case_sensitive: bool,
    resamples: int,
    seed: int,
    **reading: Any,
) -> None:  # fmt: skip
    """Measure the word vectors in VECTORS.

    For each similarity file the correlation of cosines with people's judgements, for each analogy
    file the share of right answers in each section.
    """
    if not similarity_files and not analogy_files:
        raise ChainruleError("there is nothing to measure: give --similarity or --analogies")
    if json_path is not None:
        from chainrule.tabular.files import check_writable

        for path in (vectors, *similarity_files, *analogy_files):
            if path.resolve() == json_path.resolve():
                raise ChainruleError(f"--json is {path}, which is read: give another name")
        check_writable(json_path, force=force)

    from chainrule.embed import evaluation
    from chainrule.embed.evaluation_files import read_analogies, read_pairs
    from chainrule.tabular.report import make_console

    # Files of a few lines first, so that a slip of the pen is found before a large one is read.
    pairs = [read_pairs(path) for path in similarity_files]
    sections = [(path.name, read_analogies(path)) for path in analogy_files]
    table = load(vectors, reading)
    common: dict[str, Any] = {
        "case_insensitive": not case_sensitive,
        "resamples": resamples,
        "seed": seed,
    }
    similarities = [evaluation.similarity(table, each, **common) for each in pairs]
    analogies = {
        name: evaluation.analogies(
            table, asked, restrict_vocab=restrict, method=method, **common
        )
        for name, asked in sections
    }  # fmt: skip
    if json_path is not None:
        report = {
            "vectors": str(vectors),
            "words": len(table),
            "vector_size": table.vector_size,
            "settings": {"restrict": restrict, "method": method, **common},
            "similarity": [asdict(result) for result in similarities],
            "analogies": {
                name: [asdict(result) for result in results] for name, results in analogies.items()
            },
        }
        _write(json_path, report)
    console = make_console()
    console.print(
        f"{vectors}: {len(table)} words, {table.vector_size} numbers each",
        markup=False, highlight=False,
    )  # fmt: skip
    if similarities:
        console.print()
        console.print(similarity_table(similarities))
        for result in similarities:
            if result.unknown:
                console.print(_unknown(result), markup=False, highlight=False)
    for name, results in analogies.items():
        console.print()
        console.print(analogy_table(f"{name}, 3Cos{method.title()}", results))
    if json_path is not None:
        click.echo(f"Report: {json_path}")


def similarity_table(results: Sequence[SimilarityResult]) -> Table:
    """A line for each similarity file."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Cosines and people's similarities", title_justify="left")
    table.add_column("file")
    for heading in ("pairs", "left out", "Spearman", "95 %", "Pearson", "95 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        table.add_row(
            Text(result.name),
            str(result.pairs),
            str(result.pairs - result.used),
            *_cells(result.spearman, "{:.3f}"),
            *_cells(result.pearson, "{:.3f}"),
        )
    return table


def analogy_table(title: str, results: Sequence[AnalogyResult]) -> Table:
    """A line for each section of questions, and the sums."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    table.add_column("section")
    for heading in ("questions", "left out", "right", "accuracy", "95 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for place, result in enumerate(results):
        sums = ("semantic", "syntactic", "total")
        following = results[place + 1].name if place + 1 < len(results) else ""
        table.add_row(
            Text(result.name),
            str(result.questions),
            str(result.questions - result.asked),
            str(result.right),
            *_cells(result.accuracy, "{:.1%}"),
            end_section=result.name not in sums and following in sums,
        )
    return table


def _cells(estimate: Estimate, form: str) -> tuple[str, str]:
    """A number and its interval; a dash where there is none."""

    def shown(value: float) -> str:
        return form.format(value) if math.isfinite(value) else "–"

    interval = f"{shown(estimate.low)} … {shown(estimate.high)}"
    return shown(estimate.value), interval if math.isfinite(estimate.low) else "–"


def _unknown(result: SimilarityResult) -> str:
    named = ", ".join(result.unknown[:MOST_UNKNOWN_PRINTED])
    more = len(result.unknown) - MOST_UNKNOWN_PRINTED
    return f"{result.name}, words without a vector: {named}" + (
        f" and {more} more" if more > 0 else ""
    )


def _write(path: Path, report: dict[str, Any]) -> None:
    """The report as JSON, which has no NaN: null where a number is unknown."""
    from chainrule.files import written_whole

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    with written_whole(path) as stream:
        json.dump(plain(report), stream, ensure_ascii=False, indent=2, allow_nan=False)
        stream.write("\n")
