"""`chainrule embed` as it is typed: a text in, a file of vectors out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.main import main
from chainrule.embed.docstrings import Docstrings
from chainrule.embed.vectors import WordVectors
from chainrule.run import native

TOPICS = [
    ["red", "green", "blue", "white", "black", "brown", "grey", "pink"],
    ["one", "two", "three", "four", "five", "six", "seven", "eight"],
]


def text() -> str:
    """400 sentences of six words of one topic, now and then of the other."""
    generator = np.random.default_rng(0)
    lines = []
    for i in range(400):
        topics = (i + (generator.random(6) < 0.1)) % 2
        lines.append(" ".join(str(generator.choice(TOPICS[topic])) for topic in topics))
    return "\n".join(lines) + "\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in a directory of its own, with a text in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAINRULE_DEBUG", raising=False)
    if not native.available():
        # Each command would say so, and these tests are about what else it says.
        monkeypatch.setenv("CHAINRULE_EXECUTOR", "numpy")
    (tmp_path / "text.txt").write_text(text(), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "options",
    [
        "--model skipgram",
        "--model skipgram --fast --threads 2",
        "--model cbow",
        "--model skipgram --output hierarchical",
        "--model cbow --output softmax",
        "--model skipgram --deterministic --threads 2",
        "--model glove --rate 0.1",
        "--model lsa",
    ],
)
def test_each_model_gives_vectors_that_know_the_two_topics(
    options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    epochs = "" if "lsa" in options else "--epochs 40"
    sample = "" if "lsa" in options or "glove" in options else "--sample 0"
    arguments = f"embed text.txt --dim 8 {sample} {epochs} {options}".split()
    assert main(arguments) == 0
    vectors = WordVectors.load("text.safetensors")
    assert sorted(vectors.index_to_key) == sorted(TOPICS[0] + TOPICS[1])
    assert vectors.vectors.shape == (16, 8)
    for ours, theirs in (TOPICS, TOPICS[::-1]):
        within = [vectors.similarity(ours[0], word) for word in ours[1:]]
        across = [vectors.similarity(ours[0], word) for word in theirs]
        assert np.mean(within) > np.mean(across) + 0.1
    printed = capsys.readouterr().out
    assert "2,400 words, 16 different ones, in 400 sentences; model: " in printed
    assert "chainrule similar text.safetensors" in printed


def test_one_thread_and_one_seed_give_the_same_file() -> None:
    command = ["embed", "text.txt", "--dim", "4", "--threads", "1", "--quiet"]
    for name in ("a.safetensors", "b.safetensors"):
        assert main([*command, "-o", name]) == 0
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()
    assert main([*command, "-o", "c.safetensors", "--seed", "2"]) == 0
    assert Path("a.safetensors").read_bytes() != Path("c.safetensors").read_bytes()


def test_several_texts_words_and_small_letters(folder: Path) -> None:
    (folder / "other.txt").write_text("Red, green! RED? green." * 200, encoding="utf-8")
    command = [
        "embed",
        "text.txt",
        "other.txt",
        "--tokens",
        "words",
        "--lower",
        "--dim",
        "4",
        "--quiet",
        "-o",
        "both.txt",
    ]
    assert main(command) == 0
    vectors = WordVectors.load("both.txt")
    assert sorted(vectors.index_to_key) == sorted(TOPICS[0] + TOPICS[1])
    assert sorted(vectors.index_to_key[:2]) == ["green", "red"]


def here_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the libraries on the machine be the files of one folder."""
    read = Docstrings.__init__
    monkeypatch.setattr(Docstrings, "__init__", lambda self: read(self, [folder]))


def test_the_documentation_of_libraries_is_the_text_where_none_is_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = folder / "library"
    library.mkdir()
    words = ["gradient descent step", "matrix product rows", "gradient step", "matrix rows"]
    for i in range(40):
        text = f"{words[i % 4]} {chr(97 + i % 26)}{'x' * (i // 26)}"
        (library / f"m{i}.py").write_text(f'"""{text}"""\n', encoding="utf-8")
    here_only(monkeypatch, library)
    assert main(["embed", "--dim", "4", "--min-count", "2", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "nearest words" in printed
    assert "\ngradient " in printed
    assert "\nmatrix " in printed
    assert "gradient" in WordVectors.load("documentation.safetensors")


def test_without_the_core_the_documentation_is_learned_by_lsa(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "m.py").write_text(f'"""{text().replace(chr(10), chr(10) * 2)}"""', encoding="utf-8")
    here_only(monkeypatch, folder)
    monkeypatch.setattr(native, "available", lambda: False)
    assert main(["embed", "--dim", "8"]) == 0
    assert "model: lsa" in capsys.readouterr().out


def test_training_goes_on_from_a_checkpoint() -> None:
    command = ["embed", "text.txt", "--dim", "4", "--threads", "1", "--quiet", "--epochs"]
    assert main([*command, "4", "-o", "whole.safetensors"]) == 0
    assert main([*command, "4", "-o", "first.safetensors", "--checkpoint", "c.safetensors"]) == 0
    assert main([*command, "4", "-o", "again.safetensors", "--checkpoint", "c.safetensors"]) == 0
    whole, again = (WordVectors.load(f"{name}.safetensors") for name in ("whole", "again"))
    np.testing.assert_array_equal(whole.vectors, again.vectors)


@pytest.mark.parametrize("model", ["skipgram", "glove", "lsa"])
def test_a_text_that_is_kept_is_not_read_again(
    model: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"embed text.txt --dim 4 --model {model} --cache kept/words --force".split()
    read = []
    for _ in range(2):
        assert main(command) == 0
        read.append("read text.txt: 2,400 words" in capsys.readouterr().out)
    assert read == [True, False]
    [kept] = (folder / "kept" / "words").iterdir()
    assert kept.name.startswith("corpus-")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("embed nothing.txt", "nothing.txt"),
        ("embed text.txt -o text.txt", "--vectors is the text itself, text.txt"),
        ("embed text.txt -o no/where.vec", "no is not a directory"),
        ("embed text.txt --min-count 10000", "--min-count 10000 leaves no words"),
        ("embed text.txt --model glove --fast", "--fast belongs to --model skipgram and cbow"),
        ("embed text.txt --model lsa --epochs 3", "--epochs is of no use to --model lsa"),
        ("embed text.txt --output softmax --fast", "--fast shares negatives"),
        ("embed --column text", "--column needs a CSV or Parquet file"),
        ("embed text.txt --model word2vec", "'word2vec' is not one of"),
        ("embed text.txt --dim 0", "0 is not in the range"),
    ],
)
def test_what_cannot_be_is_one_line(
    command: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.split()) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert not list(Path().glob("*.safetensors"))


def test_an_empty_name_is_not_the_folder_one_is_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "", "-q"]) == 2
    assert capsys.readouterr().err == (
        "error: CORPUS is an empty name: give a file, a folder or a pattern\n"
    )


def test_a_file_that_exists_is_kept_without_force(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = folder / "v.safetensors"
    kept.write_text("mine")
    assert main(["embed", "text.txt", "-o", "v.safetensors", "--quiet"]) == 2
    assert "v.safetensors exists" in capsys.readouterr().err
    assert kept.read_text() == "mine"
    assert main(["embed", "text.txt", "-o", "v.safetensors", "--quiet", "--force"]) == 0
    assert len(WordVectors.load(kept)) == 16


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("embed text.txt -o .", "--vectors is a directory"),
        ("embed text.txt -o v.xyz", "v.xyz: its name does not say what to write"),
        ("embed *.txt -o text.txt --force", "--vectors is the text itself, text.txt"),
        ("embed . -o metadata.tsv", "--vectors is the text itself, metadata.metadata.tsv"),
        ("embed text.vocab -o text.npy --force", "--vectors is the text itself, text.vocab"),
        ("embed text.txt -o v.bin --checkpoint v.bin", "--checkpoint and --vectors are both"),
        ("embed text.txt -o v.bin --checkpoint text.txt", "--checkpoint is the text itself"),
        ("embed text.txt -o v.bin --checkpoint no/c.safetensors", "no is not a directory"),
        ("embed text.txt - -o v.bin", "- is standard input"),
        ("embed text.txt -o v.bin --seed 9223372036854775808", "is not in the range"),
        ("embed text.txt -o v.bin --window 100001", "is not in the range"),
        ("embed text.txt -o v.bin --negative 100001", "is not in the range"),
        ("embed text.txt -o v.bin --threads 257", "is not in the range"),
        ("embed text.txt -o v.bin --sample nan", "--sample nan is not a number"),
        ("embed text.txt -o v.bin --rate nan", "--rate nan is not a number"),
        ("embed text.txt -o v.bin --model lsa --keep sum", "--keep is of no use to --model lsa"),
        ("embed text.txt -o v.bin --output hierarchical --keep sum", "--keep sum needs"),
    ],
)
def test_what_would_go_wrong_is_found_before_the_training(
    command: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "text.vocab").write_text("a text of its own")
    (folder / "metadata.metadata.tsv").write_text("mine")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(command.split()) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "epoch" not in captured.out and "Traceback" not in captured.err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_second_file_of_a_pair_is_not_overwritten(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "v.vocab").write_text("mine")
    command = ["embed", "text.txt", "-o", "v.npy", "--dim", "4", "--quiet"]
    assert main(command) == 2
    assert "v.vocab exists" in capsys.readouterr().err
    assert (folder / "v.vocab").read_text() == "mine"
    assert main([*command, "--force"]) == 0
    assert len(WordVectors.load("v.npy")) == 16


def test_vectors_that_do_not_fit_their_file_are_saved_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd.txt").write_bytes(b"red \0 green\n" * 50)
    assert main(["embed", "odd.txt", "-o", "v.bin", "--sample", "0", "--quiet"]) == 2
    message = capsys.readouterr().err
    assert "cannot hold the word '\\x00'" in message
    [place] = folder.glob("v-*.safetensors")
    assert message.strip().endswith(f"the vectors are in {place.name} instead")
    assert sorted(WordVectors.load(place).words) == ["\0", "green", "red"]
    assert not (folder / "v.bin").exists()


@pytest.mark.parametrize("model", ["skipgram", "glove"])
def test_the_vectors_that_are_kept(model: str) -> None:
    found = {}
    for which in ("input", "output", "sum"):
        options = ["--model", model, "--keep", which, "--threads", "1", "--dim", "4", "--quiet"]
        assert main(["embed", "text.txt", "-o", f"{which}.vec", *options]) == 0
        found[which] = WordVectors.load(f"{which}.vec").vectors
    assert not np.allclose(found["input"], found["output"])
    np.testing.assert_allclose(found["sum"], found["input"] + found["output"], atol=1e-6)


def test_a_small_rate_is_no_error() -> None:
    options = ["--rate", "1e-5", "--dim", "4", "--quiet"]
    assert main(["embed", "text.txt", "-o", "v.vec", *options]) == 0


@pytest.mark.skipif(os.name != "posix", reason="signals are sent differently elsewhere")
def test_ctrl_c_saves_what_there_is_and_says_so(folder: Path) -> None:
    command = ["embed", "text.txt", "-o", "v.vec", "--epochs", "1000000", "--checkpoint", "c.st"]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "chainrule", *command],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        for line in child.stdout:
            if line.startswith("epoch 3 "):
                child.send_signal(signal.SIGINT)
                break
        child.stdout.read()
        complaints = child.stderr.read()
    assert child.returncode == 0
    assert complaints.startswith("stopped by Ctrl-C in epoch ") and complaints.count("\n") == 1
    assert len(WordVectors.load("v.vec")) == 16
    assert (folder / "c.st").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals are sent differently elsewhere")
def test_a_process_that_is_told_to_end_leaves_no_temporary_files(folder: Path) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    command = ["embed", "text.txt", "-o", "v.vec", "--epochs", "1000000"]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "chainrule", *command],
        text=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("epoch 3 "):
                assert list(temporary.iterdir())
                child.terminate()
                break
        child.stdout.read()
    assert child.returncode == 128 + signal.SIGTERM
    assert not list(temporary.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="pipes close differently elsewhere")
@pytest.mark.parametrize(
    ("python", "stream", "model"),
    [([], "stdout", "skipgram"), (["-u"], "stdout", "glove"), ([], "stderr", "lsa")],
    ids=["buffered", "unbuffered", "errors"],
)
def test_the_vectors_are_written_though_nobody_reads_the_output(
    python: list[str], stream: str, model: str, folder: Path
) -> None:
    # Its reader has gone before the first line, as `head -0` does.
    reading, writing = os.pipe()
    os.close(reading)
    other = {"stdout": "stderr", "stderr": "stdout"}[stream]
    command = ["embed", "text.txt", "--model", model, "--dim", "5"]
    done = subprocess.run(
        [sys.executable, *python, "-m", "chainrule", *command],
        check=False,
        **{stream: writing, other: subprocess.PIPE},
    )
    os.close(writing)
    assert done.returncode == 0
    assert len(WordVectors.load(folder / "text.safetensors")) == 16
    if stream == "stdout":
        assert done.stderr == b""


@pytest.mark.skipif(os.name != "posix", reason="pipes close differently elsewhere")
@pytest.mark.parametrize(
    ("command", "status"),
    [(["embed", "text.txt", "--model", "lsa", "--dim", "5"], 0), (["embed", "none.txt"], 2)],
    ids=["note", "error"],
)
def test_what_nobody_reads_about_a_command_does_not_change_its_end(
    command: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the core a note follows the last line of the command.
    monkeypatch.delenv("CHAINRULE_EXECUTOR", raising=False)
    without_core = "import sys; sys.modules['chainrule._native'] = None; "
    program = without_core + f"from chainrule.cli.main import main; sys.exit(main({command}))"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, stderr=writing, stdout=subprocess.DEVNULL
    )
    os.close(writing)
    assert done.returncode == status


@pytest.mark.skipif(os.name != "posix", reason="pipes close differently elsewhere")
def test_a_reader_that_goes_after_some_epochs_takes_no_epoch_with_it(folder: Path) -> None:
    command = ["embed", "text.txt", "--epochs", "30", "--threads", "1"]
    assert main([*command, "-o", "quiet.bin", "-q"]) == 0
    with subprocess.Popen(
        [sys.executable, "-m", "chainrule", *command, "-o", "piped.bin"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline().startswith(b"read ")
        child.stdout.close()
        complaints = child.stderr.read()
    assert (child.returncode, complaints) == (0, b"")
    assert (folder / "piped.bin").read_bytes() == (folder / "quiet.bin").read_bytes()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no disk that is always full")
def test_output_for_which_a_disk_has_no_room_is_one_line(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "chainrule", "embed", "text.txt"],
            check=False,
            text=True,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 2
    assert done.stderr == "error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--dim 9", "--dim 8 there and --dim 9 here"),
        ("--model cbow", "--model skipgram there and --model cbow here"),
        ("--model glove", "c.st holds a chainrule word2vec 1, not a chainrule glove 1"),
        ("--checkpoint cut.st", "cut.st is not a complete .safetensors file"),
        ("--checkpoint vectors.safetensors", "vectors.safetensors holds a chainrule vectors"),
        ("--checkpoint note.st", "note.st is not a complete .safetensors file"),
    ],
    ids=["dim", "cbow", "glove", "cut off", "vectors", "text"],
)
def test_a_foreign_checkpoint_is_found_before_the_text_is_read(
    options: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "embed text.txt --dim 8 --epochs 1 --checkpoint c.st"
    assert main([*command.split(), "-o", "vectors.safetensors"]) == 0
    (folder / "cut.st").write_bytes((folder / "c.st").read_bytes()[:-1])
    (folder / "note.st").write_text("not a checkpoint at all")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    assert main([*command.split(), "-o", "v.bin", *options.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err and "give another name with --checkpoint" in captured.err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_checkpoint_of_another_text_is_found_once_it_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["embed", "text.txt", "-o", "v.bin", "-q", "--epochs", "1", "--checkpoint", "c.st"])
        == 0
    )
    (folder / "other.txt").write_text("sun moon\n" * 50)
    assert (
        main(["embed", "other.txt", "-o", "w.bin", "-q", "--epochs", "1", "--checkpoint", "c.st"])
        == 2
    )
    assert "c.st belongs to a training on another vocabulary" in capsys.readouterr().err
