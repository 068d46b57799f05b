"""The finished runs of the tracker, best first, apart where they cannot be compared."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from core.errors import RecArenaError
from core.settings import Settings
from utils.leaderboard_query import Query, lower_is_better, order_of
from utils.recommender_names import recommenders
from utils.run_search import DEFAULTS, NEWEST, Entry, Page, equals, search
from utils.run_statistics import OF_EACH_USER, Placing, placings

LOOKED_AT = 100  # comparable runs, best first
OF_EACH = 3  # and of each recommender, if there are more
REQUESTS = 4  # at once
APART = 20  # runs that cannot be compared, newest first
ALWAYS_TOLD = ("k", "relevance_threshold")  # what the fingerprint of the split does not tell


@dataclass(frozen=True)
class Row:
    """A recommender with its parameters: one run, or several that differ by their seed only.

    `runs` are newest first; `metrics` and `seconds` are means over them, `spread` the standard
    deviations of the metrics, empty for one run.
    """

    runs: list[Entry]
    metrics: dict[str, float]
    seconds: dict[str, float]
    spread: dict[str, float]
    placing: Placing | None = None

    @property
    def run(self) -> Entry:
        """The newest run."""
        return self.runs[0]


@dataclass(frozen=True)
class Board:
    """Comparable runs, best first by `metric`, and apart those that are not, each with why.

    `notes` say what a reader has to know, `more` how many rows there are that are not shown.
    """

    metric: str
    rows: list[Row] = field(default_factory=list)
    apart: list[tuple[Entry, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    more: int = 0


def board(settings: Settings, query: Query) -> Board:
    """The runs that can be compared with the newest one, ranked, and others apart.

    Raises RecArenaError if MLflow does not answer.
    """
    conditions = query.conditions
    newest = search(settings, conditions, at_most=1).entries
    if not newest:
        return Board(query.metric)
    reference = newest[0]
    found, whole = _candidates(settings, query, reference)
    notes = [] if whole else [_said_of_many(query)]
    comparable = [one for one in found if one.comparable_with == reference.comparable_with]
    rows = in_order(rows_of(comparable, seeds_together=whole), query.metric)
    shown = rows[: query.top or None]
    try:
        placed = _placed(settings, shown, query.metric)
    except RecArenaError as error:
        placed = shown
        notes.append(f"no intervals and no ties: {error}")
    others = [*_others(settings, conditions, reference), *found]
    return Board(query.metric, placed, _apart(others, reference), notes, len(rows) - len(shown))


def _candidates(settings: Settings, query: Query, reference: Entry) -> tuple[list[Entry], bool]:
    """Runs that may be comparable with the reference, and whether these are all of them."""
    conditions = [*query.conditions, *_like(reference)]
    order = order_of(query.metric)
    page = search(settings, conditions, order=order, at_most=LOOKED_AT)
    if page.token is None:
        return page.entries, True
    few = [n for n in recommenders() if sum(one.pipeline == n for one in page.entries) < OF_EACH]
    asked = [[*conditions, f"tags.pipeline = '{name}'"] for name in few]
    best = _at_once(settings, asked, order, OF_EACH)
    return list({one.run_id: one for one in [*page.entries, *best]}.values()), False


def _at_once(
    settings: Settings, asked: Sequence[Sequence[str]], order: str, at_most: int
) -> list[Entry]:
    """The first runs that meet each of several conditions, all in one list."""
    with ThreadPoolExecutor(REQUESTS) as pool:
        pages = pool.map(lambda one: search(settings, one, order=order, at_most=at_most), asked)
        return [entry for page in pages for entry in page.entries]


def _said_of_many(query: Query) -> str:
    return (
        f"more than {LOOKED_AT} comparable runs: the best {LOOKED_AT} by {query.metric} and the "
        f"best {OF_EACH} of each recommender were looked at, and seeds are not summed up, for the "
        "best ones alone would say too much; --filter leaves fewer"
    )


def _like(reference: Entry) -> list[str]:
    """Conditions that the runs which are comparable with a run meet, and hardly any other."""
    said = [
        equals("tags.dataset", reference.dataset),
        equals("tags.fingerprint", reference.fingerprint),
    ]
    for name in ALWAYS_TOLD:
        if name in reference.protocol:
            said.append(equals(f"params.`protocol.{name}`", reference.protocol[name]))
    return [one for one in said if one]


def _others(settings: Settings, conditions: Sequence[str], reference: Entry) -> list[Entry]:
    """The newest runs that differ from the reference in what the tracker can be asked for."""
    unlike = [[*conditions, one.replace(" = ", " != ", 1)] for one in _like(reference)]
    return _at_once(settings, unlike, NEWEST, APART)


def _apart(others: Iterable[Entry], reference: Entry) -> list[tuple[Entry, str]]:
    """Those that cannot be compared with the reference, newest first, and why."""
    by_id = {one.run_id: one for one in others}
    newest = sorted(by_id.values(), key=lambda one: -one.started)
    reasons = [(one, why_apart(one, reference)) for one in newest]
    return [(one, why) for one, why in reasons if why][:APART]


def why_apart(run: Entry, reference: Entry) -> str:
    """Which fields keep a run from being ranked with the reference; empty if none does."""
    if run.comparable_with == reference.comparable_with:
        return ""
    if run.dataset != reference.dataset:
        return f"data set {run.dataset or 'unknown'}, not {reference.dataset or 'unknown'}"
    its, ours = DEFAULTS | run.protocol, DEFAULTS | reference.protocol
    differing = [
        f"{name} {its.get(name, 'unknown')}, not {ours.get(name, 'unknown')}"
        for name in sorted(its.keys() | ours.keys())
        if its.get(name) != ours.get(name)
    ]
    if differing:
        return "; ".join(differing)
    return f"other ratings: split {run.fingerprint or 'unknown'}, not {reference.fingerprint}"


def rows_of(runs: Iterable[Entry], *, seeds_together: bool = True) -> list[Row]:
    """Comparable runs without older repeats; runs that differ by their seed only in one row."""
    newest: dict[tuple[object, ...], Entry] = {}
    for run in sorted(runs, key=lambda run: run.started):
        newest[run.pipeline, *sorted(run.params.items())] = run
    rows: dict[tuple[object, ...], list[Entry]] = {}
    for run in sorted(newest.values(), key=lambda run: -run.started):
        params = dict(run.params)
        if seeds_together:
            params.pop("seed", None)
        rows.setdefault((run.pipeline, *sorted(params.items())), []).append(run)
    return [_row(together) for together in rows.values()]


def _row(runs: list[Entry]) -> Row:
    """Several seeds of one recommender as mean and spread; a metric counts if all runs have it."""
    names = [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]
    values = {name: [run.metrics[name] for run in runs] for name in names}
    stages = [name for name in runs[0].seconds if all(name in run.seconds for run in runs)]
    several = len(runs) > 1
    return Row(
        runs,
        {name: statistics.fmean(of) if several else of[0] for name, of in values.items()},
        {name: statistics.fmean(run.seconds[name] for run in runs) for name in stages},
        {name: statistics.stdev(of) for name, of in values.items()} if several else {},
    )


def telling_apart(rows: Sequence[Row]) -> list[list[str]]:
    """Of each row the parameters, as `name=value`, by which those of its recommender differ.

    The seed is none of them in a row that sums several up.
    """
    values_of: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        for param, value in row.run.params.items():
            values_of[row.run.pipeline, param].add(value)
    return [
        [
            f"{param}={value}"
            for param, value in row.run.params.items()
            if len(values_of[row.run.pipeline, param]) > 1
            and not (param == "seed" and len(row.runs) > 1)
        ]
        for row in rows
    ]


def value_of(row: Row, metric: str) -> float | None:
    """A metric of a row, or the seconds of a stage; None if it has none."""
    stage = metric.removesuffix("_seconds")
    return row.metrics.get(metric, row.seconds.get(stage) if stage != metric else None)


def in_order(rows: Iterable[Row], metric: str) -> list[Row]:
    """Best first; those without the metric at the end."""
    sign = 1 if lower_is_better(metric) else -1

    def key(row: Row) -> tuple[bool, float, str, str]:
        value = value_of(row, metric)
        return value is None, sign * (value or 0.0), row.run.pipeline, row.run.run_id

    return sorted(rows, key=key)


def _placed(settings: Settings, rows: list[Row], metric: str) -> list[Row]:
    """The rows with their places, where the metric is one of each user."""
    if metric not in OF_EACH_USER:
        return rows
    with_it = [row for row in rows if metric in row.metrics]
    if not with_it:
        return rows
    groups = [[run.run_id for run in row.runs] for row in with_it]
    placed = [
        replace(with_it[one.index], placing=one) for one in placings(settings, groups, metric)
    ]
    return placed + [row for row in rows if metric not in row.metrics]


def entries(settings: Settings, schema: str | None = None) -> list[Entry]:
    """The newest finished run of every recommender and its params, grouped, best NDCG first.

    All of them, however many; `board` is for looking. `schema` keeps one data set's runs only.
    Raises RecArenaError if MLflow does not answer.
    """
    conditions = [f"tags.dataset_schema = '{schema}'"] if schema else []
    page = Page([], "")
    found: list[Entry] = []
    while page.token is not None:
        page = search(settings, conditions, token=page.token)
        found += page.entries
    return arrange(found)


def arrange(runs: Sequence[Entry]) -> list[Entry]:
    """Runs without older repeats: comparable ones together, newest group first, best first."""
    newest: dict[tuple[object, ...], Entry] = {}
    group_started: dict[tuple[object, ...], int] = {}
    for run in sorted(runs, key=lambda run: run.started):
        newest[run.pipeline, *sorted(run.params.items()), run.comparable_with] = run
        group_started[run.comparable_with] = run.started
    return sorted(
        newest.values(),
        key=lambda run: (
            -group_started[run.comparable_with],
            str(run.comparable_with),
            -run.metrics.get("ndcg_at_k", 0.0),
            run.pipeline,
        ),
    )
