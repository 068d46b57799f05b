"""Where params, metrics and artifacts of a run go: MLflow, through its server's artifact proxy."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

from core.dataset import Dataset
from core.errors import RecArenaError, first_line
from core.settings import Settings, is_loopback
from utils import experiment_page, run_end
from utils.mlflow_run import MlflowRun
from utils.settling import settled
from utils.termination import termination

if TYPE_CHECKING:
    from mlflow import MlflowClient

CLIENT_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # the default keeps a dead server's client for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "0.5",  # seconds; many runs are shorter than 10
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
}
CONNECT_SECONDS = 5


def prepare_client(settings: Settings) -> None:
    """Set this process up as a client of MLflow, before `mlflow` is imported.

    Raises RecArenaError at once if nobody listens at the server's address: the client itself
    would try again and again.
    """
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if settings.mlflow_account:
        user, password = settings.mlflow_account
        os.environ |= {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
    host = settings.mlflow_tracking_host
    if is_loopback(host):  # a proxy knows nothing of this machine's own servers
        os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), host]))
    try:
        address = host, settings.mlflow_tracking_port
        socket.create_connection(address, CONNECT_SECONDS).close()
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

        self.uri = settings.tracking_uri
        mlflow.set_tracking_uri(self.uri)
        with explained(self.uri):
            experiment = settled(lambda: mlflow.set_experiment(settings.experiment_name))
            self.experiment = str(experiment.experiment_id)
            experiment_page.dress(mlflow.MlflowClient(), experiment)
            run_end.close_abandoned(self.experiment)

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], description: str) -> Iterator[Run]:
        """Begin a run; it ends FINISHED, or FAILED or KILLED if an exception leaves the block.

        The reason is the tag `failure`. Errors of the server are RecArenaErrors.
        """
        from mlflow import MlflowClient  # noqa: PLC0415

        client = MlflowClient()
        with explained(self.uri), TemporaryDirectory(prefix="recarena-run-") as files:
            run_id = self._begin(client, name, tags, description)
            termination.last_words = partial(run_end.end, run_id, "KILLED", "terminated", 0)
            try:
                with run_end.alive(run_id), machine_load(run_id):
                    yield MlflowRun(client, run_id, Path(files))
            except BaseException as error:
                _end_badly(run_id, error)
                raise
            finally:
                termination.last_words = lambda: None
            run_end.end(run_id, "FINISHED", None)

    def _begin(
        self, client: "MlflowClient", name: str, tags: Mapping[str, str], description: str
    ) -> str:
        """Make the run, with the tags that MLflow's own `start_run` would give it; its id."""
        from mlflow.tracking.context.registry import resolve_tags  # noqa: PLC0415

        given = {**tags, run_end.ALIVE: run_end.now(), "mlflow.note.content": description}
        made = client.create_run(self.experiment, tags=resolve_tags(given), run_name=name)
        return str(made.info.run_id)


def _end_badly(run_id: str, error: BaseException) -> None:
    """Say of a run why it did not finish; a user who interrupts does not wait for a server."""
    failed = isinstance(error, Exception)
    status = "FAILED" if failed else "KILLED"
    why = f"{type(error).__name__}: {reason(error)}"[:500]
    with suppress(Exception):
        run_end.end(run_id, status, why, run_end.PATIENCE_SECONDS if failed else 0)


@contextmanager
def machine_load(run_id: str) -> Iterator[None]:
    """Track processor, memory, disk and network as metrics `system/...` while the block lasts.

    It is MLflow's own monitor, which gives up when the server is away; its last samples are not
    waited for by a user who interrupts.
    """
    from mlflow.system_metrics import system_metrics_monitor  # noqa: PLC0415

    monitor: Any = system_metrics_monitor.SystemMetricsMonitor
    begun = monitor(run_id)
    begun.start()
    with ExitStack() as at_end:
        at_end.callback(begun.finish)
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            at_end.pop_all()
            raise


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn the exceptions of MLflow at `uri` into one line."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        yield
    except MlflowException as error:
        raise RecArenaError(f"MLflow at {uri}: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """The line that says what happened, without MLflow's history of tries."""
    if "failed with error code 401" in str(error):
        return (
            "asks for a password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
            "or correct them"
        )
    said, _, tries = first_line(error).partition(" failed with exception")
    if not tries:
        return said
    if "/mlflow-artifacts/" in said:
        return "cannot reach its files, the FTP server may be down; see `recarena status`"
    return "has stopped to answer; see `recarena status`"
