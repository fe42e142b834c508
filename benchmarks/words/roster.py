"""Who takes part in benchmarks/embeddings.py, and in what."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

OURS, FAST, GENSIM = "chainrule", "chainrule, 4 centres", "gensim"
# Takes turns with the others where all cores are used, to tell what more threads bring.
ALONE = "chainrule, one thread"
# Programs that cannot be given a seed: another one is the same text from another line on.
UNSEEDED = ("word2vec.c", "pWord2Vec")
# Our epochs are timed after the first, and the mean counts: some take a tenth of a second.
EPOCHS = 6
SKIPGRAM, CBOW, TREE = "skip-gram", "CBOW", "hierarchical softmax"
GLOVE, COUNTING = "GloVe", "vocabulary and encoding"
MODELS = [SKIPGRAM, CBOW, TREE, GLOVE, COUNTING]


@dataclass(frozen=True)
class Entry:
    """A contestant: how tables call it, and its worker or the program a user has built.

    Attributes:
        name: in tables.
        models: what it takes part in.
        module: of its worker; "" for a program.
        package: what the worker imports.
        program: the path of the program; for GloVe's four, their folder.
        share: windows that share their negatives.
        threads: as many as it always has; 0 for as many as the setting says.
        epochs: it is timed with so many, where one is too short for a clock on a machine with
            other users; 0 for as many as the setting says.
    """

    name: str
    models: tuple[str, ...]
    module: str = ""
    package: str = ""
    program: Path | None = None
    share: int = 1
    threads: int = 0
    epochs: int = 0

    @property
    def present(self) -> bool:
        """Whether it can be run here."""
        if self.program is not None:
            return self.program.exists()
        return importlib.util.find_spec(self.package) is not None

    def own(self, setting: Setting) -> Setting:
        """A setting as this contestant has it."""
        return replace(setting, share=self.share, threads=self.threads or setting.threads)

    def timed(self, setting: Setting) -> Setting:
        """The same for measuring how fast it is."""
        return replace(self.own(setting), epochs=self.epochs or setting.epochs)


def roster(programs: dict[str, Path | None]) -> list[Entry]:
    """All contestants: the libraries, and those programs whose path is given."""
    predicting = (SKIPGRAM, CBOW, TREE)
    entries = [
        Entry(OURS, tuple(MODELS), "words.chainrule", "chainrule", epochs=EPOCHS),
        Entry(FAST, (SKIPGRAM,), "words.chainrule", "chainrule", share=4, epochs=EPOCHS),
        Entry(ALONE, predicting, "words.chainrule", "chainrule", threads=1, epochs=EPOCHS),
        Entry(GENSIM, (*predicting, COUNTING), "words.gensim", "gensim"),
    ]
    models = {
        "word2vec.c": predicting,
        "pWord2Vec": (SKIPGRAM,),
        "fastText": predicting,
        "GloVe": (GLOVE,),
    }
    for name, path in programs.items():
        if path is not None:
            entries.append(Entry(name, models[name], program=path))
    return entries


@dataclass(frozen=True)
class Setting:
    """What is learned: the same for all contestants.

    Attributes:
        model: one of ``MODELS``.
        size: numbers in a vector.
        threads: how many may work.
        epochs: passes over the text.
        seed: where the contestant takes one.
        share: windows that share their negatives; of chainrule's fast mode.
    """

    model: str
    size: int
    threads: int
    epochs: int
    seed: int = 1
    share: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Plain values; ``Setting(**values)`` is the way back."""
        return dict(vars(self))

    @property
    def sample(self) -> float:
        """Words more frequent than this share of the text are thinned out."""
        return 1e-3

    @property
    def window(self) -> int:
        """Words on each side: the defaults of word2vec and of GloVe."""
        return 15 if self.model == GLOVE else 5
