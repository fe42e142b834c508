"""benchmarks/embeddings.py: that it runs and resumes, and what it makes of what it measured."""

import lzma
import subprocess
import sys

import numpy as np
import pytest
from harness.workers import HERE
from words.measure import measure_quality
from words.programs import ProgramError, learn_by_program, read_text, time_program, turned
from words.quality import evaluate
from words.report import TARGETS, places_table, quality_table, speed_table, targets_table
from words.roster import ALONE, FAST, GENSIM, OURS, SKIPGRAM, Entry, Setting, roster
from words.text import LONGEST, write_slice

SETTING = Setting(SKIPGRAM, 4, 1, 2)


def embeddings(*options, status=0):
    command = [sys.executable, str(HERE / "embeddings.py"), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_run_is_saved_resumed_and_written(tmp_path):
    cells, page, text = tmp_path / "cells.json", tmp_path / "page.md", tmp_path / "text.txt"
    page.write_text("# Page\n<!-- embeddings -->\n<!-- end of embeddings -->\n")
    text.write_text("a rose is a rose\n" * 200)
    options = [
        "--only", SKIPGRAM, "--size", "8", "--threads", "one", "--rounds", "1", "--text", text,
        "--seeds", "1", "--epochs", "1", "--cells", cells, "--lists", tmp_path,
    ]  # fmt: skip
    assert "one, skip-gram, 8: saved before" not in embeddings(*options)
    again = embeddings(*options, "--markdown", page)
    assert "one, skip-gram, 8: saved before" in again
    assert f"quality, skip-gram, 8, {FAST}, 1: saved before" in again
    assert f"| skip-gram | 8 | {OURS} |" in page.read_text()


def test_a_program_that_is_not_there_is_an_error():
    assert "word2vec.c: there is no /nowhere" in embeddings("--word2vec", "/nowhere", status=1)


class TestText:
    def test_a_slice_has_as_many_words_as_asked_and_no_long_line(self, tmp_path):
        text = tmp_path / "text.xz"
        text.write_bytes(lzma.compress(b"one two\nthree\n" + b"many " * (LONGEST + 3) + b"\nend\n"))
        assert write_slice(text, 4, tmp_path / "four") == 4
        assert (tmp_path / "four").read_text() == "one two\nthree\nmany\n"
        assert write_slice(text, 0, tmp_path / "all") == LONGEST + 7
        lines = (tmp_path / "all").read_text().splitlines()
        assert [len(line.split()) for line in lines] == [2, 1, LONGEST, 3, 1]

    def test_a_program_without_a_seed_is_given_the_text_from_another_line_on(self, tmp_path):
        text = tmp_path / "text"
        text.write_text("".join(f"{i}\n" for i in range(14)))
        lines = turned(text, 3, tmp_path).read_text().splitlines()
        assert lines == [str((i + 4) % 14) for i in range(14)]

    def test_without_a_text_there_is_pythons_library(self, tmp_path):
        assert write_slice(None, 1000, tmp_path / "some") == 1000

    def test_a_damaged_text_is_named(self, tmp_path):
        (tmp_path / "bad.xz").write_bytes(b"no")
        with pytest.raises(SystemExit, match=r"bad\.xz cannot be read"):
            write_slice(tmp_path / "bad.xz", 0, tmp_path / "out")


class TestQuality:
    words = ("king", "man", "queen", "woman", "apple", "pear")
    vectors = np.array([[1, 1], [1, 0], [-1, 1], [-1, 0], [0, -2], [0.1, -1.0]])

    def test_similarities_are_correlations_of_ranks(self, tmp_path):
        lines = "king queen 1\nApple pear 9\nking man 7\nking sea 3\n"
        (tmp_path / "EN-WS-353-ALL.txt").write_text(lines)
        found = evaluate(list(self.words), self.vectors, tmp_path)
        assert found == {"WS-353": pytest.approx(1.0)}

    def test_an_analogy_is_answered_by_none_of_its_own_words(self, tmp_path):
        lines = ": family\nman king woman queen\nman king apple pear\nman king sea ship\n"
        (tmp_path / "questions-words.txt").write_text(lines)
        assert evaluate(list(self.words), self.vectors, tmp_path)["analogies"] == 0.5


class TestPrograms:
    def program(self, tmp_path, script):
        (tmp_path / "text").write_text("a b\n")
        path = tmp_path / "program"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return Entry("word2vec.c", (SKIPGRAM,), program=path)

    def test_time_and_vectors_of_a_program(self, tmp_path):
        write = 'printf "2 4\\na 1 2 3 4\\nb 0 0 0 1\\n" > "$4"\n'
        entry = self.program(tmp_path, write)
        timed = time_program(entry, SETTING, tmp_path / "text")
        assert timed["end"]["wall"] > 0
        assert timed["memory"] > 0
        assert measure_quality(entry, SETTING, tmp_path / "text", tmp_path) == {}

    def test_one_that_fails_is_quoted(self, tmp_path):
        entry = self.program(tmp_path, "echo no such vocabulary\nexit 3\n")
        with pytest.raises(ProgramError, match="ended with 3: no such vocabulary"):
            time_program(entry, SETTING, tmp_path / "text")

    def test_word2vec_is_given_its_text_once_for_each_epoch(self, tmp_path):
        write = 'printf "1 4\\na $(wc -l < "$2") ${18} 0 0\\n" > "$4"\n'
        entry = self.program(tmp_path, write)
        _, vectors = learn_by_program(entry, SETTING, tmp_path / "text")
        lines, iterations = vectors[0, :2]
        assert (lines, iterations) == (SETTING.epochs, 1)

    def test_text_is_read_with_and_without_counts(self, tmp_path):
        for head in ("2 2\n", ""):
            (tmp_path / "vectors.txt").write_text(head + "a 1 2\nb 3 4\n")
            words, vectors = read_text(tmp_path / "vectors.txt", 2)
            assert words == ["a", "b"]
            assert vectors.tolist() == [[1, 2], [3, 4]]


class TestTables:
    def cell(self, seconds, **facts):
        times = {"wall": [seconds], "cpu": [seconds]}
        return {"end": times, "train": times, "memory": 1e8, "words": 1000, "threads": 2, **facts}

    def speeds(self):
        ours = self.cell(1.0, arithmetic=5e6, peak=2e10)
        one = {OURS: ours, FAST: self.cell(0.5), GENSIM: self.cell(16.0)}
        return {
            ("one", SKIPGRAM, 100): one,
            ("all", SKIPGRAM, 100): {OURS: self.cell(0.8), ALONE: self.cell(1.0)},
        }

    def test_targets_are_met_or_missed(self):
        rows = {(row[2], row[3]): row[4:] for row in targets_table(self.speeds()).rows}
        assert rows[OURS, GENSIM] == ["15x", "16.00x", "met"]
        assert rows[FAST, GENSIM] == ["20x", "32.00x", "met"]
        assert rows[OURS, "the peak of one core"] == ["20%", "25%", "met"]
        assert rows[f"{OURS}, 2 threads", "one thread"] == ["1.8x", "1.25x", "missed"]

    def test_rounds_are_told_apart_by_whether_cores_share_a_cache(self):
        times = {"wall": [1.0, 1.0, 2.0, 9.0], "cpu": [1.0] * 4}
        ways = [[1e-7, 1e-7], [9e-8, 1e-7], [4e-7, 4e-7], [1e-7, 4e-7]]
        ours = {**self.cell(0.0), "train": times, "round_trips": ways}
        alone = {**ours, "train": {**times, "wall": [1.9, 1.9, 3.0, 1.0]}}
        speeds = {("all", SKIPGRAM, 100): {OURS: ours, ALONE: alone}}
        rows = {row[2]: row[5:] for row in targets_table(speeds).rows}
        assert rows == {
            f"{OURS}, 2 threads sharing a cache": ["1.90x", "met"],
            f"{OURS}, 2 threads without a shared cache": ["1.50x", "missed"],
        }
        assert places_table(speeds).rows[0] == [SKIPGRAM, "100", OURS, "1 k", "2", "0 k", "1"]
        assert places_table(self.speeds()) is None

    def test_an_epoch_that_noise_hides_is_no_speed(self):
        speeds = self.speeds()
        speeds["one", SKIPGRAM, 100][FAST] = self.cell(-1.0)
        table = speed_table("One thread", "one", speeds)
        assert [row[3:6] for row in table.rows][1] == ["-", "-", "-"]
        assert FAST not in [row[2] for row in targets_table(speeds).rows]

    def test_quality_has_mean_and_spread(self):
        runs = {(SKIPGRAM, 100): {OURS: [{"WS-353": 0.6}, {"WS-353": 0.7}], GENSIM: [{}]}}
        rows = quality_table(runs, 1000).rows
        assert rows == [
            [SKIPGRAM, "100", OURS, "2", "0.650 ± 0.050"],
            [SKIPGRAM, "100", GENSIM, "1", "-"],
        ]

    def test_every_target_names_contestants_that_exist(self, tmp_path):
        paths = dict.fromkeys(("word2vec.c", "pWord2Vec", "fastText", "GloVe"), tmp_path)
        taking_part = {(entry.name, model) for entry in roster(paths) for model in entry.models}
        for target in TARGETS:
            assert {(target.who, target.model), (target.against, target.model)} <= taking_part
