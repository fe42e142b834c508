"""What was measured on what: the machine, the versions, the date."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name, with the widest vector instructions it offers where that is known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {}
    for line in lines:
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name") or platform.machine()
    flags = set(facts.get("flags", "").split())
    widest = next(
        (shown for flag, shown in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), ""
    )
    return f"{name} ({widest})" if widest else name


def memory() -> str:
    """The machine's memory in words."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return "unknown memory"
    return f"{size / 2**30:.0f} GiB"


def version(distribution: str) -> str | None:
    """The installed version; None where it is not installed.

    That of chainrule ends with a digest of its files, extension included: while it is worked on,
    the number alone does not say what was measured.
    """
    if distribution == "chainrule":
        import chainrule  # Here, so that workers which need only the clock do not load it.

        return f"{chainrule.__version__}+{_digest()}"
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def _digest() -> str:
    import chainrule

    root = Path(chainrule.__file__).parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".so", ".pyd"):
            total.update(path.relative_to(root).as_posix().encode())
            total.update(path.read_bytes())
    return total.hexdigest()[:8]


def about(distributions: Sequence[str]) -> dict[str, Any]:
    """Machine and versions, as saved with each cell.

    Args:
        distributions: names of what takes part; those that are not installed are left out.
    """
    versions = {name: version(name) for name in ("chainrule", "numpy", *distributions)}
    return {
        "processor": processor(),
        "cores": usable_cores(),
        "memory": memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: v for name, v in versions.items() if v is not None},
    }


def heading(about: Mapping[str, Any], command: str, dates: Sequence[str] = ()) -> str:
    """Machine, versions, date and command as a few lines of text for the top of a table.

    Args:
        about: as ``about()`` gives it, or as a saved cell holds it.
        command: how to measure this again.
        dates: when the cells were measured (ISO 8601); without any, today.
    """
    days = sorted({date[:10] for date in dates}) or [datetime.date.today().isoformat()]
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"Machine: {about['processor']}, {about['cores']} cores, {about['memory']}, "
        f"{about['system']}.\n"
        f"Versions: Python {about['python']}, {versions}.\n"
        f"Date: {when}. Command: `{command}`."
    )
