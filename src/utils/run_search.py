"""Finished runs, chosen and put in order by the tracker itself, a page at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.protocol import EvaluationProtocol
from core.settings import Settings
from utils import mlflow_rest

PROTOCOL_PREFIX = "protocol."
SECONDS = "_seconds"
FINISHED = ("attributes.status = 'FINISHED'", "tags.pipeline IS NOT NULL")
NEWEST = "attributes.start_time DESC"
DEFAULTS = {
    field.name: str(field.default)
    for field in fields(EvaluationProtocol)
    if isinstance(field.default, str | int | float)
}


@dataclass(frozen=True)
class Entry:
    """One finished run. `seconds` holds the time of each stage, by its name."""

    pipeline: str
    run_id: str
    dataset: str
    fingerprint: str
    metrics: dict[str, float]
    seconds: dict[str, float]
    params: dict[str, str]
    protocol: dict[str, str]
    started: int
    leakage: str = ""
    """What the run says of leakage, in words."""

    @property
    def comparable_with(self) -> tuple[object, ...]:
        """Runs may be ranked together if and only if this is equal.

        A run that does not tell a field of the protocol, because it is older than the field,
        was made with the field's default.
        """
        return self.dataset, self.fingerprint, *sorted((DEFAULTS | self.protocol).items())

    def record(self) -> dict[str, object]:
        """The run as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Page:
    """Runs, and by which token one asks for more of them; None if there are no more."""

    entries: list[Entry]
    token: str | None


def search(
    settings: Settings,
    conditions: Sequence[str],
    *,
    order: str = NEWEST,
    at_most: int = 1000,
    token: str | None = None,
) -> Page:
    """Finished runs of recommenders in the settings' experiment that meet all conditions.

    Conditions and order are MLflow's, e.g. "tags.dataset = 'ml-1m'". Runs that failed, and those
    that only hold others together, are left out. Raises RecArenaError if the server does not
    answer, or does not take a condition.
    """
    experiment = _experiment(settings)
    if experiment is None:
        return Page([], None)
    body: dict[str, object] = {
        "experiment_ids": [experiment],
        "filter": " and ".join([*FINISHED, *conditions]),
        "max_results": at_most,
        "order_by": [order],
    }
    if token:
        body["page_token"] = token
    found = mlflow_rest.ask(settings, "runs/search", body=body)
    return Page(
        [_entry(run) for run in found.get("runs", [])], found.get("next_page_token") or None
    )


_experiments: dict[tuple[str, str], str] = {}


def _experiment(settings: Settings) -> str | None:
    """The id of the settings' experiment, which never changes; None if there is none."""
    key = settings.tracking_uri, settings.experiment_name
    if key not in _experiments:
        query = {"experiment_name": settings.experiment_name}
        try:
            found = mlflow_rest.ask(settings, "experiments/get-by-name", query)
        except mlflow_rest.NotFoundError:
            return None
        _experiments[key] = str(found["experiment"]["experiment_id"])
    return _experiments[key]


def equals(field: str, value: str) -> str | None:
    """The condition that a field has a value; None if MLflow's language cannot say it."""
    if not ("'" in value or "\\" in value):
        return f"{field} = '{value}'"
    return None


def _entry(run: Mapping[str, Any]) -> Entry:
    data, info = run["data"], run["info"]
    tags = _pairs(data.get("tags", []))
    params = _pairs(data.get("params", []))
    values = {one["key"]: float(one.get("value", 0)) for one in data.get("metrics", [])}
    metrics = {n: v for n, v in values.items() if "/" not in n and math.isfinite(v)}
    protocol = {n: v for n, v in params.items() if n.startswith(PROTOCOL_PREFIX)}
    return Entry(
        pipeline=tags["pipeline"],
        run_id=info["run_id"],
        dataset=tags.get("dataset", ""),
        fingerprint=tags.get("fingerprint", ""),
        metrics={n: v for n, v in sorted(metrics.items()) if not n.endswith(SECONDS)},
        seconds={n.removesuffix(SECONDS): v for n, v in metrics.items() if n.endswith(SECONDS)},
        params={n: v for n, v in sorted(params.items()) if n not in protocol},
        protocol={n.removeprefix(PROTOCOL_PREFIX): v for n, v in sorted(protocol.items())},
        started=int(info["start_time"]),
        leakage=tags.get("leakage", ""),
    )


def _pairs(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {one["key"]: one.get("value", "") for one in listed}
