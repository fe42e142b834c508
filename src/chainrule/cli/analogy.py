"""``chainrule analogy``: the words nearest to a sum and difference of others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from chainrule.cli.reading_vectors import (
    count_option,
    load,
    output_option,
    print_neighbours,
    reading_options,
)
from chainrule.embed.vector_errors import UnknownWordError
from chainrule.errors import ChainruleError

# A sign that was perhaps meant as one, but stands inside a word.
SIGN = re.compile(r"\w[-+]\w")

EPILOG = """\
\b
Examples:
  chainrule analogy news.bin "king - man + woman"
  chainrule analogy news.bin "Paris - France + Japan" --method mul -n 3

The first word is one that is added. A sign has a space before it, so that a well-known word may
have a hyphen.
VECTORS is a file that chainrule similar reads as well; see its --help.
"""


@click.command("analogy", epilog=EPILOG)
@click.argument("vectors", type=click.Path(path_type=Path))
@click.argument("expression", nargs=-1, required=True)
@click.option(
    "--method",
    type=click.Choice(["add", "mul"]),
    default="add",
    show_default=True,
    help="By the cosine with the sum (3CosAdd), or by the product of cosines (3CosMul).",
)
@count_option
@output_option
@reading_options
def analogy(
    vectors: Path,
    expression: Sequence[str],
    method: str,
    count: int,
    output: str,
    **reading: Any,
) -> None:
    """Print the words in VECTORS that are nearest to EXPRESSION, such as "king - man + woman"."""
    positive, negative = terms(" ".join(expression))
    table = load(vectors, reading)
    ask = table.most_similar if method == "add" else table.most_similar_cosmul
    try:
        found = ask(positive, negative, topn=count)
    except UnknownWordError as error:
        joined = next((w for w in positive + negative if w not in table and SIGN.search(w)), None)
        hint = f"; write a space before each + and - that is a sign in {joined!r}" if joined else ""
        raise ChainruleError(f"{error}{hint}") from error
    asked = " ".join(expression)
    print_neighbours([asked], [found], output, vectors=str(vectors), method=method)


def terms(expression: str) -> tuple[list[str], list[str]]:
    """The words that are added, and those that are subtracted.

    Raises:
        ChainruleError: for a sign without a word, a word without a sign, or nothing added.

    >>> terms("king - man + woman"), terms("-well-known +rare")
    ((['king', 'woman'], ['man']), (['rare'], ['well-known']))
    """
    positive: list[str] = []
    negative: list[str] = []
    sign = ""
    for place, token in enumerate(expression.replace("−", "-").split()):
        if token[0] in "+-":
            if sign:
                raise ChainruleError(f"{expression!r}: two signs follow each other")
            sign, token = token[0], token[1:]
            if not token:
                continue
        if not sign and place:
            raise ChainruleError(f"{expression!r}: there is no + or - before {token!r}")
        (negative if sign == "-" else positive).append(token)
        sign = ""
    if sign:
        raise ChainruleError(f"{expression!r}: there is no word after the last {sign}")
    if not positive:
        raise ChainruleError(f"{expression!r}: at least one word must be added")
    return positive, negative
