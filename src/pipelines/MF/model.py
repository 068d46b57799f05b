"""Matrix factorisation by stochastic gradient descent."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from core.dataset import Dataset
from core.params import PipelineParams
from core.recommender import RatingPredictor
from pipelines.MF.sgd import Learned, Recipe, descend, descend_by_surprise


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


class MF(RatingPredictor):
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
        learned = solve(used, recipe)
        self.known_users_ = np.bincount(used.users, minlength=train.n_users) > 0
        self.known_items_ = np.bincount(used.items, minlength=train.n_items) > 0
        self.mean_ = train.mean_rating(dataset.scale.middle)
        self._keep(learned)
        return self

    def _keep(self, learned: Learned) -> None:
        """Store what was learned in single precision; what was never touched is no knowledge."""
        base = 0.0 if self.params.use_bias else self.mean_
        offset = self.mean_ if self.params.use_bias else 0.0
        users, items = self.known_users_, self.known_items_
        self.user_biases_ = np.where(users, learned.user_biases, base).astype(np.float32)
        self.item_biases_ = np.where(items, learned.item_biases, base).astype(np.float32)
        self.user_biases_ += np.float32(offset)
        self.user_factors_ = (learned.user_factors * users[:, None]).astype(np.float32)
        self.item_factors_ = (learned.item_factors * items[:, None]).T.astype(np.float32)

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        scores = np.empty((len(users), len(self.item_biases_)), np.float32)
        self.score_into(users, scores)
        return scores

    def score_into(self, users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        np.matmul(self.user_factors_[users], self.item_factors_, out=out)
        out += self.item_biases_

    def predict(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.float32]:
        stars = np.einsum("nf,fn->n", self.user_factors_[users], self.item_factors_[:, items])
        stars += self.user_biases_[users] + self.item_biases_[items]
        unknown = ~self.known_users_[users] & ~self.known_items_[items]
        return np.where(unknown, np.float32(self.mean_), stars)
