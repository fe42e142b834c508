"""A network as a table: each module with its settings, parameters and their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.tracing.parameter import Parameter, State

if TYPE_CHECKING:
    from chainrule.nn.module import Module


def summary(module: Module) -> str:
    """The table that ``print(net)`` shows.

    >>> from chainrule import nn
    >>> print(nn.MLP(4, [8], 1, seed=0))
    module     settings                      parameters                 count
    layers[0]  Dense(4, 8, relu)             weight (4, 8), bias (8,)      40
    layers[1]  Dense(8, 1, identity)         weight (8, 1), bias (1,)       9
    MLP: 49 parameters, float32
    """
    rows = [("module", "settings", "parameters", "count")]
    seen: set[int] = set()
    for path, part in module.modules().items():
        own = [(n, c) for n, c in part.children().items() if isinstance(c, Parameter)]
        inner = any(not isinstance(c, Parameter) for c in part.children().values())
        if not own and (inner or _is_activation(path)):
            continue
        count = sum(p.size for _, p in own if id(p) not in seen and not isinstance(p, State))
        rows.append((path or "(itself)", part.description(), _listed(own, seen), f"{count:,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}"
        for a, b, c, d in rows
    ]
    total = f"{type(module).__name__}: {module.parameter_count:,} parameters, {module.dtype}"
    return "\n".join([*(line.rstrip() for line in lines), total])


def _is_activation(path: str) -> bool:
    """Layers print their activation among their settings."""
    return path.split(".")[-1] == "activation"


def _listed(parameters: list[tuple[str, Parameter]], seen: set[int]) -> str:
    texts = []
    for name, parameter in parameters:
        note = ""
        if id(parameter) in seen:
            note = " shared"
        elif isinstance(parameter, State):
            note = " state"
        elif not parameter.trainable:
            note = " frozen"
        seen.add(id(parameter))
        texts.append(f"{name} {tuple(parameter.shape)}{note}")
    return ", ".join(texts)
