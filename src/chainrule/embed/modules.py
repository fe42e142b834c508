"""The models of words as modules over the graph: what the native kernels compute, to be read.

Each module's ``forward`` is the summed loss of one window with its targets. A step of gradient
descent on it is what the kernels do for that window; the tests hold the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import functions
from chainrule.nn.module import Module
from chainrule.tracing.parameter import Parameter, unwrapped


@dataclass(eq=False, repr=False)
class SkipGram(Module):
    """Every word around a centre predicts the centre's targets: yes for the centre, no for others.

    The targets are words (negative sampling) or nodes of Huffman's tree (hierarchical softmax).

    Args:
        input: a table, a vector for each word.
        output: a table, a vector for each target.

    Source: T. Mikolov and others, Distributed representations of words and phrases (2013).

    >>> model = SkipGram(Parameter(np.ones((4, 2))), Parameter(np.zeros((4, 2))))
    >>> round(float(model([1, 2], [0, 3], [1.0, 0.0])), 4)  # four times ln 2
    2.7726
    """

    input: Parameter
    output: Parameter

    def forward(self, contexts: Any, targets: Any, labels: Any) -> Any:
        """sum over pairs of ln(1 + exp(x . y)) - label x . y"""
        x = unwrapped(self.input)[np.asarray(contexts)]
        y = unwrapped(self.output)[np.asarray(targets)]
        scores = np.matmul(x, y.T)
        return (functions.softplus(scores) - scores * labels).sum()


@dataclass(eq=False, repr=False)
class SkipGramSoftmax(Module):
    """Every word around a centre predicts the centre among all words.

    Args:
        input: a table, a vector for each word.
        output: another.
    """

    input: Parameter
    output: Parameter

    def forward(self, contexts: Any, centre: Any) -> Any:
        """The summed cross-entropy."""
        x = unwrapped(self.input)[np.asarray(contexts)]
        scores = np.matmul(x, unwrapped(self.output).T)
        return -functions.log_softmax(scores)[:, centre].sum()


@dataclass(eq=False, repr=False)
class BagOfWords(Module):
    """The mean of the words around a centre, or their sum, predicts the centre's targets.

    Args:
        input: a table, a vector for each word.
        output: a table, a vector for each target.
        mean: whether it is the mean.
    """

    input: Parameter
    output: Parameter
    mean: bool = True

    def forward(self, contexts: Any, targets: Any, labels: Any) -> Any:
        """sum over targets of ln(1 + exp(h . y)) - label h . y"""
        scores = np.matmul(unwrapped(self.output)[np.asarray(targets)], self.hidden(contexts))
        return (functions.softplus(scores) - scores * labels).sum()

    def hidden(self, contexts: Any) -> Any:
        """The mean or sum."""
        x = unwrapped(self.input)[np.asarray(contexts)]
        return x.mean(axis=0) if self.mean else x.sum(axis=0)


@dataclass(eq=False, repr=False)
class BagOfWordsSoftmax(BagOfWords):
    """The mean of the words around a centre, or their sum, predicts the centre among all words."""

    def forward(self, contexts: Any, centre: Any) -> Any:  # type: ignore[override]
        """The cross-entropy."""
        scores = np.matmul(unwrapped(self.output), self.hidden(contexts))
        return -functions.log_softmax(scores)[centre]


@dataclass(eq=False, repr=False)
class GloVe(Module):
    """Products of vectors that approach logarithms of counts, the frequent ones more closely.

    Args:
        input, output: tables, a vector for each word.
        input_bias, output_bias: a number for each word.
        x_max: counts from here on have the weight 1.
        exponent: of count / x_max below that.

    Source: J. Pennington, R. Socher and C. Manning, GloVe (2014).
    """

    input: Parameter
    output: Parameter
    input_bias: Parameter
    output_bias: Parameter
    x_max: float = 100.0
    exponent: float = 0.75

    def forward(self, rows: Any, columns: Any, counts: Any) -> Any:
        """sum of f(X) (w . c + b + d - ln X)^2 / 2"""
        x, y = unwrapped(self.input)[rows], unwrapped(self.output)[columns]
        biases = unwrapped(self.input_bias)[rows] + unwrapped(self.output_bias)[columns]
        difference = (x * y).sum(axis=-1) + biases - np.log(counts)
        weight = np.minimum(np.asarray(counts) / self.x_max, 1.0) ** self.exponent
        return (weight * difference**2).sum() / 2


@dataclass(eq=False, repr=False)
class UnitNorm(Module):
    """A word's vector, of length 1, should be like the mean of its two neighbours'.

    Args:
        vectors: a table of unit vectors.
        contrast: how much it should be unlike the mean of some other words'.
    """

    vectors: Parameter
    contrast: float = 0.0

    def forward(self, left: Any, centre: Any, right: Any, others: Any = ()) -> Any:
        """J = 1 - w_j . (w_{j-1} + w_{j+1}) / 2 + contrast w_j . (mean of the others)"""
        w = unwrapped(self.vectors)
        loss = 1.0 - np.dot(w[centre], w[left] + w[right]) / 2
        if len(others):
            loss = loss + self.contrast * np.dot(w[centre], w[np.asarray(others)].mean(axis=0))
        return loss
