"""Non-negative matrix factorisation, of the whole rating matrix or of what was rated."""

from typing import Self

import numpy as np
from pydantic import Field, PositiveInt

from core.biases import learn_biases, mean_rating
from core.dataset import Dataset
from core.factors import FactorModel, RatingFactorModel, or_biases
from core.params import PipelineParams
from pipelines.NMF.observed import factorise_observed
from pipelines.NMF.zero_filled import factorise_zero_filled


class NMFParams(PipelineParams):
    """Parameters of NMF."""

    factors: PositiveInt = 50
    """Factors; no more than the smaller side of the matrix are used when filled with zeros."""
    fill_with_zero: bool = True
    """Take a missing rating for 0: the ranking is far better for it, but scores are no stars
    then, so there is no RMSE. Otherwise only what was rated is factorised."""
    n_epochs: PositiveInt = 200
    """Most epochs."""
    tolerance: float = Field(1e-6, ge=0)
    """Stop when an epoch changes the loss by less than this; 0 makes all epochs."""
    reg_user: float = Field(0.15, ge=0)
    """Regularisation of the user factors, unless filled with zeros."""
    reg_item: float = Field(0.15, ge=0)
    """Regularisation of the item factors, unless filled with zeros."""
    seed: int = Field(0, ge=0)
    """Seed of the first factors."""


class NMF(FactorModel):
    """R = W H with W, H >= 0, every missing rating taken for 0.

    Cichocki and Phan, Fast local algorithms for large scale nonnegative matrix and tensor
    factorizations (2009), by scikit-learn's coordinate descent. The scores are no stars. A user
    without a train rating gets the items by their number of ratings.
    """

    def __init__(self, params: NMFParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        ratings = dataset.train.matrix
        users, items = factorise_zero_filled(
            ratings,
            self.params.factors,
            self.params.n_epochs,
            self.params.tolerance,
            self.params.seed,
        )
        self._set_factors_or_popular(users, items, ratings)
        return self


class RatingNMF(RatingFactorModel):
    """R = P Q^T with P, Q >= 0 on what was rated, so that scores are stars.

    Luo, Zhou, Xia and Zhu, An efficient non-negative matrix-factorization-based approach to
    collaborative filtering for recommender systems (2014), section III, as scikit-surprise's NMF
    without biases. A user or an item without a train rating gets mean and biases instead.
    """

    def __init__(self, params: NMFParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        ratings = dataset.train.matrix
        rng = np.random.default_rng(self.params.seed)
        # uniform, and the products' mean is the ratings': from elsewhere they would swing about it
        top = 2 * np.sqrt(mean_rating(ratings, dataset.scale) / self.params.factors)
        users, items = (
            rng.uniform(0, top, (n, self.params.factors)).astype(np.float32) for n in ratings.shape
        )
        users, items = factorise_observed(
            ratings,
            users,
            items,
            self.params.reg_user,
            self.params.reg_item,
            self.params.n_epochs,
            self.params.tolerance,
        )
        known_users = np.diff(ratings.indptr) > 0
        known_items = np.bincount(ratings.indices, minlength=ratings.shape[1]) > 0
        biases = learn_biases(ratings, dataset.scale)
        self._set_factors(*or_biases(users, items.T, known_users, known_items, biases))
        return self


def nmf(params: NMFParams) -> NMF | RatingNMF:
    """The NMF that the parameters ask for; it predicts ratings unless filled with zeros."""
    return NMF(params) if params.fill_with_zero else RatingNMF(params)
