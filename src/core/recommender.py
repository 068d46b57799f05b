"""What a recommender is: it learns from a data set, then prefers some items for each user."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core import ranking
from core.dataset import Dataset
from core.ranking import NO_ITEM, Ranking

__all__ = ["NO_ITEM", "Ranking", "RatingPredictor", "Recommender"]


class Recommender(ABC):
    """Ranks items for users. A subclass learns in `fit` and rates every item in `score`.

    Constructors only store parameters; learned attributes end in an underscore; a fitted
    recommender holds no training interactions, so that its pickle carries none, unless it
    `keeps_history`.
    """

    keeps_history: ClassVar[bool] = False
    """Whether the fitted model holds what users rated. A memory-based recommender cannot answer
    without; its file is then as confidential as the data set (ADR 6)."""

    @abstractmethod
    def fit(self, dataset: Dataset) -> Self:
        """Learn from `dataset.train` (never `.test`) and return self.

        Fitting again starts afresh.
        """

    @abstractmethod
    def score(self, users: NDArray[np.int32]) -> NDArray[np.floating]:
        """Preference of each user for every item, shape (len(users), n_items).

        Only the order within a row has meaning. NaN means "cannot say" and is never recommended.
        Called from several threads at once, so it must not change the recommender.
        """

    def score_into(self, users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        """Write `score(users)` into `out`; override it where that saves making a new array."""
        out[...] = self.score(users)

    def recommend(
        self,
        users: NDArray[np.int32],
        k: int,
        *,
        exclude: "csr_array[np.float32] | None",
    ) -> NDArray[np.int32]:
        """The k best items of each user, best first, shape (len(users), k).

        Items stored in a user's row of `exclude` (normally the training matrix, shape
        (n_users, n_items)) are left out. Ties go to the lower item index. Short lists end in
        NO_ITEM. Scores are made in blocks of users, so memory does not grow with their number.
        """
        return self.rank(users, k, exclude=exclude).items

    def rank(
        self,
        users: NDArray[np.int32],
        k: int,
        *,
        exclude: "csr_array[np.float32] | None",
    ) -> Ranking:
        """`recommend`, with the scores of the recommended items beside them.

        Override this one where the lists can be had faster than through every score.
        """
        if not len(users):
            return Ranking(np.empty((0, k), np.int32), np.empty((0, k), np.float32))
        n_items = exclude.shape[1] if exclude is not None else self.score(users[:1]).shape[1]
        return ranking.rank(self.score_into, users, n_items, k, exclude=exclude)

    def tables(self, dataset: Dataset) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """What was learned, for people to read: columns by name, by the name of the table.

        Columns of a table are of one length. Each is logged with the run; none by default.
        """
        return {}


class RatingPredictor(Recommender):
    """A recommender that also predicts stars, so that it can be judged by RMSE as well."""

    @abstractmethod
    def predict(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.floating]:
        """Predicted stars of each pair (users[n], items[n]); finite for every pair, also cold.

        Not clipped to the scale of the ratings: the evaluation does that for all alike.
        """
