"""The model that MLflow serves: its lists, the registry's best one, and what is refused."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conftest import HOST, as_environment
from core.errors import RecArenaError
from core.settings import Settings
from pipelines.popularity.model import Popularity, PopularityParams
from pipelines.popularity.pipeline_popularity import pipeline as popularity_pipeline
from pipelines.SVD.model import SVDParams
from pipelines.SVD.pipeline_svd import pipeline as svd_pipeline
from table_models import loader, synthetic
from table_models.datasets import find
from tiny_datasets import two_tastes
from utils.delivery import Entry, apply, missing
from utils.finished_runs import find_run
from utils.model_files import read_ids, read_seen, write_ids, write_seen
from utils.model_package import requirements, signature, write_identity, write_package
from utils.model_registry import best_of
from utils.ports import free_port
from utils.run_files import download
from utils.served_model import ServedModel
from utils.tracking import prepare_client

UNKNOWN = 10**9
# MLflow's own, when it is imported
pytestmark = pytest.mark.filterwarnings("ignore:.*type hint is inferred as AnyType:UserWarning")


def served() -> ServedModel:
    data = two_tastes(8, 12)
    model = Popularity(PopularityParams()).fit(data)
    return ServedModel(model, data.user_ids, data.item_ids, data.train.matrix)


def users(*ids: int) -> pd.DataFrame:
    return pd.DataFrame({"user_id": list(ids)})


def test_lists_are_those_of_the_model_without_what_was_seen() -> None:
    one, data = served(), two_tastes(8, 12)
    found = one.predict(users(107, UNKNOWN, 101), {"k": 4})
    assert found.columns.tolist() == ["user_id", "rank", "movie_id", "score"]
    assert found["user_id"].drop_duplicates().tolist() == [107, 101]
    for user, rows in found.groupby("user_id"):
        (place,) = data.user_ids.index([int(user)])
        items = one.model.recommend(np.array([place]), 4, exclude=data.train.matrix)[0]
        assert rows["movie_id"].tolist() == data.item_ids.ids[items[items >= 0]].tolist()
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
    assert one.predict(users(UNKNOWN)).empty
    assert one.predict(users()).empty


@pytest.mark.parametrize("k", [0, -1, 1001])
def test_a_length_that_makes_no_sense_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k={k}"):
        served().predict(users(101), {"k": k})


def test_what_was_seen_is_read_as_it_was_written(tmp_path: Path) -> None:
    data = two_tastes(9, 14)
    write_ids(tmp_path, data)
    write_seen(tmp_path, data)
    ids = read_ids(tmp_path / "models" / "ids.npz")
    seen = read_seen(tmp_path / "models" / "seen.parquet", *map(len, ids))
    assert (seen.indptr == data.train.matrix.indptr).all()
    assert (seen.indices == data.train.matrix.indices).all()
    with pytest.raises(RecArenaError, match=r"seen\.parquet cannot be read"):
        read_seen(tmp_path / "models" / "seen.parquet", 9, 3)
    (tmp_path / "models" / "seen.parquet").write_text("no table")
    with pytest.raises(RecArenaError, match=r"seen\.parquet cannot be read"):
        read_seen(tmp_path / "models" / "seen.parquet", 9, 14)


def test_mlflow_reads_the_package_as_its_own(tmp_path: Path) -> None:
    from mlflow.models import Model  # noqa: PLC0415

    write_package(tmp_path, "SVD", [1, 2, 3])
    write_identity(tmp_path, "SVD", "0" * 32, f"m-{1:032x}")
    model = Model.load(str(tmp_path))
    assert model.signature.to_dict() == signature()
    assert model.signature.params.to_dict()[0]["default"] == 10
    assert model.load_input_example(str(tmp_path))["user_id"].tolist() == [1, 2, 3]
    pinned = (tmp_path / "requirements.txt").read_text().split()
    assert pinned == requirements("SVD")
    assert all("==" in one for one in pinned)
    assert [one for one in requirements("IMF") if one.startswith("implicit==")]


@pytest.fixture(scope="module")
def settings(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The services, with a data set and a finished run of SVD and of popularity."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=200, movies=150, ratings=8000, seed=1)
    loader.load(own_services, find("synthetic"), folder)
    svd_pipeline.start(SVDParams(factors=7), own_services)
    popularity_pipeline.start(PopularityParams(), own_services)
    prepare_client(own_services)
    return own_services


def client(settings: Settings) -> Any:
    from mlflow import MlflowClient  # noqa: PLC0415

    return MlflowClient(settings.tracking_uri)


def lists(settings: Settings, run_id: str) -> pd.DataFrame:
    """The lists that a run was judged by."""
    return pd.read_parquet(download(settings, run_id, "evaluation/recommendations.parquet"))


def best(settings: Settings, alias: str = "best", name: str = "SVD") -> Any:
    return client(settings).get_model_version_by_alias(name, alias)


def test_the_best_one_answers_what_its_run_was_judged_by(settings: Settings) -> None:
    import mlflow  # noqa: PLC0415

    for name in ("SVD", "popularity"):  # two recommenders in one process
        model = mlflow.pyfunc.load_model(f"models:/{name}@best")
        wanted = lists(settings, best(settings, name=name).run_id)
        wanted = wanted[wanted["user_id"] <= 20].reset_index(drop=True)
        found = model.predict(users(*wanted["user_id"].drop_duplicates()))
        assert found["movie_id"].tolist() == wanted["movie_id"].tolist()
        assert found["rank"].tolist() == wanted["rank"].tolist()
        assert found["score"].tolist() == pytest.approx(wanted["score"].tolist(), rel=1e-5)
    assert len(model.predict(users(1), params={"k": 3})) == 3


@contextmanager
def serving(settings: Settings, model: str) -> Iterator[str]:
    """`mlflow models serve` as a process; its address."""
    port = free_port(HOST)
    command = ["models", "serve", "-m", model, "--env-manager", "local", "-h", HOST, "-w", "1"]
    environment = as_environment(settings) | {"MLFLOW_TRACKING_URI": settings.tracking_uri}
    programs = Path(sys.executable).parent  # as in an activated environment
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *command, "-p", str(port)],
        env=environment | {"PYTHONPATH": "", "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        start_new_session=True,
    )
    address = f"http://{HOST}:{port}"
    try:
        end = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=10).close()
                break
            except OSError:
                assert process.poll() is None, process.communicate()[0].decode()
                assert time.monotonic() < end
                time.sleep(0.2)
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)


def test_it_is_served_over_http(settings: Settings) -> None:
    with serving(settings, "models:/SVD@best") as address:
        asked = {"dataframe_split": {"columns": ["user_id"], "data": [[5], [17]]}}
        request = urllib.request.Request(
            f"{address}/invocations",
            json.dumps(asked | {"params": {"k": 4}}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = pd.DataFrame(json.load(answer)["predictions"])
    wanted = lists(settings, best(settings).run_id)
    wanted = wanted[wanted["user_id"].isin([5, 17]) & (wanted["rank"] <= 4)]
    assert found["user_id"].tolist() == [5] * 4 + [17] * 4
    assert found["movie_id"].tolist() == wanted["movie_id"].tolist()


def test_the_best_is_that_of_the_runs_that_can_be_compared(settings: Settings) -> None:
    first = best(settings)
    worse = svd_pipeline.start(SVDParams(factors=100), settings)["ndcg_at_k"]
    assert worse < float(first.tags["ndcg_at_k"])
    assert best(settings).version == first.version
    versions = client(settings).search_model_versions("name = 'SVD'")
    svd_pipeline.start(SVDParams(factors=3), settings.model_copy(update={"n_test": 1}))
    other = best(settings)
    assert int(other.version) > max(int(one.version) for one in versions)
    assert best(settings, best_of("synthetic")).version == other.version
    svd_pipeline.start(SVDParams(factors=101), settings)
    assert best(settings).version == first.version, "the newest run can be compared with it again"


def test_a_model_that_is_not_the_runs_is_refused(settings: Settings) -> None:
    import mlflow  # noqa: PLC0415

    version = best(settings, name="popularity")
    tags = client(settings).get_run(version.run_id).data.tags
    client(settings).set_tag(version.run_id, "model_sha256", "0" * 64)
    try:
        with pytest.raises(Exception, match=r"popularity\.pkl is not the file that the run left"):
            mlflow.pyfunc.load_model("models:/popularity@best")
        client(settings).delete_tag(version.run_id, "model_sha256")
        with pytest.raises(Exception, match="not to be trusted"):
            mlflow.pyfunc.load_model("models:/popularity@best")
    finally:
        client(settings).set_tag(version.run_id, "model_sha256", tags["model_sha256"])


def test_a_model_that_is_logged_again_is_there_once(settings: Settings, tmp_path: Path) -> None:
    run, _ = find_run(settings, "popularity")
    known = client(settings)
    versions = known.search_model_versions(f"run_id = '{run.id}'")
    tags = {key: versions[0].tags[key] for key in ("dataset", "comparable", "ndcg_at_k")}
    write_package(tmp_path / "1", "popularity", [1])
    entry = Entry("served", {"folder": "1", "name": "popularity", "tags": tags})
    assert missing(known, run.id, entry, tmp_path) == []
    apply(known, run.id, entry, tmp_path)
    assert len(known.search_model_versions(f"run_id = '{run.id}'")) == len(versions) == 1
    assert len(known.get_run(run.id).outputs.model_outputs) == 1


def test_training_needs_neither_pandas_nor_the_whole_of_mlflow(settings: Settings) -> None:
    script = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("pandas", "sklearn", "mlflow.pyfunc"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from pipelines.popularity.pipeline_popularity import pipeline
pipeline.main([])
"""
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=as_environment(settings) | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
