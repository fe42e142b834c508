"""Loops without the results that nobody reads."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from chainrule.graph.graph import Graph
from chainrule.graph.origin import inherit_origin, preserved_origin
from chainrule.graph.statement import Statement, apply


def without_unused_results(graph: Graph) -> Graph:
    """The graph with loops that give only those outputs and histories that are read.

    A loop is traced before it is known what will be read of it: a derivative reads what the value
    alone does not.

    >>> from chainrule.graph.statement import input_statement
    >>> from chainrule.graph.table.control import scan
    >>> from chainrule.graph.table.structural import item
    >>> h, start = input_statement((), float), input_statement((), float)
    >>> loop = scan(start, body=Graph((h,), (h * 2.0, h * 3.0)), carries=1, sequences=0,
    ...             length=4, reverse=False, saved=(0,))
    >>> pruned = without_unused_results(Graph((start,), (item(loop, position=0),)))
    >>> len(loop.shape), len(pruned.outputs[0].arguments[0].shape)
    (3, 1)
    """
    read: dict[Statement, set[int]] = defaultdict(set)
    for statement in graph.statements:
        if statement.primitive.name == "item":
            read[statement.arguments[0]].add(statement.attributes["position"])
        else:
            for argument in statement.arguments:
                read[argument].update(range(_count(argument)))
    for output in graph.outputs:
        read[output].update(range(_count(output)))
    inputs = set(graph.inputs)
    now: dict[Statement, Statement] = {}
    places: dict[Statement, dict[int, int]] = {}
    with preserved_origin():
        for statement in graph.statements:
            if statement in inputs or graph.is_known(statement):
                continue
            inherit_origin(statement.origin)
            arguments = [now.get(argument, argument) for argument in statement.arguments]
            attributes = dict(statement.attributes)
            if statement.primitive.name == "scan":
                attributes, places[statement] = _reduced(statement, read[statement])
            elif statement.primitive.name == "item" and statement.arguments[0] in places:
                position = places[statement.arguments[0]][attributes["position"]]
                attributes = {**attributes, "position": position}
            if attributes != statement.attributes or arguments != list(statement.arguments):
                now[statement] = apply(statement.primitive, *arguments, **attributes)
    if not now:
        return graph
    return replace(graph, outputs=tuple(now.get(output, output) for output in graph.outputs))


def _count(statement: Statement) -> int:
    return len(statement.dtype) if isinstance(statement.dtype, tuple) else 0


def _reduced(statement: Statement, read: set[int]) -> tuple[dict[str, object], dict[int, int]]:
    """A loop's attributes without the results that are not read; old position -> new position."""
    attributes = statement.attributes
    body, carries, saved = (attributes[key] for key in ("body", "carries", "saved"))
    outputs = len(body.outputs) - carries
    kept = [i for i in range(outputs) if carries + i in read]
    histories = [n for n in range(len(saved)) if carries + outputs + n in read]
    old = [
        *range(carries), *(carries + i for i in kept),
        *(carries + outputs + n for n in histories),
    ]  # fmt: skip
    if len(old) == carries + outputs + len(saved):
        return dict(attributes), {position: position for position in old}
    smaller = (*body.outputs[:carries], *(body.outputs[carries + i] for i in kept))
    reduced = {
        **attributes,
        "body": replace(body, outputs=smaller),
        "saved": tuple(saved[n] for n in histories),
    }
    return reduced, {position: number for number, position in enumerate(old)}
