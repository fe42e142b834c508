"""What a running module knows of its surroundings: its path, and which output came before.

Each call of a module opens a frame. The frame names the module's children, so that a child learns
its path (``layers[0]``) from its parent and needs no name of its own, and remembers the children
that have finished, so that a shape error can say which layer gave the wrong number of features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chainrule.graph.origin import current_path, module_path


class Frame:
    """One running call of a module.

    Attributes:
        path: of the module, empty for the outermost one.
        names: the module's children: identity -> name.
        finished: (path, output) of the children that have returned, in order.
    """

    __slots__ = ("finished", "names", "outer", "path")

    def __init__(self, path: str, names: dict[int, str], outer: Frame | None) -> None:
        self.path = path
        self.names = names
        self.outer = outer
        self.finished: list[tuple[str, Any]] = []


Recorder = Callable[[str, Any, tuple[Any, ...]], Any]

_running: ContextVar[Frame | None] = ContextVar("running_module", default=None)
_recorder: ContextVar[Recorder | None] = ContextVar("module_recorder", default=None)


@contextmanager
def entered(module: Any, names: dict[int, str]) -> Iterator[Frame]:
    """Run a block as a call of ``module``, under the name that the module around it uses."""
    outer = _running.get()
    if outer is None:
        frame = Frame(current_path(), names, None)
        token = _running.set(frame)
        try:
            yield frame
        finally:
            _running.reset(token)
        return
    name = outer.names.get(id(module)) or type(module).__name__
    with module_path(name) as path:
        frame = Frame(path, names, outer)
        token = _running.set(frame)
        try:
            yield frame
        finally:
            _running.reset(token)


def finish(frame: Frame, output: Any) -> None:
    """Tell the module around that the call of ``frame`` returned ``output``."""
    if frame.outer is not None:
        frame.outer.finished.append((frame.path, output))


def source_of(x: Any) -> str:
    """The path of the module whose output ``x`` is, empty where it came from elsewhere."""
    frame = _running.get()
    while frame is not None:
        for path, output in reversed(frame.finished):
            if output is x:
                return path
        frame = frame.outer
    return ""


def current_recorder() -> Recorder | None:
    """What runs the modules' calls while one records them."""
    return _recorder.get()


@contextmanager
def recorded_by(recorder: Recorder) -> Iterator[None]:
    """Hand every call of a module in the block to ``recorder(path, module, arguments)``."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)
