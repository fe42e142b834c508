"""Measuring cells: how fast contestants learn, in turns, and how good what they learned is."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import Series, Timing, Worker, interleave
from harness.round_trip import round_trip

from words.programs import learn_by_program, time_program
from words.quality import evaluate
from words.roster import COUNTING, GLOVE, OURS, Entry, Setting

Report = Callable[[str], None]


def measure_speed(
    setting: Setting, entries: Sequence[Entry], text: Path, words: int, rounds: int, report: Report
) -> dict[str, Any]:
    """Time contestants in turns.

    Args:
        setting: what is learned, with two epochs, of which the last is training alone; of more the
            mean counts.
        entries: the contestants.
        text: a file.
        words: how many are in it.
        rounds: how many count.
        report: told what runs.

    Returns:
        For each contestant, ``end``: seconds in each round from the text file to written vectors
        with one epoch, ``train``: of one epoch, the peak memory, for chainrule the arithmetic of a
        word and what the machine's matrix products reach, and where several threads work,
        ``round_trips``: seconds of ``round_trip`` before each round and after it, where known.
    """
    trains = {entry.name: Series() for entry in entries}
    memory = {entry.name: 0.0 for entry in entries}
    facts: dict[str, dict[str, Any]] = {entry.name: {} for entry in entries}
    counted = setting.model not in (GLOVE, COUNTING) and setting.threads == 1

    with contextlib.ExitStack() as stack:

        def contestant(entry: Entry) -> Callable[[], Timing]:
            own = entry.timed(setting)
            arguments = {"setting": own.as_dict(), "text": str(text)}
            call = None
            if entry.module:
                call = stack.enter_context(Worker(entry.module, own.threads)).call
            if call and counted and entry.module == "words.chainrule":
                facts[entry.name]["arithmetic"] = call("arithmetic", **arguments)

            def turn() -> Timing:
                before = round_trip() if setting.threads > 1 else None
                if call is None:
                    answer = time_program(entry, own, text)
                else:
                    answer = call("time", **arguments)
                    if entry.name == OURS and counted:
                        best = facts[entry.name].get("peak", 0.0)
                        facts[entry.name]["peak"] = max(best, call("peak"))
                if before is not None:
                    ways = facts[entry.name].setdefault("round_trips", [])
                    ways.append([before, round_trip()])
                trains[entry.name].add(Timing(**answer["train"]))
                memory[entry.name] = max(memory[entry.name], answer["memory"])
                return Timing(**answer["end"])

            return turn

        turns = {entry.name: contestant(entry) for entry in entries}
        ends = interleave(turns, rounds, 0, report)
    return {
        entry.name: {
            "end": ends[entry.name].as_dict(),
            "train": trains[entry.name].as_dict(),
            "memory": memory[entry.name],
            "words": words,
            **facts[entry.name],
        }
        for entry in entries
    }


def measure_quality(entry: Entry, setting: Setting, text: Path, lists: Path) -> dict[str, float]:
    """What the vectors of one contestant and seed are worth, see ``quality.evaluate``."""
    own = entry.own(setting)
    if entry.module:
        with (
            tempfile.TemporaryDirectory() as folder,
            Worker(entry.module, setting.threads) as worker,
        ):
            path = Path(folder) / "vectors.npz"
            arguments = {"setting": own.as_dict(), "text": str(text), "output": str(path)}
            worker.call("learn", timeout=24 * 3600.0, **arguments)
            with np.load(path) as found:
                return evaluate(found["words"].tolist(), found["vectors"], lists)
    return evaluate(*learn_by_program(entry, own, text), lists)
