"""A report's data, from the tracker and the artifact store."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RecArenaError, first_line
from core.settings import Settings
from utils import mlflow_rest
from utils.leaderboard import entries
from utils.report.data import METRIC, Curve, LeftOut, Report, ReportRun
from utils.report.surroundings_facts import FILES, facts_of
from utils.run_files import PER_USER, download
from utils.run_search import Entry

AT_ONCE = 4  # runs that are fetched side by side
ITEMS = "evaluation/items.parquet"
CURVE = "learning/"
HISTORY = 25_000  # points of a curve, the most that MLflow gives at once
COLUMNS = ("user_id", METRIC, "recall_at_k", "n_relevant")
COUNTS = ("movie_id", "n_train", "n_relevant", "n_hits")
SHOWN = 8  # characters of a run id
Columns = dict[str, NDArray[Any]]


def collect(settings: Settings, schema: str | None = None, like: str | None = None) -> Report:
    """The newest comparable runs, of one data set if `schema` is given; or those comparable with
    the run `like`: its id, the beginning of it, or a recommender's name.

    Raises RecArenaError if there is none, or none whose files can be read.
    """
    found = entries(settings, schema)
    if not found:
        raise RecArenaError(
            f"no finished runs in experiment {settings.experiment_name}; "
            "make some: recarena run all"
        )
    chosen = _chosen(found, like)
    group = [one for one in found if one.comparable_with == chosen.comparable_with]
    apart = [one for one in found if one.comparable_with != chosen.comparable_with]
    names = labels(group)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = [*pool.map(lambda one: _tried(settings, one, names[one.run_id]), group)]
    runs, lost = _same_users([one for one in tried if isinstance(one, ReportRun)])
    lost += [one for one in tried if isinstance(one, LeftOut)]
    if not runs:
        raise RecArenaError(lost[0].reason)
    lost += [LeftOut(one.pipeline, one.run_id, difference(one, chosen)) for one in apart]
    return Report.of(
        runs,
        dataset=chosen.dataset,
        fingerprint=chosen.fingerprint,
        protocol=chosen.protocol,
        experiment=settings.experiment_name,
        left_out=lost,
    )


def _chosen(found: Sequence[Entry], like: str | None) -> Entry:
    """The run whose like are compared."""
    if like is None:
        return found[0]
    wanted = like.lower()
    for one in found:
        if wanted and (one.pipeline.lower() == wanted or one.run_id.startswith(wanted)):
            return one
    raise RecArenaError(f"no finished run {like!r}: give an id from `recarena leaderboard`")


def labels(group: Sequence[Entry]) -> dict[str, str]:
    """A name for each run by its id: the recommender's, with the parameters that tell it apart."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in group:
        for param, value in one.params.items():
            values[one.pipeline, param].add(value)
    named = {
        one.run_id: " ".join(
            [one.pipeline]
            + [f"{p}={v}" for p, v in one.params.items() if len(values[one.pipeline, p]) > 1]
        )
        for one in group
    }
    often = Counter(named.values())
    return {
        run_id: name if often[name] == 1 else f"{name} ({run_id[:SHOWN]})"
        for run_id, name in named.items()
    }


def difference(one: Entry, other: Entry) -> str:
    """Why two runs are not comparable, in words."""
    if one.dataset != other.dataset:
        return f"data set {one.dataset}"
    names = sorted({*one.protocol, *other.protocol})
    said = [
        f"{name} {one.protocol.get(name, 'unknown')} instead of {other.protocol.get(name, 'unset')}"
        for name in names
        if one.protocol.get(name) != other.protocol.get(name)
    ]
    return "; ".join(said) or f"split {one.fingerprint} instead of {other.fingerprint}"


def _tried(settings: Settings, entry: Entry, label: str) -> ReportRun | LeftOut:
    """A run with its files, or why it has to be left out."""
    try:
        return _read(settings, entry, label)
    except RecArenaError as error:
        return LeftOut(label, entry.run_id, str(error))


def _read(settings: Settings, entry: Entry, label: str) -> ReportRun:
    """A run with its files. Raises RecArenaError if the tracker or the store does not give them."""
    run_id = entry.run_id
    users = _columns(download(settings, run_id, PER_USER), COLUMNS)
    run = mlflow_rest.ask(settings, "runs/get", {"run_id": run_id})["run"]
    data = run["data"]
    there = _files(settings, run_id, "") | _files(settings, run_id, "evaluation")
    surroundings, packages = facts_of(
        {name: download(settings, run_id, name) for name in there if name in FILES}
    )
    return ReportRun(
        label=label,
        pipeline=entry.pipeline,
        run_id=run_id,
        started=entry.started,
        metrics=entry.metrics,
        seconds=entry.seconds,
        params=entry.params,
        tags={one["key"]: one["value"] for one in data.get("tags", [])},
        values=users.pop(METRIC).astype(np.float64),
        users=users,
        items=_columns(download(settings, run_id, ITEMS), COUNTS) if ITEMS in there else None,
        curves={
            one["key"].removeprefix(CURVE): _curve(settings, run_id, one["key"])
            for one in data.get("metrics", [])
            if one["key"].startswith(CURVE)
        },
        surroundings=surroundings,
        packages=packages,
        link=f"{settings.tracking_uri}/#/experiments/{run['info']['experiment_id']}/runs/{run_id}",
    )


def _columns(file: Path, wanted: Sequence[str]) -> Columns:
    """These columns of a parquet file and `n_train` if it is there, by ascending id.

    Raises RecArenaError for another file.
    """
    from pyarrow import ArrowException, parquet  # noqa: PLC0415 - only when there is work

    try:
        there = set(parquet.read_schema(file).names)
        lacking = [name for name in wanted if name not in there]
        if lacking:
            raise RecArenaError(f"its {file.name} has no {lacking[0]}")
        names = [*dict.fromkeys([*wanted, *({"n_train"} & there)])]
        table = parquet.read_table(file, columns=names, use_threads=False)
    except (ArrowException, OSError) as error:
        file.unlink(missing_ok=True)  # the next try brings it anew
        raise RecArenaError(f"its {file.name} cannot be read: {first_line(error)}") from None
    columns = {name: table[name].to_numpy() for name in names}
    order = np.argsort(columns[wanted[0]])
    return {name: values[order] for name, values in columns.items()}


def _files(settings: Settings, run_id: str, folder: str) -> set[str]:
    """Paths of the files in one folder of a run, so that none is asked for that is missing."""
    query = {"run_id": run_id} | ({"path": folder} if folder else {})
    answer = mlflow_rest.ask(settings, "artifacts/list", query)
    return {one["path"] for one in answer.get("files", []) if not one.get("is_dir")}


def _curve(settings: Settings, run_id: str, name: str) -> Curve:
    """The points of a learning curve, by epoch."""
    query = {"run_id": run_id, "metric_key": name, "max_results": str(HISTORY)}
    answer = mlflow_rest.ask(settings, "metrics/get-history", query)
    points = [(int(one["step"]), float(one["value"])) for one in answer.get("metrics", [])]
    return sorted(point for point in points if np.isfinite(point[1]))


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
