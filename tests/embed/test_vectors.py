"""Questions to word vectors: each answer against the formula written out."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from chainrule.embed.vector_errors import UnknownWordError, VectorsError
from chainrule.embed.vectors import WordVectors
from chainrule.embed.word2vec import Word2Vec

WORDS = [f"word{place}" for place in range(60)] + ["nothing"]


def table(seed: int = 0, size: int = 7) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(len(WORDS), size)).astype(np.float32)
    vectors[-1] = 0
    return vectors


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return WordVectors(WORDS, table())


def units() -> np.ndarray:
    exact = table().astype(np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / np.where(norms == 0, 1, norms)


def ranked(scores: np.ndarray, without: list[int], count: int) -> list[tuple[str, float]]:
    order = [row for row in np.argsort(-scores, kind="stable") if row not in without]
    return [(WORDS[row], scores[row]) for row in order[:count]]


def assert_same(found: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=2e-6)


# ----- words ------------------------------------------------------------------------------------


def test_lookups(vectors: WordVectors) -> None:
    assert vectors.words is vectors.index_to_key
    assert (len(vectors), vectors.vector_size, list(vectors)) == (61, 7, WORDS)
    np.testing.assert_array_equal(vectors["word3"], table()[3])
    np.testing.assert_array_equal(vectors[3], table()[3])
    np.testing.assert_array_equal(vectors[["word3", "word1"]], table()[[3, 1]])
    np.testing.assert_allclose(vectors.get_vector("word3", norm=True), units()[3], atol=1e-6)
    assert vectors.key_to_index["word5"] == vectors.get_index("word5") == 5
    assert "word5" in vectors and "sea" not in vectors and vectors.has_index_for("word5")
    assert vectors.get_index("sea", default=-1) == -1


def test_the_normalised_copy_is_made_once(vectors: WordVectors) -> None:
    normed = vectors.get_normed_vectors()
    np.testing.assert_allclose(normed, units(), atol=1e-6)
    assert normed.dtype == np.float32
    assert vectors.get_normed_vectors() is normed


def test_a_float32_table_is_shared_and_anything_else_converted() -> None:
    given = table()
    assert np.shares_memory(WordVectors(WORDS, given).vectors, given)
    wide = np.zeros((len(WORDS), 16), np.float32)
    assert np.shares_memory(WordVectors(WORDS, wide[:, :7]).vectors, wide)
    assert WordVectors(WORDS, given.astype(np.float64)).vectors.dtype == np.float32
    turned = np.asfortranarray(given)
    np.testing.assert_array_equal(WordVectors(WORDS, turned).vectors, given)


def test_a_mapped_table_answers_as_one_in_memory(tmp_path: Path, vectors: WordVectors) -> None:
    np.save(tmp_path / "table.npy", table())
    mapped = WordVectors(WORDS, np.load(tmp_path / "table.npy", mmap_mode="r"))
    assert not mapped.vectors.flags.writeable
    assert mapped.most_similar("word1") == vectors.most_similar("word1")


def test_norms_follow_when_asked() -> None:
    given = table()
    vectors = WordVectors(WORDS, given)
    vectors.fill_norms()
    given *= 3
    vectors.fill_norms(force=True)
    np.testing.assert_allclose(vectors.get_normed_vectors(), units(), atol=1e-6)


@pytest.mark.parametrize(("scale", "row"), [(1e-30, 1), (1e25, 2)], ids=["small", "large"])
def test_lengths_beyond_float32s_squares(scale: float, row: int) -> None:
    given = table()
    given[row] = 0
    given[row, :2] = [scale, scale]
    vectors = WordVectors(WORDS, given)
    similar = vectors.similar_by_vector(np.eye(7)[0] + np.eye(7)[1], topn=1)
    assert similar[0][0] == WORDS[row]
    assert similar[0][1] == pytest.approx(1, abs=1e-6)


def test_the_models_vectors_share_its_memory() -> None:
    text = [["a", "b", "c"]] * 10
    model = Word2Vec(text, vector_size=9, sample=0, epochs=1, workers=1, progress=False)
    vectors = model.vectors
    assert np.shares_memory(vectors.vectors, model.table())
    assert vectors.words == model.vocabulary.words
    assert vectors.counts is not None and vectors.counts.tolist() == [10, 10, 10]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("wrod5", "did you mean 'word5'"),
        ("WORD7", "did you mean 'word7'"),
        ("wordd11", "did you mean 'word11'"),
        ("xyzzy", "'xyzzy' has no vector$"),
        (61, "there are 61 words"),
        ("w" * 10_000, "has no vector"),
        ("", "has no vector"),
    ],
    ids=["swap", "case", "repeat", "nothing near", "number", "long", "empty"],
)
def test_unknown_words(vectors: WordVectors, key: object, message: str) -> None:
    with pytest.raises(UnknownWordError, match=message):
        vectors.most_similar(key)


@pytest.mark.parametrize(
    ("words", "given", "counts", "message"),
    [
        (["a", "b"], np.zeros((3, 2)), None, r"2 words need vectors of shape \(2, size\)"),
        (["a", "b"], np.zeros(2), None, "not \\(2,\\)"),
        (["a", "b", "a"], np.zeros((3, 2)), None, "'a' stands twice among the words: 0 and 2"),
        (["a", "b"], np.zeros((2, 2)), [1], "counts of shape"),
    ],
    ids=["rows", "dimensions", "twice", "counts"],
)
def test_what_is_no_table(words: list, given: np.ndarray, counts: list, message: str) -> None:
    with pytest.raises(VectorsError, match=message):
        WordVectors(words, given, counts)


# ----- neighbours -------------------------------------------------------------------------------

QUESTIONS = [
    (["word1"], []),
    (["word1", "word2"], ["word3"]),
    ([4, ("word5", 0.5)], [("word6", 2.0)]),
    ([np.arange(7.0)], ["word0"]),
]


@pytest.mark.parametrize("positive, negative", QUESTIONS, ids=["one", "three", "weights", "vector"])
@pytest.mark.parametrize("restrict", [None, 30])
def test_most_similar(
    vectors: WordVectors, positive: list, negative: list, restrict: int | None
) -> None:
    total, without = np.zeros(7), []
    for part, sign in [(p, 1) for p in positive] + [(n, -1) for n in negative]:
        key, weight = part if isinstance(part, tuple) else (part, 1)
        if isinstance(key, np.ndarray):
            total += sign * weight * key / np.linalg.norm(key)
        else:
            without.append(vectors.get_index(key))
            total += sign * weight * units()[without[-1]]
    cosines = (units() @ (total / np.linalg.norm(total)))[:restrict]
    expected = ranked(cosines, without, 10)
    assert_same(vectors.most_similar(positive, negative, restrict_vocab=restrict), expected)
    [batch] = vectors.most_similar_batch([positive], [negative], restrict_vocab=restrict)
    assert_same(batch, expected)
    everything = vectors.most_similar(positive, negative, topn=None, restrict_vocab=restrict)
    np.testing.assert_allclose(everything, cosines, atol=1e-6)


def test_most_similar_cosmul(vectors: WordVectors) -> None:
    shifted = (1 + units() @ units()[:4].T) / 2
    scores = shifted[:, 0] * shifted[:, 1] / (shifted[:, 2] * shifted[:, 3] + 1e-6)
    positive, negative = ["word0", "word1"], ["word2", "word3"]
    found = vectors.most_similar_cosmul(positive, negative, topn=5)
    expected = ranked(scores, [0, 1, 2, 3], 5)
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], rtol=1e-4)
    everything = vectors.most_similar_cosmul(positive, negative, topn=None)
    np.testing.assert_allclose(everything, scores, rtol=1e-4)


def test_many_questions_equal_one_by_one(vectors: WordVectors) -> None:
    pairs = list(itertools.islice(itertools.permutations(WORDS[:50], 2), 2100))
    batch = vectors.most_similar_batch(pairs_as_lists := [list(p) for p in pairs], topn=3)
    assert len(batch) == 2100
    for place in range(0, 2100, 97):
        assert_same(batch[place], vectors.most_similar(pairs_as_lists[place], topn=3))
    assert vectors.most_similar_batch([]) == []
    rows = vectors.most_similar_batch(table()[:3], topn=2)
    assert [answers[0][0] for answers in rows] == WORDS[:3]


def test_shorthands(vectors: WordVectors) -> None:
    assert vectors.similar_by_word("word1", 3) == vectors.most_similar("word1", topn=3)
    assert vectors.similar_by_key("word1", 3) == vectors.most_similar(["word1"], topn=3)
    assert vectors.similar_by_vector(vectors["word1"], 1)[0][0] == "word1"
    assert vectors.most_similar("word1", topn=0) == []
    assert len(vectors.most_similar("word1", topn=1000)) == 60
    clipped = vectors.most_similar("word1", clip_start=10, clip_end=20, topn=99)
    assert {word for word, _ in clipped} == set(WORDS[10:20])


def test_a_vector_of_zeros_is_like_nothing(vectors: WordVectors) -> None:
    assert vectors.similarity("nothing", "word1") == 0
    assert vectors.distances("word1")[-1] == 1
    with pytest.raises(VectorsError, match="sum to zero"):
        vectors.most_similar("nothing")
    with pytest.raises(VectorsError, match="sum to zero"):
        vectors.most_similar("word1", negative="word1")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_named(bad: float) -> None:
    given = table()
    given[5, 2] = bad
    with pytest.raises(VectorsError, match="'word5', row 5"):
        WordVectors(WORDS, given).most_similar("word1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no word to be similar to"),
        ({"positive": np.zeros(3)}, r"shape \(7,\) here, not \(3,\)"),
        ({"positive": "word1", "restrict_vocab": -1}, "no words of the places 0 to -1"),
        ({"positive": "word1", "topn": -1}, "topn=-1 must be a whole number"),
        ({"positive": "word1", "restrict_vocab": "9"}, "places of words are whole numbers"),
        ({"positive": 2.5}, "2.5 is no part of a question"),
        ({"positive": [0.5, 0.25]}, "0.5 is no part of a question"),
        ({"positive": [["word1"]]}, "is no part of a question: give words"),
        ({"positive": ("word1", np.nan)}, "the weight of 'word1' is nan"),
        ({"negative": [("word1", "word2")]}, "is no part of a question"),
    ],
    ids=[
        "nothing",
        "shape",
        "places",
        "count",
        "limit",
        "number",
        "numbers",
        "list",
        "weight",
        "words",
    ],
)
def test_questions_that_cannot_be_asked(vectors: WordVectors, options: dict, message: str) -> None:
    with pytest.raises(VectorsError, match=message):
        vectors.most_similar(**options)


def test_two_words_are_a_list_and_a_word_with_a_number_is_a_pair(vectors: WordVectors) -> None:
    assert vectors.most_similar(("word1", "word2")) == vectors.most_similar(["word1", "word2"])
    assert vectors.most_similar(("word1", -2)) == vectors.most_similar([("word1", -2.0)])
    assert vectors.most_similar(("word1", 2))[0] == vectors.most_similar("word1")[0]


# ----- between given words ----------------------------------------------------------------------


def test_similarities(vectors: WordVectors) -> None:
    exact = units()
    cosines = exact @ exact[1]
    assert vectors.similarity("word1", "word2") == pytest.approx(cosines[2], abs=1e-6)
    assert vectors.distance("word1", "word2") == pytest.approx(1 - cosines[2], abs=1e-6)
    np.testing.assert_allclose(vectors.distances("word1"), 1 - cosines, atol=1e-6)
    some = vectors.distances("word1", ["word4", "nothing"])
    np.testing.assert_allclose(some, [1 - cosines[4], 1], atol=1e-6)
    np.testing.assert_allclose(
        WordVectors.cosine_similarities(table()[1], table()), cosines, atol=1e-6
    )
    mean = table()[[0, 1]].mean(axis=0), table()[[2, 3, 4]].mean(axis=0)
    cosine = mean[0] @ mean[1] / np.linalg.norm(mean[0]) / np.linalg.norm(mean[1])
    found = vectors.n_similarity(["word0", "word1"], ["word2", "word3", "word4"])
    assert found == pytest.approx(cosine, abs=1e-6)


def test_ranks(vectors: WordVectors) -> None:
    order = [word for word, _ in vectors.most_similar("word1", topn=60)]
    for rank in (1, 2, 30):
        assert vectors.rank("word1", order[rank - 1]) == rank
        closer = vectors.closer_than("word1", order[rank - 1])
        assert sorted(closer) == sorted(order[: rank - 1])


def test_the_odd_one_out(vectors: WordVectors) -> None:
    chosen = [3, 8, 20, 41]
    mean = units()[chosen].mean(axis=0)
    cosines = units()[chosen] @ mean / np.linalg.norm(mean)
    words = [WORDS[row] for row in chosen]
    ranking = vectors.rank_by_centrality(words)
    assert [word for _, word in ranking] == [words[place] for place in np.argsort(-cosines)]
    assert vectors.doesnt_match(words) == words[int(np.argmin(cosines))]
    best = words[1 + int(np.argmax(units()[chosen[1:]] @ units()[3]))]
    assert vectors.most_similar_to_given("word3", words[1:]) == best


@pytest.mark.parametrize(
    "ask",
    [
        lambda v: v.doesnt_match("red blue"),
        lambda v: v.rank_by_centrality("red blue"),
        lambda v: v.distances("word1", "red blue"),
        lambda v: v.n_similarity(["word1"], "red blue"),
        lambda v: v.most_similar_to_given("word1", "red blue"),
        lambda v: v.get_mean_vector("red blue"),
        lambda v: v.vectors_for_all("red blue"),
        lambda v: v.wmdistance(["word1"], "red blue"),
    ],
    ids=["odd", "centre", "distances", "means", "given", "mean", "choice", "texts"],
)
def test_a_string_in_place_of_a_list(vectors: WordVectors, ask: object) -> None:
    with pytest.raises(VectorsError, match=r"one string, .* a list, as in \['red', 'blue'\]"):
        ask(vectors)  # type: ignore[operator]


def test_means(vectors: WordVectors) -> None:
    weights = [2.0, -1.0]
    np.testing.assert_allclose(
        vectors.get_mean_vector(["word1", "word2"], weights),
        (2 * units()[1] - units()[2]) / 3,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        vectors.get_mean_vector(["word1", "sea", "word2"], pre_normalize=False),
        table()[[1, 2]].mean(axis=0),
        atol=1e-6,
    )
    assert np.linalg.norm(vectors.get_mean_vector([0, 1], post_normalize=True)) == pytest.approx(1)
    with pytest.raises(UnknownWordError, match="sea"):
        vectors.get_mean_vector(["sea"], ignore_missing=False)


def test_relative_similarity(vectors: WordVectors) -> None:
    total = sum(cosine for _, cosine in vectors.most_similar("word1", topn=10))
    found = vectors.relative_cosine_similarity("word1", "word2")
    assert found == pytest.approx(vectors.similarity("word1", "word2") / total)


@pytest.mark.parametrize(
    "ask",
    [
        lambda v: v.doesnt_match([]),
        lambda v: v.n_similarity([], ["word1"]),
        lambda v: v.most_similar_to_given("word1", []),
        lambda v: v.most_similar_cosmul([], ["word1"]),
        lambda v: v.get_mean_vector(["word1"], weights=[1, 2]),
        lambda v: v.most_similar_batch(["word1"], []),
        lambda v: v.get_mean_vector([]),
        lambda v: v.similar_by_vector("word1"),
        lambda v: v.relative_cosine_similarity("nothing", "word1"),
    ],
    ids=["odd one", "mean", "choice", "product", "weights", "batch", "no mean", "word", "zeros"],
)
def test_lists_that_are_empty_or_do_not_fit(vectors: WordVectors, ask: object) -> None:
    with pytest.raises(VectorsError):
        ask(vectors)  # type: ignore[operator]


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_question_that_is_not_finite_is_refused(odd: float) -> None:
    vectors = WordVectors(["a", "b"], [[1, 2], [3, 4]])
    query = np.array([odd, 1.0])
    for ask in (vectors.similar_by_vector, vectors.most_similar_cosmul, vectors.distances):
        with pytest.raises(VectorsError, match="not finite"):
            ask(query)


@pytest.mark.parametrize("topn", [-1, 2.5, "3"])
def test_topn_is_a_whole_number(topn: object) -> None:
    vectors = WordVectors(["a", "b"], [[1, 2], [3, 4]])
    for ask in (vectors.most_similar, vectors.most_similar_cosmul, vectors.most_similar_batch):
        with pytest.raises(VectorsError, match="topn="):
            ask(["a"], topn=topn)


def test_vectors_are_real_numbers_and_keys_are_words() -> None:
    for table in ([["x"]], [[1j]]):
        with pytest.raises(VectorsError, match="real numbers"):
            WordVectors(["a"], table)
    for key in (None, 1.5, slice(0, 1)):
        with pytest.raises(VectorsError, match="a key is a word"):
            WordVectors(["a"], [[1]])[key]
