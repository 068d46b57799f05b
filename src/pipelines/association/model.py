"""Association rules between pairs of items."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from core.dataset import Dataset
from core.liked import liked
from core.params import PipelineParams
from core.recommender import Recommender
from pipelines.association import rules


class AssociationParams(PipelineParams):
    """Parameters of association."""

    minimum_rating: float = 4.0
    """Stars from which a train rating counts as liked."""
    min_support: float = Field(0.005, ge=0, le=1)
    """Share of all users who must like both items of a rule."""
    min_confidence: float = Field(0.0, ge=0, le=1)
    """Share of those who like the first item who must like the second too."""
    measure: Literal["lift", "confidence", "cosine"] = "cosine"
    """What says how good a rule is."""
    threshold: float = Field(0.0, ge=0)
    """Value of the measure below which there is no rule."""
    n_rules: PositiveInt = 200
    """Rules that are kept of an item, the best ones."""
    combine: Literal["sum", "max"] = "sum"
    """What becomes of several rules that lead to an item: their sum, or the best alone."""


class Association(Recommender):
    """Items to which rules lead from what a user likes; a rule is "who likes i likes j".

    Of N users, n_i like i and n_ij both: support n_ij / N, confidence n_ij / n_i, lift
    n_ij N / (n_i n_j): Agrawal, Imielinski and Swami, Mining association rules between sets of
    items in large databases (1993), section 2; Brin et al., Dynamic itemset counting and
    implication rules for market basket data (1997), section 4 (lift, there "interest"). Cosine is
    n_ij / sqrt(n_i n_j): Deshpande and Karypis, Item-based top-N recommendation algorithms (2004),
    section 4.1.1. Items that no rule leads to come after all others, by the number who like them.
    """

    keeps_history: ClassVar[bool] = True

    def __init__(self, params: AssociationParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        params, train = self.params, dataset.train
        likes = liked(train.matrix, params.minimum_rating)
        self.n_users_ = train.n_users
        self.liked_starts_ = likes.indptr.astype(np.int64)
        self.liked_items_ = likes.indices.astype(np.int32)
        self.n_liking_ = np.bincount(likes.indices, minlength=train.n_items)
        demands = rules.Demands(
            rules.MEASURES[params.measure],
            params.threshold,
            max(1, math.ceil(params.min_support * train.n_users - 1e-9)),
            params.min_confidence,
        )
        self.rules_ = rules.find_rules(likes, demands, min(params.n_rules, train.n_items))
        return self

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        scores = np.empty((len(users), len(self.n_liking_)), np.float32)
        self.score_into(users, scores)
        return scores

    def score_into(self, users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        found = self.rules_
        rules.apply(
            users,
            self.liked_starts_,
            self.liked_items_,
            found.starts,
            found.consequents,
            found.weights,
            self.params.combine == "max",
            out,
        )
        popularity = (self.n_liking_ / (self.n_users_ + 1) - 1).astype(np.float32)  # in [-1, 0)
        np.copyto(out, popularity, where=out == 0)

    def tables(self, dataset: Dataset) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """The rules, best first."""
        found = self.rules_
        order = np.argsort(-found.weights, kind="stable")
        first, second = found.antecedents[order], found.consequents[order]
        both = found.counts[order].astype(np.float64)
        titles = np.array(dataset.titles, dtype=object)
        confidence = both / self.n_liking_[first]
        return {
            "rules": {
                "antecedent_id": dataset.item_ids.ids[first],
                "antecedent": titles[first],
                "consequent_id": dataset.item_ids.ids[second],
                "consequent": titles[second],
                "support": both / self.n_users_,
                "confidence": confidence,
                "lift": confidence * self.n_users_ / self.n_liking_[second],
                "cosine": both / np.sqrt(self.n_liking_[first] * self.n_liking_[second]),
            }
        }
