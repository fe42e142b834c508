"""Nested arguments: tuples, lists, dicts and modules of arrays, flattened and rebuilt.

Every leaf has a path such as ``["hidden"][0].weight`` for messages and printed traces. Modules and
parameters take part through two methods, ``tree_children`` (name -> child) and ``tree_rebuild``;
one that occurs twice is flattened once and shared again when it is rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class Tree:
    """The structure of a nested value, apart from its leaves.

    >>> tree = Tree({"w": [1.0, 2.0], "b": 3.0})
    >>> tree.leaves
    [1.0, 2.0, 3.0]
    >>> tree.paths
    ["['w'][0]", "['w'][1]", "['b']"]
    >>> tree.rebuild([10.0, 20.0, 30.0])
    {'w': [10.0, 20.0], 'b': 30.0}
    """

    def __init__(self, value: Any) -> None:
        self.value = value
        self.leaves: list[Any] = []
        self.paths: list[str] = []
        self._shared: set[int] = set()
        self._collect(value, "")

    def _collect(self, value: Any, path: str) -> None:
        if hasattr(type(value), "tree_children"):
            if id(value) in self._shared:
                return
            self._shared.add(id(value))
        children = _children(value)
        if children is None:
            self.leaves.append(value)
            self.paths.append(path)
            return
        for suffix, child in children:
            self._collect(child, path + suffix)

    def rebuild(self, leaves: list[Any]) -> Any:
        """The same structure around other leaves."""
        remaining = iter(leaves)
        rebuilt: dict[int, Any] = {}
        return self._rebuild(self.value, remaining, rebuilt)

    def _rebuild(self, value: Any, leaves: Iterator[Any], rebuilt: dict[int, Any]) -> Any:
        if id(value) in rebuilt:
            return rebuilt[id(value)]
        children = _children(value)
        if children is None:
            return next(leaves)
        parts = [self._rebuild(child, leaves, rebuilt) for _, child in children]
        result = _rebuilt(value, parts)
        if hasattr(type(value), "tree_children"):
            rebuilt[id(value)] = result
        return result

    def key(self) -> Any:
        """A hashable description of the structure: equal keys mean trees of the same form.

        Objects that take part in trees describe what is not a leaf by ``tree_key``; without one,
        only the same object has the same key.
        """
        return _key(self.value, set())

    def map(self, function: Callable[..., Any], *others: list[Any]) -> Any:
        """Rebuild with ``function`` of each leaf (and of the leaves at its place in ``others``)."""
        return self.rebuild(list(map(function, self.leaves, *others)))


def _children(value: Any) -> list[tuple[str, Any]] | None:
    """(path suffix, child) pairs, or None where the value is a leaf."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [(f"[{key!r}]", child) for key, child in value.items()]
    if isinstance(value, list | tuple):
        names = getattr(value, "_fields", None)
        return [(f".{names[i]}" if names else f"[{i}]", child) for i, child in enumerate(value)]
    if hasattr(type(value), "tree_children"):
        return [
            (name if not name or name.startswith("[") else f".{name}", child)
            for name, child in value.tree_children().items()
        ]
    return None


def _rebuilt(value: Any, parts: list[Any]) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return dict(zip(value, parts, strict=True))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*parts)
    if isinstance(value, list | tuple):
        return type(value)(parts)
    return value.tree_rebuild(dict(zip(value.tree_children(), parts, strict=True)))


def _key(value: Any, seen: set[int]) -> Any:
    if hasattr(type(value), "tree_children"):
        if id(value) in seen:
            return "shared"
        seen.add(id(value))
    children = _children(value)
    if children is None:
        return "leaf"
    own = value.tree_key() if hasattr(type(value), "tree_key") else (
        id(value) if hasattr(type(value), "tree_children") else None
    )  # fmt: skip
    return (type(value), own, tuple((name, _key(child, seen)) for name, child in children))
