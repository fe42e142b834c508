"""The column to predict: which task it sets, which label counts as positive, which rows count.

- Two different values: binary. Positive is the label asked for, otherwise the one that says yes
  (true, yes, y, t, 1, positive, on), otherwise the rarer, and of two equally rare the later in
  the alphabet.
- Text, or whole numbers of at most 20 different values each in 5 rows or more on average:
  multiclass, one class a value.
- Other numbers: regression. `task=` overrides.

Rows whose target is blank (or infinite) are left out and counted. A class with a single row can
not be both learned and tested: its row is left out and counted too, and with two classes it is an
error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from chainrule.tabular import columns as rules
from chainrule.tabular.errors import TableError, nearest_names, plural, quoted
from chainrule.tabular.values import as_numbers

if TYPE_CHECKING:
    import pyarrow as pa

Task = Literal["binary", "multiclass", "regression"]
POSITIVE_WORDS = ("true", "yes", "y", "t", "1", "positive", "on")
MAXIMUM_CLASSES = 100
NUMBERS_AS_CLASSES = 20
ROWS_A_CLASS = 5


@dataclass(frozen=True)
class Target:
    """The prepared target.

    Attributes:
        name: its column.
        task: "binary", "multiclass" or "regression".
        classes: the labels as text, in the order of the codes; binary: negative, then positive;
            regression: none.
        values: for each kept row its class (int64) or its number (float64).
        rows: the kept rows, as indices into the table, ascending (int64).
        notes: sentences on what was decided and what was left out.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    values: NDArray[np.int64] | NDArray[np.float64]
    rows: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def positive(self) -> str | None:
        """The label whose probability a binary model gives."""
        return self.classes[1] if self.task == "binary" else None


def prepare_target(
    table: pa.Table,
    name: str,
    *,
    task: Task | None = None,
    positive: str | None = None,
    maximum_classes: int = MAXIMUM_CLASSES,
) -> Target:
    """Decide the task and turn the target column into numbers.

    Args:
        table: the whole table.
        name: the target column.
        task: what to make of it, if not what the rules at the head of this module say.
        positive: the positive label of a binary task.
        maximum_classes: more classes than this are an error.

    Raises:
        TableError: no such column; only blanks, or one and the same value; too many classes; a
            binary class with a single row; values that do not fit `task` or `positive`.

    >>> import pyarrow as pa
    >>> target = prepare_target(pa.table({"late": ["no", "yes", None, "no", "yes"]}), "late")
    >>> target.task, target.classes, target.values.tolist(), target.rows.tolist()
    ('binary', ('no', 'yes'), [0, 1, 0, 1], [0, 1, 3, 4])
    """
    if name not in table.column_names:
        raise TableError(
            f"there is no target column {quoted(name)}. {nearest_names(name, table.column_names)}"
        )
    if task is not None and task not in get_args(Task):
        raise TableError(f"there is no task {quoted(task)}: use {', '.join(get_args(Task))}")
    values = rules.plain(table.column(name))
    kind = values.type
    if values.null_count == len(values):
        raise TableError(f"the target {quoted(name)} is blank in every row")
    if not (rules.is_number(kind) or rules.is_text(kind) or rules.is_boolean(values)):
        raise TableError(
            f"the target {quoted(name)} is of type {kind}: it must hold numbers or labels"
        )
    if task is None:
        task = _task_of(values)
    if task == "regression":
        if positive is not None:
            raise TableError(f"{quoted(name)} is a number to predict: it has no positive label")
        return _numbers(name, values)
    return _classes(name, values, task, positive, maximum_classes)


def _task_of(values: pa.ChunkedArray) -> Task:
    import pyarrow as pa
    import pyarrow.compute as compute

    different = compute.count_distinct(values, mode="only_valid").as_py()
    if different <= 2:
        return "binary"
    if not rules.is_number(values.type):
        return "multiclass"
    whole = not pa.types.is_duration(values.type)
    if whole and not pa.types.is_integer(values.type):
        numbers = as_numbers("", values)
        whole = bool((numbers == np.floor(numbers))[~np.isnan(numbers)].all())
    rows = len(values) - values.null_count
    few = different <= NUMBERS_AS_CLASSES and rows >= ROWS_A_CLASS * different
    return "multiclass" if whole and few else "regression"


def _numbers(name: str, values: pa.ChunkedArray) -> Target:
    numbers = as_numbers(name, values)
    rows = np.flatnonzero(np.isfinite(numbers))
    kept = numbers[rows]
    _refuse_constant(name, len(np.unique(kept)), kept[:1].tolist())
    notes = [f"{quoted(name)} is a number with many values: regression"]
    notes += _left_out(name, int(np.isnan(numbers).sum()), "blank")
    notes += _left_out(name, int(np.isinf(numbers).sum()), "infinite")
    return Target(name, "regression", (), kept, rows, tuple(notes))


def _classes(
    name: str, values: pa.ChunkedArray, task: Task, positive: str | None, maximum_classes: int
) -> Target:
    import pyarrow as pa

    coded = rules.as_text(values).combine_chunks().dictionary_encode()
    labels = [str(label) for label in coded.dictionary.to_pylist()]
    codes = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    notes = _left_out(name, int((codes < 0).sum()), "blank")
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    _refuse_constant(name, len(labels), labels)
    if task == "binary" and len(labels) != 2:
        raise TableError(
            f"the target {quoted(name)} has {len(labels)} different values, a binary task has 2"
        )
    if len(labels) > maximum_classes:
        number = rules.is_number(values.type)
        advice = 'give task="regression" if it is a quantity' if number else "is it a name?"
        raise TableError(
            f"the target {quoted(name)} has {len(labels)} classes, more than {maximum_classes}: "
            f"{advice}"
        )
    single = [place for place, count in enumerate(counts) if count == 1]
    if single:
        shown = ", ".join(quoted(labels[place]) for place in single[:3])
        if len(labels) - len(single) < 2:
            raise TableError(
                f"the target {quoted(name)}: {shown} is in a single row, "
                f"which cannot be both learned from and tested on"
            )
        codes[np.isin(codes, single)] = -1
        notes.append(
            f"{plural(len(single), 'row')} left out, each the only one of its class "
            f"in {quoted(name)} ({shown})"
        )
    kept = [place for place, count in enumerate(counts) if count > 1]
    if rules.is_number(values.type) and not pa.types.is_duration(values.type):
        kept.sort(key=lambda place: float(labels[place]))
    else:
        kept.sort(key=lambda place: labels[place])
    if len(kept) == 2:
        kept, why = _negative_then_positive(name, labels, counts, kept, positive)
        notes.insert(0, f"two classes; positive is {quoted(labels[kept[1]])} ({why})")
    elif positive is not None:
        raise TableError(
            f"{quoted(name)} has {len(kept)} classes: none of them is the positive one"
        )
    else:
        notes.insert(0, f"{len(kept)} classes: multiclass")
    new_code = np.full(len(labels) + 1, -1)
    new_code[kept] = np.arange(len(kept))
    recoded = new_code[codes]
    rows = np.flatnonzero(recoded >= 0)
    return Target(
        name,
        "binary" if len(kept) == 2 else "multiclass",
        tuple(labels[place] for place in kept),
        recoded[rows],
        rows,
        tuple(notes),
    )


def _negative_then_positive(
    name: str, labels: list[str], counts: NDArray[np.int64], pair: list[int], positive: str | None
) -> tuple[list[int], str]:
    """Order two classes, and say why the second is the positive one."""
    if positive is not None:
        chosen = [place for place in pair if labels[place] == str(positive)]
        if not chosen:
            names = " and ".join(quoted(labels[place]) for place in pair)
            raise TableError(
                f"the target {quoted(name)} has no label {quoted(positive)}: its labels are {names}"
            )
        why = "as asked"
    else:
        chosen = [place for place in pair if labels[place].strip().lower() in POSITIVE_WORDS]
        why = "by its name"
        if len(chosen) != 1:
            chosen = [max(pair, key=lambda place: (-counts[place], labels[place]))]
            why = "the rarer" if counts[pair[0]] != counts[pair[1]] else "the later in the alphabet"
    return [place for place in pair if place != chosen[0]] + chosen, why


def _refuse_constant(name: str, different: int, values: list[str] | list[float]) -> None:
    if different < 2:
        what = f"always {quoted(values[0])}" if values else "never a finite number"
        raise TableError(
            f"the target {quoted(name)} is {what}: there is nothing to tell apart. "
            f"Choose another target, or give a table in which it varies"
        )


def _left_out(name: str, count: int, what: str) -> list[str]:
    return [f"{plural(count, 'row')} left out: {quoted(name)} is {what}"] if count else []


def decode_classes(target_classes: tuple[str, ...], codes: NDArray[np.int64]) -> list[str]:
    """Return the labels of predicted classes.

    >>> decode_classes(("no", "yes"), np.array([1, 0]))
    ['yes', 'no']
    """
    return [target_classes[code] for code in codes]
