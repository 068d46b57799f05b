"""Files of finished runs, brought here once."""

import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path, PurePosixPath
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from core.errors import RecArenaError, first_line
from core.settings import Settings
from utils import mlflow_rest
from utils.cache import cache_folder

PER_USER = "evaluation/per_user.parquet"
RUN_ID = re.compile(r"[0-9a-f]{32}")
AT_ONCE = 4
CHUNK = 1 << 20
SHOWN = 8  # characters of a run id


@dataclass(frozen=True, eq=False)
class PerUser:
    """One metric of several runs: `values` has shape (len(user_ids), n_runs), ids ascending."""

    user_ids: NDArray[np.int64]
    values: NDArray[np.float64]


def per_user(settings: Settings, run_ids: Sequence[str], metric: str) -> PerUser:
    """A metric of the users of several runs, a column a run, in the order given.

    Raises RecArenaError if a run is not finished, has no such metric, or was judged on other
    users than the first one.
    """
    users, columns = [], []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        read = pool.map(lambda run_id: _column(settings, run_id, metric), run_ids)
        for ids, values in read:
            users.append(ids)
            columns.append(values)
    for run_id, ids in zip(run_ids, users, strict=True):
        if not np.array_equal(ids, users[0]):
            raise RecArenaError(
                f"run {run_id[:SHOWN]} was judged on other users than run {run_ids[0][:SHOWN]}"
            )
    if not columns:
        return PerUser(np.empty(0, np.int64), np.empty((0, 0)))
    return PerUser(users[0], np.column_stack(columns))


def _column(
    settings: Settings, run_id: str, metric: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Users of a run, ascending, and the metric of each."""
    from pyarrow import ArrowException, parquet  # noqa: PLC0415 - only when there is work

    file = download(settings, run_id, PER_USER)
    try:
        table = parquet.read_table(file, use_threads=False)
    except (ArrowException, OSError) as error:
        file.unlink(missing_ok=True)  # the next try brings it anew
        raise RecArenaError(
            f"{PER_USER} of run {run_id[:SHOWN]} cannot be read: {first_line(error)}"
        ) from None
    if metric not in table.column_names:
        there = ", ".join(name for name in table.column_names if name.endswith("_at_k"))
        raise RecArenaError(
            f"run {run_id[:SHOWN]} has no {metric!r} of each user; there are {there}"
        )
    ids = table["user_id"].to_numpy().astype(np.int64)
    order = np.argsort(ids)
    return ids[order], table[metric].to_numpy().astype(np.float64)[order]


def download(settings: Settings, run_id: str, path: str) -> Path:
    """A local copy of a file that a finished run left, e.g. `evaluation/per_user.parquet`.

    It is kept below `.recarena/cache`, by the run's id: such files do not change any more. A
    file is there whole or not at all. Raises RecArenaError if the run is not finished, has no
    such file, or it cannot be had whole.
    """
    if not RUN_ID.fullmatch(run_id) or ".." in PurePosixPath(path).parts or path.startswith("/"):
        raise RecArenaError(f"{path!r} of run {run_id!r} is no file of a run")
    file = cache_folder() / "runs" / run_id / path
    if file.is_file():
        return file
    check_finished(settings, run_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".part-") as folder:
        part = Path(folder) / "part"
        _fetch(settings, run_id, path, part)
        part.replace(file)
    return file


_finished: set[tuple[str, str]] = set()


def check_finished(settings: Settings, run_id: str) -> None:
    """Raise RecArenaError if there is no such run, or its files may still change.

    A run that has finished stays so: the tracker is asked once, however many files are wanted.
    """
    if (settings.tracking_uri, run_id) in _finished:
        return
    info = mlflow_rest.ask(settings, "runs/get", {"run_id": run_id})["run"]["info"]
    if info["status"] != "FINISHED":
        raise RecArenaError(
            f"run {run_id[:SHOWN]} is {info['status']}: only a FINISHED run has all its files"
        )
    _finished.add((settings.tracking_uri, run_id))


def _fetch(settings: Settings, run_id: str, path: str, target: Path) -> None:
    """Write a run's file to `target`. Raises RecArenaError unless all of it came."""
    name = f"{path} of run {run_id[:SHOWN]}"
    url = "/get-artifact?" + urlencode({"run_uuid": run_id, "path": path})
    try:
        with mlflow_rest.opened(settings, url) as answer, target.open("wb") as out:
            while chunk := _read(settings, answer):
                out.write(chunk)
            said = answer.headers["Content-Length"]
    except RecArenaError as error:
        raise RecArenaError(f"{name} cannot be had: {error}") from None
    except OSError as error:
        raise RecArenaError(f"{name} cannot be written: {error.strerror}") from None
    if said is not None and int(said) != target.stat().st_size:
        raise RecArenaError(
            f"{name} broke off after {target.stat().st_size:,} of {int(said):,} bytes; try again"
        )


def _read(settings: Settings, answer: HTTPResponse) -> bytes:
    with mlflow_rest.explained(settings):
        return answer.read(CHUNK)
