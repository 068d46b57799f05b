"""Recommenders whose scores are products of a factor for each user and one for each item."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.biases import Biases
from core.recommender import RatingPredictor, Recommender

Matrix = NDArray[np.floating]


class FactorModel(Recommender):
    """Scores are `user_factors_ @ item_factors_`, shapes (n_users, f) and (f, n_items)."""

    def _set_factors(self, users: Matrix, items: Matrix) -> None:
        self.user_factors_ = np.ascontiguousarray(users, dtype=np.float32)
        self.item_factors_ = np.ascontiguousarray(items, dtype=np.float32)

    def _set_factors_or_popular(
        self, users: Matrix, items: Matrix, ratings: "csr_array[np.float32]"
    ) -> None:
        """Set factors of users and items; users without a row of `ratings` get the popular items.

        These are the items with most stored ratings.
        """
        known = np.diff(ratings.indptr) > 0
        counts = np.bincount(ratings.indices, minlength=ratings.shape[1])
        self._set_factors(*or_popular(users, items, known, counts))

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.user_factors_[users] @ self.item_factors_

    def score_into(self, users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        np.matmul(self.user_factors_[users], self.item_factors_, out=out)


class RatingFactorModel(FactorModel, RatingPredictor):
    """A FactorModel whose scores are stars."""

    def predict(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.einsum("nf,fn->n", self.user_factors_[users], self.item_factors_[:, items])


def with_biases(users: Matrix, items: Matrix, biases: Biases) -> tuple[Matrix, Matrix]:
    """Factors whose products are `users @ items` plus mean, user's and item's bias."""
    user_columns = [users, biases.mean + biases.users, np.ones(len(users))]
    item_rows = [items, np.ones(items.shape[1]), biases.items]
    return np.column_stack(user_columns), np.vstack(item_rows)


def or_popular(
    users: Matrix, items: Matrix, known: NDArray[np.bool_], popularity: NDArray[np.number]
) -> tuple[Matrix, Matrix]:
    """Factors whose products are `users @ items` for known users, `popularity` for the others.

    `known` is of shape (n_users,), `popularity` a score for each item. The one factor that is
    added is 0 for a known user, so the products stay the same to the last bit.
    """
    users = np.where(known[:, None], users, 0)
    return np.column_stack([users, ~known]), np.vstack([items, popularity])


def or_biases(
    users: Matrix,
    items: Matrix,
    known_users: NDArray[np.bool_],
    known_items: NDArray[np.bool_],
    biases: Biases,
) -> tuple[Matrix, Matrix]:
    """Factors whose products are `users @ items` where both are known, else mean and biases.

    The bias of who is not known must be 0.
    """
    user_columns = [
        np.where(known_users[:, None], users, 0),
        ~known_users,
        np.where(known_users, biases.mean + biases.users, 0),
    ]
    item_rows = [np.where(known_items, items, 0), biases.mean + biases.items, ~known_items]
    return np.column_stack(user_columns), np.vstack(item_rows)
