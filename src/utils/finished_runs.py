"""Which run somebody means: by its id, the beginning of it, or the name of its recommender."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.errors import RecArenaError
from core.settings import Settings
from datareader.reader import choose_dataset
from table_models.database import LoadedDataSet, loaded
from table_models.datasets import find
from utils.runner import pipeline_files
from utils.tracking import explained, prepare_client

RUN_ID = re.compile(r"[0-9a-f]{1,32}")
SHOWN = 8  # characters of a run id, as on the leaderboard


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of one of our recommenders. `dataset` is the data set's shown name."""

    id: str
    pipeline: str
    dataset: str
    schema: str
    started: datetime
    relevance_threshold: float
    model_sha256: str | None

    def __str__(self) -> str:
        return f"run {self.id[:SHOWN]} ({self.pipeline})"


def find_run(
    settings: Settings, wanted: str, dataset: str | None = None
) -> tuple[FinishedRun, LoadedDataSet]:
    """The run that `wanted` means, and its data set in the database.

    `wanted` is a recommender's name in any case, for its newest finished run on the chosen data
    set; else a run's id or the beginning of it. `dataset` restricts both to one data set.

    Raises RecArenaError if there is no such run, several, an unfinished one, or one whose data
    set is not loaded.
    """
    name = {one.lower(): one for one in pipeline_files()}.get(wanted.lower())
    if name:
        chosen = choose_dataset(
            settings.model_copy(update={"dataset": dataset or settings.dataset})
        )
        return _newest(settings, name, chosen), chosen
    run = _by_id(settings, wanted.lower())
    if dataset and find(dataset).schema != run.schema:
        raise RecArenaError(f"{run} is on {run.dataset}, not on {find(dataset).name}")
    return run, _data_set_of(settings, run)


def _newest(settings: Settings, name: str, dataset: LoadedDataSet) -> FinishedRun:
    """A recommender's newest finished run on a data set."""
    query = (
        f"attributes.status = 'FINISHED' and tags.pipeline = '{name}' "
        f"and tags.dataset = '{dataset.shown_name}'"
    )
    for run in _search(settings, query, at_most=1):
        return _checked(run)
    raise RecArenaError(
        f"no finished run of {name} on {dataset.shown_name} in experiment "
        f"{settings.experiment_name}; make one: recarena run {name} --dataset {dataset.name}"
    )


def _by_id(settings: Settings, wanted: str) -> FinishedRun:
    """The one run whose id begins like this."""
    found = []
    if RUN_ID.fullmatch(wanted):
        found = _search(settings, f"attributes.run_id LIKE '{wanted}%'", at_most=3)
    if not found:
        raise RecArenaError(
            f"no run {wanted!r} in experiment {settings.experiment_name}: give an id from "
            f"`recarena leaderboard`, or one of {', '.join(pipeline_files())}"
        )
    if len(found) > 1:
        several = ", ".join(run.info.run_id for run in found)
        raise RecArenaError(f"several runs begin with {wanted!r}: {several}; give more of the id")
    return _checked(found[0])


def _search(settings: Settings, query: str, at_most: int) -> list[Any]:
    """The newest runs that a query of MLflow's finds in the settings' experiment."""
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    client = MlflowClient(settings.tracking_uri)
    with explained(settings.tracking_uri):
        experiment = client.get_experiment_by_name(settings.experiment_name)
        if experiment is None:
            return []
        newest = ["attributes.start_time DESC"]
        ids = [experiment.experiment_id]
        return list(client.search_runs(ids, query, max_results=at_most, order_by=newest))


def _checked(run: Any) -> FinishedRun:
    """A run of MLflow's, if it is a finished one of ours."""
    tags, info = run.data.tags, run.info
    pipeline = tags.get("pipeline", "")
    if pipeline not in pipeline_files():
        raise RecArenaError(f"run {info.run_id[:SHOWN]} is of no recommender that there is here")
    found = FinishedRun(
        id=info.run_id,
        pipeline=pipeline,
        dataset=tags.get("dataset", ""),
        schema=tags.get("dataset_schema", ""),
        started=datetime.fromtimestamp(info.start_time / 1000, UTC),
        relevance_threshold=float(run.data.params.get("protocol.relevance_threshold", 0)),
        model_sha256=tags.get("model_sha256"),
    )
    if info.status != "FINISHED":
        raise RecArenaError(f"{found} is {info.status}: only a FINISHED run can be asked")
    return found


def _data_set_of(settings: Settings, run: FinishedRun) -> LoadedDataSet:
    """The run's data set, if it is still loaded and still that one."""
    for one in loaded(settings):
        if one.schema == run.schema and one.shown_name == run.dataset:
            return one
        if one.schema == run.schema:
            raise RecArenaError(
                f"{run} is on {run.dataset}, but {one.shown_name} is loaded in its place"
            )
    raise RecArenaError(
        f"{run} is on {run.dataset}, which is not loaded; "
        f"run `recarena load {run.schema.replace('_', '-')}` first"
    )
