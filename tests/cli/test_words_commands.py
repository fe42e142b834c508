"""`chainrule similar` and `chainrule analogy` as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.analogy import terms
from chainrule.cli.main import EXIT_BROKEN_PIPE, main
from chainrule.embed.vectors import WordVectors
from chainrule.errors import ChainruleError

WORDS = ["man", "woman", "king", "queen", "e-mail", "Ärger"]
TABLE = [[2, -1, -1], [2, 1, -1], [2, -1, 1.2], [2, 1, 1.2], [-1, 1, 0], [-1, 0, 0.3]]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("CHAINRULE_DEBUG", raising=False)
    WordVectors(WORDS, np.array(TABLE, np.float32)).save(tmp_path / "royal.bin")
    return str(tmp_path / "royal.bin")


def test_similar(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["similar", path, "king", "e-mail", "-n", "2"]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert first.splitlines()[0] == "king"
    unit = np.array(TABLE) / np.linalg.norm(TABLE, axis=1, keepdims=True)
    assert first.splitlines()[1] == f"   {unit[2] @ unit[3]:.4f}  queen"
    assert len(first.splitlines()) == 3
    assert second.splitlines()[0] == "e-mail"


def test_similar_as_json(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["similar", path, "Ärger", "--format", "json", "--limit", "6"]) == 0
    report = json.loads(capsys.readouterr().out)
    [answer] = report["answers"]
    assert (report["vectors"], answer["question"]) == (path, "Ärger")
    assert answer["neighbours"][0]["word"] == "e-mail"
    assert len(answer["neighbours"]) == 5


@pytest.mark.parametrize("method", ["add", "mul"])
@pytest.mark.parametrize(
    "expression",
    [["king - man + woman"], ["king", "-", "man", "+", "woman"], ["king -man +woman"]],
    ids=["quoted", "open", "glued"],
)
def test_analogy(
    path: str, method: str, expression: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analogy", path, *expression, "--method", method, "-n", "1"]) == 0
    question, answer = capsys.readouterr().out.splitlines()
    assert question == " ".join(expression)
    assert answer.split()[1] == "queen"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["similar", "{path}", "kign"], "error: 'kign' has no vector; did you mean 'king'?"),
        (["similar", "none.bin", "king"], "error: none.bin: there is no such file"),
        (["similar", "{path}"], "Missing argument 'WORD...'"),
        (["analogy", "{path}", "king - man + womna"], "did you mean 'woman'?"),
        (["analogy", "{path}", "king - - man"], "two signs follow each other"),
        (["analogy", "{path}", "king man"], "there is no + or - before 'man'"),
        (["analogy", "{path}", "king -"], "there is no word after the last -"),
        (["analogy", "{path}", "king", "--lmit=3"], "No such option"),
        (["analogy", "{path}", "king - king"], "sum to zero"),
        (["similar", "{path}", "king", "--from", "parquet"], "cannot be read as Parquet"),
    ],
    ids=[
        "unknown", "file", "nothing", "unknown in a sum", "signs", "no sign", "no word",
        "option", "zero", "form",
    ],
)  # fmt: skip
def test_errors_have_one_line_and_no_traceback(
    path: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(path=path) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err and printed.out == ""


def test_a_minus_sign_of_typographers() -> None:
    assert terms("king − man") == (["king"], ["man"])
    with pytest.raises(ChainruleError, match="at least one word must be added"):
        terms("- man")


@pytest.mark.skipif(os.name != "posix", reason="pipes close differently elsewhere")
@pytest.mark.parametrize(
    "command", ["similar {path} king", "similar {path} king --format json",
                "analogy {path} king - man + woman", "evaluate {path} --similarity {pairs}"],
)  # fmt: skip
def test_nobody_who_reads_the_answer_is_no_traceback(command: str, path: str) -> None:
    pairs = Path(path).with_name("pairs.tsv")
    pairs.write_text("king\tqueen\t9\nking\tman\t5\nqueen\te-mail\t1\n", encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", *command.format(path=path, pairs=pairs).split()],
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (EXIT_BROKEN_PIPE, b"")
