"""Popularity: everybody gets what most people liked, or what was rated best."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.biases import mean_rating
from core.dataset import Dataset
from core.params import PipelineParams
from core.recommender import RatingPredictor


class PopularityParams(PipelineParams):
    """Parameters of popularity."""

    ranking: Literal["count", "mean"] = "count"
    """Rank by the number of likes, or by the mean rating."""
    minimum_rating: float = 4.0
    """With count: stars from which a train rating counts as liked; 0 counts every rating."""
    threshold: int = Field(100, ge=0)
    """With mean: items with fewer train ratings rank below all others."""
    shrinkage: float = Field(5.0, ge=0)
    """How many ratings of the overall mean are added to each item's before its mean is taken."""


class Popularity(RatingPredictor):
    """Items by likes or by mean rating, the same for everybody; stars are the mean ratings.

    By likes: the number of train ratings of at least `minimum_rating` stars; Cremonesi, Koren
    and Turrin, Performance of recommender algorithms on top-N recommendation tasks (2010),
    section 3.1 (TopPop). By mean: (sum + s m) / (n + s) for an item with n train ratings, s the
    shrinkage and m the mean of all (in the same section MovieAvg, there unshrunk); items with
    fewer than `threshold` ratings follow after all others, by the same mean, so lists are full.
    """

    def __init__(self, params: PopularityParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        ratings = dataset.train.matrix
        n_items = ratings.shape[1]
        n_ratings = np.bincount(ratings.indices, minlength=n_items)
        self.stars_ = shrunk_means(
            np.bincount(ratings.indices, ratings.data, n_items).astype(np.float64),
            n_ratings,
            mean_rating(ratings, dataset.scale),
            self.params.shrinkage,
        )
        if self.params.ranking == "count":
            likes = ratings.indices[ratings.data >= self.params.minimum_rating]
            self.scores_ = np.bincount(likes, minlength=n_items).astype(np.float32)
        else:
            few = n_ratings < self.params.threshold
            below_all = self.stars_ - 1 - np.ptp(self.stars_)
            self.scores_ = np.where(few, below_all, self.stars_).astype(np.float32)
        return self

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.broadcast_to(self.scores_, (len(users), len(self.scores_)))

    def predict(
        self,
        users: NDArray[np.int32],  # noqa: ARG002 - everybody rates alike
        items: NDArray[np.int32],
    ) -> NDArray[np.float64]:
        return self.stars_[items]


def shrunk_means(
    sums: NDArray[np.float64], n: NDArray[np.int64], mean: float, shrinkage: float
) -> NDArray[np.float64]:
    """Means `sums / n`, drawn towards `mean` as if it had been given `shrinkage` times more.

    `mean` itself where there is nothing to take the mean of.
    """
    weights = n + shrinkage
    return np.divide(
        sums + shrinkage * mean, weights, out=np.full(len(sums), mean), where=weights > 0
    )
