"""A trace as text in aligned columns."""

from __future__ import annotations

from chainrule.show.record import Record
from chainrule.show.style import padded, width
from chainrule.show.tables import Row, Table, heading, tables

GAP = "   "


def text(trace: Record) -> str:
    """The heading, the tables, and the first value that is not finite, if there is one."""
    parts = [heading(trace), *map(_table, tables(trace))]
    if not trace.seeds and trace.inputs:
        parts.insert(2, "Tangent traces: name an input, seed='...', or seed='all'")
    problem = trace.first_nonfinite()
    if problem is not None:
        parts.append(f"Not finite: {problem}")
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    names = max((width(row.name) for row in table.rows), default=0)
    expressions = max((width(row.expression) for row in table.rows), default=0)
    heads = table.value_heads if len(table.value_heads) > 1 else ("",)
    columns = [
        max([width(heads[i]), *(width(row.values[i]) for row in table.rows)])
        for i in range(len(heads))
    ]
    notes = [
        max([width(head), *(width(row.notes[i]) for row in table.rows)])
        for i, head in enumerate(table.note_heads)
    ]
    notes = notes if any(any(row.notes) for row in table.rows) else []

    def joined(left: str, values: tuple[str, ...], beside: tuple[str, ...]) -> str:
        cells = [padded(value, columns[i]) for i, value in enumerate(values)]
        cells += [padded(note, notes[i]) for i, note in enumerate(beside) if notes]
        return (left + GAP.join(cells)).rstrip()

    def line(row: Row) -> str:
        left = f"  {padded(row.name, names)} = {padded(row.expression, expressions)} = "
        return joined(left, row.values, row.notes)

    left = padded(table.title, 2 + names + 3 + expressions + 3)
    room = width(left) - (2 + names + 3 + expressions + 3)
    first = padded(heads[0], columns[0] - room) if columns[0] > room else ""
    head = joined(left + first, (), ()) if len(heads) == 1 and not notes else None
    if head is None:
        cells = [first, *(padded(h, columns[i + 1]) for i, h in enumerate(heads[1:]))]
        cells += [padded(n, notes[i]) for i, n in enumerate(table.note_heads) if notes]
        head = (left + GAP.join(cells)).rstrip()
    lines = [line(row) for row in table.rows]
    if table.skipped:
        lines.insert(len(lines) // 2, f"  … {table.skipped} more statements …")
    return "\n".join([head, *lines])
