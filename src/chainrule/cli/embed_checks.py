"""What ``chainrule embed`` finds out before it reads a text: what would be an error after hours."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from chainrule.errors import ChainruleError
from chainrule.tabular.files import check_writable


def default_destination(corpus: tuple[str, ...]) -> Path:
    """The vectors' file, named after the first text, in the current directory.

    >>> default_destination(("data/wiki.txt.xz",)).as_posix()
    'wiki.safetensors'
    >>> default_destination(()).as_posix()
    'documentation.safetensors'
    """
    if not corpus:
        return Path("documentation.safetensors")
    first = corpus[0].replace("*", "").strip("-.") or "text"
    return Path(f"{Path(first).name.split('.')[0] or 'text'}.safetensors")


def source_names(corpus: tuple[str, ...]) -> Any:
    """What a ``Corpus`` takes for the names that were typed."""
    if len(corpus) > 1 and "-" in corpus:
        raise ChainruleError("- is standard input, and cannot stand among other texts")
    return corpus[0] if len(corpus) == 1 else [Path(name) for name in corpus]


def check_choices(
    corpus: tuple[str, ...], destination: Path, force: bool, choices: dict[str, Any]
) -> None:
    """What would be an error after hours is one before."""
    from chainrule.embed.formats import files_of
    from chainrule.embed.sources import TextSource, source_of

    if "" in corpus:
        raise ChainruleError("CORPUS is an empty name: give a file, a folder or a pattern")
    if destination.is_dir():
        raise ChainruleError(
            f"--vectors is a directory, {destination}: give the name of a file in it, such as "
            f"{destination / default_destination(corpus)}"
        )
    for option in ("rate", "sample"):
        if choices[option] is not None and not math.isfinite(choices[option]):
            raise ChainruleError(f"--{option} {choices[option]} is not a number to compute with")
    written = {path.resolve(): "--vectors" for path in files_of(destination)}
    checkpoint = choices["checkpoint"]
    if checkpoint is not None:
        if checkpoint.resolve() in written:
            raise ChainruleError(
                f"--checkpoint and --vectors are both {checkpoint}: give one another name"
            )
        written[checkpoint.resolve()] = "--checkpoint"
    source = source_of(source_names(corpus), choices["column"]) if corpus else None
    for path in source.paths if isinstance(source, TextSource) else ():
        if path.resolve() in written:
            option = written[path.resolve()]
            raise ChainruleError(f"{option} is the text itself, {path}: give another name")
    for path in files_of(destination):
        check_writable(path, force=force)
    if checkpoint is not None:
        check_writable(checkpoint, force=True)
    word2vec = choices["model"] in ("skipgram", "cbow")
    for option, value in (
        ("--output", _given("layer")),
        ("--negative", _given("negative")),
        ("--sample", _given("sample")),
        ("--fast", choices["fast"]),
        ("--deterministic", choices["deterministic"]),
    ):
        if value and not word2vec:
            raise ChainruleError(
                f"{option} belongs to --model skipgram and cbow; --model is {choices['model']}"
            )
    if choices["fast"] and choices["layer"] != "negative":
        raise ChainruleError("--fast shares negatives, which only --output negative has")
    if _given("negative") and choices["layer"] != "negative":
        raise ChainruleError(
            f"--negative belongs to --output negative; --output is {choices['layer']}"
        )
    if choices["model"] == "lsa":
        for option in ("epochs", "rate", "checkpoint"):
            if choices[option] is not None:
                raise ChainruleError(f"--{option} is of no use to --model lsa, which has no epochs")
        if choices["keep"] is not None:
            raise ChainruleError("--keep is of no use to --model lsa, which has one table")
    if choices["layer"] == "hierarchical" and choices["keep"] in ("output", "sum"):
        raise ChainruleError(
            f"--keep {choices['keep']} needs --output negative or softmax: with hierarchical "
            "words have input vectors only"
        )
    if not corpus and choices["column"] is not None:
        raise ChainruleError("--column needs a CSV or Parquet file as CORPUS")
    if choices["cache"] is not None:
        if not corpus:
            raise ChainruleError("--cache needs a CORPUS: documentation is read anew each time")
        if choices["cache"].exists() and not choices["cache"].is_dir():
            raise ChainruleError(f"--cache: {choices['cache']} is not a directory")


def _given(name: str) -> bool:
    """Whether an option was typed."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE
