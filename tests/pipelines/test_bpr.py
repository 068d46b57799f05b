"""BPR on lists with a known order, and its curve on triples of known margins."""

import numpy as np
import pytest

from core.errors import RecArenaError
from core.learning import listening
from core.liked import liked
from core.recommender import RatingPredictor
from pipelines.BPR.model import BPR, BPRParams, factorise
from pipelines.BPR.triples import Triples
from pipelines.popularity.model import Popularity, PopularityParams
from tiny_datasets import dataset, noisy, single, two_tastes

QUICK = BPRParams(factors=8, n_epochs=12, learning_rate=0.1, minimum_rating=3.5)


def test_liked_items_come_before_all_others() -> None:
    data = two_tastes()
    params = BPRParams(factors=4, learning_rate=0.1)
    scores = BPR(params).fit(data).score(np.arange(60, dtype=np.int32))
    tasteful = (np.arange(60)[:, None] + np.arange(60)) % 2 == 0
    assert (np.where(tasteful, scores, np.inf).min(axis=1) > 0).all()
    assert (np.where(tasteful, -np.inf, scores).max(axis=1) < 0).all()


def test_the_last_item_factor_is_the_bias_and_the_last_user_factor_is_one() -> None:
    data = noisy()
    model = BPR(QUICK).fit(data)
    users, items = factorise(liked(data.train.matrix, 3.5), QUICK)
    assert users.shape == (300, 9)
    assert items.shape == (120, 9)
    np.testing.assert_array_equal(users[:, -1], 1)
    everybody = np.arange(300, dtype=np.int32)
    expected = users[:, :-1] @ items[:, :-1].T + items[:, -1]
    np.testing.assert_allclose(model.score(everybody), expected, rtol=1e-4, atol=1e-6)


def test_every_epoch_goes_on_from_the_last_one() -> None:
    heard: list[dict[str, float]] = []
    with listening(lambda _, losses: heard.append(losses)):
        BPR(QUICK).fit(noisy())
    losses, auc = ([one[name] for one in heard] for name in ("loss", "auc"))
    assert len(heard) == 12
    assert losses[0] == pytest.approx(np.log(2), abs=0.1)
    assert losses[-1] < 0.8 * losses[0]
    assert auc[-1] > 0.8 > auc[0]
    assert (np.diff(losses[3:]) < 0).all()  # the very first steps are hardly longer than noise


def test_triples_hold_what_was_liked_and_what_was_not() -> None:
    likes = liked(noisy().train.matrix, 3.5)
    triples = Triples.draw(likes, np.random.default_rng(0))
    stars = likes.toarray()
    assert (stars[triples.users, triples.liked] > 0).all()
    assert (stars[triples.users, triples.others] == 0).all()
    share = np.bincount(triples.liked, minlength=120) / len(triples.liked)
    assert np.corrcoef(share, (stars > 0).sum(axis=0))[0, 1] > 0.9


def test_curve_of_known_margins() -> None:
    triples = Triples(
        np.array([0, 0, 1], np.int32), np.array([0, 1, 1], np.int32), np.array([1, 2, 0], np.int32)
    )
    users = np.array([[1, 2], [0.5, 0]], np.float32)
    items = np.array([[3, 0], [1, 0.5], [4, 0]], np.float32)
    margins = np.array([1, -2, -1])
    found = triples.judge(users, items)
    assert found["auc"] == pytest.approx(1 / 3)
    assert found["loss"] == pytest.approx(np.log1p(np.exp(-margins)).mean())


def test_a_curve_of_nothing_has_no_points() -> None:
    heard: list[dict[str, float]] = []
    with listening(lambda _, losses: heard.append(losses)):
        BPR(QUICK).fit(single())  # its one user liked every item that anybody did
    assert heard == [{}] * 12


def test_one_thread_repeats_to_the_last_bit_and_the_seed_matters() -> None:
    likes = liked(noisy().train.matrix, 3.5)
    one, again = factorise(likes, QUICK), factorise(likes, QUICK)
    other = factorise(likes, QUICK.model_copy(update={"seed": 1}))
    for number in (0, 1):
        np.testing.assert_array_equal(one[number], again[number])
    assert not np.array_equal(one[1], other[1])


def test_several_threads_learn_too() -> None:
    heard: list[float] = []
    with listening(lambda _, losses: heard.append(losses["auc"])):
        BPR(QUICK.model_copy(update={"threads": 2})).fit(noisy())
    assert heard[-1] > 0.7 > heard[0]


def test_a_user_who_liked_nothing_gets_the_popular_items() -> None:
    data = noisy()
    rows = zip(data.train.users, data.train.items, data.train.ratings, strict=True)
    kept = [(int(u), int(i), float(r)) for u, i, r in rows if u != 7 or r < 4]
    data = dataset(kept, [], 300, 120)
    nobody = np.array([7], np.int32)
    popular = Popularity(PopularityParams()).fit(data).recommend(nobody, 120, exclude=None)
    assert BPR(BPRParams(n_epochs=2)).fit(data).recommend(nobody, 120, exclude=None).tolist() == (
        popular.tolist()
    )


def test_items_with_few_ratings_are_left_out() -> None:
    data = noisy()
    n_ratings = np.bincount(data.train.items, minlength=120)
    minimum = int(np.median(n_ratings))
    model = BPR(BPRParams(n_epochs=2, minimum_num_rating=minimum)).fit(data)
    few = n_ratings < minimum
    assert few.any()
    np.testing.assert_array_equal(model.item_factors_[:, few], 0)
    assert (np.abs(model.item_factors_[:, ~few]).sum(axis=0) > 0).all()


def test_factors_without_bound_are_refused() -> None:
    with pytest.raises(RecArenaError, match=r"in epoch \d+: lower LEARNING_RATE \(1e\+20\)"):
        BPR(BPRParams(learning_rate=1e20)).fit(noisy())


def test_scores_are_no_stars() -> None:
    assert not isinstance(BPR(BPRParams()), RatingPredictor)
