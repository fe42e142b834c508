"""Damaged files of word vectors: they are refused with a message, or read the same everywhere."""

import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.embed.formats import plain, rows
from chainrule.embed.vector_errors import VectorsError
from chainrule.embed.vectors import WordVectors
from chainrule.run import native

needs_core = pytest.mark.skipif(not native.available(), reason="the native core is not built")


def whole_file(name: str) -> dict[str, bytes]:
    """The files that make up one small table, by name."""
    with tempfile.TemporaryDirectory() as folder:
        vectors = np.array([[0.5, -1e-7, 3], [1, 2, 1e30], [0.1, 0, -5]], np.float32)
        WordVectors(["a", "bé", "c"], vectors, [3, 2, 1]).save(Path(folder, name))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


FILES = {
    form: whole_file(name)
    for form, name in {
        "word2vec": "v.txt",
        "word2vec-binary": "v.bin",
        "glove": "v.glove",
        "numpy": "v.npy",
        "safetensors": "v.safetensors",
        "parquet": "v.parquet",
        "projector": "v.tsv",
    }.items()
}


def damaged(data: st.DataObject, content: bytes) -> bytes:
    """The content with a few bytes taken out, put in, changed or cut off."""
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content)))
        piece = data.draw(st.binary(max_size=4) | st.sampled_from([b" ", b"\n", b"9", b"nan", b""]))
        length = data.draw(st.sampled_from([0, 1, 1, 4, 10_000]))
        content = content[:place] + piece + content[place + length :]
    return content


def outcome(path: Path, form: str | None) -> tuple[list[str], bytes] | str:
    """What is read, or how it is refused."""
    try:
        read = WordVectors.load(path, format=form)
    except VectorsError as error:
        assert str(path.parent) in str(error)
        return str(error)
    assert len(set(read.words)) == len(read.words) > 0
    assert "" not in read.words
    assert read.vectors.shape == (len(read.words), read.vector_size)
    return read.words, read.vectors.tobytes()


@pytest.mark.parametrize("form", FILES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_damage_is_refused_or_read(form: str, data: st.DataObject) -> None:
    names = sorted(FILES[form])
    broken = data.draw(st.sampled_from(names))
    known = data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as folder:
        for name, content in FILES[form].items():
            content = damaged(data, content) if name == broken else content
            Path(folder, name).write_bytes(content)
        path = Path(folder, next(n for n in names if "metadata" not in n and "vocab" not in n))
        found = outcome(path, form if known else None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "scanner", lambda: plain)
            assert outcome(path, form if known else None) == found


@needs_core
@given(
    content=st.text(st.sampled_from("ab1.-e \t\n\r"), max_size=60),
    size=st.integers(1, 3),
    with_words=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_lines_are_the_same_in_both_languages(content: str, size: int, with_words: bool) -> None:
    data = content.encode()
    results = []
    for scan in (plain, rows.scanner()):
        ends = np.full(80, -1, np.int64)
        count = scan.find_lines(data, 0, ends)
        starts = np.concatenate([[0], ends[:-1] + 1])[:count]
        table = np.zeros((count, size), np.float32)
        word_ends = np.zeros(count, np.int64)
        bad = scan.parse_lines(data, starts, ends[:count], with_words, word_ends, table)
        read = count if bad < 0 else bad
        results.append(
            (ends[:count].tolist(), bad, word_ends[:read].tolist(), table[:read].tolist())
        )
    assert results[0] == results[1]


def parsed(text: str) -> float:
    line = f"w {text}".encode()
    table, word_ends = np.empty((1, 1), np.float32), np.empty(1, np.int64)
    ends = np.array([len(line)])
    bad = rows.scanner().parse_lines(line, np.array([0]), ends, True, word_ends, table)
    assert (bad, word_ends[0]) == (-1, 1), text
    return float(table[0, 0])


def expected(text: str) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(float(text)))


@needs_core
@given(
    digits=st.text(st.sampled_from("0123456789"), min_size=1, max_size=30),
    point=st.integers(0, 30),
    exponent=st.integers(-80, 36),
    sign=st.sampled_from(["", "-", "+"]),
)
@settings(max_examples=150, deadline=None)
def test_numbers_are_those_of_python(digits: str, point: int, exponent: int, sign: str) -> None:
    text = f"{sign}{digits[:point]}.{digits[point:]}e{exponent}"
    if np.isfinite(expected(text)):
        assert struct.pack("f", parsed(text)) == struct.pack("f", expected(text))


@needs_core
@given(
    bits=st.integers(0, 0x7F7FFFFE),
    nudge=st.sampled_from(["", "0000000000000000000000001", "1"]),
    below=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_numbers_halfway_between_two_floats(bits: int, nudge: str, below: bool) -> None:
    low, high = (float(x) for x in np.array([bits, bits + 1], np.uint32).view(np.float32))
    middle = (low + high) / 2
    text = f"{np.nextafter(middle, 0) if below else middle:.150f}{nudge}"
    assert parsed(text) == expected(text)


@needs_core
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@settings(max_examples=100, deadline=None)
def test_shortest_texts_give_the_float_back(value: float) -> None:
    assert parsed(str(np.float32(value))) == value
    assert parsed(repr(value)) == value
