"""Files that hold words with their vectors: which form one has, and one module for each form."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path as FilePath
from typing import Any

from chainrule.embed.formats.table import Path, Policy, VectorTable, mapped
from chainrule.embed.formats.unpacking import beginning, kind_of, plain_name
from chainrule.embed.vector_errors import VectorsError

# The module of each form.
FORMATS = {
    "word2vec": "word2vec_text",
    "word2vec-binary": "word2vec_binary",
    "glove": "glove_text",
    "fasttext": "fasttext_vec",
    "numpy": "numpy_pair",
    "safetensors": "safe_tensors",
    "parquet": "parquet",
    "projector": "projector",
}
# What a file is written as, by the end of its name.
ENDINGS = {
    ".txt": "word2vec",
    ".w2v": "word2vec",
    ".bin": "word2vec-binary",
    ".glove": "glove",
    ".vec": "fasttext",
    ".npy": "numpy",
    ".safetensors": "safetensors",
    ".parquet": "parquet",
    ".tsv": "projector",
}
# Read from a compressed file too; the others are taken in parts, from wherever they lie.
UNPACKED = ("word2vec", "word2vec-binary", "glove", "fasttext")
# Where forms of text are told apart, within the first line or two.
LOOKED_AT = 1 << 20


def read(path: Path, form: str | None, policy: Policy) -> VectorTable:
    """Read a file in a form that is given or found; it may be compressed where it is one of text,
    or word2vec's binary one.

    Raises:
        VectorsError: for a file that is compressed and of another form.
    """
    form = form or found_form(path)
    module = _module(form)
    if form not in UNPACKED and FilePath(path).is_file() and (kind := kind_of(path)):
        raise VectorsError(f"{path} is {form} compressed with {kind}: decompress it first")
    table: VectorTable = module.read(path, policy)
    return table


def form_named(path: Path, otherwise: str = "") -> str:
    """The form that the end of a file's name stands for.

    Args:
        path: the name.
        otherwise: what else can be done where it stands for none.

    Raises:
        VectorsError: where it stands for none.

    >>> form_named("news.vec")
    'fasttext'
    """
    ending = FilePath(path).suffix.lower()
    if ending not in ENDINGS:
        raise VectorsError(
            f"{path}: its name does not say what to write; let it end with one of "
            f"{', '.join(ENDINGS)}{otherwise}"
        )
    return ENDINGS[ending]


def files_of(path: Path) -> list[FilePath]:
    """All files that ``write`` makes for this name: one, or two for a pair.

    >>> [file.name for file in files_of("news.npy")]
    ['news.npy', 'news.vocab']
    """
    form = form_named(path)
    if form == "numpy":
        return [FilePath(path), _module(form).vocabulary_of(path)]
    if form == "projector":
        return [FilePath(path), _module(form).metadata_of(path)]
    return [FilePath(path)]


def write(path: Path, form: str | None, table: VectorTable) -> None:
    """Write a file in a form that is given, or that its name ends with."""
    if form is None:
        form = form_named(path, ", or give format=")
    if not len(table.words) or not table.vectors.shape[1]:
        raise VectorsError(f"{path}: there are no vectors to write")
    if plain_name(path) != FilePath(path):
        raise VectorsError(
            f"{path}: vectors are not compressed when they are written; call it {plain_name(path)}"
        )
    _module(form).write(path, table)


def _module(form: str) -> Any:
    if form not in FORMATS:
        raise VectorsError(f"format={form!r} is not one of {', '.join(FORMATS)}")
    return import_module(f"{__name__}.{FORMATS[form]}")


def found_form(path: Path) -> str:
    """The form of a file, by what it begins with.

    Raises:
        VectorsError: for a form that is not known, or a file that is damaged.
    """
    from chainrule.embed.formats.lines import SIZES
    from chainrule.embed.formats.plain import NUMBER

    if FilePath(path).is_file() and kind_of(path):
        head, size = beginning(path, LOOKED_AT), sys.maxsize
    else:
        with mapped(path) as data:
            head, size = data[:LOOKED_AT], len(data)
    if head.startswith(b"PK\x03\x04"):
        raise VectorsError(f"{path} is an archive of zip: take the file of vectors out of it first")
    if head.startswith(b"\x93NUMPY"):
        return "numpy"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return "safetensors"
    first, _, rest = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    fields = first.split()
    if plain_name(path).suffix.lower() == ".tsv" and all(map(NUMBER.fullmatch, fields)):
        return "projector"
    if SIZES.fullmatch(first) and len(first) < 100:
        line = rest.partition(b"\n")[0].rstrip(b"\r").replace(b"\t", b" ")
        # Floats as bytes have zeros or other control characters in them, or are no numbers.
        text = not re.search(rb"[\x00-\x1f]", line) and any(
            NUMBER.fullmatch(field) for field in line.split()[1:]
        )
        if not text:
            return "word2vec-binary"
        return "fasttext" if plain_name(path).suffix == ".vec" else "word2vec"
    if len(fields) > 1 and NUMBER.fullmatch(fields[-1]):
        return "glove"
    raise VectorsError(
        f"{path} is none of the known forms ({', '.join(FORMATS)}): it begins with {head[:20]!r}"
    )
