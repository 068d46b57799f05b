"""What a report is made of, apart from where it comes from and how it looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.statistics import Standing, standings

METRIC = "ndcg_at_k"
"""What runs are ranked by, as on the leaderboard."""

Curve = Sequence[tuple[int, float]]


@dataclass(frozen=True, eq=False)
class ReportRun:
    """One finished run.

    `values` are the ranking metric of each judged user and `users` more columns of theirs
    (`recall_at_k`, `n_relevant`, and in newer runs `n_train`), the same users in the same order in
    every run; `items` are counts of every item of the catalogue (`n_train`, `n_relevant`,
    `n_recommended`, `n_hits`), None in runs of before there were such. `curves` are points
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
    ) -> "Report":
        """Rank the runs. Raises ValueError without one."""
        if not runs:
            raise ValueError("a report needs a run")
        found = standings(np.column_stack([one.values for one in runs]))
        ranked = [Ranked(runs[one.index], one) for one in found]
        return cls(dataset, fingerprint, protocol, experiment, ranked, left_out)

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
