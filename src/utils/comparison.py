"""Two finished runs beside each other: what differs between them, and for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import RecArenaError
from core.settings import Settings
from core.statistics import Comparison, holm, paired_test
from datareader import catalogue
from datareader.catalogue import Movie
from datareader.session import reading
from table_models.database import LoadedDataSet
from utils import surroundings, surroundings_changes
from utils.evaluation import relevant_test
from utils.finished_runs import find_run
from utils.kept_runs import KeptRun, kept, lists_table, split_of
from utils.list_overlap import Overlap, overlap
from utils.metric_definitions import COUNTS, DEFINITIONS, RANKING
from utils.run_files import download, per_user
from utils.runner import pipeline_files

SORTED_BY = "ndcg_at_k"
SHOWN_USERS = 5  # who gain most, and who lose most
COSTS = ("fit_seconds", "recommend_seconds", "peak_memory_mib")

Pair = tuple[str | None, str | None]
Listed = tuple[Movie, bool | None]
"""A movie, and whether it is a hit; None where that is not known."""


@dataclass(frozen=True)
class MetricPair:
    """A metric of both runs, None where it has none.

    `test` compares the users, B minus A, and `p_holm` is its p after Holm's correction for all
    metrics that are tested; both are None for what is not a mean over users.
    """

    name: str
    a: float | None
    b: float | None
    test: Comparison | None = None
    p_holm: float | None = None

    @property
    def difference(self) -> float | None:
        """B minus A."""
        return None if self.a is None or self.b is None else self.b - self.a


@dataclass(frozen=True)
class UserPair:
    """A user's NDCG and list in both runs."""

    user_id: int
    a: float
    b: float
    list_a: list[Listed]
    list_b: list[Listed]


@dataclass(frozen=True)
class Compared:
    """Runs A and B, whose differences are B minus A.

    `gain` and `lose` are the users whose NDCG differs most, in either direction; `notes` say what
    could not be found out.
    """

    a: KeptRun
    b: KeptRun
    k: int
    params: dict[str, Pair]
    surroundings: dict[str, Pair]
    metrics: list[MetricPair]
    overlap: Overlap
    gain: list[UserPair]
    lose: list[UserPair]
    notes: list[str]


def compare(settings: Settings, a: str, b: str, dataset: str | None = None) -> Compared:
    """Two finished runs, each as `find_run` takes it.

    Raises RecArenaError if there is no such run, both are the same one, or they were not judged
    alike: another data set, split or protocol.
    """
    first, second, source = _both(settings, a, b, dataset)
    check_comparable(first, second)
    runs = first.run.id, second.run.id
    tables = [lists_table(settings, one) for one in (first, second)]
    k = first.evaluation_protocol().k
    users = per_user(settings, runs, SORTED_BY)
    change = users.values[:, 1] - users.values[:, 0]
    gain, lose = _most(change, users.user_ids), _most(-change, users.user_ids)
    notes: list[str] = []
    hits = _relevant(settings, first, source, users.user_ids[[*gain, *lose]], notes)
    lists = [_lists_of(one, users.user_ids[[*gain, *lose]]) for one in tables]
    movies = _movies(settings, source, lists)

    def shown(places: list[int]) -> list[UserPair]:
        pairs = []
        for place in places:
            user = int(users.user_ids[place])
            both = [
                [(movies[m], None if hits is None else (user, m) in hits) for m in one[user]]
                for one in lists
            ]
            before, after = users.values[place].tolist()
            pairs.append(UserPair(user, before, after, *both))
        return pairs

    return Compared(
        a=first,
        b=second,
        k=k,
        params=differing(first.params, second.params),
        surroundings=_surroundings(settings, first, second),
        metrics=_metrics(settings, first, second),
        overlap=overlap(tables[0], tables[1], k),
        gain=shown(gain),
        lose=shown(lose),
        notes=notes,
    )


def _both(
    settings: Settings, a: str, b: str, dataset: str | None
) -> tuple[KeptRun, KeptRun, LoadedDataSet]:
    """The two runs; a recommender's name means its run on the data set of the other run."""
    names = {name.lower() for name in pipeline_files()}
    wanted = sorted((a, b), key=lambda one: one.lower() in names)  # ids first
    found = {}
    for one in wanted:
        run, source = find_run(settings, one, dataset)
        dataset = dataset or source.name
        found[one] = kept(settings, run)
    if found[a].run.id == found[b].run.id:
        raise RecArenaError(f"{a} and {b} are the same, {found[a].run}; give two runs")
    return found[a], found[b], source


def check_comparable(a: KeptRun, b: KeptRun) -> None:
    """Raise RecArenaError naming what differs unless both runs were judged alike."""
    fields = {
        "data set": (a.run.dataset, b.run.dataset),
        "fingerprint of the split": (a.fingerprint, b.fingerprint),
    } | {f"protocol's {name}": pair for name, pair in differing(a.protocol, b.protocol).items()}
    for name, (of_a, of_b) in fields.items():
        if of_a != of_b:
            raise RecArenaError(
                f"{a.run} and {b.run} cannot be compared: the {name} is {of_a or 'not known'} "
                f"and {of_b or 'not known'}"
            )
    if not a.fingerprint:
        raise RecArenaError(f"{a.run} and {b.run} cannot be compared: their split is not known")


def differing(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, Pair]:
    """What is not the same in both, by name; None where one has no such thing."""
    pairs = {name: (a.get(name), b.get(name)) for name in sorted(a.keys() | b.keys())}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _surroundings(settings: Settings, a: KeptRun, b: KeptRun) -> dict[str, Pair]:
    """What differs around the runs, if both recorded it."""
    try:
        files = [download(settings, one.run.id, surroundings.FILE) for one in (a, b)]
    except RecArenaError:
        return {}
    found = [surroundings_changes.read(file) for file in files]
    for one in found:
        one.pop("run", None)  # what is compared anyway
        if a.run.pipeline != b.run.pipeline:
            one.get("code", {}).pop("sha256", None)  # of the recommender's own code, too
    changes = surroundings_changes.changes(*found)
    return {one.name: (one.before, one.after) for one in changes}


def _metrics(settings: Settings, a: KeptRun, b: KeptRun) -> list[MetricPair]:
    """All metrics that either run has; those of users tested."""
    logged = [
        *(name for name in DEFINITIONS if name in a.metrics or name in b.metrics),
        *(name for name in (*COUNTS, *COSTS) if a.metrics.get(name) != b.metrics.get(name)),
    ]
    tests = {}
    for name in (one.name for one in RANKING if one.name in logged):
        if name in a.metrics and name in b.metrics:
            values = per_user(settings, (a.run.id, b.run.id), name).values
            there = ~np.isnan(values).any(axis=1)  # novelty has no value without a list
            if there.any():
                tests[name] = paired_test(values[there, 1], values[there, 0])
    corrected = dict(zip(tests, holm([one.p for one in tests.values()]).tolist(), strict=True))
    return [
        MetricPair(
            name, a.metrics.get(name), b.metrics.get(name), tests.get(name), corrected.get(name)
        )
        for name in logged
    ]


def _most(change: NDArray[np.float64], user_ids: NDArray[np.int64]) -> list[int]:
    """Places of the users with the largest positive change, ties to the lower id."""
    order = np.lexsort((user_ids, -change))[:SHOWN_USERS]
    return [int(place) for place in order if change[place] > 0]


def _relevant(
    settings: Settings,
    run: KeptRun,
    source: LoadedDataSet,
    users: NDArray[np.int64],
    notes: list[str],
) -> set[tuple[int, int]] | None:
    """The relevant test items of some users, by id; None, with a note, if they are not known."""
    try:
        data = split_of(settings, run, source)
    except RecArenaError as error:
        notes.append(f"hits are not marked: {error}")
        return None
    relevant = relevant_test(data, run.evaluation_protocol())
    wanted = np.isin(relevant.users, data.user_ids.index(users))
    user_ids = data.user_ids.ids[relevant.users[wanted]].tolist()
    return set(zip(user_ids, data.item_ids.ids[relevant.items[wanted]].tolist(), strict=True))


def _lists_of(table: pa.Table, users: NDArray[np.int64]) -> dict[int, list[int]]:
    """The lists of a few users, best first, by movie id."""
    columns = {name: table[name].to_numpy() for name in ("user_id", "rank", "movie_id")}
    rows = np.flatnonzero(np.isin(columns["user_id"], users))
    rows = rows[np.argsort(columns["rank"][rows], kind="stable")]
    lists: dict[int, list[int]] = {user: [] for user in users.tolist()}
    for user, movie in zip(
        columns["user_id"][rows].tolist(), columns["movie_id"][rows].tolist(), strict=True
    ):
        lists[user].append(movie)
    return lists


def _movies(
    settings: Settings, source: LoadedDataSet, lists: Sequence[Mapping[int, list[int]]]
) -> dict[int, Movie]:
    """The movies of some lists as the database knows them now."""
    ids = sorted({movie for one in lists for listed in one.values() for movie in listed})
    with reading(settings, source) as cursor:
        return dict(zip(ids, catalogue.movies(cursor, ids), strict=True))
