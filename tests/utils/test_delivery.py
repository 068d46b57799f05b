"""Entries in a real MLflow: applied once or twice, the run is the same, and what lacks is told."""

import json
import math
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from core.errors import RecArenaError
from core.settings import Settings
from utils.delivery import APPLY, MISSES, Entry, apply, folder_content, missing
from utils.tracking import prepare_client

POINTS: list[Any] = [["loss", 1 / epoch, 1_000 * epoch, epoch] for epoch in range(1, 1_502)]
INPUT = {"name": "tiny train", "digest": "abc", "context": "training"}
ENTRIES = [
    Entry("params", {f"param{n}": str(n) for n in range(150)}),
    Entry("tags", {"fingerprint": "1+2-abc", "odd": "'\"\n<b>"}),
    Entry("dataset", {"origin": {"loaded from": "a test"}, "inputs": [INPUT]}),
    Entry("metrics", {"points": POINTS}),
    Entry(
        "model",
        {
            "name": "SVD",
            "tags": {"model_file": "models/SVD.pkl"},
            "params": {"factors": "7"},
            "points": POINTS[:1],
            "dataset": [INPUT["name"], INPUT["digest"]],
        },
    ),
    Entry(
        "files", {"folder": "1", "sizes": {"a b.txt": 3, "models/x/m.pkl": 3, "models/empty": 0}}
    ),
    Entry("metrics", {"points": [["a", 0.1 + 0.2, 5, 0], ["never", math.nan, 5, 0]]}),
    Entry("end", {"status": "FINISHED", "at": 1_700_000_000_000}),
]


@pytest.fixture(scope="module")
def client(services: Settings) -> MlflowClient:
    prepare_client(services)
    mlflow.set_tracking_uri(services.tracking_uri)
    return MlflowClient()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, text in (("a b.txt", "one"), ("models/x/m.pkl", "two"), ("models/empty", "")):
        (folder / "1" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "1" / name).write_text(text)
    return folder


def everything(client: MlflowClient, run_id: str) -> str:
    """All that MLflow knows of a run."""
    run = client.get_run(run_id).to_dictionary()
    history = {
        name: [(m.value, m.timestamp, m.step) for m in client.get_metric_history(run_id, name)]
        for name in sorted(run["data"]["metrics"])
    }
    listed = [one.path for one in client.list_artifacts(run_id, "models")]
    return json.dumps([run, history, listed], sort_keys=True)


def test_twice_is_once_and_what_lacks_is_told(client: MlflowClient, files: Path) -> None:
    experiment = client.create_experiment("of entries")
    run_id = client.create_run(experiment, start_time=1).info.run_id
    before = [what for entry in ENTRIES for what in missing(client, run_id, entry, files)]
    assert len(before) == 150 + 2 + 1 + 1 + 1 + 3 + 2 + 1
    assert {"param param7", "metric loss", "file models/x/m.pkl"} < {*before}
    entries = [Entry(**json.loads(json.dumps(vars(entry)))) for entry in ENTRIES]
    for entry in entries:
        apply(client, run_id, entry, files)
        assert missing(client, run_id, entry, files) == []
    once = everything(client, run_id)
    for entry in entries:
        apply(client, run_id, entry, files)
    assert everything(client, run_id) == once
    run = client.get_run(run_id)
    assert (run.info.status, run.info.end_time) == ("FINISHED", 1_700_000_000_000)
    assert len(client.get_metric_history(run_id, "loss")) == 1_501
    assert run.data.metrics["a"] == 0.1 + 0.2


def test_a_file_of_another_size_lacks(client: MlflowClient, files: Path) -> None:
    experiment = client.create_experiment("of a short file")
    run_id = client.create_run(experiment).info.run_id
    content = folder_content(files / "1")
    assert content == next(one.content for one in ENTRIES if one.kind == "files")
    apply(client, run_id, Entry("files", content), files)
    for path, size in (("models/x/m.pkl", 4), ("models/x/other", 3), ("elsewhere/x", 0)):
        sizes = {**content["sizes"], path: size}
        other = Entry("files", {"folder": "1", "sizes": sizes})
        assert missing(client, run_id, other, files) == [f"file {path}"]


def test_every_kind_can_be_verified_and_no_other_is_taken(files: Path) -> None:
    assert APPLY.keys() == MISSES.keys()
    nobody: Any = None
    with pytest.raises(RecArenaError, match="kind 'hologram' is of a newer version"):
        apply(nobody, "x", Entry("hologram", {}), files)
