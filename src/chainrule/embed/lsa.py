"""Latent semantic analysis: words as a matrix of counts seen through its largest directions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.embed.counts import MEMORY, CountError, cooccurrences, documents_by_words
from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.model import ModelError, encoded_by, too_rare, vocabulary_of
from chainrule.embed.pmi import pmi
from chainrule.embed.vector_errors import UnknownWordError
from chainrule.embed.vectors import WordVectors
from chainrule.embed.vocabulary import suggestion
from chainrule.embed.word_table import check_list
from chainrule.errors import NonFiniteError
from chainrule.nn.checks import positive_whole, seed_of

CONTEXTS = ("words", "documents")
MEASURES = ("ppmi", "counts", "logarithms")
# Up to this many rows or columns all directions are computed, which then takes no time.
SMALL = 300


class LSA:
    """Vectors of words by truncated singular value decomposition of their counts.

    Args:
        sentences: lists of words that can be read more than once, or a corpus; with
            ``contexts="words"`` also an ``EncodedCorpus``.
        vector_size: directions that are kept.
        window, sides, weights: which pairs are counted, as in ``cooccurrences``.
        min_count: rarer words are left out.
        contexts: "words" counts the words around a word, "documents" the lists it stands in.
        measure: "ppmi" for the mutual information of a count, "counts" for the count itself,
            "logarithms" for ln(1 + count).
        shift, smoothing: of "ppmi", as in ``pmi``.
        exponent: of the singular values in the vectors U S^exponent. 1 is the LSA of old; 0.5 and 0
            usually serve words better, for they let the largest directions speak less loudly.
        seed: of the vector the decomposition starts from.
        memory, folder: see ``cooccurrences``.

    Attributes:
        words: of the rows, the frequent ones first.
        left: (words, vector_size), orthonormal columns.
        singular_values: falling.
        right: (contexts, vector_size), orthonormal columns.

    Raises:
        ModelError: for settings that cannot be, and a text without frequent words, or of numbers
            where documents are asked for.

    Sources: S. Deerwester and others, Indexing by latent semantic analysis (1990); T. Landauer and
    S. Dumais, A solution to Plato's problem (1997); for the exponent O. Levy, Y. Goldberg and
    I. Dagan, Improving distributional similarity with lessons learned from word embeddings (2015).

    >>> text = [["red", "green"], ["green", "red"], ["one", "two"], ["two", "one"]]
    >>> model = LSA(text, vector_size=2, min_count=1, contexts="documents", measure="counts")
    >>> x = model.table()
    >>> bool(np.allclose(x[0], x[1])), bool(np.allclose(x[0] @ x[2], 0))
    (True, True)
    """

    def __init__(
        self,
        sentences: Any = None,
        *,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        sides: str = "both",
        weights: str = "linear",
        contexts: str = "words",
        measure: str = "ppmi",
        shift: float = 1.0,
        smoothing: float = 0.75,
        exponent: float = 0.5,
        seed: int = 1,
        memory: int = MEMORY,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        positive_whole(vector_size, "vector_size")
        seed_of(seed)
        for name, value, known in (
            ("contexts", contexts, CONTEXTS),
            ("measure", measure, MEASURES),
        ):
            if value not in known:
                raise ModelError(f"{name}={value!r} is not one of {', '.join(known)}")
        if not np.isfinite(exponent):
            raise ModelError(f"exponent={exponent!r} must be a finite number, such as 0, 0.5 or 1")
        if contexts == "documents" and isinstance(sentences, EncodedCorpus):
            raise ModelError(
                "contexts='documents' reads documents as lists of words, and the text is an "
                "EncodedCorpus; give the corpus or the lists that it was encoded from"
            )
        self.vector_size = vector_size
        self.exponent = exponent
        self.seed = seed
        self.words: list[str] = []
        self.left, self.right = np.zeros((0, vector_size)), np.zeros((0, vector_size))
        self.singular_values = np.zeros(vector_size)
        if sentences is None:
            return
        vocabulary = vocabulary_of(sentences, min_count)
        if not len(vocabulary):
            raise ModelError(too_rare(vocabulary, min_count))
        if contexts == "documents":
            counts = documents_by_words(sentences, vocabulary.words)
        else:
            corpus = encoded_by(sentences, vocabulary)
            counts = cooccurrences(
                corpus, window, sides=sides, weights=weights, memory=memory, folder=folder
            )
        if not counts.nnz:
            raise ModelError("no two known words of the text stand in one window")
        if measure == "ppmi":
            counts = pmi(counts, shift=shift, smoothing=smoothing)
        elif measure == "logarithms":
            counts = counts.log1p()
        self.decompose(counts, vocabulary.words)

    def decompose(self, matrix: Any, words: Sequence[str]) -> None:
        """Take any matrix of words (rows) by contexts in place of one that is counted here.

        Args:
            matrix: sparse or an array.
            words: what its rows are.

        Raises:
            ModelError: where the matrix has less than ``vector_size`` rows or columns, or is zero.
            NonFiniteError: for a matrix with numbers that are not finite.
            CountError: where it has another number of rows than there are words.
        """
        from scipy.sparse import csr_array

        m = csr_array(matrix, dtype=np.float64)
        if m.shape[0] != len(words):
            raise CountError(f"a matrix of shape {m.shape} for {len(words)} words")
        odd = np.flatnonzero(~np.isfinite(m.data))
        if len(odd):
            row = int(np.searchsorted(m.indptr, odd[0], "right")) - 1
            raise NonFiniteError(
                f"row {row} of the matrix, {words[row]!r}, holds {m.data[odd[0]]} in column "
                f"{m.indices[odd[0]]}"
            )
        if not m.data.any():
            raise ModelError(
                "the matrix is zero everywhere and has no directions: no word says anything about "
                "another; with measure='ppmi' contexts are as chance would have them"
            )
        least = min(m.shape)
        if self.vector_size > least:
            raise ModelError(
                f"vector_size={self.vector_size}, but a matrix of shape {m.shape} has only {least} "
                "directions"
            )
        if least <= SMALL:
            u, s, v = np.linalg.svd(m.toarray(), full_matrices=False)
        else:
            from scipy.sparse.linalg import svds

            if self.vector_size == least:
                raise ModelError(
                    f"vector_size={self.vector_size} must be below the {least} directions of a "
                    f"matrix of shape {m.shape}"
                )
            start = np.random.default_rng(self.seed).standard_normal(least)
            u, s, v = svds(m, self.vector_size, v0=start)
        order = np.argsort(-s, kind="stable")[: self.vector_size]
        u, s, v = u[:, order], s[order], v[order].T
        # The sign of a direction is chance; here its largest entry is positive.
        signs = np.sign(u[np.abs(u).argmax(axis=0), np.arange(self.vector_size)])
        signs[signs == 0] = 1.0
        self.words = list(words)
        self.left, self.singular_values, self.right = u * signs, s, v * signs

    def table(self, which: str = "input") -> np.ndarray:
        """The vectors of all words, float32, (words, vector_size).

        Args:
            which: "input" for the words, "output" for their contexts, (contexts, vector_size).
        """
        if which not in ("input", "output"):
            raise ModelError(f"there is no table {which!r}; there are input and output")
        directions = self.left if which == "input" else self.right
        scaled: np.ndarray = directions * self.singular_values**self.exponent
        return scaled.astype(np.float32)

    @property
    def vectors(self) -> WordVectors:
        """What ``table()`` gives, with its words, to be asked."""
        return WordVectors(self.words, self.table())

    def reconstruction(self, words: Sequence[str] | None = None) -> np.ndarray:
        """Rows of the matrix as the kept directions have it: U S V^T, (words, contexts).

        Args:
            words: whose rows; all by default.

        Raises:
            UnknownWordError: for a word that is no row; it names the nearest spellings.
            VectorsError: for a string in place of a list of words.
        """
        rows = slice(None) if words is None else self._rows(words)
        result: np.ndarray = (self.left[rows] * self.singular_values) @ self.right.T
        return result

    def _rows(self, words: Sequence[str]) -> list[int]:
        check_list(words)
        index = {word: row for row, word in enumerate(self.words)}
        for word in words:
            if word not in index:
                raise UnknownWordError(
                    f"{word!r} is not one of the {len(index):,} words of the matrix"
                    f"{suggestion(word, index, self.words)}"
                )
        return [index[word] for word in words]
