"""Counts of pairs, mutual information and LSA against the words of their definitions."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from chainrule.embed import counts
from chainrule.embed.corpus import Corpus
from chainrule.embed.counts import CountError, cooccurrences, documents_by_words
from chainrule.embed.encoded import EncodedCorpus, encode
from chainrule.embed.lsa import LSA
from chainrule.embed.model import ModelError
from chainrule.embed.pmi import pmi
from chainrule.embed.vector_errors import UnknownWordError, VectorsError
from chainrule.embed.vocabulary import Vocabulary, VocabularyError
from chainrule.errors import ChainruleError, NonFiniteError
from chainrule.run import native

needs_core = pytest.mark.skipif(not native.available(), reason="the native core is not built")
WORDS = 40


def corpus(words: int = 900, seed: int = 0) -> EncodedCorpus:
    generator = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, WORDS + 1)
    ids = generator.choice(WORDS, words, p=share / share.sum()).astype(np.int32)
    ends = np.unique(np.append(generator.integers(0, words, 9), [0, 1, 3, words]))
    known = Vocabulary([f"w{i}" for i in range(WORDS)], np.arange(WORDS, 0, -1))
    return EncodedCorpus(ids, ends.astype(np.int64), known)


def brute_force(text: EncodedCorpus, window: int, sides: str, weights: str) -> np.ndarray:
    result = np.zeros((WORDS, WORDS))
    bounds = [0, *text.ends.tolist()]
    for start, end in itertools.pairwise(bounds):
        for centre, other in itertools.product(range(start, end), repeat=2):
            distance = abs(centre - other)
            if not 1 <= distance <= window:
                continue
            if (sides == "left" and other > centre) or (sides == "right" and other < centre):
                continue
            weight = {
                "flat": 1.0,
                "linear": (window + 1 - distance) / window,
                "harmonic": 1 / distance,
            }[weights]
            result[text.ids[centre], text.ids[other]] += weight
    return result


@pytest.fixture(params=["native", "NumPy"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts by the native core and by NumPy."""
    if request.param == "NumPy":
        monkeypatch.setattr(native, "available", lambda: False)
        monkeypatch.setattr(native, "say_missing", lambda: None)
    elif not native.available():
        pytest.skip("the native core is not built")


@pytest.mark.parametrize("weights", counts.WEIGHTS)
@pytest.mark.parametrize("sides", counts.SIDES)
@pytest.mark.parametrize("window", [1, 4, 15])
def test_pairs_are_counted_as_by_hand(either: None, window: int, sides: str, weights: str) -> None:
    text = corpus(200)
    found = cooccurrences(text, window, sides=sides, weights=weights)
    np.testing.assert_allclose(found.toarray(), brute_force(text, window, sides, weights))
    assert found.has_sorted_indices
    if sides == "both":
        assert (found != found.T).nnz == 0


@needs_core
@pytest.mark.parametrize("sides", counts.SIDES)
@pytest.mark.parametrize("memory", [0, 3000, 20_000, 10**9])
def test_what_does_not_fit_goes_to_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, sides: str
) -> None:
    from chainrule._native import words

    counters = []

    def remembered(*arguments: object) -> object:
        counters.append(words.PairCounter(*arguments))
        return counters[-1]

    # Counted in stretches, too.
    monkeypatch.setattr(counts, "STRETCH", 77)
    holder = type("words", (), {"PairCounter": staticmethod(remembered)})
    monkeypatch.setattr("chainrule._native.words", holder)
    text = corpus()
    found = cooccurrences(text, 6, sides=sides, weights="harmonic", memory=memory, folder=tmp_path)
    np.testing.assert_allclose(found.toarray(), brute_force(text, 6, sides, "harmonic"))
    assert (counters[0].files > 3) == (memory < 10_000)
    assert list(tmp_path.iterdir()) == []


@needs_core
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    from chainrule._native import words

    text = corpus()
    counter = words.PairCounter(WORDS, 5, 0, 0, 0, str(tmp_path / "gone"))
    with pytest.raises(RuntimeError, match="gone"):
        counter.count(text.ids, text.ends, 0, len(text))


@needs_core
def test_what_is_not_a_text_is_not_counted() -> None:
    from chainrule._native import words

    text = corpus()
    ids = text.ids.copy()
    ids[100] = WORDS
    counter = words.PairCounter(WORDS, 5, 0, 0, 10**6, ".")
    for arguments, message in (
        ((ids, text.ends, 0, 900), "ids has 40 at 100"),
        ((text.ids, text.ends[:-1], 0, 900), "ends"),
        ((text.ids, text.ends, 0, 901), "nothing to count"),
    ):
        with pytest.raises(ValueError, match=message):
            counter.count(*arguments)


def test_the_lecture(either: None) -> None:
    text = ["I like deep learning .", "I like NLP .", "I enjoy flying ."]
    names = ["I", "like", "enjoy", "deep", "learning", "NLP", "flying", "."]
    sentences = [sentence.split() for sentence in text]
    vocabulary = Vocabulary.of(sentences, min_count=1)
    found = cooccurrences(encode(sentences, vocabulary), 1).toarray()
    place = [vocabulary.index[name] for name in names]
    assert found[np.ix_(place, place)].tolist() == [
        [0, 2, 1, 0, 0, 0, 0, 0],
        [2, 0, 0, 1, 0, 1, 0, 0],
        [1, 0, 0, 0, 0, 0, 1, 0],
        [0, 1, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 1],
        [0, 1, 0, 0, 0, 0, 0, 1],
        [0, 0, 1, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 1, 1, 0],
    ]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"window": 0}, ChainruleError, "window"),
        ({"sides": "up"}, CountError, "both, left, right"),
        ({"weights": "heavy"}, CountError, "flat, linear, harmonic"),
    ],
)
def test_what_cannot_be_counted(
    options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        cooccurrences(corpus(), **options)


def test_a_text_that_is_not_encoded_is_refused() -> None:
    lists = [["a", "b"]]
    for text, message in (
        (Corpus(lists, progress=False), r"not a Corpus: give corpus\.encode\(corpus\.vocabulary"),
        (lists, r"not a list: give encode\(sentences, Vocabulary\.of\(sentences\)\)"),
    ):
        with pytest.raises(CountError, match=message):
            cooccurrences(text)  # type: ignore[arg-type]


def test_a_text_without_pairs(either: None) -> None:
    known = Vocabulary(["a"], [1])
    empty = EncodedCorpus(np.zeros(0, np.int32), np.zeros(0, np.int64), known)
    single = EncodedCorpus(np.zeros(1, np.int32), np.ones(1, np.int64), known)
    assert cooccurrences(empty, 3).toarray().tolist() == [[0.0]]
    assert cooccurrences(single, 3).toarray().tolist() == [[0.0]]


# ----- mutual information -----


@pytest.mark.parametrize("smoothing", [1.0, 0.75, 0.0])
@pytest.mark.parametrize("shift", [1.0, 5.0])
@pytest.mark.parametrize("positive", [True, False])
def test_mutual_information_by_its_formula(positive: bool, shift: float, smoothing: float) -> None:
    counted = brute_force(corpus(), 3, "right", "flat")
    probability = counted / counted.sum()
    word = probability.sum(axis=1)
    context = counted.sum(axis=0) ** smoothing / (counted.sum(axis=0) ** smoothing).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.log(probability / np.outer(word, context)) - np.log(shift)
    expected[counted == 0] = 0
    if positive:
        expected = np.maximum(expected, 0)
    found = pmi(counted, positive=positive, shift=shift, smoothing=smoothing)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-12)
    assert (found.data != 0).all()


@pytest.mark.parametrize(
    ("matrix", "options"),
    [([[-1.0]], {}), ([[np.nan]], {}), ([[1.0]], {"shift": 0}), ([[1.0]], {"smoothing": -1})],
)
def test_mutual_information_of_what_is_not_counts(
    matrix: list[list[float]], options: dict[str, float]
) -> None:
    with pytest.raises(CountError):
        pmi(matrix, **options)


# ----- LSA -----

# T. Landauer, P. Foltz and D. Laham, An introduction to latent semantic analysis (1998): nine
# titles, the words that stand in at least two of them, and their counts in two dimensions.
TITLES = {
    "human": "c1 c4",
    "interface": "c1 c3",
    "computer": "c1 c2",
    "user": "c2 c3 c5",
    "system": "c2 c3 c4 c4",
    "response": "c2 c5",
    "time": "c2 c5",
    "EPS": "c3 c4",
    "survey": "c2 m4",
    "trees": "m1 m2 m3",
    "graph": "m2 m3 m4",
    "minors": "m3 m4",
}
DOCUMENTS = ["c1", "c2", "c3", "c4", "c5", "m1", "m2", "m3", "m4"]
SINGULAR_VALUES = [3.34, 2.54, 2.35, 1.64, 1.50, 1.31, 0.85, 0.56, 0.36]
RECONSTRUCTED = {
    "human": [0.16, 0.40, 0.38, 0.47, 0.18, -0.05, -0.12, -0.16, -0.09],
    "interface": [0.14, 0.37, 0.33, 0.40, 0.16, -0.03, -0.07, -0.10, -0.04],
    "computer": [0.15, 0.51, 0.36, 0.41, 0.24, 0.02, 0.06, 0.09, 0.12],
    "user": [0.26, 0.84, 0.61, 0.70, 0.39, 0.03, 0.08, 0.12, 0.19],
    "system": [0.45, 1.23, 1.05, 1.27, 0.56, -0.07, -0.15, -0.21, -0.05],
    "response": [0.16, 0.58, 0.38, 0.42, 0.28, 0.06, 0.13, 0.19, 0.22],
    "time": [0.16, 0.58, 0.38, 0.42, 0.28, 0.06, 0.13, 0.19, 0.22],
    "EPS": [0.22, 0.55, 0.51, 0.63, 0.24, -0.07, -0.14, -0.20, -0.11],
    "survey": [0.10, 0.53, 0.23, 0.21, 0.27, 0.14, 0.31, 0.44, 0.42],
    "trees": [-0.06, 0.23, -0.14, -0.27, 0.14, 0.24, 0.55, 0.77, 0.66],
    "graph": [-0.06, 0.34, -0.15, -0.30, 0.20, 0.31, 0.69, 0.98, 0.85],
    "minors": [-0.04, 0.25, -0.10, -0.21, 0.15, 0.22, 0.50, 0.71, 0.62],
}


def titles() -> list[list[str]]:
    return [
        [word for word, places in TITLES.items() for p in places.split() if p == document]
        for document in DOCUMENTS
    ]


def correlation(model: LSA, one: str, other: str) -> float:
    return float(np.corrcoef(model.reconstruction([one, other]))[0, 1])


def test_nine_titles_in_two_dimensions() -> None:
    model = LSA(
        titles(), vector_size=2, min_count=2, contexts="documents", measure="counts", exponent=1
    )
    assert sorted(model.words) == sorted(TITLES)
    expected = [RECONSTRUCTED[word] for word in model.words]
    np.testing.assert_allclose(model.reconstruction(), expected, atol=0.0051)
    assert correlation(model, "human", "user") == pytest.approx(0.94, abs=0.005)
    assert correlation(model, "human", "minors") == pytest.approx(-0.83, abs=0.005)
    raw = documents_by_words(titles(), ["human", "user", "minors"]).toarray()
    assert np.corrcoef(raw)[0, 1:] == pytest.approx([-0.38, -0.29], abs=0.005)
    np.testing.assert_allclose(model.table() @ model.right.T, model.reconstruction(), atol=1e-6)


def test_singular_values_of_nine_titles() -> None:
    model = LSA(titles(), vector_size=9, min_count=2, contexts="documents", measure="counts")
    np.testing.assert_allclose(model.singular_values, SINGULAR_VALUES, atol=0.0051)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_few_directions_of_a_large_matrix_are_its_largest(
    monkeypatch: pytest.MonkeyPatch, exponent: float
) -> None:
    matrix = np.random.default_rng(0).random((30, 20))
    names = [str(i) for i in range(30)]
    whole = LSA(vector_size=4, exponent=exponent)
    whole.decompose(matrix, names)
    monkeypatch.setattr("chainrule.embed.lsa.SMALL", 0)
    truncated, again = LSA(vector_size=4, exponent=exponent), LSA(vector_size=4, exponent=exponent)
    truncated.decompose(matrix, names)
    again.decompose(matrix, names)
    np.testing.assert_allclose(truncated.table(), whole.table(), atol=1e-6)
    np.testing.assert_allclose(truncated.table("output"), whole.table("output"), atol=1e-6)
    np.testing.assert_array_equal(truncated.table(), again.table())
    expected = np.linalg.norm(whole.left * whole.singular_values**exponent, axis=0)
    np.testing.assert_allclose(np.linalg.norm(whole.table(), axis=0), expected, rtol=1e-5)


COLOURS = ["red", "green", "blue"]
NUMBERS = ["one", "two", "three"]


@pytest.mark.parametrize("measure", ["ppmi", "counts", "logarithms"])
def test_words_that_stand_together_come_together(either: None, measure: str) -> None:
    generator = np.random.default_rng(1)
    text = [list(generator.choice([COLOURS, NUMBERS][i % 2], 8)) for i in range(60)]
    model = LSA(text, vector_size=2, measure=measure)

    def mean_likeness(some: Sequence[str], others: Sequence[str]) -> float:
        table = model.table() / np.linalg.norm(model.table(), axis=1, keepdims=True)
        rows, columns = ([model.words.index(w) for w in g] for g in (some, others))
        return float((table[rows] @ table[columns].T).mean())

    assert mean_likeness(COLOURS, COLOURS) > mean_likeness(COLOURS, NUMBERS) + 0.5
    assert model.vectors.most_similar("red", topn=1)[0][0] in COLOURS


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ([["a", "b"]], {}, ModelError, "min_count=5"),
        ([["a", "b"]], {"min_count": 1}, ModelError, r"shape \(2, 2\)"),
        (None, {"contexts": "books"}, ModelError, "words, documents"),
        (None, {"measure": "metre"}, ModelError, "ppmi"),
        (None, {"exponent": np.nan}, ModelError, "exponent=nan must be a finite number"),
        (None, {"exponent": np.inf}, ModelError, "exponent=inf"),
        (corpus(), {"contexts": "documents"}, ModelError, "lists of words, .* an EncodedCorpus"),
        (None, {"vector_size": 0}, ChainruleError, "vector_size"),
    ],
)
def test_what_cannot_be_decomposed(
    text: object, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        LSA(text, **options)
    with pytest.raises(CountError, match="3 words"):
        LSA(vector_size=1).decompose(np.ones((2, 2)), ["a", "b", "c"])
    with pytest.raises(ModelError, match="no table"):
        LSA().table("sum")


def test_a_matrix_without_directions_or_with_odd_numbers() -> None:
    with pytest.raises(ModelError, match="zero everywhere"):
        LSA([["a", "a", "a"]] * 5, vector_size=1)
    odd = np.ones((3, 3))
    odd[1, 2] = np.inf
    with pytest.raises(NonFiniteError, match="row 1 of the matrix, 'b', holds inf in column 2"):
        LSA(vector_size=1).decompose(odd, ["a", "b", "c"])


def test_rows_that_are_not_there() -> None:
    model = LSA(vector_size=1)
    model.decompose(np.ones((2, 2)), ["moon", "sea"])
    with pytest.raises(UnknownWordError, match=r"'mon' is not one of the 2 .* did you mean 'moon'"):
        model.reconstruction(["sea", "mon"])
    with pytest.raises(VectorsError, match=r"one string, 'moon'; give a list, as in \['moon'\]"):
        model.reconstruction("moon")


def test_a_document_that_is_a_string_is_not_a_list_of_letters() -> None:
    with pytest.raises(VocabularyError, match="not a list of words"):
        documents_by_words(["a b"], ["a"])  # type: ignore[list-item]
