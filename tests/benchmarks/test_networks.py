"""benchmarks/networks.py: that it runs and resumes, and what it makes of what it measured."""

import gzip
import struct
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from harness.workers import HERE
from peers import mnist
from peers.measure import Disagreement, _difference
from peers.report import targets_table, times_as_long
from peers.roster import ONE_THREAD, OURS, ROSTER
from peers.work import WORKS, Material, make_material

TINY = WORKS[0]


def networks(*options, status=0):
    command = [sys.executable, str(HERE / "networks.py"), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_run_is_saved_resumed_and_written(tmp_path):
    cells, page = tmp_path / "cells.json", tmp_path / "page.md"
    page.write_text("# Page\n<!-- networks -->\n<!-- end of networks -->\n")
    options = [
        "--only", "tiny", "--optimiser", "adam", "--threads", "one", "--rounds", "2",
        "--seconds", "0.01", "--peers", "NumPy by hand", "--cells", cells,
    ]  # fmt: skip
    first = networks(*options)
    assert "one, tiny, adam: saved before" not in first
    again = networks(*options, "--markdown", page)
    assert "one, tiny, adam: saved before" in again
    assert "| tiny | Adam |" in page.read_text()
    assert networks("--saved", *options).partition("Targets")[2] == again.partition("Targets")[2]


def test_an_unknown_contestant_is_refused():
    assert "no contestant NumPie; there is" in networks("--peers", "NumPie", status=1)


def test_material_is_the_same_for_everybody_and_comes_back_from_files(tmp_path):
    work = replace(TINY, samples=23)
    material = make_material(work, 2, None)
    material.save(tmp_path)
    loaded = Material.load(tmp_path, work)
    for name in ("x", "y", "order"):
        assert np.array_equal(getattr(loaded, name), getattr(material, name))
    for layer, again in zip(material.weights, loaded.weights, strict=True):
        assert all(map(np.array_equal, layer, again))
        assert all(array.dtype == np.float32 for array in again)
    assert [sorted(order) for order in material.order.tolist()] == [list(range(23))] * 2
    assert not np.array_equal(*material.order)
    assert np.array_equal(make_material(work, 2, None).x, material.x)


class TestAgreement:
    entry = SimpleNamespace(name="JAX")

    def difference(self, *losses, name="JAX"):
        member = SimpleNamespace(name=name, entry=self.entry, losses=list(losses))
        return _difference(replace(TINY, compared=2), "adam", member, [[2.0, 1.0, 9.0]])

    def test_the_largest_difference_of_all_rounds_counts(self):
        assert self.difference([2.0, 1.0], [2.0, 1.0005, 7.0]) == pytest.approx(5e-4)

    @pytest.mark.parametrize("losses", [[2.0, 1.01], [float("nan"), 1.0], [float("inf")]])
    def test_other_work_is_no_result(self, losses):
        with pytest.raises(Disagreement, match="tiny, adam: the losses of JAX differ"):
            self.difference([2.0, 1.0], losses)

    def test_scikit_learn_may_differ_more_where_its_adam_does(self):
        assert self.difference([2.0, 1.005], name="scikit-learn") == pytest.approx(5e-3)


def cell(**seconds):
    names = {entry.name for entry in ROSTER} | {ONE_THREAD}
    assert set(seconds) <= names
    return {name: {"wall": [t], "cpu": [t], "inner": {"wall": [], "cpu": []}}
            for name, t in seconds.items()}  # fmt: skip


def test_targets_are_met_or_missed():
    ours = {OURS: 1.0}
    one = {
        ("tiny", "sgd"): cell(**ours, JAX=15.0, PyTorch=299.0),
        ("MNIST", "adam"): cell(**ours, JAX=1.19, PyTorch=9.0, **{"OpenBLAS products": 0.91}),
    }
    several = {("wide", "sgd"): cell(**{OURS: 1.0, ONE_THREAD: 0.94})}
    rows = [(*row[:4], row[-1]) for row in targets_table(one, several, None).rows]
    assert rows == [
        ("tiny", "SGD", "JAX", "15x", "met"),
        ("tiny", "SGD", "PyTorch", "300x", "missed"),
        ("MNIST", "Adam", "the best peer", "1.2x", "missed"),
        ("MNIST", "Adam", "OpenBLAS products", "0.909x", "met"),
        ("wide, all cores", "SGD", "itself with one thread", "1x", "missed"),
    ]


def test_a_round_in_which_the_machine_was_slow_for_all_changes_no_ratio():
    steady, disturbed = ([1.0, 1.0, 1.0], [3.0, 3.0, 3.0]), ([1.0, 2.0, 9.0], [3.0, 6.0, 27.0])
    for ours, theirs in (steady, disturbed):
        found = {OURS: {"cpu": ours, "inner": {"cpu": []}}, "JAX": {"cpu": theirs}}
        assert times_as_long(found, "JAX", "cpu") == 3.0
        assert times_as_long(found, "JAX", "cpu", "inner") is None
        assert times_as_long(found, "PyTorch", "cpu") is None


class TestImages:
    def test_there_are_none_where_the_files_are_not(self, tmp_path):
        assert mnist.training_images(tmp_path) is None

    def write(self, folder, monkeypatch, damage=lambda content: content):
        monkeypatch.setattr(mnist, "COUNT", 3)
        pixels = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
        for name, array in (("images-idx3", pixels), ("labels-idx1", np.uint8([7, 0, 9]))):
            head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            with gzip.open(folder / f"train-{name}-ubyte.gz", "wb") as file:
                file.write(damage(head + array.tobytes()))
        return pixels

    def test_pixels_are_scaled_and_labels_kept(self, tmp_path, monkeypatch):
        pixels = self.write(tmp_path, monkeypatch)
        images, labels = mnist.training_images(tmp_path)
        assert np.allclose(images, pixels.reshape(3, -1) / 255)
        assert (images.dtype, labels.tolist()) == (np.float32, [7, 0, 9])

    @pytest.mark.parametrize(
        "damage",
        [lambda c: c[:-1], lambda c: c + b"x", lambda c: b"\1" + c[1:], lambda c: c[:7]],
        ids=["short", "long", "magic", "header"],
    )
    def test_a_damaged_file_is_named(self, tmp_path, monkeypatch, damage):
        self.write(tmp_path, monkeypatch, damage)
        with pytest.raises(SystemExit, match=r"train-images-idx3-ubyte\.gz is not an IDX file"):
            mnist.training_images(tmp_path)

    def test_what_is_no_archive_is_named(self, tmp_path, monkeypatch):
        self.write(tmp_path, monkeypatch)
        (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"plain")
        with pytest.raises(SystemExit, match="cannot be unpacked"):
            mnist.training_images(tmp_path)
