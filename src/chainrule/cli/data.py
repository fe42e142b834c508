"""``chainrule data get``: texts to learn from, fetched, checked and unpacked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from chainrule.embed.download import DATASETS, DownloadError, Report, get, is_there, part_of

EPILOG = """\
\b
Example:
  chainrule data get text8

\b
Texts:
""" + "\n".join(f"  {each.name}  {each.about}" for each in DATASETS.values())


@click.group("data")
def data() -> None:
    """Fetch texts to learn from."""


@data.command("get", epilog=EPILOG)
@click.argument("name", type=click.Choice(list(DATASETS)))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Where the text goes.  [default: its name, in this folder]")  # fmt: skip
@click.option("--url", metavar="URL", help="Another place of the same archive.")
@click.option("--force", is_flag=True, help="Overwrite a file that holds something else.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def get_data(name: str, output: Path | None, url: str | None, force: bool, quiet: bool) -> None:
    """Download a text, and check its size and checksum.

    A download that was interrupted goes on where it stopped when the same command is given again.
    A text that is there already is not fetched again.
    """
    dataset = DATASETS[name]
    place = output or Path(name)
    if place.is_dir():
        place = place / name
    if not place.parent.is_dir():
        raise DownloadError(f"{place.parent} is not a directory: make it first")
    if place.exists() and not force and not is_there(dataset, place):
        raise DownloadError(
            f"{place} exists and is not {name}: give another name with --output, or --force to "
            "overwrite it"
        )
    try:
        with _progress(name, dataset.archive_size, quiet) as report:
            fetched = get(dataset, place, url=url, report=report)
    except KeyboardInterrupt:
        if part_of(place).exists():
            click.echo(
                f"what was fetched is in {part_of(place)}; the same command goes on", err=True
            )
        raise
    if not quiet:
        done = "fetched and checked" if fetched else "there already, and whole"
        click.echo(f"{place}: {done}, {dataset.size:,} bytes")


@contextmanager
def _progress(name: str, size: int, quiet: bool) -> Iterator[Report]:
    """A bar on a terminal, nothing elsewhere."""
    if quiet or not sys.stdout.isatty():
        yield lambda here: None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task(f"fetching {name}", total=size)
        yield lambda here: progress.update(task, completed=here)
