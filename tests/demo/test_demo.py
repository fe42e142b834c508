"""The parts of the flights demo: features, attribution, the search for a flight, the verdict."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest
from rich.cells import cell_len
from rich.console import Console

from chainrule import nn
from chainrule.demo import pages, training
from chainrule.demo.attribution import integrated_gradients
from chainrule.demo.delays import Choices
from chainrule.demo.features import FACTS, NOT_LEARNED, sum_by_fact, with_derived_columns
from chainrule.demo.flights import DAY_NAMES, MONTH_NAMES, TARGET_COLUMN
from chainrule.demo.one_flight import explain_flight, find_flight, part_of, surest_flight
from chainrule.demo.training import Contest, Prepared, Settings, prepare
from chainrule.errors import ChainruleError
from chainrule.tabular.bootstrap import Interval
from chainrule.tabular.model import TabularModel
from chainrule.tabular.report import Comparison
from chainrule.tabular.splitting import Split, split_table

ROWS, DAYS = 600, 20
FIRST_DAY = datetime.date(2013, 4, 1)


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    """Made-up flights with the columns of the real ones; late in the evening and in fog."""
    generator = np.random.default_rng(0)

    def numbers(low: float, high: float) -> pa.Array:
        return pa.array(generator.uniform(low, high, ROWS).round(1))

    def names(*values: str) -> pa.Array:
        return pa.array(generator.choice(values, ROWS))

    number = np.arange(ROWS)
    day = [FIRST_DAY + datetime.timedelta(days=int(row % DAYS)) for row in number]
    hour, visibility = generator.uniform(5, 23, ROWS), generator.uniform(0, 10, ROWS)
    pressure = generator.uniform(990, 1030, ROWS)
    blank = generator.random(ROWS) < 0.1
    table = pa.table(
        {
            TARGET_COLUMN: pa.array(hour / 3 - visibility + generator.normal(0, 1, ROWS) > 1),
            "date": pa.array(day),
            "flight": pa.array([f"B6 {row // DAYS}" for row in number]),
            "tail_number": pa.array([f"N{row}" for row in number]),
            "month": names(*MONTH_NAMES),
            "day_of_week": names(*DAY_NAMES),
            "scheduled_departure_hour": pa.array(hour),
            "scheduled_arrival_hour": numbers(6, 23),
            "scheduled_minutes": numbers(60, 400),
            "departures_that_hour": numbers(1, 30),
            "carrier": names("B6", "UA"),
            "origin": names("JFK", "EWR", "LGA"),
            "destination": names("FLL", "BOS", "SFO"),
            "distance_miles": numbers(90, 2500),
            "plane_age_years": numbers(0, 30),
            "plane_seats": numbers(50, 300),
            "plane_maker": names("AIRBUS", "BOEING"),
            "temperature_f": numbers(10, 95),
            "dew_point_f": numbers(0, 75),
            "humidity_percent": numbers(20, 100),
            "wind_from_degrees": numbers(0, 360),
            "wind_speed_mph": numbers(0, 40),
            "wind_gust_mph": numbers(0, 60),
            "precipitation_inches": numbers(0, 1),
            "pressure_millibars": pa.array(pressure, mask=blank),
            "visibility_miles": pa.array(visibility),
        }
    )
    return with_derived_columns(table)


@pytest.fixture(scope="module")
def split(flights: pa.Table) -> Split:
    return split_table(flights, group_by="date")


@pytest.fixture(scope="module")
def data(flights: pa.Table, split: Split) -> Prepared:
    return prepare(flights, split)


@pytest.fixture(scope="module")
def model(data: Prepared) -> TabularModel:
    settings = Settings(hidden=(16, 8), epochs=30, batch=32, rate=0.01, dropout=0.1)
    return training.train_network(data, settings, progress=False)[0]


# ----- Features -----


def test_every_learned_column_belongs_to_exactly_one_fact(flights: pa.Table) -> None:
    learned = set(flights.column_names) - set(NOT_LEARNED) - {TARGET_COLUMN}
    claimed = [column for fact in FACTS for column in fact.columns]
    assert sorted(claimed) == sorted(learned)


def test_outcomes_names_and_days_are_not_learned(data: Prepared) -> None:
    columns = {column.name for column in data.preprocessor.columns if column.used}
    assert not columns & {"delayed", "date", "flight", "tail_number", "plane_seats"}


@pytest.mark.parametrize(
    ("column", "given", "derived", "expected"),
    [
        ("scheduled_departure_hour", 18.0, "departure_sine_1", -1.0),
        ("scheduled_departure_hour", 18.0, "departure_cosine_2", -1.0),
        ("scheduled_departure_hour", 4.0, "departure_cosine_3", -1.0),
        ("wind_from_degrees", 0.0, "wind_north", 10.0),
        ("wind_from_degrees", 270.0, "wind_east", -10.0),
        ("wind_from_degrees", None, "wind_east", 0.0),
        ("precipitation_inches", 0.0, "rain", 0.0),
        ("precipitation_inches", 1.0, "rain", np.log(51.0)),
        ("precipitation_inches", None, "rain", None),
    ],
)
def test_derived_columns(
    column: str, given: float | None, derived: str, expected: float | None
) -> None:
    row = {"scheduled_departure_hour": 6.0, "wind_from_degrees": 90.0, "wind_speed_mph": 10.0}
    row = {**row, "precipitation_inches": 0.0, column: given}
    table = pa.table({name: pa.array([value], pa.float64()) for name, value in row.items()})
    found = with_derived_columns(table)[derived][0].as_py()
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


def test_facts_are_written_with_units_and_blanks_are_said(flights: pa.Table) -> None:
    row = flights.slice(0, 1).to_pylist()[0]
    row |= {"scheduled_departure_hour": 20.25, "visibility_miles": None}
    row |= {"wind_from_degrees": None, "precipitation_inches": 0.02}
    shown = {fact.name: fact.show(row) for fact in FACTS}
    assert shown["time of departure"] == "20:15"
    assert shown["visibility"] == shown["wind direction"] == "not recorded"
    assert shown["rain"] == "0.02 inch"


# ----- Attribution -----


def test_contributions_in_a_linear_network_are_weights_times_distances() -> None:
    network = nn.Dense(3, 1, seed=0)
    average, example = np.array([1.0, 2.0, 3.0]), np.array([0.0, 5.0, 3.0])
    found = integrated_gradients(network, average, example, steps=3)
    weights = network.weight.value[:, 0].astype(np.float64)
    np.testing.assert_allclose(found.contributions, weights * (example - average), rtol=1e-12)
    np.testing.assert_allclose(found.gradient, weights, rtol=1e-12)


@pytest.mark.parametrize(("activation", "largest_gap"), [("tanh", 1e-6), ("relu", 1e-2)])
def test_contributions_sum_to_the_difference_of_the_log_odds(
    activation: str, largest_gap: float
) -> None:
    network = nn.MLP(6, [16, 8], 1, activation, seed=3)
    points = np.random.default_rng(0).normal(size=(2, 6)) * 3
    found = integrated_gradients(network, *points)
    exact = network.astype(np.float64)(points)[:, 0]
    assert (found.start, found.end) == pytest.approx(tuple(exact))
    assert abs(found.end - found.start) > 0.1
    assert abs(found.gap) < largest_gap


def test_gradient_agrees_with_central_differences() -> None:
    network = nn.MLP(4, [8], 1, "tanh", seed=1).astype(np.float64)
    example = np.array([0.3, -1.0, 2.0, 0.1])
    found = integrated_gradients(network, np.zeros(4), example).gradient
    moved = example + 1e-6 * np.concatenate([np.eye(4), -np.eye(4)])
    outputs = network(moved)[:, 0]
    np.testing.assert_allclose(found, (outputs[:4] - outputs[4:]) / 2e-6, rtol=1e-6, atol=1e-9)


def test_explanation_adds_up_from_facts_and_from_units(
    flights: pa.Table, data: Prepared, model: TabularModel
) -> None:
    average = data.train.inputs.mean(axis=0, dtype=np.float64)
    found = explain_flight(model, flights, 7, "test", average)
    way = found.attribution
    assert sum(push.log_odds for push in found.pushes) == pytest.approx(way.contributions.sum())
    assert abs(way.gap) < 0.02 * abs(way.end - way.start)
    assert found.probability == pytest.approx(model.predict(flights.slice(7, 1)).values[0, 1], 1e-4)
    sizes = [abs(push.log_odds) for push in found.pushes]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == len(FACTS)
    # The trace ends in the log-odds, and begins with the gradient.
    assert found.trace[-1].values[0] == pytest.approx(way.end)
    np.testing.assert_allclose(found.trace[0].adjoints, way.gradient, rtol=1e-9, atol=1e-12)
    assert [line.formula for line in found.trace[1:3]] == ["v0 W1 + b1", "relu(v1)"]
    assert [line.rule for line in found.trace[-3:]] == ["v̄4·(v3 > 0)", "v̄5 W3ᵀ", "1"]
    assert found.deviation < 1e-6
    shares = found.trace[-2].values @ found.trace[-2].adjoints
    bias = float(model.network.layers[-1].bias.value[0])
    assert shares + bias == pytest.approx(way.end, rel=1e-6)


def test_network_learns_that_evenings_and_fog_delay(
    flights: pa.Table, data: Prepared, model: TabularModel
) -> None:
    truth = data.test.targets.astype(bool)
    probability = model.predict_inputs(data.test.inputs)[:, 1]
    assert probability[truth].mean() > probability[~truth].mean() + 0.3
    average = data.train.inputs.mean(axis=0, dtype=np.float64)
    sums = [
        sum_by_fact(
            data.preprocessor,
            integrated_gradients(model.network, average, row, steps=50).contributions,
        )
        for row in data.test.inputs[:60]
    ]
    spread = {name: np.std([each[name] for each in sums]) for name in sums[0]}
    strongest = sorted(spread, key=lambda name: -spread[name])[:2]
    assert set(strongest) == {"time of departure", "visibility"}


# ----- One flight -----


def test_flight_is_found_whatever_the_case_and_zeros(flights: pa.Table) -> None:
    row = find_flight(flights, " b6 007 2013-04-03 ")
    assert flights["flight"][row].as_py() == "B6 7"
    assert flights["date"][row].as_py() == datetime.date(2013, 4, 3)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("B6 801", "names no flight: name a flight as carrier, number and day"),
        ("B6 7 2013-04-31", "'2013-04-31' in 'B6 7 2013-04-31' is no day"),
        ("B6 7 2013-07-01", "it did on 2013-04-20"),
        ("B6 9999 2013-04-03", "others did that day, such as B6 0, B6 1, B6 10"),
        ("B6 9999 2014-01-01", "those that left New York in 2013"),
    ],
)
def test_flight_that_is_not_there(flights: pa.Table, wanted: str, message: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        find_flight(flights, wanted)
    assert message in str(caught.value)


def test_part_of_a_day(flights: pa.Table, split: Split) -> None:
    for name, rows in (("training", split.train), ("test", split.test)):
        assert part_of(flights["date"][int(rows[0])].as_py(), flights, split) == name
    assert part_of(datetime.date(2013, 12, 31), flights, split) == "unused"


def test_surest_flight_is_a_test_flight_chosen_by_probability_alone(split: Split) -> None:
    predicted = np.full((len(split.test), 2), 0.5)
    predicted[3] = 0.1, 0.9
    assert surest_flight(split, predicted) == split.test[3]


# ----- Training and verdict -----


def test_interrupted_training_ends_the_demo(
    data: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = training.train.fit

    def interrupted(*args: object, **options: object) -> object:
        history = fit(*args, **options)
        history.interrupted = True
        return history

    monkeypatch.setattr(training.train, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.train_network(data, Settings(hidden=(4,), epochs=1), progress=False)


def contest(auc: tuple[float, float], log_loss: tuple[float, float]) -> Contest:
    intervals = [
        Interval(metric, sum(bounds) / 2, *bounds, level=0.95, resamples=500)
        for metric, bounds in (("auc", auc), ("log_loss", log_loss))
    ]
    return Contest([], {}, [Comparison("a", "b", each, "days") for each in intervals])


@pytest.mark.parametrize(
    ("auc", "log_loss", "start", "is_won"),
    [
        ((0.01, 0.03), (-0.02, -0.01), "the network beats logistic regression in AUC and log-loss,",
         True),
        ((0.01, 0.03), (-0.02, 0.01), "the network beats logistic regression in AUC only,", False),
        ((-0.01, 0.03), (-0.02, 0.01), "no clear difference", False),
        ((-0.03, -0.01), (0.01, 0.02), "logistic regression beats the network in AUC and log-loss,",
         False),
    ],
)  # fmt: skip
def test_verdict_says_what_the_intervals_say(
    auc: tuple[float, float], log_loss: tuple[float, float], start: str, is_won: bool
) -> None:
    held = contest(auc, log_loss)
    assert pages.verdict(held).startswith(start)
    assert held.is_won is is_won


def test_explanation_says_when_the_flight_was_learned_from(
    flights: pa.Table, data: Prepared, model: TabularModel
) -> None:
    average = data.train.inputs.mean(axis=0, dtype=np.float64)
    console = Console(width=300, no_color=True)
    with console.capture() as capture:
        pages.print_explanation(console, explain_flight(model, flights, 0, "training", average))
    printed = capture.get()
    assert "TRAINING part: the network learned from this very flight" in printed
    assert "█" in printed and "v5 = v4 W3 + b3" in printed


def test_choices_set_the_sizes() -> None:
    quick = Choices(quick=True, seed=5, trees=False).settings
    assert (quick.epochs, quick.seed, quick.trees) == (2, 5, 0)
    assert Choices().settings == Settings()


@pytest.mark.parametrize(("width", "with_slopes"), [(80, False), (100, True)])
def test_every_push_is_printed_whole_on_narrow_consoles_too(
    flights: pa.Table, data: Prepared, model: TabularModel, width: int, with_slopes: bool
) -> None:
    average = data.train.inputs.mean(axis=0, dtype=np.float64)
    found = explain_flight(model, flights, 11, "test", average)
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        pages.print_explanation(console, found)
    lines = capture.get().splitlines()
    assert max(map(cell_len, lines)) <= width
    assert [line for line in lines if line.startswith(" v2 = relu(v1) ")]
    for push in found.pushes[: pages.STRONGEST_PUSHES]:
        (line,) = [line for line in lines if line.startswith(f" {push.name} ")]
        assert push.value in line and f"{push.log_odds:+.3f}" in line
        assert (push.slope in line) == (with_slopes or not push.slope)
