"""Word vectors beside people's similarities and at analogies, against the formulas written out."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from chainrule.embed.evaluation import analogies, similarity
from chainrule.embed.evaluation_files import Section, WordPairs, read_analogies, read_pairs
from chainrule.embed.vector_errors import VectorsError
from chainrule.embed.vectors import WordVectors

WORDS = [f"w{place}" for place in range(40)] + ["Paris", "paris", "ROME", "zero"]


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    table = np.random.default_rng(0).normal(size=(len(WORDS), 6))
    table[-1] = 0
    return WordVectors(WORDS, table)


# ----- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "pairs", "scores"),
    [
        ("a\tb\t1.5\nc\td\t2\n", [("a", "b"), ("c", "d")], [1.5, 2]),
        ("a b 1.5\r\nc  d 2\r\n", [("a", "b"), ("c", "d")], [1.5, 2]),
        ("Word 1,Word 2,Human (mean),1,2\na,b,1.5,1,2\nc,d,2,2,2\n", [("a", "b"), ("c", "d")],
         [1.5, 2]),
        ("# comment\n\na;b;1.5\n\nc;d;2", [("a", "b"), ("c", "d")], [1.5, 2]),
        ("word1\tword2\tPOS\tSimLex999\tconc\nold\tnew\tA\t1.58\t2.7\nnew york\tb\tN\t2\t3\n",
         [("old", "new"), ("new york", "b")], [1.58, 2]),
        ("id,x,y,score\n1,a,b,3\n2,c,d,4\n", [("a", "b"), ("c", "d")], [3, 4]),
        ("3\ta\tb\n4\tc\td\n", [("a", "b"), ("c", "d")], [3, 4]),
        ("a b 1\nc d 2\n1984 1984 3\n", [("a", "b"), ("c", "d"), ("1984", "1984")], [1, 2, 3]),
        ("\ufeffa b 1\n", [("a", "b")], [1]),
    ],
    ids=["tabs", "spaces", "commas", "semicolons", "SimLex", "numbered", "score first",
         "a word of digits", "byte order mark"],
)  # fmt: skip
def test_similarity_files(
    tmp_path: Path, content: str, pairs: list[tuple[str, str]], scores: list[float]
) -> None:
    (tmp_path / "pairs.txt").write_bytes(content.encode())
    read = read_pairs(tmp_path / "pairs.txt")
    assert (read.name, list(read.pairs), read.scores.tolist()) == ("pairs.txt", pairs, scores)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no pairs"),
        (b"# only this\n", "holds no pairs"),
        (b"a b\n", r"line 1: expected two words and a number, not \['a', 'b'\]"),
        (b"1 2 3\n", "line 1: expected two words and a number"),
        (b"a b 1\nc 2\nd e 3\n", "line 2: expected words in the columns 1 and 2"),
        (b"x y z\na b c\nd e 3\nf g 4\n", "line 2: .* a number in column 3"),
        (b"a b nan\n", "line 1: expected two words and a number"),
        (b"a b 1\n\xff b 2\n", "line 2: this is not UTF-8"),
    ],
    ids=["empty", "comment", "no number", "no words", "short", "text", "nan", "bytes"],
)
def test_malformed_similarity_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "pairs.txt").write_bytes(content)
    with pytest.raises(VectorsError, match=message):
        read_pairs(tmp_path / "pairs.txt")


def test_analogy_files(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text("a b c d\n: empty\n: gram1-x y\n# no\ne f g h\n\ni j k l\n")
    first, second = read_analogies(path)
    assert (first.name, first.questions) == ("questions", [("a", "b", "c", "d")])
    assert (second.name, len(second.questions)) == ("gram1-x y", 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no questions"),
        (b": a\n", "holds no questions"),
        (b"a b c d\na b c\n", "line 2: a question has 4 words, but here are 3"),
        (b": a\na b c d e\n", "line 2: .* here are 5"),
        (b": a\n\n\xff b c d\n", "line 3: this is not UTF-8"),
    ],
    ids=["empty", "no questions", "short", "long", "bytes"],
)
def test_malformed_analogy_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "q.txt").write_bytes(content)
    with pytest.raises(VectorsError, match=message):
        read_analogies(tmp_path / "q.txt")


@pytest.mark.parametrize("read", [read_pairs, read_analogies])
@given(content=st.binary(max_size=80) | st.text(st.sampled_from("ab1.,;: \t\n#-"), max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, read: object, content: bytes | str
) -> None:
    path = tmp_path_factory.mktemp("any") / "file.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        found = read(path)  # type: ignore[operator]
    except VectorsError as error:
        assert str(path) in str(error)
    else:
        assert len(found.pairs if isinstance(found, WordPairs) else found) > 0


# ----- similarities -------------------------------------------------------------------------------


def some_pairs(count: int = 30) -> WordPairs:
    generator = np.random.default_rng(1)
    pairs = [tuple(f"w{i}" for i in generator.choice(40, 2, replace=False)) for _ in range(count)]
    return WordPairs("some", pairs, generator.integers(0, 10, count).astype(float))  # type: ignore[arg-type]


def test_correlations_are_scipys(vectors: WordVectors) -> None:
    pairs = some_pairs()
    result = similarity(vectors, pairs)
    cosines = [vectors.similarity(*pair) for pair in pairs.pairs]
    assert (result.pairs, result.used, result.unknown) == (30, 30, ())
    assert result.pearson.value == pytest.approx(pearsonr(cosines, pairs.scores)[0], abs=1e-6)
    assert result.spearman.value == pytest.approx(spearmanr(cosines, pairs.scores)[0], abs=1e-6)


def test_the_interval_is_that_of_resampled_pairs(vectors: WordVectors) -> None:
    pairs = some_pairs()
    cosines = np.array([vectors.similarity(*pair) for pair in pairs.pairs])
    generator = np.random.default_rng(5)
    drawn = [
        spearmanr(cosines[rows], pairs.scores[rows])[0]
        for rows in generator.integers(0, 30, (200, 30))
    ]
    result = similarity(vectors, pairs, resamples=200, seed=5)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (result.spearman.low, result.spearman.high) == pytest.approx((low, high), abs=1e-4)
    assert similarity(vectors, pairs, resamples=200, seed=5) == result
    assert similarity(vectors, pairs, resamples=200, seed=6) != result
    assert np.isnan(similarity(vectors, pairs, resamples=0).spearman.low)


def test_words_without_a_vector_are_left_out_and_named(vectors: WordVectors) -> None:
    known = some_pairs()
    pairs = WordPairs("x", [*known.pairs, ("w1", "sea"), ("sun", "sea")], [*known.scores, 1, 2])
    result = similarity(vectors, pairs)
    assert (result.pairs, result.used, result.unknown) == (32, 30, ("sea", "sun"))
    assert result.spearman == similarity(vectors, known).spearman


@pytest.mark.parametrize(
    ("options", "unknown"),
    [
        ({}, ()),
        ({"case_insensitive": False}, ("W1", "rome")),
        ({"restrict_vocab": 41}, ("rome",)),
    ],
    ids=["any case", "own case", "first words"],
)
def test_which_words_are_known(vectors: WordVectors, options: dict, unknown: tuple) -> None:
    pairs = WordPairs("x", [("W1", "w2"), ("paris", "Paris"), ("rome", "w3")], np.arange(3.0))
    assert similarity(vectors, pairs, **options).unknown == unknown


@pytest.mark.parametrize(
    "pairs",
    [
        WordPairs("x", [("sun", "sea")], np.ones(1)),
        WordPairs("x", [("w1", "w2")], np.ones(1)),
        WordPairs("x", [("w1", "w2"), ("w3", "w4")], np.full(2, 0.1)),
        WordPairs("x", [("w1", "zero"), ("w3", "zero")], np.arange(2.0)),
    ],
    ids=["unknown", "one", "equal scores", "equal cosines"],
)
def test_what_has_no_correlation(vectors: WordVectors, pairs: WordPairs) -> None:
    result = similarity(vectors, pairs)
    assert np.isnan([result.spearman.value, result.pearson.value, result.pearson.low]).all()


# ----- analogies ----------------------------------------------------------------------------------


def questions(count: int, seed: int = 2) -> list[tuple[str, str, str, str]]:
    generator = np.random.default_rng(seed)
    return [tuple(f"w{i}" for i in generator.choice(40, 4, replace=False)) for _ in range(count)]  # type: ignore[misc]


@pytest.mark.parametrize("method", ["add", "mul"])
def test_answers_are_those_of_most_similar(vectors: WordVectors, method: str) -> None:
    asked = questions(300)
    ask = vectors.most_similar if method == "add" else vectors.most_similar_cosmul
    answers = [ask([b, c], [a], topn=1)[0][0] for a, b, c, _ in asked]
    # Half of the questions are given the answer that is found.
    asked = [
        (a, b, c, answer if place % 2 else d)
        for place, ((a, b, c, d), answer) in enumerate(zip(asked, answers, strict=True))
    ]
    right = sum(answer == d for answer, (*_, d) in zip(answers, asked, strict=True))
    result, total = analogies(vectors, [Section("s", asked)], method=method, case_insensitive=False)
    assert right >= 150
    assert (result.right, result.asked, result.accuracy.value) == (right, 300, right / 300)
    assert (total.name, total.right) == ("total", right)
    assert result.accuracy.low < right / 300 < result.accuracy.high


def test_chunks_of_questions(vectors: WordVectors) -> None:
    sections = [Section(f"s{seed}", questions(700, seed)) for seed in range(3)]
    *parts, total = analogies(vectors, sections, resamples=0)
    alone = [analogies(vectors, [section], resamples=0)[0] for section in sections]
    assert [part.right for part in parts] == [part.right for part in alone]
    assert total.right == sum(part.right for part in parts)
    assert (total.questions, total.asked) == (2100, 2100)


ROYAL = WordVectors(
    ["man", "King", "woman", "Queen", "king", "KING", "zero", "Zero"],
    [[1, 0, 0], [1, 2, 0], [1, 0, 1], [1, 2, 1], [1, 2, 0.9], [0, 1, 0], [0, 0, 0], [0, 0, 0]],
)
QUESTION = ("man", "King", "woman", "Queen")


@pytest.mark.parametrize(
    ("question", "options", "asked", "right"),
    [
        (QUESTION, {}, 1, 1),
        (("MAN", "kinG", "Woman", "queen"), {}, 1, 1),
        (("MAN", "kinG", "Woman", "queen"), {"case_insensitive": False}, 0, 0),
        (QUESTION, {"restrict_vocab": 3}, 0, 0),
        (("man", "man", "zero", "Queen"), {}, 1, 0),
        (("man", "King", "woman", "zebra"), {}, 0, 0),
    ],
    ids=["plain", "any case", "own case", "first words", "zeros", "unknown"],
)
def test_which_questions_are_asked(
    question: tuple[str, str, str, str], options: dict, asked: int, right: int
) -> None:
    result, _ = analogies(ROYAL, [Section("s", [question])], **options)
    assert (result.asked, result.right) == (asked, right)
    assert np.isnan(result.accuracy.value) == (asked == 0)


def test_words_that_differ_by_case_do_not_answer() -> None:
    # "king" is nearest to the sum, but is the word of the question in another case.
    asked = Section("s", [("woman", "man", "King", "king")])
    table = [[1, 0, 0], [1, 2, 0], [1, 0, 0.1], [1, 2, 1], [1, 2, 0.01], [0, 1, 0]]
    near = WordVectors(ROYAL.words[:6], table)
    assert analogies(near, [asked], case_insensitive=False)[0].right == 1
    assert analogies(near, [Section("s", [("woman", "man", "King", "Queen")])])[0].right == 1


def test_sums_of_googles_sections() -> None:
    sections = [
        Section("family", [QUESTION, ("man", "King", "woman", "man")]),
        Section("gram1-x", [QUESTION]),
        Section("gram2-y", [("a", "b", "c", "d")]),
    ]
    results = {each.name: each for each in analogies(ROYAL, sections)}
    assert list(results)[3:] == ["semantic", "syntactic", "total"]
    counts = {name: (r.right, r.asked, r.questions) for name, r in results.items()}
    assert counts["semantic"] == (1, 2, 2)
    assert counts["syntactic"] == (1, 1, 2)
    assert counts["total"] == (2, 3, 4)


def test_methods_that_there_are_not(vectors: WordVectors) -> None:
    with pytest.raises(VectorsError, match="method='max' is not one of add, mul"):
        analogies(vectors, [Section("s", questions(1))], method="max")
