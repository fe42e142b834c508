"""What can be chosen about a fit, and what is chosen where nothing is said.

The defaults were tried on tables of 900 to 50 000 rows: wide enough to use, small enough that a
laptop trains them in seconds, with a little dropout and weight decay, because tables are small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from chainrule.tabular.errors import TableError
from chainrule.tabular.splitting import FRACTIONS
from chainrule.tabular.targets import Task

SMALLEST_BATCH, LARGEST_BATCH = 32, 512
BATCHES_AN_EPOCH = 100
STEPS = 5000
"""Steps of a whole training, from which the number of epochs follows."""

FEWEST_EPOCHS, MOST_EPOCHS = 15, 100


@dataclass(frozen=True)
class FitOptions:
    """The choices of a fit; None leaves one to `chosen_for`.

    Attributes:
        task: "binary", "multiclass" or "regression"; None tells it from the target.
        positive: the label whose probability is predicted, of two.
        hidden: widths of the hidden layers; an empty tuple is logistic or linear regression.
        activation: of the hidden layers, a name that `chainrule.nn` knows.
        dropout: share of hidden values dropped in training.
        optimiser: a name that `chainrule.train` knows.
        rate: learning rate at the start; it falls to 0 along half a cosine.
        weight_decay: decay of the weights with AdamW, strength of the L2 penalty with others.
        clip: the largest norm of all gradients together; None is no bound.
        batch: rows in a step.
        epochs: passes over the training rows at most.
        patience: epochs without a better validation loss, after which training ends.
        seed: of the split, the weights, the order of rows, dropout and the bootstrap.
        validation_fraction, test_fraction: shares of the rows; the rest is trained on.
        group_by: a column whose rows with one value stay in one part; it is no feature.
        order_by: a column to split in the order of, the last rows being the test.
        categories, numbers, ignore: columns to treat so, whatever is in them.
        trees: whether to train boosted trees as a reference too.
        resamples: of the bootstrap.
        threads: for the training, matrix products (BLAS) and boosted trees; None leaves it to the
            libraries. A network of this size gains nothing from more than one, and loses on a busy
            machine.
    """

    task: Task | None = None
    positive: str | None = None
    hidden: tuple[int, ...] = (128, 64)
    activation: str = "relu"
    dropout: float = 0.1
    optimiser: str = "adamw"
    rate: float | None = None
    weight_decay: float | None = None
    clip: float | None = None
    batch: int | None = None
    epochs: int | None = None
    patience: int = 10
    seed: int = 0
    validation_fraction: float = FRACTIONS[1]
    test_fraction: float = FRACTIONS[2]
    group_by: str | None = None
    order_by: str | None = None
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    trees: bool = False
    resamples: int = 1000
    threads: int | None = 1

    def __post_init__(self) -> None:
        if not 0 < self.validation_fraction < 1 or not 0 < self.test_fraction < 1:
            raise TableError(
                f"the fractions of validation and test rows ({self.validation_fraction:g} and "
                f"{self.test_fraction:g}) must each lie between 0 and 1: without these rows, "
                "neither early stopping nor an honest score is possible"
            )
        if self.fractions[0] < 1e-9:
            raise TableError(
                f"{self.validation_fraction:g} of the rows for validation and "
                f"{self.test_fraction:g} for the test leave none to train on"
            )

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Shares of training, validation and test rows."""
        rest = 1.0 - self.validation_fraction - self.test_fraction
        return (rest, self.validation_fraction, self.test_fraction)

    def chosen_for(self, task: Task, rows: int) -> FitOptions:
        """The same options with nothing left open.

        - batch: about a hundredth of the training rows, a power of two from 32 to 512;
        - epochs: as many as make some thousand steps, from 15 to 100;
        - rate: with Adam and AdamW, 0.001 for classes and 0.005 for numbers, whose loss keeps
          falling for longer; others have a usual one;
        - weight decay: 0.1 with AdamW, else none.

        >>> chosen = FitOptions().chosen_for("binary", rows=31_259)
        >>> chosen.batch, chosen.epochs, chosen.rate, chosen.weight_decay
        (256, 40, 0.001, 0.1)
        """
        batch = self.batch
        if batch is None:
            batch = 2 ** round(math.log2(max(rows / BATCHES_AN_EPOCH, 1)))
            batch = min(max(batch, SMALLEST_BATCH), LARGEST_BATCH)
        epochs = self.epochs
        if epochs is None:
            epochs = min(max(STEPS // max(rows // batch, 1), FEWEST_EPOCHS), MOST_EPOCHS)
        rate = self.rate
        if rate is None and self.optimiser in ("adam", "adamw"):
            rate = 0.005 if task == "regression" else 0.001
        decay = self.weight_decay
        if decay is None:
            decay = 0.1 if self.optimiser == "adamw" else 0.0
        return replace(self, task=task, batch=batch, epochs=epochs, rate=rate, weight_decay=decay)
