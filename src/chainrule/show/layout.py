"""Where the nodes of a graph are drawn: in layers by depth, with few crossings.

An edge that spans several layers passes through a point in each layer between, so that it does not
run behind nodes. The order within a layer is improved by a few sweeps of the barycentre rule.

Source: K. Sugiyama, S. Tagawa and M. Toda, Methods for visual understanding of hierarchical system
structures (1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 8


class Place(NamedTuple):
    """The layer of a node, and its position across the layer, in units of one."""

    layer: int
    across: float


class Route(NamedTuple):
    """The places that an edge visits, both ends included."""

    start: int
    end: int
    places: tuple[Place, ...]


def layered(
    depths: Sequence[int], edges: Sequence[tuple[int, int]]
) -> tuple[list[Place], list[Route]]:
    """Places for nodes and routes for edges.

    Args:
        depths: the layer of each node.
        edges: pairs (from, to) of nodes, from a smaller depth to a larger one.

    Returns:
        A place for each node, a route for each edge.

    >>> places, routes = layered([0, 0, 1, 2], [(0, 2), (1, 2), (2, 3), (0, 3)])
    >>> [place.layer for place in places], len(routes[3].places)
    ([0, 0, 1, 2], 3)
    """
    layers: list[list[int]] = [[] for _ in range(max(depths, default=-1) + 1)]
    for node, depth in enumerate(depths):
        layers[depth].append(node)
    links: list[tuple[int, int]] = []  # Between neighbouring layers.
    paths: list[list[int]] = []
    points = len(depths)
    for start, end in edges:
        path = [start]
        for depth in range(depths[start] + 1, depths[end]):
            layers[depth].append(points)
            path.append(points)
            points += 1
        path.append(end)
        paths.append(path)
        links += pairwise(path)
    across = _ordered(layers, links, points)
    place = [Place(0, 0.0)] * points
    for number, layer in enumerate(layers):
        for node in layer:
            place[node] = Place(number, across[node])
    routes = [
        Route(start, end, tuple(place[point] for point in path))
        for (start, end), path in zip(edges, paths, strict=True)
    ]
    return place[: len(depths)], routes


def _ordered(layers: list[list[int]], links: Sequence[tuple[int, int]], count: int) -> list[float]:
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for start, end in links:
        after[start].append(end)
        before[end].append(start)
    across = [0.0] * count
    for layer in layers:
        _spread(layer, across)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = before if down else after
        for layer in layers if down else reversed(layers):
            wanted = {
                node: sum(across[n] for n in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else across[node]
                for node in layer
            }
            layer.sort(key=lambda node, wanted=wanted: wanted[node])  # type: ignore[misc]
            _spread(layer, across)
    for layer in layers:  # At last every node as near to what it uses as its neighbours allow.
        _pulled(layer, before, across)
    return across


def _spread(layer: list[int], across: list[float]) -> None:
    """One unit apart, centred."""
    for position, node in enumerate(layer):
        across[node] = position - (len(layer) - 1) / 2


def _pulled(layer: list[int], before: list[list[int]], across: list[float]) -> None:
    """Towards the mean of the neighbours, keeping the order and a distance of one.

    Least squares under these constraints: blocks of nodes that touch move as one (pool adjacent
    violators).
    """
    blocks: list[tuple[float, int]] = []  # (mean of wanted place minus offset, size)
    for position, node in enumerate(layer):
        known = [across[n] for n in before[node]]
        target = (sum(known) / len(known) if known else across[node]) - position
        blocks.append((target, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (second, n), (first, m) = blocks.pop(), blocks.pop()
            blocks.append(((first * m + second * n) / (m + n), m + n))
    means = [mean for mean, size in blocks for _ in range(size)]
    for position, (node, mean) in enumerate(zip(layer, means, strict=True)):
        across[node] = mean + position
