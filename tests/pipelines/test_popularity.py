import numpy as np

from pipelines.popularity.model import Popularity, PopularityParams
from tiny_datasets import dataset

DATA = dataset(
    [(0, 0, 3.5), (1, 0, 4.0), (2, 0, 1.0), (0, 1, 4.0), (1, 1, 5.0), (2, 2, 4.0)], [], 3, 4
)


def test_counts_likes_and_breaks_ties_by_the_lower_item() -> None:
    model = Popularity(PopularityParams()).fit(DATA)
    assert model.score(np.array([0], np.int32))[0].tolist() == [1, 2, 1, 0]
    assert model.recommend(np.array([0], np.int32), 4, exclude=None)[0].tolist() == [1, 0, 2, 3]


def test_zero_counts_every_rating() -> None:
    model = Popularity(PopularityParams(minimum_rating=0)).fit(DATA)
    assert model.score(np.array([0], np.int32))[0].tolist() == [3, 2, 1, 0]
