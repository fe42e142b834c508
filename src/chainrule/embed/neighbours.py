"""The rows of a table that lie nearest to some directions: blocks of matrix products, one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

# Numbers in a block of scores or of a table: 8 MB.
BLOCK = 1 << 21
# Queries that go through the table together.
TOGETHER = 1024
# Added to the divisor of 3CosMul, as its authors do.
EPSILON = np.float32(1e-6)
# Outside these, float32 sums of squares lose digits or overflow.
SMALLEST, LARGEST = 1e-15, 1e18


def inverse_norms(table: np.ndarray) -> np.ndarray:
    """One over the length of each row, float32 of shape (rows,).

    It is 0 for a row of zeros, or one shorter than 1e-38, and NaN where a number is not finite.

    >>> inverse_norms(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [0.20000000298023224, 0.0]
    """
    result = np.empty(len(table), np.float32)
    step = max(1, BLOCK // max(1, table.shape[1]))
    for first in range(0, len(table), step):
        block = table[first : first + step]
        with np.errstate(over="ignore", under="ignore"):
            norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        odd = np.flatnonzero(~((norms > SMALLEST) & (norms < LARGEST)))
        exact = norms.astype(np.float64)
        exact[odd] = np.linalg.norm(block[odd].astype(np.float64), axis=1)
        exact[~np.isfinite(exact)] = np.nan
        with np.errstate(divide="ignore"):
            inverse = 1.0 / exact
        inverse[exact < np.finfo(np.float32).tiny] = 0.0
        result[first : first + step] = inverse
    return result


def nearest(
    table: np.ndarray,
    inverse: np.ndarray,
    queries: np.ndarray,
    count: int,
    excluded: Sequence[Sequence[int]] | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each query, the rows with the largest cosines.

    Args:
        table: (rows, size) float32.
        inverse: (rows,) what ``inverse_norms`` gives for it.
        queries: (queries, size) float32 of length one.
        count: rows that are wanted for each query.
        excluded: rows that are not wanted, for each query.

    Returns:
        A pair (rows, cosines) for each query, by falling cosine, equal ones by their row.

    >>> table = np.array([[1, 0], [0, 2], [3, 3]], np.float32)
    >>> [(rows, cosines)] = nearest(table, inverse_norms(table), table[:1], 2, [[0]])
    >>> rows.tolist(), cosines.round(3).tolist()
    ([2, 1], [0.7070000171661377, 0.0])
    """
    results = []
    for start in range(0, len(queries), TOGETHER):
        chunk = queries[start : start + TOGETHER]
        without = [[] for _ in chunk] if excluded is None else excluded[start : start + TOGETHER]

        def cosines(first: int, last: int, chunk: np.ndarray = chunk) -> np.ndarray:
            products = chunk @ table[first:last].T
            products *= inverse[first:last]
            return products

        results += best(cosines, len(chunk), len(table), count, without)
    return results


def best(
    scores: Callable[[int, int], np.ndarray],
    queries: int,
    rows: int,
    count: int,
    excluded: Sequence[Sequence[int]],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each query, the rows with the largest scores; as for ``nearest``.

    Args:
        scores: the scores of the rows [first, last): (queries, last - first) float32.
        queries, rows: how many there are.
        count, excluded: as for ``nearest``.
    """
    wanted = min(rows, count + max((len(each) for each in excluded), default=0))
    kept = np.full((queries, wanted), -np.inf, np.float32)
    places = np.full((queries, wanted), -1, np.int64)
    step = max(BLOCK // max(1, queries), wanted, 1)
    for first in range(0, rows if wanted else 0, step):
        block = scores(first, min(first + step, rows))
        # Few are better than the worst of those kept, so that after the first blocks there is
        # little to sort. A later row does not displace an equal one.
        better = block > kept[:, -1:]
        if np.count_nonzero(better) > 8 * better.shape[0] * wanted:
            last = max(0, block.shape[1] - wanted)
            better &= block >= np.partition(block, last, axis=1)[:, last, None]
        query, column = np.divmod(np.flatnonzero(better), block.shape[1])
        all_queries = np.concatenate([np.repeat(np.arange(queries), wanted), query])
        all_scores = np.concatenate([kept.ravel(), block[query, column]])
        all_places = np.concatenate([places.ravel(), column + first])
        order = np.lexsort((all_places, -all_scores, all_queries))
        starts = np.searchsorted(all_queries[order], np.arange(queries))
        chosen = order[starts[:, None] + np.arange(wanted)]
        kept, places = all_scores[chosen], all_places[chosen]
    results = []
    for found, cosines, without in zip(places, kept, excluded, strict=True):
        allowed = found >= 0
        if len(without):
            allowed &= ~np.isin(found, np.asarray(without))
        results.append((found[allowed][:count], cosines[allowed][:count]))
    return results
