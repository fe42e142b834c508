"""The state of a training as a file, so that it can go on where it stopped, bit for bit."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.train.checkpoints import (
    TRAINING_FORMAT,
    CheckpointError,
    read_arrays,
    write_arrays,
)
from chainrule.train.history import History


@dataclass(eq=False)
class Position:
    """Where a training stands between two steps: everything that the next step depends on.

    Attributes:
        parameters: trainable arrays, as they are packed.
        states: running statistics by path.
        memory: the optimiser's state.
        best: parameters and states of the best epoch so far, by path.
        epoch: epochs finished.
        step: steps made.
    """

    parameters: dict[str, Any]
    states: dict[str, Any]
    memory: dict[str, Any]
    best: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0


def save_position(
    path: str | os.PathLike[str], position: Position, history: History, settings: dict[str, Any]
) -> None:
    """Write the state of a training at the end of an epoch."""
    groups = {
        "parameters": position.parameters,
        "states": position.states,
        "best": position.best,
    }
    arrays = {f"{group}/{name}": a for group, part in groups.items() for name, a in part.items()}
    for name, value in position.memory.items():
        if isinstance(value, list):
            arrays |= {f"memory/{name}/{number}": array for number, array in enumerate(value)}
        else:
            arrays[f"memory/{name}"] = value
    header = {
        "settings": settings,
        "history": history.as_dict(),
        "epoch": position.epoch,
        "step": position.step,
    }
    write_arrays(path, arrays, TRAINING_FORMAT, header)


def load_position(
    path: str | os.PathLike[str], position: Position, history: History, settings: dict[str, Any]
) -> None:
    """Set ``position`` and ``history`` to what the file holds.

    Raises:
        CheckpointError: where the file is damaged, or belongs to a training with other settings,
            naming the first that differs.
    """
    arrays, header = read_arrays(path, TRAINING_FORMAT)
    for name, value in settings.items():
        if header["settings"].get(name) != value:
            raise CheckpointError(
                f"{path} belongs to another training: its {name} is "
                f"{_short(header['settings'].get(name))}, and here it is {_short(value)}; give the "
                "same settings to continue it, or another checkpoint file to begin anew"
            )
    position.parameters = {p: arrays[f"parameters/{p}"] for p in position.parameters}
    position.states = {p: arrays[f"states/{p}"] for p in position.states}
    position.best = {
        name.removeprefix("best/"): a for name, a in arrays.items() if name.startswith("best/")
    }
    position.memory = {
        name: [arrays[f"memory/{name}/{i}"] for i in range(len(value))]
        if isinstance(value, list)
        else arrays[f"memory/{name}"][()]
        for name, value in position.memory.items()
    }
    position.epoch, position.step = header["epoch"], header["step"]
    for name, value in header["history"].items():
        setattr(history, name, value)
    history.interrupted, history.reason = False, ""


def named_setting(value: Any) -> Any:
    """A setting as plain JSON: settings objects print themselves, functions go by their name."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    return getattr(value, "__qualname__", None) or repr(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
