"""Nested arguments: tuples, lists, dicts and modules of arrays, flattened and rebuilt.

Every leaf has a path such as ``["hidden"][0].weight`` for messages and printed traces. Modules and
parameters take part through two methods, ``tree_children`` (name -> child) and ``tree_rebuild``;
one that occurs twice is flattened once and shared again when it is rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph.origin import current_origin

# What is surely a leaf, looked at first because nearly everything is one.
_LEAVES = (np.ndarray, np.generic, float, int, str)
# Forms: None for a leaf; _Shared for an object met before; else (type, names, own key, parts).
_Form = Any


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
        self._objects: list[Any] = []
        self._positions: dict[int, int] = {}
        self._form = self._flattened(value)

    def _flattened(self, value: Any) -> _Form:
        if isinstance(value, _LEAVES):
            self.leaves.append(value)
            return None
        kind = type(value)
        if isinstance(value, dict):
            return (dict, tuple(value), None, tuple(map(self._flattened, value.values())))
        if kind is list or kind is tuple:
            return (kind, len(value), None, tuple(map(self._flattened, value)))
        children = _children(value)
        if children is None:
            self.leaves.append(value)
            return None
        own = None
        if hasattr(kind, "tree_children"):
            known = self._positions.get(id(value))
            if known is not None:
                return _Shared(known)
            position = self._positions[id(value)] = len(self._objects)
            self._objects.append(value)
            own = (position, value.tree_key() if hasattr(kind, "tree_key") else Same(value))
        names = tuple(name for name, _ in children)
        return (kind, names, own, tuple(self._flattened(child) for _, child in children))

    @cached_property
    def paths(self) -> list[str]:
        """The path of each leaf."""
        found: list[str] = []
        _collect_paths(self.value, "", found, set())
        return found

    @property
    def objects(self) -> list[Any]:
        """The modules and parameters of the tree, each once."""
        return list(self._objects)

    def key(self) -> Any:
        """A hashable description of the structure: equal keys mean trees of the same form.

        Objects that take part in trees describe what is not a leaf by ``tree_key``; without one,
        only the same object has the same key.
        """
        return self._form

    def leaves_of(self, other: Any, what: str) -> list[Any]:
        """The leaves of another value of this structure, in the order of this tree's leaves.

        Dicts are matched by their keys, in whatever order these stand. A list is an array where
        this tree is a single leaf.

        Raises:
            ShapeError: where the structures differ, naming ``what``.

        >>> Tree({"a": 0, "b": 0}).leaves_of({"b": 2, "a": 1}, "tangent")
        [1, 2]
        """
        tree = Tree(np.asarray(other) if self._form is None and type(other) is list else other)
        found = dict(zip(tree.paths, tree.leaves, strict=True))
        if found.keys() != set(self.paths):
            raise ShapeError(
                f"the {what} is {_in_words(tree)}, but what it belongs to is {_in_words(self)}: "
                f"both need the same structure ({current_origin()})"
            )
        return [found[path] for path in self.paths]

    def rebuild(self, leaves: list[Any]) -> Any:
        """The same structure around other leaves."""
        return self._rebuilt(self._form, iter(leaves), {})

    def _rebuilt(self, form: _Form, leaves: Iterator[Any], done: dict[int, Any]) -> Any:
        if form is None:
            return next(leaves)
        if type(form) is _Shared:
            return done[form.position]
        kind, names, own, forms = form
        parts = [
            next(leaves) if part is None else self._rebuilt(part, leaves, done) for part in forms
        ]
        if kind is dict:
            return dict(zip(names, parts, strict=True))
        if own is not None:
            original = self._objects[own[0]]
            result = original.tree_rebuild(dict(zip(original.tree_children(), parts, strict=True)))
            done[own[0]] = result
            return result
        if kind is type(None):
            return None
        return kind(*parts) if hasattr(kind, "_fields") else kind(parts)

    def map(self, function: Callable[..., Any], *others: list[Any]) -> Any:
        """Rebuild with ``function`` of each leaf (and of the leaves at its place in ``others``)."""
        return self.rebuild(list(map(function, self.leaves, *others)))


class Same:
    """An object as a part of a key: equal to itself only, and alive as long as the key is.

    (An ``id`` would pass to another object once this one is gone.)
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _in_words(tree: Tree) -> str:
    if tree.paths == [""]:
        return "one array"
    return f"{type(tree.value).__name__} with {', '.join(tree.paths) or 'nothing'}"


class _Shared:
    """An object that the tree has met before."""

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shared) and other.position == self.position

    def __hash__(self) -> int:
        return self.position


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


def _collect_paths(value: Any, path: str, found: list[str], seen: set[int]) -> None:
    if hasattr(type(value), "tree_children"):
        if id(value) in seen:
            return
        seen.add(id(value))
    children = _children(value)
    if children is None:
        found.append(path)
        return
    for suffix, child in children:
        _collect_paths(child, path + suffix, found, seen)
