"""What each metric is, in words, where it comes from, and what other libraries compute instead.

The one place of this knowledge: `recarena metrics`, `docs/metrics.md` and the report render it.
What is said of a library was read in its source, at the place that its `Library` names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

SAME = "the same"


@dataclass(frozen=True)
class Library:
    """Another library with metrics: its name, and the source that was read."""

    name: str
    read: str


@dataclass(frozen=True)
class Definition:
    """One metric.

    `formula` is one user's value, or the whole's where `mean_over` is empty. `elsewhere` says what
    a library of `LIBRARIES`, by its key, computes under the metric's name; of a library that is
    not there, nothing is said.
    """

    name: str
    title: str
    formula: str
    mean_over: str
    unit: str
    source: str
    elsewhere: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def differing(self) -> dict[str, str]:
        """The libraries that compute something else, and what."""
        return {key: said for key, said in self.elsewhere.items() if said != SAME}

    def record(self) -> dict[str, object]:
        """The definition as plain values, for JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)} | {
            "elsewhere": dict(self.elsewhere)
        }

    def agreeing(self) -> list[str]:
        """The libraries that compute the same."""
        return [key for key, said in self.elsewhere.items() if said == SAME]


LIBRARIES: Mapping[str, Library] = MappingProxyType(
    {
        "recbole": Library("RecBole", "recbole/evaluator/metrics.py at commit 025bef6"),
        "lenskit": Library(
            "LensKit",
            "src/lenskit/metrics/: ranking/_pr.py, _recip.py, _hit.py, _pop.py at 0d8cc5a, "
            "ranking/_dcg.py at 053bc2c with _weighting.py, ranking/_map.py at 09c7c88, "
            "_base.py at 045ae36",
        ),
        "rectools": Library(
            "RecTools",
            "rectools/metrics/: ranking.py (0.12 and later), classification.py at 073cc96, "
            "catalog.py at 2cfdf11, novelty.py at 8b6f536",
        ),
        "cornac": Library(
            "Cornac",
            "cornac/metrics/ranking.py at 7f20c3c, cornac/eval_methods/base_method.py at e1cab94",
        ),
        "ranx": Library("ranx", "version 0.3.21, run beside ours in the tests"),
        "ir-measures": Library(
            "ir-measures", "version 0.4.3 with pytrec-eval-terrier, run beside ours in the tests"
        ),
    }
)
"""By the name that `recarena metrics --convention` takes."""

PREAMBLE = (
    "R is the set of a user's relevant items: test ratings of at least the relevance threshold. "
    "L is the user's list of at most k items, drawn from the whole catalogue minus everything "
    "that the user rated in train. hit(j) is 1 if the item at place j of L, counted from 1, is in "
    "R, else 0. Places that a short list leaves empty are no hits. A judged user is one with at "
    "least one relevant item; one without a list scores 0."
)

JUDGED = "judged users"
SHARE = "share, 0 to 1"
MANNING = "Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008)"
ORDER = (
    "the same formula on an order of its own: by score, and among equal scores by item id as text, "
)
TREC_ORDER = ORDER + "last first (trec_eval)"
MS_MARCO_ORDER = ORDER + "first first (its code of MS MARCO)"
CUT = "the same for lists of k; longer ones are cut after they were put into its order, see NDCG"
NOT_OF_LISTS = "over the ranking of the whole catalogue, so not computable from lists of k"
COLD = "items without a train rating are taken out of R (exclude_unknowns, the default)"


def _elsewhere(**said: str) -> Mapping[str, str]:
    return MappingProxyType({key.replace("_", "-"): text for key, text in said.items()})


RANKING = (
    Definition(
        "recall_at_k",
        "Recall",
        "sum of hit(j) over the list / |R|",
        JUDGED,
        SHARE,
        f"{MANNING}, section 8.3",
        _elsewhere(
            recbole=SAME,
            lenskit="divided by min(|R|, k), which matters where k < |R|",
            rectools=SAME,
            cornac=f"the same formula, but {COLD}",
            ranx=SAME,
            ir_measures=CUT,
        ),
    ),
    Definition(
        "precision_at_k",
        "Precision",
        "sum of hit(j) over the list / k; with n test items a user it cannot exceed n / k",
        JUDGED,
        SHARE,
        f"{MANNING}, section 8.4",
        _elsewhere(
            recbole=SAME,
            lenskit="divided by |L|, so that short lists are not punished; 0 without a list",
            rectools="the same by default; r_precision=True divides by min(|R|, k)",
            cornac=f"divided by |L|, and {COLD}",
            ranx=SAME,
            ir_measures=CUT,
        ),
    ),
    Definition(
        "ndcg_at_k",
        "NDCG",
        "sum of hit(j) / log2(j + 1), relative to the same sum for a list that begins with "
        "min(|R|, k) hits",
        JUDGED,
        SHARE,
        "Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002)",
        _elsewhere(
            recbole=SAME,
            lenskit="place j weighs 1 / log2(max(j, 2)): the first two places the same, as in the "
            "original paper",
            rectools="relative to a list of k hits, which nobody with |R| < k can reach; ours with "
            "divide_by_achievable=True",
            cornac=f"the same formula, but {COLD}",
            ranx="the same for relevance yes or no; stars, if given, are linear gains",
            ir_measures=f"{TREC_ORDER}; stars, if given, are linear gains",
        ),
    ),
    Definition(
        "map_at_k",
        "MAP",
        "sum of hit(j) x precision at j / min(|R|, k)",
        JUDGED,
        SHARE,
        f"{MANNING}, section 8.4; truncated at k",
        _elsewhere(
            recbole="the same in code (its text says |L|)",
            lenskit="divided by min(|R|, |L|), so that short lists are not punished",
            rectools="divided by |R|, or by k with divide_by_k=True",
            cornac=NOT_OF_LISTS,
            ranx="divided by |R|, which matters where k < |R|",
            ir_measures="divided by |R|, which matters where k < |R|; on its order, see NDCG",
        ),
    ),
    Definition(
        "mrr_at_k",
        "MRR",
        "1 / the place of the first hit, 0 without one",
        JUDGED,
        SHARE,
        "Voorhees, The TREC-8 question answering track report (1999)",
        _elsewhere(
            recbole=SAME,
            lenskit=SAME,
            rectools=SAME,
            cornac=NOT_OF_LISTS,
            ranx=SAME,
            ir_measures=MS_MARCO_ORDER,
        ),
    ),
    Definition(
        "hit_rate_at_k",
        "Hit rate",
        "1 if there is a hit, else 0",
        JUDGED,
        SHARE,
        "Deshpande and Karypis, Item-based top-N recommendation algorithms (2004)",
        _elsewhere(
            recbole=SAME,
            lenskit=SAME,
            rectools=SAME,
            ranx=SAME,
            ir_measures=f"{CUT}; called Success",
        ),
    ),
    Definition(
        "novelty_at_k",
        "Novelty",
        "mean over the list of -log2(users who rated the item in train / all users); an item "
        "without a rating counts as one with one",
        f"{JUDGED} with a list",
        "bits",
        "Zhou et al., Solving the apparent diversity-accuracy dilemma of recommender systems "
        "(2010), surprisal",
        _elsewhere(
            recbole="AveragePopularity instead: the mean number of train ratings of the items",
            lenskit="MeanPopRank instead: the mean popularity rank of the items, as a quantile",
            rectools="MeanInvUserFreq: the same formula, among users with a train rating, and the "
            "mean is over all users with a list, judged or not",
        ),
    ),
)
"""Metrics of a user's list, in the order in which they are shown."""

WHOLE = (
    Definition(
        "coverage_at_k",
        "Coverage",
        "items in at least one judged user's list / all items of the catalogue",
        "",
        SHARE,
        "Ge, Delgado-Battenfeld and Jannach, Beyond accuracy (2010), catalogue coverage",
        _elsewhere(
            recbole=SAME,
            rectools="CatalogCoverage: over the lists of all users, judged or not; a number of "
            "items unless normalize=True",
        ),
    ),
    Definition(
        "rmse",
        "RMSE",
        "square root of the mean of (prediction - rating)^2 over all test ratings, predictions "
        "clipped to the scale; only for recommenders that predict ratings",
        "",
        "stars",
        "Herlocker et al., Evaluating collaborative filtering recommender systems (2004), "
        "section 4.1",
        _elsewhere(recbole="the same formula, without clipping"),
    ),
)
"""Metrics of a whole run."""

COUNTS = MappingProxyType(
    {
        "n_users": "users of the data set, or of the sample of them",
        "n_items": "items of the catalogue, also those that nobody rated",
        "n_train": "train ratings",
        "n_test": "test ratings",
        "n_users_evaluated": "judged users, whom the means are over",
        "n_users_no_relevant": "users with test ratings, none of them relevant",
        "n_users_short_list": "judged users with a list of fewer than k items, or none",
        "share_test_items_unseen": "share of test ratings whose item has no train rating",
        "share_test_users_unseen": "share of test ratings whose user has no train rating",
        "share_train_after_median_test": "share of train ratings that are later than the median "
        "test rating: what a recommender could not have known on that day",
    }
)
"""Numbers that a run logs beside its metrics: who and what these are over, and leakage."""

DEFINITIONS: Mapping[str, Definition] = MappingProxyType(
    {one.name: one for one in (*RANKING, *WHOLE)}
)
