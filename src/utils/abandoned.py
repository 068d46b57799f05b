"""Runs whose process was killed, or whose machine stopped: they are ended by somebody else.

A run says every few seconds that it is alive. One that has been silent for long is ended as FAILED
by the next run that begins, and by `recarena status`.
"""

import time
from typing import Any

from core.settings import Settings
from utils import outbox, run_end
from utils.run_end import ALIVE, FAILURE
from utils.service_answers import ask_experiment, ask_tracker

ABANDONED = "its process was killed, or its machine stopped: it said nothing for a minute"
KEPT = "its services were away: it is kept in the outbox, `recarena push` delivers it"


def close_abandoned(settings: Settings) -> list[str]:
    """End the runs of the settings' experiment whose process is gone; returns their ids.

    A process that lives after all, but could not be heard, ends its run as it should when it comes
    to its end; so does a push, of one that is in the outbox. Raises RecArenaError if MLflow does
    not answer.
    """
    seconds = settings.connect_timeout
    experiment = ask_experiment(settings, seconds)
    if experiment is None:
        return []
    wanted = {"experiment_ids": [experiment], "filter": "attributes.status = 'RUNNING'"}
    found = ask_tracker(settings, "runs/search", wanted | {"max_results": 1000}, seconds)
    kept = {folder.name for folder in outbox.waiting(settings.outbox)}
    silent = [run["info"]["run_id"] for run in found.get("runs", []) if _silent(run)]
    for run_id in silent:
        why = KEPT if run_id in kept else ABANDONED
        ask_tracker(settings, "runs/set-tag", _tag(run_id, why), seconds)
        end = {"run_id": run_id, "status": "FAILED", "end_time": int(time.time() * 1000)}
        ask_tracker(settings, "runs/update", end, seconds)
    return silent


def _silent(run: dict[str, Any]) -> bool:
    """Whether a run said that it is alive, but long ago; others are none of ours."""
    tags = {one["key"]: one["value"] for one in run.get("data", {}).get("tags", [])}
    return ALIVE in tags and time.time() - float(tags[ALIVE]) > run_end.SILENT_SECONDS


def _tag(run_id: str, why: str) -> dict[str, str]:
    return {"run_id": run_id, "key": FAILURE, "value": why}
