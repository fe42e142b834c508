"""`chainrule predict` as it is typed: CSV on standard output, everything else beside it."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from chainrule.cli.main import main
from chainrule.tabular import model as model_module
from chainrule.tabular.fitting import fit_table
from chainrule.tabular.model import TabularModel
from chainrule.tabular.options import FitOptions
from chainrule.tabular.predictions import Predictions

ROWS = 120


def flights() -> dict[str, list]:
    generator = np.random.default_rng(3)
    miles = generator.integers(100, 3000, ROWS)
    return {
        "flight": [f"F-{row}" for row in range(ROWS)],
        "carrier": generator.choice(["UA", "AA"], ROWS).tolist(),
        "miles": miles.tolist(),
        "delayed": np.where(miles > 1500, "yes", "no").tolist(),
        "kind": np.select([miles > 2000, miles > 1000], ["long, far", "mid"], "short").tolist(),
        "minutes": (miles / 60.0).tolist(),
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of each task."""
    folder = tmp_path_factory.mktemp("models")
    options = FitOptions(hidden=(8,), epochs=10, rate=0.02, resamples=10)
    table = pa.table(flights()).drop_columns(["flight"])
    for target in ("delayed", "kind", "minutes"):
        features = table.select(["carrier", "miles", target])
        fit_table(features, target, options)[0].save(folder / f"{target}.safetensors")
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAINRULE_DEBUG", raising=False)
    return tmp_path


def write(path: Path, columns: dict[str, list]) -> str:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return str(path)


def new_rows(**changes: list | None) -> dict[str, list]:
    """The rows to predict; a column that is given as None is left out."""
    columns = {name: flights()[name] for name in ("flight", "carrier", "miles")}
    columns.update(changes)  # type: ignore[arg-type]
    return {name: values for name, values in columns.items() if values is not None}


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_two_classes(models: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(folder / "new.csv", new_rows(flight=None))
    assert main(["predict", str(models / "delayed.safetensors"), path]) == 0
    printed = capsys.readouterr()
    assert not printed.err
    assert printed.out.splitlines()[0] == "prediction,probability of no,probability of yes"
    rows = parsed(printed.out)
    assert len(rows) == ROWS
    trained = TabularModel.load(models / "delayed.safetensors")
    expected = trained.predict(pa.table(new_rows(flight=None)))
    assert [row["prediction"] for row in rows] == expected.labels
    for row, shares in zip(rows, expected.values, strict=True):
        assert float(row["probability of yes"]) == pytest.approx(shares[1], rel=1e-5)


def test_labels_with_commas_are_quoted(
    models: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(folder / "new.csv", new_rows(flight=None))
    assert main(["predict", str(models / "kind.safetensors"), path]) == 0
    rows = parsed(capsys.readouterr().out)
    names = ["probability of long, far", "probability of mid", "probability of short"]
    assert list(rows[0]) == ["prediction", *names]
    assert {row["prediction"] for row in rows} >= {"long, far", "short"}
    for row in rows:
        assert sum(float(row[name]) for name in names) == pytest.approx(1, abs=1e-5)


def test_numbers(models: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(folder / "new.csv", new_rows(flight=None))
    assert main(["predict", str(models / "minutes.safetensors"), path]) == 0
    rows = parsed(capsys.readouterr().out)
    assert list(rows[0]) == ["prediction"]
    minutes = flights()["minutes"]
    errors = [float(row["prediction"]) - truth for row, truth in zip(rows, minutes, strict=True)]
    assert np.abs(errors).mean() < 8


def test_into_a_file_with_columns_kept(
    models: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(folder / "new.csv", new_rows())
    arguments = ["predict", str(models / "delayed.safetensors"), path, "-o", "out.csv"]
    assert main([*arguments, "--keep", "flight", "--keep", "miles"]) == 0
    printed = capsys.readouterr()
    assert not printed.out
    assert '1 extra column ignored: "flight"' in printed.err
    assert "120 predictions written to out.csv" in printed.err
    rows = parsed((folder / "out.csv").read_text())
    assert list(rows[0])[:3] == ["flight", "miles", "prediction"]
    assert [row["flight"] for row in rows] == flights()["flight"]
    assert [int(row["miles"]) for row in rows] == flights()["miles"]
    # Temporary files are private; what takes their place is as readable as any other new file.
    assert (folder / "out.csv").stat().st_mode == (folder / "new.csv").stat().st_mode


def test_batches_give_what_the_whole_gives(
    models: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = new_rows(carrier=["ZZ"] * 50 + ["UA"] * 70)
    arguments = ["predict", str(models / "delayed.safetensors"),
                 write(folder / "new.csv", columns), "--keep", "flight"]  # fmt: skip
    assert main(arguments) == 0
    whole = capsys.readouterr()
    real = TabularModel.predict_batches
    monkeypatch.setattr(TabularModel, "predict_batches", lambda self, table: real(self, table, 7))
    assert main(arguments) == 0
    parts = capsys.readouterr()
    assert parts.err == whole.err
    assert len(parsed(parts.out)) == ROWS
    for first, second in zip(parsed(parts.out), parsed(whole.out), strict=True):
        assert (first["flight"], first["prediction"]) == (second["flight"], second["prediction"])
    assert model_module.ROWS_AT_ONCE > ROWS


def test_unseen_categories_and_blanks_are_counted(
    models: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = new_rows(
        flight=None, carrier=["ZZ"] * 3 + ["QQ"] + ["AA"] * 116, miles=["", "", *([500] * 118)]
    )
    path = write(folder / "new.csv", columns)
    assert main(["predict", str(models / "delayed.safetensors"), path]) == 0
    printed = capsys.readouterr()
    assert '"carrier": 4 rows with 2 unseen categories' in printed.err
    assert '"miles": 2 blanks' in printed.err
    assert len(parsed(printed.out)) == ROWS
    assert main(["predict", str(models / "delayed.safetensors"), path, "--quiet"]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "answers", "expected"),
    [
        ("delayed", None, "measured on the 120 rows with \"delayed\": accuracy "),
        ("minutes", None, "measured on the 120 rows with \"minutes\": RMSE "),
        ("delayed", ["yes", *[""] * 118, "no"], "measured on the 2 rows"),
        ("delayed", ["perhaps", *["yes"] * 119], '1 row not measured: "perhaps" is no class'),
        ("delayed", [""] * ROWS, "not measured: the column \"delayed\" is blank"),
        ("minutes", ["soon", *["1"] * 119], "not measured: column \"minutes\": expected a number"),
    ],
)  # fmt: skip
def test_measured_where_the_truth_is_there(
    target: str,
    answers: list | None,
    expected: str,
    models: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = new_rows(flight=None, **{target: answers or flights()[target]})
    path = write(folder / "new.csv", columns)
    assert main(["predict", str(models / f"{target}.safetensors"), path]) == 0
    printed = capsys.readouterr()
    assert expected in printed.err and len(parsed(printed.out)) == ROWS


# ----- what cannot be done -----


def not_a_model(path: Path) -> None:
    path.write_text("a,b\n1,2\n")


def corrupt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Path.unlink, "m.safetensors: there is no such file"),
        (not_a_model, "m.safetensors is not a complete .safetensors file"),
        (corrupt, "m.safetensors is not a complete .safetensors file"),
    ],
)
def test_bad_models(
    change: Callable[[Path], None],
    message: str,
    models: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "m.safetensors").write_bytes((models / "delayed.safetensors").read_bytes())
    change(folder / "m.safetensors")
    path = write(folder / "new.csv", new_rows())
    assert main(["predict", "m.safetensors", path]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and message in printed.err and not printed.out


def table(**changes: list | None) -> Callable[[Path], object]:
    return lambda path: write(path, new_rows(**changes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "new.csv: there is no such file"),
        (table(miles=None), 'lacks 1 column that the model was trained on: "miles"'),
        (table(miles=None, carrier=None), "lacks 2 columns"),
        (table(miles=[*range(119), "far"]), '"miles": expected a number, found "far" in row 120'),
        (lambda path: path.write_text(""), "new.csv is empty (0 bytes)"),
        (lambda path: path.write_text("carrier,miles\n"), "has a header but no rows"),
        (lambda path: path.write_text("carrier,miles\nUA,1\nUA\n"), "line 3: expected 2 fields"),
        (lambda path: path.write_bytes(b"carrier,miles\nZ\xfcrich,1\n"), "is not in UTF-8"),
    ],
)
def test_bad_tables(
    make: Callable[[Path], object],
    message: str,
    models: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(folder / "new.csv")
    model = str(models / "delayed.safetensors")
    assert main(["predict", model, "new.csv", "-o", "out.csv"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and message in printed.err and not printed.out
    assert "Traceback" not in printed.err and not (folder / "out.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "new.csv", "--force"], "--output is the table itself"),
        (["-o", "m.safetensors", "--force"], "--output is the model itself"),
        (["-o", "nowhere/out.csv"], "nowhere is not a directory"),
        (["--keep", "fligth"], 'there is no column "fligth" to keep. Did you mean "flight"?'),
        (["--keep", "prediction"], "cannot be kept"),
    ],
)
def test_bad_options(
    arguments: list[str],
    message: str,
    models: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "m.safetensors").write_bytes((models / "delayed.safetensors").read_bytes())
    write(folder / "new.csv", new_rows(prediction=["x"] * ROWS))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["predict", "m.safetensors", "new.csv", *arguments]) == 2
    printed = capsys.readouterr()
    assert message in printed.err and not printed.out
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_nothing_is_overwritten_without_force(
    models: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(folder / "new.csv", new_rows(flight=None))
    (folder / "out.csv").write_text("mine")
    arguments = ["predict", str(models / "delayed.safetensors"), path, "-o", "out.csv"]
    assert main(arguments) == 2
    assert "out.csv exists: give another name, or --force" in capsys.readouterr().err
    assert (folder / "out.csv").read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert len(parsed((folder / "out.csv").read_text())) == ROWS


def test_a_failure_in_the_middle_leaves_no_file(
    models: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = TabularModel.predict_batches

    def failing(self: TabularModel, table: pa.Table) -> Iterator[Predictions]:
        yield next(real(self, table, 7))
        raise MemoryError

    monkeypatch.setattr(TabularModel, "predict_batches", failing)
    path = write(folder / "new.csv", new_rows(flight=None))
    assert main(["predict", str(models / "delayed.safetensors"), path, "-o", "out.csv"]) == 2
    assert capsys.readouterr().err == "error: out of memory\n"
    assert os.listdir(folder) == ["new.csv"]


def test_fit_then_predict_as_processes(folder: Path) -> None:
    columns = {name: values for name, values in flights().items() if name != "minutes"}
    write(folder / "my flights.csv", columns)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "chainrule", *arguments], capture_output=True, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip

    fitted = run(
        "fit", "my flights.csv", "--target", "delayed", "--epochs", "2", "--ignore", "kind"
    )
    assert (fitted.returncode, fitted.stderr) == (0, "")
    assert fitted.stdout.endswith("chainrule predict 'my flights.safetensors' NEW_ROWS.csv\n")
    predicted = run("predict", "my flights.safetensors", "my flights.csv")
    assert predicted.returncode == 0 and len(parsed(predicted.stdout)) == ROWS
    assert "measured on the 120 rows" in predicted.stderr
    again = run("fit", "my flights.csv", "--target", "delayed")
    assert again.returncode == 2 and "Traceback" not in again.stderr
    assert again.stderr.startswith("error: my flights.safetensors exists")
