"""The base of every layer and network: parameters and sub-modules in plain attributes.

A module is an ordinary object. Its attributes hold parameters, other modules, lists, tuples or
dicts of them, and settings; ``forward`` computes the output. There is nothing to register: whatever
stands in the attributes is found, differentiated, counted, saved and trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from chainrule.errors import ShapeError
from chainrule.nn import calling
from chainrule.tracing.parameter import Parameter, State, unwrapped
from chainrule.tracing.trees import Same

if TYPE_CHECKING:
    from chainrule.nn.recording import Run

_CLASSES: dict[str, list[type[Module]]] = {}


class Module:
    """A function with parameters.

    Write one as a class, best a dataclass, with its parts as attributes and a ``forward``; call the
    object. It takes part in nested arguments, so ``cr.grad(lambda net: loss(net(x)))(net)`` returns
    a module of the same form that holds the gradients.

    >>> from dataclasses import dataclass
    >>> from chainrule import nn
    >>> @dataclass(eq=False, repr=False)
    ... class Residual(nn.Module):
    ...     inner: nn.Module
    ...     def forward(self, x):
    ...         return x + self.inner(x)
    >>> net = Residual(nn.Dense(3, 3, seed=0))
    >>> net(np.ones((2, 3), np.float32)).shape
    (2, 3)
    >>> list(net.parameters())
    ['inner.weight', 'inner.bias']
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        known = _CLASSES.setdefault(cls.__name__, [])
        # A class that is defined again in the same place (a notebook's cell) takes its own place.
        known[:] = [c for c in known if _place(c) != _place(cls)] + [cls]

    def forward(self, *args: Any, **options: Any) -> Any:
        """The output for the given inputs; every subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__} has no forward(self, x): say what calling the module gives"
        )

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run ``forward`` under this module's path, which errors, traces and records name."""
        with calling.entered(self, self._names()) as frame:
            recorder = calling.current_recorder()
            if recorder is not None and not options:
                output = recorder(frame.path, self, args)
            else:
                output = self.forward(*args, **options)
            calling.finish(frame, output)
        return output

    # Attributes that only say how a module was made: saving leaves out what JSON cannot hold.
    unsaved: ClassVar[frozenset[str]] = frozenset()

    # ----- parts --------------------------------------------------------------------------------

    def children(self) -> dict[str, Any]:
        """Parameters and modules directly inside: ``{"weight": ..., "layers[0]": ...}``."""
        found: dict[str, Any] = {}
        for name, value in vars(self).items():
            found.update(_parts(name, value))
        return found

    def _names(self) -> dict[int, str]:
        return {id(c): name for name, c in self.children().items() if isinstance(c, Module)}

    def modules(self) -> dict[str, Module]:
        """This module and all inside it by path, each once; its own path is empty."""
        return {path: part for path, part in _walk(self, "", set()) if isinstance(part, Module)}

    def parameters(self) -> dict[str, Parameter]:
        """All parameters by path (``layers[0].weight``), frozen ones too; shared ones once."""
        return {
            path: part
            for path, part in _walk(self, "", set())
            if isinstance(part, Parameter) and not isinstance(part, State)
        }

    def states(self) -> dict[str, State]:
        """All state, such as running statistics, by path."""
        return {path: part for path, part in _walk(self, "", set()) if isinstance(part, State)}

    @property
    def parameter_count(self) -> int:
        """How many numbers the parameters hold."""
        return sum(parameter.size for parameter in self.parameters().values())

    @property
    def dtype(self) -> Any:
        """The dtype that the parameters have together, float32 where there are none."""
        dtypes = [parameter.dtype for parameter in self.parameters().values()]
        return np.result_type(*dtypes) if dtypes else np.dtype(np.float32)

    def expected_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes that this module's settings ask of its own parameters, by attribute."""
        return {}

    def initial_values(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Fresh values for this module's own parameters and state, by attribute."""
        return {}

    # ----- copies with other values -------------------------------------------------------------

    def replaced(self, values: Mapping[str, Any]) -> Self:
        """A copy in which the parameters and states at the given paths hold ``values``.

        Parts that are not named are shared with the original, state apart, which is always copied.

        Raises:
            KeyError: for a path that there is not.
        """
        parts = {**self.parameters(), **self.states()}
        unknown = [path for path in values if path not in parts]
        if unknown:
            raise KeyError(f"{type(self).__name__} has no parameter {unknown[0]!r}")
        copies: dict[int, Any] = {}
        for path, part in parts.items():
            if isinstance(part, State):
                copies[id(part)] = State(unwrapped(values.get(path, part)))
            elif path in values:
                copies[id(part)] = Parameter(unwrapped(values[path]), part.trainable)
        result: Self = _copied(self, copies)
        return result

    def assign(self, values: Mapping[str, Any]) -> None:
        """Put arrays into the parameters and states at the given paths, in place.

        Raises:
            KeyError: for a path that there is not.
            ShapeError: where an array has another shape than the parameter.
        """
        parts = {**self.parameters(), **self.states()}
        for path, value in values.items():
            if path not in parts:
                raise KeyError(f"{type(self).__name__} has no parameter {path!r}")
            if np.shape(value) != parts[path].shape:
                raise ShapeError(
                    f"{path} has shape {parts[path].shape}, but was given an array of shape "
                    f"{np.shape(value)}"
                )
        for path, value in values.items():
            parts[path].value = np.asarray(value)

    def fresh_values(self, seed: int) -> dict[str, np.ndarray]:
        """New values for all parameters and states by path, reproducibly from ``seed``."""
        known = {**self.parameters(), **self.states()}
        values = {}
        for number, (path, module) in enumerate(self.modules().items()):
            generator = np.random.default_rng([seed, number])
            for name, value in module.initial_values(generator).items():
                values[f"{path}.{name}" if path else name] = value
        return {path: value for path, value in values.items() if path in known}

    def initialised(self, seed: int) -> Self:
        """A copy with all parameters and state drawn anew, reproducibly from ``seed``."""
        return self.replaced(self.fresh_values(seed))

    def astype(self, dtype: Any) -> Self:
        """A copy whose floating parameters and state have another dtype."""
        parts = {**self.parameters(), **self.states()}
        return self.replaced(
            {path: p.value.astype(dtype) for path, p in parts.items() if p.dtype.kind == "f"}
        )

    # ----- derivatives --------------------------------------------------------------------------

    def record(self, *inputs: Any) -> Run:
        """Call the module and keep every inner module's inputs and output.

        >>> from chainrule import nn
        >>> run = nn.MLP(2, [3], 1, seed=0).record(np.ones((4, 2), np.float32))
        >>> run["layers[0]"].output.shape
        (4, 3)
        """
        from chainrule.nn.recording import record

        return record(self, inputs)

    def backward(self, adjoint: Any, *inputs: Any) -> Run:
        """The adjoint of this module's own graph at ``inputs``, found by the engine.

        Args:
            adjoint: of the output, of its shape.
            inputs: what ``forward`` takes.

        Returns:
            The record of the call, with the adjoints of inputs, outputs and parameters.

        >>> from chainrule import nn
        >>> run = nn.Dense(2, 1, seed=0).backward(np.ones((1, 1)), np.array([[3.0, 4.0]]))
        >>> run.gradients.weight.value.tolist()
        [[3.0], [4.0]]
        """
        return self.record(*inputs).backward(adjoint)

    # ----- trees --------------------------------------------------------------------------------

    def tree_children(self) -> dict[str, Any]:
        """The parts that nested arguments are made of."""
        return self.children()

    def tree_rebuild(self, children: dict[str, Any]) -> Self:
        """A copy with other parts."""
        copy = object.__new__(type(self))
        copy.__dict__.update(
            (name, _with_parts(name, value, children)) for name, value in vars(self).items()
        )
        return copy

    def tree_key(self) -> Any:
        """What of the module is not a part: settings decide which programs it can share."""
        return tuple((name, _setting(value)) for name, value in vars(self).items())

    # ----- printing -----------------------------------------------------------------------------

    def description(self) -> str:
        """The module's settings in brackets, as the summary prints them."""
        settings = [
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if isinstance(value, int | float | str | bool)
        ]
        return f"{type(self).__name__}({', '.join(settings)})"

    def __repr__(self) -> str:
        return self.description()

    def __str__(self) -> str:
        from chainrule.nn.summary import summary

        return summary(self)


def classes_named(name: str) -> list[type[Module]]:
    """The module classes of this name that the program has defined."""
    return list(_CLASSES.get(name, []))


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The parameters and modules in one attribute, looking into lists, tuples and dicts."""
    if isinstance(value, Module | Parameter):
        yield name, value
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _parts(f"{name}[{position}]", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _parts(f"{name}[{key!r}]", item)


def _with_parts(name: str, value: Any, parts: dict[str, Any]) -> Any:
    if isinstance(value, Module | Parameter):
        return parts[name]
    if isinstance(value, dict):
        return {key: _with_parts(f"{name}[{key!r}]", item, parts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_with_parts(f"{name}[{i}]", item, parts) for i, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _walk(part: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """A module's parts of all depths with their paths, parents first, shared ones once."""
    if id(part) in seen:
        return
    seen.add(id(part))
    yield path, part
    if isinstance(part, Module):
        for name, child in part.children().items():
            yield from _walk(child, f"{path}.{name}" if path else name, seen)


def _copied(module: Module, copies: dict[int, Any]) -> Any:
    """``module`` around the parameters in ``copies``; what is shared stays shared."""
    if id(module) not in copies:
        children = {}
        for name, child in module.children().items():
            if isinstance(child, Module):
                children[name] = _copied(child, copies)
            else:
                children[name] = copies.get(id(child), child)
        copies[id(module)] = module.tree_rebuild(children)
    return copies[id(module)]


def _setting(value: Any) -> Any:
    """A hashable stand-in for a setting: plain values by value, parts by place, others by self."""
    if isinstance(value, Module | Parameter):
        return "part"
    if isinstance(value, list | tuple):
        return (type(value), tuple(map(_setting, value)))
    if isinstance(value, dict):
        return tuple((repr(key), _setting(item)) for key, item in value.items())
    if isinstance(value, bool | int | float | str) or value is None:
        return (type(value), value)
    return Same(value)
