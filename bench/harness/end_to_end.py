"""What `recarena run all` does: every pipeline with its defaults, from database to MLflow."""

import sys
import time
from collections.abc import Iterator
from typing import Any

from core.settings import Settings
from harness.measure import FailedError, run
from harness.plan import ML_10M, Plan
from harness.results import now
from harness.services import DATASET, ensure_loaded, environment, services
from utils.leaderboard import Entry, entries
from utils.runner import pipeline_files

STAGES = ("read", "fit", "recommend", "evaluate")


def chosen(plan: Plan) -> list[str]:
    """The pipelines that the plan asks for, of those that there are."""
    return [name for name in pipeline_files() if not plan.pipelines or name in plan.pipelines]


def measure(plan: Plan) -> Iterator[dict[str, Any]]:
    """Stages' seconds and peak memory, by pipeline, each in a process of its own, by rounds."""
    shape = plan.shape(ML_10M)
    pipelines: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen(plan)}
    with services() as settings:
        ensure_loaded(settings, plan, shape)
        for turn in range(plan.repeats):
            for name, runs in pipelines.items():
                print(f"runs: {name}, {turn + 1} of {plan.repeats}", flush=True)
                runs.append(_once(settings, plan, name))
            yield {"shape": str(shape), "pipelines": pipelines}


def _once(settings: Settings, plan: Plan, name: str) -> dict[str, Any]:
    """One run. The seconds of its stages are those that it logged; the rest is the rest."""
    command = [sys.executable, "-m", f"pipelines.{name}.pipeline_{name.lower()}"]
    how = {"log": plan.work / "logs" / "runs.log", "environment": environment(settings)}
    start = time.perf_counter()
    try:
        run(command, limit=plan.limit, **how)
    except FailedError as error:
        return {"failed": str(error), "date": now()}
    wall = time.perf_counter() - start
    logged = _newest(settings, name)
    stages = {stage: logged.seconds[stage] for stage in STAGES}
    return {
        "wall": wall,
        **stages,
        "rest": wall - sum(stages.values()),
        "peak_mib": logged.metrics["peak_memory_mib"],
        "date": now(),
    }


def _newest(settings: Settings, name: str) -> Entry:
    found = (one for one in entries(settings, DATASET.schema) if one.pipeline == name)
    return max(found, key=lambda one: one.started)
