"""What the encoders share: the standard scale, codes of categories, marks of blanks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chainrule.tabular.errors import plural, quoted

if TYPE_CHECKING:
    import pyarrow as pa

CLIPPED_AT = 10.0
"""Standard deviations beyond which a number is clipped: one slip of a pen must not rule a layer."""


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation; values become how many deviations they lie from the mean."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Scale:
        """Measure finite values; a constant gets deviation 1 and so becomes 0.

        >>> Scale.of(np.array([1.0, 3.0]))
        Scale(mean=2.0, deviation=1.0)
        """
        largest = float(np.abs(values).max(initial=0.0))
        if largest == 0.0:
            return cls(0.0, 1.0)
        # A power of two divides without rounding, and keeps the squares of 1e200 finite.
        unit = 2.0 ** min(math.frexp(largest)[1], 1023)
        mean = float((values / unit).mean()) * unit
        deviation = float((values / unit).std()) * unit
        # Rounding leaves a constant column with a deviation of about 1e-16 of its mean.
        steady = not math.isfinite(deviation) or deviation <= 1e-12 * max(abs(mean), 1e-300)
        return cls(mean, 1.0 if steady else deviation)

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standardised values, clipped at `CLIPPED_AT`; NaN (a blank) becomes 0."""
        with np.errstate(over="ignore"):  # an overflow is clipped like any large value
            scaled = (values - self.mean) / self.deviation
        np.clip(scaled, -CLIPPED_AT, CLIPPED_AT, out=scaled)
        scaled[np.isnan(scaled)] = 0.0
        return scaled


def dictionary_codes(indices: pa.Array, blank: int) -> NDArray[np.int64]:
    """Return dictionary indices as NumPy integers, `blank` where there is no value."""
    filled = indices.fill_null(blank) if indices.null_count else indices
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.int64)


def mark_blanks(
    column: str, blank: NDArray[np.bool_], marked: bool, out: NDArray[np.float32]
) -> list[str]:
    """Mark blanks in the last feature where training had them, else note them for the reader."""
    if marked:
        out[:, -1] = blank
        return []
    if blank.any():
        return [
            f"column {quoted(column)}: {plural(int(blank.sum()), 'blank')}, none in the training "
            f"rows, given their mean"
        ]
    return []
