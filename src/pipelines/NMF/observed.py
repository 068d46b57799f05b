"""Factorisation of what was rated, and of nothing else."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from core.learning import epochs, report

Matrix = NDArray[Any]  # float32 or float64
RATINGS_AT_ONCE = 1 << 13  # their factors stay in the cache


def factorise_observed(
    ratings: "csr_array[np.float32]",
    users: Matrix,
    items: Matrix,
    reg_user: float,
    reg_item: float,
    n_epochs: int,
    tolerance: float,
) -> tuple[Matrix, Matrix]:
    """P (n_users, f) and Q (n_items, f), not negative, with P Q^T near what was rated.

    `users` and `items` are the first P and Q, and set the precision. An epoch updates both from
    what they were before it. The loss is the root mean squared error; epochs end when one changes
    it by less than `tolerance`.
    """
    exact: csr_array[Any] = ratings.astype(users.dtype)
    estimated = exact.copy()
    rows = np.repeat(np.arange(ratings.shape[0], dtype=np.int32), np.diff(ratings.indptr))
    n_of_user = np.diff(ratings.indptr)[:, None].astype(users.dtype)
    n_of_item = np.bincount(ratings.indices, minlength=ratings.shape[1])[:, None]
    n_of_item = n_of_item.astype(users.dtype)
    _estimate(estimated.data, users, items, rows, ratings.indices)
    before = np.inf
    for epoch in epochs("NMF", n_epochs):
        users, items = (
            _updated(users, items, exact, estimated, reg_user * n_of_user),
            _updated(items, users, exact.T, estimated.T, reg_item * n_of_item),
        )
        _estimate(estimated.data, users, items, rows, ratings.indices)
        loss = _rmse(exact.data, estimated.data)
        report(epoch, loss=loss)
        if abs(before - loss) < tolerance:
            break
        before = loss
    return users, items


def _updated(
    factors: Matrix,
    others: Matrix,
    exact: "csr_array[Any] | csc_array[Any]",
    estimated: "csr_array[Any] | csc_array[Any]",
    reg: Matrix,
) -> Matrix:
    """One side's factors after an epoch; `exact` and `estimated` have that side as rows.

    Each is multiplied by the sum of the other side's factors weighted by the ratings, over the
    same sum weighted by the estimated ratings plus `reg` times the factor itself.
    """
    above: Matrix = exact @ others
    below: Matrix = estimated @ others + reg * factors
    return factors * np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _estimate(
    out: Matrix,
    users: Matrix,
    items: Matrix,
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
) -> None:
    """Write the product of user and item factors at each (row, column) into `out`."""
    for start in range(0, len(out), RATINGS_AT_ONCE):
        part = slice(start, start + RATINGS_AT_ONCE)
        of_users, of_items = users.take(rows[part], axis=0), items.take(columns[part], axis=0)
        np.einsum("nf,nf->n", of_users, of_items, out=out[part])


def _rmse(exact: Matrix, estimated: Matrix) -> float:
    """Root mean squared error; 0 of nothing."""
    squares = np.square(exact - estimated).sum(dtype=np.float64)
    return float(np.sqrt(squares / max(1, len(exact))))
