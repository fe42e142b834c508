"""The Embedding Projector's pair of .tsv files: numbers in one, words in the other."""

from __future__ import annotations

from pathlib import Path as FilePath

import numpy as np

from chainrule.embed.formats import rows
from chainrule.embed.formats.lines import read_numbers, texts_of
from chainrule.embed.formats.numpy_pair import read_words
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

# Names of the column of words, where there are several.
WORD_COLUMNS = ("word", "label", "name", "token")
# What stands for the numbers in a file's name, and is another word in that of the words.
NUMBERS = ("vectors", "tensor", "tensors")


def metadata_of(path: Path) -> FilePath:
    """The file of words that belongs to a file of numbers.

    >>> [metadata_of(name).name for name in ("vectors.tsv", "news_tensor.tsv", "news.tsv")]
    ['metadata.tsv', 'news_metadata.tsv', 'news.metadata.tsv']
    """
    place = FilePath(path)
    for ending in NUMBERS:
        if place.stem.endswith(ending):
            return place.with_name(place.stem.removesuffix(ending) + "metadata" + place.suffix)
    return place.with_name(f"{place.stem}.metadata{place.suffix}")


def read(path: Path, policy: Policy) -> VectorTable:
    """Read both files, given that of the numbers.

    Raises:
        VectorsError: naming the line, for what is of another form or does not fit.
    """
    names = metadata_of(path)
    words, counts, first = _metadata(names, policy, path)
    with mapped(path) as data:
        starts, ends = rows.find_lines(data, 0)
        if len(starts) != len(words):
            raise VectorsError(f"{names} has {len(words)} words, but {path} has {len(starts)} rows")
        if not len(starts):
            raise VectorsError(f"{path} holds no words")
        size = len(data[int(starts[0]) : int(ends[0])].split())
        if not size:
            raise VectorsError(f"{path}, line 1: there are no numbers")
        count = policy.rows(len(words))
        table, _ = read_numbers(path, data, starts[:count], ends[:count], size, False, 1)
    return checked_table(
        names,
        words[:count],
        table,
        None if counts is None else counts[:count],
        policy,
        lambda row: f"line {row + first}",
    )


def _metadata(
    path: FilePath, policy: Policy, numbers: Path
) -> tuple[list[str], np.ndarray | None, int]:
    """Words, counts where there are any, and the number of the first word's line."""
    lines = read_words(path, policy, numbers)
    if not lines or "\t" not in lines[0]:
        return lines, None, 1
    header = [name.strip().lower() for name in lines[0].split("\t")]
    table = [line.split("\t") for line in lines[1:]]
    for row, fields in enumerate(table):
        if len(fields) != len(header):
            raise VectorsError(
                f"{path}, line {row + 2}: there are {len(fields)} columns, not {len(header)}"
            )
    column = next((header.index(name) for name in WORD_COLUMNS if name in header), 0)
    words = [fields[column] for fields in table]
    if "count" not in header:
        return words, None, 2
    texts = [fields[header.index("count")] for fields in table]
    for row, text in enumerate(texts):
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise VectorsError(f"{path}, line {row + 2}: the count is {text!r}")
    return words, np.array([int(text) for text in texts], np.int64), 2


def write(path: Path, table: VectorTable) -> None:
    """Write both files, or none; the words have a header where there are counts."""
    check_words(path, table.words, "\t\n\r\0", "a .tsv file")
    with written_whole(metadata_of(path)) as file, written_whole(path) as numbers_file:
        if table.counts is None:
            file.writelines(f"{word}\n" for word in table.words)
        else:
            file.write("word\tcount\n")
            numbers = table.counts.tolist()
            file.writelines(f"{w}\t{n}\n" for w, n in zip(table.words, numbers, strict=True))
        for _, texts in texts_of(table.vectors, "\t"):
            numbers_file.writelines(f"{text}\n" for text in texts)
