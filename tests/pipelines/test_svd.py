"""SVD against a dense decomposition of the matrix that it never makes."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from core.biases import learn_biases
from core.errors import RecArenaError
from core.recommender import RatingPredictor
from pipelines.SVD.model import SVDParams, filled, svd, truncated_svd
from tiny_datasets import cold, constant, dataset, noisy


@pytest.mark.parametrize("fill_with_zero", [True, False])
@pytest.mark.parametrize("factors", [1, 7, 120, 500])
def test_equal_to_a_dense_svd(fill_with_zero: bool, factors: int) -> None:
    data = noisy()
    ratings = data.train.matrix.toarray().astype(np.float64)
    dense = ratings if fill_with_zero else np.where(ratings > 0, ratings, data.train.ratings.mean())
    u, s, vt = np.linalg.svd(dense, full_matrices=False)
    expected = (u[:, :factors] * s[:factors]) @ vt[:factors]
    model = svd(SVDParams(factors=factors, fill_with_zero=fill_with_zero)).fit(data)
    everybody = np.arange(len(data.user_ids), dtype=np.int32)
    np.testing.assert_allclose(model.score(everybody), expected, atol=1e-4)


@pytest.mark.parametrize("factors", [2, 500])
def test_with_biases_equal_to_a_dense_svd_of_the_rest(factors: int) -> None:
    data = noisy()
    biases = learn_biases(data.train.matrix, data.scale, reg_user=4, reg_item=7)
    explained = biases.mean + biases.users[:, None] + biases.items
    ratings = data.train.matrix.toarray()
    u, s, vt = np.linalg.svd(np.where(ratings > 0, ratings - explained, 0), full_matrices=False)
    expected = explained + (u[:, :factors] * s[:factors]) @ vt[:factors]
    params = SVDParams(factors=factors, fill_with_zero=False, use_bias=True, reg_user=4, reg_item=7)
    model = svd(params).fit(data)
    everybody = np.arange(len(data.user_ids), dtype=np.int32)
    np.testing.assert_allclose(model.score(everybody), expected, atol=1e-4)


def test_with_biases_a_cold_user_gets_the_item_biases() -> None:
    data = cold()
    biases = learn_biases(data.train.matrix, data.scale)
    model = svd(SVDParams(factors=2, fill_with_zero=False, use_bias=True)).fit(data)
    np.testing.assert_allclose(
        model.score(np.array([2, 3], np.int32)), [biases.mean + biases.items] * 2, atol=1e-6
    )


def test_zero_filled_a_cold_user_gets_the_most_rated_items() -> None:
    data = dataset([(0, 1, 4.0), (1, 1, 2.0), (1, 3, 5.0)], [], 3, 4)
    model = svd(SVDParams(factors=2, fill_with_zero=True)).fit(data)
    assert model.recommend(np.array([2], np.int32), 4, exclude=None).tolist() == [[1, 3, 0, 2]]


def test_two_fillings_are_refused() -> None:
    with pytest.raises(RecArenaError, match=r"^FILL_WITH_ZERO and USE_BIAS exclude each other"):
        SVDParams.load(Path(), {"fill_with_zero": "true", "use_bias": "true"})


@pytest.mark.parametrize("use_bias", [True, False])
def test_predictions_are_the_scores(use_bias: bool) -> None:
    data = noisy()
    model = svd(SVDParams(factors=20, fill_with_zero=False, use_bias=use_bias)).fit(data)
    assert isinstance(model, RatingPredictor)
    users, items = np.array([3, 7], np.int32), np.array([5, 9], np.int32)
    np.testing.assert_allclose(
        model.predict(users, items), model.score(users)[[0, 1], items], rtol=1e-5
    )


def test_zero_filled_scores_are_no_stars() -> None:
    assert not isinstance(svd(SVDParams(fill_with_zero=True)), RatingPredictor)


def test_equal_ratings_are_predicted_as_they_are() -> None:
    data = constant()
    model = svd(SVDParams(factors=3, fill_with_zero=False)).fit(data)
    assert isinstance(model, RatingPredictor)
    np.testing.assert_allclose(model.predict(data.test.users, data.test.items), 4.0, atol=1e-4)


def test_no_train_ratings_at_all() -> None:
    model = svd(SVDParams(factors=2, fill_with_zero=False)).fit(dataset([], [(0, 0, 4.0)], 6, 5))
    assert isinstance(model, RatingPredictor)
    assert np.isfinite(model.predict(np.array([0], np.int32), np.array([0], np.int32))).all()
    zero = svd(SVDParams(factors=2, fill_with_zero=True)).fit(dataset([], [(0, 0, 4.0)], 6, 5))
    assert np.isfinite(zero.score(np.array([0], np.int32))).all()


def test_no_square_of_the_number_of_items_is_ever_made() -> None:
    n, per_user = 3000, 5
    rng = np.random.default_rng(0)
    items = rng.integers(0, n, n * per_user)
    rows = np.arange(0, n * per_user + 1, per_user)
    matrix = csr_array((np.ones(n * per_user), items, rows), shape=(n, n))
    tracemalloc.start()
    try:
        truncated_svd(filled(matrix, 0.0), 4, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < n * n * 8 / 10
