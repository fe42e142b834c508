"""A trace as LaTeX for slides and papers: one ``tabular`` for each table."""

from __future__ import annotations

from chainrule.show.record import Record
from chainrule.show.style import LATEX, latex_text
from chainrule.show.tables import Row, Table, tables


def latex(trace: Record) -> str:
    """The tables, one after the other; the document needs the package amsmath."""
    return "\n\n".join(["% needs \\usepackage{amsmath}", *map(_table, tables(trace, LATEX))]) + "\n"


def _table(table: Table) -> str:
    several = len(table.value_heads) > 1
    with_notes = any(any(row.notes) for row in table.rows)
    heads = table.value_heads if several else ("",)
    notes = table.note_heads if with_notes else ()
    columns = "r@{ }l" + "l" * (len(heads) + len(notes))
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        rf"\multicolumn{{{len(columns.replace('@{ }', ''))}}}{{l}}{{{table.title}}} \\",
        r"\hline",
    ]
    if several or notes:
        lines.append(" & & " + " & ".join([*heads, *notes]) + r" \\")
    rows = [_row(row, with_notes, table.kind) for row in table.rows]
    if table.skipped:
        rows.insert(len(rows) // 2, rf"\multicolumn{{2}}{{l}}{{\ldots {table.skipped} more}} \\")
    return "\n".join([*lines, *rows, r"\end{tabular}"])


def _row(row: Row, with_notes: bool, kind: str) -> str:
    cells = [f"${row.name}$", f"${{}}= {row.expression}$"]
    cells += [f"$= {value}$" for value in row.values]
    if with_notes:
        in_mathematics = kind == "adjoint"
        cells += [
            "" if not note else f"${note if in_mathematics else latex_text(note)}$"
            for note in row.notes
        ]
    return " & ".join(cells) + r" \\"
