"""`recarena rerun`, as a command, on real services."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from conftest import as_environment
from core.errors import RecArenaError
from core.paths import ROOT
from core.protocol import EvaluationProtocol
from core.settings import Settings
from table_models import loader, synthetic
from table_models.database import LoadedDataSet
from table_models.datasets import find
from utils.finished_runs import find_run
from utils.rerun import command_line
from utils.run_differences import LISTS
from utils.tracking import prepare_client

SOURCE = LoadedDataSet("synthetic", "synthetic", "synthetic", 1, "")


def call(settings: Settings, *args: str) -> subprocess.CompletedProcess[str]:
    """A module of ours as users run it: a process of its own."""
    environment = as_environment(settings) | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-m", *args],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def load(settings: Settings, folder: Path, seed: int) -> None:
    synthetic.generate(folder, users=120, movies=80, ratings=4000, seed=seed)
    loader.load(settings, find("synthetic"), folder, replace=True)


@pytest.fixture(scope="module")
def svd(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a finished run of SVD, with parameters and a protocol that are no defaults."""
    load(own_services, tmp_path_factory.mktemp("data") / "synthetic", seed=1)
    args = ["--factors", "7", "--fill-with-zero", "false", "--top-k", "5"]
    args += ["--split", "random", "--n-folds", "4", "--fold", "2", "--split-seed", "3"]
    done = call(own_services, "pipelines.SVD.pipeline_svd", *args)
    assert done.returncode == 0, done.stderr
    return find_run(own_services, "SVD")[0].id


@pytest.fixture
def client(own_services: Settings, svd: str) -> object:
    prepare_client(own_services)
    from mlflow import MlflowClient  # noqa: PLC0415

    return MlflowClient(own_services.tracking_uri)


def test_the_same_run_again(own_services: Settings, svd: str, client) -> None:  # type: ignore[no-untyped-def]
    done = call(own_services, "cli", "rerun", svd[:12], "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["identical"]
    assert found["same_model_file"]
    assert found["run_id"] == svd
    assert found["changes"] == []
    again = client.get_run(found["rerun_id"])
    assert again.data.tags["rerun_of"] == svd
    assert again.data.params == client.get_run(svd).data.params


def test_what_differs_and_what_changed_is_said(
    own_services: Settings,
    svd: str,
    client,  # type: ignore[no-untyped-def]
    tmp_path: Path,
) -> None:
    """The first run is made another one: a metric, a list, a package."""
    recall = client.get_run(svd).data.metrics["recall_at_k"]
    client.log_metric(svd, "recall_at_k", recall + 0.25)
    table = parquet.read_table(client.download_artifacts(svd, LISTS, str(tmp_path))).to_pydict()
    table["movie_id"][3] = 9_999_999
    user, rank = table["user_id"][3], table["rank"][3]
    changed = tmp_path / Path(LISTS).name
    parquet.write_table(pa.table(table), changed)
    client.log_artifact(svd, str(changed), "evaluation")
    file = Path(client.download_artifacts(svd, "surroundings.json", str(tmp_path)))
    kept = json.loads(file.read_text())
    kept["packages"]["numpy"] = "1.0"
    file.write_text(json.dumps(kept))
    client.log_artifact(svd, str(file))
    done = call(own_services, "cli", "rerun", svd)
    assert done.returncode == 3, done.stderr
    assert f"recall_at_k: {recall + 0.25!r} -> {recall!r} (-0.25)" in done.stdout
    assert f"first at place {rank} of user {user}: movie 9999999 -> " in done.stdout
    assert "lists: those of 1 of 120 users" in done.stdout
    assert "packages.numpy: 1.0 -> " in done.stdout


def test_other_data_is_refused_in_one_line(
    own_services: Settings, svd: str, tmp_path: Path
) -> None:
    load(own_services, tmp_path / "synthetic", seed=2)
    done = call(own_services, "cli", "rerun", svd)
    assert done.returncode == 1
    (said,) = done.stderr.strip().splitlines()
    assert said.startswith(f"error: run {svd[:8]} (SVD) cannot be repeated: its split of synthetic")
    assert "recarena load synthetic --replace" in said


def test_parameters_and_protocol_are_all_given(own_services: Settings, svd: str) -> None:
    run = find_run(own_services, svd)[0]
    protocol = EvaluationProtocol("synthetic", n_test=3, k=7, relevance_threshold=3.5)
    args = command_line(run, {"factors": "7", "use_bias": "False"}, protocol, own_services, SOURCE)
    wanted = {"--factors=7", "--use-bias=False", "--n-test=3", "--top-k=7", "--dataset=synthetic"}
    assert wanted | {"--relevance-threshold=3.5", "--user-seed=0"} <= set(args)
    assert f"--experiment-name={own_services.experiment_name}" in args
    folds = EvaluationProtocol("synthetic", split="random", fold=2, split_part="validation")
    args = command_line(run, {}, folds, own_services, SOURCE)
    assert {"--split=random", "--fold=2", "--split-part=validation"} <= set(args)
    with pytest.raises(RecArenaError, match=r"FACTOR=7, a parameter that SVD does not have"):
        command_line(run, {"factor": "7"}, protocol, own_services, SOURCE)
