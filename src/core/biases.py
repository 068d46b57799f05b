"""Biases of users and items: how far above the mean they rate, or are rated."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.dataset import RatingScale

EPOCHS = 10  # ten more change no bias of ml-latest-small by 0.003 stars


class Biases(NamedTuple):
    """Stars of a pair without any taste: `mean + users[u] + items[i]`.

    Shapes (n_users,) and (n_items,), float64; 0 for who gave, or what got, no rating.
    """

    mean: float
    users: NDArray[np.float64]
    items: NDArray[np.float64]


def mean_rating(ratings: "csr_array[np.float32]", scale: RatingScale) -> float:
    """Mean of the stored ratings; the middle of the scale if there is none."""
    if not ratings.nnz:
        return (scale.lowest + scale.highest) / 2
    return float(ratings.data.mean(dtype=np.float64))


def learn_biases(
    ratings: "csr_array[np.float32]",
    scale: RatingScale,
    *,
    reg_user: float = 15.0,
    reg_item: float = 10.0,
    epochs: int = EPOCHS,
) -> Biases:
    """Biases that minimise the squared error plus `reg` times each squared bias.

    By turns: each item's bias is the sum of what mean and user biases leave of its ratings,
    divided by their number plus `reg_item`; then each user's likewise. One epoch is the closed
    form of Koren, Factor in the neighbors: scalable and accurate collaborative filtering (2010),
    section 2.1; the more there are, the nearer they come to the minimum.
    """
    mean = mean_rating(ratings, scale)
    n_of_user = np.diff(ratings.indptr)
    n_of_item = np.bincount(ratings.indices, minlength=ratings.shape[1])
    above = ratings.astype(np.float64)
    above.data -= mean
    user_sums: NDArray[np.float64] = above.sum(axis=1)
    item_sums: NDArray[np.float64] = above.sum(axis=0)
    rated = above
    rated.data[:] = 1
    users, items = np.zeros(ratings.shape[0]), np.zeros(ratings.shape[1])
    for _ in range(epochs):
        items = _shrunk(item_sums - rated.T @ users, n_of_item, reg_item)
        users = _shrunk(user_sums - rated @ items, n_of_user, reg_user)
    return Biases(mean, users, items)


def _shrunk(sums: NDArray[np.float64], n: NDArray[np.int64], reg: float) -> NDArray[np.float64]:
    """`sums / (n + reg)`, and 0 where n is 0."""
    return np.divide(sums, n + reg, out=np.zeros_like(sums), where=n > 0)
