"""Several epochs in one call of the executor's loop, where nobody asks for anything between them.

A tiny network on little data learns for a few microseconds a step; what Python does between two
epochs would take longer than the epochs. The loop keeps the weights after each epoch, so that the
best ones are found as if it had stopped there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from chainrule.train import progress as progress_of
from chainrule.train.history import History
from chainrule.train.resume import Position
from chainrule.train.schedules import Constant, Cosine, Exponential, StepDecay

if TYPE_CHECKING:
    from chainrule.train.loop import Trainer

# How long the epochs of a call may take about: as often is progress told.
SECONDS = 0.1
# What the orders of examples and the weights that are kept may take.
MOST_BYTES = 1 << 22
# Schedules that know only the time, and not how the training goes; a class made of one of them may
# look at the losses.
TIMED = (Constant, Cosine, Exponential, StepDecay)


def epochs_ahead(trainer: Trainer, position: Position, history: History) -> int:
    """How many epochs can be run at once; 1 where something has to happen after each."""
    if (
        not history.seconds
        or not trainer.whole.keeps
        or trainer.validation is not None
        or trainer.callbacks
        or trainer.patience is not None
        or trainer.checkpoint is not None
        or type(trainer.schedule) not in TIMED
    ):
        return 1
    arrays = (*position.parameters.values(), *position.states.values())
    taken = sum(array.nbytes for array in arrays) + 16 * trainer.train.count
    in_time = int(SECONDS / max(history.seconds[-1], 1e-9))
    return max(1, min(trainer.epochs - position.epoch, in_time, MOST_BYTES // taken))


def run_ahead(
    trainer: Trainer,
    position: Position,
    history: History,
    report: progress_of.Quiet,
    count: int,
) -> None:
    """Run ``count`` epochs; the position, the history and what is reported are as one by one."""
    epochs = range(position.epoch, position.epoch + count)
    orders = [trainer.order(epoch) for epoch in epochs]
    rates = trainer.rates(epochs, history)
    losses = np.empty(len(rates))
    kept = trainer.whole.room_for(position, count, trainer.steps)
    first, start = position.step, time.perf_counter()
    try:
        trainer.run_steps(position, report, np.concatenate(orders), rates, losses, kept)
    finally:  # Also where Ctrl-C came in between: whole epochs count.
        finished = (position.step - first) // trainer.steps
        seconds = (time.perf_counter() - start) / max(finished, 1)
        best = -1
        try:
            for number in range(finished):
                part = slice(number * trainer.steps, (number + 1) * trainer.steps)
                history.losses.append(trainer.mean_loss(orders[number], losses[part]))
                history.rates.append(float(rates[part.stop - 1]))
                history.seconds.append(seconds)
                position.epoch += 1
                history.steps = first + part.stop
                if history.losses[-1] < history.best_loss - trainer.least_change:
                    history.best_epoch, best = position.epoch, number
                report.epoch(history)
        finally:  # Telling how it goes may be what Ctrl-C ends.
            if best >= 0:
                position.best = trainer.values_of(*kept.after(best))
