"""Factorisation of the whole matrix, every missing rating taken for 0."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import non_negative_factorization
from threadpoolctl import threadpool_limits

from core.learning import epochs, report

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def factorise_zero_filled(
    ratings: "csr_array[np.float32]", factors: int, n_epochs: int, tolerance: float, seed: int
) -> Pair:
    """W (n_users, f) and H (f, n_items), not negative, with W H near the ratings; f <= `factors`.

    The loss is the share of the sum of squares that W H leaves: ||R - W H||^2 / ||R||^2. Epochs
    end when one changes it by less than `tolerance`. One scikit-learn iteration a time, each
    from where the last one ended, is the same as one call: its coordinate descent keeps nothing
    else. Single precision, as the ratings are, takes half the time and memory of double.
    """
    n_users, n_items = ratings.shape
    if not ratings.nnz:
        return np.zeros((n_users, 1), np.float32), np.zeros((1, n_items), np.float32)
    total = np.square(ratings.data, dtype=np.float64).sum()
    before = np.inf
    with threadpool_limits(1, "blas"):  # the products are small, and repeat to the last bit so
        for epoch in epochs("NMF", n_epochs):
            if epoch == 1:
                users, items = _first_epoch(ratings, min(factors, n_users, n_items), seed)
            else:
                users, items, _ = non_negative_factorization(
                    ratings, users, items, init="custom", max_iter=1, tol=0
                )
            loss = 1 + _squares_minus_products(ratings, users, items) / total
            report(epoch, loss=loss)
            if abs(before - loss) < tolerance:
                break
            before = loss
    return users, items


def _first_epoch(ratings: "csr_array[np.float32]", factors: int, seed: int) -> Pair:
    """The factors after one iteration from those that the singular vectors suggest."""
    start = {"n_components": factors, "max_iter": 1, "tol": 0, "random_state": seed}
    with np.errstate(divide="ignore", invalid="ignore"):
        users, items, _ = non_negative_factorization(ratings, init="nndsvda", **start)
    if not (np.isfinite(users).all() and np.isfinite(items).all()):
        # a singular vector of a matrix of low rank had no non-negative part at all
        users, items, _ = non_negative_factorization(ratings, init="random", **start)
    return users, items


def _squares_minus_products(
    ratings: "csr_array[np.float32]", users: NDArray[np.float32], items: NDArray[np.float32]
) -> float:
    """||W H||^2 - 2 <R, W H>, without ever making W H."""
    squares = np.vdot(users.T.astype(np.float64) @ users, items.astype(np.float64) @ items.T)
    products = np.einsum("nf,nf->", users, ratings @ items.T, dtype=np.float64)
    return float(squares - 2 * products)
