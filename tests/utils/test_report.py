"""Reports on real runs: from MLflow and the FTP server to a file and back to MLflow."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from conftest import as_environment
from core.errors import RecArenaError
from core.paths import ROOT
from core.settings import Settings
from pipelines.popularity.model import PopularityParams
from pipelines.popularity.pipeline_popularity import pipeline as popularity
from pipelines.random.model import RandomParams
from pipelines.random.pipeline_random import pipeline as random
from pipelines.SVD.model import SVDParams
from pipelines.SVD.pipeline_svd import pipeline as svd
from table_models import loader, synthetic
from table_models.datasets import find
from utils.leaderboard import board, entries
from utils.leaderboard_query import Query
from utils.ports import free_port
from utils.report.collect import collect
from utils.report.data import Report
from utils.report.make import make
from utils.report.publish import KIND
from utils.tracking import prepare_client


@pytest.fixture(scope="module")
def settings(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The services with a small data set, three comparable runs and an older one of another k."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=200, movies=150, ratings=8000, seed=1)
    loader.load(own_services, find("synthetic"), folder)
    random.start(RandomParams(), own_services.model_copy(update={"top_k": 5}))
    random.start(RandomParams(), own_services)
    popularity.start(PopularityParams(), own_services)
    svd.start(SVDParams(factors=7), own_services)
    return own_services


@pytest.fixture(scope="module")
def client(settings: Settings) -> Any:
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415

    return MlflowClient(settings.tracking_uri)


def test_the_report_is_written_and_logged_and_no_run_of_the_leaderboard(
    settings: Settings, client: Any, tmp_path: Path
) -> None:
    before = entries(settings)
    made = make(settings, tmp_path / "report.html")
    assert entries(settings) == before
    page = (tmp_path / "report.html").read_bytes()
    assert page.startswith(b"<!DOCTYPE html>")
    assert made.size == len(page)
    experiment = client.get_experiment_by_name(settings.experiment_name)
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = 'report'")
    assert run.info.status == "FINISHED"
    assert run.info.run_id in made.address
    assert "pipeline" not in run.data.tags
    assert all(one.run.run_id in run.data.tags["mlflow.note.content"] for one in made.report.ranked)
    logged = client.download_artifacts(run.info.run_id, "report.html", str(tmp_path))
    assert Path(logged).read_bytes() == page


def test_its_ranking_is_the_leaderboards(settings: Settings) -> None:
    report = collect(settings)
    rows = board(settings, Query()).rows
    assert [one.run.run_id for one in report.ranked] == [one.run.run_id for one in rows]
    for found, row in zip(report.ranked, rows, strict=True):
        placing, standing = row.placing, found.standing
        assert placing
        assert (standing.place, standing.interval.low) == (placing.place, placing.low)
        assert standing.interval.mean == pytest.approx(row.metrics["ndcg_at_k"], abs=1e-12)
        assert found.run.values.mean() == pytest.approx(row.metrics["ndcg_at_k"], abs=1e-12)
        if standing.behind:
            assert standing.behind.difference == placing.difference
            assert standing.p_holm == placing.p
    assert {one.run.label for one in report.ranked} == {"SVD", "popularity", "random"}
    assert [one.reason for one in report.left_out] == ["k 5, not 10"]


def test_the_same_ranking_without_the_leaderboards(settings: Settings) -> None:
    """As when a run had to be left out."""
    report = collect(settings)
    again = Report.of(
        [one.run for one in report.ranked],
        dataset=report.dataset,
        fingerprint=report.fingerprint,
        protocol=report.protocol,
        experiment=report.experiment,
    )
    for one, other in zip(report.ranked, again.ranked, strict=True):
        assert one.run is other.run
        assert one.standing.interval == other.standing.interval
        assert (one.standing.place, one.standing.p_holm) == (
            other.standing.place,
            other.standing.p_holm,
        )


def test_users_items_and_surroundings_are_there(settings: Settings) -> None:
    for one in collect(settings).ranked:
        run = one.run
        assert run.items is not None
        assert len(run.items["n_train"]) == 150
        assert set(run.users) >= {"recall_at_k", "n_relevant", "n_train"}
        precision = run.items["n_hits"].sum() / 10 / len(run.values)
        assert precision == pytest.approx(run.metrics["precision_at_k"])
        assert run.packages["numpy"] == np.__version__
        assert run.surroundings
        assert run.link.endswith(run.run_id)
        assert "model_sha256" in run.tags


def test_like_names_the_runs_to_compare(settings: Settings) -> None:
    other = next(one for one in entries(settings) if one.protocol["k"] == "5")
    report = collect(settings, like=other.run_id[:10])
    assert [one.run.run_id for one in report.ranked] == [other.run_id]
    assert [one.reason for one in report.left_out] == ["k 10, not 5"] * 3
    assert collect(settings, like="svd").protocol["k"] == "10"
    for wrong in ("f" * 11, "no'body", ""):
        with pytest.raises(RecArenaError, match=r"no finished run .*recarena leaderboard"):
            collect(settings, like=wrong)


def test_seeds_of_one_recommender_are_one_line(settings: Settings, client: Any) -> None:
    alone = next(one.run for one in collect(settings).ranked if one.run.label == "random")
    random.start(RandomParams(seed=5), settings)
    newest = next(one for one in entries(settings) if one.params.get("seed") == "5")
    try:
        run = next(one.run for one in collect(settings).ranked if one.run.pipeline == "random")
        assert (run.label, run.params["seed"]) == ("random (2 seeds)", "0, 5")
        both = (alone.metrics["ndcg_at_k"] + newest.metrics["ndcg_at_k"]) / 2
        assert run.values.mean() == pytest.approx(both, abs=1e-12)
        assert run.hits.sum() == pytest.approx(1)
        assert run.items is not None
        assert alone.items is not None
        assert run.items["n_relevant"].tolist() == (2 * alone.items["n_relevant"]).tolist()
        assert run.items["n_train"].tolist() == alone.items["n_train"].tolist()
    finally:
        client.delete_run(newest.run_id)


def log_older_run(settings: Settings, client: Any, columns: dict[str, Any], folder: Path) -> str:
    """A run as it was before it left counts of items, comparable with the others."""
    like = next(one for one in entries(settings) if one.pipeline == "SVD")
    of_svd = client.get_run(like.run_id)
    tags = {n: v for n, v in of_svd.data.tags.items() if not n.startswith("mlflow.")}
    run = client.create_run(of_svd.info.experiment_id, tags=tags | {"pipeline": "IMF"})
    for name, value in of_svd.data.params.items():
        client.log_param(run.info.run_id, name, value)
    client.log_metric(run.info.run_id, "ndcg_at_k", 0.5)
    file = folder / "per_user.parquet"
    parquet.write_table(pa.table(columns), file)
    client.log_artifact(run.info.run_id, str(file), "evaluation")
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def test_older_and_broken_runs_do_not_spoil_the_report(
    settings: Settings, client: Any, tmp_path: Path
) -> None:
    n_users = len(collect(settings).ranked[0].run.values)
    ids = collect(settings).ranked[0].run.users["user_id"]
    values = {"ndcg_at_k": np.linspace(0, 1, n_users), "recall_at_k": np.ones(n_users)}
    columns = {"user_id": ids[::-1], "n_relevant": np.ones(n_users, np.int64), **values}
    made = []
    try:
        made.append(log_older_run(settings, client, columns, tmp_path))
        report = collect(settings)
        best = report.ranked[0].run
        assert (best.label, best.items, best.surroundings) == ("IMF", None, {})
        assert best.values.tolist() == values["ndcg_at_k"][::-1].tolist()  # by user id
        shown = make(settings, tmp_path / "older.html")
        text = shown.file.read_text()
        assert "Not shown: runs (IMF) were made before" in text
        for broken, reason in (
            (columns | {"user_id": ids + 1}, "judged on other users"),
            ({n: v for n, v in columns.items() if n != "recall_at_k"}, "has no recall_at_k"),
        ):
            client.delete_run(made[-1])
            made.append(log_older_run(settings, client, broken, tmp_path))
            (found,) = [one for one in collect(settings).left_out if one.run_id == made[-1]]
            assert reason in found.reason
    finally:
        for run_id in made:
            client.delete_run(run_id)


def recarena(settings: Settings, *args: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *args],
        env=as_environment(settings) | {"PYTHONPATH": str(ROOT / "src")},
        cwd=folder,
        capture_output=True,
        timeout=200,
        check=False,
    )


def test_the_command(settings: Settings, tmp_path: Path) -> None:
    done = recarena(settings, "report", "--dataset", "synthetic", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"report of 3 runs on synthetic, 1 left out (it says why): report.html" in done.stdout
    assert settings.tracking_uri.encode() in done.stdout
    written = (tmp_path / "report.html").read_bytes()
    piped = recarena(settings, "report", "--out", "-", folder=tmp_path)
    assert piped.stdout == written
    assert b"report of 3 runs" in piped.stderr


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RecArenaError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mistakes_are_one_line(settings: Settings, tmp_path: Path) -> None:
    there = tmp_path / "report.html"
    assert "make it" in refused(lambda: make(settings, tmp_path / "no" / "report.html"))
    assert "is a folder" in refused(lambda: make(settings, tmp_path))
    empty = settings.model_copy(update={"experiment_name": "none"})
    assert "recarena run all" in refused(lambda: make(empty, there))
    assert "recarena run all" in refused(lambda: make(settings, there, schema="ml_1m"))
    down = settings.model_copy(update={"mlflow_tracking_port": free_port("127.0.0.1")})
    assert "recarena up" in refused(lambda: make(down, there))
    assert not there.exists()


def test_it_is_written_even_if_it_cannot_be_logged(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise RecArenaError("no room")

    monkeypatch.setattr("utils.report.make.publish", refuse)
    said = refused(lambda: make(settings, tmp_path / "report.html"))
    assert said.endswith("but not in MLflow: no room")
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_page_that_is_not_taken_is_a_failed_run(
    settings: Settings, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    def refuse(*_: object) -> None:
        raise MlflowException("no room")

    monkeypatch.setattr("mlflow.MlflowClient.log_artifact", refuse)
    said = refused(lambda: make(settings, tmp_path / "report.html"))
    assert said.startswith(f"the report is in {tmp_path / 'report.html'}, but not in MLflow: ")
    assert said.endswith("no room")
    home = client.get_experiment_by_name(settings.experiment_name).experiment_id
    newest = client.search_runs([home], f"tags.`{KIND}` = 'report'", max_results=1)[0]
    assert newest.info.status == "FAILED"
