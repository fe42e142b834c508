"""A model in one file: what is saved comes back, and what is not one of ours is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from chainrule import nn, train
from chainrule.tabular.errors import TableError
from chainrule.tabular.model import FORMAT, VERSION, TabularModel, TargetDescription
from chainrule.tabular.predictions import header
from chainrule.tabular.preprocessing import Preprocessor
from chainrule.train.checkpoints import read_arrays, write_arrays

TARGETS = {
    "binary": TargetDescription("late", "binary", ("no", "yes")),
    "multiclass": TargetDescription("late", "multiclass", ("no", "a bit", "very")),
    "regression": TargetDescription("late", "regression", (), centre=1e6 + 1 / 3, spread=7e-5),
}


def flights(rows: int = 40) -> pa.Table:
    return pa.table({
        "carrier": ["UA", "AA", "UA", "DL"] * (rows // 4),
        "miles": [float(row) for row in range(rows)],
        "night": ["yes", "no"] * (rows // 2),
        "late": ["yes", "no"] * (rows // 2),
    })  # fmt: skip


def model(task: str = "binary") -> TabularModel:
    preprocessor = Preprocessor.fit(flights(), "late")
    target = TARGETS[task]
    network = nn.MLP(
        len(preprocessor.features), [5, 4], target.outputs, "gelu", dropout=0.5, seed=2
    )
    return TabularModel(network, preprocessor, target)


@pytest.mark.parametrize("task", list(TARGETS))
def test_what_is_saved_comes_back(task: str, tmp_path: Path) -> None:
    saved = model(task)
    path = tmp_path / "late.safetensors"
    saved.save(path)
    loaded = TabularModel.load(path)
    assert loaded.target == saved.target and loaded.preprocessor == saved.preprocessor
    for name, parameter in saved.network.parameters().items():
        assert loaded.network.parameters()[name].value.tobytes() == parameter.value.tobytes()
    expected = saved.predict(flights())
    assert loaded.predict(flights()).values.tobytes() == expected.values.tobytes()
    assert os.listdir(tmp_path) == ["late.safetensors"]
    assert b"pickle" not in path.read_bytes()


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    path = tmp_path / "late.safetensors"
    path.write_text("mine")
    with pytest.raises(TableError, match="exists: give another name, or --force"):
        model().save(path)
    assert path.read_text() == "mine"
    model().save(path, force=True)
    assert TabularModel.load(path).target.name == "late"


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "late.safetensors"
    model().save(path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        model("regression").save(path, force=True)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


# ----- predictions -----


@pytest.mark.parametrize("task", list(TARGETS))
def test_probabilities_and_numbers(task: str) -> None:
    trained = model(task)
    predictions = trained.predict(flights())
    outputs = trained.network(trained.preprocessor.transform(flights())).astype(np.float64)
    if task == "regression":
        assert np.allclose(predictions.values, outputs[:, 0] * 7e-5 + 1e6 + 1 / 3)
        assert predictions.labels == [] and predictions.classes == ()
        return
    assert np.allclose(predictions.values.sum(axis=1), 1)
    if task == "binary":
        assert np.allclose(predictions.values[:, 1], 1 / (1 + np.exp(-outputs[:, 0])))
    places = predictions.values.argmax(axis=1)
    assert predictions.labels == [trained.target.classes[place] for place in places]


@pytest.mark.parametrize("task", list(TARGETS))
def test_targets_are_encoded_as_outputs_are_decoded(task: str) -> None:
    target = TARGETS[task]
    if task == "regression":
        values = np.array([1e6, 1e6 + 1])
        assert np.allclose(target.decode(target.encode(values)), values, atol=0.01)
    elif task == "binary":
        logits = 100 * (target.encode(np.array([0, 1])) - 0.5)
        assert target.decode(logits).argmax(axis=1).tolist() == [0, 1]
    else:
        assert target.encode(np.array([2, 0])).tolist() == [2, 0]
    extreme = target.decode(np.full((1, target.outputs), -1e4))
    assert np.isfinite(extreme).all()


def test_batches_together_are_the_whole() -> None:
    trained = model("multiclass")
    batches = list(trained.predict_batches(flights(), rows=7))
    assert [len(batch.values) for batch in batches] == [7] * 5 + [5]
    joined = np.concatenate([batch.values for batch in batches])
    assert np.allclose(joined, trained.predict(flights()).values, atol=1e-6)


def test_no_rows_no_predictions() -> None:
    assert model("multiclass").predict(flights().slice(0, 0)).values.shape == (0, 3)


def test_notes_count_over_the_whole_table() -> None:
    table = flights().set_column(0, "carrier", pa.array(["ZZ"] * 30 + ["UA"] * 10))
    table = table.append_column("gate", pa.array(["A1"] * 40))
    notes = model().notes(table)
    assert notes[0] == '1 extra column ignored: "gate"'
    assert "30 rows with 1 unseen category" in notes[1] and '"ZZ"' in notes[1]
    assert not model().notes(flights())


def test_a_wrong_value_is_named_with_its_row_in_the_table() -> None:
    miles = [str(row) for row in range(40)]
    miles[38] = "far"
    with pytest.raises(TableError, match='"miles": expected a number, found "far" in row 39'):
        model().predict(flights().set_column(1, "miles", pa.array(miles)))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(TableError, match='lacks 1 column that the model was trained on: "miles"'):
        model().predict(flights().drop_columns(["miles"]))


# ----- measured against the truth -----


def test_score() -> None:
    trained = model()
    values = np.tile([[0.1, 0.9], [0.8, 0.2]], (20, 1))
    score = trained.score(flights(), values)
    assert score is not None and score.rows == 40
    assert score.metrics["accuracy"] == 1 and score.metrics["auc"] == 1
    assert score.metrics["log_loss"] == pytest.approx(-np.log([0.9, 0.8]).mean())


def test_score_leaves_out_blanks_and_unknown_classes() -> None:
    answers = [None, "maybe", "maybe", *["yes", "no"] * 18, "no"]
    table = flights().set_column(3, "late", pa.array(answers))
    score = model().score(table, np.tile([[0.4, 0.6]], (40, 1)))
    assert score is not None and score.rows == 37 and score.unknown == {"maybe": 2}
    assert score.metrics["accuracy"] == pytest.approx(18 / 37)


@pytest.mark.parametrize("answers", [None, [None] * 40, ["maybe"] * 40])
def test_no_score_without_truth(answers: list[str | None] | None) -> None:
    table = flights().drop_columns(["late"])
    if answers is not None:
        table = table.append_column("late", pa.array(answers, pa.string()))
    assert model().score(table, np.full((40, 2), 0.5)) is None


# ----- files that are something else -----


def foreign(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(3, np.float32)}, path)


def truncated(path: Path) -> None:
    model().save(path)
    path.write_bytes(path.read_bytes()[:-20])


def edited(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        model().save(path)
        arrays, record = read_arrays(path, "chainrule model 1")
        change(record)
        write_arrays(path, arrays, "chainrule model 1", record)

    return write


def bare_network(path: Path) -> None:
    train.save(nn.MLP(2, [3], 1, seed=0), path)


def evil(path: Path) -> None:
    def change(record: dict) -> None:
        record["architecture"] = json.loads(
            json.dumps(record["architecture"]).replace('"MLP"', '"Popen"')
        )

    edited(change)(path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.write_text("a,b\n1,2\n"), "is not a complete .safetensors file"),
        (lambda path: path.write_bytes(b""), "is not a complete .safetensors file"),
        (truncated, "is not a complete .safetensors file"),
        (foreign, "was not written by chainrule"),
        (bare_network, "holds a network without the preprocessing of a table"),
        (lambda path: write_arrays(path, {}, "chainrule model 2", {}), "newer version"),
        (edited(lambda record: record["extra"].update(version=VERSION + 1)), "newer version"),
        (edited(lambda record: record["extra"].pop("target")), "header is damaged"),
        (edited(lambda record: record["extra"]["target"].pop("classes")), "header is damaged"),
        (edited(lambda record: record["extra"]["target"].update(task="magic")), "unknown task"),
        (edited(lambda record: record["extra"]["target"].update(task="multiclass")),
         "its network gives 1 output, its target has 2"),
        (edited(lambda record: record["extra"]["preprocessor"].update(version=9)), "version 9"),
        (edited(lambda record: record["extra"]["preprocessor"]["encoders"].pop()), "is damaged"),
        (edited(lambda record: record.pop("architecture")), "damaged"),
        (evil, "module of the class Popen, which is not defined here"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_loaded(
    write: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    write(path)
    with pytest.raises(TableError, match=message) as caught:
        TabularModel.load(path)
    assert str(path) in str(caught.value)


def test_the_header_is_readable_json(tmp_path: Path) -> None:
    path = tmp_path / "late.safetensors"
    model().save(path)
    _, record = read_arrays(path, "chainrule model 1")
    assert record["extra"]["format"] == FORMAT
    assert record["extra"]["target"]["classes"] == ["no", "yes"]


def test_column_names_of_predictions_are_clear_and_different() -> None:
    names = header(("=A1", "a\nb", "a  b", " ", "x,y"))
    assert names == [
        "prediction", "probability of =A1", "probability of a b", "probability of a b (2)",
        "probability of (empty)", "probability of x,y",
    ]  # fmt: skip
