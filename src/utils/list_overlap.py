"""How much the lists of two runs have in common."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True)
class Overlap:
    """Means over the users who have a list in at least one of the runs.

    `shared` is |A and B| / k, `jaccard` is |A and B| / |A or B|, `identical` the share of users
    with the same items in the same order; all are 0 without users.
    """

    users: int
    shared: float
    jaccard: float
    identical: float


def overlap(a: pa.Table, b: pa.Table, k: int) -> Overlap:
    """The overlap of two tables of user_id, rank and movie_id, lists of at most k."""
    columns = [[one[name].to_numpy() for name in ("user_id", "rank", "movie_id")] for one in (a, b)]
    users, rows = _coded(columns[0][0], columns[1][0])
    movies, listed = _coded(columns[0][2], columns[1][2])
    n_users, n_movies = len(users), len(movies)
    if not n_users:
        return Overlap(0, 0.0, 0.0, 0.0)
    pairs = [
        row.astype(np.int64) * n_movies + movie for row, movie in zip(rows, listed, strict=True)
    ]
    in_both = np.intersect1d(pairs[0], pairs[1]) // n_movies
    common = np.bincount(in_both, minlength=n_users)
    lengths = [np.bincount(row, minlength=n_users) for row in rows]
    places = [
        np.full((n_users, k), -1, dtype=np.int64),
        np.full((n_users, k), -1, dtype=np.int64),
    ]
    for place, row, movie, column in zip(places, rows, listed, columns, strict=True):
        place[row, column[1] - 1] = movie
    return Overlap(
        users=n_users,
        shared=float((common / k).mean()),
        jaccard=float((common / (lengths[0] + lengths[1] - common)).mean()),
        identical=float((places[0] == places[1]).all(axis=1).mean()),
    )


def _coded(
    a: NDArray[np.int64], b: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[NDArray[np.intp]]]:
    """The different values of both, and each array as places in them."""
    values, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    return values, [codes[: len(a)], codes[len(a) :]]
