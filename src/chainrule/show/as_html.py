"""A trace as HTML: three tables and a drawing, for notebooks and for pages of their own.

The element takes the colours of the page around it and draws lines and shades in fractions of
them, so that it can be read on light and dark pages alike. It needs nothing from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from types import MappingProxyType

from chainrule.show.as_svg import svg
from chainrule.show.record import Record
from chainrule.show.style import BAR, DOT, with_marks
from chainrule.show.tables import Row, Table, heading, tables

MOST_NODES = 80  # Of a drawing that is shown below the tables.

STYLE = """\
.chainrule-trace{font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:inherit}
.chainrule-trace .row{display:flex;flex-wrap:wrap;gap:28px;align-items:flex-start}
.chainrule-trace section{overflow-x:auto;max-width:100%}
.chainrule-trace h3{font-size:1em;font-weight:600;margin:.9em 0 .35em}
.chainrule-trace .heading{font-weight:600;font-size:1.1em;margin:.2em 0}
.chainrule-trace table{border-collapse:collapse;margin:0;width:auto;color:inherit}
.chainrule-trace th,.chainrule-trace td{padding:.2em .7em .2em 0;text-align:left!important;\
white-space:nowrap;border:0;border-bottom:1px solid rgba(128,128,128,.28);color:inherit;\
background:none;font-variant-numeric:tabular-nums}
.chainrule-trace th{font-weight:500;font-size:.86em;opacity:.7}
.chainrule-trace td.formula,.chainrule-trace td.name{font-family:"Cambria Math","STIX Two Math",\
"DejaVu Serif",Georgia,serif}
.chainrule-trace td.value{font-weight:600}
.chainrule-trace td.note{opacity:.72;font-size:.9em}
.chainrule-trace tr:hover td{background:rgba(128,128,128,.12)}
.chainrule-trace .problem{border-left:4px solid #d33;background:rgba(221,51,51,.12);\
padding:.5em .8em;margin:.8em 0;white-space:pre-wrap}
.chainrule-trace .graph{overflow-x:auto}
.chainrule-trace summary{cursor:pointer;font-weight:600;margin:.9em 0 .35em}
"""
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>:root{{color-scheme:light dark}}body{{margin:2em;background:#fff;color:#1b1b1b}}
@media(prefers-color-scheme:dark){{body{{background:#16181c;color:#e6e6e6}}}}</style></head>
<body>
{body}</body></html>
"""


def html(
    trace: Record, page: bool = False, partials: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The trace as an element or a page; ``partials`` are symbolic derivatives by name."""
    parts = [f"<style>{STYLE}</style>", f'<div class="heading">{_letters(heading(trace))}</div>']
    problem = trace.first_nonfinite()
    if problem is not None:
        parts.append(f'<div class="problem">Not finite: {escape(str(problem))}</div>')
    parts.append(f'<div class="row">{"".join(map(_table, tables(trace)))}</div>')
    if not trace.seeds and trace.inputs:
        note = "Tangent traces: name an input, <code>seed='...'</code>, or <code>seed='all'</code>"
        parts.append(f"<p>{note}</p>")
    if partials:
        rows = (
            f'<tr><td class="name">∂y/∂{_letters(name)}</td>'
            f'<td class="formula">= {_letters(with_marks(partial))}</td></tr>'
            for name, partial in partials.items()
        )
        parts.append(f"<h3>Symbolic derivatives</h3><table>{''.join(rows)}</table>")
    if 0 < len(trace.lines) <= MOST_NODES:
        parts.append(
            f'<details open><summary>Graph</summary><div class="graph">{svg(trace, alone=False)}'
            "</div></details>"
        )
    body = f'<div class="chainrule-trace">{"".join(parts)}</div>\n'
    return PAGE.format(title=escape(heading(trace)), body=body) if page else body


def _table(table: Table) -> str:
    names = table.value_heads if len(table.value_heads) > 1 else ("",)
    with_notes = any(any(row.notes) for row in table.rows)
    heads = ["", "", *map(_letters, names), *(map(escape, table.note_heads) if with_notes else ())]
    rows = [_row(row, with_notes) for row in table.rows]
    if table.skipped:
        skipped = f'<tr><td colspan="{len(heads)}">… {table.skipped} more statements …</td></tr>'
        rows.insert(len(rows) // 2, skipped)
    head = "".join(f"<th>{text}</th>" for text in heads) if any(heads) else ""
    return (
        f'<section class="{table.kind}"><h3>{_letters(table.title)}</h3><table>'
        f"{f'<thead><tr>{head}</tr></thead>' if head else ''}"
        f"<tbody>{''.join(rows)}</tbody></table></section>"
    )


def _row(row: Row, with_notes: bool) -> str:
    equals = "= " if len(row.values) == 1 else ""
    cells = [
        f'<td class="name">{_letters(row.name)}</td>',
        f'<td class="formula">= {_letters(row.expression)}</td>',
        *(f'<td class="value">{equals}{escape(value)}</td>' for value in row.values),
    ]
    if with_notes:
        cells += [f'<td class="note">{escape(note)}</td>' for note in row.notes]
    return f"<tr>{''.join(cells)}</tr>"


def _letters(text: str) -> str:
    """Escaped text, the numbers of single letters as subscripts: v<sub>3</sub>, x<sub>1</sub>."""
    pattern = rf"(?<![\w.'{BAR}{DOT}])([^\W\d_][{BAR}{DOT}]?)([0-9]+)(?![A-Za-z_(])"
    parts, start = [], 0
    for match in re.finditer(pattern, text):
        parts.append(escape(text[start : match.start()]))
        parts.append(f"<i>{escape(match[1])}</i><sub>{match[2]}</sub>")
        start = match.end()
    return "".join([*parts, escape(text[start:])])
