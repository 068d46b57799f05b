"""Choosing a run, by a real MLflow."""

import secrets

import pytest

from core.errors import RecArenaError
from core.settings import Settings
from table_models.database import LoadedDataSet
from utils import finished_runs
from utils.finished_runs import find_run
from utils.ports import free_port
from utils.tracking import prepare_client

HERE = [
    LoadedDataSet(name, name.replace("-", "_"), name, 1, "")
    for name in ("ml-100k", "ml-1m", "synthetic")
]
SHA256 = secrets.token_hex(32)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data sets that are loaded; no test here reads them."""
    monkeypatch.setattr(finished_runs, "loaded", lambda _: HERE)
    monkeypatch.setattr("datareader.reader.loaded", lambda _: HERE)


class Runs:
    """Makes runs in MLflow, a second apart."""

    def __init__(self, settings: Settings) -> None:
        prepare_client(settings)
        from mlflow import MlflowClient  # noqa: PLC0415

        self.client = MlflowClient(settings.tracking_uri)
        self.experiment = self.client.create_experiment(settings.experiment_name)
        self.seconds = 0

    def make(self, pipeline: str | None, dataset: str = "ml-1m", status: str = "FINISHED") -> str:
        self.seconds += 1
        tags = {"dataset": dataset, "dataset_schema": dataset.replace("-", "_").split("_syn")[0]}
        tags |= {"pipeline": pipeline, "model_sha256": SHA256} if pipeline else {}
        run = self.client.create_run(self.experiment, self.seconds * 1000, tags)
        self.client.log_param(run.info.run_id, "protocol.relevance_threshold", 3.5)
        if status != "RUNNING":
            self.client.set_terminated(run.info.run_id, status)
        return str(run.info.run_id)


@pytest.fixture(scope="module")
def runs(own_services: Settings) -> Runs:
    return Runs(own_services)


def test_by_name_the_newest_finished_run_on_the_data_set(
    own_services: Settings, runs: Runs
) -> None:
    runs.make("SVD")
    newest = runs.make("SVD")
    other = runs.make("SVD", "ml-100k")
    runs.make("SVD", status="FAILED")
    runs.make("SVD", status="RUNNING")
    runs.make("popularity")
    found, source = find_run(own_services, "svd", "ml-1m")
    assert (found.id, found.pipeline, source.name) == (newest, "SVD", "ml-1m")
    assert (found.dataset, found.schema, found.relevance_threshold) == ("ml-1m", "ml_1m", 3.5)
    assert found.model_sha256 == SHA256
    configured = own_services.model_copy(update={"dataset": "ml_100k"})
    assert find_run(configured, "SVD")[0].id == other
    assert find_run(configured, "SVD", "ml_1m")[0].id == newest


def test_by_name_it_must_be_clear_on_which_data_set(own_services: Settings, runs: Runs) -> None:
    with pytest.raises(RecArenaError, match="--dataset: ml-100k, ml-1m, synthetic"):
        find_run(own_services, "SVD")
    with pytest.raises(RecArenaError, match=r"no finished run of random on ml-1m .*recarena run"):
        find_run(own_services, "random", "ml-1m")
    with pytest.raises(RecArenaError, match="ml-20m is not loaded"):
        find_run(own_services, "SVD", "ml-20m")


def test_by_id_or_its_beginning(own_services: Settings, runs: Runs) -> None:
    wanted = runs.make("random")
    for given in (wanted, wanted[:12], wanted[:12].upper()):
        found, source = find_run(own_services, given)
        assert (found.id, source.name) == (wanted, "ml-1m")
    with pytest.raises(RecArenaError, match=r"is on ml-1m, not on ml-100k"):
        find_run(own_services, wanted, "ml-100k")


def test_several_that_begin_alike(own_services: Settings, runs: Runs) -> None:
    made = {runs.make("random") for _ in range(17)}  # of 16 first characters one comes twice
    first = [run[0] for run in made]
    twice = next(one for one in first if first.count(one) > 1)
    with pytest.raises(RecArenaError, match=rf"^several runs begin with '{twice}': "):
        find_run(own_services, twice)


@pytest.mark.parametrize("wanted", ["", "g", "0" * 33, "no such", "a%' or '1", "%", "_"])
def test_no_such_run(own_services: Settings, runs: Runs, wanted: str) -> None:
    with pytest.raises(RecArenaError, match=r"^no run .*recarena leaderboard.* SVD, "):
        find_run(own_services, wanted)


def test_no_experiment_yet(own_services: Settings) -> None:
    nowhere = own_services.model_copy(update={"experiment_name": "none yet"})
    with pytest.raises(RecArenaError, match=r"^no run 'abc' in experiment none yet"):
        find_run(nowhere, "abc")


@pytest.mark.parametrize("status", ["FAILED", "KILLED", "RUNNING"])
def test_an_unfinished_run_is_refused(own_services: Settings, runs: Runs, status: str) -> None:
    unfinished = runs.make("random", status=status)
    with pytest.raises(RecArenaError, match=rf"run {unfinished[:8]} \(random\) is {status}"):
        find_run(own_services, unfinished)


@pytest.mark.parametrize("pipeline", ["nobody's", None])
def test_a_run_of_no_recommender_is_refused(
    own_services: Settings, runs: Runs, pipeline: str | None
) -> None:
    with pytest.raises(RecArenaError, match="of no recommender that there is here"):
        find_run(own_services, runs.make(pipeline))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("ml-20m", r"is on ml-20m, which is not loaded; run `recarena load ml-20m`"),
        ("ml-1m-synthetic", r"is on ml-1m-synthetic, but ml-1m is loaded in its place"),
    ],
)
def test_a_data_set_that_is_gone_is_named(
    own_services: Settings, runs: Runs, dataset: str, message: str
) -> None:
    with pytest.raises(RecArenaError, match=message):
        find_run(own_services, runs.make("SVD", dataset))


def test_no_mlflow_is_one_line(own_services: Settings) -> None:
    nobody = own_services.model_copy(update={"mlflow_tracking_port": free_port("127.0.0.1")})
    with pytest.raises(RecArenaError, match=r"does not answer .*recarena up"):
        find_run(nobody, "SVD", "ml-1m")
