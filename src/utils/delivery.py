"""What a run logs, as entries that can be applied to MLflow now, later, or twice.

An entry is a kind and a content that JSON can hold, so that it can wait in a file while MLflow
or the artifact store is away. This module is the only one that writes entries to MLflow. Applying
an entry again changes nothing: params and tags are set to the same values, points of metrics carry
their own times, files are overwritten by the same bytes.

A new kind of thing to log is one function here, `@applies("its name")`, and if its arrival can be
told, another one, `@misses("its name")`. Both get MLflow's client, the run's id, the content and
the folder in which the run's files wait; they import mlflow when they are called. `MlflowRun` gets
a method that makes the entry with `self.log`. What was logged already must stay readable: records
of older versions wait in outboxes, so a kind keeps its name and the meaning of its content.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.errors import RecArenaError
from utils import run_end
from utils.settling import settled

if TYPE_CHECKING:
    from mlflow import MlflowClient

Content = Mapping[str, Any]
Apply = Callable[["MlflowClient", str, Content, Path], None]
Misses = Callable[["MlflowClient", str, Content, Path], list[str]]
Point = tuple[str, float, int, int]  # name, value, time in ms since 1970, step

APPLY: dict[str, Apply] = {}
MISSES: dict[str, Misses] = {}
AT_ONCE = {"params": 100, "tags": 100, "metrics": 1000}  # what MLflow takes in one request

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One thing that a run logs: `content` is what JSON can hold."""

    kind: str
    content: Content


def apply(client: "MlflowClient", run_id: str, entry: Entry, files: Path) -> None:
    """Write an entry to a run, again if need be; `files` is the folder of the run's files.

    Raises MlflowException, or RecArenaError for an entry of a kind that is not known here.
    """
    if entry.kind not in APPLY:
        raise RecArenaError(f"an entry of kind {entry.kind!r} is of a newer version; update this")
    APPLY[entry.kind](client, run_id, entry.content, files)


def missing(client: "MlflowClient", run_id: str, entry: Entry, files: Path) -> list[str]:
    """What of an entry is not in the run, in words; empty when all of it is."""
    look = MISSES.get(entry.kind)
    return look(client, run_id, entry.content, files) if look else []


def applies(kind: str) -> Callable[[Apply], Apply]:
    """Make a function the one that writes entries of a kind."""
    return partial(_register, APPLY, kind)


def misses(kind: str) -> Callable[[Misses], Misses]:
    """Make a function the one that says what of an entry of a kind is not in the run."""
    return partial(_register, MISSES, kind)


def _register(known: dict[str, T], kind: str, function: T) -> T:
    known[kind] = function
    return function


def _parts(kind: str, rows: Sequence[T]) -> Iterator[Sequence[T]]:
    size = AT_ONCE[kind]
    return (rows[start : start + size] for start in range(0, len(rows), size))


@applies("params")
def _params(client: "MlflowClient", run_id: str, content: Content, _files: Path) -> None:
    """`content`: values as text by name."""
    from mlflow.entities import Param  # noqa: PLC0415

    for part in _parts("params", [Param(name, value) for name, value in content.items()]):
        client.log_batch(run_id, params=part)


@misses("params")
def _missing_params(
    client: "MlflowClient", run_id: str, content: Content, _files: Path
) -> list[str]:
    found = client.get_run(run_id).data.params
    return [f"param {name}" for name, value in content.items() if found.get(name) != value]


@applies("tags")
def _tags(client: "MlflowClient", run_id: str, content: Content, _files: Path) -> None:
    """`content`: values as text by name."""
    from mlflow.entities import RunTag  # noqa: PLC0415

    for part in _parts("tags", [RunTag(name, value) for name, value in content.items()]):
        client.log_batch(run_id, tags=part)


@misses("tags")
def _missing_tags(client: "MlflowClient", run_id: str, content: Content, _files: Path) -> list[str]:
    found = client.get_run(run_id).data.tags
    return [f"tag {name}" for name, value in content.items() if found.get(name) != value]


@applies("metrics")
def _metrics(client: "MlflowClient", run_id: str, content: Content, _files: Path) -> None:
    """`content`: `points`, a list of `Point`: of final metrics and of curves alike."""
    from mlflow.entities import Metric  # noqa: PLC0415

    for part in _parts("metrics", [Metric(*point) for point in content["points"]]):
        client.log_batch(run_id, metrics=part)


@misses("metrics")
def _missing_metrics(
    client: "MlflowClient", run_id: str, content: Content, _files: Path
) -> list[str]:
    """Points are compared without their value when it is not a number, which equals nothing."""
    wanted: dict[str, set[tuple[float | None, int, int]]] = {}
    for name, value, time, step in content["points"]:
        wanted.setdefault(name, set()).add((_comparable(value), time, step))
    lacking = []
    for name, points in wanted.items():
        history = client.get_metric_history(run_id, name)
        found = {(_comparable(one.value), one.timestamp, one.step) for one in history}
        if not points <= found:
            lacking.append(f"metric {name}")
    return lacking


def _comparable(value: float) -> float | None:
    return value if math.isfinite(value) else None  # MLflow keeps the infinite ones as big ones


@applies("dataset")
def _dataset(client: "MlflowClient", run_id: str, content: Content, _files: Path) -> None:
    """`content`: `origin`, the source's tags, and `inputs`: name, digest and context of each."""
    from mlflow.data.code_dataset_source import CodeDatasetSource  # noqa: PLC0415
    from mlflow.data.meta_dataset import MetaDataset  # noqa: PLC0415
    from mlflow.entities import DatasetInput, InputTag  # noqa: PLC0415
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT  # noqa: PLC0415

    origin = CodeDatasetSource(tags=dict(content["origin"]))
    for one in content["inputs"]:
        described = MetaDataset(  # type: ignore[abstract] # MLflow's own way to use it
            origin, name=one["name"], digest=one["digest"]
        )
        tags = [InputTag(MLFLOW_DATASET_CONTEXT, one["context"])]
        logged = DatasetInput(described._to_mlflow_entity(), tags)
        settled(partial(client.log_inputs, run_id, [logged]))


@misses("dataset")
def _missing_dataset(
    client: "MlflowClient", run_id: str, content: Content, _files: Path
) -> list[str]:
    inputs = client.get_run(run_id).inputs
    logged = inputs.dataset_inputs if inputs else []
    found = {(one.dataset.name, one.dataset.digest) for one in logged}
    wanted = [(one["name"], one["digest"]) for one in content["inputs"]]
    return [f"data set {name}" for name, digest in wanted if (name, digest) not in found]


def folder_content(folder: Path) -> Content:
    """The content of an entry of kind `files`, of a folder in the folder of the run's files."""
    paths = (file for file in folder.rglob("*") if file.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    return {"folder": folder.name, "sizes": sizes}


@applies("files")
def _files(client: "MlflowClient", run_id: str, content: Content, files: Path) -> None:
    """`content`: `folder`, whose files are uploaded under their paths in it; `sizes` by path."""
    client.log_artifacts(run_id, str(files / content["folder"]))


@misses("files")
def _missing_files(
    client: "MlflowClient", run_id: str, content: Content, _files: Path
) -> list[str]:
    """The sizes are compared, where the store tells them."""
    found: dict[str, int | None] = {}
    for place in sorted({path.rpartition("/")[0] for path in content["sizes"]}):
        listed = client.list_artifacts(run_id, place or None)
        found |= {one.path: one.file_size for one in listed if not one.is_dir}
    sizes = content["sizes"].items()
    return [f"file {path}" for path, size in sizes if found.get(path, -1) not in (size, None)]


@applies("end")
def _end(client: "MlflowClient", run_id: str, content: Content, _files: Path) -> None:
    """`content`: `status` and `at`, ms since 1970; a reason to have failed is taken back."""
    run_end.mark(client, run_id, content["status"], None, content["at"])


@misses("end")
def _missing_end(client: "MlflowClient", run_id: str, content: Content, _files: Path) -> list[str]:
    info = client.get_run(run_id).info
    ended = (info.status, info.end_time) == (content["status"], content["at"])
    return [] if ended else [f"the end, {content['status']}"]
