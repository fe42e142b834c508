"""Descent over the windows of a text: the native core, or NumPy where it is not built."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chainrule.embed.encoded import EncodedCorpus
from chainrule.embed.sampling import Paths, Uses
from chainrule.embed.training import Runner
from chainrule.embed.windows import Drawing, Group, Windows
from chainrule.run import native

# Words of the text in a piece: what is drawn at a time, and done before a training can stop.
PIECE = 2048
# The loss of a text is measured on one in so many of its pieces, but on so many at least. The
# windows are those of an epoch that no training reaches.
MEASURED_OF, LEAST_MEASURED = 64, 16
MEASURED_EPOCH = 2**64 - 1


@dataclass(frozen=True)
class Settings:
    """How windows are drawn and what is learned from them.

    Attributes:
        drawing: of the windows and their targets.
        cbow: whether the contexts predict together; else each of them does.
        mean: CBOW: whether by their mean, or their sum.
        divided: CBOW: whether each context word moves by its share of what the mean or sum does.
        softmax: whether to predict among all words, instead of the targets.
        unit_norm: whether vectors of length 1 should be like their neighbours', see ``unit_norm``.
        contrast: how much the negatives count then.
        workers: threads.
        deterministic: whether several threads always give the same result.
        piece: words of the text in a piece.
    """

    drawing: Drawing
    cbow: bool = False
    mean: bool = True
    divided: bool = True
    softmax: bool = False
    unit_norm: bool = False
    contrast: float = 0.0
    workers: int = 1
    deterministic: bool = False
    piece: int = PIECE


@dataclass(frozen=True, eq=False)
class Material:
    """What is learned from and what learns.

    Attributes:
        corpus: the text.
        keep: see ``sampling.keep_thresholds``.
        alias: see ``sampling.alias_table``; None without negatives.
        paths: None without a tree.
        input: a table of ``tables.empty_table``, changed in place.
        output: another.
        size: of a vector.
        frozen_input: uint8, 1 for each row that must not change; or None.
        frozen_output: the same.
        uses: where several threads should have rows of their own, how often rows are used.
    """

    corpus: EncodedCorpus
    keep: np.ndarray
    alias: np.ndarray | None
    paths: Paths | None
    input: np.ndarray
    output: np.ndarray
    size: int
    frozen_input: np.ndarray | None = None
    frozen_output: np.ndarray | None = None
    uses: Uses | None = None


class Descent(Runner, Protocol):
    """What both implementations offer: they work off the pieces of a text."""

    def windows(self, epoch: int, piece: int) -> Windows:
        """The windows of a piece."""

    def descend(
        self, epoch: int, piece: int, first: int, last: int, rate: float
    ) -> tuple[float, int]:
        """One step for each of the groups [first, last) of a piece: (loss, predictions)."""


def measured_pieces(pieces: int) -> list[int]:
    """On which of its pieces the loss of a text is measured: some everywhere.

    >>> measured_pieces(3), len(measured_pieces(6400))
    ([0, 1, 2], 100)
    """
    count = min(max(pieces // MEASURED_OF, LEAST_MEASURED), pieces)
    return [(2 * i + 1) * pieces // (2 * count) for i in range(count)]


def descent(material: Material, settings: Settings) -> Descent:
    """The faster implementation that is there."""
    if native.available():
        return NativeDescent(material, settings)
    native.say_missing()
    return NumpyDescent(material, settings)


class NativeDescent(Descent):
    """By the kernels of the native core."""

    def __init__(self, material: Material, settings: Settings) -> None:
        from chainrule._native import words

        paths = material.paths
        ends, nodes, codes = (paths.ends, paths.nodes, paths.codes) if paths else (None,) * 3
        self._training = words.Training(
            np.ascontiguousarray(material.corpus.ids, np.int32),
            np.ascontiguousarray(material.corpus.ends, np.int64),
            material.keep,
            material.alias,
            ends,
            nodes,
            codes,
            material.input,
            material.output,
            material.frozen_input,
            material.frozen_output,
            material.uses and material.uses.input,
            material.uses and material.uses.output,
            {
                **dataclasses.asdict(settings.drawing),
                "cbow": settings.cbow,
                "mean": settings.mean,
                "divided": settings.divided,
                "softmax": settings.softmax,
                "unit_norm": settings.unit_norm,
                "contrast": settings.contrast,
                "workers": settings.workers,
                "deterministic": settings.deterministic,
                "piece": settings.piece,
                "stride": material.input.shape[1],
                "size": material.size,
            },
        )
        self.pieces: int = self._training.pieces

    def run(
        self, epoch: int, first: int, rate: float, final_rate: float, seconds: float
    ) -> tuple[int, float, int]:
        """See ``Descent``."""
        return self._training.run(epoch, first, rate, final_rate, seconds)

    def settle(self) -> None:
        """See ``Descent``."""
        self._training.settle()

    def measure(self) -> tuple[float, int]:
        """See ``Descent``."""
        return self._training.measure(MEASURED_EPOCH, measured_pieces(self.pieces))

    def windows(self, epoch: int, piece: int) -> Windows:
        """See ``Descent``."""
        return Windows.of_native(self._training.draw(epoch, piece))

    def descend(
        self, epoch: int, piece: int, first: int, last: int, rate: float
    ) -> tuple[float, int]:
        """See ``Descent``."""
        return self._training.descend(epoch, piece, first, last, rate)


class NumpyDescent(Descent):
    """The same with NumPy, in one thread."""

    def __init__(self, material: Material, settings: Settings) -> None:
        self._material = material
        self._settings = settings
        self.pieces: int = -(-len(material.corpus.ids) // settings.piece)

    def run(
        self, epoch: int, first: int, rate: float, final_rate: float, seconds: float
    ) -> tuple[int, float, int]:
        """See ``Descent``."""
        until = time.perf_counter() + seconds
        total, predictions, piece = 0.0, 0, first
        while piece < self.pieces:
            done = piece * self._settings.piece / len(self._material.corpus.ids)
            for group in self.windows(epoch, piece).groups():
                loss, count = self._step(group, rate + (final_rate - rate) * done)
                total, predictions = total + loss, predictions + count
            piece += 1
            if time.perf_counter() >= until:
                break
        return piece, total, predictions

    def measure(self) -> tuple[float, int]:
        """See ``Descent``."""
        steps = [
            self._step(group, 0.0)
            for piece in measured_pieces(self.pieces)
            for group in self.windows(MEASURED_EPOCH, piece).groups()
        ]
        return sum(loss for loss, _ in steps), sum(count for _, count in steps)

    def windows(self, epoch: int, piece: int) -> Windows:
        """See ``Descent``."""
        m, length = self._material, self._settings.piece
        begin = piece * length
        tree = (m.paths.ends, m.paths.nodes, m.paths.codes) if m.paths else None
        end = min(begin + length, len(m.corpus.ids))
        return self._settings.drawing.draw(
            m.corpus.ids, m.corpus.ends, m.keep, m.alias, tree, epoch, begin, end
        )

    def descend(
        self, epoch: int, piece: int, first: int, last: int, rate: float
    ) -> tuple[float, int]:
        """See ``Descent``."""
        groups = list(self.windows(epoch, piece).groups())[first:last]
        steps = [self._step(group, rate) for group in groups]
        return sum(loss for loss, _ in steps), sum(count for _, count in steps)

    def _step(self, group: Group, rate: float) -> tuple[float, int]:
        """Move both tables against the gradient of a group's loss, taken before it."""
        m, s = self._material, self._settings
        if s.unit_norm:
            return self._unit_step(group, rate)
        own = len(group.contexts) if len(group.contexts) > 1 else 0
        given_input: list[tuple[np.ndarray, np.ndarray]] = []
        given_output: list[tuple[np.ndarray, np.ndarray]] = []
        loss, predictions = 0.0, 0
        for k, contexts in enumerate(group.contexts):
            rows = m.input[contexts].astype(float)
            x = rows if not s.cbow else (rows.mean if s.mean else rows.sum)(axis=0, keepdims=True)
            if s.softmax:
                targets = np.arange(len(m.corpus.vocabulary))
                y = m.output[targets].astype(float)
                scores = x @ y.T
                scores -= scores.max(axis=1, keepdims=True)
                logarithms = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
                loss -= logarithms[:, group.centres[k]].sum()
                moves = rate * ((targets == group.centres[k]) - np.exp(logarithms))
            else:
                chosen = [k, *range(own, len(group.targets))] if own else slice(None)
                targets, labels = group.targets[chosen], group.labels[chosen]
                y = m.output[targets].astype(float)
                scores = x @ y.T
                loss += (np.logaddexp(0.0, scores) - labels * scores).sum()
                moves = rate * (labels - 1.0 / (1.0 + np.exp(-scores)))
            given = moves @ y
            if s.cbow:
                given = np.repeat(given / len(rows) if s.divided else given, len(rows), axis=0)
            given_input.append((contexts, given))
            given_output.append((targets, moves.T @ x))
            predictions += len(x)
        if not rate:
            return float(loss), predictions
        for table, frozen, gains in (
            (m.input, m.frozen_input, given_input),
            (m.output, m.frozen_output, given_output),
        ):
            for rows_of, gain in gains:
                free = slice(None) if frozen is None else frozen[rows_of] == 0
                np.add.at(table, rows_of[free], gain[free].astype(np.float32))
        return float(loss), predictions

    def _unit_step(self, group: Group, rate: float) -> tuple[float, int]:
        """The same for a word between its neighbours, whose rows are brought back to length 1."""
        m, contexts, negatives = self._material, group.contexts[0], group.targets[1:]
        if len(contexts) != 2:
            return 0.0, 0
        shares = np.full(len(negatives), -self._settings.contrast / max(len(negatives), 1))
        rows = np.concatenate([contexts, negatives])
        shares = np.concatenate([[0.5, 0.5], shares])
        centre = int(group.centres[0])
        c, x = m.input[centre].astype(float), m.input[rows].astype(float)
        loss = float(1.0 - shares @ (x @ c))
        if not rate:
            return loss, 1
        gains = np.concatenate([rate * shares[:, None] * c, [rate * shares @ x]])
        moved = np.append(rows, centre)
        distinct, place = np.unique(moved, return_inverse=True)
        after = m.input[distinct].astype(float)
        np.add.at(after, place, gains)
        after /= np.linalg.norm(after, axis=1, keepdims=True)
        free = slice(None) if m.frozen_input is None else m.frozen_input[distinct] == 0
        m.input[distinct[free]] = after[free]
        return loss, 1
