"""Errors of the commands for words speak of options, not of Python's parameters."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.main import main
from chainrule.cli.option_names import in_options

OPTIONS = {"errors": "--errors", "min_count": "--min-count", "sg=1": "--model skipgram"}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("give errors='replace' or errors='ignore'", "give --errors replace or --errors ignore"),
        ("min_count=5.", "--min-count 5."),
        ("min_count=1e-5, min_count=-1; it", "--min-count 1e-5, --min-count -1; it"),
        ("say it with errors=, or not", "say it with --errors, or not"),
        ("sg=1 there and sg=0 here", "--model skipgram there and sg=0 here"),
        ("the word 'max_errors=3' and other=4", "the word 'max_errors=3' and other=4"),
    ],
)
def test_parameters_become_options(message: str, told: str) -> None:
    assert in_options(message, OPTIONS) == told


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with files that something is wrong with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAINRULE_DEBUG", raising=False)
    contents = {
        "text.txt": b"red green blue\nred blue green\n" * 20,
        "latin.txt": b"caf\xe9 x y\n",
        "one.txt": b"one\n",
        "lines.txt": b"one\n" * 20,
        "table.csv": b"number,text\n1,red green\n",
        "good.txt": b"2 2\na 1 2\nb 3 4\n",
        "twice.txt": b"2 2\na 1 2\na 3 4\n",
        "bytes.txt": b"2 2\na 1 2\n\xff\xfe 3 4\n",
        "letters.txt": b"2 2\na 1 2\nb 3 x\n",
        "text.bin": b"nothing of the kind",
        "pairs.txt": b"a b 3\n",
        "empty.txt": b"",
    }
    np.save(tmp_path / "alone.npy", np.ones((2, 2), np.float32))
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("embed latin.txt", "offset 3: the byte 0xe9 is not UTF-8"),
        ("embed latin.txt", "or give --errors replace or --errors ignore"),
        ("embed one.txt", "--min-count 5 leaves no words"),
        ("embed empty.txt", "the text has no words"),
        ("embed lines.txt -q", "--sample 0 keeps every word"),
        ("embed table.csv", "say with --column which holds the text, of number, text"),
        ("embed table.csv --column txt", "did you mean 'text'?"),
        ("embed text.txt --dim 1000000000000 -q", "--dim 1000000000000 need"),
        ("embed text.txt --model lsa --dim 50 -q", "--dim 50, but a matrix of shape (3, 3)"),
        ("embed text.txt --rate 1e30 -q", "--rate 1e+30 is too large a rate"),
        ("embed text.txt --rate 50 --model glove -q", ": the vectors have diverged; "),
        ("embed text.txt --rate 50 --model glove -q", "--rate 50 is too large a rate"),
        (
            "embed text.txt --model glove --sample 0.1",
            "--sample belongs to --model skipgram and cbow",
        ),
        ("embed text.txt --model lsa --negative 5", "--negative belongs to --model skipgram and"),
        ("embed text.txt --output softmax --negative 5", "--negative belongs to --output negative"),
        ("embed text.txt --cache one.txt", "--cache: one.txt is not a directory"),
        ("embed --cache .", "--cache needs a CORPUS"),
        (
            "embed text.txt --checkpoint empty.txt -q",
            "give another name with --checkpoint to begin",
        ),
        ("embed text.txt -o v", "let it end with one of .txt,"),
        ("similar twice.txt a", "line 3: the word 'a' was there before, at line 2"),
        ("similar twice.txt a", "--duplicates first keeps the first"),
        ("similar bytes.txt a", "--errors replace reads it all the same"),
        ("similar letters.txt a", "letters.txt, line 3: number 2 of 2 is 'x'"),
        ("similar text.bin a", "is none of the known forms"),
        ("similar empty.txt a", "empty.txt is empty"),
        ("similar . a", ". is a directory"),
        ("similar good.txt c", "'c' has no vector"),
        ("analogy twice.txt a", "--duplicates first keeps the first"),
        ("analogy good.txt a-b", "'a-b' has no vector; write a space before each + and -"),
        ("analogy good.txt a+b - c", "that is a sign in 'a+b'"),
        (
            "similar alone.npy a",
            "alone.vocab: there is no such file, which holds the words of alone",
        ),
        ("evaluate bytes.txt --similarity pairs.txt", "--errors replace reads it all the same"),
        ("evaluate good.txt --similarity .", ". is a directory"),
        ("evaluate good.txt --similarity no.txt", "no.txt: there is no such file"),
        ("evaluate good.txt --similarity one.txt", "one.txt, line 1: expected two words and a"),
        ("evaluate good.txt --analogies one.txt", "one.txt, line 1: a question has 4 words"),
        ("evaluate good.txt --similarity pairs.txt --json good.txt --force", "--json is good.txt"),
        ("evaluate good.txt --similarity pairs.txt --json pairs.txt --force", "--json is pairs"),
        ("data get text8 --url nonsense", "nonsense is not an address"),
    ],
)
def test_a_bad_command_line_is_told_what_to_type(
    command: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(command.split()) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.startswith("error: ") and complaint.count("\n") == 1
    assert not re.search(r"\b[a-z_]+=", complaint)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--dim 5", "--dim 4 there and --dim 5 here"),
        ("--rate 0.5", "--rate 0.1 there and --rate 0.5 here"),
        ("--model cbow", "--model skipgram there and --model cbow here"),
        ("--output hierarchical", "another --output than hierarchical there and --output hier"),
        ("--fast", "no --fast there and --fast here"),
        ("--deterministic", "no --deterministic there and --deterministic here"),
        ("--model glove", "c.safetensors"),
    ],
)
def test_the_checkpoint_of_another_training(
    options: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [
        "--dim",
        "4",
        "--rate",
        "0.1",
        "--threads",
        "1",
        "--checkpoint",
        "c.safetensors",
        "--force",
        "-q",
    ]
    command = ["embed", "text.txt", "-o", "v.bin", *common]
    assert main(command) == 0
    capsys.readouterr()  # Without the native core there is a note.
    assert main([*command, *options.split()]) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.startswith("error: ") and complaint.count("\n") == 1
    assert not re.search(r"\b[a-z_]+=", complaint)
