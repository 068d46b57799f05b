"""Matrix factorisation of implicit feedback: what was liked, with confidence, and all the rest."""

import os
from typing import Self

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.cpu.als import calculate_loss
from implicit.recommender_base import ModelFitError
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from core.dataset import Dataset
from core.errors import RecArenaError
from core.factors import FactorModel
from core.learning import report
from core.liked import liked
from core.params import PipelineParams
from core.progress import progress

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class IMFParams(PipelineParams):
    """Parameters of IMF."""

    factors: PositiveInt = 128
    """Factors of each user and item."""
    n_epochs: PositiveInt = 15
    """Epochs; each solves for the users, then for the items."""
    alpha: float = Field(0.25, gt=0, le=1e6)
    """Confidence in a liked item is 1 + alpha * stars; in any other it is 1."""
    regularization: float = Field(10.0, ge=0, le=1e6)
    """Weight of the squared factors in the loss."""
    minimum_rating: float = 4.0
    """Stars from which a train rating counts as liked; only those are learned from."""
    minimum_num_rating: int = Field(0, ge=0)
    """Items with fewer train ratings are left out."""
    seed: int = Field(0, ge=0)
    """Seed of the first factors."""


class IMF(FactorModel):
    """Weighted least squares: a liked item's preference is 1, any other's 0.

    Hu, Koren and Volinsky, Collaborative filtering for implicit feedback datasets (2008), sections
    4 and 5, by implicit's conjugate gradients. The scores are preferences, no stars. A user who
    liked nothing gets the items by their number of likes.
    """

    def __init__(self, params: IMFParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        likes = liked(
            dataset.train.matrix, self.params.minimum_rating, self.params.minimum_num_rating
        )
        users, items = factorise(likes, self.params, os.cpu_count() or 1)
        self._set_factors_or_popular(users, items.T, likes)
        return self


def factorise(likes: "csr_array[np.float32]", params: IMFParams, n_threads: int) -> Pair:
    """Factors of users (n_users, f) and items (n_items, f); 0 where nothing was liked.

    Every row is solved for by itself, so they are the same to the last bit for any number of
    threads, and so is the loss, because one thread sums it. implicit takes the stored values for
    the confidences themselves; its own `alpha` would multiply them and add no 1.

    Raises RecArenaError if they are not finite.
    """
    confidence = csr_matrix(
        (1 + np.float32(params.alpha) * likes.data, likes.indices, likes.indptr), shape=likes.shape
    )
    with threadpool_limits(1, "blas"), progress("IMF", params.n_epochs, "epochs") as advance:
        als = AlternatingLeastSquares(
            params.factors,
            params.regularization,
            alpha=1.0,
            use_gpu=False,
            iterations=params.n_epochs,
            num_threads=n_threads,
            random_state=params.seed,
        )

        def after_epoch(epoch: int, _seconds: float, _loss: float | None) -> None:
            factors = als.user_factors, als.item_factors
            loss = calculate_loss(confidence, *factors, params.regularization, num_threads=1)
            report(epoch + 1, loss=loss)
            advance(1)

        try:
            als.fit(confidence, show_progress=False, callback=after_epoch)
        except ModelFitError:
            raise RecArenaError(
                f"the factors are not finite: lower ALPHA ({params.alpha:g}) "
                f"or raise REGULARIZATION ({params.regularization:g})"
            ) from None
    return als.user_factors, als.item_factors
