"""What a report is made of, apart from where it comes from and how it looks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.statistics import Comparison, Interval, Standing, standings
from utils.run_statistics import Placing

METRIC = "ndcg_at_k"
"""What runs are ranked by, as on the leaderboard."""

Curve = Sequence[tuple[int, float]]


@dataclass(frozen=True, eq=False)
class ReportRun:
    """One finished run, or several that differ by their seed only, of which the newest is named.

    `values` are the ranking metric of each judged user and `users` more columns of theirs
    (`recall_at_k`, `n_relevant`, and in newer runs `n_train`), the same users in the same order in
    every run; `items` are counts of every item of the catalogue (`n_train`, `n_relevant`,
    `n_hits`), None in runs of before there were such. `hits` are the shares of users with 0, 1, ...
    hits in their list (`groups.hit_shares`). `curves` are points
    (epoch, value) by name. `surroundings` say what it ran on, in words.
    """

    label: str
    pipeline: str
    run_id: str
    started: int
    metrics: Mapping[str, float]
    seconds: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    values: NDArray[np.float64]
    users: Mapping[str, NDArray[np.float64]]
    hits: NDArray[np.float64]
    items: Mapping[str, NDArray[np.int64]] | None = None
    curves: Mapping[str, Curve] = field(default_factory=dict)
    surroundings: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    link: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A run that is not compared, and why."""

    label: str
    run_id: str
    reason: str


@dataclass(frozen=True, eq=False)
class Ranked:
    """A run and how it stands among the others."""

    run: ReportRun
    standing: Standing


@dataclass(frozen=True, eq=False)
class Report:
    """Comparable runs, best first, and what they were judged by.

    `protocol` are its fields as they were logged. Make it with `of`.
    """

    dataset: str
    fingerprint: str
    protocol: Mapping[str, str]
    experiment: str
    ranked: Sequence[Ranked]
    left_out: Sequence[LeftOut] = ()
    notes: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        runs: Sequence[ReportRun],
        *,
        dataset: str,
        fingerprint: str,
        protocol: Mapping[str, str],
        experiment: str,
        left_out: Sequence[LeftOut] = (),
        notes: Sequence[str] = (),
        placings: Sequence[Placing] | None = None,
    ) -> "Report":
        """Rank the runs, or take the leaderboard's `placings` of them in this order.

        Raises ValueError without a run.
        """
        if not runs:
            raise ValueError("a report needs a run")
        if placings is None:
            found = standings(np.column_stack([one.values for one in runs]))
            ranked = [Ranked(runs[one.index], one) for one in found]
        else:
            ranked = [Ranked(run, _standing(one)) for run, one in zip(runs, placings, strict=True)]
        return cls(dataset, fingerprint, protocol, experiment, ranked, left_out, notes)

    @property
    def k(self) -> str:
        """Length of the lists, as in a metric's name."""
        return self.protocol.get("k", "k")

    @property
    def n_users(self) -> int:
        """Judged users."""
        return len(self.ranked[0].run.values)

    def named(self, metric: str) -> str:
        """A metric's name for people, e.g. NDCG@10."""
        stem, at, _ = metric.partition("_at_k")
        names = {"ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "rmse": "RMSE"}
        name = names.get(stem, stem.replace("_", " ").capitalize())
        return f"{name}@{self.k}" if at else name


def _standing(one: Placing) -> Standing:
    """What the leaderboard says of a run, as the statistics say it; p is known corrected only."""
    mean = Interval(one.mean, one.low, one.high)
    if one.difference is None or one.difference_low is None or one.difference_high is None:
        return Standing(one.index, one.place, mean, None, None)
    effect = math.copysign(math.inf, one.difference) if one.effect is None else one.effect
    behind = Comparison(
        one.difference,
        one.difference_low,
        one.difference_high,
        math.nan,
        effect,
        one.better or 0,
        one.worse or 0,
    )
    return Standing(one.index, one.place, mean, behind, one.p)
