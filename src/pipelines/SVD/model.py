"""Truncated singular value decomposition of the rating matrix."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, svds

from core.dataset import Dataset, RatingScale
from core.params import PipelineParams
from core.recommender import RatingPredictor, Recommender


class SVDParams(PipelineParams):
    """Parameters of SVD."""

    factors: PositiveInt = 20
    """Singular vectors kept; no more than the smaller side of the matrix are."""
    fill_with_zero: bool = False
    """Take a missing rating for 0 rather than for the mean rating: the ranking is better for it,
    but scores are no stars then, so there is no RMSE."""
    seed: int = Field(0, ge=0)
    """Seed of the solver's starting vector."""


class SVD(Recommender):
    """R = U S V^T, cut after `factors` singular values, with every missing rating filled.

    Sarwar et al., Application of dimensionality reduction in recommender system (2000), section
    3.1; filled with zeros: Cremonesi, Koren and Turrin, Performance of recommender algorithms on
    top-N recommendation tasks (2010), section 3.3 (PureSVD). Zero-filled scores are no stars.

    The filled matrix is never made: filling with m is the sparse matrix of r - m plus a matrix
    of rank one that is m everywhere, and the solver needs products with vectors only.
    """

    fill_with_mean = False

    def __init__(self, params: SVDParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        matrix = dataset.train.matrix.astype(np.float64)
        fill = _mean(matrix, dataset.scale) if self.fill_with_mean else 0.0
        users, values, items = truncated_svd(
            filled(matrix, fill), self.params.factors, self.params.seed
        )
        if not fill:  # a row or column without a rating is zero, not the solver's rounding
            users[np.diff(matrix.indptr) == 0] = 0
            items[:, np.bincount(matrix.indices, minlength=items.shape[1]) == 0] = 0
        self.user_factors_ = (users * values).astype(np.float32)
        self.item_factors_ = items.astype(np.float32)
        return self

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.user_factors_[users] @ self.item_factors_

    def score_into(self, users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        np.matmul(self.user_factors_[users], self.item_factors_, out=out)


class RatingSVD(SVD, RatingPredictor):
    """SVD filled with the mean rating, so that its scores are stars."""

    fill_with_mean = True

    def predict(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.einsum("nf,fn->n", self.user_factors_[users], self.item_factors_[:, items])


def svd(params: SVDParams) -> SVD:
    """The SVD that the parameters ask for; it predicts ratings unless filled with zeros."""
    return SVD(params) if params.fill_with_zero else RatingSVD(params)


def _mean(ratings: "csr_array[np.float64]", scale: RatingScale) -> float:
    """Mean train rating; the middle of the scale if there is none."""
    return float(ratings.data.mean()) if ratings.nnz else (scale.lowest + scale.highest) / 2


def filled(ratings: "csr_array[np.float64]", fill: float) -> LinearOperator:
    """The rating matrix with `fill` in the place of every missing rating."""
    matrix = ratings.copy()
    matrix.data -= fill

    def times(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return matrix @ x + fill * x.sum(axis=0)

    def transposed_times(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return matrix.T @ x + fill * x.sum(axis=0)

    return LinearOperator(
        matrix.shape,
        matvec=times,
        rmatvec=transposed_times,
        matmat=times,
        rmatmat=transposed_times,
        dtype=np.float64,
    )


def truncated_svd(
    matrix: LinearOperator, factors: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """U (n, f), s (f,) and V^T (f, m) of the largest singular values; f <= `factors`."""
    rng = np.random.default_rng(seed)
    if not np.any(matrix @ rng.standard_normal(matrix.shape[1])):
        rows, columns = matrix.shape  # all zero: the solver would have nothing to start from
        return np.zeros((rows, 1)), np.zeros(1), np.zeros((1, columns))
    if factors < min(matrix.shape):
        start = rng.standard_normal(min(matrix.shape))
        users, values, items = svds(matrix, k=factors, v0=start, solver="arpack")
        return users, values.astype(np.float64), items
    dense = matrix @ np.eye(matrix.shape[1])  # its smaller side has at most `factors` entries
    return np.linalg.svd(dense, full_matrices=False)
