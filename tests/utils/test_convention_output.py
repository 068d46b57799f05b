"""A finished run's lists under other conventions, on a real MLflow, FTP server and PostgreSQL."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

import cli
from conftest import as_environment
from core.errors import RecArenaError
from core.settings import Settings
from database_queries import execute
from pipelines.popularity.model import PopularityParams
from pipelines.popularity.pipeline_popularity import pipeline as popularity
from table_models import loader, synthetic
from table_models.datasets import find
from utils import convention_output, kept_runs
from utils.convention_output import compared
from utils.conventions import CONVENTIONS
from utils.finished_runs import find_run
from utils.kept_runs import kept, lists_table
from utils.tracking import prepare_client

K = 3


@pytest.fixture(scope="module")
def settings(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The services, with a small data set and a run of popularity with lists of 3."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=120, movies=90, ratings=4000, seed=3)
    loader.load(own_services, find("synthetic"), folder)
    run_settings = own_services.model_copy(update={"top_k": K, "relevance_threshold": 3.0})
    popularity.start(PopularityParams(), run_settings)
    return own_services


@pytest.fixture
def metrics(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, str, str]]:
    """Runs `recarena metrics` on the services."""
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)

    def call(*args: str) -> tuple[object, str, str]:
        monkeypatch.setattr("sys.argv", ["recarena", "metrics", *args])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return call


def test_ours_from_the_lists_are_what_the_run_logged(settings: Settings) -> None:
    found = compared(settings, "popularity", "all")
    logged = kept(settings, found.run).metrics
    assert found.notes == []
    assert found.k == K
    assert {name: one.value for name, one in found.ours.items()} == pytest.approx(
        {name: logged[name] for name in found.ours}, abs=1e-12
    )
    assert list(found.theirs) == list(CONVENTIONS)
    ours, theirs = found.ours["recall_at_k"], found.theirs["lenskit"]["recall_at_k"]
    assert ours.value < theirs.value  # many have more than 3 relevant items
    assert ours.n_users == logged["n_users_evaluated"]


def test_what_differs_from_the_logged_number_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(settings: Settings, run: object) -> object:
        return replace(one := kept(settings, run), metrics=one.metrics | {"mrr_at_k": 0.5})  # type: ignore[arg-type]

    monkeypatch.setattr(convention_output, "kept", other)
    (note,) = compared(settings, "popularity", "recbole").notes
    assert note.startswith("mrr_at_k: the run logged 0.5, its lists give 0.")


def test_the_command_in_every_format(
    settings: Settings, metrics: Callable[..., tuple[object, str, str]]
) -> None:
    run = find_run(settings, "popularity")[0]
    status, text, _ = metrics("--run", run.id[:8], "--convention", "LensKit")
    assert status == 0
    lines = text.splitlines()
    assert lines[0] == f"{run} on synthetic, lists of {K}"
    assert lines[1].split() == ["metric", "ours", "LensKit", "difference", "why"]
    recall = next(line for line in lines if line.startswith(f"recall@{K}"))
    assert "+0." in recall
    assert "divided by min(|R|, k)" in recall
    assert "not computed" in next(line for line in lines if line.startswith(f"novelty@{K}")) or any(
        "MeanPopRank" in line for line in lines
    )

    found = json.loads(metrics("--run=popularity", "--format=json")[1])
    assert found["run_id"] == run.id
    assert list(found["conventions"]) == list(CONVENTIONS)
    one = found["conventions"]["rectools"]["ndcg_at_k"]
    assert one["difference"] == pytest.approx(one["value"] - found["ours"]["ndcg_at_k"]["value"])
    assert "divide_by_achievable" in one["why"]

    page = metrics("--run=popularity", "--format=md")[1].splitlines()
    assert page[2].startswith("| metric | ours | RecBole | LensKit | RecTools | Cornac |")
    assert {line.count("|") for line in page[2:]} == {9}
    both = metrics("--definitions", "--run=popularity")[1]
    assert "sum of hit(j) over the list" in both
    assert f"\nrecall@{K} " in both


def test_mistakes_are_one_line(metrics: Callable[..., tuple[object, str, str]]) -> None:
    status, text, said = metrics("--run=popularity", "--convention=elliot")
    assert (status, text) == (1, "")
    assert said.startswith("error: no convention 'elliot'; there are recbole, lenskit, ")
    assert metrics("--run=nobody")[2].startswith("error: no run 'nobody'")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"rank": [4]}, "places are not in 1..3"),
        ({"rank": [0]}, "places are not in 1..3"),
        ({"user_id": [10**9]}, "id 1000000000 is not in synthetic"),
        ({"movie_id": [None]}, "movie_id is not always there"),
        ({"score": None}, "score"),
    ],
)
def test_lists_that_are_none_are_refused(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    columns: dict[str, list[int] | None],
    message: str,
) -> None:
    first = lists_table(settings, kept(settings, find_run(settings, "popularity")[0])).slice(0, 1)
    rows = first.to_pydict() | columns
    file = tmp_path / "lists.parquet"
    parquet.write_table(pa.table({name: one for name, one in rows.items() if one}), file)
    monkeypatch.setattr(kept_runs, "download", lambda *_: file)
    with pytest.raises(RecArenaError, match=rf"^the lists of run \w+ \(popularity\) .*{message}"):
        compared(settings, "popularity", "ranx")
    file.write_bytes(b"no parquet")
    with pytest.raises(RecArenaError, match="cannot be read"):
        compared(settings, "popularity", "ranx")


def test_a_protocol_that_is_not_known_is_one_line(settings: Settings) -> None:
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415

    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name(settings.experiment_name)
    tags = {"pipeline": "random", "dataset": "synthetic", "dataset_schema": "synthetic"}
    run = client.create_run(experiment.experiment_id, tags=tags)
    client.log_param(run.info.run_id, "protocol.dataset", "synthetic")
    client.log_param(run.info.run_id, "protocol.n_test", "some")
    client.set_terminated(run.info.run_id)
    with pytest.raises(RecArenaError, match=r"a protocol that is not known here: n_test: "):
        compared(settings, run.info.run_id, "ranx")


def test_other_ratings_in_the_database_are_refused(settings: Settings) -> None:
    """Last in this file, because it changes the data."""
    execute(settings, "update synthetic.ratings set rating = 0.5 where user_id = 1")
    with pytest.raises(RecArenaError, match=r"but synthetic now gives .*: its ratings are others$"):
        compared(settings, "popularity", "ranx")
