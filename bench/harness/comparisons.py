"""RecArena beside other libraries: each round runs ours, then each peer, in processes of its own.

Every script prints seconds, peak memory and version as JSON; what they do, their docstrings say.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import prepared
from harness.environments import python_of
from harness.measure import FailedError, measured
from harness.plan import BENCH, ML_10M, Plan
from utils.runner import child_environment, pipeline_files

SAMPLES = (1_000, 5_000)  # users, at full size; the cost of all is a line through these two
RULES = "min_support=0.05 minimum_rating=4 n_rules=100000"  # as with_mlxtend.py counts: all

# gensim's own settings: chunks of 2,000 of the 69,878 users, its steps and its threshold
TOPICS = "factors=50 n_epochs=1 updates=35 iterations=50 gamma_threshold=0.001"


@dataclass(frozen=True)
class Peer:
    """A library and what it is to do; `{lists}` stands for a file to write lists to."""

    library: str
    args: tuple[str, ...] = ()
    once: bool = False
    """Measured in the first round only."""

    @property
    def name(self) -> str:
        """A name that tells it from the same library doing something else."""
        return " ".join([self.library, *(arg for arg in self.args if arg.isalpha())])


@dataclass(frozen=True)
class Comparison:
    """Our arguments and our peers; `pipeline` is the one that must be there, if any."""

    ours: tuple[str, ...]
    peers: tuple[Peer, ...]
    pipeline: str | None = None


COMPARISONS = {
    "rankings": Comparison(
        ("ranking", "{data}", "{lists}"),
        (
            Peer("implicit", ("{lists}",)),
            Peer("cornac", ("{few}", "{many}")),
            Peer("lenskit", ("{few}", "{many}")),
        ),
    ),
    "mf": Comparison(
        ("pipeline", "{data}", "MF", "factors=100 n_epochs=1", "factors=100 n_epochs=3"),
        (Peer("surprise", ("mf",)),),
        "MF",
    ),
    "umcf": Comparison(
        ("pipeline", "{data}", "UMCF", "similarity=cosine", "similarity=pearson"),
        (Peer("surprise", ("knn",), once=True),),
        "UMCF",
    ),
    "rules": Comparison(
        ("pipeline", "{data}", "association", RULES),
        (Peer("mlxtend", ("fpgrowth",)), Peer("mlxtend", ("apriori",))),
        "association",
    ),
    "topics": Comparison(
        ("pipeline", "{data}", "LDA_collaboration", TOPICS, "n_epochs=1"),
        (Peer("gensim"),),
        "LDA_collaboration",
    ),
}


def measure(plan: Plan, name: str) -> Iterator[dict[str, Any]]:
    """What each contestant of a comparison has printed so far, by its name, after each round."""
    comparison, shape = COMPARISONS[name], plan.shape(ML_10M)
    (data,) = prepared(plan, shape)
    few, many = samples = [round(size * plan.scale) for size in SAMPLES]
    entrants: dict[str, list[dict[str, Any]]] = {"ours": []}
    pythons: dict[str, Path] = {}
    for peer in comparison.peers:
        entrants[peer.name] = []
        try:
            pythons[peer.name] = python_of(peer.library)
        except FailedError as error:
            entrants[peer.name].append({"failed": f"not installed: {error}"})
    lists = {who: plan.work / f"lists-{name}-{number}.npz" for number, who in enumerate(entrants)}
    log = plan.work / "logs" / f"{name}.log"
    for turn in range(plan.repeats):
        print(f"{name}: round {turn + 1} of {plan.repeats}", flush=True)
        entrants["ours"].append(_ours(comparison, data, lists["ours"], log, plan.limit))
        for peer in comparison.peers:
            if peer.name in pythons and not (peer.once and turn):
                script = BENCH / "peers" / f"with_{peer.library}.py"
                args = [arg.format(lists=lists[peer.name], few=few, many=many) for arg in peer.args]
                command = [pythons[peer.name], script, data, *args]
                alone = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
                entrants[peer.name].append(
                    measured(command, log=log, limit=plan.limit, environment=alone)
                )
        yield {
            "shape": str(shape),
            "users": shape.users,
            "samples": samples,
            "entrants": entrants,
            "same": _same(lists),
        }


def _ours(
    comparison: Comparison, data: Path, lists: Path, log: Path, limit: float
) -> dict[str, Any]:
    if comparison.pipeline and comparison.pipeline not in pipeline_files():
        return {"failed": f"there is no pipeline {comparison.pipeline}"}
    args = [arg.format(data=data, lists=lists) for arg in comparison.ours]
    command = [sys.executable, BENCH / "ours.py", *args]
    return measured(command, log=log, limit=limit, environment=child_environment())


def _same(lists: Mapping[str, Path]) -> dict[str, float]:
    """Share of the places of our lists that a peer fills with the same item, by peer."""
    same: dict[str, float] = {}
    ours = lists["ours"]
    for who, file in lists.items():
        if who != "ours" and file.exists() and ours.exists():
            with np.load(ours) as mine, np.load(file) as theirs:
                same[who] = float(np.mean([(mine[key] == theirs[key]).mean() for key in mine]))
    for file in lists.values():
        file.unlink(missing_ok=True)
    return same
