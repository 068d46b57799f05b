"""Which runs the users can tell apart, computed once for the same runs."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from core.settings import Settings
from utils.cache import cache_folder, keep, kept

LEVEL = 0.95
OF_EACH_USER = tuple(f"{name}_at_k" for name in "recall precision ndcg map mrr hit_rate".split())
VERSION = 1  # of the computation


@dataclass(frozen=True)
class Placing:
    """A run among others, best first: its place from 1, which it shares with those it is tied with.

    `low` and `high` bound the 95 % interval of its mean. The rest compares it with the first: mean
    difference, that one's interval, p after Holm's correction, effect size, and how many users
    it is better and worse for; None for the first.
    """

    index: int
    place: int
    mean: float
    low: float
    high: float
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p: float | None = None
    effect: float | None = None
    better: int | None = None
    worse: int | None = None


def placings(settings: Settings, groups: Sequence[Sequence[str]], metric: str) -> list[Placing]:
    """The runs in their order, by a metric of each user; `index` is the place in `groups`.

    A group holds the ids of one recommender's runs with several seeds; a user counts with the mean
    over them. Raises RecArenaError if the users' metrics cannot be had.
    """
    said = json.dumps([VERSION, LEVEL, metric, [list(group) for group in groups]])
    name = hashlib.sha256(said.encode()).hexdigest()
    file = cache_folder() / "statistics" / f"{name}.json"
    found = kept(file)
    if found is None:
        found = [asdict(one) for one in _computed(settings, groups, metric)]
        keep(file, found)
    return [Placing(**one) for one in found]


def _computed(settings: Settings, groups: Sequence[Sequence[str]], metric: str) -> list[Placing]:
    import numpy as np  # noqa: PLC0415 - not needed for what is known already

    from core.statistics import standings  # noqa: PLC0415
    from utils.run_files import per_user  # noqa: PLC0415

    values = per_user(settings, [run for group in groups for run in group], metric).values
    ends = np.cumsum([len(group) for group in groups])[:-1]
    columns = [part.mean(axis=1) for part in np.split(values, ends, axis=1)]
    found = []
    for one in standings(np.column_stack(columns), level=LEVEL):
        mean = (one.index, one.place, one.interval.mean, one.interval.low, one.interval.high)
        if one.behind is None:
            found.append(Placing(*mean))
            continue
        behind = one.behind
        found.append(
            Placing(
                *mean,
                behind.difference,
                behind.low,
                behind.high,
                one.p_holm,
                behind.effect if np.isfinite(behind.effect) else None,
                behind.better,
                behind.worse,
            )
        )
    return found
