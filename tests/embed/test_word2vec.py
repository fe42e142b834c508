"""Training word vectors from Python: what is learned, kept, continued, resumed and refused."""

import io
import itertools
import re
import signal
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from topics import COLOURS, NUMBERS, sentences

from chainrule.embed import saving, training
from chainrule.embed.docstrings import Docstrings
from chainrule.embed.encoded import EncodedCorpus, encode
from chainrule.embed.glove import GloVe
from chainrule.embed.training import History
from chainrule.embed.vocabulary import Vocabulary, VocabularyError
from chainrule.embed.word2vec import ModelError, Word2Vec
from chainrule.errors import ChainruleError, NonFiniteError
from chainrule.run import native
from chainrule.train.checkpoints import CheckpointError

pytestmark = pytest.mark.skipif(not native.available(), reason="the native core is not built")


def model(text: object = None, **options: object) -> Word2Vec:
    chosen = {
        "vector_size": 12,
        "sg": 1,
        "sample": 0,
        "workers": 1,
        "seed": 3,
        "alpha": 0.05,
        "progress": False,
        **options,
    }
    return Word2Vec(sentences() if text is None else text, **chosen)


MODELS = {
    "skip-gram": {},
    "fast": {"share_negatives": 4},
    "tree": {"hs": 1, "negative": 0},
    "both": {"hs": 1},
    "softmax": {"softmax": True},
    "bag of words": {"sg": 0, "alpha": 0.2},
    "historical": {"sg": 0, "gradient": "historical"},
    "sum": {"sg": 0, "cbow_mean": 0},
    "bag of words, tree": {"sg": 0, "hs": 1, "negative": 0, "alpha": 0.2},
}


@pytest.mark.parametrize("name", MODELS)
def test_words_that_stand_together_come_together(name: str) -> None:
    trained = model(epochs=25, **MODELS[name])
    table = trained.table() - trained.table().mean(axis=0)
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    place = trained.vocabulary.index
    colours, numbers = [place[w] for w in COLOURS], [place[w] for w in NUMBERS]
    likeness = unit @ unit.T
    within = np.mean([likeness[np.ix_(g, g)].mean() for g in (colours, numbers)])
    assert within > likeness[np.ix_(colours, numbers)].mean() + 0.5
    losses = trained.history.running_losses
    assert len(losses) == len(trained.history.losses) == 25
    assert losses[-1] < losses[10] < losses[3] < losses[0]
    assert trained.history.losses[-1] < trained.history.losses[0]


@pytest.mark.parametrize("name", MODELS)
def test_one_thread_gives_the_same_bits_for_a_seed(name: str) -> None:
    first, second, other = (model(seed=s, epochs=2, **MODELS[name]) for s in (5, 5, 6))
    assert first.table().tobytes() == second.table().tobytes()
    assert first.history.losses == second.history.losses
    assert first.table().tobytes() != other.table().tobytes()


@pytest.fixture(scope="module")
def documentation() -> EncodedCorpus:
    """Real text that is always there: what Python's own library says of itself."""
    library = Path(sysconfig.get_path("stdlib"))
    names = ("asyncio", "email", "http", "importlib", "logging", "multiprocessing", "unittest")
    text = list(Docstrings([library / name for name in names]))
    return encode(text, Vocabulary.of(text, min_count=5))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", ["skip-gram", "fast", "tree", "bag of words", "sum"])
def test_loss_falls_from_epoch_to_epoch(
    name: str, workers: int, documentation: EncodedCorpus
) -> None:
    options = {**MODELS[name], "alpha": None, "sample": 1e-3, "vector_size": 50}
    history = model(documentation, workers=workers, **options).history
    assert len(history.losses) == 5
    assert all(later < earlier for earlier, later in itertools.pairwise(history.losses))


def test_the_loss_is_that_of_the_vectors_as_they_are() -> None:
    text = sentences()
    trained = model(text, epochs=2)
    descent = trained._descent(encode(text, trained.vocabulary))
    before = trained.table().copy()
    loss, predictions = descent.measure()
    assert trained.history.losses[-1] == loss / predictions
    np.testing.assert_array_equal(trained.table(), before)


def test_the_first_loss_is_that_of_knowing_nothing() -> None:
    # A table of zeros says one half to every target.
    trained = model(epochs=1, alpha=1e-9, min_alpha=1e-9, negative=7)
    assert trained.history.losses[0] == pytest.approx(8 * np.log(2), rel=1e-5)


@pytest.mark.parametrize("name", ["skip-gram", "tree", "both", "bag of words, tree"])
@pytest.mark.parametrize("workers", [2, 5])
def test_threads_learn_too(workers: int, name: str) -> None:
    alone, together = (
        model(epochs=6, workers=w, **MODELS[name]).history.losses[-1] for w in (1, workers)
    )
    assert together == pytest.approx(alone, rel=0.03)


@pytest.mark.parametrize("name", MODELS)
def test_several_threads_give_the_same_bits_where_that_is_asked_for(name: str) -> None:
    options = {**MODELS[name], "workers": 3, "deterministic": True}
    one, other = model(**options), model(**options)
    np.testing.assert_array_equal(one.table(), other.table())
    assert one.history.losses == other.history.losses
    # Rounds on copies of rows learn about as much as steps one by one.
    alone = model(**MODELS[name])
    assert one.history.losses[-1] < one.history.losses[0]
    assert one.history.losses[-1] < alone.history.losses[-1] + 0.1 * alone.history.losses[0]


def unequal(words: int) -> list[list[str]]:
    """A text in which some words are far more frequent than others, as in any language."""
    generator = np.random.default_rng(0)
    ranks = np.minimum(generator.zipf(1.3, words), 2000)
    return [[f"w{r}" for r in line] for line in np.array_split(ranks, words // 20)]


@pytest.mark.parametrize("name", ["skip-gram", "tree", "bag of words", "sum"])
def test_many_threads_in_rounds_do_not_take_frequent_words_too_far(name: str) -> None:
    text = unequal(100_000)
    options = {**MODELS[name], "alpha": None, "epochs": 2}
    alone, together = (
        model(text, workers=w, deterministic=True, **options).history.losses for w in (1, 16)
    )
    # A round is a third of the text here, so less is learned, but nothing is undone.
    assert together[1] < together[0]
    assert together[1] < alone[0] * 1.1


def test_a_softmax_in_rounds_knows_words_of_other_pieces() -> None:
    # Each part of the text has words of its own; whoever works on one meets no other.
    text = [[f"{part}{i % 37}" for i in range(2000)] for part in "abcdef"]
    options = {"softmax": True, "epochs": 4, "alpha": 0.1}
    alone, together = (
        model(text, workers=w, deterministic=True, **options).history.running_losses for w in (1, 3)
    )
    assert together[0] == pytest.approx(alone[0], rel=0.1)
    assert together[-1] == pytest.approx(alone[-1], rel=0.1)


def test_a_long_sentence_is_one_sentence() -> None:
    text = [list(np.random.default_rng(1).choice(COLOURS, 30_000))]
    trained = model(text, epochs=1, window=1)
    encoded = encode(text, trained.vocabulary)
    windows = trained._descent(encoded)
    pairs = sum(
        int((w.lasts - w.firsts - 1).sum())
        for w in (windows.windows(0, piece) for piece in range(windows.pieces))
    )
    assert pairs == 2 * (30_000 - 1)


# ----- going on -----


def test_training_on_is_another_epoch_of_other_draws() -> None:
    trained = model(epochs=2)
    before = trained.table().copy()
    history = trained.train(sentences(), epochs=3, start_alpha=0.02, progress=False)
    assert len(history.losses) == 5
    assert trained._position.epoch == 5
    assert not np.array_equal(before, trained.table())


def test_new_words_join_and_old_ones_keep_their_vectors() -> None:
    trained = model(epochs=2)
    old = {w: trained.table()[i].copy() for w, i in trained.vocabulary.index.items()}
    more = [["violet", "red", "blue", "violet"]] * 200
    trained.build_vocab(more, update=True)
    assert len(trained.vocabulary) == 11
    assert list(trained.vocabulary.counts) == sorted(trained.vocabulary.counts, reverse=True)
    for word, vector in old.items():
        np.testing.assert_array_equal(trained.table()[trained.vocabulary.index[word]], vector)
    trained.train(more, epochs=2, progress=False)
    assert not np.array_equal(trained.table()[trained.vocabulary.index["red"]], old["red"])


def test_start_from_given_vectors_and_freeze_them() -> None:
    untrained = Word2Vec(vector_size=4, sg=1, workers=1, min_count=1)
    untrained.build_vocab(sentences())
    given = {"red": [1, 2, 3, 4], "unknown": [0, 0, 0, 0]}
    assert untrained.start_from(given) == 1
    untrained.freeze(["red"])
    untrained.freeze(which="output")
    untrained.train(sentences(), epochs=1, progress=False)
    red = untrained.vocabulary.index["red"]
    np.testing.assert_array_equal(untrained.table()[red], [1, 2, 3, 4])
    assert not untrained.table("output").any()
    untrained.unfreeze()
    untrained.train(sentences(), epochs=1, progress=False)
    assert not np.array_equal(untrained.table()[red], [1, 2, 3, 4])
    with pytest.raises(ModelError, match="shape"):
        untrained.start_from({"red": [1.0]})
    with pytest.raises(ModelError, match="'violet'"):
        untrained.freeze(["violet"])


def test_input_output_and_sum() -> None:
    trained = model(epochs=1)
    np.testing.assert_array_equal(
        trained.table("sum"), trained.table("input") + trained.table("output")
    )
    with pytest.raises(ModelError, match="no table"):
        trained.table("both")
    with pytest.raises(ModelError, match="no output"):
        model(epochs=1, hs=1, negative=0).table("output")


# ----- stopping and files -----


class Stop(Exception):
    pass


@pytest.mark.parametrize("name", ["skip-gram", "tree", "bag of words"])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path, name: str) -> None:
    path = tmp_path / "training.safetensors"
    whole = model(epochs=5, **MODELS[name])

    def stop(history: object) -> None:
        if len(history.losses) == 2:
            raise Stop

    with pytest.raises(Stop):
        model(epochs=5, checkpoint=path, callbacks=[stop], **MODELS[name])
    resumed = model(epochs=5, checkpoint=path, **MODELS[name])
    assert resumed.table().tobytes() == whole.table().tobytes()
    assert resumed.history.losses == whole.history.losses


def test_ctrl_c_keeps_what_is_learned_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(training.Quiet):
        stretches = 0

        def stretch(self, position: training.Position, rate: float) -> None:
            self.stretches += 1
            if self.stretches == 3:
                signal.raise_signal(signal.SIGINT)

    # The core looks up after every piece, of which an epoch has two.
    monkeypatch.setattr(training, "STRETCH", 0.0)
    whole = model(epochs=3)
    path = tmp_path / "training.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(training, "reporter", lambda progress: Interrupting())
        stopped = model(epochs=3, checkpoint=path)
    assert stopped.history.interrupted and stopped.history.reason == "interrupted"
    assert len(stopped.history.losses) == 1
    resumed = model(epochs=3, checkpoint=path)
    stopped.train(sentences(), progress=False)
    for other in (resumed, stopped):
        assert other.table().tobytes() == whole.table().tobytes()
        assert other.history.losses == whole.history.losses


def test_ctrl_c_while_the_core_works_waits_until_the_position_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STRETCH", 0.0)
    whole = model(epochs=3)
    path = tmp_path / "training.safetensors"
    runner_of, runs = Word2Vec._runner, []

    def interrupted(self: Word2Vec, sentences: Any) -> Any:
        runner, words = runner_of(self, sentences)
        run = runner.run

        def run_and_interrupt(*arguments: Any) -> Any:
            outcome = run(*arguments)
            runs.append(outcome)
            if len(runs) == 3:
                signal.raise_signal(signal.SIGINT)
            return outcome

        runner.run = run_and_interrupt
        return runner, words

    with monkeypatch.context() as patch:
        patch.setattr(Word2Vec, "_runner", interrupted)
        stopped = model(epochs=3, checkpoint=path)
    assert stopped.history.interrupted and len(runs) == 3
    resumed = model(epochs=3, checkpoint=path)
    assert resumed.table().tobytes() == whole.table().tobytes()
    assert resumed.history.running_losses == whole.history.running_losses


@pytest.mark.parametrize(
    "options",
    [
        {"ns_exponent": float("nan")},
        {"alpha": "fast"},
        {"sample": "some"},
        {"min_count": "x"},
        {"hs": 2},
        {"sg": "x"},
        {"cbow_mean": 3},
        {"deterministic": "yes"},
    ],
)
def test_a_setting_that_cannot_be_is_named(options: dict[str, Any]) -> None:
    (name, value), *_ = options.items()
    with pytest.raises(ModelError, match=re.escape(f"{name}={value!r} must be ")):
        model(**options)


@pytest.mark.parametrize("callbacks", [print, [3]])
def test_callbacks_are_functions_in_a_list(callbacks: Any) -> None:
    with pytest.raises(ModelError, match="must be a list of functions"):
        model(callbacks=callbacks)


def test_a_checkpoint_without_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "x.safetensors"
    with pytest.raises(CheckpointError, match="nowhere is no folder"):
        Word2Vec(Unreadable(), checkpoint=path)
    with pytest.raises(CheckpointError, match="cannot be written"):
        model(epochs=1).save(path)
    with pytest.raises(CheckpointError, match="nowhere is no folder"):
        model(epochs=1).train(sentences(), checkpoint=path, progress=False)


def test_a_text_that_does_not_start_anew_is_named() -> None:
    class Once:
        def __init__(self) -> None:
            self._left = iter(sentences())

        def __iter__(self) -> Any:
            return self._left

    with pytest.raises(ModelError, match="must start anew"):
        model(Once())
    with pytest.raises(ModelError, match="no word of the text is in the vocabulary"):
        model(epochs=1).train([["unheard", "of"]], progress=False)


def test_given_vectors_are_finite_and_a_string_is_one_word() -> None:
    trained = model(epochs=1)
    with pytest.raises(ModelError, match="the vector of 'red' has numbers that are not finite"):
        trained.start_from({"red": [float("nan")] * 12})
    trained.freeze("red")
    with pytest.raises(ModelError, match="'red blue' is not in the vocabulary"):
        trained.freeze("red blue")


def test_a_line_of_80_letters_has_room_for_the_time_left() -> None:
    screen = io.StringIO()
    bar = training.Bar()
    bar._progress.live.console = Console(file=screen, width=80, force_terminal=True)
    bar.start(training.Plan(0, 12, 0.025, 0.0), 1000, History(words=17_000_000))
    bar.stretch(training.Position(9, 999, 2123.4, 1000, 1.3), 0.000625)
    bar._progress.refresh()
    bar.close()
    assert "13,064k words/s" in screen.getvalue()
    assert re.search(r"words/s.*-:--:--", screen.getvalue())


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    trained = model(epochs=2)
    trained.freeze(["red"])
    trained.save(path)
    loaded = Word2Vec.load(path)
    assert loaded.options == trained.options
    assert loaded.vocabulary.words == trained.vocabulary.words
    for which in ("input", "output"):
        np.testing.assert_array_equal(loaded.table(which), trained.table(which))
    for both in (trained, loaded):
        both.train(sentences(), epochs=1, progress=False)
    np.testing.assert_array_equal(loaded.table(), trained.table())


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saving.write_tables(path, {"a": np.zeros((3, 2), np.float32)}, "test", {})
    before = path.read_bytes()
    with pytest.raises(CheckpointError):
        saving.write_tables(path, {}, "test", {"no": object()})
    with pytest.raises(KeyError):
        saving.write_tables(path, {"a": np.zeros(3, complex)}, "test", {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


class Unreadable:
    """A text that nobody should read."""

    def __iter__(self) -> Iterator[list[str]]:
        pytest.fail("the text was read")


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    model(epochs=1, checkpoint=path)
    with pytest.raises(CheckpointError, match="window"):
        model(epochs=1, checkpoint=path, window=3)
    with pytest.raises(CheckpointError, match="vocabulary"):
        model([["a", "b"]] * 9, epochs=1, checkpoint=path)
    (tmp_path / "damaged").write_bytes(path.read_bytes()[:-5])
    GloVe(sentences(), vector_size=8, epochs=1, checkpoint=tmp_path / "glove", progress=False)
    for name, options, message in (
        (path.name, {"vector_size": 9}, "vector_size=12 there and vector_size=9 here"),
        (path.name, {"sg": 0}, "sg=1 there and sg=0 here"),
        ("damaged", {}, "complete"),
        ("glove", {}, "holds a chainrule glove 1, not a chainrule word2vec 1"),
    ):
        with pytest.raises(CheckpointError, match=message):
            # Found out without a look at the text.
            model(Unreadable(), checkpoint=tmp_path / name, **options)
    with pytest.raises(CheckpointError, match="complete"):
        Word2Vec.load(tmp_path / "damaged")


def test_a_callback_ends_the_training() -> None:
    trained = model(epochs=9, callbacks=[lambda history: len(history.losses) == 4])
    assert len(trained.history.losses) == 4
    assert trained.history.reason == "stopped by a callback"


# ----- errors -----


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        (iter(sentences()), {}, VocabularyError, "only once"),
        ((s for s in sentences()), {}, VocabularyError, "generator"),
        ("red green", {}, VocabularyError, "one string"),
        (5, {}, VocabularyError, "int"),
        ([["a"]], {}, ModelError, "min_count=5"),
        (None, {"negative": 0}, ModelError, "nothing to learn"),
        (None, {"gradient": "wrong"}, ModelError, "exact, historical"),
        (None, {"alpha": 0}, ModelError, "alpha"),
        (None, {"share_negatives": 4, "hs": 1}, ModelError, "share_negatives"),
        (None, {"window": 0}, ChainruleError, "window"),
        (None, {"vector_size": 2.5}, ChainruleError, "vector_size"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    text: object, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        model(text, **options)


@pytest.mark.parametrize("alpha", [50.0, 1e10, 1e20, 1e30])
@pytest.mark.parametrize(
    "options",
    [{"sg": 1}, {"sg": 0, "cbow_mean": 0}, {"hs": 1, "negative": 0}, {"softmax": True}],
)
def test_divergence_is_an_error(alpha: float, options: dict[str, int]) -> None:
    words = rf"in epoch \d+: the vectors have diverged; alpha={re.escape(f'{alpha:g}')} is too"
    with pytest.raises(NonFiniteError, match=words):
        model(epochs=30, alpha=alpha, min_alpha=alpha, **options)


def test_what_the_last_step_does_to_the_vectors_is_seen() -> None:
    trained = model(epochs=1)

    def spoil(history: History) -> None:
        trained.table("output")[2] = np.inf

    with pytest.raises(NonFiniteError, match="table 'output' are not finite after epoch 2"):
        trained.train(sentences(), epochs=1, callbacks=[spoil], progress=False)


def test_training_before_a_vocabulary_and_on_another_one() -> None:
    with pytest.raises(ModelError, match="build_vocab"):
        Word2Vec().train(sentences())
    trained = model(epochs=1)
    with pytest.raises(ModelError, match="no word"):
        trained.train([["unknown"]])
    other = Vocabulary(["a"], [1])
    with pytest.raises(ModelError, match="another vocabulary"):
        trained.train(EncodedCorpus(np.zeros(1, np.int32), np.ones(1, np.int64), other))


@pytest.mark.parametrize("options", [{}, {"hs": 1, "negative": 0}])
def test_a_vocabulary_of_one_word_does_not_crash(options: dict[str, object]) -> None:
    untrained = model([["red", "green"] * 20], epochs=1, **options)
    untrained.build_vocab([["red"] * 20])
    try:
        untrained.train([["red"] * 20], epochs=1, progress=False)
    except ModelError as error:
        assert "nothing was learned" in str(error)
    assert np.isfinite(untrained.table()).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 10**9}, "window=1000000000 must be a whole number of at most 100,000"),
        ({"negative": 2.5}, "negative=2.5 must be a whole number"),
        ({"negative": 10**9}, "at most 100,000"),
        ({"workers": 10**6}, "workers=1000000"),
        ({"share_negatives": 1001}, "share_negatives=1001"),
        ({"sample": float("nan")}, "sample=nan"),
        ({"sample": -1.0}, "sample=-1.0"),
    ],
)
def test_settings_that_the_kernels_have_no_room_for(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        model(**options)


def test_sentences_that_are_strings_are_not_taken_for_lists_of_letters() -> None:
    lines = ["red green blue"] * 10
    for call in (Vocabulary.of, model, lambda text: encode(text, Vocabulary(["r"], [1]))):
        with pytest.raises(VocabularyError, match="'red green blue' is a str"):
            call(lines)


def test_an_empty_text_is_called_so() -> None:
    with pytest.raises(ModelError, match="the text has no words"):
        model([])


@pytest.mark.parametrize(
    ("text", "sample"), [([["red"], ["green"]] * 50, 0), ([["red", "green"]] * 50, 1e-9)]
)
def test_a_training_that_learns_nothing_is_an_error(text: object, sample: float) -> None:
    with pytest.raises(ModelError, match="nothing was learned"):
        model(text, sample=sample, epochs=2)


def test_a_checkpoint_goes_on_for_as_many_epochs_as_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    assert model(epochs=2, checkpoint=path).history.epochs == 2
    longer = model(epochs=5, checkpoint=path)
    assert longer.history.epochs == 5
    assert longer.history.rates[2] > longer.history.rates[-1] > 0
    same = model(epochs=5, checkpoint=path)
    np.testing.assert_array_equal(same.table(), longer.table())
    assert model(epochs=3, checkpoint=path).history.epochs == 5


def test_the_sum_is_frozen_by_both_tables() -> None:
    trained = model(epochs=1)
    before = trained.table("sum").copy()
    trained.freeze(["red"], "sum")
    trained.train(sentences(), epochs=1, progress=False)
    red, one = trained.vocabulary.index["red"], trained.vocabulary.index["one"]
    np.testing.assert_array_equal(trained.table("sum")[red], before[red])
    assert not np.array_equal(trained.table("sum")[one], before[one])
