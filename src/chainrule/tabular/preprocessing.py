"""A table becomes an array of float32 features, the same way in training and in prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.tabular import columns as rules
from chainrule.tabular.columns import Column, infer_columns
from chainrule.tabular.encoders import (
    ENCODERS,
    Encoder,
    encoder_from_json,
    encoder_to_json,
)
from chainrule.tabular.errors import TableError, nearest_names, plural, quoted

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "chainrule-preprocessor"
VERSION = 1


@dataclass(frozen=True)
class Encoded:
    """Features, and what was noticed on the way to them.

    Attributes:
        inputs: rows x features, float32, C order, no NaN.
        notes: sentences about extra columns, unseen categories and unexpected blanks.
    """

    inputs: NDArray[np.float32]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Preprocessor:
    """What was learned from the training rows about turning a table into features.

    - numbers are standardised, clipped at 10 standard deviations, very skewed ones taken on a
      signed logarithmic scale first; blanks become the mean, and are marked in a feature of their
      own where the training rows have blanks;
    - booleans are 0 and 1;
    - categories are one-hot, rare and unseen ones "other", blanks a category of their own;
    - dates are points on the circles of month, week, year and day, with the year and a trend.

    Attributes:
        columns: every column that was looked at, with what became of it.
        encoders: one for each column that is used.
        target: the column that is predicted; it may be absent from tables given to `transform`.
    """

    columns: tuple[Column, ...]
    encoders: tuple[Encoder, ...]
    target: str | None = None

    @classmethod
    def fit(
        cls,
        table: pa.Table,
        target: str | None = None,
        *,
        categories: Sequence[str] = (),
        numbers: Sequence[str] = (),
        ignore: Sequence[str] = (),
    ) -> Preprocessor:
        """Learn the encoding from a table of training rows.

        Args:
            table: training rows only, so that nothing is learned from the others.
            target: the column to leave out.
            categories: columns to treat as categories.
            numbers: columns to treat as numbers though they look like identifiers.
            ignore: columns to leave out.

        Raises:
            TableError: an option names no column, or no column can be used.

        >>> import pyarrow as pa
        >>> table = pa.table({"carrier": ["UA", "UA", "AA", "AA"], "miles": [1, 2, 3, None],
        ...                   "late": [True, False, True, False]})
        >>> preprocessor = Preprocessor.fit(table, "late")
        >>> preprocessor.features
        ['carrier=AA', 'carrier=UA', 'miles', 'miles blank']
        >>> preprocessor.transform(table)[3].tolist()
        [1.0, 0.0, 0.0, 1.0]
        """
        described = infer_columns(
            table, target=target, categories=categories, numbers=numbers, ignore=ignore
        )
        columns, encoders = [], []
        for column in described:
            if column.used:
                values = rules.plain(table.column(column.name))
                encoder = ENCODERS[column.kind].fit(column.name, values)
                encoders.append(encoder)
                asked = " (as asked)" if column.name in (*categories, *numbers) else ""
                column = Column(
                    column.name, column.kind, encoder.sentence() + asked,
                    column.blanks, column.different,
                )  # fmt: skip
            columns.append(column)
        if not encoders:
            reasons = "; ".join(f"{quoted(column.name)}: {column.treatment}" for column in columns)
            raise TableError(f"there is no column to predict from ({reasons or 'only the target'})")
        return cls(tuple(columns), tuple(encoders), target)

    @property
    def features(self) -> list[str]:
        """The names of the features in order, each different from the others."""
        names: list[str] = []
        taken: set[str] = set()
        for encoder in self.encoders:
            for name in encoder.features:
                unique, copy = name, 2
                while unique in taken:
                    unique, copy = f"{name} ({copy})", copy + 1
                taken.add(unique)
                names.append(unique)
        return names

    def transform(self, table: pa.Table) -> NDArray[np.float32]:
        """Return the features of a table, rows x features. See `encode`."""
        return self.encode(table).inputs

    def encode(self, table: pa.Table) -> Encoded:
        """Return the features of a table with notes on what was unexpected in it.

        Args:
            table: the columns of training by name, in any order; others are noted and ignored.

        Raises:
            TableError: a column is missing, or holds values of another type than in training;
                the first such value and its row (counted from 1) are named.
        """
        encoders = self.encoders
        missing = [each.column for each in encoders if each.column not in table.column_names]
        if missing:
            raise TableError(
                f"the table lacks {plural(len(missing), 'column')} that the model was trained on: "
                f"{', '.join(quoted(name) for name in missing)}. "
                f"{nearest_names(missing[0], table.column_names)}"
            )
        known = {column.name for column in self.columns} | {self.target}
        extra = [name for name in table.column_names if name not in known]
        notes = []
        if extra:
            notes.append(
                f"{plural(len(extra), 'extra column')} ignored: "
                f"{', '.join(quoted(name) for name in extra[:8])}"
                f"{' …' if len(extra) > 8 else ''}"
            )
        widths = [len(encoder.features) for encoder in encoders]
        inputs = np.zeros((table.num_rows, sum(widths)), dtype=np.float32)
        start = 0
        for encoder, width in zip(encoders, widths, strict=True):
            values = rules.plain(table.column(encoder.column))
            notes += encoder.encode(values, inputs[:, start : start + width])
            start += width
        return Encoded(inputs, tuple(notes))

    def map_back(self, feature: str) -> str:
        """Return the column that a feature was made of.

        Raises:
            TableError: there is no such feature.

        >>> import pyarrow as pa
        >>> table = pa.table({"carrier": ["UA", "UA", "AA", "AA"]})
        >>> Preprocessor.fit(table).map_back("carrier=UA")
        'carrier'
        """
        features = self.features
        if feature not in features:
            raise TableError(
                f"there is no feature {quoted(feature)}. {nearest_names(feature, features)}"
            )
        place = features.index(feature)
        return next(
            column for column, where in self.slices().items() if where.start <= place < where.stop
        )

    def slices(self) -> dict[str, slice]:
        """Return, for each column that is used, where its features are."""
        slices, start = {}, 0
        for encoder in self.encoders:
            width = len(encoder.features)
            slices[encoder.column] = slice(start, start + width)
            start += width
        return slices

    def sum_by_column(self, attributions: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """Sum attributions of features, (..., features), into one (...) for each column."""
        values = np.asarray(attributions, dtype=np.float64)
        width = len(self.features)
        if values.shape[-1:] != (width,):
            raise TableError(
                f"attributions of shape {values.shape} do not end in the {width} features"
            )
        return {name: values[..., where].sum(axis=-1) for name, where in self.slices().items()}

    def to_json(self) -> dict[str, Any]:
        """Return everything as a dictionary of texts, numbers, lists and dictionaries."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "target": self.target,
            "columns": [asdict(column) for column in self.columns],
            "encoders": [encoder_to_json(encoder) for encoder in self.encoders],
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Preprocessor:
        """Return the preprocessor that `to_json` wrote down, exact to the last bit.

        Raises:
            TableError: the record is of another format or version, or damaged.
        """
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise TableError("this is not a saved preprocessing of chainrule")
        if record.get("version") != VERSION:
            raise TableError(
                f"the preprocessing was saved in version {record.get('version')}, "
                f"this chainrule reads version {VERSION}: use the chainrule that saved it"
            )
        try:
            columns = tuple(Column(**column) for column in record["columns"])
            encoders = tuple(encoder_from_json(encoder) for encoder in record["encoders"])
        except (KeyError, TypeError) as error:
            raise TableError(f"the saved preprocessing is damaged: {error}") from error
        return cls(columns, encoders, record.get("target"))
