"""How good vectors are: the same tests for everybody, on the frequent words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

SIMILARITIES = {"WS-353": "EN-WS-353-ALL.txt", "SimLex-999": "EN-SIMLEX-999.txt"}
ANALOGIES = "questions-words.txt"
# Words that an analogy may be answered with, the most frequent ones: as word2vec's own test.
ANSWERS = 30_000


def evaluate(words: list[str], vectors: np.ndarray, folder: Path) -> dict[str, float]:
    """Correlation of ranks with each list of similarities, and the share of right analogies.

    Pairs and questions with an unknown word are left out. Files that are not there are not asked.
    """
    places = {word: place for place, word in reversed(list(enumerate(words)))}
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    results = {}
    for name, file in SIMILARITIES.items():
        if (folder / file).exists():
            results[name] = _similarity(folder / file, places, unit)
    if (folder / ANALOGIES).exists():
        results["analogies"] = _analogies(folder / ANALOGIES, places, unit[:ANSWERS])
    return results


def _similarity(path: Path, places: dict[str, int], unit: np.ndarray) -> float:
    lines = [line.lower().split() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line for line in lines if len(line) == 3 and line[0] in places and line[1] in places]
    if len(pairs) < 3:
        return float("nan")
    first, second = ([places[pair[side]] for pair in pairs] for side in (0, 1))
    found = np.einsum("ij,ij->i", unit[first], unit[second])
    return float(spearmanr(found, [float(pair[2]) for pair in pairs]).statistic)


def _analogies(path: Path, places: dict[str, int], unit: np.ndarray) -> float:
    """a is to b as c to which word? The one nearest to b - a + c, none of the three."""
    lines = [line.lower().split() for line in path.read_text(encoding="utf-8").splitlines()]
    questions = [
        [places[word] for word in line]
        for line in lines
        if len(line) == 4 and all(places.get(word, ANSWERS) < len(unit) for word in line)
    ]
    right = 0
    for start in range(0, len(questions), 256):
        part = np.array(questions[start : start + 256])
        scores = (unit[part[:, 1]] - unit[part[:, 0]] + unit[part[:, 2]]) @ unit.T
        np.put_along_axis(scores, part[:, :3], -np.inf, axis=1)
        right += int((scores.argmax(axis=1) == part[:, 3]).sum())
    return right / len(questions) if questions else float("nan")
