"""A file on disk becomes a pyarrow table: CSV in its dialects and compressions, and Parquet."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from chainrule.tabular.errors import TableError, plural, quoted

if TYPE_CHECKING:
    import pyarrow as pa

CSV_ENDINGS = (".csv", ".tsv", ".tab", ".psv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4", ".xz": "xz"}
DELIMITERS = (",", ";", "\t", "|")
BLANKS = (
    "", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "Null", "?",
)  # fmt: skip
SNIFFED_BYTES = 1 << 18
BLOCK_BYTES = 1 << 22


def read_table(path: str | Path) -> pa.Table:
    """Read a CSV or Parquet file, compressed or not, into a pyarrow table.

    The kind is told by the file's ending: .csv, .tsv, .tab, .psv or .txt, each also followed by
    .gz, .bz2, .xz, .zst, .lz4 or .zip; .parquet or .pq. In a CSV file the first line is the
    header, the delimiter is found among comma, semicolon, tab and bar, blank lines are skipped,
    and the fields in `BLANKS` are nulls. Where the delimiter is not the comma, numbers written
    as 1,5 are read as 1.5. A column whose header is empty is named by its place ("column 1").

    Args:
        path: where the file is.

    Returns:
        The table, with at least one column and one row.

    Raises:
        TableError: the file is missing, a directory, empty, without rows, ragged, not in UTF-8,
            damaged, has two columns of one name, or has an ending not listed above.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "small.csv")
    ...     _ = path.write_text("carrier;delay\\nUA;1,5\\nAA;NA\\n")
    ...     read_table(path).to_pylist()
    [{'carrier': 'UA', 'delay': 1.5}, {'carrier': 'AA', 'delay': None}]
    """
    path = Path(path)
    kind, compression = _kind_of(path)
    if not path.exists():
        raise TableError(f"{path}: there is no such file")
    if path.is_dir():
        raise TableError(f"{path} is a directory: give the path of one CSV or Parquet file")
    try:
        if path.stat().st_size == 0:
            raise TableError(f"{path} is empty (0 bytes)")
        table = _read_parquet(path) if kind == "parquet" else _read_csv(path, compression)
    except PermissionError as error:
        raise TableError(f"{path} cannot be opened: permission denied") from error
    if table.num_columns == 0:
        raise TableError(f"{path} has no columns")
    if table.num_rows == 0:
        raise TableError(f"{path} has a header but no rows")
    return table


def _kind_of(path: Path) -> tuple[str, str | None]:
    """Tell from the ending what is in the file: ("csv" or "parquet", compression or None)."""
    endings = [ending.lower() for ending in path.suffixes]
    last = endings[-1] if endings else ""
    if last in PARQUET_ENDINGS:
        return "parquet", None
    if last in CSV_ENDINGS:
        return "csv", None
    if last in COMPRESSIONS or last == ".zip":
        if len(endings) > 1 and endings[-2] in CSV_ENDINGS:
            return "csv", COMPRESSIONS.get(last, "zip")
        inner = "Parquet compresses inside: leave the file as .parquet" if (
            len(endings) > 1 and endings[-2] in PARQUET_ENDINGS
        ) else f"name it like table.csv{last}"  # fmt: skip
        raise TableError(f"{path}: what is compressed in it cannot be told by its name; {inner}")
    advice = ""
    if last in (".xlsx", ".xls", ".ods"):
        advice = ". Save the sheet as CSV (UTF-8) first"
    raise TableError(
        f"{path}: the ending {quoted(last)} is not one that can be read "
        f"({', '.join(CSV_ENDINGS + PARQUET_ENDINGS)}; the CSV ones also with "
        f"{', '.join([*COMPRESSIONS, '.zip'])}){advice}"
    )


# ----- Parquet -----


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} is not a Parquet file, or is damaged: {error}") from error
    _check_names(path, table.column_names)
    return table


# ----- CSV -----


def _read_csv(path: Path, compression: str | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    head = _head_of(path, compression)
    _check_is_text(path, head)
    text = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode(head)
    if not text.strip():
        raise TableError(f"{path} is empty: it holds nothing but blank lines")
    delimiter = _delimiter_of(path, text)
    header = _first_record(text, delimiter)
    names = [name.strip() or f"column {place}" for place, name in enumerate(header, start=1)]

    read_options = arrow_csv.ReadOptions(block_size=BLOCK_BYTES)
    # Quoted fields may hold line ends; without this a block boundary may cut through one.
    parse_options = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert_options = arrow_csv.ConvertOptions(
        null_values=list(BLANKS),
        strings_can_be_null=True,
        decimal_point=_decimal_point(text, delimiter),
    )
    try:
        with _opened(path, compression) as stream:
            table = arrow_csv.read_csv(stream, read_options, parse_options, convert_options)
        names_read = table.column_names
    except UnicodeDecodeError as error:
        _explain_encoding(path, compression)
        raise TableError(f"{path} is not in UTF-8: {error}") from error
    except (pa.ArrowException, OSError, EOFError) as error:
        _explain_encoding(path, compression)
        _explain_ragged(path, compression, delimiter)
        raise TableError(f"{path} cannot be read as CSV: {error}") from error
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        _explain_encoding(path, compression)  # pyarrow leaves undecodable columns as bytes
    _check_names(path, names)
    if len(names_read) != len(names):
        _explain_ragged(path, compression, delimiter)
        raise TableError(f"{path}: its header cannot be read ({len(names_read)} columns found)")
    table = table.rename_columns(names)
    if table.num_rows and _last_row_has_line_end(table):
        _explain_open_quote(path, compression, delimiter)
    return table


@contextmanager
def _opened(path: Path, compression: str | None) -> Iterator[Any]:
    """Open the file's uncompressed bytes; errors of decompression become TableErrors."""
    import lzma
    import zipfile
    import zlib

    import pyarrow as pa

    try:
        if compression is None:
            with pa.OSFile(str(path)) as stream:
                yield stream
        elif compression == "xz":
            with lzma.open(path) as stream:
                yield stream
        elif compression == "zip":
            with zipfile.ZipFile(path) as archive:
                members = [name for name in archive.namelist() if not name.endswith("/")]
                if len(members) != 1:
                    raise TableError(
                        f"{path} holds {plural(len(members), 'file')}: unpack it and give one"
                    )
                with archive.open(members[0]) as stream:
                    yield stream
        else:
            with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, compression) as stream:
                yield stream
    except (lzma.LZMAError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise TableError(f"{path} is damaged or not {compression}-compressed: {error}") from error


def _head_of(path: Path, compression: str | None) -> bytes:
    try:
        with _opened(path, compression) as stream:
            parts = []
            missing = SNIFFED_BYTES
            while missing > 0 and (part := stream.read(missing)):
                parts.append(part)
                missing -= len(part)
    except OSError as error:
        how = f"damaged or not {compression}-compressed" if compression else "unreadable"
        raise TableError(f"{path} is {how}: {error}") from error
    return b"".join(parts)


def _check_is_text(path: Path, head: bytes) -> None:
    """Recognise by their first bytes the files whose name says CSV and whose content is not."""
    disguises = {
        b"PAR1": "a Parquet file: rename it to end in .parquet",
        b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as CSV",
        b"\x1f\x8b": "gzip-compressed: rename it to end in .csv.gz",
        b"BZh": "bzip2-compressed: rename it to end in .csv.bz2",
        b"\xfd7zXZ": "xz-compressed: rename it to end in .csv.xz",
        b"\x28\xb5\x2f\xfd": "Zstandard-compressed: rename it to end in .csv.zst",
    }
    for magic, advice in disguises.items():
        if head.startswith(magic) and (b"\0" in head[:64] or not _is_utf8(head[:64])):
            raise TableError(f"{path} is named as CSV, but its content is {advice}")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TableError(
            f"{path} is in UTF-16, not UTF-8 (byte offset 0, line 1). "
            f"Convert it: {_iconv(path, 'UTF-16')}"
        )


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter_of(path: Path, text: str) -> str:
    """Choose the delimiter under which the first records most often have as many fields as the
    header, and among equals the one that gives the most fields."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        counts = Counter(len(record) for record in _records(text, delimiter))
        fields = len(_first_record(text, delimiter))
        score = (counts[fields] / counts.total() if fields > 1 else 0.0, fields)
        # A lone agreeing header proves nothing where the rows below it never agree.
        if counts.total() > 1 and counts[fields] == 1:
            score = (score[0] / 2, fields)
        if score[0] > 0 and score > best_score:
            best, best_score = delimiter, score
    if best_score[0] == 0 and path.name.lower().split(".")[1:2] in (["tsv"], ["tab"]):
        return "\t"
    return best


def _records(text: str, delimiter: str, limit: int = 200) -> list[list[str]]:
    lines = text.splitlines(keepends=True)
    if len(text) >= SNIFFED_BYTES // 2 and len(lines) > 1:
        lines = lines[:-1]  # the head of a long file ends within a line
    records: list[list[str]] = []
    with _long_fields_allowed():
        reader = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter)
        for record in reader:
            if record:
                records.append(record)
            if len(records) == limit:
                break
    return records


def _first_record(text: str, delimiter: str) -> list[str]:
    with _long_fields_allowed():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return next((record for record in reader if record), [])


def _decimal_point(text: str, delimiter: str) -> str:
    """Tell whether numbers are written as 1,5: only where the comma delimits nothing."""
    if delimiter == ",":
        return "."
    fields = [field for record in _records(text, delimiter)[1:] for field in record]
    with_comma = any(re.fullmatch(r"[+-]?\d+,\d+", field) for field in fields)
    with_point = any(re.fullmatch(r"[+-]?\d+\.\d+", field) for field in fields)
    return "," if with_comma and not with_point else "."


def _check_names(path: Path, names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        places = [str(place) for place, name in enumerate(names, 1) if name == repeated[0]]
        raise TableError(
            f"{path}: the column name {quoted(repeated[0])} appears {len(places)} times "
            f"(columns {', '.join(places)}): rename all but one"
        )


def _last_row_has_line_end(table: pa.Table) -> bool:
    last = table.slice(table.num_rows - 1).to_pylist()[0]
    return any(isinstance(value, str) and "\n" in value for value in last.values())


# ----- Slow second looks, taken only to explain a failure -----


def _explain_encoding(path: Path, compression: str | None) -> None:
    """Raise a TableError that names the first byte that is not UTF-8; return if there is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line = 0, 1
    try:
        with _opened(path, compression) as stream:
            while True:
                chunk = stream.read(1 << 20)
                pending = decoder.getstate()[0]
                try:
                    decoder.decode(chunk, final=not chunk)
                except UnicodeDecodeError as error:
                    data = pending + chunk
                    at = offset - len(pending) + error.start
                    line += data.count(b"\n", 0, error.start)
                    raise TableError(
                        f"{path} is not in UTF-8: byte 0x{data[error.start]:02x} at byte offset "
                        f"{at} (line {line}). Convert it, if it is in the usual Western "
                        f"encoding: {_iconv(path, 'WINDOWS-1252')}"
                    ) from error
                line += (pending + chunk).count(b"\n") - decoder.getstate()[0].count(b"\n")
                offset += len(chunk)
                if not chunk:
                    return
    except OSError:
        return  # damaged compression: the caller's own message says so


def _iconv(path: Path, encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 {path.name} > utf8-{path.name}"


def _explain_ragged(path: Path, compression: str | None, delimiter: str) -> None:
    """Raise a TableError that names the first record with too many or too few fields."""
    expected: int | None = None
    with _parsed(path, compression, delimiter, strict=False) as reader:
        start = 1
        for record in reader:
            if record and expected is None:
                expected = len(record)
            elif record and len(record) != expected:
                hint = f"its fields are divided by {quoted_delimiter(delimiter)}"
                if reader.line_num - start > 20:
                    hint = (
                        f"the record runs on to line {reader.line_num}: "
                        f"a quotation mark is probably not closed"
                    )
                raise TableError(
                    f"{path}, line {start}: expected {plural(expected or 0, 'field')} as in the "
                    f"header, found {len(record)} ({hint}). "
                    f"Quote fields that contain the delimiter, or mend the line"
                )
            start = reader.line_num + 1


def _explain_open_quote(path: Path, compression: str | None, delimiter: str) -> None:
    """Raise a TableError if the last record ends inside a quoted field."""
    with _parsed(path, compression, delimiter, strict=True) as reader:
        start = 1
        try:
            for _ in reader:
                start = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise TableError(
                    f"{path}, line {start}: a quotation mark is opened in this record and never "
                    f"closed, so that the rest of the file would become one field"
                ) from error


def quoted_delimiter(delimiter: str) -> str:
    """Return the delimiter's name for a message.

    >>> quoted_delimiter("\\t"), quoted_delimiter(";")
    ('tabs', 'semicolons')
    """
    return {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}[delimiter]


@contextmanager
def _parsed(path: Path, compression: str | None, delimiter: str, strict: bool) -> Iterator[Any]:
    with _opened(path, compression) as stream, _long_fields_allowed():
        binary: IO[bytes] = io.BytesIO(stream.read())
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="")
        yield csv.reader(text, delimiter=delimiter, strict=strict)


@contextmanager
def _long_fields_allowed() -> Iterator[None]:
    before = csv.field_size_limit(1 << 30)
    try:
        yield
    finally:
        csv.field_size_limit(before)
