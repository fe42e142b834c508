"""Corpora: every kind of source gives the same words, and what cannot be read is refused."""

import bz2
import gzip
import io
import lzma
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.embed import corpus as corpus_module
from chainrule.embed import encoded, sources, store, tally
from chainrule.embed.columns import ColumnError
from chainrule.embed.corpus import Corpus
from chainrule.embed.phrases import Phrases
from chainrule.embed.sources import SourceError
from chainrule.embed.store import StoreError
from chainrule.embed.unicode_words import TokenError, UnicodeWords
from chainrule.embed.vocabulary import Vocabulary, VocabularyError
from chainrule.embed.word2vec import Word2Vec

TEXT = "the moon rose\n\nover the sea the moon\tthe  sea \r\nsea\nthe end"
LINES = [line.split() for line in TEXT.split("\n")]


def quiet(source: object, **options: object) -> Corpus:
    return Corpus(source, progress=False, **options)  # type: ignore[arg-type]


def zstd(data: bytes) -> bytes:
    # Two frames, one after the other, are one file.
    half = len(data) // 2
    codec = pa.Codec("zstd")
    return b"".join(codec.compress(part).to_pybytes() for part in (data[:half], data[half:]))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    return path


# ----- sources -----


def test_a_text_file(plain: Path) -> None:
    text = quiet(plain)
    assert list(text) == LINES
    assert (len(text), text.total, text.distinct) == (5, 13, 6)
    words = [word for line in LINES for word in line]
    vocabulary = text.vocabulary(min_count=1)
    assert vocabulary.words == [word for word, _ in Counter(words).most_common()]
    assert vocabulary.counts.tolist() == [n for _, n in Counter(words).most_common()]
    assert vocabulary.raw_total == 13


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_compressed_files(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    # Known by their first bytes, whatever they are called.
    (tmp_path / "text").write_bytes(compress(TEXT.encode()))
    assert list(quiet(tmp_path / "text")) == LINES


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_damaged_files_are_named(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    data = compress(b"".join(b"%d some words\n" % i for i in range(3000)))
    (tmp_path / "cut.txt").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"cut\.txt is damaged"):
        len(quiet(tmp_path / "cut.txt"))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
@settings(deadline=None, max_examples=40)
def test_any_damage_is_refused_or_harmless(
    compress: Callable[[bytes], bytes],
    place: int,
    byte: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = bytearray(compress(TEXT.encode()))
    data[place % len(data)] = byte
    path = tmp_path_factory.mktemp("damaged") / "text"
    path.write_bytes(data)
    try:
        len(quiet(path))
    except SourceError as error:
        assert str(path) in str(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_with_a_name(tmp_path: Path) -> None:
    # What a shell makes of <(zcat text.gz): nothing tells its size, and it is read once.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(gzip.compress(TEXT.encode())))
    writer.start()
    text = quiet(pipe, cache=tmp_path / "cache")
    assert list(text) == LINES
    writer.join()
    text.close()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_text_that_begins_as_bzip2_does(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"BZh is a name")
    assert list(quiet(tmp_path / "text.txt")) == [["BZh", "is", "a", "name"]]


def test_folders_patterns_and_lists_of_files(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.txt").write_bytes(b"one two")
    (tmp_path / "below" / "b.txt.gz").write_bytes(gzip.compress(b"three\n"))
    (tmp_path / "c.txt").write_bytes(b"four")
    (tmp_path / ".hidden").write_bytes(b"not this")
    # A word does not go on in the next file, nor does a line.
    assert list(quiet(tmp_path)) == [["one", "two"], ["three"], ["four"]]
    assert list(quiet(str(tmp_path / "*.txt"))) == [["one", "two"], ["four"]]
    assert list(quiet(str(tmp_path / "**" / "*.gz"))) == [["three"]]
    assert list(quiet([tmp_path / "c.txt", tmp_path / "a.txt"])) == [["four"], ["one", "two"]]


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a[1].txt").write_bytes(b"one")
    assert list(quiet(str(tmp_path / "a[1].txt"))) == [["one"]]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_standard_input(compress: Callable[[bytes], bytes]) -> None:
    code = (
        "from chainrule.embed.corpus import Corpus\n"
        "text = Corpus('-', progress=False)\n"
        "print(list(text) == list(text), len(text), text.vocabulary(1).words)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], input=compress(TEXT.encode()), capture_output=True, check=True
    )
    words = ["the", "sea", "moon", "rose", "over", "end"]
    assert finished.stdout.decode().strip() == f"True 5 {words}"


TABLE = {"number": [1, 2, 3], "text": ["the moon", None, 'rose, "over"\nthe sea']}
TABLE_LINES = [["the", "moon"], [], ["rose,", '"over"'], ["the", "sea"]]
CSV = 'number{0}text\n1{0}the moon\n2{0}\n\n3{0}"rose, ""over""\nthe sea"\n'


def write_parquet(path: Path) -> None:
    parquet.write_table(pa.table(TABLE), path)


def write_categories(path: Path) -> None:
    column = pa.array(TABLE["text"]).dictionary_encode()
    parquet.write_table(pa.table({"number": [1, 2, 3], "text": column}), path)


TABLE_FILES = {
    "t.parquet": write_parquet,
    "categories.parquet": write_categories,
    "t.csv": lambda path: path.write_text(CSV.format(",")),
    "marked.csv": lambda path: path.write_bytes(b"\xef\xbb\xbf" + CSV.format(",").encode()),
    "t.tsv": lambda path: path.write_text(CSV.format("\t")),
    "t.csv.gz": lambda path: path.write_bytes(gzip.compress(CSV.format(",").encode())),
    "t.csv.zst": lambda path: path.write_bytes(zstd(CSV.format(",").encode())),
}


@pytest.mark.parametrize("name", TABLE_FILES)
def test_columns(name: str, tmp_path: Path) -> None:
    TABLE_FILES[name](tmp_path / name)
    assert list(quiet(tmp_path / name, column="text")) == TABLE_LINES
    for column, message in [
        (None, "say with column= which holds the text, of number, text"),
        ("texts", "no column 'texts', but number, text; did you mean 'text'"),
    ]:
        with pytest.raises(ColumnError, match=message):
            len(quiet(tmp_path / name, column=column))


def test_tables_that_cannot_be_read(tmp_path: Path, plain: Path) -> None:
    write_parquet(tmp_path / "t.parquet")
    with pytest.raises(ColumnError, match="'number' holds int64, not text"):
        len(quiet(tmp_path / "t.parquet", column="number"))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(ColumnError, match=r"broken\.parquet is not a Parquet file"):
        len(quiet(tmp_path / "broken.parquet", column="text"))
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(ColumnError, match=r"ragged\.csv, line 3: a row of 3 fields"):
        len(quiet(tmp_path / "ragged.csv", column="a"))
    with pytest.raises(SourceError, match=r"plain text, which has no column 'text'"):
        len(quiet(plain, column="text"))
    with pytest.raises(SourceError, match="no column 'text'"):
        quiet([["a"]], column="text")


def test_a_csv_of_many_rows_and_a_very_long_one(tmp_path: Path) -> None:
    rows = [f"word{i} here" for i in range(5000)] + ["long " * 500_000]
    (tmp_path / "t.csv").write_text("text\n" + "\n".join(rows) + "\n")
    assert list(quiet(tmp_path / "t.csv", column="text")) == [row.split() for row in rows]


def test_lists_of_words() -> None:
    lists = [["New York", "is"], [], ["a\ncity"], ("is", "a")]
    text = quiet(lists)
    assert list(text) == [list(line) for line in lists]
    assert next(iter(quiet(lists, lower=True))) == ["new york", "is"]
    # The same as without files.
    vocabulary = Vocabulary.of(lists, min_count=1)
    assert text.vocabulary(1).words == vocabulary.words
    ours, plain = text.encode(vocabulary), encoded.encode(lists, vocabulary)
    assert ours.ids.tolist() == plain.ids.tolist()
    assert ours.ends.tolist() == plain.ends.tolist()


class Reread:
    """Token lists that begin anew each time."""

    def __iter__(self) -> object:
        return iter([["a", "b"], ["b"]])


def test_an_object_that_can_be_read_again() -> None:
    assert list(quiet(Reread())) == [["a", "b"], ["b"]]


REFUSED = {
    "generator": (lambda: ([w] for w in "ab"), "a generator, which is empty after one reading"),
    "iterator": (lambda: iter([["a"]]), "a list_iterator, which is empty after one reading"),
    "map": (lambda: map(str.split, ["a b"]), "a map, which is empty after one reading"),
    "bytes": (lambda: b"a b", "bytes"),
    "number": (lambda: 3, "not a int"),
    "missing": (lambda: "nowhere.txt", "no file or folder nowhere.txt"),
    "pattern": (lambda: "nowhere/*.txt", r"no file matches nowhere/\*\.txt"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_sources_that_are_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(SourceError, match=message):
        quiet(make())


@pytest.mark.parametrize(
    ("lists", "error", "message"),
    [
        (["a b", "c"], SourceError, "sentence 0 is a str, not a list of words"),
        ([["a"], 3], SourceError, "sentence 1 is a int"),
        ([["a"], ["b", 3]], TokenError, "3, a int, is not a word"),
        ([["a", "\ud800"]], TokenError, "cannot be written as UTF-8"),
        ([["a"], [], ["b", ""]], TokenError, "sentence 2: a word is empty, .* leave empty words"),
    ],
)
def test_lists_of_something_else(lists: list, error: type, message: str) -> None:
    for options in ({}, {"lower": True}):
        with pytest.raises(error, match=message):
            len(quiet(lists, **options))


def test_an_empty_folder_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file in the folder"):
        quiet(tmp_path)
    (tmp_path / "empty.txt").touch()
    text = quiet(tmp_path)
    assert (len(text), text.total, list(text), len(text.vocabulary(1))) == (0, 0, [], 0)
    (tmp_path / "blank.txt").write_bytes(b"\n \n")
    blank = quiet(tmp_path / "blank.txt")
    assert (len(blank), blank.total, list(blank)) == (2, 0, [[], []])
    result = blank.encode(Vocabulary(["a"], [1]))
    assert (result.ids.tolist(), result.ends.tolist(), result.dropped) == ([], [0, 0], 0)


# ----- characters and words -----


@given(
    parts=st.lists(
        st.sampled_from([b"a", b"bc", b"\xc3\xa9", b"\n", b" ", b"\t", b"\r\n", b"\xe4\xb8\xad"]),
        max_size=60,
    ),
    chunk=st.integers(1, 8),
)
@settings(deadline=None)
def test_where_the_text_is_cut_does_not_matter(
    parts: list[bytes], chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = b"".join(parts)
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_bytes(data)
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", chunk)
        assert list(quiet(path)) == [[w.decode() for w in line.split()] for line in lines]
        found = list(quiet(path, tokens=re.compile(" |[^ ]+").findall))
        texts = [line.decode().removesuffix("\r") for line in lines]
        assert found == [re.findall(" |[^ ]+", text) for text in texts]


def test_long_lines_and_long_words(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"a b " * 1_000_000 + b"x" * 5_000_000 + b" end")
    text = quiet(path)
    assert (len(text), text.total) == (1, 2_000_002)
    assert text.vocabulary(1).words == ["a", "b", "x" * 5_000_000, "end"]
    encoded_text = text.encode(text.vocabulary(2))
    assert encoded_text.ends.tolist() == [2_000_000]
    assert encoded_text.dropped == 2


@pytest.mark.parametrize("chunk", [3, 1 << 20])
def test_bytes_that_are_not_utf8(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK", chunk)
    path = tmp_path / "latin.txt"
    path.write_bytes(b"one two\nthr\xe9e four \xff")
    with pytest.raises(SourceError, match=r"latin\.txt, byte offset 11: the byte 0xe9 is not UTF"):
        len(quiet(path))
    for errors, line in [
        ("replace", ["thr\ufffde", "four", "\ufffd"]),
        ("ignore", ["thre", "four"]),
    ]:
        assert list(quiet(path, errors=errors))[1] == line
    with pytest.raises(TokenError, match="errors='lenient'"):
        quiet(path, errors="lenient")


def test_bytes_that_are_not_utf8_in_a_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"text\none\ntwo\nthr\xe9e\n")
    with pytest.raises(SourceError, match=r"t\.csv, column 'text', row 3: the byte 0xe9"):
        len(quiet(path, column="text"))
    assert list(quiet(path, column="text", errors="ignore"))[2] == ["thre"]


def test_a_byte_order_mark_is_not_a_word(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"\xef\xbb\xbfone \xef\xbb\xbf\xff")
    with pytest.raises(SourceError, match="byte offset 10"):
        len(quiet(tmp_path / "text.txt"))
    assert list(quiet(tmp_path / "text.txt", errors="ignore")) == [["one", "\ufeff"]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["Don't", "ÉTÉ:", "42", "Stop"]),
        ({"lower": True}, ["don't", "été:", "42", "stop"]),
        ({"tokens": "words"}, ["Don't", "ÉTÉ", "42", "Stop"]),
        ({"tokens": "words", "lower": True}, ["don't", "été", "42", "stop"]),
        ({"tokens": UnicodeWords(inner="", numbers="drop")}, ["Don", "t", "ÉTÉ", "Stop"]),
        ({"tokens": lambda line: line.split()[1:], "lower": True}, ["été:", "42", "stop"]),
    ],
)
def test_tokenisers(options: dict, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Don't ÉTÉ: 42  Stop\r\n")
    assert list(quiet(tmp_path / "text.txt", **options)) == [words]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda line: ["a"] if line == "one" else line, r"text\.txt, byte offset 4: .* gave a str"),
        (lambda line: None, "gave a NoneType"),
        (lambda line: [3], "3, a int, is not a word"),
        (
            lambda line: line.split("t"),
            r"offset 4, the line 'two': a word is empty, .* leave empty",
        ),
    ],
)
def test_functions_that_give_no_words(function: Callable, message: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"one\ntwo\n")
    with pytest.raises(TokenError, match=message):
        len(quiet(tmp_path / "text.txt", tokens=function))


@pytest.mark.parametrize("tokens", ["spaces", 3])
def test_tokenisers_that_cannot_be(tokens: object) -> None:
    with pytest.raises(TokenError, match="tokens"):
        quiet([["a"]], tokens=tokens)


def test_without_the_core_the_same_words(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "new_tally", tally.PlainTally)
    monkeypatch.setattr(store, "new_tally", tally.PlainTally)
    with pytest.raises(TokenError, match="sentence 1: a word is empty"):
        len(quiet([["a"], [""]]))
    for options in ({}, {"tokens": "words", "lower": True}, {"tokens": str.split}):
        text = quiet(plain, **options)
        assert isinstance(text.store.table, tally.PlainTally)
        assert list(text) == LINES


# ----- numbers on the disk -----


def test_encoding_by_a_vocabulary(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = quiet(plain)
    for vocabulary in (
        text.vocabulary(2),
        text.vocabulary(1, max_size=2),
        Vocabulary(["nowhere", "end", "sea"], [9, 8, 7]),
        Vocabulary([], []),
    ):
        plainly = encoded.encode(LINES, vocabulary)
        for block in (2, 3, 1 << 20):
            monkeypatch.setattr(store, "BLOCK", block)
            fresh = quiet(plain).encode(vocabulary)
            assert fresh.ids.tolist() == plainly.ids.tolist()
            assert fresh.ends.tolist() == plainly.ends.tolist()
            assert fresh.dropped == plainly.dropped
            assert fresh.ids.dtype == np.int32 and fresh.ends.dtype == np.int64


def test_ids_are_mapped_and_outlive_the_corpus(plain: Path) -> None:
    ids = quiet(plain).encode(quiet(plain).vocabulary(1)).ids
    assert isinstance(ids, np.memmap)
    assert ids[:3].tolist() == [0, 2, 3]


def test_temporary_files_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with quiet([["a", "b"]], cache=folder) as text:
        kept = text.encode(text.vocabulary(1))
        assert len(list(folder.iterdir())) == 1
    assert list(folder.iterdir()) == []
    text = quiet([["a", "b"]], cache=folder)
    kept = text.encode(text.vocabulary(1))
    del text
    assert len(list(folder.iterdir())) == 1
    del kept
    assert list(folder.iterdir()) == []


def test_files_are_read_once_for_all_runs(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    first = quiet(plain, cache=folder)
    vocabulary = first.vocabulary(2)
    ids = first.encode(vocabulary).ids.tolist()
    del first

    with monkeypatch.context() as patch:
        patch.setattr(corpus_module, "write_store", None)
        again = quiet(plain, cache=folder)
        assert list(again) == LINES
        assert again.vocabulary(2).words == vocabulary.words
        assert again.encode(vocabulary).ids.tolist() == ids
        with pytest.raises(TypeError):
            len(quiet(plain, cache=folder, lower=True))

    plain.write_bytes(b"another text")
    assert list(quiet(plain, cache=folder)) == [["another", "text"]]


@pytest.mark.parametrize("file", ["corpus.json", "words", "counts", "ids", "ends"])
def test_damaged_caches_are_refused(file: str, plain: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    len(quiet(plain, cache=folder))
    (place,) = folder.iterdir()
    data = (place / file).read_bytes()
    (place / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(StoreError, match=re.escape(str(place))):
        len(quiet(plain, cache=folder))


def test_an_interrupted_reading_leaves_nothing(plain: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"

    def interrupted(line: str) -> list[str]:
        if line == "sea":
            raise KeyboardInterrupt
        return line.split()

    for tokens in (interrupted, "whitespace"):
        text = quiet(plain, tokens=tokens, cache=folder)
        if callable(tokens):
            with pytest.raises(KeyboardInterrupt):
                len(text)
            assert list(folder.iterdir()) == []
        else:
            assert list(text) == LINES


def test_an_interrupted_encoding_leaves_nothing(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = quiet(plain)
    vocabulary = text.vocabulary(1)
    before = sorted(text.store.folder.iterdir())

    def interrupted(self: object, *options: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "blocks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            text.encode(vocabulary)
    assert sorted(text.store.folder.iterdir()) == before
    assert len(text.encode(vocabulary)) == 13


# ----- a small table -----


def test_forgetting_is_asked_for_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    words = [f"w{n}" for n in generator.zipf(1.3, 20_000) % 5000]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(words[i : i + 50]) for i in range(0, len(words), 50)))
    monkeypatch.setattr(sources, "CHUNK", 1000)
    monkeypatch.setattr(store, "BLOCK", 512)
    whole, small = quiet(path), quiet(path, max_vocab_size=100)
    assert whole.undercount == 0 < small.undercount
    assert small.distinct <= 200 < whole.distinct
    assert small.total == whole.total == len(words)
    assert len(small) == len(whole)
    kept = small.vocabulary(1)
    true = Counter(words)
    # Frequent words keep their exact counts, and no count is too small by more than is said.
    assert kept.words[:10] == whole.vocabulary(1).words[:10]
    for word, count in zip(kept.words, kept.counts.tolist(), strict=True):
        assert true[word] - small.undercount <= count <= true[word]
    # What is counted is what is in the numbers, and stands where it stood.
    result = small.encode(kept)
    assert np.bincount(result.ids, minlength=len(kept)).tolist() == kept.counts.tolist()
    assert result.dropped == len(words) - kept.total
    for ours, theirs in zip(small, whole, strict=True):
        rest = iter(theirs)
        assert all(word in rest for word in ours)


# ----- what it is for -----


def test_a_model_learns_from_it(plain: Path) -> None:
    options = {"vector_size": 4, "min_count": 1, "workers": 1, "sample": 0, "progress": False}
    from_file, from_lists = Word2Vec(quiet(plain), **options), Word2Vec(LINES, **options)
    np.testing.assert_array_equal(from_file.table(), from_lists.table())


def test_contexts() -> None:
    lines = [["far", "away", "the", "moon", "rose", "slowly", "over", "the", "sea"], ["moon"]]
    text = quiet([*lines, ["a", "中文字", "moon", "<b>"], *[["moon"]] * 3])
    found = text.contexts("moon", width=9, limit=3)
    assert str(found).splitlines() == [
        " away the  moon  rose",
        "           moon",
        " a 中文字  moon  <b>",
        "3 of 6 places",
    ]
    assert "&lt;b&gt;" in found._repr_html_() and "<b>moon</b>" in found._repr_html_()
    with pytest.raises(VocabularyError, match="'mon' is not in the text; did you mean 'moon'"):
        text.contexts("mon")


def test_progress(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Corpus(plain)
    assert capsys.readouterr().out == ""
    assert repr(text) == f"Corpus({str(plain)!r})"
    len(text)
    len(text)
    assert re.fullmatch(
        r"read \S+text\.txt: 13 words, 6 different, \d+\.\d s\n", capsys.readouterr().out
    )
    assert repr(text) == f"Corpus({str(plain)!r}, 13 words in 5 lines)"


def test_a_bar_on_a_terminal(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    text = Corpus(plain)
    assert len(text) == 5
    assert re.search(r"reading text\.txt.*words/s", sys.stdout.getvalue(), re.DOTALL)
    text.encode(text.vocabulary(1))
    assert re.search(r"encoding.*words/s", sys.stdout.getvalue(), re.DOTALL)
    Phrases(text, delta=0, threshold=1e-9).join(text)
    assert re.search(r"counting pairs.*joining phrases", sys.stdout.getvalue(), re.DOTALL)
