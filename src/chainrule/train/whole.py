"""Whole epochs without Python: the training step, run over all batches by the executor's loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.api.compile import Compiled
from chainrule.run import default_executor, make_loop, place_data
from chainrule.run.unsupported import Unsupported
from chainrule.tracing.trees import Tree
from chainrule.train.batches import Dataset
from chainrule.train.resume import Position

# Positions among the arguments and results of ``step.make_step``.
PARAMETERS, STATES, MEMORY, INPUTS, TARGETS, WEIGHTS, KEY, RATE = range(8)
CARRIED = {PARAMETERS: 2, STATES: 3, MEMORY: 4}
LOSS, HEALTH = 0, 1
# How long an executor runs before it returns, so that Python can be interrupted.
SECONDS = 0.1


@dataclass(eq=False)
class Kept:
    """Parameters and states after each of some epochs.

    Attributes:
        steps: in an epoch.
        parameters, states: by name, arrays with an entry for each epoch.
    """

    steps: int
    parameters: dict[str, np.ndarray]
    states: dict[str, np.ndarray]

    def after(self, epoch: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """(parameters, states) after an epoch, the first of which is 0."""
        both = (self.parameters, self.states)
        first, second = ({name: a[epoch] for name, a in part.items()} for part in both)
        return first, second

    def put(self, position: Position, done: int) -> None:
        """Keep those of now, where ``done`` steps are whole epochs."""
        epochs, rest = divmod(done, self.steps)
        if rest == 0:
            for part, now in zip(
                self.after(epochs - 1), (position.parameters, position.states), strict=True
            ):
                for name, array in part.items():
                    array[...] = now[name]


class WholeEpochs:
    """Runs the steps of a training; ``reason`` says why not where it cannot.

    ``keeps`` says whether it can keep the weights after each of several epochs.

    Args:
        step: the compiled training step.
        data: of the training.
        position: where it stands; its arrays are replaced by ones that are changed in place.
        seed: of the training.
        sizes: the sizes of batches that occur.
    """

    def __init__(
        self, step: Compiled, data: Dataset, position: Position, seed: int, sizes: list[int]
    ) -> None:
        self.data, self.seed = data, seed
        self.threads = step.threads
        self.executor = step.executor or default_executor()
        self.reason = ""
        self.loops: dict[int, Any] = {}
        whole = self._arguments(position, (data.inputs, data.targets, data.weights))
        try:
            placed = {
                number: place_data(self.executor, leaf)
                for number, (argument, _, leaf) in enumerate(_places(Tree((whole, {}))))
                if argument in (INPUTS, TARGETS, WEIGHTS)
            }
            for size in sizes:
                self.loops[size] = self._loop(step, position, size, placed)
        except Unsupported as reason:
            self.reason = str(reason)
        else:
            self.own(position)
        # Steps of two sizes in turn are two loops, between which the epoch's end may lie.
        self.keeps = len(self.loops) == 1 and all(
            getattr(loop, "can_keep", False) for loop in self.loops.values()
        )

    def explain(self) -> str:
        """A step of each size of batch as text, or why there is none."""
        if self.reason:
            return f"step by step: {self.reason}"
        return "\n\n".join(
            f"a step on {size} rows of the data, by the {self.executor} executor\n{loop.explain()}"
            for size, loop in self.loops.items()
        )

    def own(self, position: Position) -> None:
        """Make the arrays of a position ones that nobody else has.

        They stay the same ones from then on, so that an epoch need not look for them.
        """
        for name in ("parameters", "states", "memory"):
            tree = Tree(getattr(position, name))
            setattr(position, name, tree.rebuild([np.array(leaf) for leaf in tree.leaves]))
        example = self._arguments(position, self.data.rows(slice(0, 1)))
        self._values = _places(Tree((example, {})))

    def room_for(self, position: Position, epochs: int, steps: int) -> Kept:
        """Where parameters and states can be kept after each of some epochs."""
        parameters, states = (
            {name: np.empty((epochs, *array.shape), array.dtype) for name, array in part.items()}
            for part in (position.parameters, position.states)
        )
        return Kept(steps, parameters, states)

    def _arguments(self, position: Position, batch: Any) -> tuple[Any, ...]:
        inputs, targets, weights = batch
        return (
            position.parameters, position.states, position.memory, inputs, targets, weights,
            np.zeros(2, np.int64), np.float64(0.0),
        )  # fmt: skip

    def _loop(self, step: Compiled, position: Position, size: int, data: dict[int, Any]) -> Any:
        arguments = self._arguments(position, self.data.rows(np.zeros(size, np.int64)))
        tree, program = step._program(arguments, {})
        places = _places(tree)
        results = {
            path: number
            for number, path in enumerate(
                p
                for p, dynamic in zip(program.result.paths, program.dynamic, strict=True)
                if dynamic
            )
        }
        carried = {}
        for number, (argument, rest, _) in enumerate(places):
            if argument in CARRIED:
                output = results.get(f"[{CARRIED[argument]}]{rest}")
                if output is None:
                    raise Unsupported(f"the step does not renew {rest}")
                carried[number] = output
        if f"[{LOSS}]" not in results or f"[{HEALTH}]" not in results:
            raise Unsupported("a loss that is the same for all data")
        advancing = [n for n, (argument, _, _) in enumerate(places) if argument in (KEY, RATE)]
        records = [results[f"[{LOSS}]"], results[f"[{HEALTH}]"]]
        return make_loop(
            self.executor, program.graph, carried, data, advancing, records, records[1]
        )

    def run(
        self,
        position: Position,
        order: np.ndarray,
        rates: np.ndarray,
        size: int,
        losses: np.ndarray,
        kept: Kept | None = None,
        done: int = 0,
    ) -> tuple[int, bool]:
        """Run steps of ``size`` examples each until they are done or time is up.

        Args:
            position: which changes.
            order: the examples of all steps, end to end.
            rates: the learning rate of each step.
            size: examples in a step.
            losses: where the loss of each step is put.
            kept: where parameters and states after each epoch are put.
            done: how many steps of these epochs were made before.

        Returns:
            (steps made, whether the next one was given up since its gradients are not finite).
        """
        loop, steps = self.loops[size], len(rates)
        keys = np.empty((steps, 2), np.int64)
        keys[:, 0], keys[:, 1] = self.seed, position.step + np.arange(steps)
        of_steps = {KEY: keys, RATE: rates}
        values = {
            number: of_steps.get(argument, leaf)
            for number, (argument, _, leaf) in enumerate(self._values)
        }
        records = [np.full(steps, np.nan, dtype) for dtype in loop.recorded_dtypes]
        start = position.step
        more = () if kept is None else (self._keeping(kept, done),)
        try:
            ran, stopped = loop.run(
                values, np.ascontiguousarray(order), records, steps, SECONDS, self.threads, *more
            )
        finally:
            # Also where Ctrl-C comes in between: what is finite was done.
            made = int(np.isfinite(records[1]).sum())
            position.step = start + made
            losses[:made] = records[0][:made]
        return ran, stopped

    def _keeping(self, kept: Kept, done: int) -> tuple[int, int, dict[int, np.ndarray]]:
        """(steps in an epoch, steps to its end, position of an input -> where it is kept)."""
        epochs, rest = divmod(done, kept.steps)
        trees = {PARAMETERS: Tree(kept.parameters), STATES: Tree(kept.states)}
        arrays = {
            (argument, path): array
            for argument, tree in trees.items()
            for path, array in zip(tree.paths, tree.leaves, strict=True)
        }
        targets = {
            number: arrays[argument, path][epochs:]
            for number, (argument, path, _) in enumerate(self._values)
            if argument in trees
        }
        return kept.steps, kept.steps - rest, targets


def _places(tree: Tree) -> list[tuple[int, str, Any]]:
    """(number of the argument, path within it, value) of each array among the arguments."""
    found = []
    for path, leaf in zip(tree.paths, tree.leaves, strict=True):
        if isinstance(leaf, np.ndarray | np.generic):
            number, _, rest = path.removeprefix("[0][").partition("]")
            found.append((int(number), rest, leaf))
    return found
