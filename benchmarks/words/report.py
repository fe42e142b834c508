"""The tables of benchmarks/embeddings.py from saved cells."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import Series, Table
from harness.round_trip import WITHIN_A_CACHE

from words.roster import ALONE, CBOW, COUNTING, FAST, GENSIM, GLOVE, OURS, SKIPGRAM, TREE

# (threads, model, size) -> contestant -> what was measured.
Speeds = Mapping[tuple[str, str, int], Mapping[str, Any]]
# (model, size) -> contestant -> for each seed the results.
Qualities = Mapping[tuple[str, int], Mapping[str, Sequence[Mapping[str, float]]]]


@dataclass(frozen=True)
class Target:
    """What must be reached: at least ``ratio`` times the words per processor second of a peer."""

    model: str
    size: int
    who: str
    against: str
    ratio: float


TARGETS = [
    Target(SKIPGRAM, 100, OURS, GENSIM, 15),
    Target(SKIPGRAM, 300, OURS, GENSIM, 9),
    Target(SKIPGRAM, 100, FAST, GENSIM, 20),
    Target(SKIPGRAM, 300, FAST, GENSIM, 12),
    Target(SKIPGRAM, 100, OURS, "pWord2Vec", 4),
    Target(SKIPGRAM, 300, OURS, "pWord2Vec", 4),
    Target(CBOW, 100, OURS, GENSIM, 6),
    Target(TREE, 100, OURS, GENSIM, 5),
    Target(GLOVE, 100, OURS, "GloVe", 3),
    Target(COUNTING, 100, OURS, GENSIM, 10),
]
PEAK_SHARE, SPEED_UP = 0.2, 1.8
# How cores lay in a round of several threads: by the way of a line of the cache before and after.
PLACES = {
    "sharing a cache": lambda ways: max(ways) < WITHIN_A_CACHE,
    "without a shared cache": lambda ways: min(ways) >= WITHIN_A_CACHE,
}


def rate(
    measured: Mapping[str, Any], part: str, kind: str, rounds: Sequence[int] | None = None
) -> float:
    """Words per second, by the median of (these) rounds; 0 where noise hides an epoch."""
    times = measured[part][kind]
    seconds = statistics.median(times if rounds is None else [times[r] for r in rounds])
    return float(measured["words"] / seconds) if seconds > 0 else 0.0


def rounds_by_place(measured: Mapping[str, Any]) -> dict[str, list[int]]:
    """The rounds of a contestant by how the cores lay; all under "" where that is not known."""
    ways = measured.get("round_trips")
    if ways is None:
        return {"": list(range(len(measured["train"]["wall"])))}
    return {
        place: [r for r, both in enumerate(ways) if lies(both)] for place, lies in PLACES.items()
    }


def speed_table(title: str, threads: str, speeds: Speeds) -> Table:
    """Words per second of everybody, and how often as many as gensim's."""
    table = Table(title, [
        "model", "size", "who", "training, words per processor second", "per wall second",
        "against gensim", "of the peak", "from text to vectors, per processor second",
        "per wall second", "peak memory",
    ])  # fmt: skip
    spreads = []
    for (where, model, size), cell in speeds.items():
        if where != threads:
            continue
        reference = rate(cell[GENSIM], "train", "cpu") if GENSIM in cell else None
        for name, measured in cell.items():
            speed = rate(measured, "train", "cpu")
            spreads.append(Series(**measured["train"]).spread("cpu"))
            table.rows.append([
                model, _size(model, size), name, _thousands(speed),
                _thousands(rate(measured, "train", "wall")),
                f"{speed / reference:.2f}x" if reference and speed else "-", _share(measured, cell),
                _thousands(rate(measured, "end", "cpu")),
                _thousands(rate(measured, "end", "wall")), f"{measured['memory'] / 1e6:.0f} MB",
            ])  # fmt: skip
    rounds = [len(c["end"]["cpu"]) for cell in speeds.values() for c in cell.values()]
    table.notes.append(
        f"Medians of {min(rounds, default=0)} rounds or more; half the distance between quartiles "
        f"is at most {max(spreads, default=0):.0%} of a median. From text to vectors is with one "
        "epoch. Of the peak: of the operations per second that a product of large matrices reaches "
        "in NumPy on one core."
    )
    return table


def places_table(speeds: Speeds) -> Table | None:
    """Words per second of all cores by whether they share a cache; None where that is not known."""
    columns = [text for place in PLACES for text in (f"{place}: words per wall second", "rounds")]
    table = Table("All cores, by how they lie", ["model", "size", "who", *columns])
    for (_, model, size), cell in speeds.items():
        for name, measured in cell.items():
            if "round_trips" not in measured:
                continue
            row = [model, _size(model, size), name]
            for rounds in rounds_by_place(measured).values():
                speed = rate(measured, "train", "wall", rounds) if rounds else 0.0
                row += [_thousands(speed), str(len(rounds))]
            table.rows.append(row)
    table.notes.append(
        "Training alone, medians of those rounds before and after which a line of the cache went "
        f"to the other core and back within {WITHIN_A_CACHE * 1e6:g} µs, and of those where it did "
        "not; rounds in which that changed are left out."
    )
    return table if table.rows else None


def _share(measured: Mapping[str, Any], cell: Mapping[str, Any]) -> str:
    peak = cell.get(OURS, {}).get("peak")
    if not peak or "arithmetic" not in measured:
        return "-"
    return f"{_reached(measured, peak):.0%}"


def _reached(measured: Mapping[str, Any], peak: float) -> float:
    return rate(measured, "train", "cpu") * float(measured["arithmetic"]) / peak


def targets_table(speeds: Speeds) -> Table:
    """Every target with what was measured."""
    table = Table("Targets", ["model", "size", "who", "against", "target", "measured", ""])
    for target in TARGETS:
        cell = speeds.get(("one", target.model, target.size), {})
        if target.who in cell and target.against in cell:
            ours, theirs = (rate(cell[n], "train", "cpu") for n in (target.who, target.against))
            if not ours or not theirs:
                continue
            table.rows.append(_row(target, f"{target.ratio:g}x", f"{ours / theirs:.2f}x",
                                   ours / theirs >= target.ratio))  # fmt: skip
    for (threads, model, size), cell in speeds.items():
        if OURS not in cell:
            continue
        peak = cell[OURS].get("peak")
        if threads == "one" and peak and (model, size) == (SKIPGRAM, 100):
            share = _reached(cell[OURS], peak)
            target = Target(model, size, OURS, "the peak of one core", PEAK_SHARE)
            table.rows.append(_row(target, f"{PEAK_SHARE:.0%}", f"{share:.0%}",
                                   share >= PEAK_SHARE))  # fmt: skip
        if threads == "all" and ALONE in cell:
            for place, rounds in rounds_by_place(cell[OURS]).items():
                if not rounds:
                    continue
                several, one = (rate(cell[who], "train", "wall", rounds) for who in (OURS, ALONE))
                who = f"{OURS}, {cell[OURS]['threads']} threads {place}".strip()
                target = Target(model, size, who, "one thread", SPEED_UP)
                table.rows.append(_row(target, f"{SPEED_UP:g}x", f"{several / one:.2f}x",
                                       several / one >= SPEED_UP))  # fmt: skip
    table.notes.append(
        "Training alone: words per processor second with one thread; all cores against one thread "
        "by words per wall second, both in the same rounds."
    )
    return table


def _size(model: str, size: int) -> str:
    """Numbers in a vector, where there are vectors."""
    return "-" if model == COUNTING else str(size)


def _row(target: Target, wanted: str, measured: str, met: bool) -> list[str]:
    verdict = "met" if met else "missed"
    size = _size(target.model, target.size)
    return [target.model, size, target.who, target.against, wanted, measured, verdict]


def quality_table(qualities: Qualities, words: int) -> Table:
    """Mean and spread over the seeds."""
    tests = sorted({t for c in qualities.values() for runs in c.values() for r in runs for t in r})
    table = Table("Quality", ["model", "size", "who", "seeds", *tests])
    for (model, size), cell in qualities.items():
        for name, runs in cell.items():
            table.rows.append([
                model, str(size), name, str(len(runs)),
                *(_mean([run[test] for run in runs if test in run]) for test in tests),
            ])  # fmt: skip
    table.notes.append(
        f"Learned from {words:,} words. Mean over the seeds, and half the distance of the largest "
        "from the smallest. Correlation of ranks with people's judgements; share of analogies "
        "whose answer is the nearest of the 30 000 most frequent words."
    )
    return table


def _mean(values: Sequence[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def _thousands(speed: float) -> str:
    return f"{speed / 1e3:,.0f} k" if speed else "-"
