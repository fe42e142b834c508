"""The three tables of a trace as cells, from which text, HTML and LaTeX are laid out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np

from chainrule.show.numbers import number_text, shape_text, value_text
from chainrule.show.record import Check, Line, Record
from chainrule.show.style import TEXT, Style

MOST_ROWS = 400  # Of one table; of longer ones the middle is left out.


class Row(NamedTuple):
    """``name = expression = values``, and notes beside it."""

    name: str
    expression: str
    values: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Table(NamedTuple):
    """A titled table; ``skipped`` rows were left out after the first half of ``rows``."""

    kind: str
    title: str
    value_heads: tuple[str, ...]
    note_heads: tuple[str, ...]
    rows: list[Row]
    skipped: int = 0


def heading(trace: Record) -> str:
    """``y = ln(x1) + x1*x2 at x1 = 2, x2 = 5``: the function, and the point where it is small."""
    left = ", ".join(trace.output_names[:4])
    left += ", …" if len(trace.output_names) > 4 else ""
    text = f"{left} = {trace.title}"
    if 0 < len(trace.input_names) <= 6 and not any(s.shape for s in trace.inputs):
        point = ", ".join(
            f"{name} = {value_text(statement.value)}"
            for name, statement in zip(trace.input_names, trace.inputs, strict=True)
        )
        text += f" at {point}"
    return text


def tables(trace: Record, style: Style = TEXT) -> list[Table]:
    """The evaluation trace, the tangent traces if any are shown, and the adjoint trace."""
    found = [_evaluation(trace, style)]
    if trace.seeds:
        found.append(_tangents(trace, style))
    found.append(_adjoints(trace, style))
    return found


def _shortened(lines: Sequence[Any]) -> tuple[list[Any], int]:
    """The lines that are shown, and how many are left out in the middle."""
    if len(lines) <= MOST_ROWS:
        return list(lines), 0
    half = MOST_ROWS // 2
    return [*lines[:half], *lines[-half:]], len(lines) - MOST_ROWS


def _evaluation(trace: Record, style: Style) -> Table:
    lines, skipped = _shortened(trace.lines)
    places = [_place(line) for line in lines]
    has_places = len(set(filter(None, places))) > 1
    rows = [
        Row(
            style.value(line.number), style.label(line.input_name) or line.expression(style),
            (style.number(value_text(line.value)),), (place,) if has_places else (),
        )
        for line, place in zip(lines, places, strict=True)
    ]  # fmt: skip
    for output, name in zip(trace.outputs, trace.output_names, strict=True):
        value = style.number(value_text(output.value))
        right = trace.output_text(output, style)
        rows.append(Row(style.label(name), right, (value,), ("",) * has_places))
    heads = ("where",) if has_places else ()
    return Table("evaluation", "Evaluation trace", ("value",), heads, rows, skipped)


def _place(line: Line) -> str:
    """The module path and the user's line, such as ``hidden[0], model.py:12``."""
    origin = line.origin
    if origin is None:
        return ""
    place = origin.file if origin.file.startswith("formula ") else PurePath(origin.file).name
    at = "" if origin.file.startswith("formula ") else f"{place}:{origin.line}"
    return ", ".join(filter(None, (origin.path, at)))


def _tangents(trace: Record, style: Style) -> Table:
    lines = [line for line in trace.lines if line.is_differentiable]
    lines, skipped = _shortened(lines)
    heads = tuple(_direction_head(trace, seed, style) for seed in trace.seeds)

    def numbers(which: Callable[[str], Any]) -> tuple[str, ...]:
        return tuple(style.number(value_text(which(seed))) for seed in trace.seeds)

    rows = []
    for line in lines:
        name = style.marked(line.input_name, "dot") if line.input_name else ""
        expression = name or line.local.tangent(style)
        values = numbers(lambda seed, line=line: trace.tangent(line.number, seed))  # type: ignore[misc]
        rows.append(Row(style.tangent(line.number), expression, values))
    for line in trace.lines:
        for name in line.output_names:
            if line.is_differentiable:
                values = numbers(lambda seed, line=line: trace.tangent(line.number, seed))  # type: ignore[misc]
                rows.append(Row(style.marked(name, "dot"), style.tangent(line.number), values))
    if len(heads) == 1:
        return Table("tangent", f"Tangent trace, {heads[0]}", ("tangent",), (), rows, skipped)
    return Table("tangent", "Tangent traces", heads, (), rows, skipped)


def _direction_head(trace: Record, seed: str, style: Style) -> str:
    if seed in trace.input_names:
        return style.mathematics(f"{style.marked(seed, 'dot')} = 1")
    return "the given direction"


def _adjoints(trace: Record, style: Style) -> Table:
    lines = [line for line in reversed(trace.lines) if line.adjoint is not None]
    lines, skipped = _shortened(lines)
    rows = []
    for line in lines:
        expression = trace.adjoint_expression(line, style) or "0"
        value = style.number(value_text(trace.adjoint(line.number)))
        notes = _check_notes(trace.checks[line.input_name], style) if line.input_name else ("", "")
        rows.append(Row(style.adjoint(line.number), expression, (value,), notes))
    return Table(
        "adjoint", f"Adjoint trace{_seed_title(trace, style)}", ("adjoint",),
        ("central difference", "deviation"), rows, skipped,
    )  # fmt: skip


def _seed_title(trace: Record, style: Style) -> str:
    parts = []
    outputs = zip(trace.outputs, trace.output_names, trace.output_adjoints, strict=True)
    for output, name, adjoint in outputs:
        if adjoint is None or output not in trace.numbers:
            continue
        array = np.asarray(adjoint)
        if array.size > 6 and (array == 1).all():
            shown = f"ones ({shape_text(array.shape)})"
        else:
            shown = value_text(array)
        parts.append(style.mathematics(f"{style.marked(name, 'bar')} = {style.number(shown)}"))
    return f", {', '.join(parts)}" if 0 < len(parts) <= 3 else ""


def _check_notes(check: Check, style: Style) -> tuple[str, str]:
    if not np.isfinite(check.deviation):
        return "—", "—"
    numeric = style.number(value_text(check.numeric))
    deviation = style.number(f"{check.deviation:.1e}" if check.deviation else number_text(0.0))
    return (numeric + style.words(" (in one direction)") if check.along else numeric), deviation
