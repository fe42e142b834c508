"""Writing tables of any size to one ``.safetensors`` file: all of them, or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.files import written_whole
from chainrule.train.checkpoints import CheckpointError

_NAMES = {
    "float32": "F32",
    "float64": "F64",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
}
# Bytes that are copied at a time where rows do not lie end to end.
_BLOCK = 1 << 24


def write_tables(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], format_name: str, header: Any
) -> None:
    """What ``train.checkpoints.write_arrays`` does, without a copy of the arrays in memory.

    Raises:
        CheckpointError: where the header is not plain JSON.
    """
    try:
        metadata = {"format": format_name, "header": json.dumps(header)}
    except TypeError as error:
        raise CheckpointError(f"what is saved must be plain JSON: {error}") from None
    entries: dict[str, Any] = {"__metadata__": metadata}
    offset = 0
    for name, array in arrays.items():
        end = offset + array.size * array.itemsize
        entries[name] = {
            "dtype": _NAMES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    with written_whole(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            _write(file, array)


def _write(file: Any, array: np.ndarray) -> None:
    if array.ndim == 0 or array.size == 0:
        file.write(array.tobytes())
        return
    rows = max(1, _BLOCK // max(array[0].size * array.itemsize, 1))
    for start in range(0, len(array), rows):
        file.write(np.ascontiguousarray(array[start : start + rows]).data.cast("B"))
