"""Where params, metrics and artifacts of a run go: MLflow, through its server's artifact proxy."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from core.dataset import Dataset
from core.errors import RecArenaError, first_line
from core.settings import Settings, is_loopback
from utils import run_end
from utils.termination import termination

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
PAUSES = (0.1, 0.3, 0.9)  # seconds, between tries of what another run may have done just now
CURVE_SECONDS = 5.0  # between two requests that send points of the learning curves
POINTS_AT_ONCE = 1000  # what MLflow takes in one request

T = TypeVar("T")


def prepare_client(settings: Settings) -> None:
    """Set this process up as a client of MLflow, before `mlflow` is imported.

    Raises RecArenaError at once if nobody listens at the server's address: the client itself
    would try again and again.
    """
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
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

    def log_dataset(self, dataset: Dataset, source: str) -> None:
        """Log what the run learned from and was judged by."""

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
            run_end.close_abandoned(experiment.experiment_id)

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], description: str) -> Iterator[Run]:
        """Begin a run; it ends FINISHED, or FAILED or KILLED if an exception leaves the block.

        The reason is the tag `failure`. Errors of the server are RecArenaErrors.
        """
        import mlflow  # noqa: PLC0415

        with explained(self.uri):
            begun = mlflow.start_run(
                run_name=name,
                tags={**tags, run_end.ALIVE: run_end.now()},
                description=description,
                log_system_metrics=True,
            )
            run_id = begun.info.run_id
            termination.last_words = partial(run_end.end, run_id, "KILLED", "terminated", 0)
            try:
                with run_end.alive(run_id):
                    yield MlflowRun(run_id)
            except BaseException as error:
                self._end_badly(run_id, error)
                raise
            finally:
                termination.last_words = lambda: None
            run_end.end(run_id, "FINISHED", None)
            mlflow.end_run()

    def _end_badly(self, run_id: str, error: BaseException) -> None:
        """Say of a run why it did not finish; a user who interrupts does not wait for a server."""
        import mlflow  # noqa: PLC0415

        failed = isinstance(error, Exception)
        status = "FAILED" if failed else "KILLED"
        why = f"{type(error).__name__}: {reason(error)}"[:500]
        with suppress(Exception):
            run_end.end(run_id, status, why, run_end.PATIENCE_SECONDS if failed else 0)
        with suppress(Exception):
            mlflow.end_run(status)


def settled(call: Callable[[], T]) -> T:
    """What a call returns that makes a thing in MLflow unless it is there.

    The server looks and then makes it: of runs that begin at once one can come too late, and
    finds it when it asks again.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    for pause in PAUSES:
        try:
            return call()
        except MlflowException as error:
            if not re.search("unique constraint|already exists", str(error), flags=re.IGNORECASE):
                raise
            time.sleep(pause)
    return call()


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
    said, _, tries = first_line(error).partition(" failed with exception")
    if not tries:
        return said
    if "/mlflow-artifacts/" in said:
        return "cannot reach its files, the FTP server may be down; see `recarena status`"
    return "has stopped to answer; see `recarena status`"


class MlflowRun:
    """One run in MLflow; the active one of this process."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self._points: list[Any] = []
        self._sent = time.monotonic()

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log what the run was started with."""
        import mlflow  # noqa: PLC0415

        mlflow.log_params(dict(params))

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log what came out, in one request."""
        import mlflow  # noqa: PLC0415

        self._send_curves()
        mlflow.log_metrics(dict(metrics))

    def log_epoch(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Log a point of each learning curve; points are sent together, every few seconds."""
        from mlflow.entities import Metric  # noqa: PLC0415

        now = int(time.time() * 1000)
        self._points += [Metric(f"learning/{n}", v, now, epoch) for n, v in losses.items()]
        if time.monotonic() - self._sent > CURVE_SECONDS:
            self._send_curves()

    def _send_curves(self) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415

        for start in range(0, len(self._points), POINTS_AT_ONCE):
            points = self._points[start : start + POINTS_AT_ONCE]
            MlflowClient().log_batch(self.id, metrics=points)
        self._points.clear()
        self._sent = time.monotonic()

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set what the run can be found by."""
        import mlflow  # noqa: PLC0415

        mlflow.set_tags(dict(tags))

    def log_dataset(self, dataset: Dataset, source: str) -> None:
        """Log both sides of the split, with the split's fingerprint as their digest."""
        import mlflow  # noqa: PLC0415
        from mlflow.data.code_dataset_source import CodeDatasetSource  # noqa: PLC0415
        from mlflow.data.meta_dataset import MetaDataset  # noqa: PLC0415

        origin = CodeDatasetSource(tags={"loaded from": source, "fingerprint": dataset.fingerprint})
        digest = dataset.fingerprint.rsplit("-", 1)[1]
        for side, context in (("train", "training"), ("test", "testing")):
            logged = MetaDataset(  # type: ignore[abstract] # MLflow's own way to use it
                origin, name=f"{dataset.name} {side}", digest=digest
            )
            settled(partial(mlflow.log_input, logged, context=context))

    def log_folder(self, folder: Path) -> None:
        """Upload every file below a folder, under its path in it."""
        import mlflow  # noqa: PLC0415

        mlflow.log_artifacts(str(folder))
