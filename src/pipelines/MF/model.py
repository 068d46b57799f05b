"""Matrix factorisation by stochastic gradient descent."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from core.biases import Biases, mean_rating
from core.dataset import Dataset
from core.factors import RatingFactorModel, or_biases, with_biases
from core.params import PipelineParams
from pipelines.MF.sgd import Recipe, descend, descend_by_surprise


class MFParams(PipelineParams):
    """Parameters of MF."""

    factors: PositiveInt = 100
    """Length of the users' and items' vectors."""
    n_epochs: PositiveInt = 50
    """Passes through the ratings."""
    lr_all: PositiveFloat = 0.01
    """Learning rate."""
    reg_all: float = Field(0.1, ge=0)
    """Weight of the squared parameters in the loss."""
    use_bias: bool = True
    """Learn the mean and a bias of each user and item too; without, the factors do it all."""
    minimum_num_rating: NonNegativeInt = 0
    """Train ratings below which an item is left out of the training."""
    chronological: bool = True
    """Go through each user's ratings from the oldest to the newest, so that the newest count most;
    else the other way round."""
    init_std_dev: PositiveFloat = 0.1
    """Standard deviation of the factors before the first pass."""
    solver: Literal["compiled", "surprise"] = "compiled"
    """The loop over the ratings: our compiled one, or scikit-surprise's; both learn the same."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the first factors."""


class MF(RatingFactorModel):
    """r(u, i) = mean + b_u + b_i + p_u . q_i, fitted to the observed ratings one by one.

    Koren, Bell and Volinsky, Matrix factorization techniques for recommender systems (2009),
    equation 4; without biases, equation 1 (Salakhutdinov and Mnih, Probabilistic matrix
    factorization, 2008). What is unknown of a user or an item is left out of the sum; without
    biases, the mean rating stands in for a pair with an unknown side.
    """

    def __init__(self, params: MFParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        params, train = self.params, dataset.train
        counts = np.bincount(train.items, minlength=train.n_items)
        used = train.where(counts[train.items] >= params.minimum_num_rating)
        forward = 1 if params.chronological else -1
        used = used.take(np.lexsort((forward * used.timestamps, used.users)))
        mean = mean_rating(train.matrix, dataset.scale)
        recipe = Recipe(
            params.factors,
            params.n_epochs,
            params.lr_all,
            params.reg_all,
            params.use_bias,
            params.init_std_dev,
            params.seed,
        )
        solve = descend if params.solver == "compiled" else descend_by_surprise
        learned = solve(used, recipe, mean)
        biases = Biases(mean, learned.user_biases, learned.item_biases)
        known_users = np.bincount(used.users, minlength=train.n_users) > 0
        known_items = np.bincount(used.items, minlength=train.n_items) > 0
        # factors that no rating has touched are chance, not knowledge
        users = np.where(known_users[:, None], learned.user_factors, 0)
        items = np.where(known_items, learned.item_factors.T, 0)
        if params.use_bias:
            self._set_factors(*with_biases(users, items, biases))
        else:
            self._set_factors(*or_biases(users, items, known_users, known_items, biases))
        return self
