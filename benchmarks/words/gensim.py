"""gensim, reading the text file by its own C++ code."""

from __future__ import annotations

import time
from pathlib import Path

from harness.timing import Timing
from harness.workers import bind_to_one_core

bind_to_one_core()

from gensim.models import Word2Vec  # noqa: E402
from gensim.models.callbacks import CallbackAny2Vec  # noqa: E402

from words.contestant import Learned, serve_learner  # noqa: E402
from words.roster import CBOW, COUNTING, TREE, Setting  # noqa: E402


class Epochs(CallbackAny2Vec):
    """Times each epoch."""

    def __init__(self) -> None:
        self.timings: list[Timing] = []
        self._from = (0.0, 0.0)

    def on_epoch_begin(self, model: Word2Vec) -> None:
        """Start the clocks."""
        self._from = (time.perf_counter(), time.process_time())

    def on_epoch_end(self, model: Word2Vec) -> None:
        """Stop them."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.timings.append(Timing(wall - self._from[0], cpu - self._from[1]))


def learn(setting: Setting, text: Path) -> Learned:
    """From a text file to vectors."""
    tree = setting.model == TREE
    model = Word2Vec(
        vector_size=setting.size,
        window=setting.window,
        min_count=5,
        sample=setting.sample,
        sg=int(setting.model != CBOW),
        hs=int(tree),
        negative=0 if tree else 5,
        epochs=setting.epochs,
        seed=setting.seed,
        workers=setting.threads,
    )
    model.build_vocab(corpus_file=str(text))
    if setting.model == COUNTING:
        return Learned()
    epochs = Epochs()
    model.train(
        corpus_file=str(text),
        total_words=model.corpus_total_words,
        epochs=setting.epochs,
        callbacks=[epochs],
    )
    return Learned(model.wv.index_to_key, model.wv.vectors, epochs.timings)


if __name__ == "__main__":
    serve_learner(learn)
