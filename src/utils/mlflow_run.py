"""One run in MLflow: all that it logs is an entry, applied at once."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset import Dataset
from utils import logged_model
from utils.delivery import Content, Entry, Point, apply

if TYPE_CHECKING:
    from mlflow import MlflowClient

CURVE_SECONDS = 5.0  # between two requests that send points of the learning curves


class MlflowRun:
    """One run in MLflow; `files` is a folder that keeps what it uploads until it has ended."""

    def __init__(self, client: "MlflowClient", run_id: str, files: Path) -> None:
        self.id = run_id
        self.entries: list[Entry] = []
        self._client = client
        self._files = files
        self._folders = 0
        self._points: list[Point] = []
        self._sent = time.monotonic()

    def log(self, kind: str, content: Content) -> None:
        """Log an entry of one of the kinds of `utils.delivery`."""
        self.entries.append(Entry(kind, content))
        apply(self._client, self.id, self.entries[-1], self._files)

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

    def _send_curves(self) -> None:
        self._sent = time.monotonic()
        if self._points:
            points, self._points = self._points, []
            self.log("metrics", {"points": points})

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
        self._folders += 1
        name = str(self._folders)
        shutil.copytree(folder, self._files / name, copy_function=link_or_copy)
        self.log("files", {"folder": name})


def milliseconds() -> int:
    """Now, as MLflow counts: milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def link_or_copy(source: str, target: str) -> str:
    """Another name for a file, without copying it where the file system can do so."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
