"""Rows apart for training, validation and test: at random, by whole groups, or by time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.tabular import columns as rules
from chainrule.tabular.errors import TableError, nearest_names, plural, quoted
from chainrule.tabular.values import as_numbers, as_seconds

if TYPE_CHECKING:
    import pyarrow as pa

FRACTIONS = (0.64, 0.16, 0.20)
PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Rows of each part, as ascending indices (int64), and a sentence on how they were chosen."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    description: str

    @property
    def sizes(self) -> dict[str, int]:
        """Rows in each part."""
        return dict(
            zip(PARTS, (len(self.train), len(self.validation), len(self.test)), strict=True)
        )


def split_rows(
    count: int,
    *,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    classes: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    order: ArrayLike | None = None,
) -> Split:
    """Split `count` rows; the same seed gives the same split.

    Args:
        count: how many rows.
        seed: of the shuffle; a chronological split has none.
        fractions: of training, validation and test rows; their sum is 1.
        classes: (count,) whole numbers; each part gets its share of every class, and the training
            rows at least one of each.
        groups: (count,) values; rows of one group stay together. Not stratified.
        order: (count,) numbers; the first rows train, the last test. Rows of one number stay
            together, so that nothing is tested at a moment that was trained on.

    Raises:
        TableError: the fractions are no fractions, an argument has another length, groups and
            order are both given, or a part would be empty.

    >>> split_rows(100).sizes
    {'training': 64, 'validation': 16, 'test': 20}
    >>> split_rows(10, order=range(10), fractions=(0.5, 0.2, 0.3)).test.tolist()
    [7, 8, 9]
    """
    fractions = _checked(fractions)
    if groups is not None and order is not None:
        raise TableError("a split is either by group or in order of a column, not both")
    for name, given in (("classes", classes), ("groups", groups), ("order", order)):
        if given is not None and np.shape(given) != (count,):
            raise TableError(f"{name} has shape {np.shape(given)}, expected ({count},)")
    generator = np.random.default_rng(seed)
    if order is not None:
        part = _in_order(np.asarray(order), fractions)
        how = "in order: the first rows train, the last are the test"
    elif groups is not None:
        part = _by_group(np.asarray(groups), fractions, generator)
        how = f"whole groups at random (seed {seed})"
    elif classes is not None:
        part = _stratified(np.asarray(classes), fractions, generator)
        how = f"at random (seed {seed}), each class shared out alike"
    else:
        part = np.empty(count, dtype=np.int64)
        part[generator.permutation(count)] = _ranks_to_parts(count, fractions)
        how = f"at random (seed {seed})"
    train, validation, test = (np.flatnonzero(part == place) for place in range(3))
    split = Split(train, validation, test, how)
    empty = [
        name for (name, size), fraction in zip(split.sizes.items(), fractions, strict=True)
        if size == 0 and fraction > 0
    ]  # fmt: skip
    if empty:
        raise TableError(
            f"{plural(count, 'row')} cannot be split {_percentages(fractions)}: "
            f"no rows are left for {' and '.join(empty)}"
            + (". There are too few groups or moments" if groups is not None or order is not None
               else ". Give more rows")
        )  # fmt: skip
    return split


def split_table(
    table: pa.Table,
    *,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    classes: ArrayLike | None = None,
    group_by: str | None = None,
    order_by: str | None = None,
) -> Split:
    """Split the rows of a table, where asked by the values of one of its columns.

    Args:
        table: only its number of rows and the column asked for are looked at.
        seed, fractions, classes: as in `split_rows`.
        group_by: a column; rows with one value stay together, blanks being one value.
        order_by: a column of numbers or dates to split in the order of.

    Raises:
        TableError: as in `split_rows`; no such column; blanks in the column to order by.

    >>> import pyarrow as pa
    >>> table = pa.table({"day": [1, 1, 2, 2, 3, 3, 4, 4]})
    >>> split = split_table(table, group_by="day", fractions=(0.5, 0.25, 0.25))
    >>> [len(set(table["day"].take(rows).to_pylist())) for rows in (split.train, split.test)]
    [2, 1]
    """
    for name in (group_by, order_by):
        if name is not None and name not in table.column_names:
            raise TableError(
                f"there is no column {quoted(name)} to split by. "
                f"{nearest_names(name, table.column_names)}"
            )
    groups = None if group_by is None else group_codes(table.column(group_by))
    order = None if order_by is None else _order_values(order_by, table.column(order_by))
    split = split_rows(
        table.num_rows, seed=seed, fractions=fractions, classes=classes, groups=groups, order=order
    )
    asked = group_by or order_by
    if asked is None:
        return split
    described = f"{split.description}, by {quoted(asked)}"
    return Split(split.train, split.validation, split.test, described)


def group_codes(values: pa.ChunkedArray) -> NDArray[np.int64]:
    """Number the different values of a column, (rows,); blanks are one value."""
    coded = rules.plain(values).combine_chunks().dictionary_encode()
    filled = coded.indices.fill_null(len(coded.dictionary))
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.int64)


def _order_values(name: str, values: pa.ChunkedArray) -> NDArray[np.float64]:
    values = rules.plain(values)
    dated = rules.is_date(values.type) or rules.is_text(values.type)
    numbers = as_seconds(name, values) if dated else as_numbers(name, values)
    blanks = np.flatnonzero(np.isnan(numbers))
    if len(blanks):
        raise TableError(
            f"the column to order by, {quoted(name)}, is blank in {plural(len(blanks), 'row')} "
            f"(first in row {blanks[0] + 1}): fill them or leave these rows out"
        )
    return numbers


def _checked(fractions: Sequence[float]) -> tuple[float, ...]:
    given = tuple(float(fraction) for fraction in fractions)
    if len(given) != 3 or min(given) < 0 or not math.isclose(sum(given), 1.0, abs_tol=1e-6):
        raise TableError(
            f"the fractions {given} are not three shares of 1 for training, validation and test"
        )
    if given[0] == 0:
        raise TableError("the fraction of training rows is 0: nothing could be learned")
    return given


def _percentages(fractions: Sequence[float]) -> str:
    return "/".join(f"{100 * fraction:.4g}" for fraction in fractions)


def _ranks_to_parts(count: int, fractions: Sequence[float]) -> NDArray[np.int64]:
    """Return 0, 1 or 2 for each of `count` ranks, in the proportions asked for."""
    ends = np.rint(np.cumsum(fractions)[:2] * count)
    return np.searchsorted(ends, np.arange(count), side="right")


def _stratified(
    classes: NDArray[np.int64], fractions: Sequence[float], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Share out each class alike: rounding is carried from class to class, so that the whole
    keeps its proportions however small the classes."""
    shuffled = generator.permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    sorted_classes = classes[by_class]
    part = np.empty(len(classes), dtype=np.int64)
    starts = np.flatnonzero(np.r_[True, sorted_classes[1:] != sorted_classes[:-1]])
    wanted, given = np.zeros(3), np.zeros(3)
    for start, stop in zip(starts, [*starts[1:], len(classes)], strict=True):
        size = stop - start
        wanted += size * np.asarray(fractions)
        held_out = np.clip(np.rint(wanted - given), 0, None)[1:].astype(int)
        held_out[1] = min(held_out[1], size - 1)
        held_out[0] = min(held_out[0], size - 1 - held_out[1])
        shares = np.array([size - held_out.sum(), *held_out])
        given += shares
        part[by_class[start:stop]] = np.repeat(np.arange(3), shares)
    return part


def _by_group(
    groups: NDArray[np.int64], fractions: Sequence[float], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Shuffle the groups and deal them out whole."""
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shuffled = generator.permutation(len(sizes))
    part_of_group = np.empty(len(sizes), dtype=np.int64)
    part_of_group[shuffled] = _parts_in_sequence(sizes[shuffled], fractions)
    return part_of_group[codes]


def _in_order(order: NDArray[np.float64], fractions: Sequence[float]) -> NDArray[np.int64]:
    _, codes, sizes = np.unique(order, return_inverse=True, return_counts=True)
    return _parts_in_sequence(sizes, fractions)[codes]


def _parts_in_sequence(sizes: NDArray[np.int64], fractions: Sequence[float]) -> NDArray[np.int64]:
    """Give each of a sequence of groups to the part in which its middle row falls, and each part
    that was asked for at least one group, if there are three."""
    middles = np.cumsum(sizes) - sizes / 2
    first, second = np.searchsorted(middles, np.cumsum(fractions)[:2] * sizes.sum())
    if len(sizes) >= 3 and min(fractions) > 0:
        first = min(max(first, 1), len(sizes) - 2)
        second = min(max(second, first + 1), len(sizes) - 1)
    part: NDArray[np.int64] = np.searchsorted([first, second], np.arange(len(sizes)), side="right")
    return part
