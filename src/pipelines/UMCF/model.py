"""User-based collaborative filtering: people who agreed with you so far will do so again."""

from queue import Empty, SimpleQueue
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from core.biases import mean_rating
from core.dataset import Dataset
from core.params import PipelineParams
from core.recommender import RatingPredictor
from core.threads import in_threads
from pipelines.UMCF import similarity

USERS_AT_ONCE = 256
LISTS = 8  # of all users, one a thread: more would take more memory than they save time


class UMCFParams(PipelineParams):
    """Parameters of UMCF."""

    similarity: Literal["pearson", "cosine"] = "cosine"
    """Pearson correlation over the common items, or the cosine of the whole mean-centred rows."""
    shrinkage: float = Field(50.0, ge=0)
    """A similarity that n common items say is multiplied by n / (n + shrinkage)."""
    min_support: PositiveInt = 1
    """Common items below which two users are not similar at all."""
    n_neighbors: PositiveInt = 40
    """Most similar users that are asked: of all to rank, of an item's raters to predict."""
    min_neighbors: PositiveInt = 1
    """Raters below which a prediction is the user's own mean."""


class UMCF(RatingPredictor):
    """Ratings of similar users, each relative to that user's mean.

    r(u, i) = mean(u) + sum_v s(u, v) (r(v, i) - mean(v)) / sum_v s(u, v), over the `n_neighbors`
    most similar raters v of i with s > 0: Resnick et al., GroupLens: an open architecture for
    collaborative filtering of netnews (1994). Shrinkage: Koren, Factorization meets the
    neighborhood (2008), section 2.2. A pair that is itself in train counts its own rating too,
    with similarity 1.

    In the order of that formula, what one neighbour loved would come first. Lists are ranked by
    the sum without its divisor, over the most similar users, whatever they rated: Cremonesi,
    Koren and Turrin, Performance of recommender algorithms on top-N recommendation tasks (2010),
    section 3.2 ("non-normalized"). A user without neighbours gets what most people rated.

    No matrix of users x users is made: similarities are had one user at a time, and to rank, each
    pair of users once.
    """

    keeps_history: ClassVar[bool] = True

    def __init__(self, params: UMCFParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        matrix = dataset.train.matrix
        n_users, n_items = matrix.shape
        mean = mean_rating(matrix, dataset.scale)
        self.counts_ = np.bincount(matrix.indices, minlength=n_items).astype(np.float32)
        sums = np.bincount(matrix.indices, matrix.data, minlength=n_items)
        rated = self.counts_ > 0
        self.item_means_ = np.where(rated, sums / np.maximum(self.counts_, 1), mean)
        self.ratings_ = similarity.encode(matrix)
        self.neighbors_, self.weights_ = self._nearest(n_users, n_items)
        return self

    def _nearest(self, n_users: int, n_items: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The most similar users of everybody and their similarities, of shape (n_users, k)."""
        tiles = similarity.by_tile(self.ratings_, n_items)
        all_lists = [similarity.Lists.empty(n_users, self.params.n_neighbors)]
        free: SimpleQueue[similarity.Lists] = SimpleQueue()
        free.put(all_lists[0])

        def near(first: int, last: int) -> None:
            try:
                lists = free.get_nowait()
            except Empty:  # as many as there are threads
                lists = similarity.Lists.empty(n_users, self.params.n_neighbors)
                all_lists.append(lists)
            similarity.compare(first, last, self.ratings_, tiles, self._measure(), lists)
            free.put(lists)

        bounds = [*range(0, n_users, USERS_AT_ONCE), n_users]
        in_threads(near, bounds, "neighbors", "users", most=LISTS)
        found, *others = all_lists
        for lists in others:
            similarity.merge(found, lists)
        return found.ids, found.weights.astype(np.float32)

    def _measure(self) -> similarity.Measure:
        cosine = self.params.similarity == "cosine"
        return similarity.Measure(cosine, self.params.shrinkage, self.params.min_support)

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        scores = np.empty((len(users), len(self.counts_)), np.float32)
        self.score_into(users, scores)
        return scores

    def score_into(self, users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        similarity.weighted_sums(users, self.neighbors_, self.weights_, self.ratings_, out)
        out[self.neighbors_[users, 0] < 0] = self.counts_

    def predict(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.float64]:
        order = np.argsort(users, kind="stable")
        tiles = similarity.by_tile(self.ratings_, len(self.counts_))
        points = np.empty(len(users))
        params = self.params

        def some(first: int, last: int) -> None:
            similarity.predict(
                order[first:last],
                users,
                items,
                self.ratings_,
                tiles,
                self._measure(),
                params.n_neighbors,
                params.min_neighbors,
                points,
            )

        # parts begin with a user's first pair, so that nobody's similarities are had twice
        new_user = np.flatnonzero(np.diff(users[order], prepend=-1))
        bounds = [*new_user[::USERS_AT_ONCE].tolist(), len(users)]
        in_threads(some, bounds, "predicting", "predictions")
        cold = np.diff(self.ratings_.starts)[users] == 0
        return np.where(cold, self.item_means_[items], (points + self.ratings_.lowest) / 2)
