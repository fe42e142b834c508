"""A text about two things, of which no sentence tells both."""

from __future__ import annotations

import numpy as np

COLOURS = ["red", "green", "blue", "white", "black"]
NUMBERS = ["one", "two", "three", "four", "five"]


def sentences(count: int = 600, seed: int = 0) -> list[list[str]]:
    """Sentences about colours or about numbers, never about both."""
    generator = np.random.default_rng(seed)
    return [
        list(generator.choice([COLOURS, NUMBERS][i % 2], generator.integers(2, 12)))
        for i in range(count)
    ]
