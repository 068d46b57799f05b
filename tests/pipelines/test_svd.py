"""SVD against a dense decomposition of the matrix that it never makes."""

import numpy as np
import pytest

from core.recommender import RatingPredictor
from pipelines.SVD.model import SVDParams, svd
from tiny_datasets import constant, dataset, noisy


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


def test_predictions_are_the_scores() -> None:
    data = noisy()
    model = svd(SVDParams()).fit(data)
    assert isinstance(model, RatingPredictor)
    users, items = np.array([3, 7], np.int32), np.array([5, 9], np.int32)
    np.testing.assert_allclose(
        model.predict(users, items), model.score(users)[[0, 1], items], rtol=1e-5
    )


def test_zero_filled_scores_are_no_stars() -> None:
    assert not isinstance(svd(SVDParams(fill_with_zero=True)), RatingPredictor)


def test_equal_ratings_are_predicted_as_they_are() -> None:
    data = constant()
    model = svd(SVDParams(factors=3)).fit(data)
    assert isinstance(model, RatingPredictor)
    np.testing.assert_allclose(model.predict(data.test.users, data.test.items), 4.0, atol=1e-4)


def test_no_train_ratings_at_all() -> None:
    model = svd(SVDParams(factors=2)).fit(dataset([], [(0, 0, 4.0)], 6, 5))
    assert isinstance(model, RatingPredictor)
    assert np.isfinite(model.predict(np.array([0], np.int32), np.array([0], np.int32))).all()
    zero = svd(SVDParams(factors=2, fill_with_zero=True)).fit(dataset([], [(0, 0, 4.0)], 6, 5))
    assert np.isfinite(zero.score(np.array([0], np.int32))).all()
