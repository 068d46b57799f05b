"""Truncated singular value decomposition of the rating matrix."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, eigsh

from core.biases import learn_biases, mean_rating
from core.dataset import Dataset
from core.factors import FactorModel, RatingFactorModel, with_biases
from core.params import PipelineParams

Triple = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class SVDParams(PipelineParams):
    """Parameters of SVD."""

    factors: PositiveInt = 50
    """Singular vectors kept; no more than the smaller side of the matrix are."""
    fill_with_zero: bool = True
    """Take a missing rating for 0 rather than for the mean rating: the ranking is better for it,
    but scores are no stars then, so there is no RMSE."""
    use_bias: bool = False
    """Decompose what the biases of user and item leave of a rating, and take a missing rating
    for one that they explain. Not together with fill_with_zero."""
    reg_user: float = Field(15.0, ge=0)
    """With use_bias: how many ratings of no bias are added to each user's."""
    reg_item: float = Field(10.0, ge=0)
    """With use_bias: how many ratings of no bias are added to each item's."""
    seed: int = Field(0, ge=0)
    """Seed of the solver's starting vector."""

    @model_validator(mode="after")
    def _one_filling(self) -> Self:
        if self.fill_with_zero and self.use_bias:
            raise ValueError(
                "FILL_WITH_ZERO and USE_BIAS exclude each other: "
                "a missing rating is either 0 or what the biases say; set one of them to false"
            )
        return self


class SVD(FactorModel):
    """R = U S V^T, cut after `factors` singular values, every missing rating taken for 0.

    Cremonesi, Koren and Turrin, Performance of recommender algorithms on top-N recommendation
    tasks (2010), section 3.3 (PureSVD). The scores are no stars. A user without a train rating
    gets the items by their number of ratings.
    """

    def __init__(self, params: SVDParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        matrix = dataset.train.matrix
        users, values, items = self._decompose(matrix.astype(np.float64), 0.0)
        unrated = np.bincount(matrix.indices, minlength=matrix.shape[1]) == 0
        items[:, unrated] = 0  # not the solver's rounding
        self._set_factors_or_popular(users * values, items, matrix)
        return self

    def _decompose(self, matrix: "csr_array[np.float64]", fill: float) -> Triple:
        return truncated_svd(filled(matrix, fill), self.params.factors, self.params.seed)


class MeanSVD(SVD, RatingFactorModel):
    """SVD of the ratings, every missing one taken for the mean rating, so that scores are stars.

    Sarwar et al., Application of dimensionality reduction in recommender system (2000), section
    3.1.
    """

    def fit(self, dataset: Dataset) -> Self:
        matrix = dataset.train.matrix
        fill = mean_rating(matrix, dataset.scale)
        users, values, items = self._decompose(matrix.astype(np.float64), fill)
        self._set_factors(users * values, items)
        return self


class BiasSVD(SVD, RatingFactorModel):
    """SVD of what the biases of user and item leave, every missing rating left nothing.

    Scores are the biases plus the decomposed rest: stars. The biases are those of Koren, Factor
    in the neighbors: scalable and accurate collaborative filtering (2010), section 2.1.
    """

    def fit(self, dataset: Dataset) -> Self:
        biases = learn_biases(
            dataset.train.matrix,
            dataset.scale,
            reg_user=self.params.reg_user,
            reg_item=self.params.reg_item,
        )
        rest = dataset.train.matrix.astype(np.float64)
        rest.data -= np.repeat(biases.mean + biases.users, np.diff(rest.indptr))
        rest.data -= biases.items[rest.indices]
        users, values, items = self._decompose(rest, 0.0)
        self._set_factors(*with_biases(users * values, items, biases))
        return self


def svd(params: SVDParams) -> SVD:
    """The SVD that the parameters ask for; it predicts ratings unless filled with zeros."""
    if params.fill_with_zero:
        return SVD(params)
    return BiasSVD(params) if params.use_bias else MeanSVD(params)


def filled(ratings: "csr_array[np.float64]", fill: float) -> LinearOperator:
    """The rating matrix with `fill` in the place of every missing rating; changes `ratings`.

    It is never made: filling with m is the sparse matrix of r - m plus a matrix of rank one that
    is m everywhere, and the solver needs products with vectors only.
    """
    matrix = ratings
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


def truncated_svd(matrix: LinearOperator, factors: int, seed: int) -> Triple:
    """U (n, f), s (f,) and V^T (f, m) of the largest singular values; f <= `factors`.

    Values that single precision cannot tell from 0 are left out, for their vectors are chance.
    """
    rng = np.random.default_rng(seed)
    if not np.any(matrix @ rng.standard_normal(matrix.shape[1])):
        rows, columns = matrix.shape  # all zero: the solver would have nothing to start from
        return np.zeros((rows, 1)), np.zeros(1), np.zeros((1, columns))
    tall = matrix.shape[0] >= matrix.shape[1]
    big = matrix if tall else matrix.T
    if factors >= big.shape[1]:
        basis = np.eye(big.shape[1])
    else:
        gram = LinearOperator(
            (big.shape[1],) * 2, matvec=lambda x: big.rmatvec(big.matvec(x)), dtype=np.float64
        )
        start = rng.standard_normal(big.shape[1])
        # not by svds: it lets the solver draw numbers of its own where the rank is low
        _, basis = eigsh(gram, factors, v0=start, rng=rng)
    users, values, rotation = np.linalg.svd(big @ basis, full_matrices=False)
    items = rotation @ basis.T
    real = values > values[0] * np.finfo(np.float32).eps
    users, values, items = users[:, real], values[real], items[real]
    return (users, values, items) if tall else (items.T, values, users.T)
