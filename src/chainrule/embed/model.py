"""What all models of words have in common: vocabulary, tables, files, training that can stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Self

import numpy as np

from chainrule.embed import encoded, resuming, saving
from chainrule.embed import training as training_of
from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.training import History, Plan, Position, Runner
from chainrule.embed.vectors import WordVectors
from chainrule.embed.vocabulary import Vocabulary
from chainrule.errors import ChainruleError, NonFiniteError
from chainrule.nn.checks import positive_whole
from chainrule.train.checkpoints import CheckpointError, read_arrays

Callbacks = Sequence[Callable[[History], Any]]
# What the kernels have room for.
MOST = {
    "window": 100_000,
    "negative": 100_000,
    "share_negatives": 1000,
    "reuse_negatives": 1000,
    "workers": 256,
}


class ModelError(ChainruleError, ValueError):
    """Settings or words that a model of words cannot be trained with."""


def check_callbacks(callbacks: Any) -> None:
    """Raise ``ModelError`` for anything but functions in a list, before an epoch is over."""
    if callable(callbacks) or not all(callable(callback) for callback in callbacks):
        raise ModelError(
            f"callbacks={callbacks!r} must be a list of functions, each of which takes the history"
        )


def check_numbers(options: Any, names: Iterable[str]) -> None:
    """Raise ``ModelError`` for settings that are not finite numbers."""
    for name in names:
        value = getattr(options, name)
        if not isinstance(value, int | float | np.integer | np.floating) or not np.isfinite(value):
            raise ModelError(f"{name}={value!r} must be a finite number")


def check_flags(options: Any, names: Iterable[str]) -> None:
    """Raise ``ModelError`` for settings that are neither on nor off."""
    for name in names:
        value = getattr(options, name)
        if value not in (0, 1):
            raise ModelError(f"{name}={value!r} must be 0 or 1")


def check_limits(options: Any) -> None:
    """Raise ``ModelError`` for settings that the kernels have no room for, and for odd shares."""
    for name, most in MOST.items():
        value = getattr(options, name, 0)
        if not isinstance(value, int | np.integer) or value > most:
            raise ModelError(f"{name}={value!r} must be a whole number of at most {most:,}")
    if hasattr(options, "sample"):
        check_numbers(options, ["sample"])
        if options.sample < 0:
            raise ModelError(
                f"sample={options.sample!r} must be a number of at least 0; 0 thins out nothing"
            )


class WordModel:
    """The beginning of every model of words: a vector for each word of a vocabulary.

    A model says what its settings are, makes its tables, and gives a ``Runner`` that works off the
    pieces of an epoch.

    Attributes:
        options: the settings.
        vocabulary: the words.
        history: losses, rates and times of all epochs.
    """

    FORMAT: ClassVar[str]
    OPTIONS: ClassVar[type]
    # What an epoch is counted in.
    UNIT: ClassVar[str] = "words"
    # The table that ``vectors`` gives.
    KEPT: ClassVar[str] = "input"
    # The parameter that is the rate.
    RATE: ClassVar[str] = "alpha"
    # A mean loss that is larger is that of vectors that have diverged: before any training it is
    # ln 2 for each word that is compared with the context, of which there are 1 + ``negative``.
    LARGEST_LOSS: ClassVar[float] = 1e6

    options: Any
    vocabulary: Vocabulary
    history: History

    def _begin(self, options: Any, checkpoint: str | os.PathLike[str] | None = None) -> None:
        options.check()
        resuming.check_checkpoint(checkpoint, self.FORMAT, options)
        self.options = options
        self.vocabulary = Vocabulary([], [])
        self.history = History()
        self._position = Position()
        self._plan: Plan | None = None
        self._frozen: dict[str, np.ndarray] = {}

    # ----- what a model defines -------------------------------------------------------------------

    def _make_tables(self) -> None:
        """Fresh tables for the vocabulary."""
        raise NotImplementedError

    def _keep_rows(self, old: Mapping[str, np.ndarray], places: np.ndarray) -> None:
        """Put the rows of tables of before, as ``_arrays`` gave them, to their new places."""
        raise NotImplementedError

    def _arrays(self) -> dict[str, np.ndarray]:
        """All that was learned, by name."""
        raise NotImplementedError

    def _take(self, arrays: Mapping[str, np.ndarray]) -> None:
        """The reverse of ``_arrays``."""
        raise NotImplementedError

    def _runner(self, sentences: Any) -> tuple[Runner, int]:
        """What works off an epoch, and how many words or pairs there are in one."""
        raise NotImplementedError

    def table(self, which: str = "input") -> np.ndarray:
        """The vectors of all words, shape (words, vector_size)."""
        raise NotImplementedError

    # ----- vocabulary -----------------------------------------------------------------------------

    def build_vocab(self, sentences: Any, update: bool = False) -> None:
        """Count the words and make their vectors.

        Args:
            sentences: as for the class, or a ``Vocabulary``.
            update: keep the words and vectors that are there: counts are added, and new words with
                at least ``min_count`` occurrences get fresh vectors.

        Raises:
            ModelError: where no word is frequent enough.
        """
        found = vocabulary_of(sentences, self.options.min_count)
        if update:
            found = self.vocabulary.merge(found)
        if not len(found):
            raise ModelError(too_rare(found, self.options.min_count))
        before, old = self.vocabulary, self._arrays()
        self.vocabulary = found
        try:
            self._make_tables()
        except MemoryError:
            self.vocabulary = before
            size = self.options.vector_size
            gibibytes = len(found) * size * 8 / 2**30
            raise ModelError(
                f"{len(found):,} words with vector_size={size} need {gibibytes:,.1f} GiB for two "
                "tables, more memory than there is; give a smaller size, or a larger min_count"
            ) from None
        if update and len(before):
            places = np.array([found.index[word] for word in before.words])
            self._keep_rows(old, places)
            self._frozen = {
                name: self._moved(frozen, places) for name, frozen in self._frozen.items()
            }

    def _moved(self, frozen: np.ndarray, places: np.ndarray) -> np.ndarray:
        result = np.zeros(len(self.vocabulary), np.uint8)
        result[places] = frozen[: len(places)]
        return result

    @property
    def begun(self) -> bool:
        """Whether any training was done."""
        return self._position.epoch > 0 or self._position.piece > 0

    # ----- vectors --------------------------------------------------------------------------------

    @property
    def vectors(self) -> WordVectors:
        """What ``table()`` gives, with its words, to be asked; it shares the memory of the model.

        Keep it in a variable to ask more than once: lengths are found anew in each. After more
        training ask for it again.

        >>> from chainrule.embed.word2vec import Word2Vec
        >>> text = [["red", "green"], ["one", "two"]] * 50
        >>> Word2Vec(text, vector_size=8, workers=1, progress=False).vectors
        WordVectors(4 words, 8 numbers each)
        """
        return self.vectors_of(self.KEPT)

    def vectors_of(self, which: str) -> WordVectors:
        """What ``table(which)`` gives, with its words, to be asked."""
        v = self.vocabulary
        return WordVectors(v.words, self.table(which), v.counts, index=v.index)

    @property
    def wv(self) -> WordVectors:
        """The same by gensim's name."""
        return self.vectors

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
                        f"the vector of {str(word)!r} has shape {vector.shape}, but vector_size is "
                        f"{table.shape[1]}"
                    )
                if not np.isfinite(vector).all():
                    raise ModelError(f"the vector of {str(word)!r} has numbers that are not finite")
                table[place] = vector
                count += 1
        return count

    def freeze(self, words: Iterable[str] | None = None, which: str | None = None) -> None:
        """Keep the vectors of some words, or of all, as they are; ``unfreeze`` lets them go.

        Args:
            words: all by default; a string is one word.
            which: "input", "output", or "sum" for both; by default what ``vectors`` gives.
        """
        words = [words] if isinstance(words, str) else words
        which = self.KEPT if which is None else which
        if which == "sum":
            words = None if words is None else list(words)
            self.table("sum")
            for name in ("input", "output"):
                self.freeze(words, name)
            return
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

    def _train(
        self,
        sentences: Any,
        epochs: int | None,
        rate: float,
        final_rate: float,
        callbacks: Callbacks,
        checkpoint: str | os.PathLike[str] | None,
        progress: bool,
    ) -> History:
        if not len(self.vocabulary):
            raise ModelError("there is no vocabulary yet: call build_vocab(sentences) first")
        count = self.options.epochs if epochs is None else positive_whole(epochs, "epochs")
        check_callbacks(callbacks)
        if checkpoint is not None:
            if os.path.exists(checkpoint):
                self._resume(checkpoint)
            else:
                resuming.check_folder(checkpoint)
        runner, words = self._runner(sentences)
        if self._plan is None:
            first = self._position.epoch
            self._plan = Plan(first, first + count, rate, final_rate)
        elif epochs is not None:
            self._plan = self._plan.lasting(count)
        training_of.train(
            runner,
            self._plan,
            self._position,
            self.history,
            words=words,
            unit=self.UNIT,
            rate_name=self.RATE,
            largest_loss=self.LARGEST_LOSS,
            report=training_of.reporter(progress),
            save=None if checkpoint is None else lambda: self.save(checkpoint),
            callbacks=callbacks,
        )
        self._check_finite(rate)
        if not self.history.interrupted:
            self._plan = None
            if self.history.losses and np.isnan(self.history.losses).all():
                raise ModelError(
                    "nothing was learned, for no word had another one beside it: the sentences "
                    "have one known word each, or so short a text is thinned out too much; "
                    "sample=0 keeps every word"
                )
        return self.history

    def _check_finite(self, rate: float) -> None:
        """What the last step did to the vectors, no loss has seen."""
        for name, table in self._arrays().items():
            for first in range(0, len(table), 1 << 14):
                if not np.isfinite(table[first : first + (1 << 14)]).all():
                    raise NonFiniteError(
                        f"numbers of the table {name!r} are not finite after epoch "
                        f"{self._position.epoch}: the vectors have diverged; {self.RATE}={rate:g} "
                        "is too large a rate, give a smaller one"
                    )

    # ----- files ----------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one ``.safetensors`` file; ``load`` gives the model back.

        Raises:
            CheckpointError: where the file cannot be written.
        """
        arrays = {
            **self._arrays(),
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
        try:
            saving.write_tables(path, arrays, self.FORMAT, header)
        except OSError as error:
            reason = error.strerror or error
            raise CheckpointError(f"{path} cannot be written ({reason})") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model that ``save`` wrote, a checkpoint too.

        Raises:
            CheckpointError: where the file is missing, damaged, or something else.
        """
        arrays, header = read_arrays(path, cls.FORMAT)
        try:
            model = cls(**header["options"])
            model.options = cls.OPTIONS(**header["options"])
            model.vocabulary = Vocabulary(header["words"], arrays["counts"], header["raw_total"])
            model._take(arrays)
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
        found = type(self).load(path)
        o = self.options
        resuming.check_options(path, found.options, o)
        if found.vocabulary.words != self.vocabulary.words:
            raise CheckpointError(f"{path} belongs to a training on another vocabulary")
        self.__dict__.update(found.__dict__)
        self.options = o
        if self._plan is not None and found.options.epochs != o.epochs:
            self._plan = self._plan.lasting(o.epochs)


def vocabulary_of(sentences: Any, min_count: int) -> Vocabulary:
    """The words of a text; a corpus that knows its own vocabulary is asked."""
    if isinstance(sentences, Vocabulary):
        return sentences
    if isinstance(sentences, EncodedCorpus):
        return sentences.vocabulary
    if hasattr(sentences, "vocabulary"):
        found: Vocabulary = sentences.vocabulary(min_count=min_count)
        return found
    return Vocabulary.of(encoded.checked(sentences), min_count)


def too_rare(found: Vocabulary, min_count: int) -> str:
    """Why a text gives no vocabulary."""
    if not found.raw_total:
        return "the text has no words"
    return f"min_count={min_count} leaves no words: none occurs so often; give a smaller one"


def encoded_by(sentences: Any, vocabulary: Vocabulary) -> EncodedCorpus:
    """A text in the terms of a vocabulary.

    Raises:
        ModelError: for a text that is encoded in other terms, or has no known word.
    """
    if isinstance(sentences, EncodedCorpus):
        if sentences.vocabulary.words != vocabulary.words:
            raise ModelError(
                "the encoded text has another vocabulary than the model: encode it with "
                "model.vocabulary"
            )
        corpus = sentences
    elif hasattr(sentences, "encode"):
        corpus = sentences.encode(vocabulary)
    else:
        corpus = encoded.encode(encoded.checked(sentences), vocabulary)
    if not len(corpus):
        if not corpus.dropped:
            raise ModelError(
                "the text has no words when it is read to train: a text is read several times, so "
                "that its __iter__ must start anew each time"
            )
        raise ModelError("no word of the text is in the vocabulary")
    return corpus
