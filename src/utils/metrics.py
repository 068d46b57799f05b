"""Ranking and rating metrics: pure functions that return one value a user, or one value.

For a user u with relevant test items R_u and a list L_u of at most k items, hit_j says whether
the item at place j (from 1) is relevant. Places that a short list leaves empty are no hits. The
caller averages over users with at least one relevant item.
"""

import numpy as np
from numpy.typing import NDArray

Hits = NDArray[np.bool_]
PerUser = NDArray[np.float64]


def recall_at_k(hits: Hits, n_relevant: NDArray[np.int64]) -> PerUser:
    """Share of the relevant items that are in the list: sum_j hit_j / |R_u|.

    `hits` has shape (n_users, k), `n_relevant` (n_users,). Manning, Raghavan and Schütze,
    Introduction to Information Retrieval (2008), section 8.3.
    """
    return hits.sum(axis=1) / n_relevant


def precision_at_k(hits: Hits, n_relevant: NDArray[np.int64]) -> PerUser:
    """Share of the k places that hold a relevant item: sum_j hit_j / k.

    The divisor is k for short lists too. With 5 test items a user, it cannot exceed 0.5 at k=10.
    Manning, Raghavan and Schütze (2008), section 8.4.
    """
    return hits.mean(axis=1)


def ndcg_at_k(hits: Hits, n_relevant: NDArray[np.int64]) -> PerUser:
    """Discounted cumulative gain, relative to the best one possible.

    DCG = sum_j hit_j / log2(j + 1); the ideal has min(|R_u|, k) hits at the top. Binary gains.
    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002).
    """
    k = hits.shape[1]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(n_relevant, k) - 1]
    return (hits @ discounts) / ideal


def map_at_k(hits: Hits, n_relevant: NDArray[np.int64]) -> PerUser:
    """Average precision: sum_j hit_j * precision@j / min(|R_u|, k).

    Its mean over users is MAP. Manning, Raghavan and Schütze (2008), section 8.4.
    """
    k = hits.shape[1]
    precisions = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    return (precisions * hits).sum(axis=1) / np.minimum(n_relevant, k)


def mrr_at_k(hits: Hits, n_relevant: NDArray[np.int64]) -> PerUser:
    """Reciprocal of the first hit's place, 0 without a hit.

    Its mean over users is MRR. Voorhees, The TREC-8 question answering track report (1999).
    """
    places = np.arange(1, hits.shape[1] + 1)
    return np.asarray((hits / places).max(axis=1))


def hit_rate_at_k(hits: Hits, n_relevant: NDArray[np.int64]) -> PerUser:
    """1 for a list with at least one hit, else 0.

    Deshpande and Karypis, Item-based top-N recommendation algorithms (2004), "hit rate".
    """
    return np.asarray(hits.any(axis=1), dtype=np.float64)


RANKING_METRICS = (recall_at_k, precision_at_k, ndcg_at_k, map_at_k, mrr_at_k, hit_rate_at_k)
"""Metrics of a user's list, named as they are logged."""


def coverage_at_k(items: NDArray[np.int32], n_items: int) -> float:
    """Share of the catalogue that is in at least one list: |union of L_u| / n_items.

    `items`, shape (n_users, k), holds negative numbers at empty places. Ge, Delgado-Battenfeld
    and Jannach, Beyond accuracy (2010), "catalogue coverage".
    """
    return len(np.unique(items[items >= 0])) / n_items


def novelty_at_k(items: NDArray[np.int32], n_raters: NDArray[np.int64], n_users: int) -> PerUser:
    """Mean self-information of the items in a list, in bits: mean_j -log2(raters(i_j) / n_users).

    `n_raters[i]` counts the users who rated item i in train; an item without a rater counts as
    having one. NaN for an empty list. Zhou et al., Solving the apparent diversity-accuracy
    dilemma of recommender systems (2010), "surprisal".
    """
    bits = -np.log2(np.maximum(n_raters, 1) / n_users)
    listed = items >= 0
    sums = np.where(listed, bits[np.where(listed, items, 0)], 0.0).sum(axis=1)
    lengths = listed.sum(axis=1)
    return np.divide(sums, lengths, out=np.full(len(items), np.nan), where=lengths > 0)


def rmse(ratings: NDArray[np.floating], predictions: NDArray[np.floating]) -> float:
    """Root mean squared error, in stars: sqrt(mean((prediction - rating)^2)).

    Herlocker et al., Evaluating collaborative filtering recommender systems (2004), section 4.1.
    """
    errors = predictions.astype(np.float64) - ratings
    return float(np.sqrt(np.mean(errors**2)))
