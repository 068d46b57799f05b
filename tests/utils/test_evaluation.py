from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from core.dataset import Dataset
from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.recommender import NO_ITEM, RatingPredictor, Recommender
from tiny_datasets import dataset, noisy
from utils.evaluation import evaluate

PROTOCOL = EvaluationProtocol("tiny", k=2)


class Fixed(Recommender):
    """Scores that are given, the same for every user."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = np.array(scores, dtype=np.float32)

    def fit(self, dataset: Dataset) -> Self:
        return self

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.tile(self.scores, (len(users), 1))


class FixedStars(Fixed, RatingPredictor):
    def predict(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.scores[items]


def example() -> Dataset:
    """Users 0 and 1 have a relevant test item, user 2 has none, user 3 no test item."""
    train = [(0, 0, 5.0), (1, 1, 1.0), (2, 0, 4.0), (3, 0, 4.0)]
    test = [(0, 2, 4.0), (0, 3, 3.5), (1, 0, 5.0), (2, 1, 3.0)]
    return dataset(train, test, 4, 5)


def test_means_are_over_users_with_a_relevant_item() -> None:
    found = evaluate(Fixed([5, 4, 3, 2, 1]), example(), PROTOCOL)
    # lists: user 0 [1, 2], user 1 [0, 2]: item 1 was rated in train, though with one star
    assert found.ranking.items.tolist() == [[1, 2], [0, 2], [1, 2], [1, 2]]
    assert found.users.tolist() == [0, 1]
    assert found.per_user["recall_at_k"].tolist() == [1, 1]
    assert found.metrics["precision_at_k"] == 0.5
    assert found.metrics["mrr_at_k"] == 0.75
    assert found.metrics["coverage_at_k"] == 3 / 5  # items 0, 1 and 2, of the judged users
    assert found.metrics["n_users_evaluated"] == 2
    assert found.metrics["n_users_no_relevant"] == 1
    assert found.metrics["share_test_items_unseen"] == 0.5  # items 2 and 3 have no train rating


def test_users_and_items_are_counted() -> None:
    found = evaluate(Fixed([5, 4, 3, 2, 1]), example(), PROTOCOL)
    assert found.n_train.tolist() == [1, 1]
    # hits: user 0 by item 2, user 1 by item 0; the lists of users 2 and 3 are not judged
    assert {name: counts.tolist() for name, counts in found.per_item.items()} == {
        "n_train": [3, 1, 0, 0, 0],
        "n_relevant": [1, 0, 1, 0, 0],
        "n_recommended": [1, 1, 2, 0, 0],
        "n_hits": [1, 0, 1, 0, 0],
    }


def test_item_counts_add_up_to_the_metrics() -> None:
    data = noisy()
    found = evaluate(Fixed(list(range(120))), data, EvaluationProtocol("tiny", k=7))
    counts, n_judged = found.per_item, len(found.users)
    assert all(len(values) == len(data.item_ids) for values in counts.values())
    assert counts["n_train"].sum() == len(data.train)
    assert counts["n_recommended"].sum() == 7 * n_judged
    precision = counts["n_hits"].sum() / counts["n_recommended"].sum()
    assert precision == pytest.approx(found.metrics["precision_at_k"])
    assert counts["n_hits"].sum() == (found.per_user["recall_at_k"] * found.n_relevant).sum()
    assert (counts["n_hits"] <= counts["n_relevant"]).all()
    assert (counts["n_recommended"] > 0).mean() == found.metrics["coverage_at_k"]


def test_no_list_counts_no_item() -> None:
    found = evaluate(Fixed([np.nan] * 5), example(), PROTOCOL)
    assert found.per_item["n_recommended"].tolist() == [0] * 5
    assert found.per_item["n_hits"].tolist() == [0] * 5


def test_a_user_without_a_list_scores_zero() -> None:
    found = evaluate(Fixed([np.nan] * 5), example(), PROTOCOL)
    assert (found.ranking.items == NO_ITEM).all()
    assert found.metrics["recall_at_k"] == 0
    assert found.metrics["n_users_short_list"] == 2
    assert "novelty_at_k" not in found.metrics


def test_rmse_is_absent_unless_ratings_are_predicted() -> None:
    assert "rmse" not in evaluate(Fixed([1] * 5), example(), PROTOCOL).metrics


def test_predictions_are_clipped_to_the_scale() -> None:
    found = evaluate(FixedStars([9.0, -3.0, 4.0, 3.0, 0]), example(), PROTOCOL)
    assert found.predictions is not None
    assert found.predictions.tolist() == [4.0, 3.0, 5.0, 0.5]
    assert found.metrics["rmse"] == pytest.approx(((0.5**2 + 2.5**2) / 4) ** 0.5)


def test_a_prediction_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(ValueError, match="not finite"):
        evaluate(FixedStars([np.nan] * 5), example(), PROTOCOL)


def test_nothing_relevant_is_an_error_not_nan() -> None:
    with pytest.raises(RecArenaError, match="lower RELEVANCE_THRESHOLD"):
        evaluate(Fixed([1] * 5), example(), EvaluationProtocol("tiny", relevance_threshold=6))
