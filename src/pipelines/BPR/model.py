"""Bayesian personalised ranking: what a user liked comes before what he did not."""

from typing import Self

import numpy as np
from implicit.bpr import BayesianPersonalizedRanking
from implicit.recommender_base import ModelFitError
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy.sparse import csr_array, csr_matrix

from core.dataset import Dataset
from core.errors import RecArenaError
from core.factors import FactorModel
from core.learning import epochs, report
from core.liked import liked
from core.params import PipelineParams
from pipelines.BPR.triples import Triples

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class BPRParams(PipelineParams):
    """Parameters of BPR."""

    factors: PositiveInt = 64
    """Factors of each user and item, beside the items' biases."""
    n_epochs: PositiveInt = 40
    """Epochs; each draws as many pairs of items as there are likes."""
    learning_rate: float = Field(0.02, gt=0)
    """Length of a step."""
    regularization: float = Field(0.01, ge=0)
    """Weight of the squared factors and biases in the loss."""
    minimum_rating: float = 4.0
    """Stars from which a train rating counts as liked; only those are learned from."""
    minimum_num_rating: int = Field(0, ge=0)
    """Items with fewer train ratings are left out."""
    verify_negative_samples: bool = True
    """Skip a pair whose other item the user liked as well."""
    threads: PositiveInt = 1
    """Threads that learn. Several write the same factors with no order between them: the same
    seed gives other lists then."""
    seed: int = Field(0, ge=0)
    """Seed of the first factors and of the pairs."""


class BPR(FactorModel):
    """Factors and item biases that rank a liked item above another one, by stochastic steps.

    Rendle, Freudenthaler, Gantner and Schmidt-Thieme, BPR: Bayesian personalized ranking from
    implicit feedback (2009), sections 4.3 and 5.1, by implicit, which draws the other item by how
    many liked it. The scores are no stars. A user who liked nothing gets the items by their
    number of likes.
    """

    def __init__(self, params: BPRParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        likes = liked(
            dataset.train.matrix, self.params.minimum_rating, self.params.minimum_num_rating
        )
        users, items = factorise(likes, self.params)
        self._set_factors_or_popular(users, items.T, likes)
        return self


def factorise(likes: "csr_array[np.float32]", params: BPRParams) -> Pair:
    """Factors of users (n_users, f + 1) and items (n_items, f + 1); 0 where nothing was liked.

    The last one is the item's bias, and 1 for every user.

    implicit tells what an epoch reached to nobody but its progress bar, so every epoch is a call
    of its own, which goes on from the factors and the generator that the last one left.

    Raises RecArenaError if they are not finite.
    """
    matrix = csr_matrix((likes.data, likes.indices, likes.indptr), shape=likes.shape)
    rng = np.random.default_rng(params.seed)
    triples = Triples.draw(likes, np.random.default_rng([params.seed, 1]))
    bpr = BayesianPersonalizedRanking(
        params.factors,
        params.learning_rate,
        params.regularization,
        use_gpu=False,
        iterations=1,
        num_threads=params.threads,
        verify_negative_samples=params.verify_negative_samples,
        random_state=rng,
    )
    for epoch in epochs("BPR", params.n_epochs):
        try:
            bpr.fit(matrix, show_progress=False)
        except ModelFitError:
            raise RecArenaError(
                f"the factors grew without bound in epoch {epoch}: "
                f"lower LEARNING_RATE ({params.learning_rate:g})"
            ) from None
        report(epoch, **triples.judge(bpr.user_factors, bpr.item_factors))
    return bpr.user_factors, bpr.item_factors
