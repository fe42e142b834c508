"""A .safetensors file with words, numbers and counts; also the files in which models are saved."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from chainrule.embed.formats.table import (
    Path,
    Policy,
    VectorTable,
    check_words,
    checked_table,
    mapped,
)
from chainrule.embed.vector_errors import VectorsError

FORMAT = "chainrule vectors 1"


def read(path: Path, policy: Policy) -> VectorTable:
    """Read the words; the numbers stay in the file until they are used.

    Of a model's file, the input vectors are read.

    Raises:
        VectorsError: for a file that is cut off, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    with mapped(path):
        pass
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            names = set(file.keys())
            parts = {
                name: file.get_tensor(name)
                for name in ("words", "word_ends", "counts")
                if name in names
            }
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise VectorsError(f"{path} is not a complete .safetensors file: {error}") from None
    if "vectors" in names and {"words", "word_ends"} <= names:
        words = _words(path, parts["words"], parts["word_ends"], policy)
        vectors = _mapped_floats(path, "vectors")
    elif "input" in names and "header" in metadata:
        words = _model_words(path, metadata["header"])
        vectors = _mapped_floats(path, "input")
    else:
        held = ", ".join(sorted(names)) or "nothing"
        raise VectorsError(
            f"{path} holds {held}; vectors of words are arrays called vectors, words and word_ends"
        )
    counts = parts.get("counts")
    if vectors.ndim != 2 or len(vectors) != len(words) or vectors.shape[1] == 0:
        raise VectorsError(f"{path}: {len(words)} words with vectors of shape {vectors.shape}")
    if counts is not None and (counts.shape != (len(words),) or counts.dtype != np.int64):
        raise VectorsError(f"{path}: {len(words)} words with counts of shape {counts.shape}")
    count = policy.rows(len(words))
    return checked_table(
        path,
        words[:count],
        vectors[:count],
        None if counts is None else counts[:count],
        policy,
        lambda row: f"row {row}",
    )


def _words(path: Path, text: np.ndarray, ends: np.ndarray, policy: Policy) -> list[str]:
    from chainrule.embed.formats.rows import decoded

    if text.dtype != np.uint8 or ends.dtype != np.int64 or text.ndim != 1 or ends.ndim != 1:
        raise VectorsError(f"{path}: words are uint8 and word_ends int64, one axis each")
    starts = np.concatenate([[0], ends[:-1]])
    if len(ends) and (np.any(ends < starts) or int(ends[-1]) != len(text)):
        raise VectorsError(f"{path}: word_ends does not rise to the end of the words")
    data = text.tobytes()
    return decoded(path, data, starts[: len(ends)], ends, policy.errors, lambda row: f"row {row}")


def _model_words(path: Path, header: str) -> list[str]:
    try:
        words = json.loads(header)["words"]
    except (ValueError, KeyError, TypeError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise VectorsError(f"{path}: its header names no words")
    return words


def _mapped_floats(path: Path, name: str) -> np.ndarray:
    """One array of a file that is known to be sound, mapped into memory."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry: dict[str, Any] = json.loads(file.read(length))[name]
    if entry["dtype"] != "F32":
        raise VectorsError(f"{path}: {name} is {entry['dtype']}, not F32")
    shape = tuple(entry["shape"])
    if 0 in shape:
        return np.empty(shape, np.float32)
    return np.memmap(path, "<f4", "r", 8 + length + entry["data_offsets"][0], shape)


def write(path: Path, table: VectorTable) -> None:
    """Write words, numbers and counts, without a copy of the numbers in memory."""
    from chainrule.embed.saving import write_tables

    check_words(path, table.words, "", "a .safetensors file")
    encoded = [word.encode() for word in table.words]
    arrays = {
        "vectors": table.vectors,
        "words": np.frombuffer(b"".join(encoded), np.uint8),
        "word_ends": np.cumsum([len(word) for word in encoded], dtype=np.int64),
    }
    if table.counts is not None:
        arrays["counts"] = table.counts
    write_tables(path, arrays, FORMAT, {})
