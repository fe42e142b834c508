"""A table with a vector for each word, looked up by word or place; gensim's names."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.embed import neighbours
from chainrule.embed.vector_errors import UnknownWordError, VectorsError
from chainrule.embed.vocabulary import suggestion


class WordTable:
    """What ``WordVectors`` knows of single words; see there."""

    def __init__(
        self,
        words: Sequence[str],
        vectors: Any,
        counts: Any = None,
        *,
        index: Mapping[str, int] | None = None,
    ) -> None:
        self.index_to_key: list[str] = words if isinstance(words, list) else list(words)
        table = np.asarray(vectors)
        if table.dtype.kind not in "fiub":
            raise VectorsError(f"vectors are real numbers, not {table.dtype}")
        if table.dtype != np.float32:
            table = table.astype(np.float32)
        if table.ndim != 2 or len(table) != len(self.index_to_key):
            raise VectorsError(
                f"{len(self.index_to_key)} words need vectors of shape "
                f"({len(self.index_to_key)}, size), not {table.shape}"
            )
        # Products need the numbers of a row side by side, and rows that are whole floats apart.
        if not table.flags.aligned or (table.size and table.strides[1] != table.itemsize):
            table = np.ascontiguousarray(table)
        self.vectors = table
        self.counts: np.ndarray | None = None
        if counts is not None:
            self.counts = np.asarray(counts, np.int64)
            if self.counts.shape != (len(table),):
                raise VectorsError(f"{len(table)} words with counts of shape {self.counts.shape}")
        self.key_to_index: Mapping[str, int] = (
            dict(zip(self.index_to_key, range(len(table)), strict=True)) if index is None else index
        )
        if len(self.key_to_index) != len(table):
            raise VectorsError(_twice(self.index_to_key))
        self._lock = threading.Lock()
        self._inverse: np.ndarray | None = None
        self._unit: np.ndarray | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} words, {self.vector_size} numbers each)"

    # ----- words and their vectors ----------------------------------------------------------------

    @property
    def words(self) -> list[str]:
        """The words in order."""
        return self.index_to_key

    @property
    def vector_size(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    def __iter__(self) -> Iterator[str]:
        return iter(self.index_to_key)

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        return key in self.key_to_index

    def __getitem__(self, key: Any) -> np.ndarray:
        """The vector of a key, or for a list of keys, shape (keys, size)."""
        if isinstance(key, str | int | np.integer):
            return self.get_vector(key)
        if not isinstance(key, Iterable):
            raise VectorsError(f"a key is a word, its place, or a list of such, not {key!r}")
        return self.vectors[[self.get_index(each) for each in key]]

    def get_index(self, key: Any, default: int | None = None) -> int:
        """The place of a key.

        Raises:
            UnknownWordError: with the nearest spellings, where there is no ``default``.

        >>> WordTable(["cat", "dog"], [[1, 0], [0, 1]]).get_index("dgo")
        Traceback (most recent call last):
            ...
        chainrule.embed.vector_errors.UnknownWordError: 'dgo' has no vector; did you mean 'dog'?
        """
        if isinstance(key, int | np.integer) and not isinstance(key, bool):
            if 0 <= key < len(self):
                return int(key)
            raise UnknownWordError(f"there is no word number {key}: there are {len(self)} words")
        place = self.key_to_index.get(key, default)
        if place is None:
            hint = suggestion(str(key), self.key_to_index, self.index_to_key)
            raise UnknownWordError(f"{key!r} has no vector{hint}")
        return place

    def has_index_for(self, key: Any) -> bool:
        """Whether there is a vector for this key."""
        return key in self

    def get_vector(self, key: Any, norm: bool = False) -> np.ndarray:
        """The vector of a key, shape (size,); with ``norm`` scaled to length one, a copy."""
        place = self.get_index(key)
        if not norm:
            row: np.ndarray = self.vectors[place]
            return row
        return unit_of(self.vectors[place])

    # gensim's older name.
    word_vec = get_vector

    def get_mean_vector(
        self,
        keys: Iterable[Any],
        weights: Sequence[float] | np.ndarray | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> np.ndarray:
        """The weighted mean of vectors, by the sum of the weights' sizes.

        Args:
            keys: words, places or vectors, in a list.
            weights: one for each key, 1 by default.
            pre_normalize: scale each vector to length one first.
            post_normalize: scale the mean to length one.
            ignore_missing: leave unknown words out.
        """
        check_list(keys)
        keys = list(keys)
        if not keys:
            raise VectorsError("a mean needs words, but there are none")
        given = np.ones(len(keys)) if weights is None else np.asarray(weights, np.float64)
        if given.shape != (len(keys),):
            raise VectorsError(f"{len(keys)} keys with weights of shape {given.shape}")
        total, size = np.zeros(self.vector_size), 0.0
        for key, weight in zip(keys, given, strict=True):
            if isinstance(key, str) and key not in self and ignore_missing:
                continue
            vector = self._vector(key)
            total += weight * (unit_of(vector) if pre_normalize else vector)
            size += abs(weight)
        mean = (total / size if size else total).astype(np.float32)
        return unit_of(mean) if post_normalize else mean

    def get_normed_vectors(self) -> np.ndarray:
        """All vectors scaled to length one, float32; made once and shared. No question needs it."""
        inverse = self.inverse_norms()
        with self._lock:
            if self._unit is None:
                self._unit = self.vectors * inverse[:, None]
            return self._unit

    def _become(self, words: list[str], vectors: np.ndarray, counts: np.ndarray | None) -> None:
        """Have other words and vectors from here on."""
        WordTable.__init__(self, words, vectors, counts)

    def fill_norms(self, force: bool = False) -> None:
        """Find the lengths of the vectors; with ``force`` anew, after vectors have changed."""
        if force:
            self._inverse = self._unit = None
        self.inverse_norms()

    def inverse_norms(self) -> np.ndarray:
        """One over the length of each vector, 0 for zeros; found once.

        Raises:
            VectorsError: naming the first vector with a number that is not finite.
        """
        with self._lock:
            if self._inverse is None:
                inverse = neighbours.inverse_norms(self.vectors)
                odd = np.flatnonzero(np.isnan(inverse))
                if len(odd):
                    raise VectorsError(
                        f"the vector of {self.index_to_key[odd[0]]!r}, row {odd[0]}, holds a "
                        "number that is not finite"
                    )
                self._inverse = inverse
            return self._inverse

    def _vector(self, key: Any) -> np.ndarray:
        """The vector of a key, or the vector that is given itself."""
        if not isinstance(key, np.ndarray):
            return self.get_vector(key)
        if key.shape != (self.vector_size,):
            raise VectorsError(f"a vector has shape ({self.vector_size},) here, not {key.shape}")
        vector = key.astype(np.float32)
        if not np.isfinite(vector).all():
            raise VectorsError("the vector of the question holds a number that is not finite")
        return vector


def check_list(keys: Any) -> None:
    """Raise ``VectorsError`` for a string where keys are a list: its letters would be the words."""
    if isinstance(keys, str):
        raise VectorsError(
            f"the words are one string, {keys[:40]!r}; give a list, as in {keys.split()[:4]}"
        )


def numbers_of(vectors: Any) -> np.ndarray:
    """One vector or several as float32.

    Raises:
        VectorsError: for what is no array of numbers.
    """
    try:
        return np.asarray(vectors, np.float32)
    except (ValueError, TypeError):
        raise VectorsError(
            f"a vector is an array of numbers, not {str(vectors)[:60]!r}; for a word ask by word"
        ) from None


def unit_of(vector: np.ndarray) -> np.ndarray:
    """A vector of length one with the same direction, float32; zeros stay zeros."""
    exact = vector.astype(np.float64)
    norm = np.linalg.norm(exact)
    return (exact / norm if norm > 0 else exact).astype(np.float32)


def _twice(words: Sequence[str]) -> str:
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        if word in places:
            return f"the word {word!r} stands twice among the words: {places[word]} and {place}"
        places[word] = place
    return "the index has other words than the list"
