"""Processes that wait for commands: each contestant lives in one, with threads of its own.

How many threads a library uses is settled when it is loaded, so each process is started with the
settings in its environment. It stays alive between rounds, which makes turns cheap. Commands and
answers are lines of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
# What libraries read to learn how many threads they may have.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "CHAINRULE_THREADS",
)


class WorkerError(Exception):
    """A worker failed; the text is what it said."""


def thread_settings(threads: int) -> dict[str, str]:
    """Environment variables for ``threads`` threads."""
    settings = dict.fromkeys(THREAD_VARIABLES, str(threads))
    settings["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        settings["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return settings


class Worker:
    """A process that runs a module of benchmarks/ and answers commands.

    Args:
        module: such as "peers.pytorch"; it calls ``serve``.
        threads: how many it may use; with one, it is also bound to one core where that can be done.
        environment: further variables.
    """

    def __init__(
        self, module: str, threads: int = 1, environment: Mapping[str, str] | None = None
    ) -> None:
        self.module = module
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        inherited = [str(HERE), os.environ.get("PYTHONPATH", "")]
        variables = {
            **os.environ,
            **thread_settings(threads),
            "PYTHONPATH": os.pathsep.join(part for part in inherited if part),
            "CHAINRULE_BENCH_ONE_CORE": "1" if threads == 1 else "",
            **(environment or {}),
        }
        # A session of its own: Ctrl-C reaches the parent only, which then ends its workers.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=variables,
            text=True,
            start_new_session=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def call(self, command: str, timeout: float = 600.0, **arguments: Any) -> Any:
        """Have a command run and return its answer.

        Raises:
            WorkerError: where it raised an exception, ended, or took longer than ``timeout``
                seconds.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([command, arguments]) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            self.close()
            raise WorkerError(f"{self.module}: no answer to {command} in {timeout:g} s") from None
        except OSError:
            line = ""
        if not line:
            self._process.wait()
            raise WorkerError(f"{self.module} ended: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.module}, {command}: {answer['error']}")
        return answer["result"]

    def _last_words(self) -> str:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        return said[-2000:] or f"status {self._process.returncode}"

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None and not stream.closed:
                # What was written last may find no reader any more.
                with contextlib.suppress(OSError):
                    stream.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def bind_to_one_core() -> None:
    """Keep this process on one core, where the system can; libraries then start one thread."""
    if os.environ.get("CHAINRULE_BENCH_ONE_CORE") and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def serve(commands: Mapping[str, Callable[..., Any]]) -> None:
    """Answer commands from standard input until it ends; called by the worker's own process.

    Args:
        commands: name -> function with keyword arguments, whose result is plain JSON.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # What a library prints is not an answer.
    for line in sys.stdin:
        command, arguments = json.loads(line)
        try:
            answer = {"result": commands[command](**arguments)}
        except Exception:
            answer = {"error": traceback.format_exc(limit=-4)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def peak_memory() -> int:
    """The most memory in bytes that this process has held at once."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) << 10
    except (OSError, IndexError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most << 10
