"""Two ways of writing the letters of a trace: Unicode for text and pages, LaTeX for slides."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chainrule.errors import GraphError
from chainrule.graph.statement import Statement
from chainrule.graph.text import expression_latex, expression_text, latex_name

BAR, DOT = "\u0304", "\u0307"  # Drawn over the letter before them.
LARGEST_FORMULA = 40  # Nodes; what is longer is written as adjoint times partial derivative.
_WORDS = {"bar": "adjoint of", "dot": "tangent of"}
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Style(NamedTuple):
    """How values, adjoints and tangents are called, and how expressions of them are written."""

    value: Callable[[int], str]
    adjoint: Callable[[int], str]
    tangent: Callable[[int], str]
    write: Callable[[Statement, Mapping[Statement, str]], str]
    chain: Callable[[str, int, int], str]
    marked: Callable[[str, str], str]
    more: Callable[[int], str]
    label: Callable[[str], str]
    number: Callable[[str], str]
    mathematics: Callable[[str], str]
    words: Callable[[str], str]
    longest: int

    def seed(self, name: str) -> str:
        """The adjoint of an output, by its name."""
        return self.marked(name, "bar")

    def sum(self, terms: Sequence[str]) -> str:
        """The terms with plus signs between them, or their own minus signs."""
        return " + ".join(terms).replace("+ -", "- ")

    def expression(self, statement: Statement, names: Mapping[Statement, str]) -> str | None:
        """The expression written out, or None where it is too long to be read."""
        try:
            text = self.write(statement, names)
        except GraphError:
            return None
        return text if len(text) <= self.longest else None


def with_marks(text: str) -> str:
    """An expression with the marks of print: ``v0·v1`` for ``v0*v1``, ``v0²`` for ``v0**2``.

    >>> with_marks("2*v0**2 + v1**0.5 + v2**10")
    '2·v0² + v1^0.5 + v2¹⁰'
    >>> with_marks("v3 @ transpose(v2, axes=(1, 0))")
    'v3 @ v2ᵀ'
    """
    text = re.sub(r"transpose\(([^(),]+), axes=\(1, 0\)\)", r"\1ᵀ", text)
    text = re.sub(r"sum_to_shape\(([^(),]+), shape=(\([^()]*\))\)", r"sum_to(\1, \2)", text)
    text = re.sub(  # A reduction undone: that the axes came back first is of no interest.
        r"broadcast_to\(reshape\(([^(),]+), shape=\([^()]*\)\), shape=(\([^()]*\))\)",
        r"broadcast_to(\1, \2)",
        text,
    )
    text = re.sub(
        r"\*\*(\d+)(?![\d.e])", lambda match: match.group(1).translate(_SUPERSCRIPTS), text
    )
    return text.replace("**", "^").replace("*", "·")


def with_transposes(latex: str) -> str:
    r"""``v_{2}^{\top}`` for the transpose of a matrix.

    >>> print(with_transposes(r"\operatorname{transpose}\left(v_{2}, \mathrm{axes}=(1, 0)\right)"))
    v_{2}^{\top}
    """
    pattern = r"\\operatorname\{transpose\}\\left\(([^ ,]+), \\mathrm\{axes\}=\(1, 0\)\\right\)"
    return re.sub(pattern, r"\1^{\\top}", latex)


def marked(name: str, mark: str) -> str:
    """A name with a bar or a dot over its letter; words for names of several letters.

    >>> marked("x1", "dot"), marked("net.weight", "bar")
    ('ẋ1', 'adjoint of net.weight')
    """
    if re.fullmatch(r"[^\W\d_]_?\d*", name):
        character = {"bar": BAR, "dot": DOT}[mark]
        return unicodedata.normalize("NFC", name[0] + character) + name[1:]
    return f"{_WORDS[mark]} {name}"


def width(text: str) -> int:
    """How many columns ``text`` takes: marks over letters take none, wide letters two."""
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def padded(text: str, columns: int) -> str:
    """``text`` with spaces on its right up to ``columns``."""
    return text + " " * (columns - width(text))


def latex_marked(name: str, mark: str) -> str:
    r"""A name in LaTeX under a ``\bar`` or ``\dot``.

    >>> print(latex_marked("x1", "dot"))
    \dot{x}_{1}
    """
    match = re.fullmatch(r"([^\W\d_])_?(\d*)", name)
    if match is None:
        return rf"\text{{{_WORDS[mark]} }} {latex_text(name)}"
    subscript = f"_{{{match.group(2)}}}" if match.group(2) else ""
    return rf"\{mark}{{{match.group(1)}}}{subscript}"


def latex_text(text: str) -> str:
    """Any text, safe in LaTeX; names of variables as mathematics writes them."""
    if re.fullmatch(r"[^\W_]+", text):
        return latex_name(text)
    specials = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    escaped = "".join(
        specials.get(c, f"\\{c}" if c in "&%$#_{}" else r"$\times$" if c == "×" else c)
        for c in text
    )
    return rf"\text{{{escaped}}}"


def latex_number(text: str) -> str:
    r"""A number in LaTeX; what is more than a number, as text.

    >>> print(latex_number("-1e-09"), latex_number("inf"), latex_number("2×2: min 0"))
    -1 \cdot 10^{-9} \infty \text{2$\times$2: min 0}
    """
    match = re.fullmatch(r"(-?[\d.]+)(?:e([+-]\d+))?", text)
    if match is None:
        words = {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\text{NaN}"}
        return words.get(text) or latex_text(text)
    mantissa, exponent = match.groups()
    return mantissa if exponent is None else rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


TEXT = Style(
    value=lambda number: f"v{number}",
    adjoint=lambda number: f"v{BAR}{number}",
    tangent=lambda number: f"v{DOT}{number}",
    write=lambda s, names: with_marks(expression_text(s, names, LARGEST_FORMULA)),
    chain=lambda factor, upper, lower: f"{factor}·∂v{upper}/∂v{lower}",
    marked=marked,
    more=lambda count: f" + … ({count} more terms)",
    label=lambda name: name,
    number=lambda text: text,
    mathematics=lambda text: text,
    words=lambda text: text,
    longest=64,
)
LATEX = Style(
    value=lambda number: f"v_{{{number}}}",
    adjoint=lambda number: rf"\bar{{v}}_{{{number}}}",
    tangent=lambda number: rf"\dot{{v}}_{{{number}}}",
    write=lambda s, names: with_transposes(expression_latex(s, names, LARGEST_FORMULA)),
    chain=lambda factor, upper, lower: (
        rf"{factor} \frac{{\partial v_{{{upper}}}}}{{\partial v_{{{lower}}}}}"
    ),
    marked=latex_marked,
    more=lambda count: rf" + \cdots \text{{ ({count} more terms)}}",
    label=lambda name: latex_text(name) if name else "",
    number=latex_number,
    mathematics=lambda text: f"${text}$",
    words=latex_text,
    longest=160,
)
