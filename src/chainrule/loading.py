"""Ctrl-C while the command is still loading its libraries: one line, where Python has a traceback.

The libraries load before any code of the command line runs, so that ``main`` comes too late to
catch it. An exception would not do either: what imports a compiled library may turn it into an
``ImportError``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def begin() -> None:
    """Let Ctrl-C end the process quietly, where the process is the command ``chainrule``."""
    # Python calls itself "-m" while it looks for the module of `python -m chainrule`.
    command = Path(sys.argv[0] if sys.argv else "").stem in ("chainrule", "-m")
    if (
        command
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, _end)


def end() -> None:
    """Let Ctrl-C raise ``KeyboardInterrupt`` again: from here on it is caught.

    And let a process that is told to end, as batch systems do, leave no temporary files.
    """
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _end(number: int, frame: Any) -> None:
    # A terminal has just shown ^C in the same line.
    os.write(2, b"\ninterrupted\n")
    os._exit(INTERRUPTED)
