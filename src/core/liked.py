"""Ratings as likes, for recommenders that learn from what was liked and nothing else."""

import numpy as np
from scipy.sparse import csr_array


def liked(
    ratings: "csr_array[np.float32]", minimum_rating: float, minimum_num_rating: int = 0
) -> "csr_array[np.float32]":
    """The stored ratings of at least `minimum_rating` stars, of the same shape.

    Items with fewer than `minimum_num_rating` ratings, liked or not, are left out.
    """
    keep = ratings.data >= minimum_rating
    if minimum_num_rating:
        n_ratings = np.bincount(ratings.indices, minlength=ratings.shape[1])
        keep &= (n_ratings >= minimum_num_rating)[ratings.indices]
    before = np.concatenate(([0], np.cumsum(keep, dtype=np.int32)))
    return csr_array(
        (ratings.data[keep], ratings.indices[keep], before[ratings.indptr]), shape=ratings.shape
    )
