"""chainrule, through its public ``Corpus``, ``Word2Vec`` and ``GloVe``."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.timing import Clock, Timing
from harness.workers import bind_to_one_core

bind_to_one_core()

import numpy as np  # noqa: E402

from chainrule.embed.corpus import Corpus  # noqa: E402
from chainrule.embed.glove import GloVe  # noqa: E402
from chainrule.embed.word2vec import Word2Vec  # noqa: E402
from words.contestant import Learned, serve_learner  # noqa: E402
from words.roster import CBOW, COUNTING, GLOVE, SKIPGRAM, TREE, Setting  # noqa: E402


def learn(setting: Setting, text: Path) -> Learned:
    """From a text file to vectors."""
    corpus = Corpus(text, progress=False)
    if setting.model == COUNTING:
        corpus.encode(corpus.vocabulary(min_count=5))
        return Learned()
    model = make(setting)
    model.build_vocab(corpus)
    ends: list[Timing] = []
    model.train(
        corpus,
        progress=False,
        callbacks=[lambda _: ends.append(Timing(time.perf_counter(), time.process_time()))],
    )
    # An epoch lies between two ends; before the first there is also what is prepared.
    epochs = [Timing(b.wall - a.wall, b.cpu - a.cpu) for a, b in pairwise(ends)]
    return Learned(model.vocabulary.words, model.table(), epochs[:1] + epochs)


def make(setting: Setting) -> Any:
    """The model, untrained."""
    common = {
        "vector_size": setting.size,
        "window": setting.window,
        "epochs": setting.epochs,
        "seed": setting.seed,
        "workers": setting.threads,
    }
    if setting.model == GLOVE:
        return GloVe(x_max=10, **common)
    tree = setting.model == TREE
    return Word2Vec(
        sg=int(setting.model in (SKIPGRAM, TREE)),
        hs=int(tree),
        negative=0 if tree else 5,
        sample=setting.sample,
        share_negatives=setting.share,
        **common,
    )


def arithmetic(setting: dict[str, Any], text: str) -> float:
    """Floating-point operations of an epoch per word of the text, from some of its pieces.

    A row of one side that meets a row of the other costs a product and two additions of a multiple,
    of 2 operations a number each; where windows share negatives, a row meets each of them once.
    """
    chosen = Setting(**setting)
    corpus = Corpus(Path(text), progress=False)
    model = make(chosen)
    model.build_vocab(corpus)
    runner, _ = model._runner(corpus)
    operations = 0
    pieces = np.unique(np.linspace(0, runner.pieces - 1, 12).astype(int))
    for piece in pieces:
        for group in runner.windows(0, int(piece)).groups():
            count = len(group.contexts)
            if setting["model"] == CBOW:  # Rows around a centre are summed first, and share after.
                words = sum(len(contexts) for contexts in group.contexts)
                operations += chosen.size * (6 * count * len(group.targets) + 2 * words)
                continue
            rows = len(np.unique(np.concatenate(group.contexts)))
            own = count if count > 1 else 0
            met = rows * (len(group.targets) - own)
            met += sum(len(np.unique(contexts)) for contexts in group.contexts) if own else 0
            operations += 6 * chosen.size * met
    # A piece has as many words of the text as any other.
    return operations / len(pieces) * runner.pieces / corpus.total


def peak() -> float:
    """Floating-point operations in a second: what a product of large matrices reaches."""
    a = np.random.default_rng(0).random((768, 768), np.float32)
    best = np.inf
    clock = Clock()
    for _ in range(8):
        with clock:
            a @ a
        best = min(best, clock.timing.cpu)
    return 2 * 768**3 / best


if __name__ == "__main__":
    serve_learner(learn, {"arithmetic": arithmetic, "peak": peak})
