"""A trained network with all it needs to answer about a new table, in one file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from chainrule import functions, nn, train
from chainrule.nn.activations import ACTIVATIONS
from chainrule.tabular import columns as rules
from chainrule.tabular.errors import TableError, plural, quoted
from chainrule.tabular.files import check_writable
from chainrule.tabular.metrics import measure
from chainrule.tabular.predictions import Predictions
from chainrule.tabular.preprocessing import Preprocessor
from chainrule.tabular.targets import Target, Task
from chainrule.tabular.values import as_numbers

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "chainrule table model"
VERSION = 1
ROWS_AT_ONCE = 1 << 16
"""Rows that are encoded and predicted at a time: 30 MB of features where there are a hundred."""

MODULES = (nn.MLP, nn.Dense, nn.Dropout, *ACTIVATIONS.values())
"""The classes that a model file may be made of."""


@dataclass(frozen=True)
class TargetDescription:
    """What the network's outputs mean.

    Attributes:
        name: the target's column.
        task: "binary" (one output, the log-odds of the second class), "multiclass" (an output for
            each class, before softmax) or "regression" (one output, in units of `spread` from
            `centre`).
        classes: labels in the order of the probabilities; none for regression.
        centre, spread: mean and standard deviation of the target in the training rows.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    centre: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, target: Target, train_values: NDArray[Any]) -> TargetDescription:
        """Describe a prepared target, measured on its training rows."""
        if target.task != "regression":
            return cls(target.name, target.task, target.classes)
        spread = float(train_values.std())
        return cls(target.name, target.task, (), float(train_values.mean()), spread or 1.0)

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return len(self.classes) if self.task == "multiclass" else 1

    @property
    def loss(self) -> str:
        """The loss on the network's outputs, as `chainrule.train.fit` names it."""
        losses = {
            "binary": "bce_with_logits",
            "multiclass": "cross_entropy",
            "regression": "mse",
        }
        return losses[self.task]

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Class codes or numbers, (rows,), as what the loss compares the outputs with.

        >>> TargetDescription("miles", "regression", (), 2.0, 4.0).encode(np.array([6.0])).tolist()
        [[1.0]]
        """
        if self.task == "multiclass":
            return np.asarray(values, dtype=np.int64)
        scaled = (values - self.centre) / self.spread
        return np.asarray(scaled, dtype=np.float32)[:, np.newaxis]

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """The network's outputs as probabilities, rows x classes, or numbers, (rows,).

        >>> TargetDescription("late", "binary", ("no", "yes")).decode(np.array([[0.0]])).tolist()
        [[0.5, 0.5]]
        """
        outputs = np.asarray(outputs, dtype=np.float64)
        if self.task == "multiclass":
            return np.asarray(functions.softmax(outputs, axis=-1))
        if self.task == "binary":
            positive = functions.sigmoid(outputs[:, 0])
            return np.stack([1.0 - positive, positive], axis=1)
        return outputs[:, 0] * self.spread + self.centre


@dataclass(frozen=True, eq=False)
class TabularModel:
    """A network, the preprocessing before it and the meaning after it.

    Attributes:
        network: rows x features -> outputs.
        preprocessor: table -> features.
        target: outputs -> classes or numbers.
    """

    network: nn.Module
    preprocessor: Preprocessor
    target: TargetDescription

    def predict(self, table: pa.Table) -> Predictions:
        """Predict every row of a table.

        Args:
            table: the columns of training by name; others are noted and ignored.

        Raises:
            TableError: a column is missing, or holds values of another type than in training.
        """
        notes = self.notes(table)
        batches = [batch.values for batch in self.predict_batches(table)]
        values = np.concatenate(batches) if batches else self.predict_inputs(self._encoded(table))
        return Predictions(values, self.target.classes, notes)

    def predict_batches(self, table: pa.Table, rows: int = ROWS_AT_ONCE) -> Iterator[Predictions]:
        """Predict a table a number of rows at a time; for the notes, ask `notes` first."""
        for start in range(0, table.num_rows, rows):
            values = self.predict_inputs(self._encoded(table.slice(start, rows)))
            yield Predictions(values, self.target.classes)

    def predict_inputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities or numbers for features, rows x features."""
        if not len(inputs):
            return self.target.decode(np.zeros((0, self.target.outputs)))
        return self.target.decode(train.predict(self.network, inputs))

    def notes(self, table: pa.Table) -> tuple[str, ...]:
        """Look through a whole table, column by column, for what is unexpected in it.

        Returns:
            Sentences about extra columns, unseen categories and blanks.

        Raises:
            TableError: as `predict`; the row named is the table's, not a batch's.
        """
        notes = list(self.preprocessor.encode(table.slice(0, 0)).notes)
        for encoder in self.preprocessor.encoders:
            scratch = np.zeros((table.num_rows, len(encoder.features)), dtype=np.float32)
            notes += encoder.encode(rules.plain(table.column(encoder.column)), scratch)
        return tuple(notes)

    def _encoded(self, table: pa.Table) -> NDArray[np.float32]:
        return self.preprocessor.encode(table).inputs

    # ----- where the truth is known -----------------------------------------------------------

    def score(self, table: pa.Table, values: NDArray[np.float64]) -> Score | None:
        """Measure predictions of a table that has the target's column.

        Args:
            table: the rows predicted.
            values: as in `Predictions`.

        Returns:
            The metrics, or None where the table lacks the target or has it in no row.

        Raises:
            TableError: a number was predicted, and the target's column holds something else.
        """
        if self.target.name not in table.column_names:
            return None
        column = rules.plain(table.column(self.target.name))
        truth: NDArray[Any]
        unknown: dict[str, int] = {}
        if self.target.task == "regression":
            truth = as_numbers(self.target.name, column)
            usable = np.isfinite(truth)
        else:
            truth, unknown = self._codes(column)
            usable = truth >= 0
        if not usable.any():
            return None
        metrics = measure(self.target.task, truth[usable], values[usable])
        return Score(metrics, int(usable.sum()), unknown)

    def _codes(self, column: pa.ChunkedArray) -> tuple[NDArray[np.int64], dict[str, int]]:
        """The class of each row, -1 where it is blank or unknown, and the unknown labels."""
        coded = rules.as_text(column).combine_chunks().dictionary_encode()
        labels = [str(label) for label in coded.dictionary.to_pylist()]
        places = np.asarray(
            coded.indices.fill_null(len(labels)).to_numpy(zero_copy_only=False), dtype=np.int64
        )
        known = {label: code for code, label in enumerate(self.target.classes)}
        counts = np.bincount(places, minlength=len(labels) + 1)
        unknown = {
            label: int(counts[place]) for place, label in enumerate(labels) if label not in known
        }
        return np.array([known.get(label, -1) for label in labels] + [-1])[places], unknown

    # ----- files ------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write one `.safetensors` file: the arrays, and all else as JSON in its header.

        Raises:
            TableError: the file exists and `force` was not given, or its folder does not.
        """
        check_writable(path, force=force)
        extra = {
            "format": FORMAT,
            "version": VERSION,
            "target": asdict(self.target),
            "preprocessor": self.preprocessor.to_json(),
        }
        train.save(self.network, path, extra)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TabularModel:
        """Read a file that `save` wrote. No code is run that the file could name.

        Raises:
            TableError: the file is missing, damaged, something else, or of a newer version.
        """
        if Path(path).is_dir():
            raise TableError(f"{path} is a directory: give the path of a model that was saved")
        try:
            network, extra = train.load_with_extra(path, MODULES)
        except train.CheckpointError as error:
            if re.search(r"holds a chainrule model \d", str(error)):
                raise TableError(
                    f"{path} was written by a newer version of chainrule: upgrade chainrule"
                ) from error
            raise TableError(str(error)) from error
        if not isinstance(extra, Mapping) or extra.get("format") != FORMAT:
            raise TableError(
                f"{path} holds a network without the preprocessing of a table: "
                "only what `chainrule fit` has saved can predict the rows of one"
            )
        version = extra.get("version")
        if isinstance(version, int) and version > VERSION:
            raise TableError(
                f"{path} was written by a newer version of chainrule (format {version}, this one "
                f"reads up to {VERSION}): upgrade chainrule"
            )
        try:
            preprocessor = Preprocessor.from_json(extra["preprocessor"])
            target = _target_from_json(extra["target"])
        except (KeyError, TypeError, ValueError) as error:
            raise TableError(f"{path}: its header is damaged ({error!r})") from error
        except TableError as error:
            raise TableError(f"{path}: {error}") from error
        model = cls(network, preprocessor, target)
        model._check_widths(path)
        return model

    def _check_widths(self, path: str | os.PathLike[str]) -> None:
        """Run one row through, so that parts that do not belong together show at once."""
        inputs = np.zeros((1, len(self.preprocessor.features)), dtype=np.float32)
        try:
            outputs = np.shape(self.network(inputs))
        except (ValueError, TypeError, AttributeError) as error:
            raise TableError(f"{path}: its network is damaged ({error})") from error
        if outputs != (1, self.target.outputs):
            raise TableError(
                f"{path} is damaged: its network gives {plural(outputs[-1], 'output')}, "
                f"its target has {self.target.outputs}"
            )


@dataclass(frozen=True)
class Score:
    """Metrics as in `metrics.measure`, the rows they are of, and labels that no class has."""

    metrics: Mapping[str, float]
    rows: int
    unknown: Mapping[str, int]


def _target_from_json(record: Mapping[str, Any]) -> TargetDescription:
    target = TargetDescription(**{**record, "classes": tuple(record["classes"])})
    if target.task not in get_args(Task):
        raise TableError(f"the saved target has the unknown task {quoted(target.task)}")
    return target
