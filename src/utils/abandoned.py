"""Runs whose process was killed, or whose machine stopped: they are ended by somebody else.

A run says every few seconds that it is alive. One that has been silent for long is ended as FAILED
by the next run that begins, and by `recarena status`.
"""

import time
from typing import Any

from core.settings import Settings
from utils import mlflow_rest, outbox, run_end
from utils.run_end import ALIVE, FAILURE

ABANDONED = "its process was killed, or its machine stopped: it said nothing for a minute"
KEPT = "its services were away: it is kept in the outbox, `recarena push` delivers it"


def close_abandoned(settings: Settings) -> list[str]:
    """End the runs of the settings' experiment whose process is gone; returns their ids.

    A process that lives after all, but could not be heard, ends its run as it should when it comes
    to its end; so does a push, of one that is in the outbox. Raises RecArenaError if MLflow does
    not answer.
    """
    try:
        by_name = {"experiment_name": settings.experiment_name}
        experiment = mlflow_rest.ask(settings, "experiments/get-by-name", by_name)["experiment"]
    except mlflow_rest.NotFoundError:
        return []
    wanted = {"filter": "attributes.status = 'RUNNING'", "max_results": 1000}
    body = wanted | {"experiment_ids": [experiment["experiment_id"]]}
    found = mlflow_rest.ask(settings, "runs/search", body=body)
    kept = {folder.name for folder in outbox.waiting(settings.outbox)}
    silent = [run["info"]["run_id"] for run in found.get("runs", []) if _silent(run)]
    for run_id in silent:
        tag = {"run_id": run_id, "key": FAILURE, "value": KEPT if run_id in kept else ABANDONED}
        mlflow_rest.ask(settings, "runs/set-tag", body=tag)
        end = {"run_id": run_id, "status": "FAILED", "end_time": int(time.time() * 1000)}
        mlflow_rest.ask(settings, "runs/update", body=end)
    return silent


def _silent(run: dict[str, Any]) -> bool:
    """Whether a run said that it is alive, but long ago; others are none of ours."""
    tags = {one["key"]: one["value"] for one in run.get("data", {}).get("tags", [])}
    return ALIVE in tags and time.time() - float(tags[ALIVE]) > run_end.SILENT_SECONDS
