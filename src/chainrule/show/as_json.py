"""A trace as data for programs."""

from __future__ import annotations

from typing import Any

from chainrule.show.numbers import plain
from chainrule.show.record import Line, Record


def json_data(trace: Record) -> dict[str, Any]:
    """The trace as a dictionary that ``json.dumps`` takes."""
    return {
        "function": trace.title,
        "value": _nested(trace.result),
        "gradient": {name: plain(value) for name, value in trace.gradient.items()},
        "inputs": {line.input_name: line.name for line in trace.lines if line.input_name},
        "outputs": {
            name: trace.output_text(statement)
            for statement, name in zip(trace.outputs, trace.output_names, strict=True)
        },
        "statements": [_statement(trace, line) for line in trace.lines],
    }


def _statement(trace: Record, line: Line) -> dict[str, Any]:
    origin = line.origin
    return {
        "name": line.name,
        "expression": line.expression(),
        "value": plain(line.value),
        "adjoint": None if line.adjoint is None else plain(trace.adjoint(line.number)),
        "adjoint_expression": trace.adjoint_expression(line),
        "tangents": {seed: plain(trace.tangent(line.number, seed)) for seed in trace.seeds},
        "line": None if origin is None else origin.line,
        "file": None if origin is None else origin.file,
        "path": "" if origin is None else origin.path,
    }


def _nested(result: Any) -> Any:
    """A result of any structure."""
    if isinstance(result, dict):
        return {str(key): _nested(value) for key, value in result.items()}
    if isinstance(result, tuple | list):
        return [_nested(value) for value in result]
    return plain(result)
