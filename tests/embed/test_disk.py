"""A disk without room: what was wrong, how much is needed, what to do, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits are set differently elsewhere")

# Files of this process may not grow beyond some bytes, as on a disk that is full.
LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from chainrule.embed.corpus import Corpus
from chainrule.embed.counts import CountError, cooccurrences, empty
from chainrule.embed.disk import StoreError
from chainrule.embed.phrases import Phrases

text = Corpus("text.txt", progress=False)
vocabulary = text.vocabulary(min_count=1)
encoded = text.encode(vocabulary)
lists = [line.split() for line in Path("text.txt").read_text().splitlines()]
phrases = Phrases(text, threshold=0.1, progress=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    {}
except (StoreError, CountError) as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text of 30,000 words, and a folder for temporary files."""
    monkeypatch.chdir(tmp_path)
    for name in ("temporary", "cache", "scratch"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    lines = (" ".join(f"w{(i * j) % 97}" for j in range(10)) for i in range(3000))
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("action", "error", "place", "option"),
    [
        ("Corpus('text.txt', progress=False).total", "StoreError", "temporary", "cache= or "),
        ("Corpus(lists, progress=False).total", "StoreError", "temporary", "cache= or "),
        (
            "Corpus('text.txt', cache='cache', progress=False).total",
            "StoreError",
            "cache",
            "cache=",
        ),
        (
            "Corpus('text.txt', max_vocab_size=10, progress=False).total",
            "StoreError",
            "temporary",
            "cache= or ",
        ),
        ("text.encode(text.vocabulary(max_size=50))", "StoreError", "temporary", "cache= or "),
        ("phrases.join(text, progress=False)", "StoreError", "temporary", "disk with TMPDIR"),
        ("empty(10_000, np.float64, 100, 'scratch')", "StoreError", "scratch", "folder= or "),
    ],
)
def test_a_full_disk(action: str, error: str, place: str, option: str, folder: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", LIMITED.format(action)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(error) and finished.stdout.count("\n") == 1
    assert f"{place}: file too large: the " in finished.stdout
    assert " bytes there, and " in finished.stdout and option in finished.stdout
    for name in ("temporary", "cache", "scratch"):
        assert not list((folder / name).iterdir())


@pytest.mark.parametrize("cache", [None, "cache"])
def test_the_command_line_names_its_options(cache: str | None, folder: Path) -> None:
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from chainrule.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = ["embed", "text.txt", "-o", "v.bin", "--quiet"]
    command += [] if cache is None else ["--cache", cache]
    finished = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 2
    assert finished.stderr.startswith(f"error: {cache or folder / 'temporary'}: file too large")
    assert "name a folder on another disk with --cache or TMPDIR" in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert sorted(path.name for path in folder.rglob("*")) == [
        "cache", "scratch", "temporary", "text.txt"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["v.txt", "v.bin", "v.glove", "v.vec", "v.npy", "v.safetensors", "v.parquet", "v.tsv"]
)
def test_vectors_that_do_not_fit_leave_nothing(name: str, folder: Path) -> None:
    code = (
        "import resource, sys\n"
        "import numpy as np, pyarrow.parquet, safetensors\n"
        "from chainrule.embed.vectors import WordVectors\n"
        "numbers = np.random.default_rng(0).normal(size=(2000, 9))\n"
        "vectors = WordVectors([f'w{i}' for i in range(2000)], numbers)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (14_000, 14_000))\n"
        "try:\n"
        "    vectors.save(sys.argv[1])\n"
        "except OSError as error:\n"
        "    print(error.filename, error.strerror)\n"
    )
    before = sorted(folder.rglob("*"))
    finished = subprocess.run(
        [sys.executable, "-c", code, name], capture_output=True, text=True, check=False
    )
    assert finished.stdout == f"{name} File too large\n", finished.stderr
    assert sorted(folder.rglob("*")) == before
