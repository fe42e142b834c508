"""`chainrule evaluate` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.main import main
from chainrule.embed.vectors import WordVectors

PAIRS = "man\tking\t5\nman\twoman\t7\nking\tqueen\t8\nman\tqueen\t1\nman\temperor\t4\n"
QUESTIONS = ": family\nman king woman queen\n: gram1-none\nbig bigger small smaller\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAINRULE_DEBUG", raising=False)
    table = [[2, -1, -1], [2, 1, -1], [2, -1, 1.2], [2, 1, 1.2]]
    WordVectors(["man", "woman", "king", "queen"], np.array(table)).save("royal.bin")
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    (tmp_path / "questions.txt").write_text(QUESTIONS)
    return tmp_path


def test_tables_and_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["royal.bin", "--similarity", "pairs.tsv", "--analogies", "questions.txt"]
    assert main(["evaluate", *arguments, "--json", "report.json", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert "royal.bin: 4 words, 3 numbers each" in printed
    assert "pairs.tsv, words without a vector: emperor" in printed
    assert "Report: report.json" in printed
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        if cells[0] == "family":
            assert cells == ["family", "1", "0", "1", "100.0%", "100.0% … 100.0%"]
        if cells[0] == "gram1-none":
            assert cells == ["gram1-none", "1", "1", "0", "–", "–"]
    report = json.loads((folder / "report.json").read_text())
    assert (report["words"], report["vector_size"]) == (4, 3)
    assert report["settings"]["seed"] == 3
    [pairs] = report["similarity"]
    assert (pairs["pairs"], pairs["used"], pairs["unknown"]) == (5, 4, ["emperor"])
    assert -1 <= pairs["spearman"]["low"] <= pairs["spearman"]["value"] <= 1
    sections = {each["name"]: each for each in report["analogies"]["questions.txt"]}
    assert list(sections) == ["family", "gram1-none", "semantic", "syntactic", "total"]
    assert sections["gram1-none"]["accuracy"] == {"value": None, "low": None, "high": None}
    assert sections["total"]["right"] == 1


def test_a_report_is_not_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "report.json").write_text("mine")
    arguments = ["evaluate", "royal.bin", "--similarity", "pairs.tsv", "--json", "report.json"]
    assert main(arguments) == 2
    assert "report.json exists" in capsys.readouterr().err
    assert (folder / "report.json").read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert json.loads((folder / "report.json").read_text())["analogies"] == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["royal.bin"], "there is nothing to measure: give --similarity or --analogies"),
        (["none.bin", "--similarity", "pairs.tsv"], "none.bin: there is no such file"),
        (["royal.bin", "--similarity", "none.tsv"], "none.tsv: there is no such file"),
        (["royal.bin", "--analogies", "pairs.tsv"], "line 1: a question has 4 words"),
        (["royal.bin", "--similarity", "questions.txt"], "expected two words and a number"),
    ],
    ids=["nothing", "vectors", "file", "analogies", "pairs"],
)
def test_errors_have_one_line_and_no_traceback(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *arguments]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err and printed.out == ""
