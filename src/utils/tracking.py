"""Where params, metrics and artifacts of a run go: MLflow, through its server's artifact proxy."""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from core.dataset import Dataset
from core.errors import RecArenaError, UndeliveredError
from core.settings import Settings, is_loopback
from utils import experiment_page, run_end
from utils.abandoned import close_abandoned
from utils.mlflow_run import MlflowRun
from utils.service_answers import ask_mlflow
from utils.settling import settled
from utils.termination import termination
from utils.tracker_errors import explained, reason

__all__ = ["MlflowTracker", "Run", "Tracker", "explained", "prepare_client", "reason"]
CLIENT_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "0.5",  # seconds; many runs are shorter than 10
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
}


def prepare_client(settings: Settings) -> None:
    """Set this process up as a client of MLflow, before `mlflow` is imported.

    Raises RecArenaError at once if nobody listens at the server's address: the client itself
    would try again and again.
    """
    limits = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(settings.tracker_timeout),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(settings.tracker_retries),
    }
    for name, value in (CLIENT_ENVIRONMENT | limits).items():
        os.environ.setdefault(name, value)
    if settings.mlflow_account:
        user, password = settings.mlflow_account
        os.environ |= {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # tells of every try
    host = settings.mlflow_tracking_host
    if is_loopback(host):  # a proxy knows nothing of this machine's own servers
        os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), host]))
    try:
        address = host, settings.mlflow_tracking_port
        socket.create_connection(address, settings.connect_timeout).close()
    except OSError as error:
        raise RecArenaError(
            f"MLflow at {settings.tracking_uri} does not answer ({error.strerror or error}); "
            "start it with `recarena up`, or see `recarena status`"
        ) from None


class Run(Protocol):
    """One run that is being tracked."""

    id: str

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log what the run was started with."""

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log what came out."""

    def log_epoch(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Log what a model reports of an epoch, as a point of its learning curves."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set what the run can be found by."""

    def describe(self, text: str) -> None:
        """Say in words what the run is, in the place of what was said when it began."""

    def log_dataset(self, dataset: Dataset, source: str) -> None:
        """Log what the run learned from and was judged by."""

    def log_model(self, name: str) -> None:
        """Log the model by its name, with all that was logged before."""

    def log_folder(self, folder: Path) -> None:
        """Upload every file below a folder, under its path in it."""

    def log_package(self, package: Path, name: str, tags: Mapping[str, str]) -> None:
        """Make the logged model one that MLflow can serve, and register it."""


class Tracker(Protocol):
    """Keeps runs."""

    def run(
        self, name: str, tags: Mapping[str, str], description: str
    ) -> AbstractContextManager[Run]:
        """Begin a run; it ends FINISHED, or FAILED or KILLED if an exception leaves the block."""


class MlflowTracker:
    """Keeps runs in MLflow.

    Raises RecArenaError, when made, if the server does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        prepare_client(settings)
        import mlflow  # noqa: PLC0415 - takes seconds

        self.settings = settings
        self.uri = settings.tracking_uri
        mlflow.set_tracking_uri(self.uri)
        with explained(self.uri):
            experiment = settled(lambda: mlflow.set_experiment(settings.experiment_name))
            self.experiment = str(experiment.experiment_id)
            experiment_page.dress(mlflow.MlflowClient(), experiment)
        close_abandoned(settings)

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], description: str) -> Iterator[Run]:
        """Begin a run; it ends FINISHED, or FAILED or KILLED if an exception leaves the block.

        The reason is the tag `failure`. Errors of the server are RecArenaErrors; one that is away
        ends the run only when its work is done, with UndeliveredError: it is in the outbox then.
        """
        with explained(self.uri), TemporaryDirectory(prefix="recarena-run-") as files:
            run = self._begin(name, tags, description, Path(files))
            termination.last_words = partial(run_end.end, run.id, "KILLED", "terminated", 0)
            try:
                with run_end.alive(run.id):
                    with machine_load(run):
                        yield run
                    run.finish()
            except BaseException as error:
                self._end_badly(run.id, error)
                raise
            finally:
                termination.last_words = lambda: None

    def _begin(
        self, name: str, tags: Mapping[str, str], description: str, files: Path
    ) -> MlflowRun:
        """Make the run, with the tags that MLflow's own `start_run` would give it."""
        from mlflow import MlflowClient  # noqa: PLC0415
        from mlflow.tracking.context.registry import resolve_tags  # noqa: PLC0415

        client = MlflowClient()
        given = {**tags, run_end.ALIVE: run_end.now(), "mlflow.note.content": description}
        begun = client.create_run(self.experiment, tags=resolve_tags(given), run_name=name)
        return MlflowRun(self.settings, client, begun, files)

    def _end_badly(self, run_id: str, error: BaseException) -> None:
        """Say of a run why it did not finish.

        A user who interrupts does not wait for a server, and one that could not take the run is
        told so only if it answers.
        """
        failed = isinstance(error, Exception)
        status = "FAILED" if failed else "KILLED"
        why = f"{type(error).__name__}: {reason(error)}"[:500]
        patience = self.settings.tracker_patience if failed else 0
        with suppress(Exception):
            if isinstance(error, UndeliveredError):
                ask_mlflow(self.settings, self.settings.connect_timeout)
                patience = 0
            run_end.end(run_id, status, why, patience)


@contextmanager
def machine_load(run: MlflowRun) -> Iterator[None]:
    """Track processor, memory, disk and network as metrics `system/...` while the block lasts.

    It is MLflow's own monitor, which gives up when the server is away; its last samples are not
    waited for by a user who interrupts.
    """
    from mlflow.system_metrics import system_metrics_monitor  # noqa: PLC0415

    logging.getLogger(system_metrics_monitor.__name__).setLevel(logging.CRITICAL)
    monitor: Any = system_metrics_monitor.SystemMetricsMonitor
    begun = monitor(run.id)
    begun.start()
    with ExitStack() as at_end:
        at_end.callback(begun.finish)
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            at_end.pop_all()
            raise
        if run.away:
            at_end.pop_all()
