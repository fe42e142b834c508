"""Drawings in layers: edges go forward, nodes do not overlap, few edges cross."""

import itertools

import hypothesis.strategies as st
from hypothesis import given

from chainrule.show.layout import Route, layered


def crossings(routes: list[Route]) -> int:
    links = [
        (a, b) for route in routes for a, b in itertools.pairwise(route.places)
    ]  # fmt: skip
    return sum(
        (a.across - c.across) * (b.across - d.across) < 0
        for (a, b), (c, d) in itertools.combinations(links, 2)
        if a.layer == c.layer
    )


def test_crossed_pairs_are_untangled() -> None:
    _, routes = layered([0, 0, 0, 1, 1, 1], [(0, 5), (1, 4), (2, 3)])
    assert crossings(routes) == 0


def test_long_edges_pass_between_the_nodes() -> None:
    places, routes = layered([0, 1, 2, 3], [(0, 1), (1, 2), (2, 3), (0, 3)])
    middle = routes[3].places[1:-1]
    assert [place.layer for place in middle] == [1, 2]
    assert all(abs(place.across - places[place.layer].across) >= 1 - 1e-9 for place in middle)


def test_nothing_to_draw() -> None:
    assert layered([], []) == ([], [])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]]]:
    depths, edges = [0], []
    for node in range(1, draw(st.integers(1, 14))):
        users = draw(st.lists(st.integers(0, node - 1), max_size=3, unique=True))
        depths.append(1 + max((depths[user] for user in users), default=-1))
        edges += [(user, node) for user in users]
    return depths, edges


@given(graphs())
def test_places(graph: tuple[list[int], list[tuple[int, int]]]) -> None:
    depths, edges = graph
    places, routes = layered(depths, edges)
    assert [place.layer for place in places] == depths
    everything = set(places) | {place for route in routes for place in route.places}
    for a, b in itertools.combinations(places, 2):
        assert a.layer != b.layer or abs(a.across - b.across) >= 1 - 1e-9
    assert len(everything) >= len(places)
    for (start, end), route in zip(edges, routes, strict=True):
        assert (route.places[0], route.places[-1]) == (places[start], places[end])
        layers = [place.layer for place in route.places]
        assert layers == list(range(depths[start], depths[end] + 1))
