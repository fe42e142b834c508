"""The words a model knows, by falling count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from chainrule.errors import ChainruleError


class VocabularyError(ChainruleError, ValueError):
    """Words or counts that do not make a vocabulary."""


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
        numbers = np.asarray(counts, np.int64)
        if numbers.shape != (len(words),):
            raise VocabularyError(f"{len(words)} words with counts of shape {numbers.shape}")
        order = np.argsort(-numbers, kind="stable")
        self.words: list[str] = [words[i] for i in order]
        self.counts: np.ndarray = numbers[order]
        self.index: dict[str, int] = {word: i for i, word in enumerate(self.words)}
        if len(self.index) != len(self.words):
            twice = next(word for word, n in Counter(self.words).items() if n > 1)
            raise VocabularyError(f"the word {twice!r} stands twice in the vocabulary")
        self.total: int = int(numbers.sum())
        self.raw_total: int = self.total if raw_total is None else int(raw_total)

    @classmethod
    def of(cls, sentences: Iterable[Iterable[str]], min_count: int = 5) -> Vocabulary:
        """Count the words of token lists.

        >>> Vocabulary.of([["a", "b", "a"]], min_count=2).words
        ['a']
        """
        counter: Counter[str] = Counter()
        for sentence in sentences:
            counter.update(sentence)
        kept = {word: n for word, n in counter.items() if n >= min_count}
        return cls(list(kept), list(kept.values()), counter.total())

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index
