"""NMF against scikit-learn's in one call, and against scikit-surprise's from the same start."""

import numpy as np
import pytest
import surprise
from sklearn import decomposition
from threadpoolctl import threadpool_limits

import surprise_peer
from core.biases import learn_biases
from core.learning import listening
from core.ranking import top_k
from core.recommender import RatingPredictor
from pipelines.NMF.model import NMFParams, nmf
from pipelines.NMF.observed import factorise_observed
from pipelines.NMF.zero_filled import factorise_zero_filled
from tiny_datasets import cold, dataset, noisy


def losses_of(params: NMFParams) -> list[float]:
    heard: list[float] = []
    with listening(lambda _, losses: heard.append(losses["loss"])):
        nmf(params).fit(noisy())
    return heard


def test_zero_filled_lists_are_those_of_scikit_learn() -> None:
    data = noisy()
    peer = decomposition.NMF(20, init="nndsvda", random_state=3, max_iter=40, tol=0)
    with threadpool_limits(1, "blas"):
        scores = peer.fit_transform(data.train.matrix) @ peer.components_
    scores[data.train.users, data.train.items] = -np.inf
    model = nmf(NMFParams(factors=20, n_epochs=40, tolerance=0, seed=3)).fit(data)
    everybody = np.arange(len(data.user_ids), dtype=np.int32)
    found = model.recommend(everybody, 10, exclude=data.train.matrix)
    np.testing.assert_array_equal(found, top_k(scores, 10).items)


def test_epochs_one_by_one_are_one_call_of_scikit_learn() -> None:
    ratings = noisy().train.matrix
    start = {"n_components": 5, "init": "nndsvda", "random_state": 1, "tol": 0}
    with threadpool_limits(1, "blas"):
        users, items, _ = decomposition.non_negative_factorization(ratings, max_iter=7, **start)
    found = factorise_zero_filled(ratings, 5, 7, 0, 1)
    np.testing.assert_array_equal(found[0], users)
    np.testing.assert_array_equal(found[1], items)


def test_zero_filled_loss_is_the_share_of_squares_that_is_left() -> None:
    dense = noisy().train.matrix.toarray().astype(np.float64)
    losses = losses_of(NMFParams(factors=4, n_epochs=9, tolerance=0))
    users, items = factorise_zero_filled(noisy().train.matrix, 4, 9, 0, 0)
    assert len(losses) == 9
    assert losses[-1] == pytest.approx(((dense - users @ items) ** 2).sum() / (dense**2).sum())
    assert (np.diff(losses) < 1e-6).all()


@pytest.mark.parametrize("fill_with_zero", [True, False])
def test_epochs_end_when_the_loss_stays(fill_with_zero: bool) -> None:
    params = NMFParams(fill_with_zero=fill_with_zero, factors=4, n_epochs=200, tolerance=2e-3)
    losses = losses_of(params)
    steps = np.abs(np.diff(losses))
    assert len(losses) < params.n_epochs
    assert steps[-1] < 2e-3
    assert (steps[:-1] >= 2e-3).all()


def test_zero_filled_a_cold_user_gets_the_most_rated_items() -> None:
    data = dataset([(0, 1, 4.0), (1, 1, 2.0), (1, 3, 5.0)], [], 3, 4)
    model = nmf(NMFParams(factors=2)).fit(data)
    assert model.recommend(np.array([2], np.int32), 4, exclude=None).tolist() == [[1, 3, 0, 2]]


def test_a_singular_vector_without_a_non_negative_part() -> None:
    model = nmf(NMFParams()).fit(dataset([(0, 1, 0.5)], [], 2, 2))
    scores = model.score(np.arange(2, dtype=np.int32))
    np.testing.assert_allclose(scores, [[0, 0.5], [0, 1]], atol=1e-3)


@pytest.mark.parametrize("fill_with_zero", [True, False])
def test_no_train_ratings_at_all(fill_with_zero: bool) -> None:
    data = dataset([], [(0, 0, 4.0)], 6, 5)
    model = nmf(NMFParams(fill_with_zero=fill_with_zero)).fit(data)
    assert np.isfinite(model.score(np.arange(6, dtype=np.int32))).all()


def test_of_what_was_rated_equal_to_surprise_from_the_same_start() -> None:
    data = noisy()
    ratings = data.train.matrix
    peer = surprise.NMF(
        n_factors=6, n_epochs=30, reg_pu=0.06, reg_qi=0.2, random_state=5, verbose=False
    ).fit(surprise_peer.trainset(data))
    rng = np.random.RandomState(5)
    start = [rng.uniform(0, 1, (n, 6)) for n in ratings.shape]
    users, items = factorise_observed(ratings, *start, 0.06, 0.2, 30, 0)
    np.testing.assert_allclose(users, peer.pu, rtol=1e-6)
    np.testing.assert_allclose(items, peer.qi, rtol=1e-6)


def test_of_what_was_rated_single_precision_is_enough() -> None:
    data = noisy()
    rng = np.random.default_rng(0)
    start = [rng.random((n, 6)) for n in data.train.matrix.shape]
    exact = factorise_observed(data.train.matrix, *start, 0.06, 0.06, 30, 0)
    single = [one.astype(np.float32) for one in start]
    users, items = factorise_observed(data.train.matrix, *single, 0.06, 0.06, 30, 0)
    assert users.dtype == items.dtype == np.float32
    np.testing.assert_allclose(users @ items.T, exact[0] @ exact[1].T, rtol=1e-3)


def test_of_what_was_rated_loss_is_the_rmse_of_the_predictions() -> None:
    data = noisy()
    params = NMFParams(fill_with_zero=False, factors=4, n_epochs=9, tolerance=0)
    model = nmf(params).fit(data)
    assert isinstance(model, RatingPredictor)
    errors = model.predict(data.train.users, data.train.items) - data.train.ratings
    losses = losses_of(params)
    assert len(losses) == 9
    assert losses[-1] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-5)
    assert losses[-1] < losses[0]


def test_of_what_was_rated_cold_pairs_get_the_biases() -> None:
    data = cold()
    biases = learn_biases(data.train.matrix, data.scale)
    model = nmf(NMFParams(fill_with_zero=False)).fit(data)
    assert isinstance(model, RatingPredictor)
    users, items = np.array([2, 0, 3], np.int32), np.array([0, 4, 5], np.int32)
    expected = biases.mean + biases.users[users] + biases.items[items]
    np.testing.assert_allclose(model.predict(users, items), expected, rtol=1e-6)


def test_zero_filled_scores_are_no_stars() -> None:
    assert not isinstance(nmf(NMFParams()), RatingPredictor)
