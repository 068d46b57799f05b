"""The finished runs of the tracker, best first, apart where they cannot be compared."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from core.settings import Settings
from utils.tracking import explained, prepare_client

PROTOCOL_PREFIX = "protocol."
SECONDS = "_seconds"


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

    @property
    def comparable_with(self) -> tuple[object, ...]:
        """Runs may be ranked together if and only if this is equal."""
        return self.dataset, self.fingerprint, *sorted(self.protocol.items())

    def record(self) -> dict[str, object]:
        """The run as plain values, for JSON."""
        return asdict(self)


def entries(settings: Settings, schema: str | None = None) -> list[Entry]:
    """The newest finished run of every recommender and its params, grouped, best NDCG first.

    `schema` keeps one data set's runs only. Raises RecArenaError if MLflow does not answer.
    """
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    client = MlflowClient(settings.tracking_uri)
    wanted = "attributes.status = 'FINISHED'"
    if schema:
        wanted += f" and tags.dataset_schema = '{schema}'"
    with explained(settings.tracking_uri):
        experiment = client.get_experiment_by_name(settings.experiment_name)
        if experiment is None:
            return []
        runs, token = [], None
        while True:
            ids = [experiment.experiment_id]
            page = client.search_runs(ids, wanted, max_results=1000, page_token=token)
            runs += [_entry(run) for run in page if "pipeline" in run.data.tags]
            token = page.token
            if not token:
                return arrange(runs)


def _entry(run: object) -> Entry:
    data, info = run.data, run.info  # type: ignore[attr-defined]
    metrics = {name: value for name, value in data.metrics.items() if "/" not in name}
    protocol = {n: v for n, v in data.params.items() if n.startswith(PROTOCOL_PREFIX)}
    return Entry(
        pipeline=data.tags["pipeline"],
        run_id=info.run_id,
        dataset=data.tags.get("dataset", ""),
        fingerprint=data.tags.get("fingerprint", ""),
        metrics={n: v for n, v in sorted(metrics.items()) if not n.endswith(SECONDS)},
        seconds={n.removesuffix(SECONDS): v for n, v in metrics.items() if n.endswith(SECONDS)},
        params={n: v for n, v in sorted(data.params.items()) if n not in protocol},
        protocol={n.removeprefix(PROTOCOL_PREFIX): v for n, v in sorted(protocol.items())},
        started=info.start_time,
    )


def arrange(runs: Sequence[Entry]) -> list[Entry]:
    """Runs without older repeats: comparable ones together, newest group first, best first."""
    newest: dict[tuple[object, ...], Entry] = {}
    group_started: dict[tuple[object, ...], int] = {}
    for run in sorted(runs, key=lambda run: run.started):
        newest[run.pipeline, *sorted(run.params.items()), run.comparable_with] = run
        group_started[run.comparable_with] = run.started
    return sorted(
        newest.values(),
        key=lambda run: (
            -group_started[run.comparable_with],
            str(run.comparable_with),
            -run.metrics.get("ndcg_at_k", 0.0),
            run.pipeline,
        ),
    )
