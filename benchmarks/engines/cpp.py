"""The LSTM objective in hand-written C++ (lstm.cpp), built with the compiler that is found."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from harness.libraries import compiler, load_library
from objectives.problem import Problem

from engines.serving import Ready, serve_engine

SOURCE = Path(__file__).resolve().parent.parent / "lstm.cpp"
# What the numbers may be reordered to: sums in vectors, products added without rounding between.
FLAGS = ["-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"]


def prepare(problem: Problem) -> Ready:
    """Value and gradient as calls into a library that is built now."""
    (main, extra), (state, sequence) = problem.variables, problem.data
    library = load_library(SOURCE, *FLAGS)
    library.lstm_new.restype = ctypes.c_void_p
    library.lstm_value.restype = ctypes.c_double
    array = np.ctypeslib.ndpointer(float, flags="C_CONTIGUOUS")
    library.lstm_new.argtypes = [ctypes.c_int, ctypes.c_int, array, array, array, array]
    library.lstm_value.argtypes = [ctypes.c_void_p]
    library.lstm_gradient.argtypes = [ctypes.c_void_p, array, array]
    model = library.lstm_new(len(main), len(sequence), main, extra, state, sequence)

    def gradient() -> tuple[np.ndarray, np.ndarray]:
        by_main, by_extra = np.empty_like(main), np.empty_like(extra)
        library.lstm_gradient(model, by_main, by_extra)
        return by_main, by_extra

    def arrays(what: str, result: Any) -> list[np.ndarray]:
        return [np.asarray(part) for part in (result if what == "derivative" else [result])]

    command = " ".join(compiler())
    return Ready(lambda: library.lstm_value(model), gradient, arrays, lambda: command)


if __name__ == "__main__":
    serve_engine(prepare)
