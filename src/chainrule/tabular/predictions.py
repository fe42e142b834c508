"""Predictions: a label or a number for each row, probabilities beside it, and CSV of them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from chainrule.tabular.targets import decode_classes

PREDICTION = "prediction"


@dataclass(frozen=True)
class Predictions:
    """What a model says about the rows of a table.

    Attributes:
        values: rows x classes probabilities, or (rows,) numbers, float64.
        classes: the labels of the probabilities' columns; none where numbers are predicted.
        notes: sentences about what was unexpected in the table.
    """

    values: NDArray[np.float64]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The most probable class of each row; empty where numbers are predicted."""
        if not self.classes:
            return []
        return decode_classes(self.classes, self.values.argmax(axis=1))

    def rows(self) -> Iterator[list[str]]:
        """Each row as text: its label and probabilities, or its number.

        >>> list(Predictions(np.array([[0.25, 0.75]]), ("no", "yes")).rows())
        [['yes', '0.25', '0.75']]
        """
        if not self.classes:
            for number in self.values.tolist():
                yield [f"{number:.8g}"]
            return
        for label, shares in zip(self.labels, self.values.tolist(), strict=True):
            yield [label, *(f"{share:.6g}" for share in shares)]


def header(classes: Sequence[str]) -> list[str]:
    """The column names of the CSV, each different from the others.

    A class's column is named after it, control characters and runs of white space becoming one
    space; the words before it keep a spreadsheet from taking a label such as =A1 for a formula.

    >>> header(("no", "yes"))
    ['prediction', 'probability of no', 'probability of yes']
    >>> header(("a\\nb", "a b"))
    ['prediction', 'probability of a b', 'probability of a b (2)']
    """
    names = [PREDICTION]
    for label in classes:
        readable = re.sub(r"[\s\x00-\x1f\x7f]+", " ", label).strip() or "(empty)"
        name, copy = f"probability of {readable}", 2
        while name in names:
            name, copy = f"probability of {readable} ({copy})", copy + 1
        names.append(name)
    return names


def write_csv(
    stream: TextIO,
    batches: Iterator[Predictions],
    classes: Sequence[str],
    kept: Sequence[tuple[str, Sequence[str]]] = (),
) -> int:
    """Write predictions as CSV, batch by batch.

    Args:
        stream: opened with newline="".
        batches: consecutive rows.
        classes: the model's.
        kept: names and texts of columns to write before the predictions.

    Returns:
        How many rows were written.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(name for name, _ in kept), *header(classes)])
    count = 0
    for batch in batches:
        for row in batch.rows():
            writer.writerow([*(texts[count] for _, texts in kept), *row])
            count += 1
    return count
