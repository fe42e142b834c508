"""How often words stand near each other, and in which documents they stand."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.embed.disk import allocated, another_folder, room_in
from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.vocabulary import words_of
from chainrule.errors import ChainruleError
from chainrule.nn.checks import positive_whole
from chainrule.run import native

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SIDES = ("both", "left", "right")
WEIGHTS = ("flat", "linear", "harmonic")
MEMORY = 2**31
# Words that are counted between two looks for Ctrl-C.
STRETCH = 2**20


class CountError(ChainruleError, ValueError):
    """What cannot be counted, or counts that cannot be used."""


def cooccurrences(
    corpus: EncodedCorpus,
    window: int = 5,
    *,
    sides: str = "both",
    weights: str = "flat",
    memory: int = MEMORY,
    folder: str | os.PathLike[str] | None = None,
) -> csr_array:
    """Count for each two words how often they stand at most ``window`` words apart.

    Windows end where sentences do, and words outside the vocabulary are not there at all.

    Args:
        corpus: the text.
        window: words on a side at most.
        sides: on which sides of the word of a row the words of its columns are counted: "both",
            "left" or "right". The matrix of "both" is symmetric.
        weights: what a pair counts at the distance d: "flat" 1; "linear" (window + 1 - d) / window,
            the share of windows of width 1 to ``window`` it lies in; "harmonic" 1 / d, as in GloVe.
        memory: bytes to count in, about. What does not fit, of the counts and of the matrix, goes
            to files that vanish with it; the native core does so, NumPy counts in memory.
        folder: where these files are; by default where temporary files are.

    Returns:
        scipy.sparse.csr_array of float64, (words, words), columns in order.

    Raises:
        CountError: for settings that are none of these, and for a text that is not encoded.

    >>> from chainrule.embed.encoded import encode
    >>> from chainrule.embed.vocabulary import Vocabulary
    >>> text = [["sun", "and", "moon"]]
    >>> corpus = encode(text, Vocabulary.of(text, min_count=1))
    >>> cooccurrences(corpus, 2, weights="harmonic").toarray().tolist()
    [[0.0, 1.0, 0.5], [1.0, 0.0, 1.0], [0.5, 1.0, 0.0]]
    """
    if not isinstance(corpus, EncodedCorpus):
        raise CountError(_how_to_encode(corpus))
    positive_whole(window, "window")
    for name, value, known in (("sides", sides, SIDES), ("weights", weights, WEIGHTS)):
        if value not in known:
            raise CountError(f"{name}={value!r} is not one of {', '.join(known)}")
    if not native.available():
        native.say_missing()
        return _counted_by_numpy(corpus, window, sides, weights)
    return _counted_natively(corpus, window, sides, weights, memory, folder)


def _how_to_encode(text: Any) -> str:
    what = f"an EncodedCorpus is counted, not a {type(text).__name__}: give "
    if hasattr(text, "encode") and hasattr(text, "vocabulary"):
        return what + "corpus.encode(corpus.vocabulary())"
    return what + (
        "encode(sentences, Vocabulary.of(sentences)), of chainrule.embed.encoded and "
        "chainrule.embed.vocabulary"
    )


def _counted_natively(
    corpus: EncodedCorpus,
    window: int,
    sides: str,
    weights: str,
    memory: int,
    folder: str | os.PathLike[str] | None,
) -> csr_array:
    from chainrule._native import words

    size, count = len(corpus.vocabulary), len(corpus)
    if not size:
        return _matrix(np.zeros(0), np.zeros(0, np.int32), np.zeros(0, np.int64))
    ids = np.ascontiguousarray(corpus.ids, np.int32)
    ends = np.ascontiguousarray(corpus.ends, np.int64)
    # More room than for every pair of the text is of no use.
    room = min(memory, 64 * window * (count + 1))
    with tempfile.TemporaryDirectory(dir=folder, prefix="chainrule-") as scratch:
        counter = words.PairCounter(
            size, window, SIDES.index(sides), WEIGHTS.index(weights), room, scratch
        )
        try:
            for begin in range(0, count, STRETCH):
                counter.count(ids, ends, begin, min(begin + STRETCH, count))
            row_ends = np.empty(size, np.int64)
            entries = counter.finish(row_ends)
            columns = empty(entries, np.int32, memory - 8 * entries, folder)
            values = empty(entries, np.float64, memory - 4 * entries, folder)
            counter.write(row_ends, columns, values)
        except RuntimeError as error:  # of a file that cannot be written
            raise CountError(f"{error} If not, {another_folder('folder=')}") from error
    return _matrix(values, columns, row_ends)


def empty(
    count: int, dtype: Any, memory: int, folder: str | os.PathLike[str] | None = None
) -> np.ndarray:
    """An array, in a file without a name where it is larger than ``memory`` bytes.

    >>> empty(3, np.int32, 1000).shape
    (3,)
    """
    if count * np.dtype(dtype).itemsize <= memory or not count:
        return np.empty(count, dtype)
    size = count * np.dtype(dtype).itemsize
    place = Path(tempfile.gettempdir() if folder is None else folder)
    with (
        room_in(place, "the count of pairs", lambda: size, "folder="),
        tempfile.TemporaryFile(dir=folder) as file,
    ):
        allocated(file, size)
        return np.memmap(file, dtype, "w+", shape=(count,))


def _matrix(values: np.ndarray, columns: np.ndarray, row_ends: np.ndarray) -> csr_array:
    from scipy.sparse import csr_array

    starts = np.concatenate([[0], row_ends])
    result = csr_array((values, columns, starts), shape=(len(row_ends), len(row_ends)))
    result.has_canonical_format = True
    return result


def _counted_by_numpy(corpus: EncodedCorpus, window: int, sides: str, weights: str) -> csr_array:
    from scipy.sparse import coo_array, csr_array

    size, count = len(corpus.vocabulary), len(corpus)
    ids = np.asarray(corpus.ids)
    sentence = np.searchsorted(corpus.ends, np.arange(count), side="right")
    total = csr_array((size, size))
    for d in range(1, min(window, count - 1) + 1):
        weight = {"flat": 1.0, "linear": (window + 1 - d) / window, "harmonic": 1 / d}[weights]
        together = np.flatnonzero(sentence[d:] == sentence[:-d])
        first, second = ids[together], ids[together + d]
        values = np.full(len(together), weight)
        right = csr_array(coo_array((values, (first, second)), shape=(size, size)))
        left = right.T if sides != "right" else None
        total = total + (right if left is None else left if sides == "left" else right + left)
    result = csr_array(total)
    result.sort_indices()
    return result


def documents_by_words(documents: Iterable[Iterable[str]], words: Iterable[str]) -> csr_array:
    """How often each word stands in each document.

    Args:
        documents: their words.
        words: what is counted.

    Returns:
        scipy.sparse.csr_array of float64, (words, documents).

    >>> documents_by_words([["sun", "sun"], ["moon"]], ["moon", "sun"]).toarray().tolist()
    [[0.0, 1.0], [2.0, 0.0]]
    """
    from scipy.sparse import coo_array, csr_array

    index = {word: i for i, word in enumerate(words)}
    rows: list[int] = []
    columns: list[int] = []
    count = 0
    for document in documents:
        found = [index[word] for word in words_of(document) if word in index]
        rows += found
        columns += [count] * len(found)
        count += 1
    ones = np.ones(len(rows))
    return csr_array(coo_array((ones, (rows, columns)), shape=(len(index), count)))
