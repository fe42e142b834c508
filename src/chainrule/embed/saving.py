"""Writing tables of any size to one ``.safetensors`` file: all of them, or nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
    target = Path(path)
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
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for array in arrays.values():
                _write(file, array)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _write(file: Any, array: np.ndarray) -> None:
    if array.ndim == 0 or array.size == 0:
        file.write(array.tobytes())
        return
    rows = max(1, _BLOCK // max(array[0].size * array.itemsize, 1))
    for start in range(0, len(array), rows):
        file.write(np.ascontiguousarray(array[start : start + rows]).data.cast("B"))
