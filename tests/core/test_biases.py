"""Biases against those of scikit-surprise and against the minimum that they look for."""

import numpy as np
import pytest
from surprise import BaselineOnly

import surprise_peer
import tiny_datasets
from core.biases import learn_biases, mean_rating
from core.dataset import RatingScale

SCALE = RatingScale()


@pytest.mark.parametrize(("epochs", "reg_user", "reg_item"), [(1, 10, 25), (10, 15, 10)])
def test_equal_to_the_baselines_of_surprise(epochs: int, reg_user: float, reg_item: float) -> None:
    data = tiny_datasets.noisy()
    options = {"method": "als", "n_epochs": epochs, "reg_u": reg_user, "reg_i": reg_item}
    peer = BaselineOnly(bsl_options=options, verbose=False).fit(surprise_peer.trainset(data))
    found = learn_biases(
        data.train.matrix, SCALE, reg_user=reg_user, reg_item=reg_item, epochs=epochs
    )
    assert found.mean == pytest.approx(peer.trainset.global_mean, rel=1e-9)
    np.testing.assert_allclose(found.users, peer.bu, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.items, peer.bi, rtol=1e-6, atol=1e-9)


def test_many_epochs_reach_the_least_squares_solution() -> None:
    data = tiny_datasets.noisy(40, 50)
    train, reg_user, reg_item = data.train, 3.0, 5.0
    n = train.n_users + train.n_items
    design = np.zeros((len(train), n))
    design[np.arange(len(train)), train.users] = 1
    design[np.arange(len(train)), train.n_users + train.items] = 1
    penalty = np.diag([reg_user] * train.n_users + [reg_item] * train.n_items)
    above = train.ratings - train.ratings.mean(dtype=np.float64)
    expected = np.linalg.solve(design.T @ design + penalty, design.T @ above)
    found = learn_biases(train.matrix, SCALE, reg_user=reg_user, reg_item=reg_item, epochs=200)
    np.testing.assert_allclose(np.concatenate([found.users, found.items]), expected, atol=1e-9)


def test_who_has_no_rating_has_no_bias() -> None:
    train = tiny_datasets.cold().train
    found = learn_biases(train.matrix, SCALE, reg_user=0, reg_item=0)
    assert found.users[[2, 3]].tolist() == [0, 0]
    assert found.items[[4, 5]].tolist() == [0, 0]
    assert np.isfinite(found.users).all()
    assert np.isfinite(found.items).all()


def test_without_ratings_the_mean_is_the_middle_of_the_scale() -> None:
    empty = tiny_datasets.dataset([], [], 2, 3).train.matrix
    assert mean_rating(empty, RatingScale(1, 5)) == 3
    assert learn_biases(empty, RatingScale(1, 5)).mean == 3
