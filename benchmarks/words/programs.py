"""Programs that a user has built: word2vec.c, pWord2Vec, fastText and GloVe."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness.timing import Timing

from words.contestant import plain
from words.roster import CBOW, TREE, UNSEEDED, Entry, Setting

# A seed begins so much of a text later than the one before.
TURNS = 7


class ProgramError(Exception):
    """A program failed; the text is what it said."""


def time_program(entry: Entry, setting: Setting, text: Path) -> dict[str, Any]:
    """Time a program as ``contestant.serve_learner`` times a library.

    A program does not say how long its epochs take: it runs twice, with one epoch and with two, and
    the difference is an epoch.
    """
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for epochs in (1, 2):
            changed = Setting(**{**setting.as_dict(), "epochs": epochs})
            runs.append(_run_all(_commands(entry, changed, text, Path(folder)), setting.threads))
    (once, memory), (twice, _) = runs
    train = Timing(twice.wall - once.wall, twice.cpu - once.cpu)
    return {"end": plain(once), "train": plain(train), "memory": memory}


def learn_by_program(entry: Entry, setting: Setting, text: Path) -> tuple[list[str], np.ndarray]:
    """Words and vectors that a program gives."""
    with tempfile.TemporaryDirectory() as folder:
        _run_all(_commands(entry, setting, text, Path(folder)), setting.threads)
        found = sorted(Path(folder).glob("vectors*"), key=lambda path: path.suffix != ".vec")
        name = next(path for path in found if path.suffix in (".vec", ".txt"))
        return read_text(name, setting.size)


def read_text(path: Path, size: int) -> tuple[list[str], np.ndarray]:
    """A text file of vectors, with or without a first line of counts."""
    words, rows = [], []
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            parts = line.split()
            if len(parts) == size + 1:
                words.append(parts[0])
                rows.append(np.array(parts[1:], np.float32))
    return words, np.array(rows)


def _commands(entry: Entry, setting: Setting, text: Path, folder: Path) -> list[list[str]]:
    """What is run, one after the other. The last writes ``vectors.txt`` or ``vectors.vec``."""
    program, output = str(entry.program), str(folder / "vectors")
    tree, size, threads = setting.model == TREE, str(setting.size), str(setting.threads)
    if entry.name == "GloVe":
        return _glove(program, setting, text, folder)
    if entry.name == "fastText":
        return [[
            program, "cbow" if setting.model == CBOW else "skipgram",
            "-input", str(text), "-output", output, "-dim", size, "-ws", str(setting.window),
            "-minCount", "5", "-loss", "hs" if tree else "ns", "-neg", "5",
            "-t", str(setting.sample), "-epoch", str(setting.epochs), "-thread", threads,
            "-minn", "0", "-maxn", "0", "-bucket", "0", "-seed", str(setting.seed),
        ]]  # fmt: skip
    if entry.name in UNSEEDED and setting.seed > 1:
        text = turned(text, setting.seed, folder)
    model = [] if entry.name == "pWord2Vec" else ["-cbow", str(int(setting.model == CBOW))]
    iterations, least = setting.epochs, 5
    if entry.name == "word2vec.c":
        # It does not forget that it has seen the end of the file, and reads it once however many
        # iterations it is asked for. So the file holds the text as often.
        text, iterations, least = _repeated(text, setting.epochs, folder), 1, 5 * setting.epochs
    return [[
        program, "-train", str(text), "-output", output + ".txt", "-size", size,
        "-window", str(setting.window), "-sample", str(setting.sample), "-min-count", str(least),
        "-negative", "0" if tree else "5", "-hs", str(int(tree)), "-iter", str(iterations),
        "-threads", threads, "-binary", "0", *model,
    ]]  # fmt: skip


def turned(text: Path, seed: int, folder: Path) -> Path:
    """The text from another line on, and what was before that line behind it."""
    lines = text.read_bytes().splitlines(keepends=True)
    start = (seed - 1) * len(lines) // TURNS % len(lines)
    place = folder / f"turned-{seed}"
    place.write_bytes(b"".join(lines[start:] + lines[:start]))
    return place


def _repeated(text: Path, times: int, folder: Path) -> Path:
    place = folder / f"text-{times}"
    with place.open("wb") as file:
        for _ in range(times):
            with text.open("rb") as once:
                shutil.copyfileobj(once, file)
    return place


def _glove(programs: str, setting: Setting, text: Path, folder: Path) -> list[list[str]]:
    def at(name: str) -> str:
        return str(Path(programs) / name)

    vocabulary, pairs, mixed = (str(folder / name) for name in ("vocabulary", "pairs", "mixed"))
    script = (
        f"{at('vocab_count')} -min-count 5 -verbose 0 < {text} > {vocabulary} && "
        f"{at('cooccur')} -memory 4 -vocab-file {vocabulary} -verbose 0 "
        f"-window-size {setting.window} -overflow-file {folder}/overflow < {text} > {pairs} && "
        f"{at('shuffle')} -memory 4 -verbose 0 -seed {setting.seed} "
        f"-temp-file {folder}/shuffle < {pairs} > {mixed}"
    )
    return [["sh", "-c", script], [
        at("glove"), "-save-file", str(folder / "vectors"), "-threads", str(setting.threads),
        "-input-file", mixed, "-x-max", "10", "-iter", str(setting.epochs), "-binary", "0",
        "-vector-size", str(setting.size), "-vocab-file", vocabulary, "-verbose", "0",
        "-seed", str(setting.seed), "-write-header", "0",
    ]]  # fmt: skip


def _run_all(commands: Sequence[list[str]], threads: int) -> tuple[Timing, int]:
    """(time, largest peak memory in bytes) of programs one after the other."""
    wall = cpu = 0.0
    memory = 0
    for command in commands:
        start = time.perf_counter()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                preexec_fn=_bound_to_one_core if threads == 1 else None,
                env={**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                words = said.read().decode(errors="replace")[-1000:]
                raise ProgramError(f"{command[0]} ended with {process.returncode}: {words}")
        wall += time.perf_counter() - start
        cpu += usage.ru_utime + usage.ru_stime
        memory = max(memory, usage.ru_maxrss << 10)
    return Timing(wall, cpu), memory


def _bound_to_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
