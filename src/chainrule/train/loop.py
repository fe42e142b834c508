"""The training loop: epochs of mini-batches, until it is good, time is up, or someone stops it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.api.compile import compile as compiled
from chainrule.errors import ChainruleError, NonFiniteError
from chainrule.nn.checks import at_line
from chainrule.nn.losses import Loss
from chainrule.nn.mode import evaluation
from chainrule.nn.module import Module
from chainrule.train import divergence, resume
from chainrule.train import progress as progress_of
from chainrule.train.ahead import epochs_ahead, run_ahead
from chainrule.train.batches import Dataset
from chainrule.train.checkpoints import CheckpointError, encode
from chainrule.train.clipping import Clipping, keeps_rows
from chainrule.train.history import History
from chainrule.train.optimisers import OPTIMISERS, Optimiser
from chainrule.train.packing import Packing
from chainrule.train.prediction import FORWARD_ROWS, batched
from chainrule.train.resume import Position
from chainrule.train.rows import tables_of
from chainrule.train.schedules import Constant, Schedule
from chainrule.train.step import (
    make_forward,
    make_objective,
    make_step,
    state_values,
    trainable_values,
)
from chainrule.train.whole import Kept, WholeEpochs

Metric = Callable[[Any, Any], Any]


@dataclass(eq=False)
class Epoch:
    """What a callback is given after each epoch.

    Attributes:
        number: of the epoch, from 1.
        history: the curves up to and with this epoch.
        net: a copy of the network with the weights of now.
    """

    number: int
    history: History
    net: Module


@dataclass(eq=False)
class Trainer:
    """The settings of a training, and its parts as methods."""

    net: Module
    loss: Loss
    train: Dataset
    validation: Dataset | None
    optimiser: Optimiser
    epochs: int
    batch_size: int
    seed: int
    shuffle: bool
    drop_last: bool
    schedule: Schedule
    clip: Clipping | None
    regulariser: Callable[[Module], Any] | None
    metrics: dict[str, Metric]
    callbacks: list[Callable[[Epoch], Any]]
    patience: int | None
    least_change: float
    checkpoint: str | os.PathLike[str] | None
    executor: str | None
    threads: int | None

    def run(self, report: progress_of.Quiet) -> History:
        """Train; put the best weights into the network however it ends."""
        history = History(self.net, metrics={name: [] for name in self.metrics})
        values = trainable_values(self.net)
        # An optimiser of one's own may treat each parameter by itself.
        self._check_fit()
        tables: frozenset[str] = frozenset()
        if self.optimiser.takes_rows() and keeps_rows(self.clip):
            tables = tables_of(self.net, values, self.train.rows(slice(0, 1))[0])
        known = type(self.optimiser) in OPTIMISERS.values()
        self.packing = Packing(values, known, tables, self.optimiser.tells_offsets)
        parameters = self.packing.pack(values)
        memory = self.optimiser.init(parameters, *([tables] if tables else []))
        position = Position(parameters, state_values(self.net), memory)
        self.objective = make_objective(self.net, self.loss, self.regulariser)
        self.step = compiled(
            make_step(self.objective, self.optimiser, self.clip, self.packing),
            executor=self.executor,
            threads=self.threads,
        )
        self.forward = compiled(
            make_forward(self.net), executor=self.executor, threads=self.threads
        )
        settings = self._settings()
        if self.checkpoint is not None and os.path.exists(self.checkpoint):
            resume.load_position(self.checkpoint, position, history, settings)
        full, rest = divmod(self.train.count, self.batch_size)
        self.steps = full + (1 if rest and not self.drop_last else 0)
        sizes = [self.batch_size] * min(full, 1) + [rest] * (self.steps - full)
        self.whole = WholeEpochs(self.step, self.train, position, self.seed, sizes)
        history.plan = self.whole.explain()
        report.start(self.epochs, self.steps, position.epoch)
        try:
            history.reason = self._train(position, history, report, settings)
        except KeyboardInterrupt:
            history.interrupted, history.reason = True, "interrupted"
        except NonFiniteError as error:
            history.reason = "diverged"
            error.history = history  # type: ignore[attr-defined]
            raise
        finally:
            report.close()
            history.steps = position.step
            self.net.assign(position.best or self._values(position))
        return history

    def _train(
        self,
        position: Position,
        history: History,
        report: progress_of.Quiet,
        settings: dict[str, Any],
    ) -> str:
        """Epoch after epoch; returns why it ended."""
        while position.epoch < self.epochs:
            if self._out_of_patience(history):
                return f"no better for {self.patience} epochs"
            ahead = epochs_ahead(self, position, history)
            if ahead > 1:
                run_ahead(self, position, history, report, ahead)
                continue
            start = time.perf_counter()
            mean, rate = self._epoch(position, history, report)
            validation_loss, metrics = self._validate(position)
            history.losses.append(mean)
            history.rates.append(rate)
            if validation_loss is not None:
                history.validation_losses.append(validation_loss)
            for name, value in metrics.items():
                history.metrics[name].append(value)
            history.seconds.append(time.perf_counter() - start)
            position.epoch += 1
            history.steps = position.step
            if history.monitored[-1] < history.best_loss - self.least_change:
                history.best_epoch = position.epoch
                position.best = self._values(position)
            if self.checkpoint is not None:
                resume.save_position(self.checkpoint, position, history, settings)
            report.epoch(history)
            if self._stopped_by_callback(position, history):
                return "stopped by a callback"
        return "all epochs done"

    def _epoch(
        self, position: Position, history: History, report: progress_of.Quiet
    ) -> tuple[float, float]:
        """One pass over the data: (mean loss, last rate)."""
        if not self.whole.reason:
            return self._whole_epoch(position, history, report)
        total = size = 0.0
        rate = self.optimiser.rate
        batches = self.train.batches(
            self.batch_size, self.seed, position.epoch, self.shuffle, self.drop_last
        )
        for number, (inputs, targets, weights) in enumerate(batches):
            done = position.epoch + number / self.steps
            rate = self.optimiser.rate * self.schedule(done, history.monitored)
            loss = self._one_step(position, inputs, targets, weights, rate)
            share = len(targets) if weights is None else float(np.sum(weights))
            total, size = total + loss * share, size + share
            report.step(loss, rate)
        return total / max(size, np.finfo(float).tiny), rate

    def _one_step(
        self, position: Position, inputs: Any, targets: Any, weights: Any, rate: float
    ) -> float:
        """One step of the plan: the loss."""
        key = np.array([self.seed, position.step], np.int64)
        batch = (position.states, inputs, targets, weights, key)
        loss, health, parameters, states, memory = self.step(
            position.parameters, batch[0], position.memory, *batch[1:], np.float64(rate)
        )
        if not math.isfinite(health):
            self._check_finite(position, batch, float(loss), float(health), rate)
        # One assignment, so that Ctrl-C finds either the old position or the new one.
        position.__dict__.update(
            parameters=parameters, states=states, memory=memory, step=position.step + 1
        )
        return float(loss)

    def _whole_epoch(
        self, position: Position, history: History, report: progress_of.Quiet
    ) -> tuple[float, float]:
        """The same as ``_epoch``, run by the executor's loop, which returns now and then."""
        order = self.order(position.epoch)
        rates = self.rates(range(position.epoch, position.epoch + 1), history)
        losses = np.empty(self.steps)
        self.run_steps(position, report, order, rates, losses)
        return self.mean_loss(order, losses), float(rates[-1])

    def order(self, epoch: int) -> np.ndarray:
        """The examples of an epoch in the order in which its steps take them."""
        return self.train.order(self.batch_size, self.seed, epoch, self.shuffle, self.drop_last)

    def rates(self, epochs: range, history: History) -> np.ndarray:
        """The learning rate of each step of some epochs."""
        rates = np.full((len(epochs), self.steps), self.optimiser.rate, float)
        if type(self.schedule) is not Constant:
            for of_epoch, epoch in zip(rates, epochs, strict=True):
                for number in range(self.steps):
                    done = epoch + number / self.steps
                    of_epoch[number] *= self.schedule(done, history.monitored)
        return rates.reshape(-1)

    def run_steps(
        self,
        position: Position,
        report: progress_of.Quiet,
        order: np.ndarray,
        rates: np.ndarray,
        losses: np.ndarray,
        kept: Kept | None = None,
    ) -> None:
        """Steps by the executor's loop, a rate for each.

        Args:
            position: which changes.
            report: told how it goes.
            order: the examples of all steps, end to end.
            rates: the learning rate of each step.
            losses: where the loss of each is put.
            kept: where the weights after each epoch are put.
        """
        starts = np.arange(0, len(order), self.batch_size)
        ends = np.minimum(starts + self.batch_size, len(order))
        number = 0
        while number < len(rates):
            size = int(ends[number] - starts[number])
            until = number + int(np.count_nonzero(ends[number:] - starts[number:] == size))
            part = order[starts[number] : ends[until - 1]]
            made, stopped = self.whole.run(
                position, part, rates[number:until], size, losses[number:until], kept, number
            )
            if made:
                report.steps(losses[number : number + made], float(rates[number + made - 1]))
            number += made
            if stopped:  # Either a divergence, which this raises, or a sum that overflowed.
                rows = self.train.rows(order[starts[number] : ends[number]])
                losses[number] = self._one_step(position, *rows, rates[number])
                self.whole.own(position)
                report.step(losses[number], rates[number])
                number += 1
                if kept is not None:
                    kept.put(position, number)

    def mean_loss(self, order: np.ndarray, losses: np.ndarray) -> float:
        """The mean loss of an epoch's examples, from the losses of its steps."""
        if self.train.weights is None:
            shares = _sizes_of_batches(len(order), self.batch_size)
            return float(losses @ shares) / max(len(order), 1)
        starts = np.arange(0, len(order), self.batch_size)
        shares = np.add.reduceat(self.train.weights[order].astype(float), starts)
        return float(losses @ shares) / max(float(shares.sum()), np.finfo(float).tiny)

    def _check_finite(
        self, position: Position, batch: Any, loss: float, health: float, rate: float
    ) -> None:
        """Raise for a step whose loss or gradients are not finite.

        The sum of finite gradients can overflow as well: then there is no birth, and all is well.
        """
        birth = divergence.first_nonfinite(
            self.objective, self.packing.unpack(position.parameters), *batch
        )
        if birth is None and math.isfinite(loss):
            return
        # Of several epochs that run at once the position knows the first only.
        epoch = position.step // self.steps + 1
        raise NonFiniteError(divergence.explain(birth, position.step + 1, epoch, rate, batch[1]))

    def _validate(self, position: Position) -> tuple[float | None, dict[str, float]]:
        """(loss, metrics) on the validation data with the weights of now."""
        data = self.validation
        if data is None:
            return None, {}
        rows = max(FORWARD_ROWS, self.batch_size)
        with np.errstate(all="ignore"):
            parameters = self.packing.unpack(position.parameters)
            predictions = batched(self.forward, parameters, position.states, data, rows)
            loss = float(self._loss_of(predictions, data))
        return loss, {
            name: float(metric(predictions, data.targets)) for name, metric in self.metrics.items()
        }

    def _values(self, position: Position) -> dict[str, Any]:
        """All parameters and states of now by path, in arrays of their own."""
        return self.values_of(position.parameters, position.states)

    def values_of(self, parameters: dict[str, Any], states: dict[str, Any]) -> dict[str, Any]:
        """Parameters as they are packed, and states, by path, in arrays of their own."""
        unpacked = self.packing.unpack(parameters)
        return {path: np.array(a) for path, a in {**unpacked, **states}.items()}

    def _loss_of(self, predictions: Any, data: Dataset) -> Any:
        if data.weights is None:
            return self.loss(predictions, data.targets)
        return self.loss(predictions, data.targets, data.weights)

    def _check_fit(self) -> None:
        """Run one example through the network as it is, and all targets through the loss.

        What is wrong shows here with its values known, before anything is compiled.
        """
        for data in (self.train, self.validation):
            if data is None:
                continue
            with evaluation(), np.errstate(all="ignore"):
                example = np.asarray(self.net(data.rows(slice(0, 1))[0]))
                shape = (data.count, *example.shape[1:]) if example.ndim else (data.count,)
                if example.shape[:1] != (1,):
                    raise ChainruleError(
                        f"the network gave an output of shape {example.shape} for 1 example; its "
                        f"first axis must count examples{at_line()}"
                    )
                half = np.broadcast_to(np.asarray(0.5, example.dtype), shape)
                self._loss_of(half, data)

    def _out_of_patience(self, history: History) -> bool:
        if self.patience is None or not history.epochs:
            return False
        return history.epochs - history.best_epoch >= self.patience

    def _stopped_by_callback(self, position: Position, history: History) -> bool:
        stop = False
        for callback in self.callbacks:
            copy = self.net.replaced(self._values(position))
            stop = callback(Epoch(position.epoch, history, copy)) is True or stop
        return stop

    def _settings(self) -> dict[str, Any]:
        """What must be the same for a training to be continued exactly."""
        if self.checkpoint is None:
            return {}
        try:
            architecture = encode(self.net)
        except CheckpointError:
            architecture = str(self.net)
        return {
            "architecture": architecture,
            "loss": resume.named_setting(self.loss),
            "data": self.train.fingerprint(),
            "validation": self.validation and self.validation.fingerprint(),
            "optimiser": resume.named_setting(self.optimiser),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "schedule": resume.named_setting(self.schedule),
            "clip": resume.named_setting(self.clip),
            "regulariser": resume.named_setting(self.regulariser),
            "least_change": self.least_change,
        }


@lru_cache(maxsize=16)
def _sizes_of_batches(count: int, size: int) -> np.ndarray:
    """How many of ``count`` examples each batch has."""
    starts = np.arange(0, count, size)
    sizes = np.minimum(starts + size, count).astype(float) - starts
    sizes.flags.writeable = False
    return sizes
