"""Models of words that are trained at a rate that falls from ``alpha`` to ``min_alpha``."""

from __future__ import annotations

import os
from typing import Any

from chainrule.embed.model import Callbacks, ModelError, WordModel
from chainrule.embed.training import History


def check_rates(alpha: float, min_alpha: float) -> None:
    """Raise ``ModelError`` for rates that do not fall to something of at least 0."""
    if not alpha > 0 or not 0 <= min_alpha <= alpha:
        raise ModelError(
            f"the rate falls from alpha={alpha} to min_alpha={min_alpha}: both must be positive, "
            "and min_alpha the smaller one"
        )


class FallingRateModel(WordModel):
    """A model whose options have ``alpha`` and ``min_alpha``."""

    def train(
        self,
        sentences: Any,
        *,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        callbacks: Callbacks = (),
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> History:
        """Train on a text, the one the vocabulary is from or another; again to train on.

        After Ctrl-C, the same call goes on where it stopped.

        Args:
            sentences: as for the class.
            epochs: passes over the text.
            start_alpha: the rate at the beginning.
            end_alpha: the rate at the end.
            callbacks, checkpoint, progress: as for the class.

        Raises:
            ModelError: before ``build_vocab``, or for a text without any known word.
            NonFiniteError: where the vectors diverge.
        """
        o = self.options
        rate = o.alpha if start_alpha is None else start_alpha
        final_rate = o.min_alpha if end_alpha is None else end_alpha
        return self._train(sentences, epochs, rate, final_rate, callbacks, checkpoint, progress)
