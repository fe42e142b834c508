"""The documentation of the Python libraries on this machine, as a text to learn from."""

from __future__ import annotations

import random
import re
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from chainrule.errors import ChainruleError

# Documentation stands in triple quotes that begin a line, in C extensions' stubs of it too.
_TRIPLE_QUOTED = re.compile(r'^[ \t]*[rRuU]?("""|\'\'\')(.*?)\1', re.DOTALL | re.MULTILINE)
_EXAMPLE = re.compile(r"^\s*>>> .*?(?:\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)
_PARAGRAPH = re.compile(r"\n\s*\n")
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")

# Other people's packages inside packages, and what tests say of themselves.
_LEFT_OUT = frozenset({"test", "tests", "testing", "__pycache__", "_vendor", "vendor"})
_LARGEST_FILE = 8 << 20


class Docstrings:
    """The paragraphs of documentation strings, each a list of words in lower case.

    Files are read as text, once, and never run. Interactive examples are left out, and so are
    paragraphs that came before: libraries repeat themselves. The order is shuffled, because what
    stands in one file is alike, and learning in its order would follow each file and forget the
    others.

    Args:
        folders: where ``.py`` files are looked for; by default Python's own library and the
            packages that are installed beside it.
        seed: of the order.

    Raises:
        ChainruleError: on reading, where no folder has documentation.

    >>> text = Docstrings([Path(re.__file__).parent])
    >>> "regular expression".split() in [words[i : i + 2] for words in text for i in range(9)]
    True
    """

    def __init__(self, folders: Sequence[str | Path] | None = None, seed: int = 0) -> None:
        if folders is None:
            folders = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
        self.folders = tuple(dict.fromkeys(Path(folder) for folder in folders))
        self.seed = seed

    def __iter__(self) -> Iterator[list[str]]:
        return map(str.split, self._paragraphs)

    @cached_property
    def _paragraphs(self) -> list[str]:
        found: dict[str, None] = {}
        for file in self.files():
            for paragraph in _paragraphs(file):
                words = _WORD.findall(paragraph.lower())
                if len(words) > 1:
                    found[" ".join(words)] = None
        if not found:
            places = ", ".join(map(str, self.folders))
            raise ChainruleError(f"no Python files with documentation in {places}")
        paragraphs = list(found)
        random.Random(self.seed).shuffle(paragraphs)
        return paragraphs

    def files(self) -> Iterator[Path]:
        """The ``.py`` files, in the order of their names; each once."""
        visited: set[Path] = set()
        for folder in self.folders:
            yield from _python_files(folder, visited)


def _python_files(folder: Path, visited: set[Path]) -> Iterator[Path]:
    if folder in visited:
        return
    visited.add(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError:  # gone, or not for us to read
        return
    for entry in entries:
        if entry.suffix == ".py" and entry.is_file():
            yield entry
        elif entry.name not in _LEFT_OUT and entry.is_dir() and not entry.is_symlink():
            yield from _python_files(entry, visited)


def _paragraphs(file: Path) -> Iterator[str]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            return
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for match in _TRIPLE_QUOTED.finditer(text):
        yield from _PARAGRAPH.split(_EXAMPLE.sub("\n\n", match[2]))
