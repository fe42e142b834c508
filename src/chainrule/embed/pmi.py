"""Pointwise mutual information: how much more often words meet than by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.embed.counts import CountError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def pmi(
    counts: Any, *, positive: bool = True, shift: float = 1.0, smoothing: float = 1.0
) -> csr_array:
    """PMI(w, c) = ln (#(w, c) #total / (#w #c)) of pairs that were seen, and 0 for all others.

    Args:
        counts: how often words (rows) and contexts (columns) meet; a sparse matrix or an array.
        positive: whether what is below 0 becomes 0: PPMI. Without that a pair never seen, which
            should have minus infinity, stands above pairs that were seen too seldom.
        shift: k of the shifted PMI - ln k; skip-gram with k negatives approaches such a matrix.
        smoothing: the exponent of the contexts' counts, which makes rare contexts less surprising:
            #c^a / sum #c^a in place of #c / #total; 0.75 is usual, 1 leaves them as they are.

    Returns:
        scipy.sparse.csr_array of float64, the shape of ``counts``.

    Raises:
        CountError: for counts below 0 or not finite, a shift not above 0, or a smoothing below 0.

    Sources: K. Church and P. Hanks, Word association norms, mutual information and lexicography
    (1990); O. Levy and Y. Goldberg, Neural word embedding as implicit matrix factorization (2014);
    O. Levy, Y. Goldberg and I. Dagan, Improving distributional similarity with lessons learned from
    word embeddings (2015).

    >>> pmi([[2, 1], [1, 0]]).toarray().round(3).tolist()
    [[0.0, 0.288], [0.288, 0.0]]
    """
    from scipy.sparse import csr_array

    if not shift > 0 or not smoothing >= 0:
        raise CountError(f"shift={shift} must be above 0, and smoothing={smoothing} not below 0")
    result = csr_array(counts, dtype=np.float64, copy=True)
    result.sum_duplicates()
    values = result.data
    if not np.isfinite(values).all() or (values < 0).any():
        raise CountError("counts must be finite and not below 0")
    result.eliminate_zeros()
    rows = result.sum(axis=1)
    columns = result.sum(axis=0) ** smoothing
    total = columns.sum()
    with np.errstate(divide="ignore"):
        row_logarithms = np.log(rows)
        column_logarithms = np.log(columns / total)
    values = np.log(result.data)
    values -= np.repeat(row_logarithms, np.diff(result.indptr))
    values -= column_logarithms[result.indices]
    values -= np.log(shift)
    result.data = np.maximum(values, 0.0) if positive else values
    # A value of exactly 0 need not be stored.
    result.eliminate_zeros()
    return result
