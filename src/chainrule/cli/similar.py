"""``chainrule similar``: the words whose vectors are most like those of given words."""

from __future__ import annotations

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

EPILOG = """\
\b
Examples:
  chainrule similar news.bin moon
  chainrule similar glove.6B.100d.txt moon sun -n 5
  chainrule similar words.safetensors moon --format json

VECTORS is a file of word2vec (text or binary), GloVe or fastText (.vec), a .npy file with its
.vocab beside it, .safetensors (of vectors or a model), .parquet, or the .tsv of the Embedding
Projector; text and word2vec's binary form also compressed (.gz, .bz2, .xz, .zst). Where a word
has no vector, the nearest spellings are named.
"""


@click.command("similar", epilog=EPILOG)
@click.argument("vectors", type=click.Path(path_type=Path))
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@count_option
@output_option
@reading_options
def similar(
    vectors: Path, words: Sequence[str], count: int, output: str, **reading: Any
) -> None:  # fmt: skip
    """Print the words in VECTORS that are most like each WORD, with their cosines."""
    found = load(vectors, reading).most_similar_batch(list(words), topn=count)
    print_neighbours(list(words), found, output, vectors=str(vectors))
