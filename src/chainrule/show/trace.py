"""The trace that ``cr.trace`` returns: a record that can be printed, shown and asked."""

from __future__ import annotations

from typing import Any

from chainrule.show.as_html import html
from chainrule.show.as_json import json_data
from chainrule.show.as_latex import latex
from chainrule.show.as_svg import svg
from chainrule.show.as_text import text
from chainrule.show.record import Record


class Trace(Record):
    """The evaluation, tangent and adjoint traces of a function at a point.

    ``str`` gives text and a notebook shows HTML; ``to_html``, ``to_svg``, ``to_latex`` and
    ``to_json`` give the other forms; ``value``, ``adjoint`` and ``tangent`` open single entries.
    """

    def __str__(self) -> str:
        return text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self, page: bool = False) -> str:
        """The tables and the drawing as HTML that needs nothing from elsewhere.

        Args:
            page: whether to return a whole page instead of one element.
        """
        return html(self, page)

    def to_svg(self) -> str:
        """The graph as an SVG drawing: values and derivatives on nodes, partials on edges."""
        return svg(self)

    def to_latex(self) -> str:
        """The tables as LaTeX ``tabular`` environments (needs amsmath)."""
        return latex(self)

    def to_json(self) -> dict[str, Any]:
        """Everything as a dictionary that ``json.dumps`` takes.

        Returns:
            ``value``, ``gradient`` {name: number}, ``inputs`` and ``outputs`` {name: statement},
            and ``statements``, each with name, expression, value, adjoint, adjoint_expression,
            tangents {seed: number}, line, file and path. Large arrays are given by shape and
            statistics; NaN and infinity, which JSON lacks, as the strings "NaN", "Infinity" and
            "-Infinity".
        """
        return json_data(self)
