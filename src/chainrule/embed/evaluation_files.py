"""Files that say what people think of words: how similar two are, and which pairs are alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.embed.formats.plain import NUMBER
from chainrule.embed.vector_errors import VectorsError
from chainrule.files import check_file


@dataclass(frozen=True, eq=False)
class WordPairs:
    """Pairs of words with the similarity that people give them.

    Attributes:
        name: of the file.
        pairs: of words.
        scores: (pairs,) float64.
    """

    name: str
    pairs: Sequence[tuple[str, str]]
    scores: np.ndarray


@dataclass(frozen=True)
class Section:
    """Questions of one kind: a is to b as c is to d."""

    name: str
    questions: Sequence[tuple[str, str, str, str]]


def read_pairs(path: str | os.PathLike[str]) -> WordPairs:
    """Read a file of word similarities: WS-353, SimLex-999, RG-65, MEN and their kind.

    Columns are separated by tabs, commas, semicolons or spaces. The words are in the first two
    columns that are not numbers, the similarity is in the first one after them that is. A line with
    names of columns, blank lines and lines that begin with # are passed over.

    Raises:
        VectorsError: naming the line that is of another form.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "pairs.csv")
    >>> _ = path.write_text("Word 1,Word 2,Human (mean)\\nlove,sex,6.77\\ntiger,cat,7.35\\n")
    >>> read_pairs(path).pairs, read_pairs(path).scores.tolist()
    ([('love', 'sex'), ('tiger', 'cat')], [6.77, 7.35])
    """
    lines = [
        (number, line)
        for number, line in _lines(path)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise VectorsError(f"{path} holds no pairs of words")
    # The last line is no header.
    gap = next((each for each in "\t,;" if each in lines[-1][1]), None)
    rows = [(number, [field.strip() for field in line.split(gap)]) for number, line in lines]
    last = rows[-1][1]
    # A word may be a number too, 1984, but not most of a column.
    alike = [fields for _, fields in rows if len(fields) == len(last)]
    numeric = [
        2 * sum(map(_is_number, column)) > len(alike) - 1 for column in zip(*alike, strict=True)
    ]
    words = [column for column, number in enumerate(numeric) if not number][:2]
    if len(words) < 2 or True not in numeric:
        raise VectorsError(
            f"{path}, line {rows[-1][0]}: expected two words and a number, not {last!r}"
        )
    numbers = [column for column, number in enumerate(numeric) if number]
    score = next((column for column in numbers if column > words[1]), numbers[0])
    if len(rows[0][1]) <= score or not _is_number(rows[0][1][score]):
        rows = rows[1:]
    needed = max(*words, score) + 1
    for number, fields in rows:
        if len(fields) < needed or not _is_number(fields[score]):
            raise VectorsError(
                f"{path}, line {number}: expected words in the columns {words[0] + 1} and "
                f"{words[1] + 1} and a number in column {score + 1}, not {fields!r}"
            )
    pairs = [(fields[words[0]], fields[words[1]]) for _, fields in rows]
    return WordPairs(Path(path).name, pairs, np.array([float(f[score]) for _, f in rows]))


def read_analogies(path: str | os.PathLike[str]) -> list[Section]:
    """Read questions in the form of Google's: four words a line, ": name" begins a section.

    Raises:
        VectorsError: naming the line that is of another form.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "questions.txt")
    >>> _ = path.write_text(": family\\nboy girl king queen\\n")
    >>> read_analogies(path)
    [Section(name='family', questions=[('boy', 'girl', 'king', 'queen')])]
    """
    sections: list[tuple[str, list[tuple[str, str, str, str]]]] = []
    for number, line in _lines(path):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if fields[0].startswith(":"):
            sections.append((line.strip()[1:].strip(), []))
        elif len(fields) != 4:
            raise VectorsError(
                f"{path}, line {number}: a question has 4 words, but here are {len(fields)}"
            )
        else:
            if not sections:
                sections.append(("questions", []))
            sections[-1][1].append((fields[0], fields[1], fields[2], fields[3]))
    found = [Section(name, questions) for name, questions in sections if questions]
    if not found:
        raise VectorsError(f"{path} holds no questions")
    return found


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text.encode()) is not None


def _lines(path: str | os.PathLike[str]) -> list[tuple[int, str]]:
    """Numbered lines of a text file."""
    check_file(path, VectorsError)
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise VectorsError(f"{path}, line {line}: this is not UTF-8") from None
    return [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1)]
