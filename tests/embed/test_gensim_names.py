"""The methods for programs written for gensim, also beside gensim where that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr, spearmanr

from chainrule.embed.mover import mover_distance
from chainrule.embed.vector_errors import UnknownWordError, VectorsError
from chainrule.embed.vectors import WordVectors
from chainrule.embed.word2vec import Word2Vec

WORDS = [f"word{place}" for place in range(50)]
COUNTS = np.arange(50, 0, -1) ** 2


def table() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(50, 6)).astype(np.float32)


def vectors() -> WordVectors:
    return WordVectors(WORDS, table(), COUNTS)


def pairs_file(folder: Path) -> Path:
    """Thirty pairs, two of them with an unknown word."""
    generator = np.random.default_rng(7)
    lines = ["# two words and a number"]
    for one, other in generator.integers(0, 52, (30, 2)):
        lines.append(f"word{one}\tword{other}\t{generator.random():.3f}")
    lines += ["word1\tsea\t0.5"]
    path = folder / "pairs.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def questions_file(folder: Path) -> Path:
    """Two sections; the fourth word is the answer in about half of the questions."""
    generator = np.random.default_rng(8)
    v, lines = vectors(), []
    for section in ("first", "gram-second"):
        lines.append(f": {section}")
        for number in range(20):
            a, b, c = (WORDS[place] for place in generator.choice(50, 3, replace=False))
            answer = v.most_similar([b, c], [a], topn=1)[0][0]
            lines.append(f"{a} {b} {c} {answer if number % 2 else WORDS[generator.integers(50)]}")
        lines.append("word1 word2 word3 sea")
    path = folder / "questions.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# ----- files -----


@pytest.mark.parametrize(
    ("writing", "reading"),
    [
        ({}, {}),
        ({"binary": True}, {"binary": True}),
        ({"write_header": False}, {"no_header": True}),
    ],
)
def test_files_come_back(tmp_path: Path, writing: dict, reading: dict) -> None:
    path, counts = tmp_path / "v", tmp_path / "v.vocab"
    vectors().save_word2vec_format(path, fvocab=counts, **writing)
    assert counts.read_text().startswith("word0 2500\nword1 2401\n")
    again = WordVectors.load_word2vec_format(path, fvocab=counts, limit=40, **reading)
    assert again.words == WORDS[:40]
    np.testing.assert_array_equal(again.vectors, table()[:40])
    np.testing.assert_array_equal(again.counts, COUNTS[:40])
    assert WordVectors.load_word2vec_format(path, **reading).counts is None


def test_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    path, counts = tmp_path / "v", tmp_path / "v.vocab"
    with pytest.raises(VectorsError, match="no counts"):
        WordVectors(WORDS, table()).save_word2vec_format(path, fvocab=counts)
    assert not list(tmp_path.iterdir())
    with pytest.raises(VectorsError, match="header"):
        vectors().save_word2vec_format(path, binary=True, write_header=False)
    vectors().save_word2vec_format(path)
    for options in ({"encoding": "latin1"}, {"encoding": "nonsense"}):
        with pytest.raises(VectorsError, match="UTF-8"):
            WordVectors.load_word2vec_format(path, **options)
    counts.write_text("word0 3\n")
    with pytest.raises(VectorsError, match=r"v.vocab has no count of 'word1', a word of .*v$"):
        WordVectors.load_word2vec_format(path, fvocab=counts)
    path.write_bytes(b"1 2\n\xff 1 2\n")
    with pytest.raises(VectorsError, match="not UTF-8"):
        WordVectors.load_word2vec_format(path)
    ignoring = WordVectors.load_word2vec_format(path, unicode_errors="replace")
    assert ignoring.words == ["\ufffd"]


# ----- adding -----


def test_words_are_added_behind_the_others() -> None:
    v = vectors()
    assert v.most_similar(np.ones(6, np.float32), topn=1)[0][1] < 0.99
    v.add_vectors(["sea", "word3"], [np.ones(6), np.zeros(6)], extras={"count": [7, 9]})
    assert (v.words[-2:], len(v), v.get_index("sea")) == (["word49", "sea"], 51, 50)
    np.testing.assert_array_equal(v["word3"], table()[3])
    assert v.most_similar(np.ones(6, np.float32), topn=1)[0][0] == "sea"
    assert [v.get_vecattr(word, "count") for word in ("word0", "word3", "sea")] == [2500, 2209, 7]
    v.add_vectors(["sea", "word3"], np.eye(2, 6), replace=True)
    np.testing.assert_array_equal(v[["word3", "sea"]], np.eye(2, 6)[::-1])
    assert v.get_vecattr("sea", "count") == 7
    assert v.add_vector("moon", np.arange(6)) == 51
    assert v.add_vector("sea", np.arange(6)) == 50
    assert v.get_vecattr("moon", "count") == 0
    np.testing.assert_allclose(v.similarity("moon", "sea"), 1, atol=1e-6)


def test_an_empty_table_is_filled() -> None:
    v = WordVectors([], np.zeros((0, 3)))
    v.add_vectors("sea", [[1, 2, 3]])
    assert (v.words, v["sea"].tolist(), v.counts) == (["sea"], [1, 2, 3], None)
    v.add_vectors(["moon"], [[3, 2, 1]], extras={"count": [5]})
    assert v.counts is not None and v.counts.tolist() == [0, 5]


def test_a_model_and_a_file_stay_as_they_are(tmp_path: Path) -> None:
    model = Word2Vec([["red", "green"]] * 30, vector_size=4, sample=0, progress=False)
    before, v = model.table().copy(), model.vectors
    v.add_vectors(["blue", "red"], np.ones((2, 4)), replace=True)
    v.unit_normalize_all()
    assert model.vocabulary.words == ["red", "green"] and "blue" not in model.vectors
    np.testing.assert_array_equal(model.table(), before)
    vectors().save(tmp_path / "v.npy")
    content = (tmp_path / "v.npy").read_bytes()
    mapped = WordVectors.load(tmp_path / "v.npy")
    mapped.add_vector("word0", np.ones(6))
    assert mapped["word0"].tolist() == [1] * 6
    assert (tmp_path / "v.npy").read_bytes() == content


@pytest.mark.parametrize(
    ("keys", "weights", "options", "message"),
    [
        (["a", "b"], np.ones((2, 5)), {}, r"2 words need vectors of shape \(2, 6\), not \(2, 5\)"),
        (["a"], np.ones((2, 6)), {}, r"1 words need vectors of shape \(1, 6\), not \(2, 6\)"),
        (["a"], [["x"] * 6], {}, "a vector is an array of numbers"),
        (["a", "b"], np.diag([1, np.nan, 0, 0, 0, 0])[:2], {}, "the vector of 'b' holds a number"),
        (["a", "a"], np.ones((2, 6)), {}, "the word 'a' is given twice"),
        ([3], np.ones((1, 6)), {}, "a word is text, not 3"),
        (["a"], np.ones((1, 6)), {"extras": {"colour": [1]}}, "no 'colour', only 'count'"),
        (["a"], np.ones((1, 6)), {"extras": {"count": [1, 2]}}, r"counts of shape \(2,\)"),
    ],
)
def test_what_cannot_be_added(keys: list, weights: Any, options: dict, message: str) -> None:
    v = vectors()
    with pytest.raises(VectorsError, match=message):
        v.add_vectors(keys, weights, **options)
    assert v.words == WORDS


def test_words_are_put_in_the_order_of_their_counts() -> None:
    v = WordVectors(WORDS, table(), COUNTS[::-1])
    v.sort_by_descending_frequency()
    assert (v.words[:2], v.get_index("word49")) == (["word49", "word48"], 0)
    np.testing.assert_array_equal(v.vectors, table()[::-1])
    assert v.get_vecattr("word49", "count") == COUNTS[0]
    with pytest.raises(VectorsError, match="no counts"):
        WordVectors(WORDS, table()).sort_by_descending_frequency()


def test_attributes_lengths_and_a_choice_of_words() -> None:
    v = vectors()
    with pytest.raises(VectorsError, match="no 'colour', only 'count'"):
        v.get_vecattr("word1", "colour")
    with pytest.raises(VectorsError, match="no counts"):
        WordVectors(WORDS, table()).get_vecattr("word1", "count")
    with pytest.raises(UnknownWordError, match="did you mean"):
        v.get_vecattr("wrd1", "count")
    np.testing.assert_array_equal(v.word_vec("word1"), v["word1"])
    some = v.vectors_for_all(["word9", "sea", "word2", "word9"])
    assert (some.words, some.get_vecattr("word2", "count")) == (["word9", "word2"], 48**2)
    np.testing.assert_array_equal(some.vectors, table()[[9, 2]])
    assert v.words_closer_than("word1", "word2") == v.closer_than("word1", "word2")
    nearest = v.most_similar("word1")
    v.unit_normalize_all()
    np.testing.assert_allclose(np.linalg.norm(v.vectors, axis=1), 1, atol=1e-6)
    assert [word for word, _ in v.most_similar("word1")] == [word for word, _ in nearest]


# ----- texts and evaluation -----


@pytest.mark.parametrize("norm", [True, False])
def test_words_that_move_one_by_one_are_an_assignment(norm: bool) -> None:
    v = vectors()
    one, other = WORDS[:20], WORDS[15:35]
    rows = v.get_normed_vectors() if norm else v.vectors
    x, y = rows[:20].astype(float), rows[15:35].astype(float)
    costs = cdist(x, y)
    expected = costs[linear_sum_assignment(costs)].mean()
    assert v.wmdistance([*one, "sea"], other, norm) == pytest.approx(expected, abs=1e-6)
    assert v.wmdistance(other, one, norm) == pytest.approx(expected, abs=1e-6)


def test_weights_of_words_count() -> None:
    v = vectors()
    far = float(np.linalg.norm(v["word0"] - v["word1"]))
    text = ["word0", "word0", "word0", "word1"]
    assert v.wmdistance(text, ["word0"], norm=False) == pytest.approx(far / 4, rel=1e-5)
    assert v.wmdistance(["sea"], ["word0"]) == v.wmdistance([], ["word0"]) == float("inf")
    weights, costs = np.array([1, 2, 3]), np.array([[0.0, 2], [1, 5], [3, 0]])
    # The second heap takes a half each: 1 + 2 go to the first, all of 3 to the second.
    assert mover_distance(weights, np.array([5, 5]), costs) == pytest.approx(2 / 6)


def test_pairs(tmp_path: Path) -> None:
    v, path = vectors(), pairs_file(tmp_path)
    pearson, spearman, unknown = v.evaluate_word_pairs(path)
    lines = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    known = [(a, b, float(score)) for a, b, score in lines if a in v and b in v]
    cosines = [v.similarity(a, b) for a, b, _ in known]
    scores = [score for *_, score in known]
    assert pearson.statistic == pytest.approx(pearsonr(scores, cosines).statistic, abs=1e-5)
    assert spearman.statistic == pytest.approx(spearmanr(scores, cosines).statistic)
    assert unknown == pytest.approx(100 * (1 - len(known) / len(lines)))
    few = v.evaluate_word_pairs(path, restrict_vocab=30)
    assert few[2] > unknown
    dummy = v.evaluate_word_pairs(path, dummy4unknown=True)
    filled = [v.similarity(a, b) if a in v and b in v else 0 for a, b, _ in lines]
    expected = pearsonr([float(score) for *_, score in lines], filled)
    assert dummy[0].statistic == pytest.approx(expected.statistic, abs=1e-5)
    path.write_text("sea\tmoon\t3\n")
    with pytest.raises(VectorsError, match=r"pairs.tsv: .* needs two pairs .* there are 0"):
        v.evaluate_word_pairs(path)


@pytest.mark.parametrize("similarity_function", ["most_similar", "most_similar_cosmul"])
def test_analogies(tmp_path: Path, similarity_function: str) -> None:
    v, path = vectors(), questions_file(tmp_path)
    share, sections = v.evaluate_word_analogies(path, similarity_function=similarity_function)
    names = [section["section"] for section in sections]
    assert names == ["first", "gram-second", "Total accuracy"]
    for section in sections:
        for kind in ("correct", "incorrect"):
            for a, b, c, d in section[kind]:
                ask = getattr(v, similarity_function)
                assert (ask([b, c], [a], topn=1)[0][0] == d) == (kind == "correct")
    total = sections[-1]
    assert (len(total["correct"]), len(total["incorrect"])) == (
        sum(len(section["correct"]) for section in sections[:2]),
        40 - len(total["correct"]),
    )
    assert share == len(total["correct"]) / 40
    strict, _ = v.evaluate_word_analogies(
        path, dummy4unknown=True, similarity_function=similarity_function
    )
    assert strict == len(total["correct"]) / 42
    with pytest.raises(VectorsError, match="most_similar, most_similar_cosmul"):
        v.evaluate_word_analogies(path, similarity_function="nearest")


# ----- beside gensim -----


@pytest.fixture
def theirs() -> Any:
    keyed = pytest.importorskip("gensim.models").KeyedVectors(6)
    keyed.add_vectors(WORDS, table())
    for word, count in zip(WORDS, COUNTS.tolist(), strict=True):
        keyed.set_vecattr(word, "count", count)
    return keyed


@pytest.mark.parametrize(
    "ask",
    [
        lambda v: v.most_similar("word3"),
        lambda v: v.most_similar(["word3", "word5"], ["word8"], topn=4, restrict_vocab=30),
        lambda v: v.most_similar([("word3", 0.3), ("word5", -2.0)], clip_start=5, clip_end=40),
        lambda v: v.most_similar_cosmul(["word3", "word5"], ["word8"], topn=4),
        lambda v: v.similar_by_word("word7", 3),
        lambda v: v.similar_by_key("word7", 3),
        lambda v: v.similar_by_vector(table()[2] + 1, 3),
        lambda v: v.similarity("word1", "word2"),
        lambda v: v.distance("word1", "word2"),
        lambda v: v.distances("word1", ["word2", "word9"]),
        lambda v: v.distances("word1"),
        lambda v: v.n_similarity(["word1", "word2"], ["word3", "word4", "word5"]),
        lambda v: v.rank("word1", "word2"),
        lambda v: v.closer_than("word1", "word2"),
        lambda v: v.doesnt_match(WORDS[:9]),
        lambda v: v.rank_by_centrality(WORDS[:9]),
        lambda v: v.most_similar_to_given("word1", ["word2", "word3", "word4"]),
        lambda v: v.relative_cosine_similarity("word1", v.most_similar("word1")[0][0]),
        lambda v: v.get_mean_vector(["word1", "sea", "word2"], weights=[1, 5, -2]),
        lambda v: v.get_mean_vector(["word1", "word2"], pre_normalize=False, post_normalize=True),
        lambda v: v.get_vector("word1", norm=True),
        lambda v: (v.sort_by_descending_frequency(), v.index_to_key),
        lambda v: v.get_normed_vectors(),
        lambda v: v.get_vecattr("word3", "count"),
        lambda v: v.get_index("sea", default=-1),
        lambda v: v.vectors_for_all(["word9", "sea", "word2", "word9"]).index_to_key,
        lambda v: v.cosine_similarities(table()[1], table()[2:5]),
        lambda v: (v.add_vectors(["sea", "word1"], np.eye(2, 6)), v["sea"], v["word1"]),
        lambda v: (v.add_vectors(["sea", "word1"], np.eye(2, 6), replace=True), v["word1"]),
        lambda v: (v.add_vector("sea", np.ones(6)), v.most_similar("sea", topn=3)),
        lambda v: (v.unit_normalize_all(), v.vectors),
    ],
)
def test_answers_are_gensims(ask: Any, theirs: Any) -> None:
    def same(ours: Any, other: Any) -> None:
        if isinstance(ours, list | tuple):
            assert len(ours) == len(other)
            for one, another in zip(ours, other, strict=True):
                same(one, another)
        elif isinstance(ours, str) or ours is None:
            assert ours == other
        else:
            np.testing.assert_allclose(ours, other, atol=2e-5)

    same(ask(vectors()), ask(theirs))


@pytest.mark.parametrize("dummy4unknown", [False, True])
@pytest.mark.parametrize("restrict_vocab", [300_000, 40])
def test_evaluations_are_gensims(
    dummy4unknown: bool, restrict_vocab: int, theirs: Any, tmp_path: Path
) -> None:
    options = {"dummy4unknown": dummy4unknown, "restrict_vocab": restrict_vocab}
    pairs, questions = pairs_file(tmp_path), questions_file(tmp_path)
    ours, other = (v.evaluate_word_pairs(pairs, **options) for v in (vectors(), theirs))
    for one, another in zip(ours, other, strict=True):
        np.testing.assert_allclose(np.array(one), np.array(another), atol=1e-5)
    ours, other = (v.evaluate_word_analogies(questions, **options) for v in (vectors(), theirs))
    assert ours[0] == pytest.approx(other[0])
    for one, another in zip(ours[1], other[1], strict=True):
        assert one["section"] == another["section"]
        for kind in ("correct", "incorrect"):
            upper = [tuple(word.upper() for word in each) for each in one[kind]]
            assert upper == another[kind]


@pytest.mark.parametrize("binary", [False, True])
def test_files_are_exchanged_with_gensim(binary: bool, theirs: Any, tmp_path: Path) -> None:
    path, counts = str(tmp_path / "v"), str(tmp_path / "v.vocab")
    theirs.save_word2vec_format(path, fvocab=counts, binary=binary)
    read = WordVectors.load_word2vec_format(path, fvocab=counts, binary=binary)
    assert read.words == WORDS and read.counts is not None
    np.testing.assert_allclose(read.vectors, table(), atol=1e-6)
    np.testing.assert_array_equal(read.counts, COUNTS)
    vectors().save_word2vec_format(path, fvocab=counts, binary=binary)
    back = type(theirs).load_word2vec_format(path, fvocab=counts, binary=binary)
    assert back.index_to_key == WORDS
    np.testing.assert_allclose(back.vectors, table(), atol=1e-6)
    assert back.get_vecattr("word3", "count") == COUNTS[3]
