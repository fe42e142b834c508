"""How one column becomes features: an encoder for each kind, fitted on the training rows.

An encoder is a small immutable record of plain numbers and texts, so that it can be saved as JSON
and read back without running code. It answers three questions: which features it makes, what a
column of values becomes, and what it would like the reader to know about that column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.tabular import columns as rules
from chainrule.tabular.dates import DateEncoder
from chainrule.tabular.errors import TableError, plural, quoted
from chainrule.tabular.scaling import Scale, dictionary_codes, mark_blanks
from chainrule.tabular.values import as_numbers

if TYPE_CHECKING:
    import pyarrow as pa

REMEMBERED_RARE = 10_000
"""Rare categories that are saved by name, so that at prediction only new ones are reported."""

SKEWED_ABOVE = 3.0
"""Skewness beyond which a number is measured on the signed logarithmic scale, if that helps."""


@dataclass(frozen=True)
class NumberEncoder:
    """A number: standardised, after a signed logarithm where the values are very skewed.

    The signed logarithm of x is sign(x)·log(1 + |x|/unit), `unit` the median size of the values
    that are not 0. It is taken where the skewness exceeds 3 and falls by it.
    """

    kind: ClassVar[str] = "number"
    column: str
    scale: Scale
    unit: float | None
    marks_blanks: bool

    @classmethod
    def fit(cls, column: str, values: pa.ChunkedArray) -> NumberEncoder:
        """Measure the values of the training rows."""
        numbers = as_numbers(column, values)
        blanks = bool(np.isnan(numbers).any())
        finite = numbers[np.isfinite(numbers)]
        unit = None
        sizes = np.abs(finite[finite != 0])
        if abs(_skewness(finite)) > SKEWED_ABOVE and len(sizes):
            median = float(np.median(sizes))
            logarithms = _signed_logarithm(finite, median)
            if abs(_skewness(logarithms)) < abs(_skewness(finite)):
                unit, finite = median, logarithms
        return cls(column, Scale.of(finite), unit, blanks)

    @property
    def features(self) -> list[str]:
        """The names of the features it makes."""
        return [self.column] + [f"{self.column} blank"] * self.marks_blanks

    def encode(self, values: pa.ChunkedArray, out: NDArray[np.float32]) -> list[str]:
        """Fill `out`, rows x features, and return notes for the reader."""
        numbers = as_numbers(self.column, values)
        blank = np.isnan(numbers)
        if self.unit is not None:
            numbers = _signed_logarithm(numbers, self.unit)
        out[:, 0] = self.scale.apply(numbers)
        return mark_blanks(self.column, blank, self.marks_blanks, out)

    def sentence(self) -> str:
        """Say in words what becomes of the column."""
        how = "number: standardised"
        if self.unit is not None:
            how += ", after a signed logarithm because it is very skewed"
        return how + ("; blanks become the mean and are marked" if self.marks_blanks else "")


@dataclass(frozen=True)
class BooleanEncoder:
    """A boolean: 0 and 1; a blank becomes the mean of the training rows."""

    kind: ClassVar[str] = "boolean"
    column: str
    words: tuple[str, str] | None
    mean: float
    marks_blanks: bool

    @classmethod
    def fit(cls, column: str, values: pa.ChunkedArray) -> BooleanEncoder:
        """Find the words for false and true, and the mean."""
        words = rules.boolean_words(values) if rules.is_text(values.type) else None
        unfilled = cls(column, words, 0.0, False)
        numbers = unfilled._numbers(values)
        blank = np.isnan(numbers)
        return cls(column, words, float(numbers[~blank].mean()), bool(blank.any()))

    @property
    def features(self) -> list[str]:
        """The names of the features it makes."""
        return [self.column] + [f"{self.column} blank"] * self.marks_blanks

    def encode(self, values: pa.ChunkedArray, out: NDArray[np.float32]) -> list[str]:
        """Fill `out`, rows x features, and return notes for the reader."""
        numbers = self._numbers(values)
        blank = np.isnan(numbers)
        out[:, 0] = np.where(blank, self.mean, numbers)
        return mark_blanks(self.column, blank, self.marks_blanks, out)

    def sentence(self) -> str:
        """Say in words what becomes of the column."""
        how = f"boolean: {self.words[0]} 0, {self.words[1]} 1" if self.words else "boolean: 0 and 1"
        return how + ("; blanks become the mean and are marked" if self.marks_blanks else "")

    def _numbers(self, values: pa.ChunkedArray) -> NDArray[np.float64]:
        import pyarrow as pa
        import pyarrow.compute as compute

        values = rules.plain(values)
        meanings = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}
        if self.words:
            meanings |= {self.words[0]: 0.0, self.words[1]: 1.0}
        coded = rules.as_text(values).combine_chunks().dictionary_encode()
        words = [str(word).strip().lower() for word in coded.dictionary.to_pylist()]
        wrong = [place for place, word in enumerate(words) if word not in meanings]
        if wrong:
            at = compute.is_in(coded.indices, value_set=pa.array(wrong, coded.indices.type))
            row = compute.index(at, True).as_py()
            expected = " or ".join(self.words or ("false", "true"))
            raise TableError(
                f"column {quoted(self.column)}: expected {expected}, "
                f"found {quoted(coded[row].as_py())} in row {row + 1}"
            )
        table = np.array([meanings[word] for word in words] + [np.nan])
        return table[dictionary_codes(coded.indices, len(words))]


@dataclass(frozen=True)
class CategoryEncoder:
    """A category: a column of 0 and 1 for each frequent value, for "other", for blanks.

    "other" is there if the training rows had rare values, "(blank)" if they had blanks. A value
    that the training rows did not have goes to "other"; where no column for it was trained, it
    gets the shares of the training rows, so that it speaks neither for nor against anything.

    Attributes:
        column: its name.
        values: the frequent values, as text.
        rare: the rare values, to tell them from unseen ones; None if over `REMEMBERED_RARE`.
        has_other: whether there is a feature for rare and unseen values.
        has_blank: whether there is a feature for blanks.
        shares: for each feature, its mean over the training rows.
    """

    kind: ClassVar[str] = "category"
    column: str
    values: tuple[str, ...]
    rare: tuple[str, ...] | None
    has_other: bool
    has_blank: bool
    shares: tuple[float, ...]

    @classmethod
    def fit(cls, column: str, values: pa.ChunkedArray) -> CategoryEncoder:
        """Find the frequent values (see `columns.rare_below`) and the share of each."""
        import pyarrow.compute as compute

        text = rules.as_text(values)
        kept = tuple(rules.frequent_values(text, len(text)))
        rare = tuple(sorted(set(compute.unique(text.drop_null()).to_pylist()) - set(kept)))
        has_other, has_blank = bool(rare), text.null_count > 0
        codes = cls(column, kept, rare, has_other, has_blank, ())._codes(text)[0]
        counts = np.bincount(codes, minlength=len(kept) + 2)
        present = [True] * len(kept) + [has_other, has_blank]
        shares = tuple(float(share) for share in counts[present] / len(text))
        remembered = rare if len(rare) <= REMEMBERED_RARE else None
        return cls(column, kept, remembered, has_other, has_blank, shares)

    @property
    def features(self) -> list[str]:
        """The names of the features it makes."""
        names = [*self.values] + ["other"] * self.has_other + ["(blank)"] * self.has_blank
        return [f"{self.column}={name}" for name in names]

    def encode(self, values: pa.ChunkedArray, out: NDArray[np.float32]) -> list[str]:
        """Fill `out`, rows x features, and return notes for the reader."""
        codes, unseen = self._codes(values)
        other, blank, width = len(self.values), len(self.values) + 1, len(self.features)
        places = np.arange(len(self.values) + 2)
        places[other] = other if self.has_other else width
        places[blank] = width - 1 if self.has_blank else width
        targets = places[codes]
        nowhere = np.flatnonzero(targets == width)
        out[:] = 0.0
        somewhere = np.flatnonzero(targets < width) if len(nowhere) else np.arange(len(codes))
        out[somewhere, targets[somewhere]] = 1.0
        if len(nowhere):
            out[nowhere] = np.array(self.shares, dtype=np.float32)
        return self._notes(codes, unseen)

    def sentence(self) -> str:
        """Say in words what becomes of the column."""
        how = "category: " + plural(len(self.values), "column of 0 and 1", "columns of 0 and 1")
        if self.has_other:
            how += ', "other" for rare values'
        return how + (", blanks a category of their own" if self.has_blank else "")

    def _codes(self, values: pa.ChunkedArray) -> tuple[NDArray[np.int64], dict[str, int]]:
        """Return the place of each row's value (other: after the last, blank: after that) and
        the values not seen in training with the number of their rows."""
        coded = rules.as_text(values).combine_chunks().dictionary_encode()
        words = coded.dictionary.to_pylist()
        place_of = {word: place for place, word in enumerate(self.values)}
        other = len(self.values)
        table = np.array([place_of.get(word, other) for word in words] + [other + 1], np.int64)
        places = dictionary_codes(coded.indices, len(words))
        counts = np.bincount(places, minlength=len(words))
        expected = set(self.rare or ())
        unseen = {word: int(counts[place]) for place, word in enumerate(words)
                  if table[place] == other and word not in expected}  # fmt: skip
        return table[places], unseen

    def _notes(self, codes: NDArray[np.int64], unseen: dict[str, int]) -> list[str]:
        notes = []
        if unseen:
            most = sorted(unseen, key=lambda word: -unseen[word])[:3]
            went = 'counted as "other"' if self.has_other else "given the average of training rows"
            what = "unseen" if self.rare is not None else "rare or unseen"
            notes.append(
                f"column {quoted(self.column)}: {plural(sum(unseen.values()), 'row')} with "
                f"{plural(len(unseen), f'{what} category', f'{what} categories')} "
                f"{went} (such as {', '.join(quoted(word) for word in most)})"
            )
        blanks = int((codes == len(self.values) + 1).sum())
        if blanks and not self.has_blank:
            notes.append(
                f"column {quoted(self.column)}: {plural(blanks, 'blank')}, none in the training "
                f"rows, given the average of training rows"
            )
        return notes


Encoder = NumberEncoder | BooleanEncoder | CategoryEncoder | DateEncoder
ENCODERS: dict[str, type[Encoder]] = {
    encoder.kind: encoder
    for encoder in (NumberEncoder, BooleanEncoder, CategoryEncoder, DateEncoder)
}


def encoder_to_json(encoder: Encoder) -> dict[str, Any]:
    """Return an encoder as a JSON dictionary."""
    return {"kind": encoder.kind, **asdict(encoder)}


def encoder_from_json(record: dict[str, Any]) -> Encoder:
    """Return the encoder that `encoder_to_json` wrote down.

    Raises:
        TableError: the kind is unknown, or a field is missing or superfluous.

    >>> encoder = NumberEncoder("miles", Scale(2.0, 1.0), None, False)
    >>> encoder_from_json(encoder_to_json(encoder)) == encoder
    True
    """
    fields = dict(record)
    kind = fields.pop("kind", None)
    if kind not in ENCODERS:
        raise TableError(f"the saved preprocessing has a column of unknown kind {quoted(kind)}")
    readers: dict[str, Callable[[Any], Any]] = {
        "scale": lambda saved: Scale(**saved),
        "year": lambda saved: Scale(**saved),
        "trend": lambda saved: Scale(**saved),
        "values": tuple,
        "shares": tuple,
        "rare": lambda saved: None if saved is None else tuple(saved),
        "parts": tuple,
        "means": tuple,
        "words": lambda saved: tuple(saved) if saved else None,
    }
    try:
        return ENCODERS[kind](
            **{name: readers.get(name, lambda saved: saved)(saved)
               for name, saved in fields.items()}
        )  # fmt: skip
    except TypeError as error:
        raise TableError(
            f"the saved preprocessing of a {kind} column is damaged: {error}"
        ) from error


# ----- Shared by the encoders -----


def _signed_logarithm(values: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    return np.sign(values) * np.log1p(np.abs(values) / unit)


def _skewness(values: NDArray[np.float64]) -> float:
    """Return the third standardised moment, 0 for constants."""
    if len(values) < 3:
        return 0.0
    scale = Scale.of(values)
    deviations = (values - scale.mean) / scale.deviation
    return float((deviations * deviations * deviations).mean())
