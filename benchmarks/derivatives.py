"""Derivatives of GradBench's objectives: their time against that of the value, beside the peers.

Each library lives in a process of its own with one thread. All of them compute a row's value and
derivative first, and the answers are compared: the run fails where they disagree by more than 1e-8
of the largest entry. Then they are timed in turns; the tables show medians of processor time.
PyTorch, JAX and HIPS autograd take part where they are installed; for the recurrent row there is a
version in C++ too, built with the compiler that is found.

Source: GradBench, https://github.com/gradbench/gradbench (2026); see objectives/.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import objectives
from harness import (
    Cells,
    Series,
    Table,
    Timing,
    Worker,
    WorkerError,
    about,
    common_arguments,
    duration,
    heading,
    interleave,
    write_section,
)
from harness.libraries import compiler
from objectives.problem import Problem

from chainrule.run import native

TOLERANCE = 1e-8
OURS, REFERENCE = "chainrule", "chainrule, numpy"
CPP = "C++ by hand"
# What the LSTM must reach: at most so many times as long as C++, and so many times PyTorch's speed.
MOST_BY_CPP, LEAST_BY_PYTORCH = 2.0, 100.0
# Name in the tables: the module in engines/, its options, and the package that it needs.
ENGINES: dict[str, tuple[str, dict[str, Any], str]] = {
    OURS: ("chainrule", {"executor": "native"}, "chainrule"),
    REFERENCE: ("chainrule", {"executor": "numpy"}, "chainrule"),
    "PyTorch": ("pytorch", {}, "torch"),
    "JAX": ("jax", {}, "jax"),
    "HIPS autograd": ("autograd", {}, "autograd"),
    CPP: ("cpp", {}, ""),
}
EXAMPLES = """\
  python benchmarks/derivatives.py                 # all rows, resumed from saved cells
  python benchmarks/derivatives.py --quick         # small sizes, a few seconds a library
  python benchmarks/derivatives.py --only gmm,lse  # some objectives
  python benchmarks/derivatives.py --saved --markdown docs/performance.md
"""


def engines_here() -> list[str]:
    """The libraries that can run, with a line about each one that cannot."""
    found = []
    for name, (_, options, package) in ENGINES.items():
        if name == CPP:
            missing = "" if compiler() else "no C++ compiler was found"
        elif importlib.util.find_spec(package) is None:
            missing = f"{package} is not installed"
        else:
            missing = ""
            if options.get("executor") == "native" and not native.available():
                missing = f"the native core is not built: {native.why_not()}"
        if missing:
            print(f"left out: {name} ({missing})")
        else:
            found.append(name)
    return found


def takes_part(engine: str, objective: str) -> bool:
    """Whether a library has this objective."""
    return engine != CPP or objective == "lstm"


# ----- measuring --------------------------------------------------------------------------------


def disagreement(folder: Path, engine: str, reference: str) -> float:
    """The largest difference of two libraries' answers, as a share of the largest entry."""
    worst = 0.0
    with np.load(folder / f"{engine}.npz") as found, np.load(folder / f"{reference}.npz") as wanted:
        if set(found) != set(wanted):
            return float("inf")
        for key in wanted:
            a, b = found[key], wanted[key]
            if a.shape != b.shape or not np.isfinite(a).all():
                return float("inf")
            if b.size:
                worst = max(worst, float(np.abs(a - b).max() / (np.abs(b).max() or 1.0)))
    return worst


def measure_row(
    problem: Problem,
    size: dict[str, Any],
    engines: list[str],
    workers: Mapping[str, Worker],
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    """One row: what each library answered first, how well it agrees, and its timings."""
    found: dict[str, Any] = {}
    contestants: dict[str, Callable[[], Timing]] = {}
    reference = REFERENCE if REFERENCE in engines else engines[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for engine in sorted(engines, key=lambda e: e != reference):
            say(f"{problem.label}: {engine}")
            try:
                found[engine] = workers[engine].call(
                    "start", name=problem.name, size=size, file=str(folder / f"{engine}.npz"),
                    options=ENGINES[engine][1],
                )  # fmt: skip
            except WorkerError as error:
                found[engine] = {"failed": str(error).strip().splitlines()[-1][:200]}
                continue
            found[engine]["difference"] = disagreement(folder, engine, reference)
            for what in ("value", "derivative"):
                contestants[f"{engine}/{what}"] = partial(timed, workers[engine], what, seconds)
    series = interleave(
        contestants, rounds, warm_up=0, report=lambda text: say(f"{problem.label}: {text}")
    )
    for key, timings in series.items():
        engine, what = key.split("/")
        found[engine][what] = timings.as_dict()
    return found


def timed(worker: Worker, what: str, seconds: float) -> Timing:
    """One measurement in a worker."""
    return Timing(**worker.call("measure", what=what, seconds=seconds))


def say(text: str) -> None:
    """Tell a terminal what goes on, on one line that the next one replaces."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# ----- tables -----------------------------------------------------------------------------------


def median(row: Mapping[str, Any], engine: str, what: str) -> float | None:
    """The median processor time of a library in a row; None where it did not take part."""
    timings = row.get(engine, {}).get(what)
    return Series(**timings).median("cpu") if timings else None


def shown(row: Mapping[str, Any], engine: str, what: str, beside: str | None = None) -> str:
    """A time, with how many times that of ``beside`` it is."""
    time = median(row, engine, what)
    if time is None:
        return "failed" if "failed" in row.get(engine, {}) else "-"
    other = median(row, beside, what) if beside else None
    return duration(time) + (f" ({times(time / other)})" if other else "")


def times(factor: float) -> str:
    """A factor in words."""
    return f"{factor:.2g}x" if factor < 10 else f"{factor:.0f}x"


def ratio(row: Mapping[str, Any], engine: str) -> str:
    """Time of the derivative by that of the value."""
    value, derivative = median(row, engine, "value"), median(row, engine, "derivative")
    return "-" if value is None or derivative is None else f"{derivative / value:.1f}"


Rows = list[tuple[Problem, Mapping[str, Any]]]


def gradient_tables(rows: Rows, engines: list[str]) -> list[Table]:
    """Times of gradients, and their ratios to the values."""
    rows = [(problem, row) for problem, row in rows if problem.kind == "gradient"]
    first = OURS if OURS in engines else REFERENCE
    peers = [e for e in engines if e not in (first, CPP)]
    lasting = Table("Gradients", ["objective", f"{first}: value", "gradient", *peers])
    ratios = Table(
        "Time of the gradient by time of the value", ["objective", "bound", first, *peers]
    )
    missed = []
    for problem, row in rows:
        label = problem.label
        lasting.rows.append([
            label, shown(row, first, "value"), shown(row, first, "derivative"),
            *(shown(row, peer, "derivative", first) for peer in peers),
        ])  # fmt: skip
        ratios.rows.append([
            label, f"{problem.bound:g}", *(ratio(row, engine) for engine in (first, *peers)),
        ])  # fmt: skip
        found = ratio(row, first)
        if found != "-" and problem.bound is not None and float(found) > problem.bound:
            missed.append(f"{label} ({found} instead of {problem.bound:g})")
    lasting.notes.append(f"In brackets: how many times {first}'s time.")
    ratios.notes.append(
        "The bound is missed by: " + "; ".join(missed) + "." if missed else "No bound is missed."
    )
    return [lasting, ratios] if rows else []


def second_table(rows: Rows, engines: list[str]) -> list[Table]:
    """Jacobians and Newton's directions: times, passes and what is known of zeros."""
    rows = [(problem, row) for problem, row in rows if problem.kind != "gradient"]
    first = OURS if OURS in engines else REFERENCE
    peers = [e for e in engines if e not in (first, CPP)]
    columns = ["objective", f"{first}: value", "derivative", "ratio", "passes", *peers]
    table = Table("Jacobians and Newton's directions", columns)
    for problem, row in rows:
        passes = (
            row.get(first, {}).get("note") or "1 forward over 1 reverse pass (diagonal Hessian)"
        )
        table.rows.append([
            problem.label, shown(row, first, "value"), shown(row, first, "derivative"),
            ratio(row, first), passes, *(shown(row, peer, "derivative", first) for peer in peers),
        ])  # fmt: skip
    table.notes.append(
        "chainrule finds which entries can differ from zero and which columns can share a pass, "
        "and returns SciPy arrays; peers are given by hand which columns share a pass, and return "
        "the passes."
    )
    return [table] if rows else []


def recurrent_table(rows: Rows, engines: list[str]) -> list[Table]:
    """The LSTM beside the version in C++."""
    rows = [(problem, row) for problem, row in rows if CPP in row]
    if not rows or OURS not in engines:
        return []
    table = Table(
        "The LSTM beside hand-written C++",
        ["objective", "", CPP, f"{OURS} (by C++)", "PyTorch (by chainrule)"],
    )
    missed = []
    for problem, row in rows:
        for what in ("value", "derivative"):
            name = what.replace("derivative", "gradient")
            table.rows.append([
                problem.label, name, shown(row, CPP, what),
                shown(row, OURS, what, CPP), shown(row, "PyTorch", what, OURS),
            ])  # fmt: skip
            own, written, torch = (median(row, e, what) for e in (OURS, CPP, "PyTorch"))
            if own and written and own > MOST_BY_CPP * written:
                missed.append(f"{problem.label}, {name}, by C++")
            if own and torch and torch < LEAST_BY_PYTORCH * own:
                missed.append(f"{problem.label}, {name}, by PyTorch")
    verdict = f"Missed by: {'; '.join(missed)}" if missed else "None that was measured is missed"
    table.notes.append(
        f"Targets: at most {MOST_BY_CPP:g} times as long as C++, {LEAST_BY_PYTORCH:g} times as "
        f"fast as PyTorch. {verdict}."
    )
    return [table]


def failures(rows: Rows) -> list[str]:
    """What went wrong, in words."""
    found = []
    for problem, row in rows:
        for engine, cell in row.items():
            if "failed" in cell:
                found.append(f"{problem.label}, {engine}: {cell['failed']}")
            elif not cell["difference"] <= TOLERANCE:
                found.append(
                    f"{problem.label}, {engine}: differs by {cell['difference']:.1e} of the "
                    f"largest entry, more than {TOLERANCE:g}"
                )
    return found


def main() -> int:
    """Measure, show, and say whether all libraries agree."""
    parser = common_arguments(
        "Derivatives of GradBench's objectives beside PyTorch, JAX and HIPS autograd.",
        EXAMPLES, cells="derivatives.json", rounds=7,
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="NAMES", default=",".join(objectives.NAMES),
        help="objectives, with commas between them (default %(default)s)",
    )  # fmt: skip
    args = parser.parse_args()
    names = args.only.split(",")
    unknown = [name for name in names if name not in objectives.NAMES]
    if unknown:
        parser.error(f"no objective {unknown[0]!r}; there is {', '.join(objectives.NAMES)}")
    engines = list(ENGINES) if args.saved else engines_here()
    facts = about(["scipy", "torch", "jax", "autograd"])
    cells = Cells(None if args.quick else args.cells, facts, fresh=args.fresh)
    rounds = args.rounds or (1 if args.quick else args.full_rounds)
    rows: Rows = []
    dates: list[str] = []
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}

        def worker(engine: str) -> Worker:
            if engine not in workers:
                workers[engine] = stack.enter_context(Worker(f"engines.{ENGINES[engine][0]}"))
            return workers[engine]

        for name in names:
            for size in objectives.sizes(name, args.quick):
                problem = objectives.build(name, size)
                cell = f"derivatives: {problem.label}"
                if args.saved:
                    saved = cells.newest(cell)
                    if saved is not None:
                        facts = saved["about"]
                        dates.append(saved["date"])
                        rows.append((problem, saved["value"]))
                    continue
                present = [e for e in engines if takes_part(e, name)]
                settings = {"engines": present, "rounds": rounds, "quick": args.quick}
                row = cells.get(cell, settings)
                # A row in which a library failed is tried again.
                was_saved = row is not None and not any("failed" in row[e] for e in present)
                if not was_saved:
                    workers_of_row = {e: worker(e) for e in present}
                    seconds = 0.0 if args.quick else 0.1
                    row = measure_row(problem, size, present, workers_of_row, rounds, seconds)
                    cells.put(cell, settings, row)
                say("")
                print(f"{problem.label}: {'saved before' if was_saved else 'measured'}", flush=True)
                rows.append((problem, row))
    engines = [e for e in engines if any(e in row for _, row in rows)]
    tables = [
        *gradient_tables(rows, engines), *second_table(rows, engines),
        *recurrent_table(rows, engines),
    ]  # fmt: skip
    top = heading(facts, "make bench", dates)
    print(f"\n{top}\n")
    for table in tables:
        print(table.text() + "\n")
    wrong = failures(rows)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if args.markdown and not wrong:
        write_section(
            args.markdown, "derivatives", "\n".join([top, "", *(t.markdown() for t in tables)])
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
