import numpy as np
import pytest

from core.recommender import NO_ITEM
from pipelines.popularity.model import Popularity, PopularityParams
from tiny_datasets import dataset

DATA = dataset(
    [(0, 0, 3.5), (1, 0, 4.0), (2, 0, 1.0), (0, 1, 4.0), (1, 1, 5.0), (2, 2, 4.0)], [], 3, 4
)
MEAN = 21.5 / 6
ANYBODY = np.array([0], np.int32)


def test_counts_likes_and_breaks_ties_by_the_lower_item() -> None:
    model = Popularity(PopularityParams()).fit(DATA)
    assert model.score(ANYBODY)[0].tolist() == [1, 2, 1, 0]
    assert model.recommend(ANYBODY, 4, exclude=None)[0].tolist() == [1, 0, 2, 3]


def test_zero_counts_every_rating() -> None:
    model = Popularity(PopularityParams(minimum_rating=0)).fit(DATA)
    assert model.score(ANYBODY)[0].tolist() == [3, 2, 1, 0]


def test_stars_are_item_means_drawn_towards_the_mean() -> None:
    model = Popularity(PopularityParams(shrinkage=2)).fit(DATA)
    sums, n = np.array([8.5, 9, 4, 0]), np.array([3, 2, 1, 0])
    items = np.arange(4, dtype=np.int32)
    stars = model.predict(np.zeros(4, np.int32), items)
    np.testing.assert_allclose(stars, (sums + 2 * MEAN) / (n + 2))
    assert stars[3] == pytest.approx(MEAN)


def test_without_shrinkage_stars_are_the_means_and_cold_items_have_the_mean_of_all() -> None:
    model = Popularity(PopularityParams(shrinkage=0)).fit(DATA)
    stars = model.predict(np.zeros(4, np.int32), np.arange(4, dtype=np.int32))
    np.testing.assert_allclose(stars, [8.5 / 3, 4.5, 4, MEAN])


def test_by_mean_items_below_the_threshold_follow_after_all_others() -> None:
    params = PopularityParams(ranking="mean", shrinkage=0, threshold=2)
    model = Popularity(params).fit(DATA)
    # item 0 has the lowest mean, but enough ratings; 2 and 3 have too few
    assert model.recommend(ANYBODY, 5, exclude=None)[0].tolist() == [1, 0, 2, 3, NO_ITEM]


def test_by_mean_with_nothing_above_the_threshold() -> None:
    params = PopularityParams(ranking="mean", shrinkage=0, threshold=9)
    assert Popularity(params).fit(DATA).recommend(ANYBODY, 2, exclude=None)[0].tolist() == [1, 2]


def test_predictions_do_not_depend_on_the_ranking() -> None:
    users, items = np.zeros(4, np.int32), np.arange(4, dtype=np.int32)
    one, two = (
        Popularity(PopularityParams(ranking=ranking)).fit(DATA).predict(users, items)
        for ranking in ("count", "mean")
    )
    np.testing.assert_array_equal(one, two)
