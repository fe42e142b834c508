"""The Python examples in README.md and docs/ print what those pages say."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(?:python|pycon|py)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def examples_of(text: str) -> list[doctest.Example]:
    """The `>>>` examples in a page's fenced Python blocks, with their lines in the page."""
    found = []
    for block in FENCE.finditer(text):
        first_line = text.count("\n", 0, block.start(1))
        for example in doctest.DocTestParser().get_examples(block.group(1)):
            example.lineno += first_line
            found.append(example)
    return found


def failures_of(text: str, page: Path) -> str:
    """What doctest reports of a page's examples; they share one namespace, from top to bottom."""
    test = doctest.DocTest(examples_of(text), {}, page.name, str(page), 0, None)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    report: list[str] = []
    doctest.DocTestRunner(verbose=False, optionflags=flags).run(test, out=report.append)
    return "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = failures_of(page.read_text(encoding="utf-8"), page)
    assert not report, report


def test_a_wrong_example_is_reported_at_its_line() -> None:
    text = "# Page\n\n```python\n>>> 1 + 1\n2\n>>> 1 + 2\n4\n```\n\n```text\n>>> 1 / 0\n```\n"
    assert [example.lineno for example in examples_of(text)] == [3, 5]
    report = failures_of(text, Path("page.md"))
    assert "line 6" in report and "Expected:\n    4\nGot:\n    3" in report
