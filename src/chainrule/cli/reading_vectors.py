"""What the commands that ask word vectors have in common: how the file is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.option_names import options_named
from chainrule.embed.formats import FORMATS
from chainrule.embed.formats.table import DUPLICATES, ERRORS

# Options by the names of what they are in Python.
NAMES = {
    "limit": "--limit",
    "format": "--from",
    "errors": "--errors",
    "duplicates": "--duplicates",
}

if TYPE_CHECKING:
    from chainrule.embed.vectors import WordVectors

OPTIONS = (
    click.option("--limit", type=click.IntRange(1), metavar="COUNT",
                 help="Read only the first COUNT words of VECTORS, mostly the frequent ones."),
    click.option("--from", "form", type=click.Choice(list(FORMATS)),
                 help="What VECTORS is.  [default: found by what it begins with]"),
    click.option("--errors", type=click.Choice(ERRORS), default="strict", show_default=True,
                 help="What becomes of words that are not UTF-8."),
    click.option("--duplicates", type=click.Choice(DUPLICATES), default="refuse",
                 show_default=True, help="What becomes of words that stand twice."),
)  # fmt: skip

count_option = click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="How many words are printed.",
)
output_option = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What is printed.",
)


def reading_options(command: Any) -> Any:
    """Add the options that ``load`` takes to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def load(path: Path, reading: dict[str, Any]) -> WordVectors:
    """Read the vectors, with the options of ``reading_options``."""
    from chainrule.embed.vectors import WordVectors

    with options_named(NAMES):
        return WordVectors.load(
            path,
            reading["form"],
            errors=reading["errors"],
            duplicates=reading["duplicates"],
            limit=reading["limit"],
        )


def print_neighbours(
    asked: list[str], found: list[list[tuple[str, float]]], output: str, **more: Any
) -> None:
    """Print the answers to some questions, as text or as JSON.

    Args:
        asked: the questions as they were typed.
        found: for each of them pairs of a word and its score.
        output: "text" or "json".
        more: what else is in the JSON.
    """
    if output == "json":
        import json

        answers = [
            {
                "question": question,
                "neighbours": [{"word": word, "score": score} for word, score in pairs],
            }
            for question, pairs in zip(asked, found, strict=True)
        ]
        click.echo(json.dumps({**more, "answers": answers}, ensure_ascii=False, indent=2))
        return
    blocks = []
    for question, pairs in zip(asked, found, strict=True):
        lines = [f"  {score:7.4f}  {word}" for word, score in pairs]
        blocks.append("\n".join([question, *lines]))
    click.echo("\n\n".join(blocks))
