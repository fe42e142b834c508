"""Huffman's tree against the other way to build it, by two queues, which is word2vec's."""

from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chainrule.embed.sampling import huffman


def by_two_queues(counts: list[int]) -> list[tuple[list[int], list[int]]]:
    """Nodes and codes of each word: the rarest words and the oldest nodes stand in front."""
    words = deque((count, i) for i, count in reversed(list(enumerate(counts))))
    nodes: deque[tuple[int, int]] = deque()
    above: dict[int, tuple[int, int]] = {}

    def least() -> tuple[int, int]:
        words_first = words and not (nodes and nodes[0][0] <= words[0][0])
        return (words if words_first else nodes).popleft()

    for node in range(len(counts), 2 * len(counts) - 1):
        (first, left), (second, right) = least(), least()
        above[left], above[right] = (node, 0), (node, 1)
        nodes.append((first + second, node))
    ways = []
    for word in range(len(counts)):
        way, at = [], word
        while at in above:
            at, code = above[at]
            way.append((at - len(counts), code))
        ways.append(([node for node, _ in way[::-1]], [code for _, code in way[::-1]]))
    return ways


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40))
def test_the_tree_is_word2vecs_ties_included(counts: list[int]) -> None:
    counts = sorted(counts, reverse=True)
    tree = huffman(np.array(counts))
    found = [tree.of(word) for word in range(len(counts))]
    assert [(nodes.tolist(), codes.tolist()) for nodes, codes in found] == by_two_queues(counts)
