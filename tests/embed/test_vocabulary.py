"""Vocabularies: limited, merged, updated, as one-hot rows, saved and loaded."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.embed.corpus import Corpus
from chainrule.embed.vocabulary import Vocabulary, VocabularyError, ranked

WORDS = Vocabulary(["c", "a", "d", "b"], [2, 5, 2, 3], raw_total=20)


def content(vocabulary: Vocabulary) -> tuple[list[str], list[int], int]:
    return vocabulary.words, vocabulary.counts.tolist(), vocabulary.raw_total


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["a", "b", "c", "d"]),
        ({"min_count": 3}, ["a", "b"]),
        ({"max_size": 3}, ["a", "b", "c"]),
        ({"min_count": 3, "max_size": 1}, ["a"]),
        ({"max_size": 0}, []),
    ],
)
def test_limits(options: dict, words: list[str]) -> None:
    limited = WORDS.limited(**options)
    assert limited.words == words
    assert limited.raw_total == 20
    lists = [[w] * n for w, n in (("c", 2), ("a", 5), ("d", 2), ("b", 3))]
    assert Vocabulary.of(lists, **{"min_count": 1, **options}).words == words


@pytest.mark.parametrize("size", [-1, 2.5])
def test_sizes_that_cannot_be(size: int) -> None:
    text = [["a", "b"]]
    for choose in (
        WORDS.limited,
        lambda **options: Vocabulary.of(text, **options),
        Corpus(text, progress=False).vocabulary,
    ):
        with pytest.raises(VocabularyError, match=f"max_size={size} must be a whole number"):
            choose(max_size=size)


def test_an_empty_word_is_refused_where_it_is_counted() -> None:
    with pytest.raises(VocabularyError, match=r"sentence 1: a word is empty, .* leave empty words"):
        Vocabulary.of([["a"], ["b", "", "c"]])


@given(
    counts=st.lists(st.integers(0, 6)), least=st.integers(-1, 7), size=st.none() | st.integers(0)
)
def test_ranked(counts: list[int], least: int, size: int | None) -> None:
    expected = sorted(range(len(counts)), key=lambda i: -counts[i])
    expected = [i for i in expected if counts[i] >= max(least, 1)][:size]
    assert ranked(np.array(counts, np.int64), least, size).tolist() == expected


def test_merged() -> None:
    merged = WORDS.merge(Vocabulary(["e", "b"], [4, 3], raw_total=10))
    assert content(merged) == (["b", "a", "e", "c", "d"], [6, 5, 4, 2, 2], 30)
    assert content(WORDS)[0] == ["a", "b", "c", "d"]


def test_updated_with_a_text() -> None:
    text = [["d", "d", "new", "rare"], ["new", "d"]]
    updated = WORDS.update(text, min_count=2)
    assert content(updated) == (["a", "d", "b", "c", "new"], [5, 5, 3, 2, 2], 26)
    assert content(WORDS.update(Corpus(text, progress=False), min_count=2)) == content(updated)


def test_one_hot_rows() -> None:
    rows = WORDS.one_hot(["b", "a"])
    assert rows.shape == (2, 4) and rows.nnz == 2
    np.testing.assert_array_equal(rows.toarray(), np.eye(4)[[1, 0]])
    assert WORDS.one_hot([]).shape == (0, 4)
    with pytest.raises(VocabularyError, match="'z' is not in the vocabulary of 4 words"):
        WORDS.one_hot(["a", "z"])
    with pytest.raises(VocabularyError, match=r"one string, 'moon'; give a list, as in \['moon'\]"):
        WORDS.one_hot("moon")


def test_unknown_words_name_the_nearest() -> None:
    with pytest.raises(VocabularyError, match="did you mean 'gradient'"):
        Vocabulary(["gradient", "sea"], [1, 1]).place("gradeint")
    assert WORDS.place("b") == 1


def test_thinning_keeps_rare_words_and_drops_frequent_ones() -> None:
    counts = [10_000, 1000, 10]
    kept = Vocabulary(["a", "b", "c"], counts).keep_probabilities(1e-2)
    share = 1e-2 * sum(counts) / np.array(counts)
    np.testing.assert_allclose(kept, np.minimum(np.sqrt(share) + share, 1), rtol=1e-6)
    assert Vocabulary(["a"], [9]).keep_probabilities(0).tolist() == [1.0]
    for sample in (-1, float("nan"), float("inf")):
        with pytest.raises(
            VocabularyError, match=f"sample={sample} must be a number of at least 0"
        ):
            WORDS.keep_probabilities(sample)


@given(words=st.dictionaries(st.text(), st.integers(0, 2**62 // 100), max_size=50))
def test_saved_and_loaded(words: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    words = {w: n for w, n in words.items() if w.isprintable() or "\ud800" not in w}
    path = tmp_path_factory.mktemp("vocabulary") / "words.json"
    first = Vocabulary(list(words), list(words.values()), raw_total=2**62)
    first.save(path)
    assert content(Vocabulary.load(path)) == content(first)


def test_lines_of_words_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"the 10\r\nNew York 3\n</s> 12\n")
    assert content(Vocabulary.load(path)) == (["</s>", "the", "New York"], [12, 10, 3], 25)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"the 10\nmoon\n", "line 2: 'moon' is not a word and a count"),
        (b"the 10\nmoon -3\n", "line 2"),
        (b"a 1\na 2\n", "the word 'a' stands twice"),
        (b"a 99999999999999999999\n", "beyond"),
        (b"\xff 1\n", "not UTF-8"),
        (b"", "line 1: '' is not"),
        (b'{"format": "chainrule vocabulary 9"}', "its format is 'chainrule vocabulary 9'"),
        (b'{"format": "chainrule vocabulary 1"', "is damaged"),
        (b'{"format": "chainrule vocabulary 1", "words": ["a"]}', "counts"),
        (b'{"format": "chainrule vocabulary 1", "words": [3], "counts": [1]}', "are not text"),
        (b'{"format": "chainrule vocabulary 1", "words": ["a"], "counts": [-1]}', "are not text"),
        (b'{"format": "chainrule vocabulary 1", "words": ["a"], "counts": [1e99]}', "damaged"),
        (b'{"format": "chainrule vocabulary 1", "words": 3, "counts": [1]}', "is damaged"),
    ],
)
def test_files_that_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.load(path)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"none\.json: there is no such file"):
        Vocabulary.load(tmp_path / "none.json")
    with pytest.raises(VocabularyError, match="is a directory"):
        Vocabulary.load(tmp_path)


@given(data=st.binary() | st.text().map(lambda s: f'{{"format": "chainrule{s}'.encode()))
def test_any_file_is_read_or_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("vocabulary") / "words"
    path.write_bytes(data)
    try:
        Vocabulary.load(path)
    except VocabularyError as error:
        assert str(path) in str(error)


def test_saving_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    WORDS.save(path)
    with pytest.raises(UnicodeEncodeError):
        Vocabulary(["\ud800"], [1]).save(path)
    assert content(Vocabulary.load(path)) == content(WORDS)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("counts", [[-1], [1.5], [float("nan")], [True]])
def test_counts_are_whole_numbers(counts: list[float]) -> None:
    with pytest.raises(VocabularyError, match="whole numbers"):
        Vocabulary(["a"], counts)


def test_items_that_are_no_text_are_named() -> None:
    with pytest.raises(VocabularyError, match=r"^7, a int, is not a word: give items as text"):
        Vocabulary.of([["red", 7]])  # type: ignore[list-item]
