"""The report in MLflow: a run of its own, which holds the page and is no recommender's."""

import tempfile
from contextlib import suppress
from pathlib import Path

from core.errors import RecArenaError
from core.settings import Settings
from utils.report.data import Report
from utils.tracking import explained, prepare_client

KIND = "recarena.kind"
FILE = "report.html"


def publish(settings: Settings, report: Report, page: bytes) -> str:
    """Log the page to the settings' experiment and return where MLflow shows it.

    The run has no tag `pipeline`, by which runs get on the leaderboard. Raises RecArenaError if
    MLflow or its artifact store does not take it; the run is FAILED then.
    """
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    client = MlflowClient(settings.tracking_uri)
    tags = {
        KIND: "report",
        "dataset": report.dataset,
        "fingerprint": report.fingerprint,
        "mlflow.note.content": _note(report),
    }
    with explained(settings.tracking_uri):
        experiment = client.get_experiment_by_name(settings.experiment_name)
        if experiment is None:
            raise RecArenaError(f"there is no experiment {settings.experiment_name} any more")
        home = experiment.experiment_id
        run = client.create_run(home, run_name=f"report on {report.dataset}", tags=tags)
        run_id = run.info.run_id
        try:
            with tempfile.TemporaryDirectory(prefix="recarena-") as folder:
                file = Path(folder) / FILE
                file.write_bytes(page)
                client.log_artifact(run_id, str(file))
        except BaseException:
            with suppress(Exception):  # the first error says more
                client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")
    return f"{settings.tracking_uri}/#/experiments/{home}/runs/{run_id}/artifacts/{FILE}"


def _note(report: Report) -> str:
    """What the run's page in MLflow says."""
    runs = "\n".join(
        f"{one.standing.place}. {one.run.label} (`{one.run.run_id}`)" for one in report.ranked
    )
    return f"The report of these runs, by place; open `{FILE}` below Artifacts.\n\n{runs}"
