"""UMCF against scikit-surprise's KNNWithMeans, and against plain formulas."""

from typing import Any

import numpy as np
import pytest
from surprise import Dataset as SurpriseDataset
from surprise import KNNWithMeans, Reader

from core.dataset import Dataset
from core.errors import RecArenaError
from pipelines.UMCF import model as umcf
from pipelines.UMCF import similarity
from pipelines.UMCF.model import UMCF, UMCFParams
from tiny_datasets import cold, dataset, noisy


def surprise_predictions(data: Dataset, **options: Any) -> np.ndarray:
    """Every prediction, shape (n_users, n_items); NaN where Surprise makes none."""
    train = data.train
    rows = [
        (u, i, r, None) for u, i, r in zip(train.users, train.items, train.ratings, strict=True)
    ]
    ratings = SurpriseDataset(Reader(rating_scale=(0.5, 5)))
    trainset = ratings.construct_trainset([(int(u), int(i), float(r), t) for u, i, r, t in rows])
    min_support = options.pop("min_support")
    sim = {"name": "pearson", "user_based": True, "min_support": min_support}
    peer = KNNWithMeans(sim_options=sim, verbose=False, **options).fit(trainset)
    found = np.full((len(data.user_ids), len(data.item_ids)), np.nan)
    for user in range(found.shape[0]):
        for item in range(found.shape[1]):
            made = peer.predict(user, item, clip=False)
            if not made.details["was_impossible"]:
                found[user, item] = made.est
    return found


@pytest.mark.parametrize(("k", "min_k", "min_support"), [(30, 1, 1), (5, 3, 1), (40, 1, 6)])
def test_equal_to_surprise_on_every_prediction_that_both_make(
    k: int, min_k: int, min_support: int
) -> None:
    data = noisy(120, 60)
    expected = surprise_predictions(data, k=k, min_k=min_k, min_support=min_support)
    model = UMCF(
        UMCFParams(
            similarity="pearson",
            shrinkage=0,
            n_neighbors=k,
            min_neighbors=min_k,
            min_support=min_support,
        )
    ).fit(data)
    users, items = np.nonzero(~np.isnan(expected))
    predicted = model.predict(users.astype(np.int32), items.astype(np.int32))
    assert len(users) > 7000
    np.testing.assert_allclose(predicted, expected[users, items], atol=1e-9)


def all_similarities(data: Dataset, measure: similarity.Measure) -> np.ndarray:
    ratings = similarity.encode(data.train.matrix)
    tiles = similarity.by_tile(ratings, len(data.item_ids))
    sums = np.empty((similarity.TILE, 2), np.int64)
    found = np.empty((len(data.user_ids),) * 2)
    for user in range(len(found)):
        similarity.similarities(user, 0, ratings, tiles, measure, sums, found[user])
    return found


def test_pearson_is_numpys_over_common_items_shrunk() -> None:
    data = noisy(40, 30)
    found = all_similarities(data, similarity.Measure(False, 7.0, 3))
    ratings = data.train.matrix.toarray().astype(float)
    for one in range(40):
        for other in range(40):
            both = (ratings[one] > 0) & (ratings[other] > 0)
            x, y = ratings[one, both], ratings[other, both]
            if both.sum() < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
                assert found[one, other] == 0
            else:
                n = both.sum()
                expected = np.corrcoef(x, y)[0, 1] * n / (n + 7)
                assert found[one, other] == pytest.approx(expected, abs=1e-12)


def test_cosine_is_of_centred_rows_and_tiles_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = noisy(50, 30)
    ratings = data.train.matrix.toarray().astype(float)
    means = np.array([row[row > 0].mean() for row in ratings])
    centred = np.where(ratings > 0, ratings - means[:, None], 0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    found = all_similarities(data, similarity.Measure(True, 0.0, 1))
    np.testing.assert_allclose(found, unit @ unit.T, atol=1e-12)


def test_users_of_several_tiles_are_told_apart() -> None:
    n_users = similarity.TILE + 40
    rows = [(user, user % 3, 1.0 + user % 5) for user in range(n_users)]
    twins = [(0, 3, 5.0), (0, 4, 1.0), (n_users - 1, 3, 5.0), (n_users - 1, 4, 1.0)]
    model = UMCF(UMCFParams(n_neighbors=1, shrinkage=0)).fit(dataset(rows + twins, [], n_users, 5))
    assert model.neighbors_[0, 0] == n_users - 1
    assert model.neighbors_[n_users - 1, 0] == 0


def test_nearest_users_are_those_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    n_users, k = similarity.TILE + 200, 9
    data = noisy(n_users, 12)  # few items: many users are equally similar
    asked = np.array([0, 1, 500, similarity.TILE - 1, similarity.TILE, n_users - 1])
    ratings = similarity.encode(data.train.matrix)
    tiles = similarity.by_tile(ratings, 12)
    sums, row = np.empty((similarity.TILE, 2), np.int64), np.empty(n_users)
    alike = np.zeros((len(asked), n_users))
    for user in range(n_users):  # a pair's similarity is what the lower user's row says
        similarity.similarities(
            user, 0, ratings, tiles, similarity.Measure(True, 5.0, 1), sums, row
        )
        alike[asked > user, user] = row[asked[asked > user]]
        alike[asked == user, user + 1 :] = row[user + 1 :]
    expected = np.argsort(-alike, axis=1, kind="stable")[:, :k]
    monkeypatch.setattr(umcf, "USERS_AT_ONCE", 1000)
    model = UMCF(UMCFParams(n_neighbors=k, shrinkage=5)).fit(data)
    np.testing.assert_array_equal(model.neighbors_[asked], expected)
    np.testing.assert_array_equal(
        model.weights_[asked], np.take_along_axis(alike, expected, axis=1).astype(np.float32)
    )


def test_lists_are_ranked_by_the_weighted_sum_of_the_nearest_users() -> None:
    data = noisy(60, 40)
    model = UMCF(UMCFParams(n_neighbors=7)).fit(data)
    ratings = data.train.matrix.toarray().astype(float)
    means = np.array([row[row > 0].mean() for row in ratings])
    centred = np.where(ratings > 0, ratings - means[:, None], 0)
    alike = all_similarities(data, similarity.Measure(True, 50.0, 1))
    np.fill_diagonal(alike, 0)
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, :7]
    expected = np.einsum(
        "uk,uki->ui", np.take_along_axis(alike, nearest, axis=1).clip(0), centred[nearest]
    )
    found = model.score(np.arange(60, dtype=np.int32))
    np.testing.assert_allclose(found, expected * 2, atol=1e-4)  # in half stars


def test_cold_users_get_what_most_people_rated_and_item_means() -> None:
    data = cold()
    model = UMCF(UMCFParams()).fit(data)
    stranger = np.array([3], np.int32)
    assert model.recommend(stranger, 6, exclude=None)[0].tolist() == [0, 1, 2, 3, 4, 5]
    pairs = model.predict(np.array([3, 3, 0], np.int32), np.array([0, 5, 5], np.int32))
    mean_of_user = (5 + 3 + 0.5) / 3
    np.testing.assert_allclose(pairs, [4.5, data.train.ratings.mean(), mean_of_user], rtol=1e-6)


def test_ratings_between_half_stars_are_refused() -> None:
    with pytest.raises(RecArenaError, match="half a star"):
        UMCF(UMCFParams()).fit(dataset([(0, 0, 3.3)], [], 1, 1))
