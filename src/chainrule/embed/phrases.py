"""Phrases: words that stand together more often than by chance become one word, "new_york"."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.embed.corpus import Corpus
from chainrule.embed.disk import room_in
from chainrule.embed.joining import joined, pair_counts
from chainrule.embed.vocabulary import words_of
from chainrule.errors import ChainruleError
from chainrule.files import check_file, written_whole
from chainrule.nn.checks import positive_whole

FORMAT = "chainrule phrases 1"


class PhrasesError(ChainruleError, ValueError):
    """Settings that cannot be, or a file that holds no phrases."""


class Phrases:
    """Which neighbours make a phrase, learned from a corpus.

    Two words a, b become one where

        (count(a b) - delta) / (count(a) * count(b)) * words of the text  >  threshold,

    from left to right, no word in two phrases. A second pass joins phrases with words and phrases.

    Args:
        corpus: what they are learned from; lists of words that can be read more than once are made
            one, as ``Corpus`` does by default.
        delta: is taken from each count, so that rare words make no phrases.
        threshold: the higher, the fewer phrases; several numbers are one for each pass.
        passes: how often neighbours are joined.
        delimiter: stands between the words of a phrase.
        progress: a bar on a terminal; False for none.

    Attributes:
        rules: for each pass the scores of pairs (first, second).

    Raises:
        PhrasesError: for settings that cannot be, and for the name of a file in place of a corpus.
        SourceError: for something else that is no corpus, and lists that can be read only once.

    Memory: 50 bytes or so for each different pair that is frequent enough to become a phrase.

    Source: T. Mikolov and others, Distributed representations of words and phrases (2013), section
    4, and the program word2phrase.

    >>> lines = [["in", "new", "york"], ["the", "new", "york"], ["the", "new", "sea"]] * 9
    >>> text = Corpus(lines, progress=False)
    >>> phrases = Phrases(text, delta=5, threshold=2)
    >>> phrases[["from", "new", "york"]], phrases.join(text).distinct
    (['from', 'new_york'], 5)
    """

    def __init__(
        self,
        corpus: Corpus | Iterable[Iterable[str]],
        *,
        delta: float = 5,
        threshold: float | Sequence[float] = 100.0,
        passes: int = 1,
        delimiter: str = "_",
        progress: bool = True,
    ) -> None:
        positive_whole(passes, "passes")
        several = isinstance(threshold, Sequence)
        thresholds = list(threshold) if isinstance(threshold, Sequence) else [threshold] * passes
        if several and passes == 1:
            passes = len(thresholds)
        if len(thresholds) != passes:
            raise PhrasesError(f"{len(thresholds)} thresholds for {passes} passes")
        if not delta >= 0 or not all(number > 0 for number in thresholds):
            raise PhrasesError(
                f"delta={delta} must not be below 0, and threshold={threshold} must be above it"
            )
        corpus = _corpus_of(corpus, progress)
        self.delimiter = delimiter
        self.rules: list[dict[tuple[str, str], float]] = []
        for number in thresholds:
            if self.rules:
                corpus = _applied(corpus, self.rules[-1], delimiter, progress)
            self.rules.append(_learned(corpus, delta, number, progress))

    def __getitem__(self, sentence: Iterable[str]) -> list[str]:
        """A list of words with its phrases joined."""
        words = list(words_of(sentence))
        for rule in self.rules:
            found: list[str] = []
            place = 0
            while place < len(words):
                if tuple(words[place : place + 2]) in rule:
                    found.append(self.delimiter.join(words[place : place + 2]))
                    place += 2
                else:
                    found.append(words[place])
                    place += 1
            words = found
        return words

    def join(self, corpus: Corpus | Iterable[Iterable[str]], progress: bool = True) -> Corpus:
        """A corpus with its phrases joined, in temporary files; the given one stays as it is."""
        corpus = _corpus_of(corpus, progress)
        for rule in self.rules:
            corpus = _applied(corpus, rule, self.delimiter, progress)
        return corpus

    @property
    def scores(self) -> dict[str, float]:
        """All phrases with their scores, the highest first."""
        found = {
            self.delimiter.join(pair): score for rule in self.rules for pair, score in rule.items()
        }
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything as JSON; the file is whole or not there."""
        passes = [[[*pair, score] for pair, score in rule.items()] for rule in self.rules]
        content = {"format": FORMAT, "delimiter": self.delimiter, "passes": passes}
        with written_whole(path) as file:
            json.dump(content, file, ensure_ascii=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Phrases:
        """Read what ``save`` wrote.

        Raises:
            PhrasesError: for anything else, and where there is no file.
        """
        check_file(path, PhrasesError)
        phrases = cls.__new__(cls)
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']!r}, not {FORMAT!r}")
            phrases.delimiter = content["delimiter"]
            phrases.rules = [
                {(first, second): float(score) for first, second, score in rule}
                for rule in content["passes"]
            ]
            words = [word for rule in phrases.rules for pair in rule for word in pair]
            if not all(isinstance(word, str) for word in [phrases.delimiter, *words]):
                raise ValueError("its words are not text")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PhrasesError(f"{path} holds no phrases: {error}") from None
        return phrases


def _corpus_of(text: Any, progress: bool) -> Corpus:
    """A text as a corpus, where it is none yet."""
    if isinstance(text, Corpus):
        return text
    if isinstance(text, str | os.PathLike):
        raise PhrasesError(
            "phrases are those of a corpus or of lists of words, not of a "
            f"{type(text).__name__}; for a file give Corpus({os.fspath(text)!r})"
        )
    return Corpus(text, progress=progress)


def _learned(
    corpus: Corpus, delta: float, threshold: float, progress: bool
) -> dict[tuple[str, str], float]:
    store = corpus.store
    counts = store.table.counts().astype(float)
    total = len(store.ids)

    def score(first: np.ndarray, second: np.ndarray, together: np.ndarray) -> np.ndarray:
        return (together - delta) / (counts[first] * counts[second]) * total

    def possible(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        # A pair is not more frequent than its rarer word.
        rarer = np.minimum(counts[first], counts[second])
        return score(first, second, rarer) > threshold

    first, second, together = pair_counts(store, possible, progress)
    scores = score(first, second, together)
    chosen = scores > threshold
    words = [store.table.words(places[chosen]) for places in (first, second)]
    return dict(zip(zip(*words, strict=True), scores[chosen].tolist(), strict=True))


def _applied(
    corpus: Corpus, rule: Mapping[tuple[str, str], float], delimiter: str, progress: bool
) -> Corpus:
    text = corpus.store
    folder = Path(tempfile.gettempdir())
    with room_in(folder, "the text", lambda: 4 * len(text.ids) + 8 * len(text.ends)):
        store = joined(text, list(rule), delimiter, progress)
    return Corpus.of_store(store, corpus.name, corpus.undercount, progress)
