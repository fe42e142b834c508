"""``chainrule derive``: every value and derivative of a formula at a point."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainrule.errors import ChainruleError
from chainrule.tracing.formula import FormulaError, parse, suggestion

if TYPE_CHECKING:
    from chainrule.show.trace import Trace
    from chainrule.tracing.formula import Formula

EXIT_NOT_FINITE = 2

EPILOG = """\
\b
Examples:
  chainrule derive "ln(x1) + x1*x2 - sin(x2)" x1=2 x2=5
  chainrule derive "ln(x1) + x1*x2 - sin(x2)" x1=2 x2=5 --seed x1 --symbolic
  chainrule derive "sigmoid(w*x + b)" w=0.5 x=2 b=-1 --format html -o sigmoid.html
  chainrule derive "exp(-x^2/2)" x=1 --format json

The formula has + - * / ^ (or **), parentheses, pi, e, and functions such as ln (log is the same),
log2, log10, exp, sqrt, sin, cos, tan, asin, sinh, tanh, abs, min, max, erf, sigmoid, relu,
softplus. A product needs its sign: 2*x. A value may be any expression of numbers: x=pi/4.
"""


@click.command(
    "derive",
    epilog=EPILOG,
    # A formula may begin with a minus sign, and a value be negative.
    context_settings={"ignore_unknown_options": True},
)
@click.argument("formula")
@click.argument("values", nargs=-1, metavar="NAME=VALUE...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "svg", "latex", "json"]),
    default="text",
    show_default=True,
    help="What to write: tables as text, HTML or LaTeX, the graph as SVG, or data as JSON.",
)
@click.option(
    "--seed",
    metavar="NAME",
    help="Show the tangent trace of this variable, or of all.  [default: all, where at most 6]",
)
@click.option("--symbolic", is_flag=True, help="Also print the symbolic partial derivatives.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the result goes.  [default: standard output]",
)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def derive(
    formula: str,
    values: Sequence[str],
    form: str,
    seed: str | None,
    symbolic: bool,
    output: Path | None,
    force: bool,
) -> int:
    """Show every value and derivative of FORMULA at a point.

    Prints the evaluation trace, the tangent traces (forward mode) and the adjoint trace (reverse
    mode), with the central difference beside the derivative of each variable.

    The exit status is 2 where a value or derivative is not a finite number.
    """
    from chainrule.api.trace import trace

    if output is not None:
        from chainrule.tabular.files import check_writable

        check_writable(output, force=force)
    parsed = parse(formula)
    point = _point(parsed, values)
    found = trace(parsed, *(point[name] for name in parsed.names), seed=_seed(parsed, seed))
    written = _written(found, form, _partials(formula) if symbolic else {})
    if output is None:
        click.echo(written, nl=not written.endswith("\n"))
    else:
        from chainrule.files import written_whole

        with written_whole(output) as stream:
            stream.write(written if written.endswith("\n") else written + "\n")
    problem = found.first_nonfinite()
    if problem is None:
        return 0
    if form != "text" or output is not None:  # The text has just said so.
        click.echo(f"error: {problem}", err=True)
    return EXIT_NOT_FINITE


def _point(formula: Formula, values: Sequence[str]) -> dict[str, float]:
    """The value of each variable, from words such as ``x1=2``.

    Raises:
        ChainruleError: for a word of another form, and for names that are unknown, given twice or
            missing.
    """
    known = ", ".join(formula.names) or "none"
    point: dict[str, float] = {}
    for word in values:
        name, equals, text = (part.strip() for part in word.partition("="))
        if word.startswith("--"):
            raise click.NoSuchOption(word.partition("=")[0], ctx=click.get_current_context())
        if not (name and equals and text):
            raise ChainruleError(f"{word!r} is not a value: write NAME=VALUE, such as x1=2")
        if name not in formula.names:
            hint = suggestion(name, formula.names)
            raise ChainruleError(
                f"{word!r}: the formula has no variable {name!r}{hint} (its variables: {known})"
            )
        if name in point:
            raise ChainruleError(f"{name!r} was given twice: {name}={point[name]:g} and {word}")
        point[name] = _number(name, text)
    for name in formula.names:
        if name not in point:
            raise FormulaError(
                f"the variable {name!r} has no value: add {name}=VALUE",
                formula.text,
                formula.column(name),
            )
    return point


def _number(name: str, text: str) -> float:
    """A number, also written as an expression (pi/4), or nan and inf."""
    if text.lower() in ("nan", "inf", "-inf"):
        return float(text)
    try:
        expression = parse(text)
    except FormulaError as error:
        raise ChainruleError(f"the value of {name} is not a number: {error}") from None
    if expression.names:
        raise ChainruleError(
            f"the value of {name} is not a number: {text!r} has the variable "
            f"{expression.names[0]!r}"
        )
    return float(expression())


def _seed(formula: Formula, seed: str | None) -> str | None:
    if seed is None or seed == "all" or seed in formula.names:
        return seed
    raise ChainruleError(
        f"--seed {seed}: the formula has no variable {seed!r}{suggestion(seed, formula.names)} "
        f"(its variables: {', '.join(formula.names) or 'none'})"
    )


def _partials(formula: str) -> dict[str, Any]:
    """The symbolic partial derivative with respect to each variable."""
    from chainrule.api.symbolic import symbolic

    return dict(symbolic(formula).gradient())


def _written(trace: Trace, form: str, partials: dict[str, Any]) -> str:
    """The trace in one of its forms, with symbolic partial derivatives where there are any."""
    if form == "json":
        data = trace.to_json()
        if partials:
            data["symbolic"] = {name: str(partial) for name, partial in partials.items()}
        return json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False)
    if form == "html":
        from chainrule.show.as_html import html

        return html(trace, page=True, partials={n: str(p) for n, p in partials.items()})
    if form == "svg":
        return trace.to_svg()
    if form == "latex":
        from chainrule.show.style import latex_text

        lines = [
            rf"\[ \frac{{\partial y}}{{\partial {latex_text(name)}}} = {partial.latex()} \]"
            for name, partial in partials.items()
        ]
        return "\n".join([trace.to_latex(), *lines])
    lines = [f"  ∂y/∂{name} = {partial}" for name, partial in partials.items()]
    return "\n".join([str(trace), "", "Symbolic derivatives", *lines] if lines else [str(trace)])
