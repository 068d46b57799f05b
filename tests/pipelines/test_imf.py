"""IMF against the normal equations of its loss, and against itself on other threads."""

import numpy as np
import pytest

from core.errors import RecArenaError
from core.learning import listening
from core.liked import liked
from core.recommender import RatingPredictor
from pipelines.IMF.model import IMF, IMFParams, factorise
from pipelines.popularity.model import Popularity, PopularityParams
from tiny_datasets import dataset, noisy, single

PARAMS = IMFParams(factors=5, n_epochs=60, alpha=0.7, regularization=2, minimum_rating=3.5)


def test_factors_solve_the_weighted_least_squares_of_the_paper() -> None:
    likes = liked(noisy().train.matrix, 3.5)
    users, items = (one.astype(np.float64) for one in factorise(likes, PARAMS, 1))
    stars = likes.toarray()
    confidence, preference = 1 + 0.7 * stars, stars > 0
    for n in (0, 17, 299):
        normal = (items.T * confidence[n]) @ items + 2 * np.eye(5)
        solution = np.linalg.solve(normal, items.T @ (confidence[n] * preference[n]))
        np.testing.assert_allclose(users[n], solution, atol=2e-3)
    for n in (0, 8, 119):  # solved for last
        normal = (users.T * confidence[:, n]) @ users + 2 * np.eye(5)
        solution = np.linalg.solve(normal, users.T @ (confidence[:, n] * preference[:, n]))
        np.testing.assert_allclose(items[n], solution, atol=1e-4)


def test_losses_are_those_of_the_factors_and_fall() -> None:
    heard: list[tuple[int, float]] = []
    likes = liked(noisy().train.matrix, 3.5)
    with listening(lambda epoch, losses: heard.append((epoch, losses["loss"]))):
        users, items = factorise(likes, PARAMS, 2)
    epochs, losses = zip(*heard, strict=True)
    stars = likes.toarray()
    confidence = 1 + 0.7 * stars
    squares = confidence * ((stars > 0) - users @ items.T) ** 2
    penalty = 2 * ((users**2).sum() + (items**2).sum())
    assert epochs == tuple(range(1, 61))
    assert losses[-1] == pytest.approx((squares.sum() + penalty) / confidence.sum(), rel=1e-4)
    assert (np.diff(losses) < 1e-6).all()


def test_the_same_to_the_last_bit_for_any_number_of_threads() -> None:
    likes = liked(noisy(600, 200).train.matrix, 3.5)
    heard: list[list[float]] = []
    found = []
    for n_threads in (1, 2, 3):
        heard.append([])
        with listening(lambda _, losses: heard[-1].append(losses["loss"])):
            found.append(factorise(likes, IMFParams(n_epochs=5), n_threads))
    for users, items in found[1:]:
        np.testing.assert_array_equal(users, found[0][0])
        np.testing.assert_array_equal(items, found[0][1])
    assert heard[1] == heard[2] == heard[0]


def test_a_user_who_liked_nothing_gets_the_popular_items() -> None:
    data = noisy()
    rows = zip(data.train.users, data.train.items, data.train.ratings, strict=True)
    kept = [(int(u), int(i), float(r)) for u, i, r in rows if u != 7 or r < 4]
    data = dataset(kept, [], 300, 120)
    nobody = np.array([7], np.int32)
    popular = Popularity(PopularityParams()).fit(data).recommend(nobody, 120, exclude=None)
    assert IMF(IMFParams()).fit(data).recommend(nobody, 120, exclude=None).tolist() == (
        popular.tolist()
    )


def test_items_with_few_ratings_are_left_out() -> None:
    data = noisy()
    n_ratings = np.bincount(data.train.items, minlength=120)
    minimum = int(np.median(n_ratings))
    model = IMF(IMFParams(minimum_num_rating=minimum)).fit(data)
    few = n_ratings < minimum
    assert few.any()
    np.testing.assert_array_equal(model.item_factors_[:, few], 0)
    assert (np.abs(model.item_factors_[:, ~few]).sum(axis=0) > 0).all()


def test_factors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(RecArenaError, match="lower ALPHA"):
        IMF(IMFParams(alpha=1e6, regularization=0)).fit(single())


def test_scores_are_no_stars() -> None:
    assert not isinstance(IMF(IMFParams()), RatingPredictor)
