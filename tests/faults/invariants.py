"""What must be true after every fault, asked of the services and the disk, not of the run."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from mlflow import MlflowClient
from mlflow.entities import Run
from pyarrow import parquet

from core.protocol import EvaluationProtocol
from datareader.reader import choose_dataset, read_dataset
from faults.stand import MARK, Stand
from utils.outbox import waiting

ENDED = {"FINISHED", "FAILED", "KILLED"}


def fingerprint(stand: Stand, dataset: str = "synthetic") -> str:
    """What the split of the loaded data set is, read as a run reads it."""
    settings = stand.real.model_copy(update={"dataset": dataset})
    found = choose_dataset(settings)
    protocol = EvaluationProtocol.of(settings, found.shown_name)
    return read_dataset(settings, found, protocol).fingerprint


def runs(stand: Stand) -> dict[str, Run]:
    """All runs of recommenders by id, the newest first."""
    client = MlflowClient(stand.real.tracking_uri)
    experiment = client.get_experiment_by_name(stand.real.experiment_name)
    if experiment is None:
        return {}
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    return {run.info.run_id: run for run in found if "pipeline" in run.data.tags}


def files_of(stand: Stand, run: Run) -> Path:
    """Where the FTP server keeps a run's files."""
    return stand.artifacts / run.info.artifact_uri.removeprefix("mlflow-artifacts:/")


def check_finished(stand: Stand, run: Run) -> None:
    """A run that says FINISHED has everything that a run leaves, and it is whole."""
    tags, metrics, folder = run.data.tags, run.data.metrics, files_of(stand, run)
    model = folder / tags["model_file"]
    with model.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == tags["model_sha256"]
    per_user = parquet.read_table(folder / "evaluation/per_user.parquet")
    mean = float(np.mean(per_user["ndcg_at_k"].to_numpy()))
    assert abs(mean - metrics["ndcg_at_k"]) < 1e-9
    assert "failure" not in tags


def check_files(folder: Path) -> None:
    """Every file that a reader sees can be read to its end."""
    for file in folder.rglob("*"):
        if file.suffix == ".pkl":
            with file.open("rb") as pickled:
                assert pickle.load(pickled)
        elif file.suffix == ".parquet":
            parquet.read_table(file)


def check_secrets(stand: Stand, since: dict[Path, int]) -> None:
    """No password is in a log, in what a process said, or in what waits to be delivered."""
    for file in stand.folder.rglob("*"):
        if not file.is_file() or not is_text(file, stand):
            continue
        with file.open("rb") as opened:
            opened.seek(since.get(file, 0))
            said = opened.read()
        for secret in stand.secrets:
            assert secret.encode() not in said, f"a password is in {file.name}"


def is_text(file: Path, stand: Stand) -> bool:
    """Whether a file is one of those that tell what happened."""
    parts = file.relative_to(stand.folder).parts
    return parts[0] == "logs" or parts[0].startswith("fault-") or parts[0] == "outbox"


def sizes(stand: Stand) -> dict[Path, int]:
    """How long the logs are now."""
    return {file: file.stat().st_size for file in (stand.folder / "logs").glob("*")}


def orphans(stand: Stand) -> list[psutil.Process]:
    """Processes that a fault's runs left behind."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(MARK) == str(stand.folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def check(stand: Stand, before: dict[str, Any]) -> None:
    """All of it; `before` is what `now` said before the fault."""
    assert fingerprint(stand) == before["fingerprint"], "the data set is another one"
    for run_id, run in runs(stand).items():
        known = before["runs"].get(run_id)
        if known and known.info.status in ENDED:
            assert run.info.status == known.info.status
            continue
        if run.info.status == "FINISHED":
            check_finished(stand, run)
        if files_of(stand, run).is_dir():
            check_files(files_of(stand, run))
    check_secrets(stand, before["sizes"])
    assert not orphans(stand)
    assert not waiting(stand.real.outbox), "something was not delivered"


def now(stand: Stand) -> dict[str, Any]:
    """What there is before a fault."""
    return {"fingerprint": fingerprint(stand), "runs": runs(stand), "sizes": sizes(stand)}
