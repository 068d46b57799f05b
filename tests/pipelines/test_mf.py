"""MF against scikit-surprise's SVD, started alike."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from surprise import SVD, Reader
from surprise import Dataset as SurpriseDataset

from core.learning import listening
from pipelines.MF.model import MF, MFParams
from tiny_datasets import cold, dataset, noisy


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("factors", [7, 16])
def test_the_solvers_learn_the_same(use_bias: bool, factors: int) -> None:
    data = noisy()
    options: dict[str, Any] = {"use_bias": use_bias, "factors": factors, "n_epochs": 12}
    ours, theirs = (
        MF(MFParams(solver=solver, **options)).fit(data) for solver in ("compiled", "surprise")
    )
    for name in ("user_factors_", "item_factors_"):  # biases are among them
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-6)


def test_equal_to_surprise_used_as_its_manual_says() -> None:
    rest = noisy().train
    # one who rated everything comes first: Surprise numbers items by their first appearance
    first = [(0, item, 3.0) for item in range(rest.n_items)]
    rows = first + list(
        zip((rest.users + 1).tolist(), rest.items.tolist(), rest.ratings.tolist(), strict=True)
    )
    data = dataset(rows, [], rest.n_users + 1, rest.n_items)  # a second apart, in this order
    ratings = SurpriseDataset(Reader(rating_scale=(0.5, 5)))
    trainset = ratings.construct_trainset([(*row, None) for row in rows])
    peer = SVD(n_factors=10, random_state=3).fit(trainset)
    users, items = (np.array(side, np.int32) for side in zip(*np.ndindex(50, 120), strict=True))
    pairs = zip(users.tolist(), items.tolist(), strict=True)
    expected = [peer.predict(user, item, clip=False).est for user, item in pairs]
    model = MF(MFParams(factors=10, seed=3, n_epochs=20, lr_all=0.005, reg_all=0.02)).fit(data)
    np.testing.assert_allclose(model.predict(users, items), expected, atol=1e-5)


def test_the_error_of_each_epoch_is_reported_and_falls() -> None:
    heard: list[float] = []
    with listening(lambda _, losses: heard.append(losses["train_rmse"])):
        MF(MFParams(n_epochs=6)).fit(noisy())
    assert len(heard) == 6
    assert all(np.diff(heard) < 0)


def test_the_first_reported_error_is_that_of_the_start() -> None:
    data = noisy()
    heard: list[float] = []
    with listening(lambda _, losses: heard.append(losses["train_rmse"])):
        MF(MFParams(n_epochs=1, lr_all=1e-12, init_std_dev=1e-9)).fit(data)
    assert heard == [pytest.approx(data.train.ratings.std(dtype=float), rel=1e-6)]


def test_items_with_few_ratings_are_left_out_of_training() -> None:
    data = noisy()
    counts = np.bincount(data.train.items, minlength=120)
    fewest = int(np.sort(counts)[30])
    model = MF(MFParams(minimum_num_rating=fewest)).fit(data)
    out = counts < fewest
    assert 0 < out.sum() < 60
    factors, bias = model.item_factors_[:100], model.item_factors_[-1]
    assert not factors[:, out].any()
    assert not bias[out].any()
    assert factors[:, ~out].any(axis=0).all()


@pytest.mark.parametrize("use_bias", [True, False])
def test_unknown_users_and_items(use_bias: bool) -> None:
    data = cold()
    model = MF(MFParams(use_bias=use_bias, factors=3)).fit(data)
    users, items = np.array([3, 0, 3], np.int32), np.array([5, 5, 0], np.int32)
    neither, known_user, known_item = model.predict(users, items)
    mean = data.train.ratings.mean()
    assert neither == pytest.approx(mean)
    if use_bias:
        assert known_user == pytest.approx(model.user_factors_[0, 3])  # mean and bias
        assert known_item == pytest.approx(mean + model.item_factors_[-1, 0])
        assert known_user != pytest.approx(mean)
    else:
        assert (known_user, known_item) == (pytest.approx(mean), pytest.approx(mean))


def test_ratings_are_gone_through_by_time_whatever_their_order() -> None:
    data = noisy()
    shuffled = data.train.take(np.random.default_rng(0).permutation(len(data.train)))
    again = dataclasses.replace(data, train=shuffled)
    for chronological in (True, False):
        params = MFParams(n_epochs=2, chronological=chronological)
        one, other = MF(params).fit(data), MF(params).fit(again)
        np.testing.assert_array_equal(one.user_factors_, other.user_factors_)
    forward = MF(MFParams(n_epochs=2)).fit(data)
    assert np.abs(forward.user_factors_ - one.user_factors_).max() > 1e-4
