"""Reading tables: dialects, compressions, round trips, and every bad file."""

from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.tabular.errors import TableError
from chainrule.tabular.reading import BLANKS, read_table

SMALL = b"carrier,miles\nUA,1400\nAA,1089\n"
SMALL_ROWS = [{"carrier": "UA", "miles": 1400}, {"carrier": "AA", "miles": 1089}]


def compressed(kind: str, data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, kind) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def zipped(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("ending", "data"),
    [
        (".csv", SMALL),
        (".CSV", SMALL),
        (".txt", SMALL),
        (".csv.gz", gzip.compress(SMALL)),
        (".csv.bz2", bz2.compress(SMALL)),
        (".csv.xz", lzma.compress(SMALL)),
        (".csv.zst", compressed("zstd", SMALL)),
        (".csv.lz4", compressed("lz4", SMALL)),
        (".csv.zip", zipped(("t.csv", SMALL))),
    ],
    # Compressed data hold the time of day: names made of them would differ between processes.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_compression_reads_alike(tmp_path: Path, ending: str, data: bytes) -> None:
    path = tmp_path / f"table{ending}"
    path.write_bytes(data)
    assert read_table(path).to_pylist() == SMALL_ROWS


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_dialects(tmp_path: Path, delimiter: str, mark: bytes, line_end: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(mark + SMALL.replace(b",", delimiter.encode()).replace(b"\n", line_end))
    assert read_table(path).to_pylist() == SMALL_ROWS


def test_a_delimiter_inside_quotes_does_not_mislead(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('name,n\n"a;b;c",1\n"d;e;f",2\n')
    assert read_table(path).column_names == ["name", "n"]


def test_one_column_of_text_with_commas_is_two_columns_only_if_the_header_says_so(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("n\n1\n2\n")
    assert read_table(path).to_pydict() == {"n": [1, 2]}


def test_blanks_types_and_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b;c\n1,5;2013-01-01 05:00:00;true\nNA;;?\n2;2013-01-02 05:00:00;N/A\n")
    rows = read_table(path).to_pydict()
    assert rows["a"] == [1.5, None, 2.0]
    assert rows["b"][0] == datetime.datetime(2013, 1, 1, 5)
    assert rows["b"][1] is None
    assert rows["c"] == [True, None, None]


def test_types_are_judged_by_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 1_500_000 + "1.5,x\n")
    table = read_table(path)
    assert table.schema.types == [pa.float64(), pa.string()]
    assert table.num_rows == 1_500_001


def test_a_nameless_column_is_named_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(',b\n1,"x\ny"\n2,z\n')
    assert read_table(path).to_pydict() == {"column 1": [1, 2], "b": ["x\ny", "z"]}


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.Table.from_pylist(SMALL_ROWS), path, compression="zstd")
    assert read_table(str(path)).to_pylist() == SMALL_ROWS


LATIN = "carrier,city\nUA,Z\u00fcrich\n".encode("latin-1")

BAD_FILES = [
    ("t.csv", b"", r"is empty \(0 bytes\)"),
    ("t.csv", b"\n\n  \n", "nothing but blank lines"),
    ("t.csv", b"a,b\n", "a header but no rows"),
    ("t.csv", b"a,b\n1,2\n3,4,5\n", r"line 3: expected 2 fields.*found 3"),
    ("t.csv", b"a,b\n1,2\n\n3\n", r"line 4: expected 2 fields.*found 1 "),
    ("t.csv", b'a,b\n"x\ny",2\n3,4,5\n', r"line 4: expected 2 fields"),
    ("t.csv", b'a,b\n1,2\n1,"never closed\n3,4\n5,6\n', r"line 3: a quotation mark.*never"),
    ("t.csv", b'a,b\n1,2\n"x,1\n' + b"3,4\n" * 50, r"line 3: .*not closed"),
    ("t.csv", LATIN, r"not in UTF-8: byte 0xfc at byte offset 17 \(line 2\).*iconv -f"),
    ("t.csv", b"a,\xe9\n1,2\n", r"byte 0xe9 at byte offset 2 \(line 1\)"),
    ("t.csv", b"a,b\n" + b"1,x\n" * 400_000 + b"1,\xff\n", r"offset 1600006 \(line 400002\)"),
    ("t.csv", "a,b\n1,2\n".encode("utf-16"), "is in UTF-16.*iconv -f UTF-16"),
    ("t.csv", b"a,b,a\n1,2,3\n", r'"a" appears 2 times \(columns 1, 3\)'),
    ("t.csv", gzip.compress(SMALL), "gzip-compressed: rename it to end in .csv.gz"),
    ("t.csv", zipped(("x", SMALL)), "zip archive or a spreadsheet"),
    ("t.csv.gz", SMALL, "damaged or not gzip"),
    ("t.csv.gz", gzip.compress(SMALL * 1000)[:60], "damaged or not gzip"),
    ("t.csv.xz", SMALL, "damaged or not xz"),
    ("t.csv.zip", SMALL, "damaged or not zip"),
    ("t.csv.zip", zipped(("a.csv", SMALL), ("b.csv", SMALL)), "holds 2 files"),
    ("t.parquet", SMALL, "not a Parquet file"),
    ("t.xlsx", SMALL, "Save the sheet as CSV"),
    ("t.json", SMALL, r'the ending "\.json" is not one'),
    ("table", SMALL, 'the ending "" is not one'),
    ("t.gz", SMALL, "name it like table.csv.gz"),
    ("t.parquet.gz", SMALL, "leave the file as .parquet"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "message"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_bad_files(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path)
    assert name in str(caught.value)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(TableError, match="is a directory"):
        read_table(tmp_path / "d.csv")


def test_duplicate_columns_of_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table([[1], [2]], names=["a", "a"]), path)
    with pytest.raises(TableError):
        read_table(path)


WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=8
).map(lambda text: "x" + text)
NUMBERS = st.one_of(st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[object]], str]:
    width = draw(st.integers(2, 4))
    names = draw(st.lists(WORDS.map(str.strip), min_size=width, max_size=width, unique=True))
    kinds = draw(st.lists(st.sampled_from([WORDS, NUMBERS]), min_size=width, max_size=width))
    cells = [st.one_of(st.none(), kind) for kind in kinds]
    rows = draw(st.lists(st.tuples(*cells).map(list), min_size=1, max_size=8))
    return names, rows, draw(st.sampled_from([",", "\t", ";", "|"]))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tables())
def test_random_tables_survive_the_round_trip(
    tmp_path: Path, drawn: tuple[list[str], list[list[object]], str]
) -> None:
    names, rows, delimiter = drawn
    path = tmp_path / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        # Everything quoted: then only the delimiter and the quotes carry structure.
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        writer.writerows([["NA" if cell is None else cell for cell in row] for row in rows])
    table = read_table(path)
    assert table.column_names == names
    assert table.num_rows == len(rows)
    for place, read in enumerate(table.columns):
        written = [row[place] for row in rows]
        for was, now in zip(written, read.to_pylist(), strict=True):
            if was is None or isinstance(was, str):
                assert now == was
            elif isinstance(now, str):
                assert float(now) == float(was)
            else:
                assert float(now) == float(was)


@pytest.mark.parametrize("blank", BLANKS)
def test_every_blank_is_null(tmp_path: Path, blank: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n{blank},1\n2,3\n")
    assert read_table(path).to_pydict() == {"a": [None, 2], "b": [1, 3]}
