"""The entry that shows a run's model among MLflow's models, with its metrics by data set.

The model itself is the run's own file, whose path and sha256 are tags; MLflow keeps what the model
is called, what it learned with, and how it was judged.
"""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from utils.delivery import Content, Entry, applies, misses

if TYPE_CHECKING:
    from mlflow import MlflowClient

KIND = "model"
TAGS = ("model_file", "model_sha256", "fingerprint", "comparable")  # of the run, of its model too


def content_of(name: str, entries: Iterable[Entry]) -> Content:
    """The content of the entry, from all that its run has logged: its last metrics, of its test."""
    by_kind: dict[str, list[Content]] = {}
    for one in entries:
        by_kind.setdefault(one.kind, []).append(one.content)
    tags = dict(chain.from_iterable(one.items() for one in by_kind["tags"]))
    test = by_kind["dataset"][-1]["inputs"][-1]
    return {
        "name": name,
        "tags": {tag: tags[tag] for tag in TAGS if tag in tags},
        "params": dict(chain.from_iterable(one.items() for one in by_kind["params"])),
        "points": by_kind["metrics"][-1]["points"],
        "dataset": [test["name"], test["digest"]],
    }


@applies(KIND)
def _model(client: "MlflowClient", run_id: str, content: Content, _files: Path) -> None:
    """`content`: `name`, `tags`, `params`, `points` of metrics, name and digest of a `dataset`."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric  # noqa: PLC0415

    experiment = client.get_run(run_id).info.experiment_id
    query = f"source_run_id = '{run_id}'"
    found = list(client.search_logged_models([experiment], query))
    if found:
        model_id = found[0].model_id
    else:
        made = client.create_logged_model(
            experiment,
            content["name"],
            source_run_id=run_id,
            tags=content["tags"],
            params=content["params"],
            model_type="recommender",
        )
        model_id = made.model_id
    name, digest = content["dataset"]
    points = [
        Metric(key, value, time, step, model_id, name, digest, run_id)
        for key, value, time, step in content["points"]
    ]
    client.log_batch(run_id, metrics=points)
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    if model_id not in outputs(client, run_id):
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


@misses(KIND)
def _missing_model(
    client: "MlflowClient", run_id: str, content: Content, _files: Path
) -> list[str]:
    return [] if outputs(client, run_id) else [f"model {content['name']}"]


def outputs(client: "MlflowClient", run_id: str) -> list[str]:
    """The ids of the models that a run shows as its own."""
    outputs = client.get_run(run_id).outputs
    return [one.model_id for one in outputs.model_outputs] if outputs else []
