"""Timing in turns, saved cells, workers and tables."""

import itertools
import json
import os

import pytest
from harness import (
    Cells,
    Clock,
    Series,
    Table,
    Timing,
    Worker,
    WorkerError,
    duration,
    interleave,
    publish,
    repeated,
    write_section,
)
from harness.round_trip import round_trip
from harness.workers import HERE, thread_settings

ABOUT = {"processor": "p", "versions": {"numpy": "2"}}


def test_contestants_take_turns_and_each_round_begins_with_another_the_other_way_round():
    called = []

    def contestant(name):
        return lambda: called.append(name) or Timing(len(called), 2 * len(called))

    series = interleave({name: contestant(name) for name in "ABC"}, rounds=3, warm_up=1)
    assert called == [*"CBA", *"ABC", *"BAC", *"CAB"]
    assert series["A"].wall == [4, 8, 11]
    assert series["A"].cpu == [8, 16, 22]


def test_median_and_spread_are_those_of_the_chosen_clock():
    series = Series(wall=[1, 2, 3, 4, 100], cpu=[5, 5, 5, 5, 5])
    assert series.median("wall") == 3
    assert series.spread("wall") == pytest.approx((4 - 2) / 2 / 3)
    assert (series.median(), series.spread()) == (5, 0)
    assert Series(**series.as_dict()) == series


def test_the_way_between_cores_is_short_and_one_core_has_none(monkeypatch):
    way = round_trip()
    assert way is None or 1e-9 < way < 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert round_trip() is None


def test_a_clock_tells_sleep_from_work():
    import time

    clock = Clock()
    with clock:
        time.sleep(0.05)
    assert clock.timing.wall >= 0.05 > clock.timing.cpu


def test_a_clock_that_never_started_cannot_be_stopped():
    with pytest.raises(RuntimeError, match="never started"):
        Clock().stop()


def test_short_calls_are_repeated_and_timed_for_one():
    calls = itertools.count()
    run = repeated(lambda: next(calls), seconds=0.0, most=7)
    before = next(calls)
    run()
    assert next(calls) - before - 1 == 1, "no time asked for: one call is enough"
    many = repeated(lambda: next(calls), seconds=60.0, most=7)
    before = next(calls)
    many()
    assert next(calls) - before - 1 == 7


class TestCells:
    def measure(self, value):
        self.measured = getattr(self, "measured", 0) + 1
        return value

    def test_a_saved_cell_is_not_measured_again(self, tmp_path):
        path = tmp_path / "folder" / "cells.json"
        first = Cells(path, ABOUT)
        assert first.measured("tiny", {"rounds": 3}, lambda: self.measure([1])) == ([1], False)
        again = Cells(path, ABOUT)
        assert again.measured("tiny", {"rounds": 3}, lambda: self.measure([2])) == ([1], True)
        assert self.measured == 1
        assert [entry.name for entry in path.parent.iterdir()] == ["cells.json"]

    @pytest.mark.parametrize(
        ("about", "settings", "fresh"),
        [
            ({**ABOUT, "processor": "another"}, {"rounds": 3}, False),
            ({**ABOUT, "versions": {"numpy": "3"}}, {"rounds": 3}, False),
            (ABOUT, {"rounds": 4}, False),
            (ABOUT, {"rounds": 3}, True),
        ],
        ids=["machine", "versions", "settings", "fresh"],
    )
    def test_what_differs_is_measured_again(self, tmp_path, about, settings, fresh):
        path = tmp_path / "cells.json"
        Cells(path, ABOUT).put("tiny", {"rounds": 3}, [1])
        cells = Cells(path, about, fresh=fresh)
        assert cells.measured("tiny", settings, lambda: [2]) == ([2], False)
        assert cells.measured("tiny", settings, lambda: [3]) == ([2], True)
        assert cells.newest("tiny")["value"] == [2]

    def test_a_cell_may_depend_on_some_facts_only(self, tmp_path):
        path = tmp_path / "cells.json"
        Cells(path, ABOUT).put("tiny", {}, [1], {"numpy": "2"})
        cells = Cells(path, {**ABOUT, "processor": "another"})
        assert cells.measured("tiny", {}, lambda: [2], {"numpy": "2"}) == ([1], True)
        assert cells.measured("tiny", {}, lambda: [3], {"numpy": "3"}) == ([3], False)
        assert cells.newest("tiny")["about"]["processor"] == "another", "machines are named in full"

    def test_an_interruption_keeps_what_is_done(self, tmp_path):
        path = tmp_path / "cells.json"
        cells = Cells(path, ABOUT)
        cells.measured("first", {}, lambda: 1)

        def interrupted():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            cells.measured("second", {}, interrupted)
        assert Cells(path, ABOUT).get("first", {}) == 1
        assert Cells(path, ABOUT).newest("second") is None

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": {"a": {"name": "tiny"}}}', "3"])
    def test_another_file_is_refused(self, tmp_path, text):
        path = tmp_path / "cells.json"
        path.write_text(text)
        with pytest.raises(SystemExit, match="does not hold saved cells"):
            Cells(path, ABOUT)
        assert path.read_text() == text


WORKER = """
import os, sys
sys.path.insert(0, {benchmarks!r})
from harness.workers import serve
def fail(): raise ValueError("no such luck")
def leave(): sys.exit("enough")
def double(x):
    print("this is not an answer")
    return 2 * x
def threads(): return os.environ["OMP_NUM_THREADS"]
serve({{"double": double, "fail": fail, "leave": leave, "threads": threads}})
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    (tmp_path / "echo_worker.py").write_text(WORKER.format(benchmarks=str(HERE)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Worker("echo_worker", threads=2) as started:
        yield started


def test_a_worker_answers_fails_and_goes_on(worker):
    assert worker.call("double", x=21) == 42
    with pytest.raises(WorkerError, match="no such luck"):
        worker.call("fail")
    assert worker.call("threads") == "2"


def test_a_worker_that_ends_says_why(worker):
    with pytest.raises(WorkerError, match="enough"):
        worker.call("leave")


def test_threads_are_set_for_every_library():
    assert set(thread_settings(1).values()) >= {"1"}
    assert thread_settings(2)["OPENBLAS_NUM_THREADS"] == "2"


def test_a_table_as_text_and_markdown():
    table = Table("Times", ["net", "us", "best"], [["tiny", "1.0", "yes"], ["wide", "20.5", "no"]])
    table.notes.append("A note.")
    assert table.text().splitlines() == [
        "Times", "", "net     us  best", "----------------", "tiny   1.0  yes", "wide  20.5  no",
        "A note.",
    ]  # fmt: skip
    assert table.markdown() == (
        "### Times\n\n| net | us | best |\n|---|---:|---|\n| tiny | 1.0 | yes |\n"
        "| wide | 20.5 | no |\n\nA note.\n"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 ns"),
        (1e-9, "1.00 ns"),
        (0.9996e-3, "1000 us"),
        (0.0123, "12.3 ms"),
        (345, "345 s"),
    ],
)
def test_durations_have_three_digits(seconds, text):
    assert duration(seconds) == text


def test_a_section_is_replaced_and_the_rest_stays(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(
        "# Page\n<!-- one -->\nold\n<!-- end of one -->\n<!-- two -->\n<!-- end of two -->\n"
    )
    write_section(path, "one", "new\n")
    write_section(path, "two", "second")
    assert path.read_text() == (
        "# Page\n<!-- one -->\n\nnew\n\n<!-- end of one -->\n<!-- two -->\n\nsecond\n\n"
        "<!-- end of two -->\n"
    )
    with pytest.raises(SystemExit, match="<!-- three -->"):
        write_section(path, "three", "x")
    assert sorted(os.listdir(tmp_path)) == ["page.md"]


def test_a_document_names_all_machines_and_versions_that_its_tables_were_measured_with(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("<!-- speed -->\n<!-- end of speed -->\n", "utf-8")
    machine = {"cores": 2, "memory": "M", "system": "S", "python": "3.11"}
    found = [
        {
            "date": f"2026-01-0{day}T00:00:00",
            "about": {**machine, "processor": processor, "versions": versions},
        }
        for day, processor, versions in [
            (2, "new", {"ours": "0.2", "peer": "7"}),
            (1, "old", {"ours": "0.1", "peer": "7"}),
            (3, "new", {"ours": "0.2"}),
        ]
    ]
    publish([], found, "measure", path, "speed")
    text = path.read_text("utf-8")
    assert "Machine: old and new, 2 cores, M, S.\n" in text
    assert "Versions: Python 3.11, ours 0.1 and 0.2, peer 7.\n" in text
    assert "Date: 2026-01-01 to 2026-01-03. Command: `measure`." in text


def test_cells_are_plain_json(tmp_path):
    Cells(tmp_path / "c.json", ABOUT).put("tiny", {"rounds": 1}, Series([1.0], [2.0]).as_dict())
    (cell,) = json.loads((tmp_path / "c.json").read_text())["cells"].values()
    assert cell["value"] == {"wall": [1.0], "cpu": [2.0]}
