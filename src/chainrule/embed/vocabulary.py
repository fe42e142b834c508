"""The words a model knows, by falling count."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from chainrule.embed.sampling import keep_thresholds
from chainrule.embed.spelling import nearest_spellings
from chainrule.errors import ChainruleError
from chainrule.files import check_file, written_whole

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FORMAT = "chainrule vocabulary 1"
EMPTY_WORD = (
    "a word is empty, which no file of vectors can hold; leave empty words out, as in "
    "[word for word in words if word]"
)


class VocabularyError(ChainruleError, ValueError):
    """Words or counts that do not make a vocabulary, or a word that is not in it."""


def words_of(sentence: Iterable[str]) -> Iterable[str]:
    """A sentence that is a list of words; a string would be counted letter by letter.

    Raises:
        VocabularyError: for a string.
    """
    if isinstance(sentence, str | bytes):
        raise VocabularyError(
            f"the sentence {sentence[:40]!r} is a {type(sentence).__name__}, not a list of words; "
            "split it first, as in [line.split() for line in lines]"
        )
    return sentence


class Vocabulary:
    """Words with their counts, the frequent ones first; ties keep the order they are given in.

    Args:
        words: each once.
        counts: how often each was seen.
        raw_total: words of the text, with those that are left out; by default the sum of counts.

    >>> v = Vocabulary(["sun", "moon"], [1, 3])
    >>> v.words, v.counts.tolist(), v.index["moon"], "sea" in v
    (['moon', 'sun'], [3, 1], 0, False)
    """

    def __init__(
        self, words: Sequence[str], counts: Sequence[int] | np.ndarray, raw_total: int | None = None
    ) -> None:
        numbers = np.asarray(counts)
        if numbers.size and numbers.dtype.kind not in "iuO":
            raise VocabularyError(f"counts are whole numbers, not {numbers.dtype}")
        numbers = numbers.astype(np.int64)
        if numbers.size and numbers.min() < 0:
            raise VocabularyError("counts are whole numbers of at least 0, and one is below")
        if numbers.shape != (len(words),):
            raise VocabularyError(f"{len(words)} words with counts of shape {numbers.shape}")
        if (numbers[:-1] < numbers[1:]).any():
            order = np.argsort(-numbers, kind="stable")
            words, numbers = [words[i] for i in order.tolist()], numbers[order]
        self.words: list[str] = list(words)
        self.counts: np.ndarray = numbers
        if len(set(self.words)) != len(self.words):
            twice = next(word for word, n in Counter(self.words).items() if n > 1)
            raise VocabularyError(f"the word {twice!r} stands twice in the vocabulary")
        self.total: int = int(numbers.sum())
        self.raw_total: int = self.total if raw_total is None else int(raw_total)

    @classmethod
    def of(
        cls, sentences: Iterable[Iterable[str]], min_count: int = 5, max_size: int | None = None
    ) -> Vocabulary:
        """Count the words of token lists.

        Args:
            sentences: lists of words.
            min_count: rarer words are left out.
            max_size: words at most, the frequent ones.

        Raises:
            VocabularyError: for a sentence that is a string, for what is no word or an empty one,
                and for a negative size.

        >>> Vocabulary.of([["a", "b", "a"]], min_count=2).words
        ['a']
        """
        counter: Counter[str] = Counter()
        for number, sentence in enumerate(sentences):
            counter.update(words_of(sentence))
            if "" in counter:
                raise VocabularyError(f"sentence {number}: {EMPTY_WORD}")
        for word in counter:
            if not isinstance(word, str):
                raise VocabularyError(
                    f"{word!r}, a {type(word).__name__}, is not a word: give items as text, as in "
                    "[str(item) for item in items]"
                )
        return _chosen(counter, min_count, max_size, counter.total())

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    @cached_property
    def index(self) -> dict[str, int]:
        """The number of each word; made when it is first asked for, since training needs none."""
        return {word: i for i, word in enumerate(self.words)}

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} words, {self.total:,} of {self.raw_total:,} in the text)"

    def place(self, word: str) -> int:
        """A word's number.

        Raises:
            VocabularyError: for an unknown word; it names the nearest spellings.
        """
        found = self.index.get(word)
        if found is None:
            raise VocabularyError(
                f"{word!r} is not in the vocabulary of {len(self):,} words"
                f"{suggestion(word, self.index, self.words)}"
            )
        return found

    # ----- other vocabularies ---------------------------------------------------------------------

    def limited(self, min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """The frequent words of this vocabulary.

        Args:
            min_count: rarer words are left out.
            max_size: words at most, the frequent ones.

        Raises:
            VocabularyError: for a negative size.

        >>> Vocabulary(["a", "b", "c"], [3, 2, 2]).limited(max_size=2).words
        ['a', 'b']
        """
        kept = ranked(self.counts, min_count, max_size)
        return Vocabulary([self.words[i] for i in kept], self.counts[kept], self.raw_total)

    def merge(self, other: Vocabulary) -> Vocabulary:
        """The words of both, with their counts added.

        >>> Vocabulary(["a", "b"], [3, 2]).merge(Vocabulary(["b", "c"], [2, 1])).counts.tolist()
        [4, 3, 1]
        """
        counts = Counter(dict(zip(self.words, self.counts.tolist(), strict=True)))
        counts.update(dict(zip(other.words, other.counts.tolist(), strict=True)))
        total = self.raw_total + other.raw_total
        return Vocabulary(list(counts), list(counts.values()), total)

    def update(self, sentences: Iterable[Iterable[str]], min_count: int = 5) -> Vocabulary:
        """This vocabulary with another text: a new object, this one stays.

        Args:
            sentences: lists of words, or a ``Corpus``.
            min_count: of the words that are new. What earlier texts had of them is not known.
        """
        if hasattr(sentences, "vocabulary"):
            found: Vocabulary = sentences.vocabulary(min_count=1)
        else:
            found = Vocabulary.of(sentences, min_count=1)
        counts = dict(zip(found.words, found.counts.tolist(), strict=True))
        kept = [w for w, n in counts.items() if n >= min_count or w in self.index]
        return self.merge(Vocabulary(kept, [counts[w] for w in kept], found.raw_total))

    # ----- what models need -----------------------------------------------------------------------

    def keep_probabilities(self, sample: float = 1e-3) -> np.ndarray:
        """With which probability each word is kept when frequent ones are thinned out.

        Args:
            sample: a share of the text, from 1 on a count; 0 keeps all. See ``Word2Vec``.

        Raises:
            VocabularyError: for a sample that is negative or not finite.

        >>> Vocabulary(["a", "b"], [900, 100]).keep_probabilities(0.01).round(3).tolist()
        [0.117, 0.416]
        """
        if not 0 <= sample < np.inf:
            raise VocabularyError(
                f"sample={sample!r} must be a number of at least 0; 0 thins out nothing"
            )
        return (keep_thresholds(self.counts, sample) + 1.0) / 2.0**32

    def one_hot(self, words: Sequence[str]) -> csr_array:
        """Words as rows of zeros with a one at each word's place, sparse, shape (words, V).

        Raises:
            VocabularyError: for an unknown word, and for a string in place of a list of words.

        >>> Vocabulary(["a", "b"], [2, 1]).one_hot(["b", "a", "b"]).toarray().tolist()
        [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
        """
        from scipy.sparse import csr_array

        if isinstance(words, str):
            raise VocabularyError(
                f"the words are one string, {words[:40]!r}; give a list, as in {words.split()[:4]}"
            )
        places = np.array([self.place(word) for word in words], np.int32)
        rows = np.arange(len(words) + 1, dtype=np.int32)
        return csr_array((np.ones(len(words)), places, rows), shape=(len(words), len(self)))

    # ----- files ----------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write words and counts as JSON; the file is whole or not there."""
        content = {
            "format": FORMAT,
            "raw_total": self.raw_total,
            "words": self.words,
            "counts": self.counts.tolist(),
        }
        with written_whole(path) as file:
            json.dump(content, file, ensure_ascii=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read what ``save`` wrote, or lines of a word and its count, as word2vec and GloVe do.

        Raises:
            VocabularyError: for a file that is not there, and for one that is neither, naming the
                line.
        """
        check_file(path, VocabularyError)
        try:
            with open(path, encoding="utf-8", newline="\n") as file:
                text = file.read()
        except UnicodeDecodeError as error:
            raise VocabularyError(f"{path} is not UTF-8: {error}") from None
        if not text.startswith('{"format": "chainrule'):
            return _of_lines(text, path)
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise VocabularyError(f"its format is {content['format']!r}, not {FORMAT!r}")
            words, counts = content["words"], content["counts"]
            if not all(isinstance(word, str) for word in words) or min(counts, default=0) < 0:
                raise VocabularyError("its words and counts are not text and whole numbers")
            return cls(words, np.array(counts, np.int64), int(content["raw_total"]))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise VocabularyError(f"{path} is damaged: {error}") from None


def ranked(counts: np.ndarray, min_count: int = 1, max_size: int | None = None) -> np.ndarray:
    """Places of the counts that are large enough, the largest first; ties keep their order.

    Raises:
        VocabularyError: for a ``max_size`` that is no number of words.

    >>> ranked(np.array([1, 5, 0, 5]), 1).tolist()
    [1, 3, 0]
    """
    if max_size is not None and (not isinstance(max_size, int | np.integer) or max_size < 0):
        raise VocabularyError(
            f"max_size={max_size!r} must be a whole number of at least 0, or None for all words"
        )
    places = np.flatnonzero(counts >= max(min_count, 1))
    return places[np.argsort(-counts[places], kind="stable")][:max_size]


def suggestion(word: str, index: Mapping[str, int], words: Sequence[str]) -> str:
    """The end of a message about a word that is not there: those that are spelled most alike."""
    close = nearest_spellings(word, index, words)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _chosen(counts: Counter[str], min_count: int, max_size: int | None, total: int) -> Vocabulary:
    words, numbers = list(counts), np.fromiter(counts.values(), np.int64, len(counts))
    kept = ranked(numbers, min_count, max_size)
    return Vocabulary([words[i] for i in kept], numbers[kept], total)


def _of_lines(text: str, path: str | os.PathLike[str]) -> Vocabulary:
    words, counts = [], []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        word, _, count = line.rstrip("\r").rpartition(" ")
        if not word or not count.isdecimal():
            raise VocabularyError(f"{path}, line {number}: {line[:80]!r} is not a word and a count")
        words.append(word)
        counts.append(int(count))
    try:
        return Vocabulary(words, counts)
    except OverflowError:
        raise VocabularyError(f"{path} has a count beyond 2**63") from None
    except VocabularyError as error:
        raise VocabularyError(f"{path}: {error}") from None
