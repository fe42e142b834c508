"""Files of word vectors: what is written is read again, and what is malformed is refused."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chainrule.embed import formats
from chainrule.embed.formats import plain, rows
from chainrule.embed.saving import write_tables
from chainrule.embed.vector_errors import VectorsError
from chainrule.embed.vectors import WordVectors
from chainrule.embed.word2vec import Word2Vec
from chainrule.run import native

WORDS = ["the", "of", "žluťoučký", "日本", "don't", '"', "it's_", "66", "3.5", "e"]
COUNTS = [90, 80, 70, 60, 50, 40, 30, 20, 10, 5]
NAMES = {
    "word2vec": "v.txt",
    "word2vec-binary": "v.bin",
    "glove": "v.glove",
    "fasttext": "v.vec",
    "numpy": "v.npy",
    "safetensors": "v.safetensors",
    "parquet": "v.parquet",
    "projector": "v.tsv",
}
KEEP_COUNTS = ("numpy", "safetensors", "parquet", "projector")
HOLD_SPACES = KEEP_COUNTS


def table(size: int = 5) -> np.ndarray:
    generator = np.random.default_rng(0)
    scales = 10.0 ** generator.integers(-30, 30, (len(WORDS), size))
    return (generator.normal(size=(len(WORDS), size)) * scales).astype(np.float32)


@pytest.fixture(
    params=[
        pytest.param(
            "native",
            marks=pytest.mark.skipif(not native.available(), reason="the core is not built"),
        ),
        "plain",
    ]
)
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The functions in C++, and those in Python."""
    if request.param == "plain":
        monkeypatch.setattr(rows, "scanner", lambda: plain)
    return request.param


def test_every_format_has_a_file_name() -> None:
    assert set(NAMES) == set(formats.FORMATS) == set(formats.ENDINGS.values())


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("with_counts", [True, False], ids=["counts", "no counts"])
def test_round_trip(tmp_path: Path, scanner: str, form: str, with_counts: bool) -> None:
    path = tmp_path / NAMES[form]
    written = WordVectors(WORDS, table(), COUNTS if with_counts else None)
    written.save(path)
    assert formats.found_form(path) in (form, "glove" if form == "word2vec" else form)
    for read in (WordVectors.load(path), WordVectors.load(path, format=form)):
        assert read.words == WORDS
        assert read.vectors.dtype == np.float32
        np.testing.assert_array_equal(read.vectors, written.vectors)
        if with_counts and form in KEEP_COUNTS:
            np.testing.assert_array_equal(read.counts, COUNTS)
        else:
            assert read.counts is None
    [word] = WordVectors.load(path, limit=1)
    assert word == "the"


@pytest.mark.parametrize("form", NAMES)
def test_a_view_with_gaps_between_its_rows(tmp_path: Path, form: str) -> None:
    wide = np.zeros((len(WORDS), 16), np.float32)
    wide[:, :5] = table()
    WordVectors(WORDS, wide[:, :5]).save(tmp_path / NAMES[form])
    read = WordVectors.load(tmp_path / NAMES[form])
    np.testing.assert_array_equal(read.vectors, table())


@pytest.mark.parametrize("form", NAMES)
def test_words_with_spaces_are_kept_or_refused(tmp_path: Path, form: str) -> None:
    vectors = WordVectors(["new york", "a"], np.ones((2, 3)))
    path = tmp_path / NAMES[form]
    if form in HOLD_SPACES:
        vectors.save(path)
        assert WordVectors.load(path).words == ["new york", "a"]
    else:
        with pytest.raises(VectorsError, match="cannot hold the word 'new york'"):
            vectors.save(path)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["numpy", "safetensors"])
def test_numbers_stay_in_the_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / NAMES[form]
    WordVectors(WORDS, table()).save(path)
    read = WordVectors.load(path)
    assert isinstance(read.vectors.base, np.memmap)
    # A file that takes the place of this one does not change what is mapped.
    WordVectors(WORDS, table() + 1).save(path)
    np.testing.assert_array_equal(read.vectors, table())


def test_many_rows_are_read_in_pieces(
    tmp_path: Path, scanner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PIECE", 7)
    monkeypatch.setattr(rows, "LINES", 10)
    monkeypatch.setattr(rows, "available_cores", lambda: 3)
    given = np.random.default_rng(1).normal(size=(100, 3)).astype(np.float32)
    names = [f"w{place}" for place in range(100)]
    for name in ("v.txt", "v.bin", "v.tsv"):
        WordVectors(names, given).save(tmp_path / name)
        read = WordVectors.load(tmp_path / name)
        assert read.words == names
        np.testing.assert_array_equal(read.vectors, given)
    text = (tmp_path / "v.txt").read_text().splitlines()
    text[60] = text[80] = "broken"
    (tmp_path / "v.txt").write_text("\n".join(text))
    with pytest.raises(VectorsError, match="line 61: there are 0 numbers"):
        WordVectors.load(tmp_path / "v.txt")


def test_a_models_file_is_read(tmp_path: Path) -> None:
    model = Word2Vec([["a", "b", "c"]] * 10, vector_size=9, sample=0, workers=1, progress=False)
    model.save(tmp_path / "model.safetensors")
    read = WordVectors.load(tmp_path / "model.safetensors")
    assert read.words == model.vocabulary.words
    np.testing.assert_array_equal(read.vectors, model.table())
    np.testing.assert_array_equal(read.counts, [10, 10, 10])


# ----- what others write --------------------------------------------------------------------------

FLOATS = struct.pack("<2f", 0.5, -2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("v.txt", b"2 2\na 0.5 -2 \nb 1 1 \n"),
        ("v.txt", b"2 2\r\na 0.5 -2\r\nb 1 1\r\n"),
        ("v.txt", b"2\t2\na\t+.5\t-2.\nb\t1\t1"),
        ("v.txt", b"\xef\xbb\xbf2 2\na 5e-1 -0.2E+1\nb 1 1\n\n\n"),
        ("v.vec", b"2 2\na 0.50000000000000000000001 -2\nb 1 1\n"),
        ("v.glove", b"a 0.5 -2\nb 1 1\n"),
        ("v.glove", b"a  0.5  -2\nb 1 1"),
        ("v.bin", b"2 2\na " + FLOATS + b"\nb " + struct.pack("<2f", 1, 1) + b"\n"),
        ("v.bin", b"2 2\na " + FLOATS + b"b " + struct.pack("<2f", 1, 1)),
    ],
    ids=[
        "spaces at the ends", "carriage returns", "tabs", "byte order mark", "many digits",
        "GloVe", "wide gaps", "newlines after rows", "no newlines after rows",
    ],
)  # fmt: skip
def test_variants(tmp_path: Path, scanner: str, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    read = WordVectors.load(tmp_path / name)
    assert read.words == ["a", "b"]
    assert read.vectors.tolist() == [[0.5, -2], [1, 1]]


def test_words_of_text_files_may_hold_spaces(tmp_path: Path, scanner: str) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(b"first 1 2\n. . . 3 4\nroute 66 5 6\nat\tme@here 7 8\nnb\xc2\xa0sp 1 1\n")
    read = WordVectors.load(path, format="glove")
    assert read.words == ["first", ". . .", "route 66", "at\tme@here", "nb\u00a0sp"]
    assert read["route 66"].tolist() == [5, 6]


def test_the_pair_of_the_projector_with_columns(tmp_path: Path) -> None:
    (tmp_path / "my_tensor.tsv").write_text("1\t2\n3\t4\n")
    (tmp_path / "my_metadata.tsv").write_text("id\tWord\tcount\n0\tnew york\t7\n1\tb\t3\n")
    read = WordVectors.load(tmp_path / "my_tensor.tsv")
    assert (read.words, read.vectors.tolist()) == (["new york", "b"], [[1, 2], [3, 4]])
    assert read.counts is not None and read.counts.tolist() == [7, 3]


def test_numpy_files_of_others(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([[1, 2], [3, 4]], np.float64, order="F"))
    (tmp_path / "v.vocab").write_text("a 7\nb 3\n")
    read = WordVectors.load(tmp_path / "v.npy")
    assert (read.words, read.vectors.tolist()) == (["a", "b"], [[1, 2], [3, 4]])
    assert read.counts is not None and read.counts.tolist() == [7, 3]


def test_parquet_files_of_others(tmp_path: Path) -> None:
    columns = {
        "id": [1, 2],
        "token": pa.array(["a", "b"], pa.large_string()),
        "embedding": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64())),
    }
    pq.write_table(pa.table(columns), tmp_path / "v.parquet", row_group_size=1)
    read = WordVectors.load(tmp_path / "v.parquet")
    assert (read.words, read.vectors.tolist()) == (["a", "b"], [[1, 2], [3, 4]])


# ----- policies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "word"),
    [("replace", "a\ufffd"), ("backslashreplace", "a\\xff"), ("ignore", "a")],
)
@pytest.mark.parametrize("name", ["v.txt", "v.bin"])
def test_invalid_utf8(tmp_path: Path, scanner: str, name: str, errors: str, word: str) -> None:
    row = b"a\xff " + (b"0.5 -2" if name == "v.txt" else FLOATS)
    (tmp_path / name).write_bytes(b"1 2\n" + row + b"\n")
    where = "line 2" if name == "v.txt" else "offset 4"
    with pytest.raises(VectorsError, match=rf"{where}: the word b'a\\xff' is not UTF-8"):
        WordVectors.load(tmp_path / name)
    assert WordVectors.load(tmp_path / name, errors=errors).words == [word]


def test_words_that_stand_twice(tmp_path: Path, scanner: str) -> None:
    (tmp_path / "v.txt").write_bytes(b"4 1\na 1\nb 2\na 3\nc 4\n")
    with pytest.raises(VectorsError, match="line 4: the word 'a' was there before, at line 2"):
        WordVectors.load(tmp_path / "v.txt")
    read = WordVectors.load(tmp_path / "v.txt", duplicates="first")
    assert (read.words, read.vectors.ravel().tolist()) == (["a", "b", "c"], [1, 2, 4])
    assert read.get_index("c") == 2


@pytest.mark.parametrize(
    "options", [{"errors": "guess"}, {"duplicates": "last"}, {"limit": 0}, {"format": "csv"}],
    ids=["errors", "duplicates", "limit", "format"],
)  # fmt: skip
def test_policies_that_there_are_not(tmp_path: Path, options: dict) -> None:
    (tmp_path / "v.txt").write_bytes(b"1 1\na 1\n")
    with pytest.raises(VectorsError, match=next(iter(options))):
        WordVectors.load(tmp_path / "v.txt", **options)


# ----- malformed ----------------------------------------------------------------------------------

MALFORMED = {
    "empty": ("v.txt", b"", "is empty"),
    "no sizes": ("v.vec", b"a 1\n", "line 1: expected how many words"),
    "no words": ("v.vec", b"0 5\n", "line 1: there are 0 words of 5 numbers"),
    "no numbers": ("v.vec", b"5 0\n", "line 1: there are 5 words of 0 numbers"),
    "absurd": ("v.vec", b"99999999999 300\na 1\n", "line 1: .* do not fit into the 4 bytes"),
    "many digits": ("v.vec", b"9" * 30 + b" 3\na 1\n", "line 1: expected"),
    "fewer lines": ("v.vec", b"3 1\na 1\nb 1\n", "line 1 says that 3 words follow, but .* 2 lines"),
    "more lines": ("v.vec", b"1 1\na 1\nb 1\n", "line 1 says that 1 words follow, but .* 2 lines"),
    "too few": ("v.vec", b"2 2\na 1 2\nbcd 1\n", "line 3: there are 1 numbers, not 2"),
    "too many": ("v.vec", b"2 1\na 1\nb x 1\nc 1", "line 1 says that 2 words"),
    "cut off": ("v.vec", b"2 2\na 1 2\nb 1.5", "line 3: there are 1 numbers, not 2"),
    "no number": ("v.vec", b"2 2\na 1 2\nb 1 x2\n", "line 3: number 2 of 2 is 'x2'"),
    "underscore": ("v.vec", b"1 1\na 1_0\n", "line 2: number 1 of 1 is '1_0'"),
    "exponent": ("v.vec", b"1 1\na 1e\n", "line 2: number 1 of 1 is '1e'"),
    "point": ("v.vec", b"1 1\na .\n", "line 2: number 1 of 1 is '.'"),
    "nan": ("v.vec", b"2 2\na 1 2\nb nan 2\n", "line 3: number 1 of 2 is 'nan'"),
    "infinite": ("v.vec", b"1 1\na inf\n", "line 2: number 1 of 1 is 'inf'"),
    "too large": ("v.vec", b"1 1\na -3.5e38\n", "line 2: number 1 of 1, -3.5e38, is too large"),
    "far too large": ("v.vec", b"1 1\na 1e999999999999\n", "line 2: .* is too large"),
    "no word": ("v.vec", b"2 2\na 1 2\n 1 2\n", "line 3: the word is empty"),
    "blank line": ("v.vec", b"3 1\na 1\n\nb 1\n", "line 3: it is blank"),
    "zero bytes": ("v.vec", b"1 1\na 1\x00\n", "line 2: number 1 of 1"),
    "no vector": ("v.glove", b"a\nb\n", "line 1: there is no number after the word"),
    "uneven": ("v.glove", b"a 1 2\nb 1\n", "line 2: there are 1 numbers, not 2"),
    "one long line": ("v.glove", b"a" + b" 1" * 5000 + b"\n" * 5000 + b"b 1\n", "line 2: it is"),
    "binary, absurd": ("v.bin", b"99999999999 300\na 1\n", "do not fit into the 4 bytes"),
    "binary, cut off": ("v.bin", b"2 1\na 0000\nbbb 00", "offset 10: word 2 of 2 begins here, but"),
    "binary, more": ("v.bin", b"1 1\na 0000\nb 0000", "offset 10: 7 bytes are left after the 1"),
    "binary, no word": ("v.bin", b"1 1\n 000000", "left after the 1|offset 4: the word is empty"),
    "binary, nan": ("v.bin", b"1 1\na \x00\x00\xc0\x7f", "offset 4: the vector of 'a' holds"),
    "binary, long word": ("v.bin", b"1 1\n" + b"a" * 70_000 + b" 0000", "no word ends within"),
    "numbers alone": ("v.tsv", b"1\t2\n", "v.metadata.tsv: there is no such file"),
}  # fmt: skip
FORMS = {Path(name).suffix: form for form, name in NAMES.items()}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_refused(tmp_path: Path, scanner: str, case: str) -> None:
    name, content, message = MALFORMED[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(VectorsError, match=f"{name}|metadata") as caught:
        WordVectors.load(path, format=FORMS[path.suffix])
    caught.match(message)


@pytest.mark.parametrize(
    ("names", "numbers", "message"),
    [
        ("a\nb\n", "1\t2\n", "has 2 words, but .* has 1 rows"),
        ("a\nb\n", "1\t2\n3\n", "line 2: there are 1 numbers, not 2"),
        ("a\n\nb\n", "1\n2\n3\n", "line 2: the word is empty"),
        ("word\tcount\na\tx\n", "1\n", "line 2: the count is 'x'"),
        ("word\tcount\na\n", "1\n", "line 2: there are 1 columns, not 2"),
        ("a\n", "\n1\n", "line 1: there are no numbers|has 1 words"),
    ],
    ids=["rows", "numbers", "word", "count", "columns", "blank"],
)
def test_malformed_pairs_of_the_projector(
    tmp_path: Path, scanner: str, names: str, numbers: str, message: str
) -> None:
    (tmp_path / "v.tsv").write_text(numbers)
    (tmp_path / "v.metadata.tsv").write_text(names)
    with pytest.raises(VectorsError, match=message):
        WordVectors.load(tmp_path / "v.tsv", format="projector")


@pytest.mark.parametrize(
    ("array", "names", "message"),
    [
        (np.zeros((3, 2), np.float32), "a\nb\n", "has 2 words, but .* has 3 vectors"),
        (np.zeros(3, np.float32), "a\nb\nc\n", r"holds float32 of shape \(3,\)"),
        (np.zeros((3, 2), np.int32), "a\nb\nc\n", "holds int32"),
        (np.zeros((3, 0), np.float32), "a\nb\nc\n", "vectors are floats"),
        (np.zeros((2, 2), np.float32), "a\na\n", "v.vocab, line 2: the word 'a' was there"),
        (np.array([[{}]]), "a\n", "not a .npy file of numbers"),
    ],
    ids=["rows", "axes", "integers", "empty", "twice", "objects"],
)
def test_malformed_numpy_files(tmp_path: Path, array: np.ndarray, names: str, message: str) -> None:
    np.save(tmp_path / "v.npy", array, allow_pickle=True)
    (tmp_path / "v.vocab").write_text(names)
    with pytest.raises(VectorsError, match=message):
        WordVectors.load(tmp_path / "v.npy")


def bytes_of(*words: str) -> np.ndarray:
    return np.frombuffer("".join(words).encode(), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": np.ones(3)}, "holds weights; vectors of words are arrays called"),
        ({"word_ends": np.array([1, 2, 2])}, "word_ends does not rise to the end"),
        ({"word_ends": np.array([2, 1, 3])}, "word_ends does not rise"),
        ({"word_ends": np.array([1, 2, 3], np.int32)}, "word_ends int64"),
        ({"vectors": np.ones((2, 2), np.float32)}, "3 words with vectors of shape"),
        ({"vectors": np.ones((3, 2))}, "vectors is F64, not F32"),
        ({"counts": np.ones(3)}, "with counts of shape"),
        ({"words": bytes_of("aab")}, "row 1: the word 'a' was there before, at row 0"),
        ({"words": np.array([97, 255, 98], np.uint8)}, "row 1: the word .* is not UTF-8"),
    ],
    ids=["others", "short", "falling", "type", "rows", "width", "counts", "twice", "text"],
)
def test_malformed_safetensors_files(tmp_path: Path, arrays: dict, message: str) -> None:
    whole = {
        "vectors": np.ones((3, 2), np.float32),
        "words": bytes_of("a", "b", "c"),
        "word_ends": np.array([1, 2, 3]),
    }
    content = arrays if "weights" in arrays else {**whole, **arrays}
    write_tables(tmp_path / "v.safetensors", content, "some 1", {})
    with pytest.raises(VectorsError, match=message):
        WordVectors.load(tmp_path / "v.safetensors")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1], "b": [[1.0]]}, "expected one column of texts"),
        ({"a": ["x", "y"], "b": [[1.0], [1.0, 2.0]]}, "row 1: there must be 1 numbers"),
        ({"a": ["x", "y"], "b": [[1.0], None]}, "row 1: the b is missing"),
        ({"a": ["x", None], "b": [[1.0], [2.0]]}, "row 1: the a is missing"),
        ({"a": ["x", "y"], "b": [[1.0], [None]]}, "none missing"),
        ({"a": ["x", "x"], "b": [[1.0], [2.0]]}, "row 1: the word 'x' was there before"),
        ({"a": ["x", ""], "b": [[1.0], [2.0]]}, "row 1: the word is empty"),
        ({"a": ["x", "y"], "b": [[1.0], [np.nan]]}, "row 1: the vector of 'y' holds"),
        ({"a": ["x"], "b": [[1e300]]}, "row 0: the vector of 'x' holds"),
        ({"a": pa.array([], "string"), "b": pa.array([], pa.list_(pa.float32()))}, "no words"),
    ],
    ids=["types", "lengths", "list", "word", "number", "twice", "empty", "nan", "large", "none"],
)
def test_malformed_parquet_files(tmp_path: Path, columns: dict, message: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "v.parquet")
    with pytest.raises(VectorsError, match=message):
        WordVectors.load(tmp_path / "v.parquet")


@pytest.mark.parametrize("form", ["numpy", "safetensors", "parquet"])
@pytest.mark.parametrize("length", [9, 60, -1])
def test_files_that_were_cut_off(tmp_path: Path, form: str, length: int) -> None:
    path = tmp_path / NAMES[form]
    WordVectors(WORDS, table()).save(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(VectorsError, match=NAMES[form]):
        WordVectors.load(path, format=form)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00", "the file is damaged: it is gzip"),
        (b"hello, world\n", "none of the known forms"),
        (b"\x00\x01\x02", "none of the known forms"),
    ],
    ids=["gzip", "prose", "bytes"],
)
def test_unknown_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(VectorsError, match=message):
        WordVectors.load(tmp_path / "v")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(VectorsError, match="there is no such file"):
        WordVectors.load(tmp_path / "none.bin")
    with pytest.raises(VectorsError, match="is a directory"):
        WordVectors.load(tmp_path)
    with pytest.raises(VectorsError, match="its name does not say what to write"):
        WordVectors(WORDS, table()).save(tmp_path / "v.doc")
    with pytest.raises(VectorsError, match="there are no vectors to write"):
        WordVectors([], np.empty((0, 3))).save(tmp_path / "v.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("word", ["a\nb", "a\ud800", ""], ids=["newline", "surrogate", "empty"])
def test_words_that_no_text_can_hold(tmp_path: Path, form: str, word: str) -> None:
    vectors, path = WordVectors([word, "a"], np.ones((2, 3))), tmp_path / NAMES[form]
    if word == "a\nb" and form in ("safetensors", "parquet"):
        vectors.save(path)
        assert WordVectors.load(path).words == [word, "a"]
        return
    message = "word" if word else "the word of row 0 is empty, which no file .* leave it out"
    with pytest.raises(VectorsError, match=message):
        vectors.save(path)
    assert list(tmp_path.iterdir()) == []
