"""GradBench's objectives as plain NumPy code, one a file; problem.py says what a file gives."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from objectives.problem import Problem

NAMES = ("gmm", "lstm", "lse", "ode", "det", "kmeans", "ba", "ht")


def sizes(name: str, quick: bool) -> list[dict[str, Any]]:
    """The sizes of an objective: arguments of ``build``."""
    module = import_module(f"objectives.{name}")
    found: list[dict[str, Any]] = module.QUICK if quick else module.FULL
    return found


def build(name: str, size: dict[str, Any]) -> Problem:
    """An objective with inputs of a size."""
    problem: Problem = import_module(f"objectives.{name}").problem(**size)
    return problem
