"""The models of ``chainrule embed`` by the command's options: made, looked at early, trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from chainrule.embed.glove import GloVe
    from chainrule.embed.model import WordModel
    from chainrule.embed.vectors import WordVectors
    from chainrule.embed.word2vec import Word2Vec


def check_checkpoint(choices: Mapping[str, Any], own: bool) -> None:
    """Find out whether training can go on from ``--checkpoint``, before hours of reading a text.

    Args:
        choices: the command's options.
        own: whether the text is the user's.

    Raises:
        ChainruleError: where the file is damaged, or of another model or other settings.
    """
    from chainrule.embed import resuming

    model = model_of(choices, own)
    if model is not None:
        with _foreign_checkpoints():
            resuming.check_checkpoint(
                choices["checkpoint"], model.FORMAT, model.options, unknown=("x_max",)
            )


def learn(text: Any, progress: bool, own: bool, choices: Mapping[str, Any]) -> WordVectors:
    """The vectors of a model by its options' names.

    Args:
        text: the corpus.
        progress: whether to show it.
        own: whether the text is the user's.
        choices: the command's options.
    """
    model = model_of(choices, own, text.total)
    if model is None:
        from chainrule.embed.lsa import LSA

        return LSA(text, folder=choices["cache"], **_common(choices, own)).vectors
    model.build_vocab(text)
    with _foreign_checkpoints():
        model.train(text, checkpoint=choices["checkpoint"], progress=progress)
    return _learned(model, choices["keep"])


def model_of(choices: Mapping[str, Any], own: bool, words: int = 0) -> GloVe | Word2Vec | None:
    """The model that was chosen, without words yet; None for LSA, which is not trained.

    Args:
        choices: the command's options.
        own: whether the text is the user's.
        words: of the text, which decide GloVe's ``x_max``.
    """
    model = choices["model"]
    if model == "lsa":
        return None
    settings: dict[str, Any] = {**_common(choices, own), "workers": choices["threads"]}
    if choices["epochs"] is not None or not own:
        settings["epochs"] = choices["epochs"] or 10
    rate = choices["rate"]
    if model == "glove":
        from chainrule.embed.glove import GloVe

        # The authors' 100 is for billions of words.
        settings["x_max"] = 100.0 if words > 10**9 else 10.0
        if rate is not None:
            settings["eta"] = rate
        return GloVe(folder=choices["cache"], **settings)
    from chainrule.embed.word2vec import Options, Word2Vec

    layer = choices["layer"]
    if rate is not None:
        settings["min_alpha"] = min(Options.min_alpha, rate)
    return Word2Vec(
        sg=int(model == "skipgram"),
        hs=int(layer == "hierarchical"),
        softmax=layer == "softmax",
        negative=choices["negative"] if layer == "negative" else 0,
        sample=choices["sample"],
        alpha=rate,
        share_negatives=4 if choices["fast"] else 1,
        deterministic=choices["deterministic"],
        **settings,
    )


def _common(choices: Mapping[str, Any], own: bool) -> dict[str, Any]:
    """The settings that all models have."""
    settings = {
        "vector_size": choices["dim"],
        "min_count": choices["min_count"] or (5 if own else 25),
        "seed": choices["seed"],
    }
    if choices["window"] is not None:
        settings["window"] = choices["window"]
    return settings


def _learned(model: WordModel, keep: str | None) -> WordVectors:
    """The vectors that are asked for; where Ctrl-C came first, a line that says so."""
    history = model.history
    if history.interrupted:
        if not model.begun:
            raise KeyboardInterrupt
        click.echo(
            f"stopped by Ctrl-C in epoch {history.epochs + 1}: the vectors are saved as they are",
            err=True,
        )
    return model.vectors if keep is None else model.vectors_of(keep)


@contextmanager
def _foreign_checkpoints() -> Iterator[None]:
    """Say how to go on without a checkpoint that belongs to something else."""
    from chainrule.train.checkpoints import CheckpointError

    try:
        yield
    except CheckpointError as error:
        raise ChainruleError(
            f"{error}; give another name with --checkpoint to begin anew"
        ) from error
