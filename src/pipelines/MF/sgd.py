"""Stochastic gradient descent on single ratings, by a compiled loop or by scikit-surprise.

Both go through the ratings in the same order from the same start, so they learn the same up to
rounding; the compiled loop takes a fraction of the time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from core.dataset import Interactions
from core.learning import epochs, report

LANES = 8  # partial sums of a scalar product, which thereby does not wait for its last addition
ROWS_AT_ONCE = 1 << 16


@dataclass
class Learned:
    """Biases and factors of users and items, all float64; without biases, these are 0."""

    user_biases: NDArray[np.float64]
    item_biases: NDArray[np.float64]
    user_factors: NDArray[np.float64]
    item_factors: NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """How to descend: all that scikit-surprise's SVD takes, under its names."""

    n_factors: int
    n_epochs: int
    lr_all: float
    reg_all: float
    biased: bool
    init_std_dev: float
    seed: int


def start(train: Interactions, recipe: Recipe) -> Learned:
    """The model before the first epoch: normal factors, as scikit-surprise draws them."""
    rng = np.random.RandomState(recipe.seed)
    size = recipe.n_factors
    return Learned(
        np.zeros(train.n_users),
        np.zeros(train.n_items),
        rng.normal(0, recipe.init_std_dev, (train.n_users, size)),
        rng.normal(0, recipe.init_std_dev, (train.n_items, size)),
    )


def descend(train: Interactions, recipe: Recipe, mean: float) -> Learned:
    """The model after `n_epochs` passes, by the compiled loop; reports the error of each pass.

    With biases, `mean` is added to what user and item say; without, it is not used.
    """
    learned = start(train, recipe)
    width = -(-recipe.n_factors // LANES) * LANES  # further factors are 0 and stay 0
    padding = ((0, 0), (0, width - recipe.n_factors))
    users, items = (np.pad(f, padding) for f in (learned.user_factors, learned.item_factors))
    for epoch in epochs("MF", recipe.n_epochs):
        squares = _epoch(
            train.users,
            train.items,
            train.ratings,
            mean if recipe.biased else 0.0,
            learned.user_biases,
            learned.item_biases,
            users,
            items,
            recipe.lr_all,
            recipe.reg_all,
            recipe.biased,
        )
        report(epoch, train_rmse=np.sqrt(squares / max(len(train), 1)))
    learned.user_factors = users[:, : recipe.n_factors]
    learned.item_factors = items[:, : recipe.n_factors]
    return learned


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _epoch(users, items, ratings, mean, bu, bi, pu, qi, rate, penalty, biased):  # type: ignore[no-untyped-def]
    """Descend once along every rating; returns the sum of squared errors met on the way."""
    squares = 0.0
    width = pu.shape[1]
    lanes = np.empty(LANES)
    for n in range(len(users)):
        user, item = users[n], items[n]
        p, q = pu[user], qi[item]
        lanes[:] = 0
        for block in range(0, width, LANES):
            for lane in range(LANES):
                lanes[lane] += p[block + lane] * q[block + lane]
        error = ratings[n] - (mean + bu[user] + bi[item] + lanes.sum())
        squares += error * error
        if biased:
            bu[user] += rate * (error - penalty * bu[user])
            bi[item] += rate * (error - penalty * bi[item])
        for factor in range(width):
            old = p[factor]
            p[factor] += rate * (error * q[factor] - penalty * old)
            q[factor] += rate * (error * old - penalty * q[factor])
    return squares


class _ArrayTrainset:
    """What scikit-surprise's SVD asks of a trainset, without a tuple for every rating."""

    def __init__(self, train: Interactions, recipe: Recipe, mean: float) -> None:
        self.train, self.global_mean = train, mean
        self.n_users, self.n_items = train.n_users, train.n_items
        self._epochs = epochs("MF", recipe.n_epochs)

    def all_ratings(self) -> Iterator[tuple[int, int, float]]:
        """Every rating, in the order of the data set; called once an epoch."""
        next(self._epochs)
        train = self.train
        for first in range(0, len(train), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            yield from zip(
                train.users[rows].tolist(),
                train.items[rows].tolist(),
                train.ratings[rows].tolist(),
                strict=True,
            )


def descend_by_surprise(train: Interactions, recipe: Recipe, mean: float) -> Learned:
    """The same, by scikit-surprise itself, which does not tell the error of an epoch."""
    from surprise import SVD  # noqa: PLC0415 - needed by this solver alone

    trainset = _ArrayTrainset(train, recipe, mean)
    peer = SVD(
        n_factors=recipe.n_factors,
        n_epochs=recipe.n_epochs,
        biased=recipe.biased,
        lr_all=recipe.lr_all,
        reg_all=recipe.reg_all,
        init_std_dev=recipe.init_std_dev,
        random_state=recipe.seed,
    ).fit(trainset)
    next(trainset._epochs, None)  # ends the progress of the last epoch
    return Learned(peer.bu, peer.bi, peer.pu, peer.qi)
