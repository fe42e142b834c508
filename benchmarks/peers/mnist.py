"""The MNIST training images from the four files that LeCun, Cortes and Burges published."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

COUNT, SIDE = 60_000, 28


def training_images(folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """(images of shape (60000, 784) between 0 and 1, labels); None where the files are not there.

    Raises:
        SystemExit: where a file is not what its name says.
    """
    images, labels = folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz"
    if not (images.exists() and labels.exists()):
        return None
    pixels = _read(images, (COUNT, SIDE, SIDE)).reshape(COUNT, SIDE * SIDE)
    return pixels.astype(np.float32) / np.float32(255), _read(labels, (COUNT,)).astype(np.int64)


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """An IDX file of bytes: two zeros, the type 8, the number of axes, their lengths, the data."""
    header = struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)
    size = int(np.prod(shape))
    try:
        with gzip.open(path) as file:
            # One byte more than there should be, however much a damaged file would unpack to.
            content = file.read(len(header) + size + 1)
    except (OSError, EOFError) as error:
        raise SystemExit(f"error: {path} cannot be unpacked: {error}") from None
    if content[: len(header)] != header or len(content) != len(header) + size:
        raise SystemExit(f"error: {path} is not an IDX file of bytes of shape {shape}")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
