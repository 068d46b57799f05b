"""What the runs of one row of the leaderboard left: of users, of items, while they learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RecArenaError, first_line
from core.settings import Settings
from utils import mlflow_rest
from utils.leaderboard import Row
from utils.report.data import METRIC, Curve, ReportRun
from utils.report.groups import hit_shares
from utils.report.surroundings_facts import FILES, facts_of
from utils.run_files import PER_USER, download

AT_ONCE = 4  # rows that are fetched side by side
ITEMS = "evaluation/items.parquet"
OF_USERS = ("user_id", METRIC, "recall_at_k", "n_relevant")
OF_ITEMS = ("movie_id", "n_train", "n_relevant", "n_hits")
SUMMED = ("n_relevant", "n_hits")
CURVE = "learning/"
HISTORY = 25_000  # points of a curve, the most that MLflow gives at once
SHOWN = 8  # characters of a run id
Columns = dict[str, NDArray[Any]]


def read_row(settings: Settings, row: Row, label: str) -> ReportRun:
    """A row with its runs' files; of several seeds the mean of each user and the sums of each item.

    Raises RecArenaError if the tracker or the store does not give them.
    """
    newest = row.run
    users = [_of_users(settings, run.run_id) for run in row.runs]
    if any(not np.array_equal(one["user_id"], users[0]["user_id"]) for one in users):
        raise RecArenaError("its runs with several seeds were judged on different users")
    run = mlflow_rest.ask(settings, "runs/get", {"run_id": newest.run_id})["run"]
    data = run["data"]
    there = _files(settings, newest.run_id, "")
    best = next((name for name in FILES if name in there), None)
    surroundings, packages = facts_of(download(settings, newest.run_id, best) if best else None)
    seeds = [one.params["seed"] for one in row.runs if "seed" in one.params]
    home = run["info"]["experiment_id"]
    return ReportRun(
        label=label,
        pipeline=newest.pipeline,
        run_id=newest.run_id,
        started=newest.started,
        metrics=row.metrics,
        seconds=row.seconds,
        params=newest.params | ({"seed": ", ".join(sorted(seeds))} if seeds else {}),
        tags={one["key"]: one["value"] for one in data.get("tags", [])},
        values=_mean(users, METRIC),
        users={**users[0], "recall_at_k": _mean(users, "recall_at_k")},
        hits=np.mean([hit_shares(one["recall_at_k"], one["n_relevant"]) for one in users], axis=0),
        items=_of_items(settings, [one.run_id for one in row.runs]),
        curves=_curves(settings, newest.run_id, data),
        surroundings=surroundings,
        packages=packages,
        link=f"{settings.tracking_uri}/#/experiments/{home}/runs/{newest.run_id}",
    )


def _of_users(settings: Settings, run_id: str) -> Columns:
    """What a run left of each judged user, by ascending id."""
    return _columns(download(settings, run_id, PER_USER), OF_USERS)


def _mean(users: Sequence[Columns], name: str) -> NDArray[np.float64]:
    return np.mean([one[name] for one in users], axis=0, dtype=np.float64)


def _of_items(settings: Settings, run_ids: Sequence[str]) -> Columns | None:
    """Counts of each item, over several runs; None unless all left them, of the same items."""
    if any(ITEMS not in _files(settings, run_id, "evaluation") for run_id in run_ids):
        return None
    found = [_columns(download(settings, run_id, ITEMS), OF_ITEMS) for run_id in run_ids]
    if any(not np.array_equal(one["movie_id"], found[0]["movie_id"]) for one in found):
        return None
    summed = {name: np.sum([one[name] for one in found], axis=0) for name in SUMMED}
    return {**found[0], **summed}


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


def _curves(settings: Settings, run_id: str, data: Mapping[str, Any]) -> dict[str, Curve]:
    """The learning curves of a run, by name."""
    names = [one["key"] for one in data.get("metrics", []) if one["key"].startswith(CURVE)]
    return {name.removeprefix(CURVE): _curve(settings, run_id, name) for name in names}


def _curve(settings: Settings, run_id: str, name: str) -> Curve:
    """The points of a learning curve, by epoch."""
    query = {"run_id": run_id, "metric_key": name, "max_results": str(HISTORY)}
    answer = mlflow_rest.ask(settings, "metrics/get-history", query)
    points = [(int(one["step"]), float(one["value"])) for one in answer.get("metrics", [])]
    return sorted(point for point in points if np.isfinite(point[1]))
