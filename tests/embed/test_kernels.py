"""The native kernels against the modules they are fast versions of, and against NumPy."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.embed import modules, tables
from chainrule.embed.descent import Descent, Material, NativeDescent, NumpyDescent, Settings
from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.sampling import (
    ALWAYS,
    Uses,
    alias_table,
    expected_uses,
    huffman,
    keep_thresholds,
)
from chainrule.embed.vocabulary import Vocabulary
from chainrule.embed.windows import Drawing, Group
from chainrule.run import native
from chainrule.tracing.parameter import Parameter

needs_core = pytest.mark.skipif(not native.available(), reason="the native core is not built")
WORDS = 17


def corpus(words: int = 400, vocabulary: int = WORDS, seed: int = 0) -> EncodedCorpus:
    """Sentences of very different lengths, with words that repeat within windows."""
    generator = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, vocabulary + 1)
    ids = generator.choice(vocabulary, words, p=weights / weights.sum()).astype(np.int32)
    ids[:vocabulary] = np.arange(vocabulary)
    ends = np.unique(np.append(generator.integers(0, words, 12), [0, 1, 3, words]))
    counts = np.bincount(ids, minlength=vocabulary)
    order = np.argsort(-counts, kind="stable")
    place = np.argsort(order)
    known = Vocabulary([f"w{i}" for i in range(vocabulary)], counts[order])
    return EncodedCorpus(place[ids].astype(np.int32), ends.astype(np.int64), known)


def settings(**changes: object) -> Settings:
    drawing = Drawing(3, 4, True, 5, 1, 5, True, False, 0)
    names = set(drawing.__dataclass_fields__)
    drawing = replace(drawing, **{k: v for k, v in changes.items() if k in names})
    return Settings(drawing, **{k: v for k, v in changes.items() if k not in names}, piece=64)


def material(text: EncodedCorpus, chosen: Settings, size: int, **changes: object) -> Material:
    counts = text.vocabulary.counts
    paths = huffman(counts) if chosen.drawing.paths else None
    generator = np.random.default_rng(7)
    words = len(counts)
    rows = (words if chosen.drawing.centre else 0) + (words - 1 if chosen.drawing.paths else 0)
    return Material(
        text,
        keep_thresholds(counts, 0.05),
        alias_table(counts**0.75),
        paths,
        tables.table_of(generator.normal(0, 0.5, (words, size)).astype(np.float32)),
        tables.table_of(generator.normal(0, 0.5, (rows, size)).astype(np.float32)),
        size,
        **changes,
    )


MODELS = {
    "skip-gram": {},
    "skip-gram, other negatives": {"negatives": 2},
    "skip-gram, many negatives": {"negatives": 15},
    "skip-gram, negatives of their own": {"uses": 1},
    "skip-gram, whole windows": {"shrink": False, "window": 9},
    "skip-gram, whole windows, many negatives": {"shrink": False, "negatives": 15},
    "skip-gram, shared negatives": {"share": 4},
    "skip-gram, shared, many": {"share": 3, "negatives": 13},
    "skip-gram, tree": {"negatives": 0, "centre": False, "paths": True},
    "skip-gram, both": {"paths": True, "node_offset": WORDS},
    "skip-gram, softmax": {"negatives": 0, "softmax": True},
    "bag of words": {"cbow": True},
    "bag of words, historical": {"cbow": True, "divided": False},
    "bag of words, sum": {"cbow": True, "mean": False, "divided": False},
    "bag of words, shared negatives": {"cbow": True, "share": 4},
    "bag of words, tree": {"cbow": True, "negatives": 0, "centre": False, "paths": True},
    "bag of words, both": {"cbow": True, "paths": True, "node_offset": WORDS},
    "bag of words, many negatives": {"cbow": True, "negatives": 15},
    "bag of words, softmax": {"cbow": True, "negatives": 0, "softmax": True},
}
# Whose update is a gradient step.
EXACT = [name for name in MODELS if "historical" not in name]


def module_loss(chosen: Settings, net: modules.Module, group: Group) -> object:
    """The summed loss of a group, over the graph."""
    own = len(group.contexts) if len(group.contexts) > 1 else 0
    total = 0.0
    for k, contexts in enumerate(group.contexts):
        if chosen.softmax:
            total = total + net(contexts, int(group.centres[k]))
            continue
        rows = [k, *range(own, len(group.targets))] if own else list(range(len(group.targets)))
        total = total + net(contexts, group.targets[rows], group.labels[rows].astype(float))
    return total


def module_of(chosen: Settings, m: Material) -> modules.Module:
    x = Parameter(m.input[:, : m.size].astype(float))
    y = Parameter(m.output[:, : m.size].astype(float))
    if chosen.cbow:
        kind = modules.BagOfWordsSoftmax if chosen.softmax else modules.BagOfWords
        return kind(x, y, chosen.mean)
    return (modules.SkipGramSoftmax if chosen.softmax else modules.SkipGram)(x, y)


def has_repeats(group: Group) -> bool:
    words = np.concatenate(group.contexts)
    return len(set(words)) < len(words) or len(set(group.targets)) < len(group.targets)


@needs_core
@pytest.mark.parametrize("size", [3, 20])
@pytest.mark.parametrize("name", EXACT)
def test_a_step_of_the_kernel_is_a_gradient_step_of_the_module(name: str, size: int) -> None:
    chosen = settings(**MODELS[name])
    start = material(corpus(), chosen, size)
    groups = list(NativeDescent(start, chosen).windows(0, 1).groups())
    assert any(map(has_repeats, groups)) and len(groups) > 5
    for number, group in enumerate(groups[:12]):
        m = material(corpus(), chosen, size)
        net = module_of(chosen, m)
        loss, gradient = cr.value_and_grad(lambda net, g=group: module_loss(chosen, net, g))(net)
        found, _ = NativeDescent(m, chosen).descend(0, 1, number, number + 1, 0.5)
        assert found == pytest.approx(float(loss), rel=1e-5)
        for table, before, step in (
            (m.input, net.input, gradient.input),
            (m.output, net.output, gradient.output),
        ):
            expected = np.asarray(before) - 0.5 * np.asarray(step)
            np.testing.assert_allclose(table[:, :size], expected, rtol=0, atol=1e-5)
            assert not table[:, size:].any()


@needs_core
@pytest.mark.parametrize("name", MODELS)
def test_kernel_and_numpy_learn_the_same(name: str) -> None:
    chosen = settings(**MODELS[name])
    results = []
    for kind in (NativeDescent, NumpyDescent):
        m = material(corpus(), chosen, 10)
        runner: Descent = kind(m, chosen)
        outcomes = [whole_epoch(runner, epoch, 0.05) for epoch in range(2)]
        results.append((outcomes, m))
    (native_outcomes, a), (numpy_outcomes, b) = results
    for (loss, count), (expected, expected_count) in zip(
        native_outcomes, numpy_outcomes, strict=True
    ):
        assert count == expected_count > 100
        assert loss == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(a.input, b.input, atol=1e-4)
    np.testing.assert_allclose(a.output, b.output, atol=1e-4)


def whole_epoch(runner: Descent, epoch: int, rate: float) -> tuple[float, int]:
    piece, loss, count = 0, 0.0, 0
    while piece < runner.pieces:
        piece, more, predictions = runner.run(epoch, piece, rate, rate / 2, 0.0)
        loss, count = loss + more, count + predictions
    return loss, count


@needs_core
@pytest.mark.parametrize(
    "name",
    [
        "skip-gram",
        "skip-gram, negatives of their own",
        "skip-gram, many negatives",
        "skip-gram, shared negatives",
        "skip-gram, shared, many",
        "skip-gram, both",
    ],
)
def test_kernel_and_numpy_draw_the_same_windows(name: str) -> None:
    chosen = settings(**MODELS[name])
    m = material(corpus(), chosen, 4)
    for epoch, piece in itertools.product((0, 5), range(7)):
        ours = NativeDescent(m, chosen).windows(epoch, piece)
        theirs = NumpyDescent(m, chosen).windows(epoch, piece)
        for field, value in vars(ours).items():
            np.testing.assert_array_equal(value, getattr(theirs, field), err_msg=field)


def test_a_drawn_negative_serves_windows_far_from_each_other() -> None:
    vocabulary, words = 5000, 600
    ids = np.arange(words, dtype=np.int32)
    known = Vocabulary([f"w{i}" for i in range(vocabulary)], np.ones(vocabulary, np.int64))
    text = EncodedCorpus(ids, np.array([words]), known)
    chosen = replace(settings(), piece=words)
    m = replace(material(text, chosen, 4), keep=np.full(vocabulary, ALWAYS, np.uint32))
    groups = list(NumpyDescent(m, chosen).windows(0, 0).groups())
    assert len(groups) == words
    negatives = np.array([group.targets[1:] for group in groups])
    lags = [chosen.drawing.lag(kind) for kind in range(5)]
    apart = [b - a for a, b in itertools.combinations(lags, 2)]
    assert min(apart) > 2 * chosen.drawing.window and len(set(apart)) == len(apart)
    for kind in range(1, 5):
        shared = negatives[lags[kind] :, kind] == negatives[: words - lags[kind], 0]
        assert shared.mean() > 0.99  # Where one is a centre, another was drawn.
    assert len(np.unique(negatives[:, 0])) > 500


@pytest.mark.parametrize("uses", [1, 5])
def test_negatives_are_drawn_as_often_as_their_weights_say(uses: int) -> None:
    text = corpus(20_000)
    chosen = replace(settings(uses=uses), piece=20_000)
    m = material(text, chosen, 4)
    drawn = np.concatenate(
        [group.targets[1:] for group in NumpyDescent(m, chosen).windows(0, 0).groups()]
    )
    weights = text.vocabulary.counts**0.75
    found = np.bincount(drawn, minlength=WORDS) / len(drawn)
    # Those that are the centre are drawn again, so frequent words are a little rarer.
    assert np.abs(found - weights / weights.sum()).max() < 0.03
    assert np.corrcoef(found, weights)[0, 1] > 0.98


@needs_core
def test_pieces_of_any_length_have_the_same_windows() -> None:
    def pairs(piece: int) -> set[tuple[int, ...]]:
        chosen = replace(settings(), piece=piece)
        runner = NativeDescent(material(corpus(), chosen, 4), chosen)
        found = []
        for number in range(runner.pieces):
            for group in runner.windows(2, number).groups():
                found.append((*group.contexts[0], -1, *group.targets))
        assert len(found) > 150
        return set(found)

    assert pairs(64) == pairs(7) == pairs(400)


@needs_core
@pytest.mark.parametrize(
    "name",
    ["skip-gram", "skip-gram, many negatives", "skip-gram, shared negatives", "bag of words"],
)
@pytest.mark.parametrize("kind", [NativeDescent, NumpyDescent])
def test_frozen_rows_stay_and_others_do_not(name: str, kind: type) -> None:
    chosen = settings(**MODELS[name])
    frozen_input = (np.arange(WORDS) % 3 == 0).astype(np.uint8)
    frozen_output = (np.arange(WORDS) % 2 == 0).astype(np.uint8)
    changes = {"frozen_input": frozen_input, "frozen_output": frozen_output}
    m, before = (material(corpus(), chosen, 6, **changes) for _ in range(2))
    whole_epoch(kind(m, chosen), 0, 0.05)
    for table, start, frozen in (
        (m.input, before.input, frozen_input),
        (m.output, before.output, frozen_output),
    ):
        same = (table == start).all(axis=1)
        np.testing.assert_array_equal(same, frozen == 1)


@pytest.mark.parametrize(
    "name", ["skip-gram", "skip-gram, shared negatives", "skip-gram, tree", "skip-gram, both"]
)
def test_rows_are_used_as_often_as_expected(name: str) -> None:
    vocabulary = 200
    text = corpus(20_000, vocabulary)
    chosen = settings(**{**MODELS[name], "node_offset": vocabulary if "both" in name else 0})
    m = material(text, replace(chosen, piece=20_000), 4)
    drawing, counts = chosen.drawing, text.vocabulary.counts
    expected = expected_uses(
        counts,
        m.keep,
        counts**0.75 if drawing.centre else None,
        drawing.negatives / drawing.share,
        m.paths,
    )
    windows = NumpyDescent(m, replace(chosen, piece=20_000)).windows(0, 0)
    found = np.bincount(windows.ids, minlength=vocabulary) / 20_000
    assert np.abs(found - expected.input).max() < 0.03 * expected.input.max()
    # Negatives that are the centre are drawn again, so frequent words are a little rarer.
    found = np.bincount(windows.targets, minlength=len(m.output)) / 20_000
    assert np.abs(found - expected.output).max() < 0.2 * expected.output.max()
    assert np.corrcoef(found, expected.output)[0, 1] > 0.99


@needs_core
@pytest.mark.parametrize("name", ["skip-gram", "skip-gram, tree", "bag of words"])
@pytest.mark.parametrize("workers", [2, 7])
def test_what_threads_learn_apart_comes_into_the_tables(name: str, workers: int) -> None:
    # Rows from 1024 on are in the tables alone.
    text = corpus(30_000, vocabulary=1500)
    counts, losses = text.vocabulary.counts, []
    for count in (1, workers):
        chosen = replace(settings(**MODELS[name]), workers=count)
        m = material(text, chosen, 10)
        drawing = chosen.drawing
        weights = counts**0.75 if drawing.centre else None
        m = replace(m, uses=expected_uses(counts, m.keep, weights, drawing.negatives, m.paths))
        runner = NativeDescent(m, chosen)
        before = runner.measure()
        start = m.input.copy()
        for epoch in range(2):
            whole_epoch(runner, epoch, 0.05)
        runner.settle()
        settled = m.input.copy()
        runner.settle()
        np.testing.assert_array_equal(m.input, settled)
        changed = (m.input != start).any(axis=1)
        assert changed[: WORDS * 10].all() and changed.mean() > 0.95
        (loss, predictions), (loss_before, predictions_before) = runner.measure(), before
        assert predictions == predictions_before
        losses.append((loss / predictions, loss_before / predictions))
    (alone, begun), (together, _) = losses
    assert begun - together > 0.9 * (begun - alone) > 0


@needs_core
def test_uses_that_cannot_be_are_refused() -> None:
    chosen = replace(settings(), workers=2)
    good = material(corpus(), chosen, 4)
    for number in (-1.0, np.nan):
        uses = Uses(np.full(WORDS, number, np.float32), np.ones(WORDS, np.float32))
        with pytest.raises(ValueError, match="uses of rows"):
            NativeDescent(replace(good, uses=uses), chosen)
    uses = Uses(np.ones(3, np.float32), np.ones(WORDS, np.float32))
    with pytest.raises(ValueError, match="input_uses has 3 entries, not 17"):
        NativeDescent(replace(good, uses=uses), chosen)


@needs_core
@pytest.mark.parametrize("name", MODELS)
def test_to_measure_is_to_change_nothing(name: str) -> None:
    chosen = settings(**MODELS[name])
    found = []
    for kind in (NativeDescent, NumpyDescent):
        m, before = (material(corpus(), chosen, 10) for _ in range(2))
        found.append(kind(m, chosen).measure())
        np.testing.assert_array_equal(m.input, before.input)
        np.testing.assert_array_equal(m.output, before.output)
    (loss, count), (expected, expected_count) = found
    assert count == expected_count > 100
    assert loss == pytest.approx(expected, rel=1e-5)


@needs_core
def test_what_is_not_a_text_is_refused() -> None:
    chosen = settings()
    good = material(corpus(), chosen, 4)
    bad_ids = good.corpus.ids.copy()
    bad_ids[5] = WORDS
    for changed, words in (
        (replace(good.corpus, ids=bad_ids), "ids has 17 at 5"),
        (replace(good.corpus, ends=good.corpus.ends[:-1]), "ends"),
        (replace(good.corpus, ends=good.corpus.ends[::-1]), "falls"),
    ):
        with pytest.raises(ValueError, match=words):
            NativeDescent(replace(good, corpus=changed), chosen)
    with pytest.raises(ValueError, match="output has"):
        NativeDescent(replace(good, output=good.output[:3]), chosen)
