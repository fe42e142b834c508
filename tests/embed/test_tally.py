"""Counting words: the native table and the plain one give what Python's own functions say."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.embed.tally import NativeTally, PlainTally, Tally, renumbered, restored
from chainrule.embed.unicode_words import TokenError, UnicodeWords
from chainrule.run import native

TABLES = [
    pytest.param(PlainTally, id="plain"),
    pytest.param(
        NativeTally,
        id="native",
        marks=pytest.mark.skipif(not native.available(), reason="the native core is not built"),
    ),
]
every_table = pytest.mark.parametrize("kind", TABLES)

# Bytes with much white space, all kinds of it, and few different words.
texts = st.lists(
    st.sampled_from([b"a", b"b", b"abcdefgh", b"abcdefghi", b"\0", b"\xc3\xa9", b"\xff", b"\x1c"])
    | st.sampled_from([b" ", b"\t", b"\n", b"\r\n", b"\v", b"\f", b"\n\n"])
    | st.binary(max_size=30)
).map(b"".join)


def lines_of(table: Tally, ids: np.ndarray, ends: np.ndarray) -> list[list[str]]:
    words = table.words(ids)
    return [words[a:b] for a, b in zip([0, *ends], [*ends, len(ids)], strict=True)]


@every_table
@given(data=texts)
def test_words_are_those_of_bytes_split(kind: type, data: bytes) -> None:
    table = kind()
    ids, ends = table.read(data)
    lines = [line.split() for line in data.split(b"\n")]
    assert len(ends) == len(lines) - 1
    assert ends.tolist() == np.cumsum([len(line) for line in lines])[:-1].tolist()
    words = [word for line in lines for word in line]
    text, word_ends = table.dump()
    known = [text[a:b] for a, b in zip([0, *word_ends], word_ends, strict=False)]
    assert [known[i] for i in ids] == words
    # Numbers in the order of first appearance, and counts.
    assert known == list(dict.fromkeys(words))
    assert dict(zip(known, table.counts().tolist(), strict=True)) == Counter(words)


@every_table
@given(parts=st.lists(texts, max_size=4))
def test_counts_add_up_over_pieces(kind: type, parts: list[bytes]) -> None:
    table = kind()
    read = [table.read(part + b" ")[0] for part in parts]
    words = [word for part in parts for word in part.split()]
    assert [len(ids) for ids in read] == [len(part.split()) for part in parts]
    assert table.counts().tolist() == list(Counter(words).values())


@every_table
@pytest.mark.parametrize("gap", [b" ", b"\n", b"\t\n \n", b" " * 70])
def test_words_begin_and_end_anywhere(kind: type, gap: bytes) -> None:
    # White space is looked for in 64 bytes at a time: words and gaps of all sizes lie across.
    for size in (*range(1, 20), 63, 64, 65, 130):
        for before in range(66):
            data = b"x" * before + gap + b"y" * size + gap + b"z"
            for text in (data, data[:-1], data[: -1 - len(gap)]):
                table = kind()
                ids, ends = table.read(text)
                lines = [[word.decode() for word in line.split()] for line in text.split(b"\n")]
                assert lines_of(table, ids, ends) == lines


alphabet = st.sampled_from("ab'’-\u2010 \n.7٣é\u0301ßΣςनमस्ते中文🌙İ½_\u00a0\u2028") | st.characters(
    codec="utf-8"
)
rules = st.builds(
    UnicodeWords,
    numbers=st.sampled_from(["keep", "drop", "mask"]),
    inner=st.sampled_from(["", "'", "'’-", "_.", "^-]"]),
    minimum=st.integers(1, 3),
)


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
@given(text=st.text(alphabet), rule=rules)
def test_native_words_are_those_of_the_rule(text: str, rule: UnicodeWords) -> None:
    tables = NativeTally(), PlainTally()
    found = [lines_of(table, *table.read_words(text.encode(), rule)) for table in tables]
    assert found[0] == found[1]
    assert found[1] == [rule.split(line) for line in text.split("\n")]


@pytest.mark.parametrize(
    ("rule", "text", "words"),
    [
        ({}, "Don't stop-start --x' 'y", ["Don't", "stop-start", "x", "y"]),
        ({"inner": ""}, "don't", ["don", "t"]),
        ({}, "नमस्ते, мир! 中文", ["नमस्ते", "мир", "中文"]),
        ({}, "e\u0301te\u0301", ["e\u0301te\u0301"]),
        ({"numbers": "drop"}, "in 1984 a 4x4 ٣٤", ["in", "a", "4x4"]),
        ({"numbers": "mask"}, "in 1984, ٣", ["in", "0000", "0"]),
        ({"minimum": 3}, "a bc def été", ["def", "été"]),
        ({}, "a_b\u00a0c\u2028d", ["a", "b", "c", "d"]),
    ],
)
def test_unicode_words(rule: dict, text: str, words: list[str]) -> None:
    assert UnicodeWords(**rule).split(text) == words


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"numbers": "none"}, "numbers='none'"),
        ({"minimum": 0}, "minimum=0"),
        ({"inner": "'x"}, "'x'"),
        ({"inner": " "}, "' '"),
    ],
)
def test_rules_that_cannot_be(options: dict, named: str) -> None:
    with pytest.raises(TokenError, match=named):
        UnicodeWords(**options)


@every_table
def test_many_words_and_long_ones(kind: type) -> None:
    table = kind()
    words = [f"w{i % 30_000}" * (1 + i % 7) for i in range(100_000)] + ["x" * 5_000_000] * 2
    ids = table.add(words)
    different = list(dict.fromkeys(words))
    assert len(table) == len(different)
    assert table.words(ids) == words
    known = [*range(len(different)), -1, -1]
    assert table.find([*different, "nowhere", ""]).tolist() == known


@every_table
@pytest.mark.parametrize("size", [1, 7, 8, 9, 12, 15, 16, 17, 24, 25, 65_534, 65_535, 65_536])
def test_words_that_are_alike_at_both_ends_are_told_apart(kind: type, size: int) -> None:
    words = ["a" * size, "a" * (size + 1)]
    words += ["a" * i + "b" + "a" * (size - i - 1) for i in {0, size // 2, size - 1}]
    words += ["a" * (size - 1) + "\0"]
    table = kind()
    assert table.add([*words, *words]).tolist() == [*range(len(words))] * 2
    assert table.words(np.arange(len(words))) == words
    assert table.read(" ".join(words[:2]).encode())[0].tolist() == [0, 1]


@every_table
def test_what_is_kept_keeps_its_count_and_gets_a_new_number(kind: type) -> None:
    table = kind()
    table.add(list("abcabaa"))
    table.keep(np.array([2, 0], np.int32))
    assert table.words(np.arange(2)) == ["c", "a"]
    assert table.counts().tolist() == [1, 4]
    assert table.add(["b", "a"]).tolist() == [2, 1]
    assert table.counts().tolist() == [1, 5, 1]


@every_table
@given(words=st.lists(st.text(st.characters(codec="utf-8"))))
def test_dumped_and_restored(kind: type, words: list[str]) -> None:
    table = kind()
    table.add(words)
    again = restored(*table.dump(), table.counts())
    assert again.words(np.arange(len(table))) == list(dict.fromkeys(words))
    assert again.counts().tolist() == table.counts().tolist()
    assert again.find(words).tolist() == table.find(words).tolist()


@given(
    numbers=st.lists(st.integers(-1, 5), min_size=1, max_size=6),
    lines=st.lists(st.lists(st.integers(-1, 5), max_size=5), max_size=6),
)
def test_other_numbers(numbers: list[int], lines: list[list[int]]) -> None:
    lines = [[min(i, len(numbers) - 1) for i in line] for line in lines]
    kept = [[numbers[i] for i in line if i >= 0 and numbers[i] >= 0] for line in lines]
    arrays = (
        np.array([i for line in lines for i in line], np.int32),
        np.array(numbers, np.int32),
        np.cumsum([len(line) for line in lines], dtype=np.int64),
    )
    for built in (native.available(), False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "available", lambda there=built: there)
            ids, ends = renumbered(*arrays)
        assert ids.tolist() == [i for line in kept for i in line]
        assert ends.tolist() == np.cumsum([len(line) for line in kept]).tolist()
        assert (ids.dtype, ends.dtype) == (np.int32, np.int64)


@every_table
def test_what_is_no_word_is_refused(kind: type) -> None:
    with pytest.raises(TypeError, match="word 1"):
        kind().add(["a", 3])
    with pytest.raises(UnicodeEncodeError):
        kind().add(["\ud800"])


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
def test_the_native_table_checks_what_it_is_given() -> None:
    table = NativeTally()
    table.add(["a", "b"])
    with pytest.raises(ValueError, match="no word 2"):
        table.words(np.array([0, 2], np.int32))
    with pytest.raises(ValueError, match="no word -1"):
        table.keep(np.array([-1], np.int32))
    with pytest.raises(ValueError, match="code point"):
        table.native.read_words(b"a", b"\0" * 10, 1, False, False)
    for ids, ends in (([2], []), ([-2], []), ([0], [2]), ([0, 0], [1, 0])):
        with pytest.raises(ValueError, match=r"no word|end \d is out of order"):
            renumbered(np.array(ids, np.int32), np.zeros(2, np.int32), np.array(ends, np.int64))
    with pytest.raises(ValueError, match="not empty"):
        table.native.restore(b"", b"", b"")
    eight = np.array([1, 2], np.int64)
    for text, ends, counts, message in [
        (b"ab", eight, eight[:1], "differ in length"),
        (b"a", eight, eight, "end 1 is out of order"),
        (b"ab", eight[::-1].copy(), eight, "end 1 is out of order"),
        (b"aa", eight, eight, "word 1 is there twice"),
        (b"ab", eight, -eight, "no count -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            NativeTally().native.restore(text, ends, counts)


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
@given(data=st.binary())
def test_any_bytes_can_be_read_as_words(data: bytes) -> None:
    # The core is given UTF-8; with anything else it must still stay in its bounds.
    ids, ends = NativeTally().read_words(data, UnicodeWords())
    assert len(ends) == data.count(b"\n")
    assert len(ids) <= len(data)
