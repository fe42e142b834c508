"""Compressed files of word vectors: read as they are, refused where they are damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.cli.main import main
from chainrule.embed.formats import unpacking
from chainrule.embed.vector_errors import VectorsError
from chainrule.embed.vectors import WordVectors


def zstd(data: bytes) -> bytes:
    compressed: bytes = pa.compress(data, "zstd", asbytes=True)
    return compressed


COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}
compressions = pytest.mark.parametrize("ending", COMPRESS)
READ = ["v.bin", "v.txt", "v.glove", "v.vec"]
WORDS = [f"w{place}" for place in range(200)]
TABLE = np.random.default_rng(0).normal(size=(200, 7)).astype(np.float32)


def packed(folder: Path, name: str, ending: str) -> Path:
    """A compressed file of the vectors above; the other one is not kept."""
    WordVectors(WORDS, TABLE).save(folder / name)
    path = folder / (name + ending)
    path.write_bytes(COMPRESS[ending]((folder / name).read_bytes()))
    (folder / name).unlink()
    return path


@compressions
@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("named", [True, False])
def test_what_was_compressed_is_read(name: str, ending: str, named: bool, tmp_path: Path) -> None:
    path = packed(tmp_path, name, ending)
    # Told by what it begins with, whatever it is called.
    path = path if named else path.rename(tmp_path / "download")
    found = WordVectors.load(path)
    assert found.words == WORDS
    np.testing.assert_array_equal(found.vectors, TABLE)
    assert WordVectors.load(path, limit=3).words == WORDS[:3]
    assert list(tmp_path.iterdir()) == [path]


def test_as_programs_written_for_gensim_do(tmp_path: Path) -> None:
    path = packed(tmp_path, "news.bin", ".gz")
    found = WordVectors.load_word2vec_format(path, binary=True, limit=50)
    np.testing.assert_array_equal(found.vectors, TABLE[:50])


def test_gzip_in_several_members(tmp_path: Path) -> None:
    # What pigz, bgzip and `cat a.gz b.gz` make.
    path = packed(tmp_path, "v.bin", ".gz")
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:999]) + gzip.compress(content[999:]))
    np.testing.assert_array_equal(WordVectors.load(path).vectors, TABLE)


def test_the_commands_read_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["similar", str(packed(tmp_path, "v.bin", ".xz")), "w7", "-n", "2"]) == 0
    assert capsys.readouterr().out.startswith("w7\n")


@compressions
@pytest.mark.parametrize("form", [None, "word2vec-binary"])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.999])
def test_an_archive_that_was_cut_off(
    share: float, form: str | None, ending: str, tmp_path: Path
) -> None:
    path = packed(tmp_path, "v.bin", ending)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(VectorsError, match=rf"v\.bin{ending}.*: the file is damaged: it is "):
        WordVectors.load(path, form)


def test_where_an_archive_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "CHUNK", 100)
    content = packed(tmp_path, "v.bin", ".gz")
    content.write_bytes(content.read_bytes()[:3000])
    with pytest.raises(VectorsError, match=r"offset \d+ of what it holds: .* ended before") as told:
        WordVectors.load(content, "word2vec-binary")
    assert 2000 < int(re.search(r"offset (\d+)", str(told.value))[1]) < 3500


@compressions
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
@settings(deadline=None, max_examples=40)
def test_any_damage_is_refused_or_harmless(
    ending: str, place: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = packed(tmp_path_factory.mktemp("damaged"), "v.bin", ending)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data)
    try:
        WordVectors.load(path)
    except VectorsError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.bin.gz", gzip.compress(b""), "v.bin.gz is empty, but for"),
        ("v.bin.gz", gzip.compress(b"hello, world\n"), "none of the known forms"),
        ("v.bin.gz", gzip.compress(b"2 3\nab " + bytes(12)), "do not fit into the 15 bytes"),
        ("v.txt.gz", gzip.compress(b"a 1 2\nb 1 x\n"), "line 2: number 2 of 2 is 'x'"),
        ("v.npy.gz", gzip.compress(b"\x93NUMPY"), "is numpy compressed with gzip: decompress it"),
        ("v.parquet.xz", lzma.compress(b"PAR1"), "is parquet compressed with xz: decompress it"),
        ("v.zip", b"PK\x03\x04", "is an archive of zip: take the file of vectors out of it"),
    ],
    ids=["empty", "prose", "short", "number", "numpy", "parquet", "zip"],
)
def test_what_is_no_vectors(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VectorsError, match=message):
        WordVectors.load(tmp_path / name)


def test_a_file_that_was_made_to_fill_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "UNSUSPICIOUS", 3 << 20)
    path = tmp_path / "bomb.bin.gz"
    path.write_bytes(gzip.compress(b"1000 1000\n" + bytes(8 << 20)))
    with pytest.raises(VectorsError, match="hold more than 100 times as many"):
        WordVectors.load(path)


@pytest.mark.skipif(os.name != "posix", reason="limits are set differently elsewhere")
def test_no_room_for_what_is_unpacked(tmp_path: Path) -> None:
    path = packed(tmp_path, "v.bin", ".gz")
    code = (
        "import resource, sys\n"
        "from chainrule.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "sys.exit(main(['similar', sys.argv[1], 'w1']))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert finished.returncode == 2, finished.stderr
    assert re.fullmatch(
        rf"error: {tmp_path}: file too large: what {path}\ holds, unpacked, needs about [\d,]+ "
        r"bytes there, and [\d,]+ are free; make room, or name a folder on another disk with "
        r"TMPDIR in the environment\n",
        finished.stderr,
    )
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_uncompressed_is_written_under_the_name_of_a_compressed_file(
    tmp_path: Path,
) -> None:
    vectors = WordVectors(WORDS, TABLE)
    with pytest.raises(VectorsError, match=r"not compressed when they .* call it .*\.bin"):
        vectors.save_word2vec_format(tmp_path / "v.bin.gz", binary=True)
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_what_is_compressed() -> None:
    assert unpacking.plain_name("a.b/news.VEC.GZ") == Path("a.b/news.VEC")
