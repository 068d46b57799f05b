"""One run in MLflow: all that it logs is an entry, delivered at once, or when MLflow is back."""

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset import Dataset
from core.errors import RecArenaError, UndeliveredError
from core.settings import Settings
from utils import logged_model, model_registry, outbox
from utils.delivery import Content, Entry, Point, apply, folder_content
from utils.hard_links import link_or_copy
from utils.outbox import Record
from utils.service_answers import ask_mlflow, send_artifact
from utils.tracker_errors import passing, reason

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CURVE_SECONDS = 5.0  # between two requests that send points of the learning curves
RETRY_SECONDS = 30.0  # until a service that was away is asked again while the run goes on


class MlflowRun:
    """One run in MLflow; `files` is a folder that keeps what it uploads until it has ended.

    While a service is away entries wait, in their order, and the run goes on.
    """

    def __init__(
        self, settings: Settings, client: "MlflowClient", begun: "Run", files: Path
    ) -> None:
        self.id = str(begun.info.run_id)
        self.entries: list[Entry] = []
        self.away = ""  # why something waits, if it does
        self._settings = settings
        self._client = client
        self._begun = begun
        self._files = files
        self._delivered = 0  # of the entries
        self._ask_again = 0.0
        self._folders = 0
        self._points: list[Point] = []
        self._sent = time.monotonic()

    def log(self, kind: str, content: Content) -> None:
        """Log an entry of one of the kinds of `utils.delivery`.

        Raises MlflowException if it is refused before there is anything to lose; what is refused
        later waits like what cannot be delivered.
        """
        self.entries.append(Entry(kind, content))
        if not self.away or time.monotonic() > self._ask_again:
            self._deliver()

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log what the run was started with."""
        self.log("params", {name: str(value) for name, value in params.items()})

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log what came out, in one request."""
        self._send_curves()
        now = milliseconds()
        points = [(name, float(value), now, 0) for name, value in metrics.items()]
        self.log("metrics", {"points": points})

    def log_epoch(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Log a point of each learning curve; points are sent together, every few seconds."""
        now = milliseconds()
        self._points += [(f"learning/{n}", float(v), now, epoch) for n, v in losses.items()]
        if time.monotonic() - self._sent > CURVE_SECONDS:
            self._send_curves()

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set what the run can be found by."""
        self.log("tags", {name: str(value) for name, value in tags.items()})

    def describe(self, text: str) -> None:
        """Say in words what the run is, in the place of what was said when it began."""
        from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE  # noqa: PLC0415 - takes seconds

        self.set_tags({MLFLOW_RUN_NOTE: text})

    def log_model(self, name: str) -> None:
        """Show the model among MLflow's models, with what the run has logged: metrics last."""
        self.log(logged_model.KIND, logged_model.content_of(name, self.entries))

    def log_dataset(self, dataset: Dataset, source: str) -> None:
        """Log both sides of the split, with the split's fingerprint as their digest."""
        digest = dataset.fingerprint.rsplit("-", 1)[1]
        inputs = [
            {"name": f"{dataset.name} {side}", "digest": digest, "context": context}
            for side, context in (("train", "training"), ("test", "testing"))
        ]
        origin = {"loaded from": source, "fingerprint": dataset.fingerprint}
        self.log("dataset", {"origin": origin, "inputs": inputs})

    def log_folder(self, folder: Path) -> None:
        """Upload every file below a folder, under its path in it."""
        self.log("files", folder_content(self._copy(folder)))

    def log_package(self, package: Path, name: str, tags: Mapping[str, str]) -> None:
        """Make the logged model one that MLflow can serve, and register it."""
        kept = self._copy(package)
        self.log(model_registry.KIND, {"folder": kept.name, "name": name, "tags": dict(tags)})

    def _copy(self, folder: Path) -> Path:
        """A copy of a folder that is there until the run has ended."""
        self._folders += 1
        kept = self._files / str(self._folders)
        shutil.copytree(folder, kept, copy_function=link_or_copy)
        return kept

    def finish(self) -> None:
        """End the run FINISHED, when all of it is delivered.

        Services that are away are asked again until TRACKER_PATIENCE is over, or somebody
        interrupts. Raises UndeliveredError, saying where the run is kept then.
        """
        self._send_curves()
        self.entries.append(Entry("end", {"status": "FINISHED", "at": milliseconds()}))
        until = time.monotonic() + self._settings.tracker_patience
        try:
            while not self._deliver():
                if time.monotonic() > until:
                    break
                time.sleep(1)
            else:
                return
        except (KeyboardInterrupt, SystemExit):
            self.away = self.away or "interrupted while it was delivered"
        raise self._keep()

    def _send_curves(self) -> None:
        self._sent = time.monotonic()
        if self._points:
            points, self._points = self._points, []
            self.log("metrics", {"points": points})

    def _deliver(self) -> bool:
        """Whether everything could be delivered that was logged so far."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

        try:
            if self.away:  # this question takes no tries
                self._ask()
            while self._delivered < len(self.entries):
                apply(self._client, self.id, self.entries[self._delivered], self._files)
                self._delivered += 1
        except (MlflowException, OSError, RecArenaError) as error:
            if not (self.away or self._worth_keeping() or passing(error)):
                raise
            self._waits(reason(error))
            return False
        self.away = ""
        return True

    def _worth_keeping(self) -> bool:
        """Whether something was learned yet."""
        return any(entry.kind in ("metrics", "files") for entry in self.entries)

    def _ask(self) -> None:
        """Raises RecArenaError if the tracker does not answer, or no small file can be stored."""
        ask_mlflow(self._settings, self._settings.connect_timeout)
        send_artifact(self._settings, self._settings.connect_timeout)

    def _waits(self, why: str) -> None:
        """Go on without the service, and tell so, once."""
        if not self.away:
            print(f"MLflow {why}; going on without it", file=sys.stderr, flush=True)  # noqa: T201
            self.away = why
        self._ask_again = time.monotonic() + RETRY_SECONDS

    def _keep(self) -> UndeliveredError:
        """Put the run into the outbox; says where. Raises RecArenaError if that fails too."""
        name = str(self._begun.info.run_name)
        tags = {key: value for key, value in self._begun.data.tags.items() if key != "alive_at"}
        record = Record(
            id=self.id,
            name=name,
            experiment=self._settings.experiment_name,
            tags=tags,
            started=self._begun.info.start_time,
            entries=self.entries,
            why=self.away,
        )
        try:
            place = outbox.keep(self._settings.outbox, record, self._files)
        except RecArenaError as error:
            raise RecArenaError(f"MLflow {self.away}, and {error}") from None
        return UndeliveredError(
            f"MLflow {self.away}; the run is kept in {place}, `recarena push` delivers it"
        )


def milliseconds() -> int:
    """Now, as MLflow counts: milliseconds since 1970."""
    return time.time_ns() // 1_000_000
