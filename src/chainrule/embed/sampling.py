"""What training draws from: which words are kept, which serve as negatives, and Huffman's tree."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

ALWAYS = 2**32 - 1


def keep_thresholds(counts: np.ndarray, sample: float) -> np.ndarray:
    """For each word the number that 32 random bits may not exceed if it is to be kept.

    A word of the frequency f is kept with the probability sqrt(t / f) + t / f, where t is
    ``sample``; the paper has 1 - sqrt(t / f) for dropping it, the authors' program this. From 1 on,
    ``sample`` is a count instead of a frequency.

    Source: T. Mikolov and others, Distributed representations of words and phrases (2013), and the
    program word2vec.

    >>> (keep_thresholds(np.array([900, 100]), 0.01) / 2**32).round(3).tolist()
    [0.117, 0.416]
    """
    if sample <= 0:
        return np.full(len(counts), ALWAYS, np.uint32)
    threshold = sample if sample >= 1 else sample * counts.sum()
    share = threshold / np.maximum(counts, 1)
    probability = np.minimum(np.sqrt(share) + share, 1.0)
    return np.minimum(probability * 2.0**32, ALWAYS).astype(np.uint32)


def alias_table(weights: np.ndarray) -> np.ndarray:
    """Walker's tables for drawing i in proportion to weights[i] from one random number.

    Returns uint64: the low half is a threshold for 32 random bits, below which it is i itself; the
    high half is who it is otherwise.

    Source: M. Vose, A linear algorithm for generating random numbers with a given distribution
    (1991).

    >>> table = alias_table(np.array([1.0, 3.0]))
    >>> (table % 2**32 / 2**32).round(2).tolist(), (table >> np.uint64(32)).tolist()
    ([0.5, 1.0], [1, 1])
    """
    size = len(weights)
    mass = (np.asarray(weights, float) * (size / np.sum(weights))).tolist()
    small = [i for i, m in enumerate(mass) if m < 1.0]
    large = [i for i, m in enumerate(mass) if m >= 1.0]
    threshold = np.full(size, ALWAYS, np.uint64)
    alias = np.arange(size, dtype=np.uint64)
    while small and large:
        low, high = small.pop(), large[-1]
        threshold[low] = int(mass[low] * 2.0**32)
        alias[low] = high
        mass[high] -= 1.0 - mass[low]
        if mass[high] < 1.0:
            small.append(large.pop())
    return (alias << np.uint64(32)) | threshold


@dataclass(frozen=True, eq=False)
class Uses:
    """How often rows are expected to be used for each word of a text.

    Attributes:
        input: float32, of each row of the input table.
        output: of the output table.
    """

    input: np.ndarray
    output: np.ndarray


def expected_uses(
    counts: np.ndarray,
    keep: np.ndarray,
    weights: np.ndarray | None,
    negatives: float,
    paths: Paths | None,
) -> Uses:
    """Uses of the words as contexts; and as centres, as negatives and of nodes as parts of paths.

    Args:
        counts: of the words.
        keep: see ``keep_thresholds``.
        weights: negatives are drawn in proportion to them; None where words are no targets.
        negatives: for each window.
        paths: of a tree, whose nodes follow the words.

    >>> counts, keep = np.array([3, 1]), keep_thresholds(np.array([3, 1]), 0)
    >>> expected_uses(counts, keep, np.array([1.0, 1.0]), 2.0, None).output.tolist()
    [1.75, 1.25]
    """
    kept = counts / max(counts.sum(), 1) * ((keep + 1.0) / 2.0**32)
    parts: list[np.ndarray] = [np.zeros(0)]
    if weights is not None:
        parts.append(kept + negatives * kept.sum() * weights / weights.sum())
    if paths is not None:
        of_words = np.repeat(kept, np.diff(paths.ends, prepend=0))
        parts.append(np.bincount(paths.nodes, of_words, minlength=len(counts) - 1))
    return Uses(kept.astype(np.float32), np.concatenate(parts).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Paths:
    """Huffman's tree, as the way from the root to each word.

    Attributes:
        ends: int64, offset after each word's last node.
        nodes: int32, inner nodes from the root down; the root is the last inner node.
        codes: uint8, at each node 0 or 1, the way on.
    """

    ends: np.ndarray
    nodes: np.ndarray
    codes: np.ndarray

    def of(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and codes of a word."""
        part = slice(int(self.ends[word - 1]) if word else 0, int(self.ends[word]))
        return self.nodes[part], self.codes[part]


def huffman(counts: np.ndarray) -> Paths:
    """The tree whose words have short ways where they are frequent.

    It is word2vec's, whose way to break ties decides which words become neighbours in it: of equal
    counts an inner node comes before a word, the older node first, and the last of the words.

    Args:
        counts: of the words, falling.

    >>> tree = huffman(np.array([4, 2, 1]))
    >>> [tree.of(word)[1].tolist() for word in range(3)]
    [[1], [0, 1], [0, 0]]
    """
    size = len(counts)
    heap = [(int(count), 1, -i) for i, count in enumerate(counts)]
    heapq.heapify(heap)
    parent = np.zeros(2 * size - 1, np.int64)
    code = np.zeros(2 * size - 1, np.uint8)
    for node in range(size, 2 * size - 1):
        (first, _, left), (second, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        left, right = abs(left), abs(right)
        parent[left] = parent[right] = node
        code[right] = 1
        heapq.heappush(heap, (first + second, 0, node))
    root = 2 * size - 2
    ends, nodes, codes = np.zeros(size, np.int64), [], []
    for word in range(size):
        way, turns, node = [], [], word
        while node != root:
            turns.append(code[node])
            node = int(parent[node])
            way.append(node - size)
        nodes += way[::-1]
        codes += turns[::-1]
        ends[word] = len(nodes)
    return Paths(ends, np.array(nodes, np.int32), np.array(codes, np.uint8))
