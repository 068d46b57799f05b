"""The k best items of many users at once, without a Python loop per user.

Scores are made in blocks of users, two blocks at a time, each by a thread that multiplies with
one BLAS thread into a buffer of its own: two thread pools, one above the other, would fight for
the cores, and a fresh block for every multiplication would cost a page fault for every 4 KiB.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from core.progress import progress

NO_ITEM = -1
"""Fills a list that has fewer than k recommendable items."""

BLOCK_SCORES = 1 << 22  # 16 MiB of float32: a larger block saves nothing more in the product
BUCKETS = 32  # scores in a bucket; near the square root of n_items / k, which is cheapest

Score = Callable[[NDArray[np.int32], NDArray[np.float32]], None]


class Ranking(NamedTuple):
    """Recommended lists, best first: items and their scores, both of shape (n_users, k).

    A list of fewer than k items ends in NO_ITEM, with the score NaN.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float32]


def rank(
    score_into: Score,
    users: NDArray[np.int32],
    n_items: int,
    k: int,
    *,
    exclude: "csr_array[np.float32] | None",
) -> Ranking:
    """The k best items of each user; see `Recommender.recommend`.

    `score_into(users, out)` writes the scores of some users into `out`, shape
    (len(users), n_items); it is called from several threads at once.
    """
    ranking = Ranking(
        np.full((len(users), k), NO_ITEM, dtype=np.int32),
        np.full((len(users), k), np.nan, dtype=np.float32),
    )
    if not n_items:
        return ranking
    rows = max(1, min(BLOCK_SCORES // n_items, len(users)))
    n_threads = max(1, min(os.cpu_count() or 1, 2, -(-len(users) // rows)))
    buffers: SimpleQueue[NDArray[np.float32]] = SimpleQueue()
    for _ in range(n_threads):
        buffers.put(np.empty((rows, n_items), dtype=np.float32))

    def fill(start: int) -> int:
        block = users[start : start + rows]
        buffer = buffers.get()
        try:
            scores = buffer[: len(block)]
            score_into(block, scores)
            if exclude is not None:
                scores.reshape(-1)[_stored(exclude, block)] = -np.inf
            best = top_k(scores, k)
        finally:
            buffers.put(buffer)
        ranking.items[start : start + rows], ranking.scores[start : start + rows] = best
        return len(block)

    with (
        threadpool_limits(1),
        ThreadPoolExecutor(n_threads) as pool,
        progress("ranking", len(users), "users") as advance,
    ):
        for done in pool.map(fill, range(0, len(users), rows)):
            advance(done)
    return ranking


def _stored(matrix: "csr_array[np.float32]", rows: NDArray[np.int32]) -> NDArray[np.int64]:
    """Flat positions, in a block of these rows, of the entries that the matrix stores."""
    starts = matrix.indptr[rows]
    lengths = matrix.indptr[rows + 1] - starts
    if rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        columns = matrix.indices[starts[0] : starts[-1] + lengths[-1]]  # they lie side by side
    else:
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        columns = matrix.indices[np.repeat(starts, lengths) + within]
    return np.repeat(np.arange(len(rows)) * matrix.shape[1], lengths) + columns


def top_k(scores: NDArray[np.float32], k: int) -> Ranking:
    """The k largest scores in each row and their columns, largest first.

    Ties go to the lower column. NaN and -inf mean "never recommended". `scores`, of shape
    (n, n_items), is used as scratch space.
    """
    n_items = scores.shape[1]
    width = n_items // BUCKETS
    if width > 2 * k:
        items, unsure = _from_buckets(scores, k, width)
        if unsure.any():
            items[unsure] = _by_threshold(scores[unsure], k)
    else:
        scores[np.isnan(scores)] = -np.inf
        items = _by_threshold(scores, min(k, n_items))
    values = np.take_along_axis(scores, items, axis=1)
    order = np.lexsort((items, -values), axis=1)
    return _listed(
        np.take_along_axis(items, order, axis=1), np.take_along_axis(values, order, axis=1), k
    )


def _from_buckets(
    scores: NDArray[np.float32], k: int, width: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Columns of the k largest scores of each row, unless a tie makes the row unsure.

    Column c lies in bucket c mod `width`. The k largest scores lie in the k buckets with the
    largest maxima, so after one pass over the scores only those buckets need a look.
    """
    n, n_items = scores.shape
    inside = BUCKETS * width
    buckets = scores[:, :inside].reshape(n, BUCKETS, width)
    maxima = buckets.max(axis=1)
    if np.isnan(maxima).any() or np.isnan(scores[:, inside:]).any():
        scores[np.isnan(scores)] = -np.inf
        maxima = buckets.max(axis=1)
    best, unsure = _largest(maxima, k)
    columns = (best[:, None, :] + np.arange(BUCKETS)[:, None] * width).reshape(n, -1)
    rest = np.broadcast_to(np.arange(inside, n_items), (n, n_items - inside))
    columns = np.concatenate([columns, rest], axis=1)
    candidates = scores.take(columns + np.arange(n)[:, None] * n_items)
    chosen, tied = _largest(candidates, k)
    return np.take_along_axis(columns, chosen, axis=1).astype(np.int32), unsure | tied


def _largest(values: NDArray[np.float32], k: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Columns of the k largest values of each row, and the rows where a tie leaves a choice."""
    width = values.shape[1]
    keep = values >= np.partition(values, width - k, axis=1)[:, width - k, None]
    tied = np.count_nonzero(keep, axis=1) != k
    keep[tied] = np.arange(width) < k  # any k: the caller does these rows again
    return np.flatnonzero(keep).reshape(-1, k) % width, tied


def _by_threshold(scores: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Columns of the k best of each row, by the k-th best score; ties to the lower column."""
    width = scores.shape[1]
    threshold = np.partition(scores, width - k, axis=1)[:, width - k, None]
    above, equal = scores > threshold, scores == threshold
    wanted = k - np.count_nonzero(above, axis=1)[:, None]
    keep = above | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= wanted))
    return (np.flatnonzero(keep).reshape(-1, k) % width).astype(np.int32)


def _listed(items: NDArray[np.int32], values: NDArray[np.float32], k: int) -> Ranking:
    """Lists of exactly k places, with NO_ITEM where nothing can be recommended."""
    missing = k - items.shape[1]
    items = np.pad(items, ((0, 0), (0, missing)), constant_values=NO_ITEM)
    values = np.pad(values, ((0, 0), (0, missing)), constant_values=np.nan)
    never = ~(values > -np.inf)
    items[never] = NO_ITEM
    values[never] = np.nan
    return Ranking(items, values)
