"""Words with their vectors, and the questions one asks of them; gensim's names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from chainrule.embed import formats
from chainrule.embed.formats.table import Policy, VectorTable
from chainrule.embed.gensim_names import GensimNames
from chainrule.embed.neighbours import EPSILON, best, inverse_norms, nearest
from chainrule.embed.vector_errors import VectorsError
from chainrule.embed.word_table import check_list, numbers_of, unit_of

Neighbours = list[tuple[str, float]]


class WordVectors(GensimNames):
    """A vector for each word, and what gensim's ``KeyedVectors`` answers with them.

    Args:
        words: each once; where there are counts, best with the frequent ones first.
        vectors: (words, size) numbers. A float32 array is used as it is, memory-mapped or the table
            of a model, and not copied.
        counts: (words,) how often each word was seen, or None.

    Attributes:
        vectors: the table, float32.
        counts: int64, or None.
        index_to_key: the words in order; ``words`` is the same list.
        key_to_index: the place of each word.
        vector_size: numbers in a vector.

    Further methods that are there for programs written for gensim are those of ``GensimNames``:
    ``load_word2vec_format``, ``add_vectors``, ``evaluate_word_pairs`` and others.

    A key is a word or its place. Cosines with a vector of zeros are 0. The lengths of all vectors
    are found at the first question that needs them; a number that is not finite is noticed then.

    Raises:
        VectorsError: for words and vectors that do not fit, or a word that occurs twice.

    >>> v = WordVectors(["cat", "dog", "car"], [[1, 0.5], [1, 0.7], [-1, 2]])
    >>> [(word, round(cosine, 3)) for word, cosine in v.most_similar("cat", topn=1)]
    [('dog', 0.989)]
    >>> v.doesnt_match(["cat", "dog", "car"]), "cow" in v
    ('car', False)
    """

    # ----- files ----------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        format: str | None = None,
        *,
        errors: str = "strict",
        duplicates: str = "refuse",
        limit: int | None = None,
    ) -> Self:
        """Read vectors from a file; those of .npy and .safetensors files stay there, mapped.

        A file of text or of word2vec's binary form may be compressed by gzip, bzip2, xz or
        Zstandard. It is unpacked whole into a temporary file first, also with a ``limit``; lines
        and offsets in errors are those of what it holds.

        Args:
            path: of the file; of a pair, the file with the numbers.
            format: word2vec, word2vec-binary, glove, fasttext, numpy, safetensors, parquet or
                projector; found by what the file begins with where it is None.
            errors: what becomes of words that are no UTF-8: "strict" refuses them, "replace",
                "backslashreplace" and "ignore" are Python's.
            duplicates: "refuse" a word that stands twice, or keep the "first".
            limit: read so many words at most.

        Raises:
            VectorsError: naming the line or offset at which a file is not what it should be.
            StoreError: where there is no room for a compressed file's contents.

        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/small.bin"
        >>> WordVectors(["cat", "dog"], [[1, 0.5], [1, 0.7]]).save(path)
        >>> WordVectors.load(path)["dog"].tolist()
        [1.0, 0.699999988079071]
        """
        table = formats.read(path, format, Policy(errors, duplicates, limit))
        return cls(table.words, table.vectors, table.counts, index=table.index)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the vectors to a file, or nothing where that fails.

        Args:
            path: of the file; a pair has a second one beside it.
            format: as for ``load``; by the end of the path where it is None. Counts are kept by
                numpy, safetensors, parquet and projector.

        Raises:
            VectorsError: for a word that the format cannot hold.
        """
        index = dict(self.key_to_index)
        formats.write(path, format, VectorTable(self.words, self.vectors, self.counts, index))

    # ----- neighbours -----------------------------------------------------------------------------

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> Any:
        """The words whose vectors point most nearly where a sum of vectors does (3CosAdd).

        Args:
            positive: a key, a vector, a pair (key, weight), or a list of such, to be added.
            negative: the same, to be subtracted.
            topn: how many; None for the cosines of all words as an array.
            clip_start, clip_end: look among the words of these places only.
            restrict_vocab: look among the first so many words only.
            indexer: an ``ApproximateIndex``, which finds most of them sooner.

        Returns:
            Pairs (word, cosine), the keys that were given left out.

        Source: O. Levy and Y. Goldberg (2014), Linguistic regularities in sparse and explicit word
        representations.

        >>> v = WordVectors(["man", "king", "woman", "queen"], [[1, 0], [1, 2], [0.9, 0], [0.9, 2]])
        >>> v.most_similar(positive=["king", "woman"], negative=["man"], topn=1)[0][0]
        'queen'
        """
        query, given = self._direction(positive, negative)
        first, last = self._range(clip_start, clip_end, restrict_vocab)
        if topn is None:
            cosines: np.ndarray = self.vectors[first:last] @ query
            return cosines * self.inverse_norms()[first:last]
        if indexer is not None:
            check_topn(topn)
            found = indexer.most_similar(query, topn + len(given))
            names = {self.index_to_key[place] for place in given}
            return [(word, score) for word, score in found if word not in names][:topn]
        return self._nearest(query[None], [given], topn, first, last)[0]

    def most_similar_batch(
        self,
        positive: Sequence[Any] | np.ndarray,
        negative: Sequence[Any] | None = None,
        topn: int = 10,
        restrict_vocab: int | None = None,
    ) -> list[Neighbours]:
        """``most_similar`` for many questions at once, in few large products.

        Args:
            positive: for each question what ``most_similar`` takes; or vectors, one for each row.
            negative: the same, or None.
            topn, restrict_vocab: as there.

        >>> v = WordVectors(["cat", "dog", "car"], [[1, 0.5], [1, 0.7], [-1, 2]])
        >>> [neighbours[0][0] for neighbours in v.most_similar_batch(["cat", "dog"])]
        ['dog', 'cat']
        """
        without = [None] * len(positive) if negative is None else negative
        if len(without) != len(positive):
            raise VectorsError(f"{len(positive)} questions, but {len(without)} negative parts")
        first, last = self._range(0, None, restrict_vocab)
        if not len(positive):
            return []
        parts = [self._direction(p, n) for p, n in zip(positive, without, strict=True)]
        queries = np.stack([query for query, _ in parts])
        return self._nearest(queries, [given for _, given in parts], topn, first, last)

    def most_similar_cosmul(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """The words with the largest product of cosines, over the negatives' (3CosMul).

        Cosines are moved to [0, 1] first. Arguments, result and source as for ``most_similar``.
        """
        plus, minus = _entries(positive), _entries(negative)
        if not plus:
            raise VectorsError("there is no positive word to be similar to")
        first, last = self._range(0, None, restrict_vocab)
        queries = np.stack([unit_of(self._vector(key)) for key in plus + minus])
        inverse = self.inverse_norms()

        def scores(start: int, stop: int) -> np.ndarray:
            rows = slice(first + start, first + stop)
            shifted = (1 + (queries @ self.vectors[rows].T) * inverse[rows]) / 2
            divisor = shifted[len(plus) :].prod(axis=0) + EPSILON
            product: np.ndarray = shifted[: len(plus)].prod(axis=0) / divisor
            return product[None]

        if topn is None:
            return scores(0, last - first)[0]
        check_topn(topn)
        given = [self.get_index(key) for key in plus + minus if not isinstance(key, np.ndarray)]
        [(rows, found)] = best(scores, 1, last - first, topn, [[row - first for row in given]])
        return self._named(rows + first, found)

    def similar_by_key(self, key: Any, topn: int | None = 10, **options: Any) -> Any:
        """``most_similar`` to one key."""
        return self.most_similar(key, topn=topn, **options)

    similar_by_word = similar_by_key

    def similar_by_vector(self, vector: Any, topn: int | None = 10, **options: Any) -> Any:
        """``most_similar`` to a vector; no word is left out."""
        return self.most_similar(numbers_of(vector), topn=topn, **options)

    def _direction(self, positive: Any, negative: Any) -> tuple[np.ndarray, list[int]]:
        """The sum of unit vectors as one of length one, and the places of the words in it."""
        total, given = np.zeros(self.vector_size), []
        parts = [(part, 1.0) for part in _entries(positive)]
        parts += [(part, -1.0) for part in _entries(negative)]
        if not parts:
            raise VectorsError("there is no word to be similar to")
        for part, sign in parts:
            key, weight = part if _is_pair(part) else (part, 1.0)
            if not np.isfinite(weight):
                raise VectorsError(f"the weight of {key!r} is {weight}, which is not finite")
            total += sign * weight * unit_of(self._vector(key)).astype(np.float64)
            if not isinstance(key, np.ndarray):
                given.append(self.get_index(key))
        unit = unit_of(total)
        if not np.any(unit):
            raise VectorsError("the vectors of the question sum to zero, which has no neighbours")
        return unit, given

    def _range(self, start: int, end: int | None, restrict: int | None) -> tuple[int, int]:
        last = len(self) if end is None else end
        if restrict is not None:
            start, last = 0, restrict
        if not isinstance(last, int | np.integer) or not isinstance(start, int | np.integer):
            raise VectorsError(f"places of words are whole numbers, not {start!r} and {last!r}")
        if start < 0 or last < start:
            raise VectorsError(f"there are no words of the places {start} to {last}")
        return min(start, len(self)), min(last, len(self))

    def _nearest(
        self, queries: np.ndarray, given: list[list[int]], topn: int, first: int, last: int
    ) -> list[Neighbours]:
        check_topn(topn)
        found = nearest(
            self.vectors[first:last],
            self.inverse_norms()[first:last],
            queries,
            topn,
            [[row - first for row in rows] for rows in given],
        )
        return [self._named(rows + first, cosines) for rows, cosines in found]

    def _named(self, rows: np.ndarray, scores: np.ndarray) -> Neighbours:
        words = self.index_to_key
        return [(words[r], s) for r, s in zip(rows.tolist(), scores.tolist(), strict=True)]

    # ----- between given words --------------------------------------------------------------------

    @staticmethod
    def cosine_similarities(vector: Any, vectors: Any) -> np.ndarray:
        """The cosines of one vector with several, shape (vectors,)."""
        unit, others = unit_of(np.asarray(vector)), np.asarray(vectors, np.float32)
        cosines: np.ndarray = (others @ unit) * inverse_norms(others)
        return cosines

    def similarity(self, w1: Any, w2: Any) -> float:
        """The cosine of two keys."""
        return float(self.get_vector(w1, norm=True) @ self.get_vector(w2, norm=True))

    def distance(self, w1: Any, w2: Any) -> float:
        """One less the cosine of two keys."""
        return 1.0 - self.similarity(w1, w2)

    def distances(self, word_or_vector: Any, other_words: Iterable[Any] = ()) -> np.ndarray:
        """One less the cosines with other keys, or with all words."""
        check_list(other_words)
        unit, others = unit_of(self._vector(word_or_vector)), list(other_words)
        if others:
            return 1 - self.cosine_similarities(unit, self[others])
        distances: np.ndarray = 1 - (self.vectors @ unit) * self.inverse_norms()
        return distances

    def n_similarity(self, ws1: Sequence[Any], ws2: Sequence[Any]) -> float:
        """The cosine of the mean vectors of two lists of keys."""
        check_list(ws1)
        check_list(ws2)
        if not len(ws1) or not len(ws2):
            raise VectorsError("a mean needs words: one of the two lists is empty")
        means = (self[list(ws)].mean(axis=0, dtype=np.float64) for ws in (ws1, ws2))
        return float(np.dot(*(unit_of(mean) for mean in means)))

    def most_similar_to_given(self, key1: Any, keys_list: Sequence[Any]) -> Any:
        """The one of several keys that is most similar to ``key1``."""
        check_list(keys_list)
        if not len(keys_list):
            raise VectorsError("there are no words to choose from")
        return keys_list[int(np.argmin(self.distances(key1, keys_list)))]

    def closer_than(self, key1: Any, key2: Any) -> list[str]:
        """All words that are closer to ``key1`` than ``key2`` is."""
        distances, one, two = self.distances(key1), self.get_index(key1), self.get_index(key2)
        closer = np.flatnonzero(distances < distances[two])
        return [self.index_to_key[row] for row in closer if row != one]

    words_closer_than = closer_than

    def rank(self, key1: Any, key2: Any) -> int:
        """1 where ``key2`` is the nearest neighbour of ``key1``, 2 where it is the second one."""
        return len(self.closer_than(key1, key2)) + 1

    def rank_by_centrality(self, words: Sequence[Any]) -> list[tuple[float, Any]]:
        """Pairs (cosine with the mean of all, key), the most central first."""
        check_list(words)
        if not len(words):
            raise VectorsError("there are no words to compare")
        units = np.stack([self.get_vector(word, norm=True) for word in words])
        cosines = units @ unit_of(units.mean(axis=0, dtype=np.float64))
        order = np.argsort(-cosines, kind="stable")
        return [(float(cosines[place]), words[place]) for place in order]

    def doesnt_match(self, words: Sequence[Any]) -> Any:
        """The key that is farthest from the mean of all.

        Raises:
            UnknownWordError: for a word without a vector, where gensim leaves it out with a
                warning: an answer would be about other words than were asked for.
            VectorsError: for a string in place of a list, and for an empty list.
        """
        return self.rank_by_centrality(words)[-1][1]

    def relative_cosine_similarity(self, wa: Any, wb: Any, topn: int = 10) -> float:
        """The cosine of two keys over the sum of those of the first and its ``topn`` neighbours."""
        total = sum(cosine for _, cosine in self.most_similar(wa, topn=topn))
        if not total:
            raise VectorsError(f"the cosines of {wa!r} with its neighbours sum to zero")
        return self.similarity(wa, wb) / total


def check_topn(topn: Any) -> None:
    """Raise ``VectorsError`` for what is no number of words."""
    if not isinstance(topn, int | np.integer) or topn < 0:
        raise VectorsError(f"topn={topn!r} must be a whole number of at least 0")


def _entries(keys: Any) -> list[Any]:
    """One key, vector or pair as a list of one.

    Raises:
        VectorsError: for what is nothing of the kind.
    """
    if keys is None:
        return []
    if isinstance(keys, str | int | np.integer) or _is_pair(keys) or _is_vector(keys):
        return [keys]
    entries = list(keys) if isinstance(keys, Iterable) else [keys]
    for entry in entries:
        key = entry[0] if _is_pair(entry) else entry
        if not isinstance(key, str | int | np.integer) and not _is_vector(key):
            raise VectorsError(
                f"{key!r} is no part of a question: give words, their places, vectors as NumPy "
                "arrays, or pairs of one of these and a weight"
            )
    return entries


def _is_pair(entry: Any) -> bool:
    """Whether this is a key or vector with its weight; two words are a list of two."""
    return (
        isinstance(entry, tuple)
        and len(entry) == 2
        and isinstance(entry[1], int | float | np.integer | np.floating)
    )


def _is_vector(entry: Any) -> bool:
    return isinstance(entry, np.ndarray) and entry.ndim == 1
