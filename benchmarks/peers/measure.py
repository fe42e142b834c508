"""Measuring a cell: a work and an optimiser with all contestants, or everybody's cold start."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import Series, Timing, Worker, interleave

from peers.installed import installed_size
from peers.roster import ONE_THREAD, OURS, PRODUCTS, Entry
from peers.work import Images, Work, make_material

# The mean losses of epochs may differ by this share: float32 sums in another order.
TOLERANCE = 1e-3
# scikit-learn's Adam adds epsilon at another place, see peers/sklearn.py.
TOLERANCES = {("scikit-learn", "adam"): 1e-2}


class Disagreement(Exception):
    """Contestants did not do the same work."""


def measure_training(
    work: Work,
    optimiser: str,
    threads: int,
    entries: Sequence[Entry],
    images: Images | None,
    rounds: int,
    seconds: float,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Time training steps.

    Args:
        work: what is trained.
        optimiser: "sgd" or "adam".
        threads: how many each contestant may use.
        entries: the contestants.
        images: MNIST, where it is at hand.
        rounds: how many count.
        seconds: how long a contestant's turn takes about; one epoch at least.
        report: told what runs.

    Returns:
        For each contestant the seconds of a step in each round, how many epochs a round had, the
        peak memory and the largest relative difference of its losses from chainrule's.

    Raises:
        Disagreement: where that difference is more than rounding explains.
        WorkerError: where a contestant failed.
    """
    cap = max(work.compared, min(400, 1_000_000 // work.samples))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        make_material(work, cap, images).save(Path(folder))
        crew = [_Member(entry.name, entry, threads) for entry in entries]
        if threads > 1:
            crew[1:1] = [_Member(ONE_THREAD, entry, 1) for entry in entries if entry.name == OURS]
        for member in crew:
            report(f"making ready: {member.name}")
            member.begin(stack, work, folder, optimiser, seconds, cap)
        series = interleave({member.name: member.turn for member in crew}, rounds, 0, report)
        expected = next(member.losses for member in crew if member.name == OURS)
        return {
            member.name: {
                **series[member.name].as_dict(),
                "inner": member.inner.as_dict(),
                "epochs": member.epochs,
                "memory": member.call("spent")["memory"],
                "difference": _difference(work, optimiser, member, expected),
            }
            for member in crew
        }


def _difference(
    work: Work, optimiser: str, member: _Member, expected: Sequence[Sequence[float]]
) -> float | None:
    """The largest relative difference of losses, of all rounds, from ``expected``."""
    if member.entry.name == PRODUCTS:
        return None
    reference = np.array(expected[0][: work.compared])
    largest = 0.0
    for losses in member.losses:
        compared = np.array(losses[: work.compared])
        common = reference[: len(compared)]
        # A loss that is not a number differs by more than any number.
        differences = np.nan_to_num(np.abs(compared - common) / np.abs(common), nan=np.inf)
        largest = max(largest, float(differences.max(initial=0.0)))
    allowed = TOLERANCES.get((member.name, optimiser), TOLERANCE)
    if largest > allowed:
        raise Disagreement(
            f"{work.name}, {optimiser}: the losses of {member.name} differ from chainrule's by "
            f"{largest:.1e}, relatively, and may by {allowed:g}; they begin with "
            f"{member.losses[0][: work.compared]} against {reference.tolist()}"
        )
    return largest


class _Member:
    """A contestant in its process, and what came of its turns."""

    def __init__(self, name: str, entry: Entry, threads: int) -> None:
        self.name, self.entry, self.threads = name, entry, threads
        self.losses: list[list[float]] = []
        self.inner = Series()
        self.epochs = 1
        self.steps = 1

    def begin(
        self,
        stack: contextlib.ExitStack,
        work: Work,
        folder: str,
        optimiser: str,
        seconds: float,
        cap: int,
    ) -> None:
        """Start the process, compile, compare, and find out how many epochs make a turn."""
        # Only where all contestants have one thread are they bound to a core.
        self.call = stack.enter_context(Worker(self.entry.module, self.threads)).call
        self.call("prepare", work=work.as_dict(), folder=folder, optimiser=optimiser)
        self.call("run", epochs=1)
        answer = self.call("run", epochs=work.compared)
        self.losses.append(answer["losses"])
        self.steps = work.steps
        # On a busy machine the wall says little. Fewer epochs than were compared would give what is
        # done once a call too much weight.
        spent = min(answer["wall"], answer["cpu"])
        self.epochs = min(cap, max(work.compared, round(seconds * work.compared / spent)))

    def turn(self) -> Timing:
        """One round: the time of a step."""
        answer = self.call("run", epochs=self.epochs)
        steps = self.epochs * self.steps
        if "inner" in answer:
            self.inner.add(Timing(**answer["inner"]).per(steps))
        self.losses.append(answer["losses"])
        return Timing(answer["wall"], answer["cpu"]).per(steps)


def measure_cold_start(
    work: Work, entries: Sequence[Entry], rounds: int, report: Callable[[str], None]
) -> dict[str, Any]:
    """Time from the start of a process to the end of its first epoch, with import and compiling.

    Args:
        work: a small one.
        entries: the contestants; what is no training is left out.
        rounds: how many count.
        report: told what runs.

    Returns:
        For each contestant the seconds to the end of the import and of the first epoch, the peak
        memory, and the installed size in bytes.
    """
    members = [entry for entry in entries if entry.name != PRODUCTS]
    imports = {entry.name: Series() for entry in members}
    memory: dict[str, list[float]] = {entry.name: [] for entry in members}
    with tempfile.TemporaryDirectory() as folder:
        make_material(work, 1, None).save(Path(folder))

        def cold(entry: Entry) -> Timing:
            start = time.perf_counter()
            with Worker(entry.module) as worker:
                imported = Timing(cpu=worker.call("spent")["cpu"], wall=time.perf_counter() - start)
                worker.call("prepare", work=work.as_dict(), folder=folder, optimiser="adam")
                worker.call("run", epochs=1)
                wall = time.perf_counter() - start
                spent = worker.call("spent")
            imports[entry.name].add(imported)
            memory[entry.name].append(spent["memory"])
            return Timing(wall, spent["cpu"])

        turns = {entry.name: lambda entry=entry: cold(entry) for entry in members}
        warm_up = 1 if rounds > 1 else 0  # For the file cache.
        series = interleave(turns, rounds, warm_up, report)
    return {
        entry.name: {
            "epoch": series[entry.name].as_dict(),
            "import": {kind: t[warm_up:] for kind, t in imports[entry.name].as_dict().items()},
            "memory": float(np.median(memory[entry.name])),
            "size": installed_size(entry.distribution),
        }
        for entry in members
    }
