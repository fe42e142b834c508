"""A .npy file with the numbers, mapped into memory, and a .vocab file beside it with the words."""

from __future__ import annotations

import os
import re
from pathlib import Path as FilePath

import numpy as np

from chainrule.embed.formats import rows
from chainrule.embed.formats.lines import BYTE_ORDER_MARK
from chainrule.embed.formats.table import (
    Path,
    Policy,
    VectorTable,
    check_words,
    checked_table,
    mapped,
)
from chainrule.embed.vector_errors import VectorsError
from chainrule.files import written_whole

# Rows that are written at a time.
BLOCK = 1 << 13
# What separates a word from its count: our tab, or word2vec's space.
COUNTED = re.compile(r"(.*)[\t ](\d{1,18})", re.DOTALL)


def vocabulary_of(path: Path) -> FilePath:
    """The file of words that belongs to a .npy file.

    >>> vocabulary_of("news.npy").name
    'news.vocab'
    """
    return FilePath(path).with_suffix(".vocab")


def read(path: Path, policy: Policy) -> VectorTable:
    """Read the words; the numbers stay in the file until they are used.

    Raises:
        VectorsError: where either file is missing or of another kind, or they do not fit.
    """
    with mapped(path):
        pass
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # A damaged header ends in whatever Python's tokeniser meets.
        raise VectorsError(
            f"{path} is not a .npy file of numbers: its header is damaged, it is cut off, or it "
            f"holds objects ({type(error).__name__})"
        ) from None
    if table.ndim != 2 or table.dtype.kind != "f" or 0 in table.shape:
        raise VectorsError(
            f"{path} holds {table.dtype} of shape {table.shape}; vectors are floats of shape "
            "(words, size)"
        )
    names = vocabulary_of(path)
    texts = read_words(names, policy, path)
    if len(texts) != len(table):
        raise VectorsError(f"{names} has {len(texts)} words, but {path} has {len(table)} vectors")
    words, counts = counted(texts)
    count = policy.rows(len(table))
    words, table = words[:count], table[:count]
    numbers = None if counts is None else np.array(counts[:count], np.int64)
    return checked_table(names, words, table, numbers, policy, lambda row: f"line {row + 1}")


def read_words(path: Path, policy: Policy, numbers: Path) -> list[str]:
    """The lines of a file, those that are blank at its end left out.

    Args:
        path: the file.
        policy: how it is read.
        numbers: the file whose words it holds.
    """
    if not os.path.exists(path):
        raise VectorsError(f"{path}: there is no such file, which holds the words of {numbers}")
    with mapped(path) as data:
        offset = len(BYTE_ORDER_MARK) if data[:3] == BYTE_ORDER_MARK else 0
        starts, ends = rows.find_lines(data, offset)
        texts = rows.decoded(path, data, starts, ends, policy.errors, lambda row: f"line {row + 1}")
    return [text.removesuffix("\r") for text in texts]


def counted(texts: list[str]) -> tuple[list[str], list[int] | None]:
    """Words and counts, where each line ends with a count; else the lines as words.

    >>> counted(["the\\t12", "new york\\t3"]), counted(["the 12", "york"])
    ((['the', 'new york'], [12, 3]), (['the 12', 'york'], None))
    """
    found = [COUNTED.fullmatch(text) for text in texts]
    if not all(found):
        return texts, None
    return [match[1] for match in found if match], [int(match[2]) for match in found if match]


def write(path: Path, table: VectorTable) -> None:
    """Write both files, or none: a word a line, a tab and its count where there are counts."""
    if FilePath(path).suffix != ".npy":
        raise VectorsError(f"{path}: give a name that ends with .npy")
    check_words(path, table.words, "\t\n\r\0", "a .vocab file")
    names = vocabulary_of(path)
    with written_whole(names) as file, written_whole(os.fspath(path), "wb") as numbers_file:
        if table.counts is None:
            ending = next((word for word in table.words if COUNTED.fullmatch(word)), None)
            if ending is not None and counted(table.words)[1] is not None:
                raise VectorsError(
                    f"{names}: every word ends with a number, as {ending!r} does, and would be "
                    "read as a count; Parquet and safetensors can hold them"
                )
            file.writelines(f"{word}\n" for word in table.words)
        else:
            numbers = table.counts.tolist()
            file.writelines(f"{w}\t{n}\n" for w, n in zip(table.words, numbers, strict=True))
        # NumPy's own function would not say why a disk takes no more.
        header = {"descr": "<f4", "fortran_order": False, "shape": table.vectors.shape}
        np.lib.format.write_array_header_1_0(numbers_file, header)
        for first in range(0, len(table.words), BLOCK):
            block = np.ascontiguousarray(table.vectors[first : first + BLOCK], "<f4")
            numbers_file.write(block.data)
