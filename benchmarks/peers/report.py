"""The tables of benchmarks/networks.py from saved cells, targets beside what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness import Series, Table, duration

from peers.roster import ONE_THREAD, OURS, PEERS, PRODUCTS, ROSTER

OPTIMISERS = {"sgd": "SGD", "adam": "Adam"}
BEST = "the best peer"
# What counts as no slower, where the same is measured twice.
TIE = 1.05
# A training cell: (work, optimiser) -> contestant -> what was measured.
Trainings = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Target:
    """What a training step must reach: ``against`` takes at least ``ratio`` times as long."""

    work: str
    optimisers: tuple[str, ...]
    against: str
    ratio: float


BOTH = ("sgd", "adam")
TARGETS = [
    Target("tiny", BOTH, "JAX", 15),
    Target("tiny", BOTH, "PyTorch", 300),
    Target("tiny", BOTH, "scikit-learn", 200),
    Target("small, batch 32", ("sgd",), "JAX", 2),
    Target("small, batch 32", ("adam",), "JAX", 4),
    Target("small, batch 32", ("adam",), "PyTorch", 50),
    Target("small, batch 32", ("adam",), "scikit-learn", 35),
    Target("small, batch 256", BOTH, "JAX", 3),
    Target("small, batch 256", BOTH, "PyTorch", 10),
    Target("small, batch 256", BOTH, "scikit-learn", 9),
    Target("MNIST", BOTH, BEST, 1.2),
    Target("MNIST", ("sgd",), PRODUCTS, 1),
    Target("MNIST", ("adam",), PRODUCTS, 1 / 1.1),
    Target("wide", BOTH, PRODUCTS, 1 / 1.1),
]


def seconds_of(cell: Mapping[str, Any], name: str, kind: str, part: str = "") -> float | None:
    """The median of a contestant; None where it did not take part."""
    if name not in cell:
        return None
    found = cell[name][part] if part else cell[name]
    return Series(found["wall"], found["cpu"]).median(kind) if found["wall"] else None


def times_as_long(cell: Mapping[str, Any], name: str, kind: str, part: str = "") -> float | None:
    """How many times as long as chainrule, or as a part of it, another contestant takes.

    The median of the ratios within rounds: a machine that slows down slows both sides of one.
    """
    if name not in cell or OURS not in cell:
        return None
    ours = cell[OURS][part] if part else cell[OURS]
    if not ours[kind]:
        return None
    rounds = zip(cell[name][kind], ours[kind], strict=True)
    return statistics.median(theirs / own for theirs, own in rounds)


def times_table(title: str, trainings: Trainings, kind: str) -> Table:
    """The time of a step of all contestants."""
    names = [e.name for e in ROSTER if any(e.name in cell for cell in trainings.values())]
    table = Table(title, ["work", "optimiser", names[0], "in the core", *names[1:], "losses agree"])
    spreads = []
    for (work, optimiser), cell in trainings.items():
        times = [seconds_of(cell, name, kind) for name in names]
        times.insert(1, seconds_of(cell, OURS, kind, "inner"))
        differences = [c["difference"] for c in cell.values() if c["difference"] is not None]
        shown = ["-" if time is None else duration(time) for time in times]
        table.rows.append([work, OPTIMISERS[optimiser], *shown, f"to {max(differences):.0e}"])
        spreads += [Series(c["wall"], c["cpu"]).spread(kind) for c in cell.values()]
    rounds = min((len(c["wall"]) for cell in trainings.values() for c in cell.values()), default=0)
    table.notes.append(
        f"Medians of {rounds} rounds or more; half the distance between quartiles is at most "
        f"{max(spreads, default=0):.0%} of a median, {sorted(spreads)[len(spreads) // 2]:.0%} for "
        "half of them."
    )
    return table


def ratios_table(title: str, trainings: Trainings, kind: str) -> Table:
    """How many times as long as chainrule's ``fit`` the others take."""
    names = [e.name for e in ROSTER[1:] if any(e.name in cell for cell in trainings.values())]
    table = Table(title, ["work", "optimiser", *names])
    for (work, optimiser), cell in trainings.items():
        ratios = [times_as_long(cell, name, kind) for name in names]
        shown = ["-" if ratio is None else f"{ratio:.3g}x" for ratio in ratios]
        table.rows.append([work, OPTIMISERS[optimiser], *shown])
    return table


def targets_table(one: Trainings, several: Trainings, cold: Mapping[str, Any] | None) -> Table:
    """Every target with what was measured: met or missed."""
    columns = ["work", "optimiser", "against", "target", "measured", "core alone", ""]
    table = Table("Targets", columns)
    for target in TARGETS:
        for optimiser in target.optimisers:
            cell = one.get((target.work, optimiser), {})
            names = PEERS if target.against == BEST else [target.against]
            ratio = _least(times_as_long(cell, name, "cpu") for name in names)
            core = _least(times_as_long(cell, name, "cpu", "inner") for name in names)
            if ratio is None:
                continue
            shown = "-" if core is None else f"{core:.2f}x"
            table.rows.append([
                target.work, OPTIMISERS[optimiser], target.against, f"{target.ratio:.3g}x",
                f"{ratio:.2f}x", shown, _verdict(ratio >= target.ratio),
            ])  # fmt: skip
    for (work, optimiser), cell in several.items():
        ratio = times_as_long(cell, ONE_THREAD, "wall")
        if ratio is not None:
            table.rows.append([
                f"{work}, all cores", OPTIMISERS[optimiser], "itself with one thread", "1x",
                f"{ratio:.2f}x", "-", _verdict(ratio >= 1 / TIE),
            ])  # fmt: skip
    table.rows += _cold_rows(cold)
    table.notes.append(
        "Measured: the time of the other over that of chainrule's `fit`, processor time with one "
        "thread, wall time with all cores; core alone: over that of its loop without Python's part "
        "of an epoch; medians of the ratios within rounds. Against itself, up to "
        f"{TIE - 1:.0%} is a tie."
    )
    return table


def _cold_rows(cold: Mapping[str, Any] | None) -> list[list[str]]:
    if not cold or OURS not in cold:
        return []
    ours = seconds_of(cold, OURS, "cpu", "epoch")
    rows = []
    for name in PEERS:
        other = seconds_of(cold, name, "cpu", "import")
        if name != "NumPy by hand" and other is not None and ours is not None:
            verdict = _verdict(other > ours)
            against = f"import of {name}"
            rows.append(["cold start", "Adam", against, "1x", f"{other / ours:.2f}x", "-", verdict])
    return rows


def _least(ratios: Iterable[float | None]) -> float | None:
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def cold_table(cold: Mapping[str, Any], trainings: Trainings) -> Table:
    """Cold start, memory and installed size."""
    columns = [
        "", "import", "first tiny epoch ended", "same, wall time", "peak memory, tiny",
        "peak memory, MNIST", "installed, with dependencies",
    ]  # fmt: skip
    table = Table("Cold start, memory, size", columns)
    images = trainings.get(("MNIST", "adam"), {})
    for name, cell in cold.items():
        times = [
            seconds_of(cold, name, kind, part)
            for part, kind in (("import", "cpu"), ("epoch", "cpu"), ("epoch", "wall"))
        ]
        large = images.get(name, {}).get("memory")
        table.rows.append([
            name, *("-" if time is None else duration(time) for time in times),
            _megabytes(cell["memory"]), "-" if large is None else _megabytes(large),
            _megabytes(cell["size"]),
        ])  # fmt: skip
    table.notes.append(
        "Processor time since the start of the process, unless it says wall time. The import "
        "includes Python's own start and that of the worker. MNIST's memory includes the data."
    )
    return table


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"
