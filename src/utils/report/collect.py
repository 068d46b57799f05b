"""A report's data: the leaderboard's rows, with what their runs left in the artifact store."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from core.errors import RecArenaError
from core.settings import Settings
from utils.leaderboard import Row, board, telling_apart, why_apart
from utils.leaderboard_query import Query
from utils.recommender_names import recommenders
from utils.report.data import METRIC, LeftOut, Report, ReportRun
from utils.report.run_data import AT_ONCE, SHOWN, read_row
from utils.run_search import DEFAULTS, Entry, equals, search

APART = 20  # runs that are not compared, newest first


def collect(settings: Settings, schema: str | None = None, like: str | None = None) -> Report:
    """What the leaderboard shows, of one data set if `schema` is given; or of the runs comparable
    with the run `like`: its id, the beginning of it, or a recommender's name.

    Raises RecArenaError if there is no run, or none whose files can be read.
    """
    conditions = [f"tags.dataset_schema = '{schema}'"] if schema else []
    reference = _reference(settings, conditions, like) if like is not None else None
    wanted = [*conditions, *(_same(reference) if reference else [])]
    found = board(settings, Query(METRIC, 0, tuple(wanted)))
    if not found.rows:
        raise RecArenaError(
            f"no finished runs in experiment {settings.experiment_name}; "
            "make some: recarena run all"
        )
    names = labels(found.rows)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pairs = zip(found.rows, names, strict=True)
        tried = [*pool.map(lambda pair: _tried(settings, *pair), pairs)]
    runs, lost = _same_users([one for one in tried if isinstance(one, ReportRun)])
    lost += [one for one in tried if isinstance(one, LeftOut)]
    if not runs:
        raise RecArenaError(lost[0].reason)
    placed = [row.placing for row in found.rows if row.placing]
    first = reference or found.rows[0].run
    if reference:
        newest = search(settings, conditions, at_most=APART).entries
        found = replace(found, apart=[(one, why_apart(one, reference)) for one in newest])
    lost += [LeftOut(one.pipeline, one.run_id, why) for one, why in found.apart if why]
    return Report.of(
        runs,
        placings=placed if len(runs) == len(placed) else None,
        dataset=first.dataset,
        fingerprint=first.fingerprint,
        protocol=DEFAULTS | first.protocol,
        experiment=settings.experiment_name,
        left_out=lost,
        notes=found.notes if placed else (),
    )


def _reference(settings: Settings, conditions: Sequence[str], like: str) -> Entry:
    """The newest finished run that `like` means. Raises RecArenaError if there is none."""
    wanted = like.lower()
    named = {name.lower(): name for name in recommenders()}.get(wanted)
    if named:
        said = f"tags.pipeline = '{named}'"
    elif wanted and set(wanted) <= set("0123456789abcdef"):
        said = f"attributes.run_id LIKE '{wanted}%'"
    else:
        raise _nothing_like(like)
    found = search(settings, [*conditions, said], at_most=1).entries
    if not found:
        raise _nothing_like(like)
    return found[0]


def _nothing_like(like: str) -> RecArenaError:
    return RecArenaError(
        f"no finished run {like!r}: give an id from `recarena leaderboard`, or one of "
        f"{', '.join(recommenders())}"
    )


def _same(reference: Entry) -> list[str]:
    """Conditions that runs comparable with this one meet."""
    said = [
        equals("tags.dataset", reference.dataset),
        equals("tags.fingerprint", reference.fingerprint),
        *(equals(f"params.`protocol.{n}`", value) for n, value in reference.protocol.items()),
    ]
    return [one for one in said if one]


def labels(rows: Sequence[Row]) -> list[str]:
    """A name for each row: the recommender's, with the parameters that tell its rows apart."""
    named = []
    for row, said in zip(rows, telling_apart(rows), strict=True):
        seeds = [f"({len(row.runs)} seeds)"] if len(row.runs) > 1 else []
        named.append(" ".join([row.run.pipeline, *said, *seeds]))
    often = Counter(named)
    return [
        name if often[name] == 1 else f"{name} ({row.run.run_id[:SHOWN]})"
        for row, name in zip(rows, named, strict=True)
    ]


def _tried(settings: Settings, row: Row, label: str) -> ReportRun | LeftOut:
    """A row with its runs' files, or why it has to be left out."""
    try:
        return read_row(settings, row, label)
    except RecArenaError as error:
        return LeftOut(label, row.run.run_id, str(error))


def _same_users(runs: Sequence[ReportRun]) -> tuple[list[ReportRun], list[LeftOut]]:
    """The runs that were judged on the same users as most others, and the rest."""
    keys = [one.users["user_id"].tobytes() for one in runs]
    usual, _ = Counter(keys).most_common(1)[0] if keys else (b"", 0)
    same = [one for one, key in zip(runs, keys, strict=True) if key == usual]
    reason = f"judged on other users than {same[0].label}" if same else ""
    others = [
        LeftOut(one.label, one.run_id, reason)
        for one, key in zip(runs, keys, strict=True)
        if key != usual
    ]
    return same, others
