"""The documentation of libraries as a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.embed.docstrings import Docstrings
from chainrule.errors import ChainruleError

MODULE = '''
r"""Solve a matrix equation.

The gradient isn't needed; it's co-operative.

>>> solve("never read")
'never read'

See the Unicode naïve 3 example.
"""

text = """not documentation: does not begin its line"""


class Solver:
    \'\'\'Solve a matrix equation.\'\'\'

    def run(self):
        """One"""
'''


def folder_with(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text, encoding="utf-8")
    return tmp_path


def test_paragraphs_are_words_without_examples_or_repetitions(tmp_path: Path) -> None:
    text = Docstrings([folder_with(tmp_path, a=MODULE, b=MODULE)])
    assert sorted(text) == [
        ["see", "the", "unicode", "naïve", "example"],
        ["solve", "a", "matrix", "equation"],
        ["the", "gradient", "isn't", "needed", "it's", "co-operative"],
    ]


def test_the_order_is_shuffled_by_the_seed_and_the_same_each_time(tmp_path: Path) -> None:
    lines = "\n\n".join(f"paragraph number {chr(97 + i)}" for i in range(26))
    folder = folder_with(tmp_path, a=f'"""{lines}"""\n')
    text = Docstrings([folder])
    assert list(text) == list(text) == list(Docstrings([folder]))
    assert list(text) != list(Docstrings([folder], seed=1))
    assert sorted(text) == sorted(Docstrings([folder], seed=1)) != list(text)


def test_tests_links_and_what_is_not_python_are_left_out(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path, a='"""kept one"""', tests__b='"""left out"""', inner__c='"""kept two"""'
    )
    (folder / "d.txt").write_text('"""left out"""')
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert sorted(Docstrings([folder, folder / "inner"])) == [["kept", "one"], ["kept", "two"]]


def test_a_folder_without_documentation_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChainruleError, match=r"no Python files with documentation in .*nowhere"):
        list(Docstrings([tmp_path / "nowhere"]))
