"""How many bytes a distribution and all that it needs take in site-packages."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement


def installed_size(distribution: str) -> int:
    """Bytes of the files of a distribution and of its dependencies, extras left out."""
    names = _with_dependencies(distribution)
    return sum(_own_size(name) for name in names)


def _with_dependencies(distribution: str) -> set[str]:
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        name = waiting.pop().lower().replace("_", "-").replace(".", "-")
        if name in found:
            continue
        try:
            wanted = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # A dependency of another platform.
        found.add(name)
        for requirement in map(Requirement, wanted):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def _own_size(name: str) -> int:
    if name == "chainrule":  # Also where it is installed in place, whose record lists no files.
        import chainrule

        root = Path(chainrule.__file__).parent
        files = [path for path in root.rglob("*") if "__pycache__" not in path.parts]
    else:
        listed = importlib.metadata.files(name) or []
        files = [Path(str(file.locate())) for file in listed]
    return sum(path.stat().st_size for path in files if path.is_file())
