"""Running a finished run again, to see whether the same comes out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import TypeAdapter, ValidationError

from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import read_dataset
from table_models.database import LoadedDataSet
from utils import surroundings, surroundings_changes
from utils.finished_runs import FinishedRun, find_run
from utils.pipeline_process import run_process
from utils.run_differences import LISTS, PREDICTIONS, Differences, differences
from utils.runner import PROTOCOL_OPTIONS, load_pipeline, pipeline_files, pipeline_module
from utils.surroundings_changes import Change
from utils.tracking import explained, prepare_client

PREFIX = "protocol."
OPTION = {"k": "top_k"}  # names of the protocol's fields that are others on the command line
RERUN_OF = "rerun_of"
STDERR = 2  # what the pipeline says is no part of the answer
FILES = (LISTS, PREDICTIONS, surroundings.FILE)


@dataclass(frozen=True)
class Kept:
    """What MLflow keeps of a run, and a folder with the files of it that are compared."""

    id: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    folder: Path

    @property
    def protocol(self) -> dict[str, str]:
        """The protocol's fields."""
        named = self.params.items()
        return {n.removeprefix(PREFIX): value for n, value in named if n.startswith(PREFIX)}

    @property
    def hyper_parameters(self) -> dict[str, str]:
        """What the recommender learned with."""
        return {n: value for n, value in self.params.items() if not n.startswith(PREFIX)}


@dataclass(frozen=True)
class Rerun:
    """Both runs, what differs between them, and what changed around them.

    `changes` is None if the first run is older than the record of its surroundings; `same_model`
    says whether the files of both models are equal, byte by byte.
    """

    first: FinishedRun
    again_id: str
    differences: Differences
    changes: list[Change] | None
    same_model: bool


def rerun(
    settings: Settings, wanted: str, dataset: str | None, say: Callable[[str], None]
) -> Rerun:
    """Run a finished run again in a process of its own: same parameters, protocol and seed.

    `wanted` and `dataset` as of `find_run`. Raises RecArenaError if there is no such run, its
    data set is not loaded or is another by now, its parameters are no longer known, or it fails.
    """
    first, source = find_run(settings, wanted, dataset)
    with TemporaryDirectory(prefix="recarena-") as temporary:
        before = _kept(settings, first.id, Path(temporary) / "before")
        protocol = _protocol(first, before.protocol)
        args = command_line(first, before.hyper_parameters, protocol, settings, source)
        _check_data(settings, first, source, protocol, before.tags.get("fingerprint"))
        say(f"running {first} again")
        begun = int(time.time() * 1000)
        module = pipeline_module(pipeline_files()[first.pipeline])
        if run_process(module, args, {"RECARENA_RERUN_OF": first.id}, stdout=STDERR):
            raise RecArenaError(f"{first} could not be run again; its own message is above")
        again_id = _newest_rerun(settings, first, begun)
        after = _kept(settings, again_id, Path(temporary) / "after")
        metrics = (before.metrics, after.metrics)
        return Rerun(
            first,
            again_id,
            differences(before.folder, after.folder, metrics),
            _changes(before.folder, after.folder),
            before.tags.get("model_sha256") == after.tags.get("model_sha256"),
        )


def command_line(
    run: FinishedRun,
    params: Mapping[str, str],
    protocol: EvaluationProtocol,
    settings: Settings,
    source: LoadedDataSet,
) -> list[str]:
    """Every parameter and every setting of the protocol, so that nothing else decides.

    Raises RecArenaError for a parameter that the recommender does not have any more.
    """
    known = load_pipeline(run.pipeline).params.model_fields
    for name in params:
        if name not in known:
            raise RecArenaError(
                f"{run} was made with {name.upper()}={params[name]}, a parameter that "
                f"{run.pipeline} does not have any more: check out the commit of its tag git_commit"
            )
    given: dict[str, object] = {name: value for name, value in params.items() if value != "None"}
    given |= {"dataset": source.name, "experiment_name": settings.experiment_name}
    for field in fields(protocol):
        option, value = OPTION.get(field.name, field.name), getattr(protocol, field.name)
        if option in PROTOCOL_OPTIONS and option != "dataset" and value is not None:
            given[option] = value
    return [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]


def _protocol(run: FinishedRun, kept: Mapping[str, str]) -> EvaluationProtocol:
    """The protocol that a run was judged by; a field that it did not know has its default."""
    unknown = kept.keys() - {field.name for field in fields(EvaluationProtocol)}
    values = {name: None if value == "None" else value for name, value in kept.items()}
    try:
        if unknown:
            raise ValueError(", ".join(sorted(unknown)))
        return TypeAdapter(EvaluationProtocol).validate_python(values)
    except (ValidationError, ValueError) as error:
        names = error.errors()[0]["loc"] if isinstance(error, ValidationError) else error
        raise RecArenaError(
            f"{run} was judged by a protocol that there is not any more ({names}): "
            "check out the commit of its tag git_commit"
        ) from None


def _check_data(
    settings: Settings,
    run: FinishedRun,
    source: LoadedDataSet,
    protocol: EvaluationProtocol,
    fingerprint: str | None,
) -> None:
    """Raises RecArenaError unless the split is the one that the run learned from."""
    found = read_dataset(settings, source, protocol).fingerprint
    if found != fingerprint:
        raise RecArenaError(
            f"{run} cannot be repeated: its split of {run.dataset} was {fingerprint}, now it is "
            f"{found}; load the ratings that it had: recarena load {source.name} --replace"
        )


def _newest_rerun(settings: Settings, run: FinishedRun, begun: int) -> str:
    """The id of the run that was made just now. Raises RecArenaError if MLflow has none."""
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    client = MlflowClient(settings.tracking_uri)
    with explained(settings.tracking_uri):
        experiment = client.get_run(run.id).info.experiment_id
        query = f"attributes.status = 'FINISHED' and tags.{RERUN_OF} = '{run.id}'"
        query += f" and attributes.start_time >= {begun}"
        newest = ["attributes.start_time DESC"]
        for found in client.search_runs([experiment], query, max_results=1, order_by=newest):
            return str(found.info.run_id)
    raise RecArenaError(f"{run} was run again, but MLflow has no finished run of it to compare")


def _kept(settings: Settings, run_id: str, folder: Path) -> Kept:
    """What MLflow keeps of a run; its files are copied below `folder`, those that there are."""
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415

    client = MlflowClient(settings.tracking_uri)
    folder.mkdir()
    with explained(settings.tracking_uri):
        run: Any = client.get_run(run_id)
        there = {one.path for where in (None, "evaluation") for one in _list(client, run_id, where)}
        for file in FILES:  # MLflow asks again and again for one that is missing
            if file in there:
                found = Path(client.download_artifacts(run_id, file, str(folder)))
                (folder / file).parent.mkdir(exist_ok=True)
                found.replace(folder / file)
    if LISTS not in there:
        raise RecArenaError(f"run {run_id[:8]} left no {LISTS}, so there is nothing to compare")
    return Kept(run_id, run.data.params, run.data.metrics, run.data.tags, folder)


def _list(client: Any, run_id: str, where: str | None) -> list[Any]:
    return list(client.list_artifacts(run_id, where))


def _changes(before: Path, after: Path) -> list[Change] | None:
    """What changed around the runs, if both tell."""
    files = [folder / surroundings.FILE for folder in (before, after)]
    if not all(file.exists() for file in files):
        return None
    return surroundings_changes.changes(*(surroundings_changes.read(file) for file in files))
