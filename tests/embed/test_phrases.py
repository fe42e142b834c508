"""Phrases: the score of word2phrase, joined from left to right, in several passes."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.embed import joining, store
from chainrule.embed.corpus import Corpus
from chainrule.embed.phrases import Phrases, PhrasesError
from chainrule.embed.sources import SourceError
from chainrule.embed.store import StoreError
from chainrule.embed.vocabulary import VocabularyError

Lines = list[list[str]]
WORDS = "abcd"

lines = st.lists(st.lists(st.sampled_from([*WORDS, "a_b"]), max_size=12), max_size=12)


def corpus(text: Lines) -> Corpus:
    return Corpus(text, progress=False)


def rule_of(text: Lines, delta: float, threshold: float) -> dict[tuple[str, str], float]:
    """The definition, word by word."""
    words = Counter(word for line in text for word in line)
    pairs = Counter(pair for line in text for pair in pairwise(line))
    total = words.total()
    scores = {(a, b): (n - delta) / (words[a] * words[b]) * total for (a, b), n in pairs.items()}
    return {pair: score for pair, score in scores.items() if score > threshold}


def joined(line: list[str], rule: dict[tuple[str, str], float]) -> list[str]:
    found: list[str] = []
    whole = True  # whether the last word may become the first of a phrase
    for word in line:
        if found and whole and (found[-1], word) in rule:
            found[-1] += "_" + word
            whole = False
        else:
            found.append(word)
            whole = True
    return found


@given(text=lines, delta=st.integers(0, 2), threshold=st.sampled_from([0.3, 1.0, 2.0]),
       block=st.sampled_from([1, 2, 3, 7, 1000]))  # fmt: skip
@settings(deadline=None)
def test_two_passes_are_what_the_definition_says(
    text: Lines, delta: int, threshold: float, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "BLOCK", block)
        patch.setattr(joining, "BLOCK", block)
        source = corpus(text)
        phrases = Phrases(source, delta=delta, threshold=threshold, passes=2)
        found = phrases.join(source)
        current = text
        for rule in phrases.rules:
            expected = rule_of(current, delta, threshold)
            assert rule == pytest.approx(expected)
            current = [joined(line, rule) for line in current]
        assert list(found) == current
        assert [phrases[line] for line in text] == current
        # Its words are counted and numbered as those of a corpus that is read.
        again = corpus(current)
        assert found.total == again.total
        assert found.vocabulary(1).words == again.vocabulary(1).words
        assert found.vocabulary(1).counts.tolist() == again.vocabulary(1).counts.tolist()
        assert list(source) == text


# "new york" is frequent; "city" comes after it, and after nothing else.
TEXT = [["in", "new", "york", "city"], ["a", "new", "york"], ["in", "a", "town"]] * 9


def test_longer_phrases_need_another_pass() -> None:
    source = corpus(TEXT)
    once, twice = (Phrases(source, delta=5, threshold=numbers) for numbers in ([2], [2, 1.5]))
    assert next(iter(once.join(source))) == ["in", "new_york", "city"]
    assert next(iter(twice.join(source))) == ["in", "new_york_city"]
    assert twice.rules[0] == once.rules[0]


def test_scores_are_sorted_and_named() -> None:
    scores = Phrases(corpus(TEXT), delta=5, threshold=0.5, delimiter="+").scores
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    # 18 times together, 18 times each, among 90 words.
    assert scores["new+york"] == pytest.approx((18 - 5) / (18 * 18) * 90)


def test_words_that_a_text_does_not_have() -> None:
    phrases = Phrases(corpus(TEXT), delta=5, threshold=0.5)
    other = corpus([["new", "york"], ["sea"], []])
    assert list(phrases.join(other)) == [["new_york"], ["sea"], []]
    empty = corpus([])
    assert list(phrases.join(empty)) == [] and Phrases(empty).rules == [{}]


def test_lists_of_words_are_a_corpus_and_names_of_files_are_not() -> None:
    phrases = Phrases(TEXT, delta=5, threshold=[2, 1.5], progress=False)
    assert phrases.rules == Phrases(corpus(TEXT), delta=5, threshold=[2, 1.5]).rules
    assert list(phrases.join(TEXT)) == list(phrases.join(corpus(TEXT)))
    with pytest.raises(SourceError, match="a generator, which is empty after one reading"):
        Phrases(line for line in TEXT)  # type: ignore[arg-type]
    for name in ("news.txt", Path("news.txt")):
        with pytest.raises(PhrasesError, match=r"for a file give Corpus\('news.txt'\)"):
            Phrases(name)  # type: ignore[arg-type]
        with pytest.raises(PhrasesError, match=r"for a file give Corpus\('news.txt'\)"):
            phrases.join(name)  # type: ignore[arg-type]


def test_a_sentence_that_is_a_string_is_not_a_list_of_letters() -> None:
    phrases = Phrases([["new", "york"]] * 9, delta=0, threshold=1e-9, progress=False)
    with pytest.raises(VocabularyError, match="not a list of words"):
        phrases["new york"]


def test_a_closed_corpus_of_phrases_is_not_an_empty_one() -> None:
    with Phrases(corpus(TEXT), delta=5, threshold=2).join(corpus(TEXT)) as found:
        assert found.total > 0
    with pytest.raises(StoreError, match="join them again"):
        len(found)


def test_saved_and_loaded(tmp_path: Path) -> None:
    phrases = Phrases(corpus(TEXT), delta=5, threshold=0.5, passes=2, delimiter="~")
    phrases.save(tmp_path / "phrases.json")
    again = Phrases.load(tmp_path / "phrases.json")
    assert again.rules == phrases.rules and again.delimiter == "~"
    assert again[TEXT[0]] == phrases[TEXT[0]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": "other"}',
        '{"format": "chainrule phrases 1", "delimiter": "_"}',
        '{"format": "chainrule phrases 1", "delimiter": 3, "passes": []}',
        '{"format": "chainrule phrases 1", "delimiter": "_", "passes": [[["a", "b"]]]}',
        '{"format": "chainrule phrases 1", "delimiter": "_", "passes": [[["a", 2, 3]]]}',
        '{"format": "chainrule phrases 1", "delimiter": "_", "passes": [[["a", "b", "x"]]]}',
        "[" * 100_000,
    ],
    ids=range(9),
)
def test_files_that_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "phrases.json").write_text(text)
    with pytest.raises(PhrasesError, match=r"phrases\.json holds no phrases"):
        Phrases.load(tmp_path / "phrases.json")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(PhrasesError, match=r"none\.json: there is no such file"):
        Phrases.load(tmp_path / "none.json")
    with pytest.raises(PhrasesError, match="is a directory"):
        Phrases.load(tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"threshold": 0}, {"threshold": [1, -1]}, {"delta": -1}, {"threshold": [1, 2], "passes": 3}],
    ids=str,
)
def test_settings_that_cannot_be(options: dict) -> None:
    with pytest.raises(PhrasesError):
        Phrases(corpus(TEXT), **options)
