"""Numbers and arrays as people read them: six digits; large arrays as shape and statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.rowsparse import RowSparse

HANDFUL = 6  # Arrays of at most so many entries are written out.


def as_array(value: Any) -> Any:
    """``value`` as a NumPy array; None where it is not one array (a tuple, or nothing)."""
    if value is None or isinstance(value, tuple | list):
        return None
    return np.asarray(value.to_dense() if isinstance(value, RowSparse) else value)


def number_text(number: Any) -> str:
    """Six significant digits.

    >>> [number_text(x) for x in (2.0, 11.652071455223084, 1e-9, -0.0, float("inf"), True)]
    ['2', '11.6521', '1e-09', '0', 'inf', 'True']
    """
    if isinstance(number, bool | np.bool_):
        return str(bool(number))
    if isinstance(number, int | np.integer):
        return str(int(number))
    text = f"{float(number):.6g}" if isinstance(number, float | np.floating) else str(number)
    return "0" if text == "-0" else text


def value_text(value: Any) -> str:
    """A number, a small array written out, or the shape and statistics of a larger one.

    >>> value_text(np.array([[1.0, 2.0], [3.0, 4.5]]))
    '[[1, 2], [3, 4.5]]'
    >>> value_text(np.arange(100.0).reshape(20, 5))
    '20×5: min 0, mean 49.5, max 99'
    """
    array = as_array(value)
    if array is None:
        return "—" if value is None else f"({', '.join(map(value_text, value))})"
    if array.ndim == 0:
        return number_text(array[()])
    if array.size <= HANDFUL:
        return _nested(array)
    numbers = statistics(array)
    if numbers["min"] == numbers["max"] and not numbers["nonfinite"]:
        return f"{shape_text(array.shape)}: all {number_text(numbers['min'])}"
    words = [f"{word} {number_text(numbers[word])}" for word in ("min", "mean", "max")]
    if lost := int(numbers["nonfinite"]):
        words.append(f"{lost} not finite")
    return f"{shape_text(array.shape)}: {', '.join(words)}"


def short_text(value: Any) -> str:
    """As ``value_text``, and of a larger array only shape and mean, for narrow places.

    >>> short_text(np.arange(100.0).reshape(20, 5))
    '20×5, mean 49.5'
    """
    array = as_array(value)
    text = value_text(value)
    if array is None or array.size <= HANDFUL or ": all " in text:
        return text
    numbers = statistics(array)
    lost = ", not finite" if numbers["nonfinite"] else ""
    return f"{shape_text(array.shape)}, mean {number_text(numbers['mean'])}{lost}"


def shape_text(shape: tuple[int, ...]) -> str:
    """``20×5``; a vector is marked as such by its comma.

    >>> shape_text((20, 5)), shape_text((7,)), shape_text(())
    ('20×5', '7 entries', 'a number')
    """
    if len(shape) == 1:
        return f"{shape[0]} entr{'y' if shape[0] == 1 else 'ies'}"
    return "×".join(map(str, shape)) or "a number"


def statistics(array: np.ndarray) -> dict[str, float]:
    """min, mean and max of the finite entries, and how many are not finite."""
    if array.dtype.kind not in "fiub":
        return {"min": np.nan, "mean": np.nan, "max": np.nan, "nonfinite": 0}
    finite = array[np.isfinite(array)]
    lost = array.size - finite.size
    if not finite.size:
        return {"min": np.nan, "mean": np.nan, "max": np.nan, "nonfinite": lost}
    with np.errstate(all="ignore"):
        mean = float(finite.mean(dtype=float))
    return {"min": finite.min(), "mean": mean, "max": finite.max(), "nonfinite": lost}


def _nested(array: np.ndarray) -> str:
    if array.ndim == 0:
        return number_text(array[()])
    return f"[{', '.join(_nested(part) for part in array)}]"


def plain(value: Any) -> Any:
    """``value`` for JSON: numbers, nested lists, and statistics in place of large arrays.

    JSON has no word for NaN and infinity: they become the strings "NaN", "Infinity", "-Infinity".

    >>> plain(np.array([1.0, np.inf]))
    [1.0, 'Infinity']
    >>> plain(np.ones((10, 10)))
    {'shape': [10, 10], 'min': 1.0, 'mean': 1.0, 'max': 1.0, 'nonfinite': 0}
    """
    array = as_array(value)
    if array is None:
        return None if value is None else [plain(item) for item in value]
    if array.ndim and array.size > HANDFUL:
        numbers = {word: plain(number) for word, number in statistics(array).items()}
        return {"shape": list(array.shape), **numbers}
    return _plain_nested(array.tolist())


def _plain_nested(item: Any) -> Any:
    if isinstance(item, list):
        return [_plain_nested(part) for part in item]
    if isinstance(item, float) and not np.isfinite(item):
        return "NaN" if np.isnan(item) else "Infinity" if item > 0 else "-Infinity"
    return item if isinstance(item, bool | int | float | None) else str(item)
