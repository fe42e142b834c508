"""The lecture's first model: unit vectors that are like their neighbours'."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.embed import tables
from chainrule.embed.descent import Descent, Material, Settings, descent
from chainrule.embed.falling_rate import FallingRateModel, check_rates
from chainrule.embed.model import (
    Callbacks,
    ModelError,
    check_flags,
    check_limits,
    check_numbers,
    encoded_by,
)
from chainrule.embed.sampling import alias_table, keep_thresholds
from chainrule.embed.windows import Drawing
from chainrule.nn.checks import positive_whole, seed_of


@dataclass(frozen=True)
class Options:
    """The settings of a ``UnitNorm``; see there."""

    vector_size: int = 100
    alpha: float = 0.05
    min_count: int = 5
    sample: float = 1e-3
    seed: int = 1
    workers: int = 3
    min_alpha: float = 1e-4
    contrast: float = 1.0
    negative: int = 5
    ns_exponent: float = 0.75
    epochs: int = 5
    deterministic: bool = False

    def check(self) -> None:
        """Raise ``ModelError`` for what cannot be."""
        for name in ("vector_size", "workers", "epochs", "negative"):
            positive_whole(getattr(self, name), name)
        seed_of(self.seed)
        check_limits(self)
        check_numbers(self, ("alpha", "min_alpha", "contrast", "ns_exponent", "min_count"))
        check_flags(self, ["deterministic"])
        if self.min_count < 0 or not self.contrast >= 0:
            raise ModelError(
                f"min_count={self.min_count} and contrast={self.contrast} must not be below 0"
            )
        check_rates(self.alpha, self.min_alpha)


class UnitNorm(FallingRateModel):
    """Vectors of length 1 that descend J = 1 - w_j . (w_{j-1} + w_{j+1}) / 2, a word at a time.

    As the lecture has it, with ``contrast=0``, the model has a flaw that is worth seeing once: J is
    smallest, 0, where all vectors are equal, and there it goes; ``agreement`` tells how far it is.
    Nothing in J says that words differ. With a contrast c, J + c w_j . (mean of some words drawn at
    random) is descended, so that a word is drawn to its neighbours and away from the language as a
    whole, and the vectors stay apart. This is the smallest step from the lecture's model towards
    ``Word2Vec``, which is the better one: the loss is linear in each vector, so nothing is ever
    fitted well enough to be left alone, and the vectors end in few directions, three or four of a
    hundred holding most of what tells words apart. No rate makes it diverge, for lengths stay 1:
    too large a one only keeps the loss from falling.

    Args:
        sentences: lists of words that can be read more than once, an ``EncodedCorpus``, or a
            corpus; with it the vocabulary is built and the model trained at once.
        vector_size: numbers in a vector.
        alpha: the rate at the beginning.
        min_count: rarer words are left out.
        sample: words more frequent than about this share of the text are thinned out.
        seed: of all that is random. One thread gives the same bits for the same seed.
        workers: threads; several change the same table without locks.
        min_alpha: the rate at the end.
        contrast: see above; 0 for the lecture's model.
        negative: words drawn at random for each word.
        ns_exponent: they are drawn in proportion to count**ns_exponent.
        epochs: passes over the text.
        deterministic: whether a seed gives the same bits whatever ``workers`` is: one thread does
            all the work then.
        callbacks, checkpoint, progress: as for ``Word2Vec``.

    Attributes:
        vocabulary: the words.
        history: losses (of J and the contrast, as the vectors were at each word), rates and times.

    >>> text = [["a", "rose", "is", "a", "rose"], ["one", "two", "one", "two"]] * 50
    >>> model = UnitNorm(text, vector_size=8, sample=0, workers=1, progress=False)
    >>> np.linalg.norm(model.table(), axis=1).round(3).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """

    FORMAT = "chainrule unit norm 1"
    OPTIONS = Options

    def __init__(
        self,
        sentences: Any = None,
        *,
        vector_size: int = 100,
        alpha: float = 0.05,
        min_count: int = 5,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int = 3,
        min_alpha: float = 1e-4,
        contrast: float = 1.0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        epochs: int = 5,
        deterministic: bool = False,
        callbacks: Callbacks = (),
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> None:
        self._begin(
            Options(
                vector_size=vector_size,
                alpha=alpha,
                min_count=min_count,
                sample=sample,
                seed=seed,
                workers=workers,
                min_alpha=min_alpha,
                contrast=contrast,
                negative=negative,
                ns_exponent=ns_exponent,
                epochs=epochs,
                deterministic=deterministic,
            ),
            checkpoint,
        )
        self._table = tables.empty_table(0, vector_size)
        if sentences is not None:
            self.build_vocab(sentences)
            self.train(sentences, callbacks=callbacks, checkpoint=checkpoint, progress=progress)

    # ----- the table ------------------------------------------------------------------------------

    def _make_tables(self) -> None:
        o = self.options
        generator = np.random.default_rng(o.seed)
        shape = (len(self.vocabulary), o.vector_size)
        self._table = tables.table_of(_of_length_1(generator.standard_normal(shape, np.float32)))

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"input": self.table()}

    def _keep_rows(self, old: Mapping[str, np.ndarray], places: np.ndarray) -> None:
        self.table()[places] = old["input"]

    def _take(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._table = tables.table_of(arrays["input"])

    def table(self, which: str = "input") -> np.ndarray:
        """The vectors of all words, shape (words, vector_size), a view.

        Args:
            which: "input"; there is no other.
        """
        if which != "input":
            raise ModelError(f"there is no table {which!r}; there is input")
        return self._table[:, : self.options.vector_size]

    def start_from(self, vectors: Mapping[str, Any], which: str = "input") -> int:
        """As for all models; the vectors are brought to length 1.

        Raises:
            ModelError: for a vector without a direction.
        """
        unit = {}
        for word in vectors:
            if word in self.vocabulary:
                vector = np.asarray(vectors[word], np.float32)
                if not np.linalg.norm(vector) > 0:
                    raise ModelError(f"the vector of {word!r} has no direction: its length is 0")
                unit[word] = _of_length_1(vector)
        return super().start_from(unit, which)

    def agreement(self) -> float:
        """The mean cosine of two words: about 0 for vectors at random, 1 where all are equal."""
        mean = self.table().mean(axis=0, dtype=float)
        return float(mean @ mean)

    # ----- training -------------------------------------------------------------------------------

    def _runner(self, sentences: Any) -> tuple[Descent, int]:
        corpus = encoded_by(sentences, self.vocabulary)
        o, counts = self.options, self.vocabulary.counts
        drawing = Drawing(
            seed=o.seed,
            window=1,
            shrink=False,
            negatives=o.negative if o.contrast else 0,
            share=1,
            uses=1,
            centre=True,
            paths=False,
            node_offset=0,
        )
        workers = 1 if o.deterministic else o.workers
        settings = Settings(drawing, unit_norm=True, contrast=o.contrast, workers=workers)
        frozen = self._frozen.get("input")
        material = Material(
            corpus,
            keep_thresholds(counts, o.sample),
            alias_table(counts.astype(float) ** o.ns_exponent) if o.contrast else None,
            None,
            self._table,
            self._table,
            o.vector_size,
            frozen,
            frozen,
        )
        return descent(material, settings), len(corpus)


def _of_length_1(vectors: np.ndarray) -> np.ndarray:
    result: np.ndarray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return result
