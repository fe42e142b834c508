"""From a table to a model and a report: tasks, splits, reproducibility, and what can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from chainrule import train
from chainrule.errors import NonFiniteError
from chainrule.tabular import fitting
from chainrule.tabular.errors import TableError
from chainrule.tabular.fitting import fit_table, prepare
from chainrule.tabular.options import FitOptions
from chainrule.tabular.report import Report

QUICK = FitOptions(hidden=(16,), epochs=8, resamples=50)


def checkerboard(rows: int = 1500) -> pa.Table:
    """Two classes that no straight line parts: the signs of two numbers agree or not."""
    generator = np.random.default_rng(5)
    x, y = generator.uniform(-1, 1, (2, rows))
    colour = generator.choice(["red", "green", "blue"], rows)
    return pa.table({
        "x": x,
        "y": y,
        "colour": colour,
        "day": np.arange(rows) // 10,
        "agree": np.where(x * y > 0, "yes", "no"),
        "class": np.select([x > 0.3, y > 0.3], ["east", "north"], "home"),
        "product": 1e6 + 1000 * (x * y + (colour == "red")),
    })  # fmt: skip


def metrics(report: Report) -> dict[str, dict[str, float]]:
    return {model.name: dict(model.metrics) for model in report.models}


def test_a_network_learns_what_a_linear_model_cannot() -> None:
    options = FitOptions(
        hidden=(32, 16), rate=0.01, epochs=40, ignore=("class", "product"), resamples=200
    )
    model, report = fit_table(checkerboard(), "agree", options)
    assert report.task == "binary" and list(report.classes) == ["no", "yes"]
    measured = metrics(report)
    assert list(measured) == ["neural network", "logistic regression", "majority class"]
    assert measured["neural network"]["accuracy"] > 0.93
    assert measured["logistic regression"]["accuracy"] < 0.65
    assert all(each.interval.first_is_better for each in report.comparisons)
    assert [each.interval.metric for each in report.comparisons] == ["auc", "log_loss"]
    assert np.sum(report.confusion) == report.sizes["test"] == 300
    assert model.network(np.zeros((1, report.features), np.float32)).shape == (1, 1)


def test_many_classes() -> None:
    model, report = fit_table(checkerboard(), "class", FitOptions(epochs=30, resamples=50))
    assert report.task == "multiclass" and list(report.classes) == ["east", "home", "north"]
    assert metrics(report)["neural network"]["accuracy"] > 0.9
    values = model.predict(checkerboard()).values
    assert values.shape == (1500, 3) and np.allclose(values.sum(axis=1), 1)


def test_numbers_are_reported_in_the_units_of_the_target() -> None:
    table = checkerboard().drop_columns(["agree", "class"])
    model, report = fit_table(table, "product", FitOptions(epochs=40, resamples=50))
    assert report.task == "regression" and report.confusion is None
    measured = metrics(report)
    assert list(measured) == ["neural network", "linear regression", "mean"]
    # The product varies by 333, the colour by 471; noise there is none.
    assert measured["neural network"]["rmse"] < 150 < measured["linear regression"]["rmse"]
    predicted = model.predict(table).values
    assert np.abs(predicted - np.asarray(table["product"])).mean() < 100


def test_the_same_seed_gives_the_same_network_and_report() -> None:
    def run(seed: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        options = FitOptions(hidden=(8,), epochs=3, seed=seed, resamples=20)
        model, report = fit_table(checkerboard(400), "agree", options)
        record = report.to_json()
        assert set(record.pop("seconds")) == {"preparing", "baselines", "network", "testing"}
        for each in record["models"]:
            each.pop("seconds")
        return record, {path: p.value for path, p in model.network.parameters().items()}

    (first, first_values), (again, same_values), (other, _) = run(1), run(1), run(2)
    assert first == again and first != other
    for path, value in first_values.items():
        assert value.tobytes() == same_values[path].tobytes()


def test_preprocessing_learns_from_the_training_rows_alone() -> None:
    table = checkerboard(200)
    split = prepare(table, "agree", QUICK).split
    changed = np.asarray(table["x"]).copy()
    changed[split.test] += 100.0
    colours = np.asarray(table["colour"].to_pylist(), dtype=object)
    colours[split.test[:4]] = "octarine"
    other = table.set_column(0, "x", pa.array(changed)).set_column(2, "colour", pa.array(colours))
    before, after = prepare(table, "agree", QUICK), prepare(other, "agree", QUICK)
    assert before.preprocessor == after.preprocessor
    assert np.array_equal(before.train.inputs, after.train.inputs)
    assert 'column "colour": 4 rows with 1 unseen category' in " ".join(after.notes)


def test_groups_stay_together_and_are_no_feature() -> None:
    prepared = prepare(checkerboard(), "agree", FitOptions(group_by="day"))
    days = np.arange(1500) // 10
    split = prepared.split
    parts = [set(days[rows]) for rows in (split.train, split.validation, split.test)]
    assert all(parts) and not parts[0] & parts[1] and not (parts[0] | parts[1]) & parts[2]
    day = next(column for column in prepared.preprocessor.columns if column.name == "day")
    assert not day.used and day.treatment == "not used: rows of one value are kept together"
    assert prepared.groups is not None and len(prepared.groups) == len(prepared.test.inputs)
    _, report = fit_table(checkerboard(), "agree", FitOptions(group_by="day", epochs=1, hidden=()))
    assert report.comparisons[0].resampled == 'groups of one "day"'


def test_a_group_is_a_feature_where_it_is_asked_for() -> None:
    options = FitOptions(group_by="day", numbers=("day",))
    assert "day" in prepare(checkerboard(), "agree", options).preprocessor.features


def test_in_order_the_last_rows_are_the_test() -> None:
    prepared = prepare(checkerboard(), "agree", FitOptions(order_by="day"))
    assert prepared.split.train.max() < prepared.split.validation.min()
    assert prepared.split.validation.max() < prepared.split.test.min()
    assert "day" in prepared.preprocessor.features


def test_a_third_word_outside_the_training_rows_makes_a_category() -> None:
    table = checkerboard(200)
    answers = np.where(np.arange(200) % 2, "yes", "no").astype(object)
    answers[prepare(table, "agree", QUICK).split.test[0]] = "perhaps"
    prepared = prepare(table.append_column("answer", pa.array(answers)), "agree", QUICK)
    assert {"answer=yes", "answer=no"} <= set(prepared.preprocessor.features)


def test_classes_that_the_training_rows_lack() -> None:
    late = pa.table({"at": np.arange(100), "x": np.arange(100.0) % 7,
                     "kind": ["a", "b"] * 40 + ["c"] * 20})  # fmt: skip
    notes = prepare(late, "kind", FitOptions(order_by="at")).notes
    assert 'no training row of this split has "c": it cannot be predicted' in notes
    model, report = fit_table(late, "kind", FitOptions(order_by="at", epochs=2, hidden=()))
    assert model.target.classes == ("a", "b", "c") and report.confusion is not None
    alone = pa.table({"at": np.arange(100), "x": np.arange(100.0), "y": ["a"] * 80 + ["b"] * 20})
    with pytest.raises(TableError, match='"y" is "a" in every training row of this split'):
        prepare(alone, "y", FitOptions(order_by="at"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (lambda: FitOptions(test_fraction=0.0), "must each lie between 0 and 1"),
        (lambda: FitOptions(validation_fraction=1.2), "must each lie between 0 and 1"),
        (lambda: FitOptions(test_fraction=0.5, validation_fraction=0.5), "none to train on"),
        (lambda: FitOptions(group_by="agree"), "the column to group by, \"agree\", is the target"),
        (lambda: FitOptions(order_by="agree"), "the column to order by, \"agree\", is the target"),
        (lambda: FitOptions(group_by="Day"), "no column \"Day\" to split by"),
        (lambda: FitOptions(group_by="day", order_by="x"), "not both"),
        (lambda: FitOptions(ignore=("x", "y", "colour", "day", "class", "product")),
         "no column to predict from"),
        (lambda: FitOptions(positive="maybe"), "no label \"maybe\""),
    ],
)  # fmt: skip
def test_options_that_do_not_suit(options: Callable[[], FitOptions], message: str) -> None:
    with pytest.raises(TableError, match=message):
        prepare(checkerboard(300), "agree", options())


@pytest.mark.parametrize(
    ("task", "rows", "batch", "epochs", "rate"),
    [
        ("binary", 10, 32, 100, 0.001),
        ("binary", 570, 32, 100, 0.001),
        ("regression", 13_210, 128, 48, 0.005),
        ("multiclass", 31_259, 256, 40, 0.001),
        ("binary", 200_000, 512, 15, 0.001),
    ],
)
def test_defaults_by_the_size_of_the_table(
    task: Any, rows: int, batch: int, epochs: int, rate: float
) -> None:
    chosen = FitOptions().chosen_for(task, rows)
    assert (chosen.batch, chosen.epochs, chosen.rate) == (batch, epochs, rate)


def test_what_is_asked_for_is_not_changed() -> None:
    asked = FitOptions(batch=7, epochs=3, rate=0.5, weight_decay=0.2, optimiser="sgd")
    assert asked.chosen_for("binary", 10_000) == FitOptions(
        task="binary", batch=7, epochs=3, rate=0.5, weight_decay=0.2, optimiser="sgd"
    )
    others = FitOptions(optimiser="momentum").chosen_for("binary", 100)
    assert (others.rate, others.weight_decay) == (None, 0.0)


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_weight_decay_shrinks_the_weights_under_every_optimiser(optimiser: str) -> None:
    def size(decay: float) -> float:
        options = FitOptions(
            optimiser=optimiser, weight_decay=decay, rate=0.01, epochs=20, hidden=(8,), patience=20
        )
        prepared = prepare(checkerboard(300), "agree", options)
        weights = fitting.train_network(prepared, options)[0].network.parameters()
        return sum(float(np.sum(p.value**2)) for p in weights.values() if p.ndim == 2)

    assert size(2.0) < 0.9 * size(0.0)


def test_boosted_trees_are_trained_when_asked_for() -> None:
    _, report = fit_table(
        checkerboard(300), "agree", FitOptions(trees=True, epochs=1, hidden=(), resamples=10)
    )
    assert [each.name for each in report.models] == [
        "neural network", "logistic regression", "boosted trees", "majority class",
    ]  # fmt: skip


def test_announced_before_training_without_results() -> None:
    seen: list[Report] = []
    fit_table(checkerboard(100), "agree", QUICK, source="board.csv", announce=seen.append)
    assert seen[0].table == "board.csv" and not seen[0].models and seen[0].features > 3
    assert seen[0].training["options"]["epochs"] == 8


def interrupting(after: int) -> Callable[..., Any]:
    """`train.fit` with a Ctrl-C after some epochs; before the first epoch where that is 0."""
    real = train.fit

    def fit(*arguments: Any, **options: Any) -> Any:
        def interrupt(epoch: train.Epoch) -> None:
            if epoch.number == after:
                raise KeyboardInterrupt

        if not after:
            options["schedule"] = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        return real(*arguments, callbacks=[interrupt], **options)

    return fit


def test_an_interrupt_keeps_the_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "fit", interrupting(after=2))
    model, report = fit_table(checkerboard(300), "agree", QUICK)
    assert report.training["interrupted"] and len(report.training["losses"]) == 2
    assert "interrupted" in report.models[0].description
    assert model.predict(checkerboard(20)).values.shape == (20, 2)


def test_an_interrupt_before_the_first_epoch_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "fit", interrupting(after=0))
    with pytest.raises(KeyboardInterrupt):
        fit_table(checkerboard(300), "agree", QUICK)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_training_gets_the_threads_that_are_asked_for(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    original = train.fit
    monkeypatch.setattr(
        train, "fit", lambda *args, **rest: given.append(rest["threads"]) or original(*args, **rest)
    )
    fit_table(checkerboard(200), "agree", replace(QUICK, epochs=1, threads=threads))
    assert given == [threads]


def test_a_divergence_is_an_error() -> None:
    options = FitOptions(optimiser="sgd", rate=1e30, hidden=(8, 8), epochs=5)
    table = checkerboard(300).drop_columns(["agree", "class"])
    with pytest.raises(NonFiniteError):
        fit_table(table, "product", options)
    bounded = replace(options, rate=0.1, clip=1e-3)
    assert fit_table(table, "product", bounded)[1].training["best_epoch"] > 0


def test_a_table_of_ten_rows() -> None:
    table = pa.table({"x": np.arange(10.0), "late": [True, False] * 5})
    _, report = fit_table(table, "late", FitOptions(resamples=20))
    assert sum(report.sizes.values()) == 10 and min(report.sizes.values()) > 0
