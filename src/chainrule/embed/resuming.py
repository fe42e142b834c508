"""Whether a checkpoint is of the training that is to go on from it, as far as no text is needed."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from chainrule.train.checkpoints import CheckpointError, read_header

# How many threads there are, and how long to train, may differ.
MAY_DIFFER = ("workers", "epochs")


def check_checkpoint(
    path: str | os.PathLike[str] | None,
    format_name: str,
    options: Any,
    unknown: Collection[str] = (),
) -> None:
    """Find out in a moment what would be an error once a text is read.

    Args:
        path: the file; where there is none yet, all is well if it has a folder.
        format_name: of the kind of model.
        options: its settings, a dataclass.
        unknown: the names of settings that depend on the text.

    Raises:
        CheckpointError: where the file is damaged or something else, the settings are others, or
            there is no folder to write it to.
    """
    if path is None:
        return
    if not os.path.exists(path):
        check_folder(path)
        return
    header = read_header(path, format_name)
    try:
        theirs = type(options)(**header["options"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: its contents are damaged ({error!r})") from None
    check_options(path, theirs, options, unknown)


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise ``CheckpointError`` where there is no folder to write a checkpoint to."""
    folder = os.path.dirname(os.fspath(path)) or "."
    if not os.path.isdir(folder):
        raise CheckpointError(f"{path} cannot be written: {folder} is no folder; make it first")


def check_options(
    path: str | os.PathLike[str], theirs: Any, ours: Any, unknown: Collection[str] = ()
) -> None:
    """Raise ``CheckpointError`` where a checkpoint's settings are not those of a model."""
    here = asdict(ours)
    differing = ", ".join(
        f"{name}={value!r} there and {name}={here[name]!r} here"
        for name, value in asdict(theirs).items()
        if value != here[name] and name not in (*MAY_DIFFER, *unknown)
    )
    if differing:
        raise CheckpointError(f"{path} belongs to another training: they differ in {differing}")
