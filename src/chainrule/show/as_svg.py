"""A trace as a drawing: values and derivatives on the nodes, partial derivatives on the edges."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import numpy as np

from chainrule.show.layout import Place, layered
from chainrule.show.nonfinite import is_finite
from chainrule.show.numbers import short_text
from chainrule.show.record import Line, Record
from chainrule.show.style import TEXT, width
from chainrule.show.tables import heading

CHARACTER = 7.3  # Width of one character of the monospaced font at 12 pixels, rounded up.
SMALL_CHARACTER = 6.7  # The same of the labels of edges.
LINE = 17
ROOM = 26  # Between two nodes of a layer.
MARGIN = 24
MOST_TANGENTS = 2  # Written on the nodes.
LONGEST = 30  # Characters of one line of a node.
LONGEST_PARTIAL = 18
NARROWEST = 56.0  # Between two layers.

STYLE = """\
.chainrule-graph{font:12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.chainrule-graph text{fill:currentColor}
.chainrule-graph rect{fill:currentColor;fill-opacity:.05;stroke:currentColor;stroke-opacity:.35}
.chainrule-graph .input rect{stroke:#2f7ed8;stroke-opacity:.9}
.chainrule-graph .output rect{stroke:#2e9e5b;stroke-opacity:.9}
.chainrule-graph .lost rect{stroke:#d33;stroke-opacity:1;fill:#d33;fill-opacity:.12}
.chainrule-graph .value{font-weight:600}
.chainrule-graph .adjoint{fill:#c2570c}
.chainrule-graph .tangent{fill:#7a52c7}
.chainrule-graph path{fill:none;stroke:currentColor;stroke-opacity:.4}
.chainrule-graph .head{fill:currentColor;fill-opacity:.4;stroke:none}
.chainrule-graph .partial{font-size:11px;fill-opacity:.85}
@media(prefers-color-scheme:dark){
.chainrule-graph .adjoint{fill:#f0954d}.chainrule-graph .tangent{fill:#b79cf0}}
"""
ALONE = """\
svg{background:#fff;color:#1b1b1b}
@media(prefers-color-scheme:dark){svg{background:#16181c;color:#e6e6e6}}
"""


class Node(NamedTuple):
    """What is written in a box: (class, text) lines, and which kind of box it is."""

    texts: list[tuple[str, str]]
    kind: str

    @property
    def width(self) -> float:
        """In pixels, with the room at both sides."""
        return max(width(text) for _, text in self.texts) * CHARACTER + 20

    @property
    def height(self) -> float:
        """In pixels."""
        return len(self.texts) * LINE + 12


def svg(trace: Record, alone: bool = True) -> str:
    """The drawing.

    Args:
        trace: what to draw; every statement is a node.
        alone: whether it is a file of its own, with colours for page and text, or part of a page,
            whose colours it takes.
    """
    drawing = _Drawing(trace)
    style = f"<style>{ALONE if alone else ''}{STYLE}</style>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chainrule-graph" role="img" '
        f'width="{drawing.width:.0f}" height="{drawing.height:.0f}" '
        f'viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}">'
        f"<title>{escape(heading(trace))}</title>{style}{drawing.edges()}{drawing.boxes()}</svg>\n"
    )


def _node(trace: Record, line: Line) -> Node:
    names = " = ".join([line.name, line.expression()])
    names = " = ".join([*line.output_names, names])
    texts = [("", _cut(names)), ("value", _cut(short_text(line.value)))]
    if line.adjoint is not None:
        adjoint = short_text(trace.adjoint(line.number))
        texts.append(("adjoint", _cut(f"{TEXT.adjoint(line.number)} = {adjoint}")))
        if 0 < len(trace.seeds) <= MOST_TANGENTS:
            values = [short_text(trace.tangent(line.number, seed)) for seed in trace.seeds]
            texts.append(("tangent", _cut(f"{TEXT.tangent(line.number)} = {' | '.join(values)}")))
    kind = "input" if line.input_name else "output" if line.output_names else ""
    return Node(texts, kind if is_finite(line.value) and is_finite(line.adjoint) else "lost")


def _cut(text: str) -> str:
    return text if width(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _label(source: Line, user: Line) -> str:
    """The partial derivative of ``user`` with respect to ``source``: formula and number."""
    found = []
    for position, argument in enumerate(user.statement.arguments):
        formula = user.local.partial(position, TEXT) if argument is source.statement else None
        value = user.local.partial_value(position)
        if formula is None or value is None or width(formula) > LONGEST_PARTIAL:
            continue
        number = short_text(value) if np.ndim(value) == 0 else ""
        found.append(formula if number in ("", formula) else f"{formula} = {number}")
    return ", ".join(found[:2])


class _Drawing:
    """Places and sizes of everything, in pixels."""

    def __init__(self, trace: Record) -> None:
        lines = trace.lines
        self.nodes = [_node(trace, line) for line in lines]
        edges = [
            (trace.numbers[argument], line.number)
            for line in lines
            for argument in line.local.neighbours
        ]
        self.places, self.routes = layered([line.depth for line in lines], edges)
        self.labels = [_label(lines[route.start], lines[route.end]) for route in self.routes]
        self.columns = self._columns()
        visited = [*self.places, *(place for route in self.routes for place in route.places)]
        self.top = min((place.across for place in visited), default=0.0)
        bottom = max((place.across for place in visited), default=0.0)
        self.across = max((node.height for node in self.nodes), default=0.0) + ROOM
        self.width = (sum(self.columns[-1]) if self.columns else 0.0) + MARGIN
        self.height = (bottom - self.top + 1) * self.across + 2 * MARGIN - ROOM
        self.arrivals = self._arrivals()

    def _columns(self) -> list[tuple[float, float]]:
        """(left, width) of each layer; the gap before it has room for the labels of its edges."""
        layers = 1 + max((place.layer for place in self.places), default=-1)
        widths, gaps = [0.0] * layers, [NARROWEST] * layers
        for place, node in zip(self.places, self.nodes, strict=True):
            widths[place.layer] = max(widths[place.layer], node.width)
        for route, label in zip(self.routes, self.labels, strict=True):
            layer = route.places[-1].layer
            gaps[layer] = max(gaps[layer], width(label) * SMALL_CHARACTER + NARROWEST)
        columns, left = [], float(MARGIN)
        for layer in range(layers):
            left += gaps[layer] if layer else 0
            columns.append((left, widths[layer]))
            left += widths[layer]
        return columns

    def _centre(self, place: Place) -> tuple[float, float]:
        left, wide = self.columns[place.layer]
        return left + wide / 2, MARGIN + (place.across - self.top + 0.5) * self.across - ROOM / 2

    def _arrivals(self) -> list[float]:
        """How far above or below the middle of its last node each edge arrives."""
        by_end: dict[int, list[int]] = {}
        for number, route in enumerate(self.routes):
            by_end.setdefault(route.end, []).append(number)
        found = [0.0] * len(self.routes)
        for end, arriving in by_end.items():
            arriving.sort(key=lambda number: self.routes[number].places[-2].across)
            step = min(2 * LINE, self.nodes[end].height / len(arriving))
            for position, number in enumerate(arriving):
                found[number] = (position - (len(arriving) - 1) / 2) * step
        return found

    def boxes(self) -> str:
        """The nodes."""
        parts = []
        for node, place in zip(self.nodes, self.places, strict=True):
            x, y = self._centre(place)
            left, top = x - node.width / 2, y - node.height / 2
            parts.append(
                f'<g class="node {node.kind}"><rect x="{left:.1f}" y="{top:.1f}" rx="7" '
                f'width="{node.width:.1f}" height="{node.height:.1f}"/>'
            )
            for number, (kind, text) in enumerate(node.texts):
                base = top + 6 + LINE * number + 13
                parts.append(
                    f'<text class="{kind}" x="{x:.1f}" y="{base:.1f}" '
                    f'text-anchor="middle">{escape(text)}</text>'
                )
            parts.append("</g>")
        return "".join(parts)

    def edges(self) -> str:
        """The edges with their partial derivatives."""
        return "".join(map(self._edge, range(len(self.routes))))

    def _edge(self, number: int) -> str:
        (x, y), *rest = self._points(number)
        path = [f"M{x:.1f} {y:.1f}"]
        for next_x, next_y in rest:
            bend = (x + next_x) / 2
            path.append(f"C{bend:.1f} {y:.1f} {bend:.1f} {next_y:.1f} {next_x:.1f} {next_y:.1f}")
            x, y = next_x, next_y
        label = ""
        if self.labels[number]:
            label = (
                f'<text class="partial" x="{x - 14:.1f}" y="{y - 5:.1f}" '
                f'text-anchor="end">{escape(self.labels[number])}</text>'
            )
        head = f"M{x:.1f} {y:.1f}l-8 -4v8z"
        return f'<path d="{"".join(path)}"/><path class="head" d="{head}"/>{label}'

    def _points(self, number: int) -> list[tuple[float, float]]:
        """Where an edge passes: from its first node through every layer between to its last."""
        route = self.routes[number]
        x, y = self._centre(route.places[0])
        points = [(x + self.nodes[route.start].width / 2, y)]
        for place in route.places[1:-1]:
            left, wide = self.columns[place.layer]
            _, y = self._centre(place)
            points += [(left, y), (left + wide, y)]
        x, y = self._centre(route.places[-1])
        y += self.arrivals[number]
        end = x - self.nodes[route.end].width / 2
        if self.labels[number]:  # Level under its label.
            points.append((end - width(self.labels[number]) * SMALL_CHARACTER - 20, y))
        return [*points, (end, y)]
