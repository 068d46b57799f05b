"""Popularity: everybody gets what most people liked."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.dataset import Dataset
from core.params import PipelineParams
from core.recommender import Recommender


class PopularityParams(PipelineParams):
    """Parameters of popularity."""

    minimum_rating: float = 4.0
    """Stars from which a train rating counts as liked; 0 counts every rating."""


class Popularity(Recommender):
    """Items by the number of train ratings of at least `minimum_rating` stars.

    Cremonesi, Koren and Turrin, Performance of recommender algorithms on top-N recommendation
    tasks (2010), section 3.1 (TopPop).
    """

    def __init__(self, params: PopularityParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        liked = dataset.train.items[dataset.train.ratings >= self.params.minimum_rating]
        self.counts_ = np.bincount(liked, minlength=len(dataset.item_ids)).astype(np.float32)
        return self

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.broadcast_to(self.counts_, (len(users), len(self.counts_)))
