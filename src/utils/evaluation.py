"""The one evaluation: every recommender is ranked and judged by this code alone."""

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.dataset import Dataset, Interactions
from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.recommender import Ranking, RatingPredictor, Recommender
from utils import leakage, metrics

PREDICTIONS_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a recommender did, and how good that was.

    `ranking` holds the lists of all users of the data set; `users`, `n_relevant` and the columns
    of `per_user` belong to those with at least one relevant test item, and `n_train` counts their
    train ratings; `per_item` are counts of every item of the catalogue, see `item_counts`;
    `predictions` are the stars predicted for the rows of `dataset.test`, clipped to the scale, or
    None where they have no meaning.
    """

    ranking: Ranking
    users: NDArray[np.int32]
    n_relevant: NDArray[np.int64]
    n_train: NDArray[np.int64]
    per_user: dict[str, NDArray[np.float64]]
    per_item: dict[str, NDArray[np.int64]]
    predictions: NDArray[np.float32] | None
    metrics: dict[str, float]
    seconds: dict[str, float] = field(default_factory=dict)


def evaluate(model: Recommender, dataset: Dataset, protocol: EvaluationProtocol) -> Evaluation:
    """Rank the whole catalogue for every user and judge the lists by the test ratings.

    Means are over users with at least one relevant test item; a user without a list scores 0.
    `rmse` exists for a RatingPredictor only. Raises RecArenaError if no user can be judged.
    """
    relevant = relevant_test(dataset, protocol)
    start = time.perf_counter()
    everybody = np.arange(len(dataset.user_ids), dtype=np.int32)
    ranking = model.rank(everybody, protocol.k, exclude=dataset.train.matrix)
    ranked = time.perf_counter()
    users, n_relevant = np.unique(relevant.users, return_counts=True)
    lists = ranking.items[users]
    hits = hits_of(users, lists, relevant)
    per_user = {m.__name__: m(hits, n_relevant) for m in metrics.RANKING_METRICS}
    per_item = item_counts(dataset, relevant, lists, hits)
    novelty = metrics.novelty_at_k(lists, per_item["n_train"], len(everybody))
    per_user["novelty_at_k"] = novelty
    results = {
        name: float(values.mean()) for name, values in per_user.items() if name != "novelty_at_k"
    }
    results["coverage_at_k"] = metrics.coverage_at_k(lists, len(dataset.item_ids))
    if not np.isnan(novelty).all():
        results["novelty_at_k"] = float(np.nanmean(novelty))
    predictions = predict_test(model, dataset)
    if predictions is not None:
        results["rmse"] = metrics.rmse(dataset.test.ratings, predictions)
    results |= counts(dataset, lists)
    seconds = {
        "recommend_seconds": ranked - start,
        "evaluate_seconds": time.perf_counter() - ranked,
    }
    n_train = np.bincount(dataset.train.users, minlength=len(everybody))[users]
    return Evaluation(
        ranking, users, n_relevant, n_train, per_user, per_item, predictions, results, seconds
    )


def relevant_test(dataset: Dataset, protocol: EvaluationProtocol) -> Interactions:
    """The test ratings that count as relevant. Raises RecArenaError if there is none."""
    relevant = dataset.test.where(dataset.test.ratings >= protocol.relevance_threshold)
    if not len(relevant):
        raise RecArenaError(
            f"{dataset.name}: none of {len(dataset.test)} test ratings reaches "
            f"{protocol.relevance_threshold} stars; lower RELEVANCE_THRESHOLD"
        )
    return relevant


def hits_of(
    users: NDArray[np.int32], lists: NDArray[np.int32], relevant: Interactions
) -> metrics.Hits:
    """Which places of the users' lists hold a relevant item, same shape as `lists`."""
    wanted = relevant.users.astype(np.int64) * relevant.n_items + relevant.items
    given = users[:, None].astype(np.int64) * relevant.n_items + lists
    return np.isin(given, wanted) & (lists >= 0)


def item_counts(
    dataset: Dataset, relevant: Interactions, lists: NDArray[np.int32], hits: metrics.Hits
) -> dict[str, NDArray[np.int64]]:
    """Counts of every item of the catalogue, each of shape (n_items,).

    `n_train`: its train ratings; `n_relevant`: the users whom it is a relevant test item of;
    `n_recommended` and `n_hits`: the judged users' lists that hold it, and those where it is
    relevant. `lists` and `hits` have shape (n_judged, k).
    """
    found = {
        "n_train": dataset.train.items,
        "n_relevant": relevant.items,
        "n_recommended": lists[lists >= 0],
        "n_hits": lists[hits],
    }
    return {name: np.bincount(of, minlength=len(dataset.item_ids)) for name, of in found.items()}


def predict_test(model: Recommender, dataset: Dataset) -> NDArray[np.float32] | None:
    """Stars predicted for the test ratings, clipped to the scale; None if the model has none.

    Raises ValueError if a prediction is not finite.
    """
    if not isinstance(model, RatingPredictor):
        return None
    test = dataset.test
    predictions = np.empty(len(test), dtype=np.float32)
    for start in range(0, len(test), PREDICTIONS_AT_ONCE):
        rows = slice(start, start + PREDICTIONS_AT_ONCE)
        predictions[rows] = model.predict(test.users[rows], test.items[rows])
    if not np.isfinite(predictions).all():
        raise ValueError(f"{type(model).__name__}.predict gave a prediction that is not finite")
    return predictions.clip(dataset.scale.lowest, dataset.scale.highest)


def counts(dataset: Dataset, lists: NDArray[np.int32]) -> dict[str, float]:
    """The numbers beside the metrics: who and what the means are over."""
    return {
        "n_users": len(dataset.user_ids),
        "n_items": len(dataset.item_ids),
        "n_train": len(dataset.train),
        "n_test": len(dataset.test),
        "n_users_evaluated": len(lists),
        "n_users_no_relevant": len(np.unique(dataset.test.users)) - len(lists),
        "n_users_short_list": int((lists < 0).any(axis=1).sum()),
    } | leakage.shares(dataset)
