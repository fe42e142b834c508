"""Training small networks: the time of a step beside other libraries.

All contestants train the same network from the same weights on the same batches in the same order,
float32, forward, loss, backward and update; the mean losses of their epochs must agree, or the
benchmark fails. Each lives in a process of its own and they run in turns, so that a busy machine
slows all alike. Contestants that are not installed are left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import Cells, Table, WorkerError, about, common_arguments, heading, publish
from harness.machine import usable_cores
from peers.measure import Disagreement, measure_cold_start, measure_training
from peers.mnist import training_images
from peers.report import OPTIMISERS, cold_table, ratios_table, targets_table, times_table
from peers.roster import OURS, ROSTER, Entry
from peers.work import WORKS, Images

COMMAND = "python benchmarks/networks.py"
EXAMPLES = f"""\
  make bench                              everything beside all peers: half an hour
  {COMMAND} --quick       a few seconds, to see that it runs
  {COMMAND} --only tiny --threads one
  {COMMAND} --markdown docs/performance.md
Finished cells are saved: after Ctrl-C the same command goes on where it stopped."""
THREADS = {"one": "One thread", "all": "All cores"}
# Beside the repository, in a work tree that has it.
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COLD = "cold start"
QUICK = ("one, tiny, sgd", "one, small, batch 32, adam", "one, MNIST, sgd", COLD)


def main() -> int:
    """Measure, print, save; 0 where all went well."""
    arguments = parse()
    entries = _present(arguments.peers)
    facts = about([entry.distribution for entry in entries if entry.name != OURS])
    cells = Cells(None if arguments.quick else arguments.cells, facts, arguments.fresh)
    status = 0
    if not arguments.saved:
        print(heading(facts, COMMAND), flush=True)
        try:
            for cell in _wanted(arguments, entries):
                _measure(cell, cells)
        except KeyboardInterrupt:
            print("\ninterrupted: finished cells are kept, and the same command goes on from them")
            status = 130
        except (Disagreement, WorkerError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    saved = [cells.newest(name) for name in _names(arguments)]
    found = [cell for cell in saved if cell is not None]
    tables = make_tables(found, arguments.quick)
    publish(tables, found, COMMAND, arguments.markdown, "networks")
    return status


def parse() -> argparse.Namespace:
    """The command line."""
    parser = common_arguments(str(__doc__), EXAMPLES, "networks.json", rounds=5)
    works = [work.name for work in WORKS]
    parser.add_argument(
        "--only", action="append", choices=[*works, COLD], metavar="WORK",
        help=f"one of {', '.join([*works, COLD])}; may be given several times",
    )  # fmt: skip
    parser.add_argument("--optimiser", choices=list(OPTIMISERS), help="only this one")
    parser.add_argument("--threads", choices=list(THREADS), help="only one thread, or only all")
    parser.add_argument(
        "--peers", metavar="NAMES", help=f"only these, by commas: {', '.join(_peers())}"
    )
    parser.add_argument(
        "--seconds", type=float, default=0.2, help="length of a turn (default %(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="FOLDER",
        help="where the MNIST files are; images are made up where there are none "
        "(default %(default)s)",
    )  # fmt: skip
    return parser.parse_args()


def _peers() -> list[str]:
    return [entry.name for entry in ROSTER if entry.name != OURS]


def _present(wanted: str | None) -> list[Entry]:
    """Who takes part, with a line for each that is not installed."""
    names = _peers() if wanted is None else [name.strip() for name in wanted.split(",")]
    unknown = set(names) - set(_peers())
    if unknown:
        raise SystemExit(
            f"error: no contestant {', '.join(sorted(unknown))}; there is {', '.join(_peers())}"
        )
    chosen = [entry for entry in ROSTER if entry.name == OURS or entry.name in names]
    for entry in chosen:
        if not entry.installed:
            print(f"{entry.name} is left out: it is not installed (make bench installs all)")
    return [entry for entry in chosen if entry.installed]


def _names(arguments: argparse.Namespace) -> list[str]:
    """The names of the cells that are asked for."""
    if arguments.quick and not arguments.only:
        return list(QUICK)
    only = arguments.only or [work.name for work in WORKS] + [COLD]
    names = [
        f"{threads}, {work.name}, {optimiser}"
        for threads in ([arguments.threads] if arguments.threads else THREADS)
        for work in WORKS
        if work.name in only
        for optimiser in ([arguments.optimiser] if arguments.optimiser else OPTIMISERS)
    ]
    return names + [COLD] * (COLD in only)


def _wanted(arguments: argparse.Namespace, entries: list[Entry]) -> Iterator[dict[str, Any]]:
    """The cells that are asked for, each as keyword arguments of ``_measure``."""
    quick = arguments.quick
    rounds = arguments.rounds or (1 if quick else arguments.full_rounds)
    cores = usable_cores()
    images: Images | None = None
    for name in _names(arguments):
        common = {"name": name, "entries": entries, "rounds": rounds}
        if name == COLD:
            yield {**common, "work": WORKS[0]}
            continue
        threads, work_name, optimiser = _parts(name)
        if threads == "all" and (cores == 1 or quick):
            continue
        work = next(work for work in WORKS if work.name == work_name)
        if quick:
            work = replace(work, samples=3 * work.batch + 1, compared=1)
        elif work.images and images is None:
            images = training_images(arguments.data)
            if images is None:
                print(f"no MNIST files in {arguments.data}: images of the same size are made up")
        yield {
            **common,
            "work": work,
            "optimiser": optimiser,
            "threads": 1 if threads == "one" else cores,
            "images": images if work.images else None,
            "seconds": 0.01 if quick else arguments.seconds,
        }


def _parts(name: str) -> tuple[str, str, str]:
    """(threads, work, optimiser) from the name of a cell."""
    threads, _, rest = name.partition(", ")
    work, _, optimiser = rest.rpartition(", ")
    return threads, work, optimiser


def _measure(cell: dict[str, Any], cells: Cells) -> None:
    """Measure a cell, or take it from those that are saved."""
    name, work, entries = cell["name"], cell["work"], cell["entries"]
    settings = {key: value for key, value in cell.items() if key not in ("name", "images")}
    settings["work"] = work.as_dict()
    settings["entries"] = [entry.name for entry in entries]
    settings["data"] = "generated" if cell.get("images") is None else "MNIST"
    live = sys.stderr.isatty()

    def report(text: str) -> None:
        if live:
            print(f"\r\x1b[K{name}: {text}", end="", file=sys.stderr, flush=True)

    def measure() -> dict[str, Any]:
        if name == COLD:
            return measure_cold_start(work, entries, cell["rounds"], report)
        parts = {key: value for key, value in cell.items() if key != "name"}
        return measure_training(**parts, report=report)

    start = time.perf_counter()
    _, saved = cells.measured(name, settings, measure)
    if live:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    done = "saved before" if saved else f"{time.perf_counter() - start:.0f} s"
    print(f"{name}: {done}", flush=True)


def make_tables(found: list[dict[str, Any]], quick: bool) -> list[Table]:
    """All tables that the cells give; a quick run says nothing about targets."""
    trainings: dict[str, dict[tuple[str, str], Any]] = {threads: {} for threads in THREADS}
    cold: dict[str, Any] = {}
    for cell in found:
        if cell["name"] == COLD:
            cold = cell["value"]
        else:
            threads, work, optimiser = _parts(cell["name"])
            trainings[threads][work, optimiser] = cell["value"]
    one, several = trainings["one"], trainings["all"]
    tables = []
    if not quick and (one or several or cold):
        tables.append(targets_table(one, several, cold))
    if one:
        tables.append(times_table("One thread: processor time of a training step", one, "cpu"))
        tables.append(ratios_table("One thread: times as long as chainrule's fit", one, "cpu"))
    if several:
        tables.append(times_table("All cores: wall time of a training step", several, "wall"))
        tables.append(ratios_table("All cores: times as long as chainrule's fit", several, "wall"))
    if cold:
        tables.append(cold_table(cold, one))
    return tables


if __name__ == "__main__":
    sys.exit(main())
