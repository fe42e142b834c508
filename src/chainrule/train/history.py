"""What a training leaves behind: its curves, how it ended, and the network at its best."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from chainrule.nn.module import Module


@dataclass(eq=False)
class History:
    """The course of a training, one entry per epoch in each list.

    Attributes:
        net: the network, holding its best weights.
        losses: mean training loss of each epoch, penalties left out, measured while it learned.
        validation_losses: loss on the validation data after each epoch; empty without any.
        metrics: further numbers after each epoch, by name, on the validation data.
        rates: the learning rate of each epoch's last step.
        seconds: how long each epoch took.
        best_epoch: the epoch (from 1) whose weights ``net`` holds; 0 if none was finished.
        steps: how many steps were made.
        interrupted: whether Ctrl-C ended it.
        reason: why it ended, in words.
        plan: what a training step does, as text: each operation with the bytes it touches and its
            arithmetic, and the memory of all; where NumPy ran the steps one by one, why.
    """

    net: Module
    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    steps: int = 0
    interrupted: bool = False
    reason: str = ""
    plan: str = ""

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.losses)

    @property
    def monitored(self) -> list[float]:
        """The losses that decide which epoch was best: validation where there is any."""
        return self.validation_losses or self.losses

    @property
    def best_loss(self) -> float:
        """The least of the monitored losses, infinite before the first."""
        return self.monitored[self.best_epoch - 1] if self.best_epoch else math.inf

    def line(self) -> str:
        """The last epoch in one line.

        >>> History(Module(), losses=[0.5], rates=[0.1], seconds=[2.0]).line()
        'epoch 1  loss 0.5000  rate 0.1  2.0 s'
        """
        parts = [f"epoch {self.epochs}", f"loss {self.losses[-1]:.4f}"]
        if self.validation_losses:
            parts.append(f"validation {self.validation_losses[-1]:.4f}")
        parts += [f"{name} {values[-1]:.4f}" for name, values in self.metrics.items()]
        return "  ".join([*parts, f"rate {self.rates[-1]:.4g}", f"{self.seconds[-1]:.1f} s"])

    def as_dict(self) -> dict[str, Any]:
        """The curves and the ending as plain values, for a report or a checkpoint."""
        return {
            "losses": self.losses,
            "validation_losses": self.validation_losses,
            "metrics": self.metrics,
            "rates": self.rates,
            "seconds": self.seconds,
            "best_epoch": self.best_epoch,
            "steps": self.steps,
            "interrupted": self.interrupted,
            "reason": self.reason,
        }

    def __str__(self) -> str:
        if not self.epochs:
            return f"no epoch was finished: {self.reason}"
        which = "validation loss" if self.validation_losses else "loss"
        return (
            f"{self.epochs} epochs in {sum(self.seconds):.1f} s ({self.reason}); best {which} "
            f"{self.best_loss:.4f} after epoch {self.best_epoch}"
        )
