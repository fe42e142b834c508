"""Word2Vec: skip-gram and continuous bag of words, with gensim's names and defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.embed import tables
from chainrule.embed.descent import Descent, Material, Settings, descent
from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.falling_rate import FallingRateModel, check_rates
from chainrule.embed.model import (
    Callbacks,
    ModelError,
    check_flags,
    check_limits,
    check_numbers,
    encoded_by,
)
from chainrule.embed.sampling import alias_table, expected_uses, huffman, keep_thresholds
from chainrule.embed.windows import Drawing
from chainrule.nn.checks import positive_whole, seed_of

GRADIENTS = ("exact", "historical")


@dataclass(frozen=True)
class Options:
    """The settings of a ``Word2Vec``; see there."""

    vector_size: int = 100
    alpha: float = 0.025
    window: int = 5
    min_count: int = 5
    sample: float = 1e-3
    seed: int = 1
    workers: int = 3
    min_alpha: float = 1e-4
    sg: int = 0
    hs: int = 0
    negative: int = 5
    ns_exponent: float = 0.75
    cbow_mean: int = 1
    epochs: int = 5
    shrink_windows: bool = True
    softmax: bool = False
    gradient: str = "exact"
    share_negatives: int = 1
    reuse_negatives: int = 5
    deterministic: bool = False

    def check(self) -> None:
        """Raise ``ModelError`` for what cannot be."""
        counts = ("vector_size", "window", "workers", "epochs", "share_negatives")
        for name in (*counts, "reuse_negatives"):
            positive_whole(getattr(self, name), name)
        seed_of(self.seed)
        check_limits(self)
        check_numbers(self, ("alpha", "min_alpha", "ns_exponent", "negative", "min_count"))
        check_flags(self, ("sg", "hs", "cbow_mean", "shrink_windows", "softmax", "deterministic"))
        if self.negative < 0 or self.min_count < 0:
            raise ModelError(
                f"negative={self.negative} and min_count={self.min_count} must not be below 0"
            )
        if not self.softmax and not self.hs and not self.negative:
            raise ModelError(
                "hs=0 and negative=0 leave nothing to learn from: give negative=5, hs=1 or "
                "softmax=True"
            )
        check_rates(self.alpha, self.min_alpha)
        if self.gradient not in GRADIENTS:
            raise ModelError(f"gradient={self.gradient!r} is not one of {', '.join(GRADIENTS)}")
        if self.share_negatives > 1 and (self.hs or self.softmax):
            raise ModelError("share_negatives needs negatives alone: hs=0 and softmax=False")

    @property
    def divided(self) -> bool:
        """Whether CBOW gives each context word its share of what the mean or sum gets."""
        return bool(self.cbow_mean) == (self.gradient == "exact")


class Word2Vec(FallingRateModel):
    """Vectors of words, learned by predicting the words around each other.

    Args:
        sentences: lists of words that can be read more than once, an ``EncodedCorpus``, or a
            corpus; with it the vocabulary is built and the model trained at once.
        vector_size: numbers in a vector.
        alpha: the rate at the beginning. By default 0.025, and 0.1 for ``sg=0`` with the exact
            gradient of a mean, which is smaller by the number of context words.
        window: words on each side of a centre at most.
        min_count: rarer words are left out.
        sample: words more frequent than about this share of the text are thinned out.
        seed: of all that is random. One thread gives the same bits for the same seed.
        workers: threads; several change the same tables without locks, and learn apart on copies of
            the most frequent words, which they bring together many times in an epoch.
        min_alpha: the rate at the end.
        sg: 1 for skip-gram, 0 for continuous bag of words.
        hs: 1 for hierarchical softmax, beside negative sampling where ``negative`` is not 0.
        negative: wrong words for each window.
        ns_exponent: wrong words are drawn in proportion to count**ns_exponent.
        cbow_mean: 1 for the mean of the context words, 0 for their sum.
        epochs: passes over the text.
        shrink_windows: whether the width of each window is drawn from 1 to ``window``.
        softmax: the full softmax over the vocabulary, instead of both others.
        gradient: of CBOW: "exact", or "historical" for what word2vec and gensim do: the whole of it
            for each word of a mean, a share of it for each word of a sum.
        share_negatives: windows in a row that share their negatives; 4 is the fast mode.
        reuse_negatives: for how many windows, far from each other, a drawn negative serves: its row
            is at hand then. 1 draws all anew, which costs time and changes no measure of quality.
        deterministic: whether several threads too always give the same bits. They then work in
            rounds on copies of rows, and two of them need up to twice as long as one alone, whose
            bits are always the same.
        callbacks: called with the ``History`` after each epoch; one that returns True ends it.
        checkpoint: a file, written after each epoch and at Ctrl-C; where it exists, training goes
            on from it and ends as if it had never stopped.
        progress: a bar on a terminal, a line per epoch elsewhere; False for neither.

    Attributes:
        vocabulary: the words.
        history: losses, rates and times of all epochs.

    Negatives are drawn once for each window, not for each pair as in gensim; a negative that is the
    centre is drawn again. Sources: T. Mikolov and others (2013), Efficient estimation of word
    representations in vector space; Distributed representations of words and phrases.

    >>> text = [["red", "green"], ["one", "two"]] * 50
    >>> model = Word2Vec(text, vector_size=8, sg=1, seed=1, workers=1, epochs=20, progress=False)
    >>> model.table().shape, len(model.history.losses)
    ((4, 8), 20)
    """

    FORMAT = "chainrule word2vec 1"
    OPTIONS = Options

    def __init__(
        self,
        sentences: Any = None,
        *,
        vector_size: int = 100,
        alpha: float | None = None,
        window: int = 5,
        min_count: int = 5,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int = 3,
        min_alpha: float = 1e-4,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        epochs: int = 5,
        shrink_windows: bool = True,
        softmax: bool = False,
        gradient: str = "exact",
        share_negatives: int = 1,
        reuse_negatives: int = 5,
        deterministic: bool = False,
        callbacks: Callbacks = (),
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> None:
        if alpha is None:
            alpha = 0.1 if not sg and cbow_mean and gradient == "exact" else 0.025
        options = Options(
            vector_size=vector_size,
            alpha=alpha,
            window=window,
            min_count=min_count,
            sample=sample,
            seed=seed,
            workers=workers,
            min_alpha=min_alpha,
            sg=sg,
            hs=hs,
            negative=0 if softmax else negative,
            ns_exponent=ns_exponent,
            cbow_mean=cbow_mean,
            epochs=epochs,
            shrink_windows=shrink_windows,
            softmax=softmax,
            gradient=gradient,
            share_negatives=share_negatives,
            reuse_negatives=reuse_negatives,
            deterministic=deterministic,
        )
        self._begin(options, checkpoint)
        self._input = self._output = tables.empty_table(0, vector_size)
        if sentences is not None:
            self.build_vocab(sentences)
            self.train(sentences, callbacks=callbacks, checkpoint=checkpoint, progress=progress)

    # ----- vectors --------------------------------------------------------------------------------

    def _make_tables(self) -> None:
        o, count = self.options, len(self.vocabulary)
        self._input = tables.empty_table(count, o.vector_size)
        generator = np.random.default_rng(o.seed)
        for start in range(0, count, 1024):  # So that no second table is in memory.
            part = self._input[start : start + 1024, : o.vector_size]
            part[:] = generator.random(part.shape, np.float32)
        self._input[:, : o.vector_size] -= 0.5
        self._input[:, : o.vector_size] *= 2.0 / o.vector_size
        self._output = tables.empty_table(self._node_offset + o.hs * (count - 1), o.vector_size)

    @property
    def _node_offset(self) -> int:
        """Rows of the output table that belong to words; the nodes of the tree follow them."""
        return len(self.vocabulary) if self.options.negative or self.options.softmax else 0

    def _keep_rows(self, old: Mapping[str, np.ndarray], places: np.ndarray) -> None:
        count, size = len(places), self.options.vector_size
        self._input[places, :size] = old["input"][:count]
        # A tree of other counts is another tree: its nodes begin anew.
        if self.options.negative or self.options.softmax:
            self._output[places, :size] = old["output"][:count]

    def _arrays(self) -> dict[str, np.ndarray]:
        size = self.options.vector_size
        return {"input": self._input[:, :size], "output": self._output[:, :size]}

    def _take(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._input = tables.table_of(arrays["input"])
        self._output = tables.table_of(arrays["output"])

    def table(self, which: str = "input") -> np.ndarray:
        """The vectors of all words, shape (words, vector_size).

        Args:
            which: "input", "output" (with negatives or the softmax), or "sum" of both. The first
                two are views, not copies.
        """
        size = self.options.vector_size
        if which == "input":
            return self._input[:, :size]
        if which not in ("output", "sum"):
            raise ModelError(f"there is no table {which!r}; there are input, output and sum")
        if not self._node_offset:
            raise ModelError(f"with hierarchical softmax alone words have no {which} vectors")
        output = self._output[: len(self.vocabulary), :size]
        return output if which == "output" else self._input[:, :size] + output

    # ----- training -------------------------------------------------------------------------------

    def _runner(self, sentences: Any) -> tuple[Descent, int]:
        corpus = encoded_by(sentences, self.vocabulary)
        return self._descent(corpus), len(corpus)

    def _descent(self, corpus: EncodedCorpus) -> Descent:
        o, counts = self.options, self.vocabulary.counts
        with_centre = bool(o.negative or o.softmax)
        drawing = Drawing(
            seed=o.seed,
            window=o.window,
            shrink=o.shrink_windows,
            negatives=o.negative,
            share=o.share_negatives,
            uses=o.reuse_negatives,
            centre=with_centre,
            paths=bool(o.hs) and not o.softmax,
            node_offset=self._node_offset,
        )
        settings = Settings(
            drawing,
            cbow=not o.sg,
            mean=bool(o.cbow_mean),
            divided=o.divided,
            softmax=o.softmax,
            workers=o.workers,
            deterministic=o.deterministic,
        )
        output_frozen = self._frozen.get("output")
        if output_frozen is not None:
            padded = np.zeros(len(self._output), np.uint8)
            padded[: len(output_frozen)] = output_frozen
            output_frozen = padded
        keep = keep_thresholds(counts, o.sample)
        weights = counts.astype(float) ** o.ns_exponent if with_centre else None
        paths = huffman(counts) if drawing.paths else None
        uses = None
        if o.workers > 1 and not (o.deterministic or o.softmax or self._frozen):
            uses = expected_uses(counts, keep, weights, o.negative / o.share_negatives, paths)
        material = Material(
            corpus,
            keep,
            alias_table(weights) if o.negative and weights is not None else None,
            paths,
            self._input,
            self._output,
            o.vector_size,
            self._frozen.get("input"),
            output_frozen,
            uses,
        )
        return descent(material, settings)
