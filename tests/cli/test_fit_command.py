"""`chainrule fit` as it is typed: what is printed and written, and every bad table a clear line."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.fit import default_output
from chainrule.cli.main import main
from chainrule.tabular.model import TabularModel

QUICK = ["--epochs", "3", "--hidden", "8"]


def write_flights(path: Path, rows: int = 240) -> Path:
    """A table with a number, a category, a boolean, a date, blanks, names and an identifier."""
    generator = np.random.default_rng(1)
    lines = ["id,carrier,miles,night,day,tail,delayed,minutes"]
    for row in range(rows):
        carrier = generator.choice(["UA", "AA", "DL"])
        miles = generator.integers(100, 3000)
        night = generator.choice(["yes", "no"])
        late = miles * generator.random() > 900 or carrier == "UA"
        day = f"2013-{1 + row % 12:02d}-{1 + row % 28:02d}"
        blank = "" if row % 17 == 0 else str(miles)
        lines.append(
            f"{row},{carrier},{blank},{night},{day},N{row:05d},{'yes' if late else 'no'},"
            f"{miles / 50 + 10 * late:.3f}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAINRULE_DEBUG", raising=False)
    return tmp_path


def test_a_fit_from_beginning_to_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_flights(folder / "flights.csv")
    arguments = "fit flights.csv --target delayed --ignore minutes,day --trees --json report.json"
    status = main([*arguments.split(), *QUICK])
    printed = capsys.readouterr()
    assert status == 0 and not printed.err
    for expected in (
        "240 rows, 8 columns", "The columns and what became of them",
        "dropped: text whose values are all different", "ignored on request",
        'positive is "yes" (by its name)', "154 training, 38 validation, 48 test",
        "relu, dropout 0.1; adamw at rate 0.001", "First the simpler models",
        "epoch 3  loss ", "all epochs done",
        "kept the weights of epoch 3", "neural network", "logistic regression", "boosted trees",
        "majority class", "AUC, neural network less logistic regression", "accuracy", "log-loss",
        "Confusion of the neural network (rows: true, columns: predicted)", "Time: reading",
        "Report: report.json", "Model saved: flights.safetensors",
        "To predict new rows: chainrule predict flights.safetensors NEW_ROWS.csv",
    ):  # fmt: skip
        assert expected in printed.out, expected
    assert "\x1b" not in printed.out
    report = json.loads((folder / "report.json").read_text())
    assert set(report["models"][0]["metrics"]) == {"accuracy", "auc", "log_loss"}
    assert report["training"]["options"]["hidden"] == [8] and report["seconds"]["reading"] > 0
    assert TabularModel.load(folder / "flights.safetensors").target.classes == ("no", "yes")
    assert sorted(os.listdir(folder)) == ["flights.csv", "flights.safetensors", "report.json"]


@pytest.mark.parametrize(
    ("target", "task", "expected"),
    [
        ("minutes", "regression", ["RMSE", "MAE", "R2", "linear regression", "mean"]),
        ("carrier", "multiclass", ["accuracy", "log-loss", "AA", "DL", "UA"]),
    ],
)
def test_other_tasks(
    target: str, task: str, expected: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_flights(folder / "flights.csv")
    assert main(["fit", "flights.csv", "--target", target, *QUICK]) == 0
    printed = capsys.readouterr().out
    assert f'to predict: "{target}" ({task})' in printed
    assert all(word in printed for word in expected)


@pytest.mark.parametrize("name", ["flights.csv.gz", "flights.parquet", "flights.csv.xz"])
def test_other_files(name: str, folder: Path) -> None:
    import gzip
    import lzma

    import pyarrow.parquet as parquet

    from chainrule.tabular.reading import read_table

    plain = write_flights(folder / "flights.csv")
    if name.endswith(".parquet"):
        parquet.write_table(read_table(plain), folder / name)
    else:
        pack = gzip.compress if name.endswith(".gz") else lzma.compress
        (folder / name).write_bytes(pack(plain.read_bytes()))
    assert main(["fit", name, "--target", "delayed", "--quiet", *QUICK]) == 0
    assert (folder / "flights.safetensors").exists()


def test_the_same_seed_gives_the_same_files(folder: Path) -> None:
    write_flights(folder / "flights.csv")

    def run(name: str, seed: str) -> tuple[dict, dict[str, bytes]]:
        arguments = ["fit", "flights.csv", "--target", "delayed", "--seed", seed, "--quiet", *QUICK]
        assert main([*arguments, "-o", f"{name}.safetensors", "--json", f"{name}.json"]) == 0
        report = json.loads((folder / f"{name}.json").read_text())
        report.pop("seconds")
        for model in report["models"]:
            model.pop("seconds")
        network = TabularModel.load(folder / f"{name}.safetensors").network
        return report, {path: p.value.tobytes() for path, p in network.parameters().items()}

    first, again, other = run("first", "4"), run("again", "4"), run("other", "5")
    assert first == again
    assert first[0] != other[0] and first[1] != other[1]


def test_quiet_prints_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_flights(folder / "flights.csv")
    assert main(["fit", "flights.csv", "--target", "delayed", "--quiet", *QUICK]) == 0
    assert capsys.readouterr() == ("", "")


def test_every_option_is_heard(folder: Path) -> None:
    write_flights(folder / "flights.csv")
    arguments = (
        "fit flights.csv --target delayed --task binary --positive no --categories miles "
        "--numbers id --ignore tail --ignore minutes --test-fraction 0.3 --validation-fraction 0.1 "
        "--order-by day --hidden none --activation tanh --dropout 0 --optimizer momentum "
        "--rate 0.02 --weight-decay 0.001 --clip 2 --batch 16 --epochs 2 "
        "--patience 1 --seed 9 --threads 2 "
        "-o m.safetensors --json r.json --quiet"
    )
    assert main(shlex.split(arguments)) == 0
    report = json.loads((folder / "r.json").read_text())
    expected = {
        "task": "binary", "positive": "no", "hidden": [], "activation": "tanh", "dropout": 0,
        "optimiser": "momentum", "rate": 0.02, "weight_decay": 0.001, "clip": 2,
        "batch": 16, "epochs": 2, "patience": 1, "seed": 9,
        "validation_fraction": 0.1, "test_fraction": 0.3,
        "group_by": None, "order_by": "day", "categories": ["miles"], "numbers": ["id"],
        "ignore": ["tail", "minutes"], "trees": False, "resamples": 1000, "threads": 2,
    }  # fmt: skip
    assert report["training"]["options"] == expected
    assert report["classes"] == ["yes", "no"] and report["sizes"]["test"] == pytest.approx(
        72, abs=9
    )
    kinds = {column["name"]: column["kind"] for column in report["columns"]}
    assert (kinds["miles"], kinds["id"], kinds["tail"]) == ("category", "number", "ignored")


def test_threads_are_limited_while_training(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_info

    from chainrule.tabular import fitting

    seen = []
    real = fitting.train_network

    def spy(*arguments: object, **options: object) -> object:
        seen.append({pool["num_threads"] for pool in threadpool_info()})
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(fitting, "train_network", spy)
    write_flights(folder / "flights.csv")
    assert main(["fit", "flights.csv", "--target", "delayed", "--quiet", *QUICK]) == 0
    assert seen == [{1}]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("flights.csv", "flights.safetensors"),
        ("data/flights.2013.csv.gz", "flights.2013.safetensors"),
        ("a b.parquet", "a b.safetensors"),
    ],
)
def test_the_model_is_named_after_the_table(table: str, expected: str) -> None:
    assert default_output(Path(table)) == Path(expected)


# ----- what cannot be done -----


def no_change(text: str) -> str:
    return text


def constant(text: str) -> str:
    return text.replace(",yes,", ",no,")


BAD_TABLES: list[tuple[str, Callable[[str], str | bytes] | None, str, str]] = [
    ("missing file", None, "delayed", "flights.csv: there is no such file"),
    ("missing target", no_change, "delayd", 'no target column "delayd". Did you mean "delayed" '),
    ("constant target", constant, "delayed", 'the target "delayed" is always "no"'),
    ("blank target", lambda text: "x,y\n1,\n2,\n", "y", 'the target "y" is blank in every row'),
    ("names as target", no_change, "tail", 'the target "tail"'),
    ("ragged rows", lambda text: text.replace("\n5,", "\n5,extra,"), "delayed",
     "line 7: expected 8 fields as in the header, found 9"),
    ("wrong encoding", lambda text: text.replace("UA", "Zürich").encode("latin-1"), "delayed",
     "flights.csv is not in UTF-8: byte 0xfc"),
    ("UTF-16", lambda text: text.encode("utf-16"), "delayed", "is in UTF-16, not UTF-8"),
    ("empty file", lambda text: "", "delayed", "flights.csv is empty (0 bytes)"),
    ("blank lines", lambda text: "\n\n\n", "delayed", "flights.csv is empty"),
    ("header alone", lambda text: text.splitlines()[0] + "\n", "delayed",
     "has a header but no rows"),
    ("two columns of a name", lambda text: "x,x,y\n1,2,a\n2,3,b\n", "y",
     'the column name "x" appears 2 times'),
    ("only a text column", lambda text: "name,y\n" + "".join(
        f"n{row},{'ab'[row % 2]}\n" for row in range(60)), "y", "no column to predict from"),
    ("only the target", lambda text: "y\n" + "a\nb\n" * 30, "y", "no column to predict from"),
    ("two rows", lambda text: "x,y\n1,a\n2,b\n", "y", 'the target "y"'),
    ("three rows", lambda text: "x,y\n1,1.5\n2,2.5\n", "y", 'cannot be both learned from'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "target", "message"),
    [pytest.param(*case, id=name) for name, *case in BAD_TABLES],
)
def test_bad_tables(
    change: Callable[[str], str | bytes] | None,
    target: str,
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder / "flights.csv"
    if change is not None:
        changed = change(write_flights(path).read_text())
        path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    assert main(["fit", "flights.csv", "--target", target]) == 2
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.startswith("error: ")
    assert "Traceback" not in printed.err and printed.err.count("\n") == 1
    assert not list(folder.glob("*.safetensors"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--ignore gate", 'there is no column "gate" to treat as ignored'),
        ("--categories Carrier", 'Did you mean "carrier"?'),
        ("--numbers carrier", 'column "carrier" cannot be treated as a number'),
        ("--group gate", 'there is no column "gate" to split by'),
        ("--group id --order-by day", "not both"),
        ("--group delayed", 'the column to group by, "delayed", is the target itself'),
        ("--test-fraction 0.6 --validation-fraction 0.4", "leave none to train on"),
        ("--test-fraction 0", "Invalid value for '--test-fraction'"),
        ("--hidden 64,x", "'64,x' is no list of layer widths"),
        ("--hidden 64,-1", "is no list of layer widths"),
        ("--activation rellu", "'rellu' is not one of 'identity'"),
        ("--dropout 1", "Invalid value for '--dropout'"),
        ("--epochs 0", "Invalid value for '--epochs'"),
        ("--positive maybe", 'no label "maybe"'),
        ("--task regression", "column \"delayed\": expected a number"),
        ("-o nowhere/m.safetensors", "nowhere is not a directory: make it first"),
        ("-o .", "is a directory: give the path of a file"),
        ("-o flights.csv --force", "--output is the table itself"),
        ("--json flights.csv --force", "--json is the table itself"),
        ("-o a.json --json a.json", "--output and --json are the same file"),
    ],
)  # fmt: skip
def test_bad_options(
    arguments: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write_flights(folder / "flights.csv").read_bytes()
    assert main(["fit", "flights.csv", "--target", "delayed", *shlex.split(arguments)]) == 2
    printed = capsys.readouterr()
    assert message in printed.err and "Traceback" not in printed.err
    assert os.listdir(folder) == ["flights.csv"]
    assert (folder / "flights.csv").read_bytes() == before


@pytest.mark.parametrize("existing", ["flights.safetensors", "report.json"])
def test_nothing_is_overwritten_without_force(
    existing: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from chainrule.tabular import reading

    write_flights(folder / "flights.csv")
    (folder / existing).write_text("mine")
    arguments = ["fit", "flights.csv", "--target", "delayed", "--json", "report.json", *QUICK]
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_table", lambda _: pytest.fail("work was begun"))
        assert main(arguments) == 2
    assert f"{existing} exists: give another name, or --force" in capsys.readouterr().err
    assert (folder / existing).read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert (folder / existing).read_text(errors="replace") != "mine"


def test_text_that_is_all_different_is_left_out_and_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_flights(folder / "flights.csv")
    assert main(["fit", "flights.csv", "--target", "delayed", *QUICK]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if " tail " in line)
    assert "dropped: text whose values are all different" in line
    used = TabularModel.load(folder / "flights.safetensors").preprocessor.encoders
    assert "tail" not in [encoder.column for encoder in used]


def test_a_divergence_names_where_it_began(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_flights(folder / "flights.csv")
    arguments = ["fit", "flights.csv", "--target", "minutes", "--optimiser", "sgd", "--quiet"]
    with np.errstate(all="ignore"):
        assert main([*arguments, "--rate", "1e30"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: training diverged at step ") and "Traceback" not in printed
    assert "layers[" in printed and "--rate" in printed and ".py" not in printed
    assert not list(folder.glob("*.safetensors"))


# ----- as processes -----


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "chainrule", *arguments], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="signals are sent differently elsewhere")
def test_ctrl_c_keeps_the_best_weights(folder: Path) -> None:
    write_flights(folder / "flights.csv", rows=600)
    long = ["--epochs", "100000", "--patience", "100000", "--json", "report.json"]
    with start("fit", "flights.csv", "--target", "delayed", *long) as child:
        assert child.stdout is not None and child.stderr is not None
        for line in child.stdout:
            if line.startswith("epoch 3 "):
                child.send_signal(signal.SIGINT)
                break
        printed, complaints = child.stdout.read(), child.stderr.read()
    assert (child.returncode, complaints) == (0, "")
    assert "stopped by Ctrl-C" in printed and "Model saved: flights.safetensors" in printed
    report = json.loads((folder / "report.json").read_text())
    losses = report["training"]["validation_losses"]
    assert report["training"]["interrupted"] and 3 <= len(losses) < 100_000
    assert losses[report["training"]["best_epoch"] - 1] == min(losses)
    assert TabularModel.load(folder / "flights.safetensors").target.name == "delayed"


def test_a_bad_table_as_a_process(folder: Path) -> None:
    (folder / "ragged.csv").write_text("x,y\n1,2\n3\n")
    with start("fit", "ragged.csv", "--target", "y") as child:
        printed, complaints = child.communicate()
    assert child.returncode == 2 and not printed
    assert complaints.startswith("error: ragged.csv, line 3: expected 2 fields")
    assert complaints.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="pipes close differently elsewhere")
def test_the_model_is_written_though_nobody_reads_the_output(folder: Path) -> None:
    write_flights(folder / "flights.csv", rows=600)
    with start("fit", "flights.csv", "--target", "delayed", "--epochs", "3") as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        complaints = child.stderr.read()
    assert (child.returncode, complaints) == (0, "")
    assert TabularModel.load(folder / "flights.safetensors").target.name == "delayed"
