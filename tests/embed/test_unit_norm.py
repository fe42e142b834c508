"""The lecture's first model: kernel and module, its collapse, and what prevents it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.embed import modules, tables
from chainrule.embed.descent import Descent, Material, NativeDescent, NumpyDescent, Settings
from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.model import ModelError
from chainrule.embed.sampling import alias_table, keep_thresholds
from chainrule.embed.training import History
from chainrule.embed.unit_norm import UnitNorm
from chainrule.embed.vocabulary import Vocabulary
from chainrule.embed.windows import Drawing
from chainrule.errors import ChainruleError
from chainrule.run import native
from chainrule.tracing.parameter import Parameter

needs_core = pytest.mark.skipif(not native.available(), reason="the native core is not built")
WORDS = 12


def corpus() -> EncodedCorpus:
    """Sentences of different lengths, with words beside themselves."""
    generator = np.random.default_rng(0)
    ids = np.sort(generator.integers(0, WORDS, (2, 200)), axis=0)[0].astype(np.int32)
    generator.shuffle(ids)
    ends = np.unique(np.append(generator.integers(0, 200, 9), [1, 3, 200])).astype(np.int64)
    counts = np.bincount(ids, minlength=WORDS)
    assert (np.diff(counts) <= 0).any() and (counts > 0).all()
    return EncodedCorpus(ids, ends, Vocabulary([f"w{i}" for i in range(WORDS)], [9] * WORDS))


def settings(contrast: float, negatives: int = 3) -> Settings:
    drawing = Drawing(3, 1, False, negatives if contrast else 0, 1, 1, True, False, 0)
    return Settings(drawing, unit_norm=True, contrast=contrast, piece=64)


def material(size: int, **changes: np.ndarray) -> Material:
    rows = np.random.default_rng(5).standard_normal((WORDS, size))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    table = tables.table_of(rows.astype(np.float32))
    keep = keep_thresholds(np.ones(WORDS), 0)
    return Material(
        corpus(), keep, alias_table(np.ones(WORDS)), None, table, table, size, **changes
    )


def whole_epoch(runner: Descent, rate: float) -> tuple[float, int]:
    piece, loss, count = 0, 0.0, 0
    while piece < runner.pieces:
        piece, more, windows = runner.run(0, piece, rate, rate / 2, 0.0)
        loss, count = loss + more, count + windows
    return loss, count


@needs_core
@pytest.mark.parametrize("size", [3, 20])
@pytest.mark.parametrize("contrast", [0.0, 1.5])
def test_a_step_of_the_kernel_is_a_gradient_step_of_the_module(contrast: float, size: int) -> None:
    chosen = settings(contrast)
    groups = list(NativeDescent(material(size), chosen).windows(0, 1).groups())
    repeats = {"neighbours": 0, "centre": 0, "negative": 0, "alone": 0}
    for number, group in enumerate(groups):
        m = material(size)
        before = m.input.copy()
        loss, count = NativeDescent(m, chosen).descend(0, 1, number, number + 1, 0.5)
        contexts, centre, others = group.contexts[0], int(group.centres[0]), group.targets[1:]
        if len(contexts) < 2:
            assert (loss, count) == (0.0, 0)
            np.testing.assert_array_equal(m.input, before)
            repeats["alone"] += 1
            continue
        repeats["neighbours"] += contexts[0] == contexts[1]
        repeats["centre"] += centre in contexts
        repeats["negative"] += bool(set(others) & {*contexts})
        net = modules.UnitNorm(Parameter(before[:, :size].astype(float)), contrast)
        value, gradient = cr.value_and_grad(
            lambda net, g=(contexts[0], centre, contexts[1], others): net(*g)
        )(net)
        assert loss == pytest.approx(float(value), abs=1e-5)
        assert count == 1
        step = np.asarray(gradient.vectors)
        expected = before[:, :size] - 0.5 * step
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(m.input[:, :size], expected, rtol=0, atol=1e-5)
        assert not m.input[:, size:].any()
    assert all(count for name, count in repeats.items() if contrast or name != "negative"), repeats


@needs_core
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("contrast", [0.0, 0.7])
def test_kernel_and_numpy_learn_the_same(contrast: float, frozen: bool) -> None:
    flags = (np.arange(WORDS) % 3 == 0).astype(np.uint8)
    changes = {"frozen_input": flags, "frozen_output": flags} if frozen else {}
    a, b, before = (material(10, **changes) for _ in range(3))
    chosen = settings(contrast)
    (loss, count), (other_loss, other_count) = (
        whole_epoch(runner, 0.2) for runner in (NativeDescent(a, chosen), NumpyDescent(b, chosen))
    )
    assert count == other_count > 100
    assert loss == pytest.approx(other_loss, rel=1e-4)
    np.testing.assert_allclose(a.input, b.input, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(a.input, axis=1), 1, atol=1e-5)
    if frozen:
        same = (a.input == before.input).all(axis=1)
        np.testing.assert_array_equal(same, flags == 1)


@needs_core
def test_the_core_refuses_other_windows() -> None:
    chosen, m = settings(1.0), material(4)
    other = replace(m, output=tables.table_of(m.output))
    for bad, given in (
        (replace(chosen, drawing=replace(chosen.drawing, window=2)), m),
        (replace(chosen, drawing=replace(chosen.drawing, share=2)), m),
        (replace(chosen, workers=2, deterministic=True), m),
        (chosen, other),
    ):
        with pytest.raises(ValueError, match="out of range"):
            NativeDescent(given, bad)


# ----- the model -----

COLOURS = ["red", "green", "blue", "white", "black"]
NUMBERS = ["one", "two", "three", "four", "five"]


def sentences() -> list[list[str]]:
    generator = np.random.default_rng(0)
    return [[str(w) for w in generator.choice([COLOURS, NUMBERS][i % 2], 9)] for i in range(400)]


def model(text: object = None, **options: object) -> UnitNorm:
    chosen = {"vector_size": 12, "sample": 0, "workers": 1, "seed": 3, "progress": False, **options}
    return UnitNorm(sentences() if text is None else text, **chosen)


def test_without_a_contrast_all_vectors_become_equal() -> None:
    # A word that stands in both kinds of sentences joins them.
    text = [[*sentence, "and"] * 2 for sentence in sentences()]
    trained = model(text, contrast=0, epochs=20, alpha=0.005)
    history = trained.history
    assert history.losses[-1] < 0.01 < 0.1 < history.running_losses[0]
    assert trained.agreement() > 0.98
    assert model(text, epochs=20, alpha=0.005).agreement() < 0.3


def test_words_that_stand_together_come_together() -> None:
    trained = model(epochs=10)
    place = trained.vocabulary.index
    colours, numbers = [place[w] for w in COLOURS], [place[w] for w in NUMBERS]
    likeness = trained.table() @ trained.table().T
    within = np.mean([likeness[np.ix_(g, g)].mean() for g in (colours, numbers)])
    assert within > likeness[np.ix_(colours, numbers)].mean() + 0.5
    assert trained.history.losses[-1] < trained.history.running_losses[0]
    assert trained.vectors.most_similar("red", topn=1)[0][0] in COLOURS
    np.testing.assert_allclose(np.linalg.norm(trained.table(), axis=1), 1, atol=1e-5)


def test_seeds_and_threads() -> None:
    first, second, other = (model(seed=s, epochs=2) for s in (5, 5, 6))
    assert first.table().tobytes() == second.table().tobytes() != other.table().tobytes()
    threads = model(workers=3, epochs=5).history.losses[-1]
    assert threads == pytest.approx(model(epochs=5).history.losses[-1], rel=0.1)


def test_the_same_bits_however_many_threads_there_are() -> None:
    text = sentences() * 20  # Several pieces, so that threads have something to do side by side.
    one, many = (model(text, epochs=2, deterministic=True, workers=w) for w in (1, 4))
    assert one.table().tobytes() == many.table().tobytes()
    assert one.history.losses == many.history.losses


class Stop(Exception):
    pass


def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"

    def stop(history: History) -> None:
        if len(history.losses) == 2:
            raise Stop

    with pytest.raises(Stop):
        model(checkpoint=path, callbacks=[stop])
    resumed, whole = model(checkpoint=path), model()
    assert resumed.table().tobytes() == whole.table().tobytes()
    assert resumed.history.losses == whole.history.losses
    assert UnitNorm.load(path).options == whole.options


def test_new_words_given_vectors_and_frozen_ones() -> None:
    trained = model(epochs=1)
    old = trained.table()[trained.vocabulary.index["red"]].copy()
    trained.build_vocab([["violet", "red"]] * 9, update=True)
    red, violet = (trained.vocabulary.index[w] for w in ("red", "violet"))
    np.testing.assert_array_equal(trained.table()[red], old)
    assert np.linalg.norm(trained.table()[violet]) == pytest.approx(1)
    given = np.arange(12.0)
    assert trained.start_from({"red": given, "unknown": given}) == 1
    np.testing.assert_allclose(trained.table()[red], given / np.linalg.norm(given), rtol=1e-6)
    with pytest.raises(ModelError, match="no direction"):
        trained.start_from({"red": np.zeros(12)})
    trained.freeze(["red"])
    trained.train(sentences(), epochs=1, progress=False)
    np.testing.assert_allclose(trained.table()[red], given / np.linalg.norm(given), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ([["a"]], {}, ModelError, "min_count=5"),
        (None, {"contrast": -1}, ModelError, "contrast"),
        (None, {"alpha": 0}, ModelError, "alpha"),
        (None, {"negative": 0}, ChainruleError, "negative"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    text: object, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        model(text, **options)


def test_there_is_one_table() -> None:
    with pytest.raises(ModelError, match="no table"):
        model(epochs=1).table("output")


def test_a_text_of_one_word_trains_nothing() -> None:
    trained = model([["red"] * 20], epochs=2)
    assert np.linalg.norm(trained.table()) == pytest.approx(1)
