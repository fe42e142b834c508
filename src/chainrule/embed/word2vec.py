"""Word2Vec: skip-gram and continuous bag of words, with gensim's names and defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from chainrule.embed import encoded, saving, tables
from chainrule.embed import training as training_of
from chainrule.embed.descent import Descent, Material, Settings, descent
from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.sampling import alias_table, huffman, keep_thresholds
from chainrule.embed.training import History, Plan, Position
from chainrule.embed.vocabulary import Vocabulary
from chainrule.embed.windows import Drawing
from chainrule.errors import ChainruleError
from chainrule.nn.checks import positive_whole, seed_of
from chainrule.train.checkpoints import CheckpointError, read_arrays

FORMAT = "chainrule word2vec 1"
GRADIENTS = ("exact", "historical")


class ModelError(ChainruleError, ValueError):
    """Settings or words that a model of words cannot be trained with."""


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
    deterministic: bool = False

    def check(self) -> None:
        """Raise ``ModelError`` for what cannot be."""
        for name in ("vector_size", "window", "workers", "epochs", "share_negatives"):
            positive_whole(getattr(self, name), name)
        seed_of(self.seed)
        if self.negative < 0 or self.min_count < 0:
            raise ModelError(
                f"negative={self.negative} and min_count={self.min_count} must not be below 0"
            )
        if not self.softmax and not self.hs and not self.negative:
            raise ModelError(
                "hs=0 and negative=0 leave nothing to learn from: give negative=5, hs=1 or "
                "softmax=True"
            )
        if not self.alpha > 0 or not 0 <= self.min_alpha <= self.alpha:
            raise ModelError(
                f"the rate falls from alpha={self.alpha} to min_alpha={self.min_alpha}: both must "
                "be positive, and min_alpha the smaller one"
            )
        if self.gradient not in GRADIENTS:
            raise ModelError(f"gradient={self.gradient!r} is not one of {', '.join(GRADIENTS)}")
        if self.share_negatives > 1 and (self.hs or self.softmax):
            raise ModelError("share_negatives needs negatives alone: hs=0 and softmax=False")

    @property
    def divided(self) -> bool:
        """Whether CBOW gives each context word its share of what the mean or sum gets."""
        return bool(self.cbow_mean) == (self.gradient == "exact")


class Word2Vec:
    """Vectors of words, learned by predicting the words around each other.

    Args:
        sentences: lists of words that can be read more than once, an ``EncodedCorpus``, or a
            corpus; with it the vocabulary is built and the model trained at once.
        vector_size: numbers in a vector.
        alpha: the rate at the beginning. By default 0.025, and 0.075 for ``sg=0`` with the exact
            gradient of a mean, which is smaller by the number of context words.
        window: words on each side of a centre at most.
        min_count: rarer words are left out.
        sample: words more frequent than about this share of the text are thinned out.
        seed: of all that is random. One thread gives the same bits for the same seed.
        workers: threads; several change the same tables without locks.
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
        deterministic: whether several threads too always give the same bits, at some cost.
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
        deterministic: bool = False,
        callbacks: Sequence[Callable[[History], Any]] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> None:
        if alpha is None:
            alpha = 0.075 if not sg and cbow_mean and gradient == "exact" else 0.025
        self.options = Options(
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
            deterministic=deterministic,
        )
        self.options.check()
        self.vocabulary = Vocabulary([], [])
        self.history = History()
        self._position = Position()
        self._plan: Plan | None = None
        self._input = self._output = tables.empty_table(0, vector_size)
        self._frozen: dict[str, np.ndarray] = {}
        if sentences is not None:
            self.build_vocab(sentences)
            self.train(sentences, callbacks=callbacks, checkpoint=checkpoint, progress=progress)

    # ----- vocabulary -----------------------------------------------------------------------------

    def build_vocab(self, sentences: Any, update: bool = False) -> None:
        """Count the words and make their vectors.

        Args:
            sentences: as for the class.
            update: keep the words and vectors that are there: counts are added, and new words with
                at least ``min_count`` occurrences get fresh vectors.

        Raises:
            ModelError: where no word is frequent enough.
        """
        found = _vocabulary_of(sentences, self.options.min_count)
        if update:
            counts = dict(zip(self.vocabulary.words, self.vocabulary.counts.tolist(), strict=True))
            for word, count in zip(found.words, found.counts.tolist(), strict=True):
                counts[word] = counts.get(word, 0) + count
            total = self.vocabulary.raw_total + found.raw_total
            found = Vocabulary(list(counts), list(counts.values()), total)
        if not len(found):
            raise ModelError(
                f"no word of the text occurs min_count={self.options.min_count} times or more"
            )
        before, old_input, old_output = self.vocabulary, self._input, self._output
        self.vocabulary = found
        self._make_tables()
        if update and len(before):
            places = np.array([found.index[word] for word in before.words])
            self._input[places] = old_input[: len(before)]
            # A tree of other counts is another tree: its nodes begin anew.
            if self.options.negative or self.options.softmax:
                self._output[places] = old_output[: len(before)]
            self._frozen = {
                name: self._moved(frozen, places) for name, frozen in self._frozen.items()
            }

    def _moved(self, frozen: np.ndarray, places: np.ndarray) -> np.ndarray:
        result = np.zeros(len(self.vocabulary), np.uint8)
        result[places] = frozen[: len(places)]
        return result

    def _make_tables(self) -> None:
        o, count = self.options, len(self.vocabulary)
        self._input = tables.empty_table(count, o.vector_size)
        generator = np.random.default_rng(o.seed)
        for row in self._input[:, : o.vector_size]:
            row[:] = generator.random(o.vector_size, np.float32)
        self._input[:, : o.vector_size] -= 0.5
        self._input[:, : o.vector_size] *= 2.0 / o.vector_size
        self._output = tables.empty_table(self._node_offset + o.hs * (count - 1), o.vector_size)

    @property
    def _node_offset(self) -> int:
        """Rows of the output table that belong to words; the nodes of the tree follow them."""
        return len(self.vocabulary) if self.options.negative or self.options.softmax else 0

    # ----- vectors --------------------------------------------------------------------------------

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

    def start_from(self, vectors: Mapping[str, Any], which: str = "input") -> int:
        """Set the vectors of those words that are in the vocabulary; returns how many were.

        Args:
            vectors: word -> numbers, ``vector_size`` of them.
            which: "input" or "output".
        """
        table = self.table(which)
        if which == "sum":
            raise ModelError("the sum of two tables cannot be set; set input or output")
        count = 0
        for word, place in self.vocabulary.index.items():
            if word in vectors:
                vector = np.asarray(vectors[word], np.float32)
                if vector.shape != table.shape[1:]:
                    raise ModelError(
                        f"the vector of {word!r} has shape {vector.shape}, but vector_size is "
                        f"{table.shape[1]}"
                    )
                table[place] = vector
                count += 1
        return count

    def freeze(self, words: Iterable[str] | None = None, which: str = "input") -> None:
        """Keep the vectors of some words, or of all, as they are; ``unfreeze`` lets them go.

        Args:
            words: all by default.
            which: "input" or "output".
        """
        rows = len(self.table(which))
        frozen = self._frozen.setdefault(which, np.zeros(rows, np.uint8))
        if words is None:
            frozen[:] = 1
            return
        for word in words:
            if word not in self.vocabulary:
                raise ModelError(f"{word!r} is not in the vocabulary")
            frozen[self.vocabulary.index[word]] = 1

    def unfreeze(self) -> None:
        """Let all vectors learn again."""
        self._frozen = {}

    # ----- training -------------------------------------------------------------------------------

    def train(
        self,
        sentences: Any,
        *,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        callbacks: Sequence[Callable[[History], Any]] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> History:
        """Train on a text, the one the vocabulary is from or another; again to train on.

        After Ctrl-C, the same call goes on where it stopped.

        Args:
            sentences: as for the class.
            epochs: passes over the text.
            start_alpha: the rate at the beginning.
            end_alpha: the rate at the end.
            callbacks, checkpoint, progress: as for the class.

        Raises:
            ModelError: before ``build_vocab``, or for a text without any known word.
            NonFiniteError: where the vectors diverge.
        """
        if not len(self.vocabulary):
            raise ModelError("there is no vocabulary yet: call build_vocab(sentences) first")
        o = self.options
        count = o.epochs if epochs is None else positive_whole(epochs, "epochs")
        if checkpoint is not None and os.path.exists(checkpoint):
            self._resume(checkpoint)
        corpus = _encoded(sentences, self.vocabulary)
        if not len(corpus):
            raise ModelError("no word of the text is in the vocabulary")
        rate = o.alpha if start_alpha is None else start_alpha
        final_rate = o.min_alpha if end_alpha is None else end_alpha
        if self._plan is None:
            first = self._position.epoch
            self._plan = Plan(first, first + count, rate, final_rate)
        report = training_of.reporter(progress)
        training_of.train(
            self._descent(corpus),
            self._plan,
            self._position,
            self.history,
            words=len(corpus),
            report=report,
            save=None if checkpoint is None else lambda: self.save(checkpoint),
            callbacks=callbacks,
        )
        if not self.history.interrupted:
            self._plan = None
        return self.history

    def _descent(self, corpus: EncodedCorpus) -> Descent:
        o, counts = self.options, self.vocabulary.counts
        with_centre = bool(o.negative or o.softmax)
        drawing = Drawing(
            seed=o.seed,
            window=o.window,
            shrink=o.shrink_windows,
            negatives=o.negative,
            share=o.share_negatives,
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
        material = Material(
            corpus,
            keep_thresholds(counts, o.sample),
            alias_table(counts.astype(float) ** o.ns_exponent) if o.negative else None,
            huffman(counts) if drawing.paths else None,
            self._input,
            self._output,
            o.vector_size,
            self._frozen.get("input"),
            output_frozen,
        )
        return descent(material, settings)

    # ----- files ----------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one ``.safetensors`` file; ``load`` gives the model back.

        Raises:
            CheckpointError: where the file cannot be written.
        """
        arrays = {
            "input": self._input[:, : self.options.vector_size],
            "output": self._output[:, : self.options.vector_size],
            "counts": self.vocabulary.counts,
            **{f"frozen_{name}": frozen for name, frozen in self._frozen.items()},
        }
        header = {
            "options": asdict(self.options),
            "words": self.vocabulary.words,
            "raw_total": self.vocabulary.raw_total,
            "position": asdict(self._position),
            "plan": None if self._plan is None else asdict(self._plan),
            "history": asdict(self.history),
        }
        saving.write_tables(path, arrays, FORMAT, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Word2Vec:
        """Read a model that ``save`` wrote, a checkpoint too.

        Raises:
            CheckpointError: where the file is missing, damaged, or something else.
        """
        arrays, header = read_arrays(path, FORMAT)
        try:
            model = cls(**header["options"])
            model.options = Options(**header["options"])
            model.vocabulary = Vocabulary(header["words"], arrays["counts"], header["raw_total"])
            model._input = tables.table_of(arrays["input"])
            model._output = tables.table_of(arrays["output"])
            for name in ("input", "output"):
                if f"frozen_{name}" in arrays:
                    model._frozen[name] = arrays[f"frozen_{name}"]
            model._position = Position(**header["position"])
            model._plan = None if header["plan"] is None else Plan(**header["plan"])
            model.history = History(**header["history"])
        except (KeyError, TypeError, IndexError) as error:
            raise CheckpointError(f"{path}: its contents are damaged ({error!r})") from None
        return model

    def _resume(self, path: str | os.PathLike[str]) -> None:
        """Take the place of the model in a checkpoint of the same training."""
        found = Word2Vec.load(path)
        # How many threads there are, and how long to train, may differ.
        o = self.options
        theirs = replace(found.options, workers=o.workers, epochs=o.epochs)
        if theirs != o:
            differing = ", ".join(
                f"{name} ({value!r} there, {getattr(o, name)!r} here)"
                for name, value in asdict(theirs).items()
                if value != getattr(o, name)
            )
            raise CheckpointError(f"{path} belongs to another training: they differ in {differing}")
        if found.vocabulary.words != self.vocabulary.words:
            raise CheckpointError(f"{path} belongs to a training on another vocabulary")
        self.__dict__.update(found.__dict__)
        self.options = o


def _vocabulary_of(sentences: Any, min_count: int) -> Vocabulary:
    """The words of a text; a corpus that knows its own vocabulary is asked."""
    if isinstance(sentences, EncodedCorpus):
        return sentences.vocabulary
    if hasattr(sentences, "vocabulary"):
        found: Vocabulary = sentences.vocabulary(min_count=min_count)
        return found
    return Vocabulary.of(encoded.checked(sentences), min_count)


def _encoded(sentences: Any, vocabulary: Vocabulary) -> EncodedCorpus:
    if isinstance(sentences, EncodedCorpus):
        if sentences.vocabulary.words != vocabulary.words:
            raise ModelError(
                "the encoded text has another vocabulary than the model: encode it with "
                "model.vocabulary"
            )
        return sentences
    if hasattr(sentences, "encode"):
        result: EncodedCorpus = sentences.encode(vocabulary)
        return result
    return encoded.encode(encoded.checked(sentences), vocabulary)
