"""The parts of the benchmark, in the order of the report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness import comparisons, end_to_end, floors, show_own, show_peers, sizes
from harness.goals import Goal
from harness.plan import Plan

Data = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """`measure` yields all that it has measured so far, as often as something was added; `show`
    makes goals and lines of the report from it."""

    title: str
    measure: Callable[[Plan], Iterator[Data]]
    show: Callable[[Data], tuple[list[Goal], list[str]]]


PARTS = (
    {
        "rank": Part("Ranking kernel beside its floor", floors.rank, show_own.rank),
        "load": Part("Loading beside its floor", floors.load, show_own.load),
        "read": Part("Reading beside its floor", floors.read, show_own.read),
    }
    | {
        name: Part(title, partial(comparisons.measure, name=name), show)
        for name, title, show in (
            ("rankings", "Ranking and evaluation: implicit, Cornac, LensKit", show_peers.rankings),
            ("mf", "Matrix factorisation: Surprise", show_peers.mf),
            ("umcf", "User-based filtering: Surprise", show_peers.umcf),
            ("rules", "Pair rules: mlxtend", show_peers.rules),
            ("topics", "Topics: gensim", show_peers.topics),
        )
    }
    | {
        "runs": Part("End to end", end_to_end.measure, show_own.runs),
        "sizes": Part("Cost against size", sizes.measure, show_own.sizes),
    }
)
GROUPS = {
    "floors": ("rank", "load", "read"),
    "peers": tuple(comparisons.COMPARISONS),
    "all": tuple(PARTS),
}
BY_PIPELINE = ("runs", "sizes")
"""Parts that can be measured again for some pipelines only; the others' figures stay."""
