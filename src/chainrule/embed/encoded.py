"""A text as numbers: what training reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from chainrule.embed.vocabulary import Vocabulary, VocabularyError, words_of


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """The words of a text in order, as places in a vocabulary.

    Attributes:
        ids: int32, every word of the text that is in the vocabulary; may be memory-mapped.
        ends: int64, for each sentence the offset after its last word.
        vocabulary: what the ids mean.
        dropped: how many words of the text are not in the vocabulary.
        owner: keeps the files of mapped ids where they are.
    """

    ids: np.ndarray
    ends: np.ndarray
    vocabulary: Vocabulary
    dropped: int = 0
    owner: object = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.ids)


def encode(sentences: Iterable[Iterable[str]], vocabulary: Vocabulary) -> EncodedCorpus:
    """Token lists as an ``EncodedCorpus``.

    >>> text = [["a", "b"], ["b", "c", "b"]]
    >>> encoded = encode(text, Vocabulary.of(text, min_count=2))
    >>> encoded.ids.tolist(), encoded.ends.tolist(), encoded.dropped
    ([0, 0, 0], [1, 3], 2)
    """
    ends: list[int] = []
    seen = count = 0

    def places() -> Iterator[int]:
        nonlocal seen, count
        index = vocabulary.index
        for sentence in sentences:
            for word in words_of(sentence):
                seen += 1
                place = index.get(word)
                if place is not None:
                    count += 1
                    yield place
            ends.append(count)

    ids = np.fromiter(places(), np.int32)
    return EncodedCorpus(ids, np.array(ends, np.int64), vocabulary, seen - count)


def checked(sentences: object) -> Iterable[Iterable[str]]:
    """Token lists that can be read more than once.

    Raises:
        VocabularyError: for a text in place of lists, and for an iterator, which would be empty at
            the second reading.
    """
    if isinstance(sentences, str | bytes):
        raise VocabularyError(
            "the sentences are one string; give lists of words, as in [text.split()], or for a "
            "file chainrule.embed.corpus.Corpus(path)"
        )
    if isinstance(sentences, Iterator):
        raise VocabularyError(
            f"the sentences are a {type(sentences).__name__}, which can be read only once, but "
            "they are counted first and then encoded; give a list, or an object whose __iter__ "
            "starts anew"
        )
    if not isinstance(sentences, Iterable):
        raise VocabularyError(f"sentences are lists of words, not a {type(sentences).__name__}")
    return sentences
