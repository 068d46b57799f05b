"""The tracker on a real MLflow, FTP server and PostgreSQL: from load to leaderboard."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from pyarrow import parquet

from conftest import as_environment
from core.errors import RecArenaError
from core.paths import ROOT
from core.settings import Settings
from table_models import loader, synthetic
from table_models.datasets import find
from utils.leaderboard import Entry, arrange, entries
from utils.ports import free_port
from utils.settling import settled
from utils.tracking import MlflowTracker, reason


@pytest.fixture(scope="module")
def loaded(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The running services with a small synthetic data set in them."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=200, movies=150, ratings=8000, seed=1)
    loader.load(services, find("synthetic"), folder)
    return services


def run(settings: Settings, name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """A pipeline as users run it: a process of its own."""
    command = [sys.executable, "-m", f"pipelines.{name}.pipeline_{name.lower()}", *args]
    environment = as_environment(settings) | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def svd_run(loaded: Settings) -> Entry:
    """A finished run of SVD."""
    done = run(loaded, "SVD", "--factors", "7", "--fill-with-zero", "false")
    assert done.returncode == 0, done.stderr
    (found,) = (one for one in entries(loaded, "synthetic") if one.params["factors"] == "7")
    return found


def test_a_run_is_on_the_leaderboard(svd_run: Entry, loaded: Settings) -> None:
    assert svd_run.pipeline == "SVD"
    assert svd_run.dataset == "synthetic"
    assert svd_run.protocol["k"] == "10"
    names = "recall precision ndcg map mrr hit_rate coverage novelty".split()
    assert {f"{name}_at_k" for name in names} | {"rmse"} <= svd_run.metrics.keys()
    assert {"read", "fit", "recommend", "evaluate"} == svd_run.seconds.keys()
    assert entries(loaded, "ml_1m") == []
    json.dumps(svd_run.record())


def test_its_files_are_on_the_ftp_server_and_tell_its_numbers(
    svd_run: Entry, loaded: Settings, tmp_path: Path
) -> None:
    mlflow.set_tracking_uri(loaded.tracking_uri)
    folder = Path(
        mlflow.artifacts.download_artifacts(run_id=svd_run.run_id, dst_path=str(tmp_path))
    )
    tags = mlflow.get_run(svd_run.run_id).data.tags
    pickled = (folder / "models/SVD.pkl").read_bytes()
    assert hashlib.sha256(pickled).hexdigest() == tags["model_sha256"]
    assert pickle.loads(pickled).score(np.array([0], np.int32)).shape == (1, 150)
    per_user = parquet.read_table(folder / "evaluation/per_user.parquet")
    recall = np.mean(per_user["recall_at_k"].to_numpy())
    assert recall == pytest.approx(svd_run.metrics["recall_at_k"], abs=1e-12)
    assert "mlflow==" in (folder / "environment.txt").read_text()


def test_learning_curves_and_tables_are_in_the_run(loaded: Settings) -> None:
    for name, *args in (("MF", "--n-epochs", "3"), ("association", "--min-support", "0.02")):
        done = run(loaded, name, *args)
        assert done.returncode == 0, done.stderr
    by_name = {one.pipeline: one.run_id for one in entries(loaded, "synthetic")}
    client = mlflow.MlflowClient(loaded.tracking_uri)
    curve = client.get_metric_history(by_name["MF"], "learning/train_rmse")
    assert [point.step for point in curve] == [1, 2, 3]
    assert curve[0].value > curve[2].value > 0
    tables = client.list_artifacts(by_name["association"], "tables")
    assert [one.path for one in tables] == ["tables/rules.csv", "tables/rules.parquet"]


def test_no_secret_is_in_the_run(svd_run: Entry, loaded: Settings) -> None:
    found = mlflow.MlflowClient(loaded.tracking_uri).get_run(svd_run.run_id)
    said = json.dumps(found.to_dictionary()) + found.info.artifact_uri
    assert loaded.ftp_user_pass.get_secret_value() not in said
    assert found.info.artifact_uri.startswith("mlflow-artifacts:")


def test_the_data_set_is_linked_by_its_fingerprint(svd_run: Entry, loaded: Settings) -> None:
    found = mlflow.MlflowClient(loaded.tracking_uri).get_run(svd_run.run_id)
    sides = {one.dataset.name: one.dataset.digest for one in found.inputs.dataset_inputs}
    digest = svd_run.fingerprint.rsplit("-", 1)[1]
    assert sides == {"synthetic train": digest, "synthetic test": digest}


def test_the_model_is_among_mlflows_with_its_metrics_by_data_set(
    svd_run: Entry, loaded: Settings
) -> None:
    client = mlflow.MlflowClient(loaded.tracking_uri)
    found = client.get_run(svd_run.run_id)
    (output,) = found.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (model.name, model.source_run_id) == ("SVD", svd_run.run_id)
    assert model.params["factors"] == "7"
    assert model.tags["model_sha256"] == found.data.tags["model_sha256"]
    recall = [one for one in model.metrics if one.key == "recall_at_k"]
    assert [one.value for one in recall] == [svd_run.metrics["recall_at_k"]]
    assert [one.dataset_name for one in recall] == ["synthetic test"]
    assert len(client.get_metric_history(svd_run.run_id, "recall_at_k")) == 1


def test_an_error_in_a_run_ends_it_failed_with_the_reason(loaded: Settings) -> None:
    tracker = MlflowTracker(loaded)
    with pytest.raises(ZeroDivisionError), tracker.run("x", {"pipeline": "x"}, "") as begun:
        raise ZeroDivisionError("the\nreason")
    ended = mlflow.get_run(begun.id)
    assert ended.info.status == "FAILED"
    assert ended.data.tags["failure"] == "ZeroDivisionError: the"


def test_an_interrupt_ends_it_killed(loaded: Settings) -> None:
    tracker = MlflowTracker(loaded)
    with pytest.raises(KeyboardInterrupt), tracker.run("x", {"pipeline": "x"}, "") as begun:
        raise KeyboardInterrupt
    assert mlflow.get_run(begun.id).info.status == "KILLED"


def test_a_split_without_a_test_set_is_one_line_before_a_run_is_begun(loaded: Settings) -> None:
    done = run(loaded, "random", "--n-test", "100000")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: random: synthetic: no user")
    assert "Traceback" not in done.stderr
    found = mlflow.search_runs(
        experiment_names=[loaded.experiment_name],
        filter_string="params.`protocol.n_test` = '100000'",
        output_format="list",
    )
    assert found == []


def test_no_tracker_is_one_line_at_once(loaded: Settings) -> None:
    nobody = loaded.model_copy(update={"mlflow_tracking_port": free_port("127.0.0.1")})
    with pytest.raises(RecArenaError, match=r"does not answer .*recarena up"):
        MlflowTracker(nobody)
    with pytest.raises(RecArenaError, match="does not answer"):
        entries(nobody)


def test_a_server_that_goes_away_is_named_without_the_history_of_tries() -> None:
    history = "failed with exception HTTPConnectionPool(host='h'): Max retries exceeded"
    artifact = f"API request to http://h/api/2.0/mlflow-artifacts/artifacts/x {history}"
    assert "the FTP server may be down" in reason(RuntimeError(artifact))
    assert "has stopped to answer" in reason(RuntimeError(f"API request to http://h/a {history}"))
    assert reason(ValueError("boom\nmore")) == "boom"


def entry(pipeline: str, ndcg: float, started: int, dataset: str = "a") -> Entry:
    metrics = {"ndcg_at_k": ndcg}
    return Entry(pipeline, str(started), dataset, "f", metrics, {}, {}, {"k": "10"}, started)


def test_the_best_comes_first_among_those_that_compare() -> None:
    runs = [
        entry("SVD", 0.2, 1),
        entry("random", 0.1, 2),
        entry("SVD", 0.3, 3),
        entry("SVD", 0.9, 0, "older data set"),
    ]
    found = [(one.dataset, one.pipeline, one.run_id) for one in arrange(runs)]
    assert found == [("a", "SVD", "3"), ("a", "random", "2"), ("older data set", "SVD", "0")]


def test_the_client_is_set_up_before_mlflow_is_imported() -> None:
    code = "import sys, utils.tracking, utils.runner, cli; sys.exit('mlflow' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )


def test_what_another_run_made_just_now_is_asked_for_again() -> None:
    answers = [MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: x"), "found"]

    def call() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert settled(call) == "found"
    answers[:] = [MlflowException("no such thing"), "never asked"]
    with pytest.raises(MlflowException, match="no such thing"):
        settled(call)
    assert answers == ["never asked"]
