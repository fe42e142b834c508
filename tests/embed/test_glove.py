"""GloVe: its step is the module's, its threads change nothing, and it can stop and go on."""

import itertools
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array
from topics import COLOURS, NUMBERS, sentences

import chainrule as cr
from chainrule.embed import glove_descent, modules, training
from chainrule.embed.counts import CountError, cooccurrences
from chainrule.embed.encoded import encode
from chainrule.embed.glove import GloVe
from chainrule.embed.glove_descent import Entries, NativeGloVe, NumpyGloVe, Side, arranged
from chainrule.embed.model import ModelError
from chainrule.embed.vocabulary import Vocabulary
from chainrule.errors import ChainruleError, NonFiniteError
from chainrule.run import native
from chainrule.tracing.parameter import Parameter
from chainrule.train.checkpoints import CheckpointError

pytestmark = pytest.mark.skipif(not native.available(), reason="the native core is not built")


def mixed_sentences() -> list[list[str]]:
    """The same, but that one word of twenty is from the other group."""
    generator = np.random.default_rng(0)
    groups = [COLOURS, NUMBERS]
    return [
        [str(generator.choice(groups[(i + (generator.random() < 0.05)) % 2])) for _ in range(8)]
        for i in range(600)
    ]


def model(text: object = None, **options: object) -> GloVe:
    chosen = {"vector_size": 12, "seed": 3, "epochs": 5, "workers": 1, "progress": False, **options}
    return GloVe(sentences() if text is None else text, **chosen)


def matrix(words: int, entries: int, seed: int = 0) -> csr_array:
    """Counts with many small numbers and a few large ones."""
    generator = np.random.default_rng(seed)
    places = generator.integers(0, words, (2, entries))
    counts = csr_array(coo_array((np.exp(generator.normal(0, 2, entries)), places)))
    counts.resize(words, words)
    counts.sum_duplicates()
    return counts


def sides(words: int, size: int, seed: int = 0) -> tuple[Side, Side]:
    """Two sides that have learned before."""
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(2):
        side = Side.fresh(generator.normal(0, 0.4, (words, size)).astype(np.float32))
        side.sums[:, :size] += generator.random((words, size))
        side.biases[:] = generator.normal(0, 0.4, words)
        side.bias_sums[:] += generator.random(words)
        result.append(side)
    return result[0], result[1]


def dealt(counts: csr_array, piece: int = 50, x_max: float = 3.0, alpha: float = 0.6) -> Entries:
    return arranged(counts, x_max=x_max, alpha=alpha, seed=4, piece=piece)


def whole_epoch(runner: training.Runner, epoch: int = 0, rate: float = 0.05) -> tuple[float, int]:
    piece, loss, count = 0, 0.0, 0
    while piece < runner.pieces:
        piece, more, entries = runner.run(epoch, piece, rate, rate, 0.0)
        loss, count = loss + more, count + entries
    return loss, count


# ----- the step -----


@pytest.mark.parametrize("size", [3, 20, 100])
def test_a_step_of_the_kernel_is_a_gradient_step_of_the_module(size: int) -> None:
    words, rate = 40, 0.3
    # No two entries have a word in common, so the order is nothing to them.
    generator = np.random.default_rng(1)
    places = generator.permutation(words)
    values = np.exp(generator.normal(0, 2, words))
    counts = csr_array(coo_array((values, (np.arange(words), places))))
    row, column = sides(words, size)
    net = modules.GloVe(
        Parameter(row.vectors[:, :size].astype(float)),
        Parameter(column.vectors[:, :size].astype(float)),
        Parameter(row.biases.astype(float)),
        Parameter(column.biases.astype(float)),
        3.0,
        0.6,
    )
    loss, gradient = cr.value_and_grad(lambda net: net(np.arange(words), places, values))(net)
    expected = {}
    for name, side in (("input", row), ("output", column)):
        g = np.asarray(getattr(gradient, name))
        expected[name] = np.asarray(getattr(net, name)) - rate * g / np.sqrt(side.sums[:, :size])
        expected[f"{name}_sums"] = side.sums[:, :size] + (rate * g) ** 2
        g = np.asarray(getattr(gradient, f"{name}_bias"))
        old = np.asarray(getattr(net, f"{name}_bias"))
        expected[f"{name}_biases"] = old - g / np.sqrt(side.bias_sums)
        expected[f"{name}_bias_sums"] = side.bias_sums + g**2
    runner = NativeGloVe(dealt(counts), row, column, size, 4, 1)
    found, count = whole_epoch(runner, rate=rate)
    assert count == words
    assert found == pytest.approx(float(loss), rel=1e-5)
    for name, side in (("input", row), ("output", column)):
        for key, array in (
            (name, side.vectors[:, :size]),
            (f"{name}_sums", side.sums[:, :size]),
            (f"{name}_biases", side.biases),
            (f"{name}_bias_sums", side.bias_sums),
        ):
            np.testing.assert_allclose(array, expected[key], rtol=1e-5, atol=1e-5, err_msg=key)
        assert not side.vectors[:, size:].any()
        assert (side.sums[:, size:] == 1).all()


@pytest.mark.parametrize("frozen", [False, True])
def test_kernel_and_numpy_learn_the_same(monkeypatch: pytest.MonkeyPatch, frozen: bool) -> None:
    words, size = 45, 10
    counts = matrix(words, 400)
    results = []
    for kind in (NativeGloVe, NumpyGloVe):
        if kind is NumpyGloVe:
            monkeypatch.setattr(native, "available", lambda: False)
        row, column = sides(words, size)
        if frozen:
            row.frozen = (np.arange(words) % 3 == 0).astype(np.uint8)
            column.frozen = (np.arange(words) % 2 == 0).astype(np.uint8)
        entries = dealt(counts)
        more = (1,) if kind is NativeGloVe else ()
        runner = kind(entries, row, column, size, 4, *more)
        results.append((entries, [whole_epoch(runner, epoch) for epoch in range(3)], row, column))
    (dealt_a, losses_a, *sides_a), (dealt_b, losses_b, *sides_b) = results
    np.testing.assert_array_equal(dealt_a.cell_ends, dealt_b.cell_ends)
    for name in ("row", "column"):
        np.testing.assert_array_equal(dealt_a.entries[name], dealt_b.entries[name])
    for name in ("logarithm", "weight"):
        np.testing.assert_allclose(dealt_a.entries[name], dealt_b.entries[name], rtol=1e-6)
    np.testing.assert_allclose(losses_a, losses_b, rtol=1e-4)
    for a, b in zip(sides_a, sides_b, strict=True):
        for name in ("vectors", "sums", "biases", "bias_sums"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-4, atol=1e-4)
        if frozen:
            before = sides(words, size)[0 if a is sides_a[0] else 1]
            same = (a.vectors == before.vectors).all(axis=1)
            assert same[a.frozen == 1].all() and not same[a.frozen == 0].all()
            assert (a.biases != before.biases)[a.frozen == 1].any()


def test_entries_are_dealt_out_once_each_to_cells_that_do_not_meet() -> None:
    counts = matrix(70, 900)
    entries = dealt(counts, piece=200)
    back = csr_array(
        coo_array(
            (
                np.exp(entries.entries["logarithm"]),
                (entries.entries["row"], entries.entries["column"]),
            ),
            shape=(70, 70),
        )
    )
    np.testing.assert_allclose(back.toarray(), counts.toarray(), rtol=1e-5)
    starts = np.append(0, entries.cell_ends[:-1])
    pieces = len(entries.cell_ends) // 32**2
    assert pieces == -(-counts.nnz // 200)
    for first in range(0, len(starts), 32):
        rows, columns = (
            [
                set(entries.entries[name][starts[c] : entries.cell_ends[c]])
                for c in range(first, first + 32)
            ]
            for name in ("row", "column")
        )
        for sets in (rows, columns):
            assert sum(map(len, sets)) == len(set().union(*sets))


def test_derivatives_are_cut_off() -> None:
    row, column = (Side.fresh(np.full((1, 4), v, np.float32)) for v in (50.0, -50.0))
    runner = NativeGloVe(dealt(csr_array(np.array([[1e6]]))), row, column, 4, 1, 1)
    runner.run(0, 0, 0.1, 0.1, 0.0)
    # The derivative is that of -10000 - ln 10^6, times 50.
    np.testing.assert_allclose(row.vectors[0, :4], 50 - 0.1 * 100, rtol=1e-5)
    np.testing.assert_allclose(column.vectors[0, :4], -50 + 0.1 * 100, rtol=1e-5)
    assert row.biases[0] == pytest.approx(100) and row.bias_sums[0] == pytest.approx(10_001)


# ----- learning -----


def test_words_that_stand_together_come_together() -> None:
    trained = model(mixed_sentences(), epochs=40)
    table = trained.table() - trained.table().mean(axis=0)
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    place = trained.vocabulary.index
    colours, numbers = [place[w] for w in COLOURS], [place[w] for w in NUMBERS]
    likeness = unit @ unit.T
    within = np.mean([likeness[np.ix_(g, g)].mean() for g in (colours, numbers)])
    assert within > likeness[np.ix_(colours, numbers)].mean() + 0.3


def test_products_approach_logarithms_of_counts() -> None:
    trained = model(mixed_sentences(), epochs=200, x_max=10, eta=0.2)
    counts = cooccurrences(encode(mixed_sentences(), trained.vocabulary), 15, weights="harmonic")
    products = trained.table("input") @ trained.table("output").T
    products += trained.biases("input")[:, None] + trained.biases("output")
    rows, columns = counts.nonzero()
    error = products[rows, columns] - np.log(counts.data)
    assert np.abs(error).max() < 0.15 < np.log(counts.data).std()


def test_loss_falls_from_epoch_to_epoch() -> None:
    text = [[f"w{k}" for k in row] for row in np.random.default_rng(2).zipf(1.4, (300, 30)) % 400]
    losses = model(text, epochs=15, min_count=2, x_max=10).history.losses
    assert len(losses) == 15
    assert all(later < earlier for earlier, later in itertools.pairwise(losses))


def test_the_loss_is_the_mean_over_the_pairs_as_the_tables_were() -> None:
    trained = model(epochs=1, eta=1e-12, vector_size=3, x_max=10)
    counts = cooccurrences(encode(sentences(), trained.vocabulary), 15, weights="harmonic").data
    # Vectors are about 0 throughout, and a bias is what it learns from the pairs before.
    assert trained.history.words == len(counts) == 50
    first = np.mean(np.minimum(counts / 10, 1) ** 0.75 * np.log(counts) ** 2 / 2)
    assert 0.01 * first < trained.history.losses[0] < first


@pytest.mark.parametrize("workers", [2, 5, 40])
def test_any_number_of_threads_gives_the_same_bits(workers: int) -> None:
    counts = matrix(300, 60_000)
    results = []
    for count in (1, workers):
        row, column = sides(300, 40)
        runner = NativeGloVe(dealt(counts, 20_000), row, column, 40, 4, count)
        losses = [whole_epoch(runner, epoch) for epoch in range(3)]
        results.append((losses, row, column))
    (losses, row, column), (other_losses, other_row, other_column) = results
    assert losses == other_losses
    assert losses[2] < losses[0]
    assert row.vectors.tobytes() == other_row.vectors.tobytes()
    assert column.sums.tobytes() == other_column.sums.tobytes()


def test_a_seed_gives_the_same_bits() -> None:
    first, second, other = (model(seed=s) for s in (5, 5, 6))
    assert first.table().tobytes() == second.table().tobytes()
    assert first.history.losses == second.history.losses
    assert first.table().tobytes() != other.table().tobytes()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ([["red", "green"]] * 5, {}),
        ([["red"] * 20], {}),
        ([["red", "green"]] * 5, {"eta": 0.2}),
        ([["red", "green"], ["green", "blue"]] * 5, {"vector_size": 300, "x_max": 1e-9}),
        ([["red"] * 3000 + ["green"] * 5], {"alpha": 0.0}),
    ],
)
def test_small_texts_give_finite_vectors(text: object, options: dict[str, object]) -> None:
    trained = model(text, epochs=100, **options)
    assert np.isfinite(trained.table()).all()
    assert np.isfinite(trained.history.losses).all()


# ----- going on -----


def test_training_on_and_on_other_counts() -> None:
    trained = model(epochs=2)
    before = trained.table("input").copy()
    history = trained.train(sentences(), epochs=3, eta=0.02, progress=False)
    assert len(history.losses) == 5 and history.rates[-1] == 0.02
    assert history.unit == "pairs" and "pairs/s" in history.line()
    assert not np.array_equal(before, trained.table("input"))
    counts = cooccurrences(encode(sentences(), trained.vocabulary), 15, weights="harmonic")
    a, b = model(epochs=2), model(epochs=2)
    a.train(sentences(), epochs=1, progress=False)
    b.train(counts.tocoo(), epochs=1, progress=False)
    assert a.table().tobytes() == b.table().tobytes()


def test_counts_of_anything() -> None:
    items = Vocabulary(["bread", "butter", "tea"], [3, 2, 1])
    empty = GloVe(vector_size=4)
    empty.build_vocab(items)
    counts = csr_array(np.array([[9.0, 5, 0], [5, 0, 1], [0, 1, 0]]))
    counts.data[0] = 0.0
    history = empty.train(counts, epochs=3, progress=False)
    assert history.words == 4
    with pytest.raises(CountError, match=r"\(2, 2\) for 3 words"):
        empty.train(counts[:2, :2], progress=False)
    with pytest.raises(CountError, match="below 0"):
        empty.train(-counts, progress=False)


def test_new_words_join_and_old_ones_keep_their_vectors() -> None:
    trained = model(epochs=2)
    old = {w: trained.table("input")[i].copy() for w, i in trained.vocabulary.index.items()}
    biases = dict(zip(trained.vocabulary.words, trained.biases("output").tolist(), strict=True))
    more = [["violet", "red", "blue", "violet"]] * 200
    trained.build_vocab(more, update=True)
    assert len(trained.vocabulary) == 11
    for word, vector in old.items():
        place = trained.vocabulary.index[word]
        np.testing.assert_array_equal(trained.table("input")[place], vector)
        assert trained.biases("output")[place] == np.float32(biases[word])
    assert trained.biases()[trained.vocabulary.index["violet"]] == 0
    trained.train(more, epochs=2, progress=False)
    red = trained.vocabulary.index["red"]
    assert not np.array_equal(trained.table("input")[red], old["red"])


def test_start_from_given_vectors_and_freeze_them() -> None:
    untrained = GloVe(vector_size=4, workers=1)
    untrained.build_vocab(sentences())
    assert untrained.start_from({"red": [1, 2, 3, 4], "unknown": [0, 0, 0, 0]}) == 1
    untrained.freeze(["red"])
    untrained.freeze(which="output")
    columns = untrained.table("output").copy()
    untrained.train(sentences(), epochs=1, progress=False)
    red = untrained.vocabulary.index["red"]
    np.testing.assert_array_equal(untrained.table("input")[red], [1, 2, 3, 4])
    np.testing.assert_array_equal(untrained.table("output"), columns)
    assert untrained.biases("input")[red] != 0 and untrained.biases("output").all()
    untrained.unfreeze()
    untrained.train(sentences(), epochs=1, progress=False)
    assert not np.array_equal(untrained.table("input")[red], [1, 2, 3, 4])


class Stop(Exception):
    pass


def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    whole = model()

    def stop(history: training.History) -> None:
        if len(history.losses) == 2:
            raise Stop

    with pytest.raises(Stop):
        model(checkpoint=path, callbacks=[stop])
    resumed = model(checkpoint=path, workers=2, memory=10**6)
    assert resumed._memory == 10**6
    assert resumed.history.losses == whole.history.losses
    for name, array in whole._arrays().items():
        assert resumed._arrays()[name].tobytes() == array.tobytes()


def test_ctrl_c_keeps_what_is_learned_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(training.Quiet):
        stretches = 0

        def stretch(self, position: training.Position, rate: float) -> None:
            self.stretches += 1
            if self.stretches == 8:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "STRETCH", 0.0)
    monkeypatch.setattr(glove_descent, "PIECE", 10)
    whole = model()
    path = tmp_path / "training.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(training, "reporter", lambda progress: Interrupting())
        stopped = model(checkpoint=path)
    assert stopped.history.interrupted
    assert len(stopped.history.losses) == 1 and stopped._position.piece == 3
    resumed = model(checkpoint=path)
    stopped.train(sentences(), progress=False)
    for other in (resumed, stopped):
        assert other.table().tobytes() == whole.table().tobytes()
        assert other.history.losses == whole.history.losses


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    trained = model()
    trained.freeze(["red"])
    trained.save(path)
    loaded = GloVe.load(path)
    assert loaded.options == trained.options
    for both in (trained, loaded):
        both.train(sentences(), epochs=1, progress=False)
    for name, array in trained._arrays().items():
        np.testing.assert_array_equal(loaded._arrays()[name], array)
    with pytest.raises(CheckpointError, match="window"):
        model(checkpoint=path, window=3)


def test_pairs_in_a_file_are_the_same_pairs(tmp_path: Path) -> None:
    counts = matrix(60, 500)
    options = {"x_max": 10.0, "alpha": 0.75, "seed": 1, "piece": 100}
    a, b = arranged(counts, **options), arranged(counts, memory=100, folder=tmp_path, **options)
    assert isinstance(b.entries, np.memmap) and not isinstance(a.entries, np.memmap)
    np.testing.assert_array_equal(a.entries, np.asarray(b.entries))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        (iter(sentences()), {}, ChainruleError, "only once"),
        ([["a"]], {}, ModelError, "min_count=5"),
        ([["a"]] * 5, {}, ModelError, "one window"),
        (None, {"x_max": 0}, ModelError, "x_max"),
        (None, {"eta": 0}, ModelError, "eta"),
        (None, {"sides": "up"}, ModelError, "both, left, right"),
        (None, {"weights": "up"}, ModelError, "flat, linear, harmonic"),
        (None, {"window": 0}, ChainruleError, "window"),
        (None, {"min_count": -1}, ModelError, "min_count"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    text: object, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        model(text, **options)


@pytest.mark.parametrize("eta", [1.0, 50.0, 1e10, 1e30])
def test_divergence_is_an_error(eta: float) -> None:
    words = rf"in epoch \d+: the vectors have diverged; eta={re.escape(f'{eta:g}')} is too large"
    with pytest.raises(NonFiniteError, match=words):
        model(eta=eta, epochs=5)


def test_tables_there_are() -> None:
    trained = model(epochs=1)
    place = trained.vocabulary.index["red"]
    np.testing.assert_array_equal(trained.table(), trained.table("input") + trained.table("output"))
    np.testing.assert_array_equal(trained.vectors["red"], trained.table()[place])
    with pytest.raises(ModelError, match="no table"):
        trained.table("both")
    with pytest.raises(ModelError, match="no biases"):
        trained.biases("sum")


def test_the_core_refuses_entries_that_are_not_in_their_cells() -> None:
    entries = dealt(matrix(45, 400))
    row, column = sides(45, 4)

    def changed(field: str, value: int) -> Entries:
        copy = entries.entries.copy()
        copy[field][17] = value
        return Entries(copy, entries.cell_ends)

    for bad, words in (
        (changed("row", 45), "not there"),
        (changed("column", -1), "not there"),
        (changed("row", (entries.entries["row"][17] + 1) % 32), "cells"),
        (Entries(entries.entries, entries.cell_ends[:-1]), "number of cells"),
    ):
        with pytest.raises(ValueError, match=words):
            NativeGloVe(bad, row, column, 4, 1, 1)
