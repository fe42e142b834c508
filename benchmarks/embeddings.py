"""Learning vectors of words: words per second and quality beside other programs.

All contestants read the same text file with the same settings and take turns, so that a busy
machine slows all alike. gensim takes part where it is installed; programs in C where their path is
given. They are only run, not fetched and not built.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import Cells, Table, WorkerError, about, common_arguments, heading, publish
from harness.machine import usable_cores
from words.measure import measure_quality, measure_speed
from words.programs import ProgramError
from words.report import places_table, quality_table, speed_table, targets_table
from words.roster import ALONE, COUNTING, GLOVE, MODELS, UNSEEDED, Entry, Setting, roster
from words.text import write_slice

COMMAND = "python benchmarks/embeddings.py"
EXAMPLES = f"""\
  {COMMAND} --quick       a minute, to see that it runs
  {COMMAND} --speed-only --only skip-gram
  {COMMAND} --word2vec ~/word2vec/word2vec --glove ~/GloVe/build
  {COMMAND} --markdown docs/embeddings.md
Finished cells are saved: after Ctrl-C the same command goes on where it stopped."""
# Beside the repository, in a work tree that has it.
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
THREADS = {"one": "One thread", "all": "All cores"}
SIZES = (100, 300)
PROGRAMS = {
    "word2vec": "word2vec.c",
    "pword2vec": "pWord2Vec",
    "fasttext": "fastText",
    "glove": "GloVe",
}
# How good vectors are is asked with so many epochs, on so many words in a quick run.
EPOCHS = {GLOVE: 15}
QUICK_WORDS = 20_000


def main() -> int:
    """Measure, print, save; 0 where all went well."""
    arguments = parse()
    entries = _present(arguments)
    facts = about(["gensim", "scipy"])
    cells = Cells(None if arguments.quick else arguments.cells, facts, arguments.fresh)
    status = 0
    if not arguments.saved:
        print(heading(facts, COMMAND), flush=True)
        try:
            _measure_all(arguments, entries, cells)
        except KeyboardInterrupt:
            print("\ninterrupted: finished cells are kept, and the same command goes on from them")
            status = 130
        except (ProgramError, WorkerError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    found, tables = make_tables(arguments, entries, cells)
    publish(tables, found, COMMAND, arguments.markdown, "embeddings")
    return status


def parse() -> argparse.Namespace:
    """The command line."""
    parser = common_arguments(str(__doc__), EXAMPLES, "embeddings.json", rounds=3)
    parser.add_argument("--only", action="append", choices=MODELS, metavar="MODEL",
                        help=f"one of {', '.join(MODELS)}; may be given several times")  # fmt: skip
    parser.add_argument("--size", action="append", type=int, metavar="N",
                        help="numbers in a vector; default 100 and 300")  # fmt: skip
    parser.add_argument("--threads", choices=list(THREADS), help="only one thread, or only all")
    parser.add_argument("--speed-only", action="store_true", help="leave the quality out")
    parser.add_argument("--quality-only", action="store_true", help="leave the speed out")
    parser.add_argument("--text", type=Path, metavar="FILE",
                        help="words between blanks, a sentence a line, plain or .xz (default "
                        f"{DATA / 'wiki8.txt.xz'} where it is, else what Python's own library "
                        "says)")  # fmt: skip
    parser.add_argument("--tokens", type=int, default=2_000_000, metavar="N",
                        help="words that speed is timed on (default %(default)s)")  # fmt: skip
    parser.add_argument("--quality-tokens", type=int, default=0, metavar="N",
                        help="words that quality is learned from (default all)")  # fmt: skip
    parser.add_argument("--epochs", type=int, default=5, metavar="N",
                        help="passes for quality (default %(default)s; GloVe 15)")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=3, metavar="N",
                        help="seeds that quality is asked with (default %(default)s)")  # fmt: skip
    parser.add_argument("--lists", type=Path, default=DATA / "wordsim", metavar="FOLDER",
                        help="where EN-WS-353-ALL.txt, EN-SIMLEX-999.txt and questions-words.txt "
                        "are (default %(default)s)")  # fmt: skip
    for option, name in PROGRAMS.items():
        what = "the folder of its four programs" if name == "GloVe" else "the program"
        parser.add_argument(f"--{option}", type=Path, metavar="PATH", help=f"{name}: {what}")
    arguments = parser.parse_args()
    if arguments.text is None and (DATA / "wiki8.txt.xz").exists():
        arguments.text = DATA / "wiki8.txt.xz"
    if arguments.quick:
        arguments.tokens = arguments.quality_tokens = QUICK_WORDS
        arguments.size = arguments.size or [16]
        arguments.seeds = arguments.epochs = 1
        arguments.threads = "one"
    arguments.size = arguments.size or list(SIZES)
    arguments.only = arguments.only or MODELS
    return arguments


def _present(arguments: argparse.Namespace) -> list[Entry]:
    """Who takes part, with a line for each that is not there."""
    paths = {name: getattr(arguments, option) for option, name in PROGRAMS.items()}
    entries = roster(paths)
    for entry in entries:
        if entry.program is not None and not entry.present:
            raise SystemExit(f"error: {entry.name}: there is no {entry.program}")
        if not entry.present:
            print(f"{entry.name} is left out: it is not installed (make bench installs all)")
    return [entry for entry in entries if entry.present]


def _speeds(arguments: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """(threads, model, size) of the cells of speed."""
    for threads in [arguments.threads] if arguments.threads else THREADS:
        for model in MODELS:
            sizes = arguments.size[:1] if model == COUNTING else arguments.size
            if model in arguments.only and not arguments.quality_only:
                yield from ((threads, model, size) for size in sizes)


def _qualities(
    arguments: argparse.Namespace, entries: list[Entry]
) -> Iterator[tuple[str, Entry, Setting]]:
    """(name, contestant, setting) of the cells of quality: one for each seed."""
    if arguments.speed_only:
        return
    for seed in range(1, arguments.seeds + 1):
        for model in MODELS:
            for size in arguments.size:
                for entry in entries:
                    if entry.name == ALONE or model == COUNTING:
                        continue
                    if model in arguments.only and model in entry.models:
                        epochs = EPOCHS.get(model, arguments.epochs)
                        threads = 1 if arguments.threads == "one" else usable_cores()
                        setting = Setting(model, size, threads, epochs, seed)
                        yield f"quality, {model}, {size}, {entry.name}, {seed}", entry, setting


def _measure_all(arguments: argparse.Namespace, entries: list[Entry], cells: Cells) -> None:
    rounds = arguments.rounds or (1 if arguments.quick else arguments.full_rounds)
    source = "Python's library" if arguments.text is None else arguments.text.name
    with tempfile.TemporaryDirectory() as folder:
        slices: dict[int, tuple[Path, int]] = {}

        def text(words: int) -> tuple[Path, int]:
            if words not in slices:
                path = Path(folder) / f"text{words}.txt"
                slices[words] = path, write_slice(arguments.text, words, path)
            return slices[words]

        for threads, model, size in _speeds(arguments):
            count = 1 if threads == "one" else usable_cores()
            who = [
                entry
                for entry in entries
                if model in entry.models and (count > 1 or entry.name != ALONE)
            ]
            if len(who) == 0 or (threads == "all" and count == 1):
                continue
            setting = Setting(model, size, count, 2)
            name = f"{threads}, {model}, {size}"

            def speed(name: str = name, setting: Setting = setting, who: list[Entry] = who) -> Any:
                path, words = text(arguments.tokens)
                found = measure_speed(setting, who, path, words, rounds, _reporter(name))
                return {k: {**v, "threads": setting.threads} for k, v in found.items()}

            settings = {**setting.as_dict(), "text": source, "tokens": arguments.tokens,
                        "rounds": rounds, "who": [entry.name for entry in who]}  # fmt: skip
            _cell(cells, name, settings, speed)
        for name, entry, setting in _qualities(arguments, entries):

            def quality(entry: Entry = entry, setting: Setting = setting) -> Any:
                path, words = text(arguments.quality_tokens)
                found = measure_quality(entry, setting, path, arguments.lists)
                return {"results": found, "words": words}

            settings = {**setting.as_dict(), "text": source, "tokens": arguments.quality_tokens}
            if entry.name in UNSEEDED and setting.seed > 1:
                settings["turned"] = True
            # Neither the machine nor the versions of others change what somebody learns.
            package = entry.package or entry.name
            facts = {package: cells.about["versions"].get(package)}
            _cell(cells, name, settings, quality, facts)


def _cell(
    cells: Cells,
    name: str,
    settings: dict[str, Any],
    measure: Callable[[], Any],
    facts: dict[str, Any] | None = None,
) -> None:
    """Measure a cell, or take it from those that are saved."""
    start = time.perf_counter()
    _, saved = cells.measured(name, settings, measure, facts)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    done = "saved before" if saved else f"{time.perf_counter() - start:.0f} s"
    print(f"{name}: {done}", flush=True)


def _reporter(name: str) -> Callable[[str], None]:
    def report(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{name}: {text}", end="", file=sys.stderr, flush=True)

    return report


def make_tables(
    arguments: argparse.Namespace, entries: list[Entry], cells: Cells
) -> tuple[list[dict[str, Any]], list[Table]]:
    """The cells that are asked for and there, and all tables they give."""
    found, tables = [], []
    speeds = {}
    for key in _speeds(arguments):
        cell = cells.newest(", ".join(map(str, key)))
        if cell is not None:
            found.append(cell)
            speeds[key] = cell["value"]
    qualities: dict[tuple[str, int], dict[str, list[dict[str, float]]]] = {}
    words = 0
    for name, entry, setting in _qualities(arguments, entries):
        cell = cells.newest(name)
        if cell is not None:
            found.append(cell)
            words = cell["value"]["words"]
            runs = qualities.setdefault((setting.model, setting.size), {})
            runs.setdefault(entry.name, []).append(cell["value"]["results"])
    if speeds and not arguments.quick:
        tables.append(targets_table(speeds))
    for threads, title in THREADS.items():
        if any(key[0] == threads for key in speeds):
            tables.append(speed_table(title, threads, speeds))
    if (places := places_table(speeds)) is not None:
        tables.append(places)
    if any(results for cell in qualities.values() for runs in cell.values() for results in runs):
        tables.append(quality_table(qualities, words))
    return found, tables


if __name__ == "__main__":
    sys.exit(main())
