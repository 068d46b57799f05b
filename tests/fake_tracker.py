"""A tracker that keeps runs in memory, for tests."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.dataset import Dataset


@dataclass
class FakeRun:
    id: str
    folder: Path
    name: str
    description: str
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    models: dict[str, dict[str, str]] = field(default_factory=dict)
    dataset: str | None = None
    status: str = "RUNNING"
    order: list[str] = field(default_factory=list)

    def log_params(self, params: Mapping[str, object]) -> None:
        self.order.append("params")
        self.params |= params

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        self.order.append("metrics")
        self.metrics |= metrics

    def log_epoch(self, epoch: int, losses: Mapping[str, float]) -> None:
        for name, value in losses.items():
            self.curves.setdefault(name, []).append((epoch, value))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.tags |= tags

    def describe(self, text: str) -> None:
        self.description = text

    def log_dataset(self, dataset: Dataset, source: str) -> None:
        self.dataset = f"{dataset.name} from {source}"

    def log_model(self, name: str) -> None:
        self.order.append("model")

    def log_folder(self, folder: Path) -> None:
        self.order.append("artifacts")
        shutil.copytree(folder, self.folder, dirs_exist_ok=True)

    def log_package(self, package: Path, name: str, tags: Mapping[str, str]) -> None:
        assert (package / "requirements.txt").exists()
        self.models[name] = dict(tags)


@dataclass
class FakeTracker:
    folder: Path
    runs: list[FakeRun] = field(default_factory=list)

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], description: str) -> Iterator[FakeRun]:
        begun = FakeRun(str(len(self.runs)), self.folder / str(len(self.runs)), name, description)
        begun.tags |= tags
        self.runs.append(begun)
        try:
            yield begun
        except BaseException as error:
            begun.status = "FAILED" if isinstance(error, Exception) else "KILLED"
            raise
        begun.status = "FINISHED"
