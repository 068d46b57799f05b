"""The same lists judged as other libraries would judge them.

Written from their sources, which `metric_definitions.LIBRARIES` names; ranx and ir-measures are
run beside this in the tests. What is compared are formulas: the lists stay ours, though some of
these libraries would also have drawn them from other candidates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.dataset import Dataset, Interactions
from core.protocol import EvaluationProtocol
from core.recommender import Ranking
from utils import metrics
from utils.evaluation import hits_of, relevant_test

PerUser = metrics.PerUser


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of every user of a data set, and the test items that were relevant.

    `ranking` has a row for each user index, as of `Recommender.rank`.
    """

    ranking: Ranking
    relevant: Interactions
    train: Interactions
    item_ids: NDArray[np.int64]

    @cached_property
    def judged(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Users with a relevant item, and how many each has."""
        return np.unique(self.relevant.users, return_counts=True)

    @property
    def n_relevant(self) -> NDArray[np.int64]:
        """Relevant items of each judged user."""
        return self.judged[1]

    @property
    def items(self) -> NDArray[np.int32]:
        """The judged users' lists, shape (n_judged, k)."""
        return self.ranking.items[self.judged[0]]

    @cached_property
    def hits(self) -> metrics.Hits:
        """Which places of the judged users' lists hold a relevant item, shape (n_judged, k)."""
        return hits_of(self.judged[0], self.items, self.relevant)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many items each judged user's list has."""
        return (self.items >= 0).sum(axis=1)

    @property
    def k(self) -> int:
        """Places of a list."""
        return self.ranking.items.shape[1]


@dataclass(frozen=True)
class Judgement:
    """A metric's value, and over how many users it is the mean; None for a value of the whole."""

    value: float
    n_users: int | None


Judgements = dict[str, Judgement]


def lists_of(ranking: Ranking, dataset: Dataset, protocol: EvaluationProtocol) -> Lists:
    """What is to be judged. Raises RecArenaError if no test rating is relevant."""
    relevant = relevant_test(dataset, protocol)
    return Lists(ranking, relevant, dataset.train, dataset.item_ids.ids)


def ours(lists: Lists) -> Judgements:
    """The metrics of `utils.metrics`, from the lists alone."""
    found = {m.__name__: m(lists.hits, lists.n_relevant) for m in metrics.RANKING_METRICS}
    judgements = _means(found)
    n_raters = np.bincount(lists.train.items, minlength=len(lists.item_ids))
    novelty = metrics.novelty_at_k(lists.items, n_raters, len(lists.ranking.items))
    judgements |= _means({"novelty_at_k": novelty[~np.isnan(novelty)]})
    coverage = metrics.coverage_at_k(lists.items, len(lists.item_ids))
    return judgements | {"coverage_at_k": Judgement(coverage, None)}


def recbole(lists: Lists) -> Judgements:
    """RecBole: ours, but for novelty, which it has not."""
    found = ours(lists)
    found.pop("novelty_at_k", None)
    return found


def lenskit(lists: Lists) -> Judgements:
    """LensKit: nobody is punished for a short list, and the first two places weigh the same."""
    places = np.arange(1, lists.k + 1)
    weights = 1 / np.log2(np.maximum(places, 2))
    reachable = np.minimum(lists.n_relevant, lists.k)
    n_hits = lists.hits.sum(axis=1)
    return _means(
        {
            "recall_at_k": n_hits / reachable,
            "precision_at_k": _divided(n_hits, lists.lengths),
            "ndcg_at_k": lists.hits @ weights / np.cumsum(weights)[reachable - 1],
            "map_at_k": _divided(_precisions(lists), np.minimum(lists.n_relevant, lists.lengths)),
            "mrr_at_k": metrics.mrr_at_k(lists.hits, lists.n_relevant),
            "hit_rate_at_k": metrics.hit_rate_at_k(lists.hits, lists.n_relevant),
        }
    )


def rectools(lists: Lists) -> Judgements:
    """RecTools with its defaults: NDCG is relative to k hits, MAP to all relevant items."""
    discounts = 1 / np.log2(np.arange(2, lists.k + 2))
    simple = (
        metrics.recall_at_k,
        metrics.precision_at_k,
        metrics.mrr_at_k,
        metrics.hit_rate_at_k,
    )
    found = {m.__name__: m(lists.hits, lists.n_relevant) for m in simple}
    found["ndcg_at_k"] = lists.hits @ discounts / discounts.sum()
    found["map_at_k"] = _precisions(lists) / lists.n_relevant
    everybody = lists.ranking.items
    n_raters = np.bincount(lists.train.items, minlength=len(lists.item_ids))
    n_users = len(np.unique(lists.train.users))
    novelty = metrics.novelty_at_k(everybody, n_raters, n_users)
    found["novelty_at_k"] = novelty[~np.isnan(novelty)]
    n_listed = len(np.unique(everybody[everybody >= 0]))
    return _means(found) | {"coverage_at_k": Judgement(n_listed, None)}


def cornac(lists: Lists) -> Judgements:
    """Cornac with its defaults: items that train does not know are relevant to nobody."""
    warm = np.isin(lists.relevant.items, lists.train.items)
    warm &= np.isin(lists.relevant.users, lists.train.users)
    known = replace(lists, relevant=lists.relevant.where(warm))
    return _means(
        {
            "recall_at_k": metrics.recall_at_k(known.hits, known.n_relevant),
            "precision_at_k": _divided(known.hits.sum(axis=1), known.lengths),
            "ndcg_at_k": metrics.ndcg_at_k(known.hits, known.n_relevant),
        }
    )


def ranx(lists: Lists) -> Judgements:
    """Of ranx, with the places as scores and relevance yes or no: MAP is relative to all of R."""
    found = {m.__name__: m(lists.hits, lists.n_relevant) for m in metrics.RANKING_METRICS}
    return _means(found | {"map_at_k": _precisions(lists) / lists.n_relevant})


def ir_measures(lists: Lists) -> Judgements:
    """Of ir-measures, given the models' scores, by which it puts each list into its own order."""
    found = ranx(replace(lists, ranking=reordered(lists, last_first=True)))
    ascending = replace(lists, ranking=reordered(lists, last_first=False))
    return found | _means({"mrr_at_k": metrics.mrr_at_k(ascending.hits, lists.n_relevant)})


def reordered(lists: Lists, *, last_first: bool) -> Ranking:
    """The lists by score, and among equal scores by the item's id as text."""
    items, scores = lists.ranking
    as_text = lists.item_ids.astype(str)
    by_text = np.empty(len(as_text), dtype=np.int64)
    by_text[np.argsort(as_text)] = np.arange(len(as_text))
    places = by_text[items] if len(as_text) else items
    keys = (-places if last_first else places, -scores, items < 0)
    order = np.lexsort(keys, axis=1)
    return Ranking(
        np.take_along_axis(items, order, axis=1), np.take_along_axis(scores, order, axis=1)
    )


CONVENTIONS: Mapping[str, Callable[[Lists], Judgements]] = MappingProxyType(
    {
        "recbole": recbole,
        "lenskit": lenskit,
        "rectools": rectools,
        "cornac": cornac,
        "ranx": ranx,
        "ir-measures": ir_measures,
    }
)
"""By the keys of `metric_definitions.LIBRARIES`."""


def _precisions(lists: Lists) -> PerUser:
    """Sum of the precisions at each hit, shape (n_judged,)."""
    precisions = np.cumsum(lists.hits, axis=1) / np.arange(1, lists.k + 1)
    return np.asarray((precisions * lists.hits).sum(axis=1))


def _divided(values: NDArray[np.floating], by: NDArray[np.int64]) -> PerUser:
    """Values divided, 0 where the divisor is."""
    return np.divide(values, by, out=np.zeros(len(values)), where=by > 0)


def _means(found: Mapping[str, PerUser]) -> Judgements:
    return {
        name: Judgement(float(values.mean()), len(values))
        for name, values in found.items()
        if len(values)
    }
