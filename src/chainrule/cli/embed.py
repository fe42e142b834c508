"""``chainrule embed``: learn vectors of words from a text, and save them."""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.embed_checks import check_choices, default_destination, source_names
from chainrule.cli.embed_models import check_checkpoint, learn
from chainrule.cli.option_names import options_named
from chainrule.cli.unread import also_unread
from chainrule.embed.model import MOST
from chainrule.errors import ChainruleError, one_line
from chainrule.run import native

if TYPE_CHECKING:
    from rich.console import Console

    from chainrule.embed.vectors import WordVectors

EPILOG = """\
\b
Examples:
  chainrule embed                                 # the documentation of the libraries here
  chainrule embed wiki.txt.xz -o wiki.safetensors
  chainrule embed wiki.txt --model cbow --output hierarchical --dim 300 --threads 4
  chainrule embed reviews.parquet --column text --tokens words --lower -o reviews.vec
  chainrule embed news/ --model glove --epochs 50
  zcat log.gz | chainrule embed - --model lsa -o log.bin

The name of FILE decides its format, as in `chainrule similar --help`. Ctrl-C ends the training
early and saves the vectors as they are; with --checkpoint the same command goes on from there.
Where the output is piped to something that ends before, such as head, the training goes on.
"""

MODELS = ("skipgram", "cbow", "glove", "lsa")
OUTPUTS = ("negative", "hierarchical", "softmax")
# Words whose neighbours are printed where the text is the documentation of libraries.
SHOWN = ("gradient", "matrix", "socket", "thread", "integer", "probability")
TABLES = ("input", "output", "sum")
# Options by the names of what they are in Python.
NAMES = {
    "vector_size": "--dim",
    "window": "--window",
    "epochs": "--epochs",
    "min_count": "--min-count",
    "sample": "--sample",
    "negative": "--negative",
    "alpha": "--rate",
    "min_alpha": "the last rate",
    "eta": "--rate",
    "workers": "--threads",
    "seed": "--seed",
    "errors": "--errors",
    "column": "--column",
    "cache": "--cache",
    "folder": "--cache",
    "sg=0": "--model cbow",
    "sg=1": "--model skipgram",
    "hs=0": "another --output than hierarchical",
    "hs=1": "--output hierarchical",
    "softmax=False": "another --output than softmax",
    "softmax=True": "--output softmax",
    "share_negatives=1": "no --fast",
    "share_negatives=4": "--fast",
    "deterministic=False": "no --deterministic",
    "deterministic=True": "--deterministic",
}
_WHOLE = click.IntRange(1)


@click.command("embed", epilog=EPILOG)
@click.argument("corpus", nargs=-1, type=click.Path(path_type=str))
@click.option(
    "-o",
    "--vectors",
    "destination",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the vectors go.  [default: CORPUS's name with .safetensors, in the "
    "current directory]",
)
@click.option(
    "--model",
    type=click.Choice(MODELS),
    help="skipgram and cbow are word2vec's.  [default: skipgram; without CORPUS and without the "
    "native core lsa, for NumPy would take hours]",
)
@click.option(
    "--output",
    "layer",
    type=click.Choice(OUTPUTS),
    default="negative",
    show_default=True,
    help="What skipgram and cbow predict words with.",
)
@click.option(
    "--dim",
    type=_WHOLE,
    default=100,
    show_default=True,
    metavar="COUNT",
    help="Numbers in a vector.",
)
@click.option(
    "--window",
    type=click.IntRange(1, MOST["window"]),
    metavar="COUNT",
    help="Words on each side.  [default: 5; 15 with glove]",
)
@click.option(
    "--epochs",
    type=_WHOLE,
    metavar="COUNT",
    help="Passes.  [default: 5; 10 without CORPUS; 25 with glove]",
)
@click.option(
    "--min-count",
    type=_WHOLE,
    metavar="COUNT",
    help="Leave out rarer words.  [default: 5; 25 without CORPUS]",
)
@click.option(
    "--sample",
    type=click.FloatRange(0),
    default=1e-3,
    show_default=True,
    metavar="SHARE",
    help="Thin out words more frequent than this; 0 for none.",
)
@click.option(
    "--negative",
    type=click.IntRange(1, MOST["negative"]),
    default=5,
    show_default=True,
    metavar="COUNT",
    help="Wrong words for each window, with --output negative.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    metavar="NUMBER",
    help="Learning rate at the start.  [default: the model's]",
)
@click.option(
    "--fast",
    is_flag=True,
    help="Four windows share their negatives: quicker; analogies may suffer where "
    "training is short.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, MOST["workers"]),
    metavar="COUNT",
    help="[default: one for each core]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=1,
    show_default=True,
    metavar="NUMBER",
    help="One thread and one seed give the same bits.",
)
@click.option(
    "--deterministic", is_flag=True, help="The same bits with several threads too, at some cost."
)
@click.option(
    "--tokens",
    type=click.Choice(["whitespace", "words"]),
    default="whitespace",
    show_default=True,
    help="What a word is: what stands between blanks, or letters and digits.",
)
@click.option("--lower", is_flag=True, help="Make letters small.")
@click.option("--column", metavar="NAME", help="Of CSV and Parquet files: the text.")
@click.option(
    "--errors",
    type=click.Choice(["strict", "replace", "ignore"]),
    default="strict",
    show_default=True,
    help="What to do with bytes that are not UTF-8.",
)
@click.option(
    "--keep",
    type=click.Choice(TABLES),
    help="Which vectors are saved: of words as they are read, as they are predicted, or the sum "
    "of both.  [default: input; sum with glove]",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Keep the text as numbers here, for the next run.  [default: temporary files]",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Written after each epoch; where it is there, go on from it.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@options_named(NAMES)
@also_unread
def embed(
    corpus: tuple[str, ...],
    destination: Path | None,
    force: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Learn vectors of words from CORPUS.

    CORPUS is a text file with a sentence a line, a folder, a pattern, several of these, or - for
    standard input; compressed or not; also CSV and Parquet files with --column. Without it the
    text is the documentation of the Python libraries on this machine.
    """
    destination = default_destination(corpus) if destination is None else destination
    if choices["model"] is None:
        choices["model"] = "skipgram" if corpus or native.available() else "lsa"
    check_choices(corpus, destination, force, choices)
    if choices["threads"] is None:
        choices["threads"] = min(os.cpu_count() or 1, MOST["workers"])
    check_checkpoint(choices, bool(corpus))

    from chainrule.embed.corpus import Corpus
    from chainrule.embed.docstrings import Docstrings
    from chainrule.tabular.report import make_console

    console = make_console()
    settings = {name: choices[name] for name in ("tokens", "lower", "column", "errors")}
    if corpus:
        text = Corpus(source_names(corpus), progress=not quiet, cache=choices["cache"], **settings)
    else:
        if not quiet:
            console.print("Reading the documentation of the Python libraries on this machine.")
        text = Corpus(Docstrings(), progress=not quiet)
    if not quiet:
        console.print(
            f"{text.total:,} words, {text.distinct:,} different ones, in {len(text):,} sentences; "
            f"model: {choices['model']}.",
            highlight=False,
        )
    vectors = learn(text, not quiet, bool(corpus), choices)
    destination = _saved(vectors, destination)
    if not quiet:
        _show_neighbours(console, vectors, SHOWN if not corpus else ())
        word = next((word for word in SHOWN if word in vectors), vectors.index_to_key[-1])
        click.echo(f"{len(vectors):,} vectors of {vectors.vector_size} saved: {destination}")
        click.echo(f"To ask them: {shlex.join(['chainrule', 'similar', str(destination), word])}")


def _saved(vectors: WordVectors, destination: Path) -> Path:
    """Save vectors; where they do not fit there, somewhere else, for they took long to learn.

    Raises:
        ChainruleError: naming the reason and the other file.
    """
    try:
        vectors.save(destination)
        return destination
    except (ChainruleError, OSError) as error:
        reason = error
    for folder in (destination.parent, Path(tempfile.gettempdir())):
        place = None
        try:
            handle, name = tempfile.mkstemp(".safetensors", f"{destination.stem}-", folder)
            os.close(handle)
            place = folder / Path(name).name
            vectors.save(place)
        except (ChainruleError, OSError):
            if place is not None:
                place.unlink(missing_ok=True)
            continue
        raise ChainruleError(f"{one_line(reason)}; the vectors are in {place} instead")
    raise ChainruleError(f"{one_line(reason)}; there was no room for them elsewhere")


def _show_neighbours(console: Console, vectors: WordVectors, words: tuple[str, ...]) -> None:
    """A table of words and what is nearest to them."""
    known = [word for word in words if word in vectors]
    if not known:
        return
    from rich.table import Table

    table = Table("word", "nearest words", box=None, pad_edge=False)
    for word in known:
        nearest = vectors.most_similar(word, topn=6)
        table.add_row(word, ", ".join(f"{other} {cosine:.2f}" for other, cosine in nearest))
    console.print()
    console.print(table, highlight=False)
    console.print()
