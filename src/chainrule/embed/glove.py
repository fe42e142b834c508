"""GloVe: vectors whose products approach the logarithms of counts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.embed import glove_descent
from chainrule.embed.counts import MEMORY, SIDES, WEIGHTS, CountError, cooccurrences
from chainrule.embed.glove_descent import Side, arranged, descent
from chainrule.embed.model import (
    Callbacks,
    ModelError,
    WordModel,
    check_limits,
    check_numbers,
    encoded_by,
)
from chainrule.embed.training import History, Runner
from chainrule.nn.checks import positive_whole, seed_of

SUMS = ("sums", "biases", "bias_sums")


@dataclass(frozen=True)
class Options:
    """The settings of a ``GloVe``; see there."""

    vector_size: int = 100
    window: int = 15
    min_count: int = 5
    x_max: float = 100.0
    alpha: float = 0.75
    eta: float = 0.05
    epochs: int = 25
    sides: str = "both"
    weights: str = "harmonic"
    seed: int = 1
    workers: int = 3

    def check(self) -> None:
        """Raise ``ModelError`` for what cannot be."""
        for name in ("vector_size", "window", "epochs", "workers"):
            positive_whole(getattr(self, name), name)
        seed_of(self.seed)
        check_limits(self)
        check_numbers(self, ("x_max", "eta", "alpha", "min_count"))
        if self.min_count < 0:
            raise ModelError(f"min_count={self.min_count} must not be below 0")
        for name in ("x_max", "eta"):
            if not 0 < getattr(self, name) < np.inf:
                raise ModelError(f"{name}={getattr(self, name)} must be a number above 0")
        if not 0 <= self.alpha < np.inf:
            raise ModelError(f"alpha={self.alpha} must be a number of at least 0")
        for name, known in (("sides", SIDES), ("weights", WEIGHTS)):
            if getattr(self, name) not in known:
                raise ModelError(f"{name}={getattr(self, name)!r} is not one of {', '.join(known)}")


class GloVe(WordModel):
    """Vectors w and c of words with w . c + b + d close to ln X, X being how often they meet.

    The loss is the sum over pairs of f(X) (w . c + b + d - ln X)^2 / 2 with
    f(X) = min(X / x_max, 1)^alpha, descended by AdaGrad, one pair after the other.

    Args:
        sentences: lists of words that can be read more than once, an ``EncodedCorpus``, or a
            corpus; with it the vocabulary is built, pairs are counted and the model is trained.
        vector_size: numbers in a vector.
        window: words on each side at most.
        min_count: rarer words are left out.
        x_max: counts from here on have the weight 1. 100 is for billions of words; for a text of
            some million words 10 is usual.
        alpha: the exponent of the weight.
        eta: AdaGrad's rate.
        epochs: passes over the pairs.
        sides, weights: which pairs are counted and how, as in ``cooccurrences``.
        seed: of all that is random.
        workers: threads. However many there are, a seed gives the same bits: at any time they work
            on words that are not those of the others, which costs nothing. More than 32 are of no
            use.
        memory, folder: bytes for counting and for the pairs, and where files are for what does not
            fit; see ``cooccurrences``.
        callbacks: called with the ``History`` after each epoch; one that returns True ends it.
        checkpoint: a file, written after each epoch and at Ctrl-C; where it exists, training goes
            on from it and ends as if it had never stopped.
        progress: a bar on a terminal, a line per epoch elsewhere; False for neither.

    Attributes:
        vocabulary: the words.
        history: losses, the mean over the pairs of what is summed above, as the tables were at each
            one; rates and times of all epochs.

    Steps are those of the authors' program: biases have the rate 1, sums of squares begin with 1,
    and derivatives are cut off at 100. Biases begin with 0.

    Source: J. Pennington, R. Socher and C. Manning, GloVe: global vectors for word representation
    (2014).

    >>> text = [["red", "green"], ["one", "two"]] * 50
    >>> model = GloVe(text, vector_size=8, epochs=20, progress=False)
    >>> model.table().shape, model.history.losses[-1] < model.history.losses[0]
    ((4, 8), True)
    """

    FORMAT = "chainrule glove 1"
    OPTIONS = Options
    UNIT = "pairs"
    KEPT = "sum"
    RATE = "eta"
    # Steps are cut off, so that vectors diverge to numbers that stay finite. The loss of vectors
    # of zeros is (ln X)^2 / 2 at most, and no text has counts of e^141.
    LARGEST_LOSS = 1e4

    def __init__(
        self,
        sentences: Any = None,
        *,
        vector_size: int = 100,
        window: int = 15,
        min_count: int = 5,
        x_max: float = 100.0,
        alpha: float = 0.75,
        eta: float = 0.05,
        epochs: int = 25,
        sides: str = "both",
        weights: str = "harmonic",
        seed: int = 1,
        workers: int = 3,
        memory: int = MEMORY,
        folder: str | os.PathLike[str] | None = None,
        callbacks: Callbacks = (),
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> None:
        self._begin(
            Options(
                vector_size=vector_size,
                window=window,
                min_count=min_count,
                x_max=x_max,
                alpha=alpha,
                eta=eta,
                epochs=epochs,
                sides=sides,
                weights=weights,
                seed=seed,
                workers=workers,
            ),
            checkpoint,
        )
        self._memory, self._folder = memory, folder
        self._sides = {
            name: Side.fresh(np.zeros((0, vector_size), np.float32)) for name in ("input", "output")
        }
        if sentences is not None:
            self.build_vocab(sentences)
            self.train(sentences, callbacks=callbacks, checkpoint=checkpoint, progress=progress)

    # ----- tables ---------------------------------------------------------------------------------

    def _make_tables(self) -> None:
        generator = np.random.default_rng(self.options.seed)
        count, size = len(self.vocabulary), self.options.vector_size
        for name in self._sides:
            start = (generator.random((count, size), np.float32) - 0.5) / size
            self._sides[name] = Side.fresh(start)

    def _arrays(self) -> dict[str, np.ndarray]:
        size = self.options.vector_size
        return {
            **{name: side.vectors[:, :size] for name, side in self._sides.items()},
            **{
                f"{name}_{part}": getattr(side, part)[..., :size]
                if part == "sums"
                else getattr(side, part)
                for name, side in self._sides.items()
                for part in SUMS
            },
        }

    def _keep_rows(self, old: Mapping[str, np.ndarray], places: np.ndarray) -> None:
        new = self._arrays()
        for name, array in old.items():
            new[name][places] = array

    def _take(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name in self._sides:
            side = self._sides[name] = Side.fresh(arrays[name])
            side.sums[:, : self.options.vector_size] = arrays[f"{name}_sums"]
            side.biases = arrays[f"{name}_biases"]
            side.bias_sums = arrays[f"{name}_bias_sums"]

    def table(self, which: str = "sum") -> np.ndarray:
        """The vectors of all words, shape (words, vector_size).

        Args:
            which: "sum" of those of a word as row and as column, as in the paper, or "input" for
                the rows or "output" for the columns, which are views, not copies.
        """
        if which not in ("input", "output", "sum"):
            raise ModelError(f"there is no table {which!r}; there are input, output and sum")
        if which == "sum":
            return self.table("input") + self.table("output")
        return self._sides[which].vectors[:, : self.options.vector_size]

    def biases(self, which: str = "input") -> np.ndarray:
        """The bias of each word, shape (words,).

        Args:
            which: "input" or "output".
        """
        if which not in self._sides:
            raise ModelError(f"there are no biases {which!r}; there are input and output")
        return self._sides[which].biases

    # ----- training -------------------------------------------------------------------------------

    def train(
        self,
        sentences: Any,
        *,
        epochs: int | None = None,
        eta: float | None = None,
        callbacks: Callbacks = (),
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> History:
        """Train on a text, the one the vocabulary is from or another; again to train on.

        After Ctrl-C, the same call goes on where it stopped. Frozen vectors stay, their biases
        learn.

        Args:
            sentences: as for the class, or counts: a sparse matrix of the shape (words, words).
            epochs: passes over the pairs.
            eta: AdaGrad's rate.
            callbacks, checkpoint, progress: as for the class.

        Raises:
            ModelError: before ``build_vocab``, or for a text without any known pair.
            CountError: for a matrix of another shape, or of counts below 0.
            NonFiniteError: where the vectors diverge: ``eta`` is too large.
        """
        rate = self.options.eta if eta is None else eta
        return self._train(sentences, epochs, rate, rate, callbacks, checkpoint, progress)

    def _runner(self, sentences: Any) -> tuple[Runner, int]:
        o = self.options
        entries = arranged(
            self._counts(sentences),
            x_max=o.x_max,
            alpha=o.alpha,
            seed=o.seed,
            piece=glove_descent.PIECE,
            memory=self._memory,
            folder=self._folder,
        )
        if not len(entries):
            raise ModelError("no two known words of the text stand in one window")
        for name, side in self._sides.items():
            side.frozen = self._frozen.get(name)
        rows, columns = self._sides["input"], self._sides["output"]
        runner = descent(entries, rows, columns, o.vector_size, o.seed, o.workers)
        return runner, len(entries)

    def _resume(self, path: str | os.PathLike[str]) -> None:
        memory, folder = self._memory, self._folder
        super()._resume(path)
        self._memory, self._folder = memory, folder

    def _counts(self, sentences: Any) -> Any:
        from scipy.sparse import csr_array, issparse

        o, size = self.options, len(self.vocabulary)
        if issparse(sentences):
            if sentences.shape != (size, size):
                raise CountError(f"counts of shape {sentences.shape} for {size} words")
            counts = csr_array(sentences)
            counts.sum_duplicates()
            return counts
        return cooccurrences(
            encoded_by(sentences, self.vocabulary),
            o.window,
            sides=o.sides,
            weights=o.weights,
            memory=self._memory,
            folder=self._folder,
        )
