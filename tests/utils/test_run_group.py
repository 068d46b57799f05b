"""Several recommenders below one run, and the experiment's page, on real services."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import as_environment
from core.paths import ROOT
from core.settings import Settings
from table_models import loader, synthetic
from table_models.datasets import find
from utils import experiment_page
from utils.leaderboard import entries
from utils.ports import free_port
from utils.run_group import PARENT, group
from utils.run_words import NOTE
from utils.runs_page import runs_page
from utils.tracking import prepare_client

PATIENCE = 300.0  # seconds; a busy machine starts processes slowly


@pytest.fixture(scope="module")
def loaded(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The running services with a small synthetic data set in a database of their own."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=120, movies=80, ratings=4000, seed=1)
    loader.load(own_services, find("synthetic"), folder)
    return own_services


@pytest.fixture
def client(loaded: Settings) -> Any:
    prepare_client(loaded)
    from mlflow import MlflowClient  # noqa: PLC0415

    return MlflowClient(loaded.tracking_uri)


def begin(settings: Settings, *args: str) -> subprocess.Popen[str]:
    """`recarena run` as users start it."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "run", *args],
        env=as_environment(settings) | {"PYTHONPATH": str(ROOT / "src")},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def parents(client: Any, settings: Settings) -> list[Any]:
    """The runs that stand above others, newest first."""
    experiment = client.get_experiment_by_name(settings.experiment_name)
    if experiment is None:
        return []
    query, newest = "tags.group LIKE '%'", ["attributes.start_time DESC"]
    return list(client.search_runs([experiment.experiment_id], query, order_by=newest))


def children(client: Any, parent: Any) -> list[Any]:
    query = f"tags.`{PARENT}` = '{parent.info.run_id}'"
    return list(client.search_runs([parent.info.experiment_id], query))


def eventually(condition: Any) -> Any:
    """What a condition gives as soon as it holds."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it never came so")


@pytest.fixture(scope="module")
def two(loaded: Settings) -> str:
    """Two recommenders were run together."""
    done = begin(loaded, "popularity", "random", "--set", "threshold=3")
    said, wrong = done.communicate(timeout=PATIENCE)
    assert done.returncode == 0, wrong
    return said


@pytest.mark.usefixtures("two")
def test_the_parent_sums_its_children_up(client: Any, loaded: Settings, tmp_path: Path) -> None:
    (parent,) = parents(client, loaded)
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "2 recommenders · synthetic"
    below = {one.data.tags["pipeline"]: one for one in children(client, parent)}
    assert below.keys() == {"popularity", "random"}
    names = {one.info.run_name for one in below.values()}
    assert names == {"popularity · threshold=3 · synthetic", "random · synthetic"}
    best = max(below.values(), key=lambda one: one.data.metrics["ndcg_at_k"])
    assert parent.data.tags["best_run"] == best.info.run_id
    note = parent.data.tags[NOTE]
    assert f"**{best.data.tags['pipeline']}**" in note
    for one in below.values():
        assert f"runs/{one.info.run_id}) | {one.data.metrics['ndcg_at_k']:.4f} |" in note
    file = client.download_artifacts(parent.info.run_id, "leaderboard.csv", str(tmp_path))
    rows = list(csv.DictReader(Path(file).read_text().splitlines()))
    assert rows[0]["run_id"] == best.info.run_id
    assert float(rows[0]["ndcg_at_k"]) == best.data.metrics["ndcg_at_k"]


@pytest.mark.usefixtures("two")
def test_the_parent_is_on_no_leaderboard(loaded: Settings) -> None:
    assert sorted(one.pipeline for one in entries(loaded)) == ["popularity", "random"]


@pytest.mark.usefixtures("two")
def test_a_run_says_in_words_what_it_is(client: Any, loaded: Settings) -> None:
    for one in children(client, parents(client, loaded)[0]):
        note = one.data.tags[NOTE]
        assert "**Judged**: synthetic, all users" in note
        assert f"{one.data.metrics['ndcg_at_k']:.4f}" in note
        assert len(one.data.tags["comparable"]) == 8


def test_a_child_that_fails_fails_the_parent(client: Any, loaded: Settings) -> None:
    done = begin(loaded, "random", "SVD", "--set", "use_bias=true")  # not with fill_with_zero
    _, wrong = done.communicate(timeout=PATIENCE)
    assert done.returncode == 1
    assert wrong.strip().endswith("1 of 2 failed: SVD")
    parent = parents(client, loaded)[0]
    assert parent.info.status == "FAILED"
    assert parent.data.tags["failure"] == "1 of 2 failed: SVD"
    assert [one.data.tags["pipeline"] for one in children(client, parent)] == ["random"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_interrupted_ends_all_runs_killed(
    client: Any, loaded: Settings, number: signal.Signals
) -> None:
    known = {one.info.run_id for one in parents(client, loaded)}
    process = begin(loaded, "MF", "random", "--set", "n_epochs=100000")

    def training() -> Any:
        new = [one for one in parents(client, loaded) if one.info.run_id not in known]
        return [one for parent in new for one in children(client, parent)]

    (child,) = eventually(training)
    os.kill(process.pid, number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode in (130, 143)
    parent = client.get_run(child.data.tags[PARENT])
    assert parent.info.status == "KILLED"
    assert client.get_run(child.info.run_id).info.status == "KILLED"
    assert len(children(client, parent)) == 1


def test_without_mlflow_there_is_no_parent_and_the_children_may_go_on(loaded: Settings) -> None:
    nobody = loaded.model_copy(update={"mlflow_tracking_port": free_port("127.0.0.1")})
    said: list[str] = []
    with group(nobody, ["SVD", "random"], "synthetic", said.append) as found:
        assert found.variables == {}
    assert "does not answer" in said[0]


@pytest.mark.usefixtures("two")
def test_the_page_of_the_experiment_is_made_once(client: Any, loaded: Settings) -> None:
    experiment = client.get_experiment_by_name(loaded.experiment_name)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "recarena leaderboard" in experiment.tags[NOTE]
    url = f"{loaded.tracking_uri}/#/experiments/{experiment.experiment_id}/runs?"
    assert runs_page(loaded).startswith(url)
    key = runs_page(loaded).rsplit("=", 1)[1]
    view = json.loads(experiment.tags[f"mlflow.sharedViewState.{key}"])
    state = json.loads(view["state"])
    assert state["orderByKey"] == "metrics.`ndcg_at_k`"
    ids = [experiment.experiment_id]
    shown = client.search_runs(ids, state["searchFilter"], order_by=[f"{state['orderByKey']} DESC"])
    assert all("pipeline" in one.data.tags for one in shown)
    sections = {one["uuid"] for one in state["compareRunSections"]}
    assert {one["metricSectionId"] for one in state["compareRunCharts"]} == sections
    client.set_experiment_tag(experiment.experiment_id, NOTE, "my own words")
    experiment_page.dress(client, client.get_experiment(experiment.experiment_id))
    kept = client.get_experiment(experiment.experiment_id).tags
    assert kept[NOTE] == "my own words"


def test_without_an_experiment_the_page_is_mlflows(loaded: Settings) -> None:
    nothing = loaded.model_copy(update={"experiment_name": "none yet"})
    assert runs_page(nothing) == loaded.tracking_uri
