"""How good word vectors are: beside people's similarities, and at analogies; with intervals.

Intervals are percentiles of the bootstrap (B. Efron and R. Tibshirani, An Introduction to the
Bootstrap, 1993): pairs, or questions, are drawn anew with replacement. Questions of one section
share words, which the bootstrap does not know, so that its intervals for analogies are too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.embed.evaluation_files import Section, WordPairs
from chainrule.embed.neighbours import EPSILON, TOGETHER, best, nearest
from chainrule.embed.vector_errors import VectorsError

if TYPE_CHECKING:
    from chainrule.embed.vectors import WordVectors

METHODS = ("add", "mul")
# Numbers that are resampled at a time.
BLOCK = 1 << 21


@dataclass(frozen=True)
class Estimate:
    """A number with the interval in which it lies with a probability of 95 %; NaN where unknown."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SimilarityResult:
    """How well cosines agree with people.

    Attributes:
        name: of the file.
        pairs: how many there are.
        used: those whose words both have vectors; the others are left out.
        unknown: the words without a vector.
        spearman, pearson: correlations of cosines and similarities.
    """

    name: str
    pairs: int
    used: int
    unknown: tuple[str, ...]
    spearman: Estimate
    pearson: Estimate


@dataclass(frozen=True, eq=False)
class Compared:
    """Cosines of pairs of words.

    Attributes:
        known: places of the pairs whose words both have vectors.
        cosines: float64, of those.
        missing: the words without a vector.
    """

    known: list[int]
    cosines: np.ndarray
    missing: tuple[str, ...]


@dataclass(frozen=True)
class AnalogyResult:
    """How many questions of a section, or of all, are answered rightly.

    Attributes:
        name: of the section.
        questions: how many there are.
        asked: those whose words all have vectors; the others are left out.
        right: those that are answered rightly.
        accuracy: right / asked.
    """

    name: str
    questions: int
    asked: int
    right: int
    accuracy: Estimate


def similarity(
    vectors: WordVectors,
    pairs: WordPairs,
    *,
    restrict_vocab: int | None = None,
    case_insensitive: bool = True,
    resamples: int = 1000,
    seed: int = 0,
) -> SimilarityResult:
    """Correlate cosines with people's similarities.

    Args:
        vectors: of the words.
        pairs: what ``read_pairs`` gives.
        restrict_vocab: count all but the first so many words as unknown.
        case_insensitive: take a word in another case where it has no vector as it is written.
        resamples: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap.

    >>> from chainrule.embed.vectors import WordVectors
    >>> v = WordVectors(["a", "b", "c"], [[1, 0], [1, 1], [0, 1]])
    >>> given = WordPairs("pairs", [("a", "b"), ("a", "c"), ("b", "B"), ("a", "d")], [5, 1, 9, 3])
    >>> result = similarity(v, given)
    >>> result.used, result.unknown, round(result.spearman.value, 6)
    (3, ('d',), 1.0)
    """
    from scipy.stats import rankdata

    found = compared(vectors, pairs, restrict_vocab, case_insensitive)
    scores = np.asarray(pairs.scores, np.float64)[found.known]

    def ranked(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return _correlations(rankdata(one, axis=1), rankdata(other, axis=1))

    return SimilarityResult(
        pairs.name,
        len(pairs.pairs),
        len(found.known),
        found.missing,
        _correlated(found.cosines, scores, ranked, resamples, seed),
        _correlated(found.cosines, scores, _correlations, resamples, seed),
    )


def compared(
    vectors: WordVectors, pairs: WordPairs, restrict_vocab: int | None, case_insensitive: bool
) -> Compared:
    """The cosines of pairs of words; arguments as for ``similarity``."""
    find = _Finder(vectors, restrict_vocab, case_insensitive)
    places = [(find(one), find(other)) for one, other in pairs.pairs]
    known = [row for row, (one, other) in enumerate(places) if one >= 0 and other >= 0]
    rows = np.array([places[row] for row in known], np.int64).reshape(-1, 2)
    inverse = vectors.inverse_norms()
    products = np.einsum("ij,ij->i", vectors.vectors[rows[:, 0]], vectors.vectors[rows[:, 1]])
    cosines = (products * inverse[rows[:, 0]] * inverse[rows[:, 1]]).astype(np.float64)
    missing = dict.fromkeys(word for pair in pairs.pairs for word in pair if find(word) < 0)
    return Compared(known, cosines, tuple(missing))


def analogies(
    vectors: WordVectors,
    sections: Iterable[Section],
    *,
    restrict_vocab: int | None = 300_000,
    case_insensitive: bool = True,
    method: str = "add",
    resamples: int = 1000,
    seed: int = 0,
) -> list[AnalogyResult]:
    """Answer "a is to b as c is to what?" among all words but those three.

    Args:
        vectors: of the words.
        sections: what ``read_analogies`` gives.
        restrict_vocab: ask and answer with the first so many words only, as gensim does.
        case_insensitive: whether the case of letters makes no difference.
        method: "add" for 3CosAdd, "mul" for 3CosMul.
        resamples, seed: as for ``similarity``.

    Returns:
        A result for each section; where sections are called gram..., as Google's are, one for all
        others, "semantic", and one for them, "syntactic"; and last one for all, "total".

    >>> from chainrule.embed.vectors import WordVectors
    >>> v = WordVectors(["man", "king", "woman", "queen"], [[1, 0], [1, 2], [0.9, 0], [0.9, 2]])
    >>> given = [Section("family", [("man", "king", "woman", "queen"), ("a", "b", "c", "d")])]
    >>> [(each.name, each.right, each.asked) for each in analogies(v, given)]
    [('family', 1, 1), ('total', 1, 1)]
    """
    sections = list(sections)
    questions = [question for section in sections for question in section.questions]
    known, right = answers(vectors, questions, restrict_vocab, case_insensitive, method)
    generator = np.random.default_rng(seed)

    def result(name: str, chosen: np.ndarray) -> AnalogyResult:
        asked, hits = int(known[chosen].sum()), int(right[chosen].sum())
        share = hits / asked if asked else np.nan
        # How many of the questions drawn are right ones.
        drawn = generator.binomial(asked, share if asked else 0, resamples) / max(asked, 1)
        accuracy = _estimate(share, drawn if asked else np.empty(0))
        return AnalogyResult(name, len(chosen), asked, hits, accuracy)

    ends = np.cumsum([len(section.questions) for section in sections])
    parts = [
        np.arange(end - len(section.questions), end)
        for section, end in zip(sections, ends, strict=True)
    ]
    results = [result(s.name, part) for s, part in zip(sections, parts, strict=True)]
    grammar = [section.name.startswith("gram") for section in sections]
    if any(grammar) and not all(grammar):
        for name, wanted in (("semantic", False), ("syntactic", True)):
            chosen = [p for p, g in zip(parts, grammar, strict=True) if g == wanted]
            results.append(result(name, np.concatenate(chosen)))
    results.append(result("total", np.arange(len(questions))))
    return results


def answers(
    vectors: WordVectors,
    questions: Sequence[tuple[str, str, str, str]],
    restrict_vocab: int | None,
    case_insensitive: bool,
    method: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Which questions have four known words, and which are answered rightly; as ``analogies``."""
    if method not in METHODS:
        raise VectorsError(f"method={method!r} is not one of {', '.join(METHODS)}")
    find = _Finder(vectors, restrict_vocab, case_insensitive)
    places = np.array([[find(word) for word in each] for each in questions]).reshape(-1, 4)
    known: np.ndarray = np.all(places >= 0, axis=1)
    right = np.zeros(len(places), bool)
    right[known] = _answered(vectors, find, places[known], method)
    return known, right


class _Finder:
    """Looks up words among the first ones, in any case of letters if that is wanted."""

    def __init__(self, vectors: WordVectors, restrict: int | None, insensitive: bool) -> None:
        self.rows = len(vectors) if restrict is None else min(restrict, len(vectors))
        self.insensitive = insensitive
        self.index = vectors.key_to_index
        self.words = vectors.index_to_key
        self.folded: dict[str, list[int]] = {}
        for row, word in enumerate(self.words[: self.rows] if insensitive else ()):
            self.folded.setdefault(word.upper(), []).append(row)

    def __call__(self, word: str) -> int:
        """The row of a word, or -1."""
        row = self.index.get(word, -1)
        if 0 <= row < self.rows:
            return row
        return self.folded.get(word.upper(), [-1])[0]

    def alike(self, row: int) -> Sequence[int]:
        """The rows of all words that count as the same."""
        return self.folded[self.words[row].upper()] if self.insensitive else (row,)


def _answered(vectors: WordVectors, find: _Finder, places: np.ndarray, method: str) -> np.ndarray:
    """Which questions, rows of four known words, are answered rightly."""
    table, inverse = vectors.vectors[: find.rows], vectors.inverse_norms()[: find.rows]
    right = np.zeros(len(places), bool)
    for first in range(0, len(places), TOGETHER):
        chunk = places[first : first + TOGETHER]
        different, where = np.unique(chunk[:, :3], return_inverse=True)
        one, two, three = where.reshape(-1, 3).T
        units = table[different] * inverse[different, None]
        without = [[same for row in each for same in find.alike(row)] for each in chunk[:, :3]]
        if method == "add":
            queries = units[two] - units[one] + units[three]
            lengths = np.linalg.norm(queries, axis=1, keepdims=True)
            queries /= np.where(lengths > 0, lengths, 1)
            found = nearest(table, inverse, queries, 1, without)
        else:
            lengths = np.ones((len(chunk), 1))

            def products(
                start: int,
                end: int,
                units: np.ndarray = units,
                one: np.ndarray = one,
                two: np.ndarray = two,
                three: np.ndarray = three,
            ) -> np.ndarray:
                cosines = (1 + (units @ table[start:end].T) * inverse[start:end]) / 2
                result: np.ndarray = cosines[two] * cosines[three] / (cosines[one] + EPSILON)
                return result

            found = best(products, len(chunk), find.rows, 1, without)
        for place, (rows, _) in enumerate(found):
            right[first + place] = (
                len(rows) > 0 and lengths[place, 0] > 0 and rows[0] in find.alike(chunk[place, 3])
            )
    return right


# ----- bootstrap ----------------------------------------------------------------------------------


def _correlated(
    one: np.ndarray,
    other: np.ndarray,
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
    resamples: int,
    seed: int,
) -> Estimate:
    """A correlation of two lists of numbers, with its interval."""
    if len(one) < 2:
        return Estimate(np.nan, np.nan, np.nan)
    value = float(measure(one[None], other[None])[0])
    generator, drawn = np.random.default_rng(seed), []
    step = max(1, BLOCK // len(one))
    for first in range(0, resamples, step):
        rows = generator.integers(0, len(one), (min(step, resamples - first), len(one)))
        drawn.append(measure(one[rows], other[rows]))
    return _estimate(value, np.concatenate(drawn) if drawn else np.empty(0))


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each row with that of the other; NaN where one is constant."""
    varied = (np.ptp(one, axis=1) > 0) & (np.ptp(other, axis=1) > 0)
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(one).sum(axis=1) * np.square(other).sum(axis=1))
    products = np.einsum("ij,ij->i", one, other)
    return np.divide(
        products, spread, out=np.full(len(spread), np.nan), where=varied & (spread > 0)
    )


def _estimate(value: float, drawn: np.ndarray) -> Estimate:
    """The number with the middle 95 % of what was drawn; a resample without a value is left out."""
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Estimate(float(value), np.nan, np.nan)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))
