"""Files of runs, by a real MLflow and FTP server."""

import http.server
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import SecretStr

from core.errors import RecArenaError
from core.settings import Settings
from utils import cache as caching
from utils import mlflow_rest
from utils.ports import free_port
from utils.run_files import PER_USER, download, per_user
from utils.tracking import prepare_client


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(caching, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


class Runs:
    """Makes runs in MLflow."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        prepare_client(settings)
        from mlflow import MlflowClient  # noqa: PLC0415

        self.client = MlflowClient(settings.tracking_uri)
        self.experiment = self.client.create_experiment(settings.experiment_name)
        self.folder = folder

    def make(self, status: str = "FINISHED", **columns: list[float] | list[int]) -> str:
        run_id = str(self.client.create_run(self.experiment).info.run_id)
        if columns:
            file = self.folder / run_id / PER_USER
            file.parent.mkdir(parents=True)
            parquet.write_table(pa.table(columns), file)
            self.client.log_artifacts(run_id, str(self.folder / run_id))
        if status != "RUNNING":
            self.client.set_terminated(run_id, status)
        return run_id


@pytest.fixture(scope="module")
def runs(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(own_services, tmp_path_factory.mktemp("runs"))


def test_a_metric_of_several_runs_is_aligned_by_user(own_services: Settings, runs: Runs) -> None:
    one = runs.make(user_id=[7, 3, 900], recall_at_k=[0.7, 0.3, 0.9], mrr_at_k=[1, 1, 1])
    other = runs.make(user_id=[900, 7, 3], recall_at_k=[0.09, 0.07, 0.03])
    found = per_user(own_services, [one, other, one], "recall_at_k")
    assert found.user_ids.tolist() == [3, 7, 900]
    assert found.values.tolist() == [[0.3, 0.03, 0.3], [0.7, 0.07, 0.7], [0.9, 0.09, 0.9]]
    with pytest.raises(RecArenaError, match=r"has no 'mrr_at_k' of each user; .*recall_at_k"):
        per_user(own_services, [one, other], "mrr_at_k")
    stranger = runs.make(user_id=[3, 7, 901], recall_at_k=[0.3, 0.7, 0.9])
    with pytest.raises(RecArenaError, match=rf"run {stranger[:8]} was judged on other users than"):
        per_user(own_services, [one, stranger], "recall_at_k")
    assert per_user(own_services, [], "recall_at_k").values.size == 0


def test_a_file_is_brought_once(
    own_services: Settings, runs: Runs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = runs.make(user_id=[1], recall_at_k=[0.5])
    file = download(own_services, run_id, PER_USER)
    assert file == cache / "runs" / run_id / PER_USER
    assert file.read_bytes() == (runs.folder / run_id / PER_USER).read_bytes()
    assert list(file.parent.iterdir()) == [file]
    nobody = own_services.model_copy(update={"mlflow_tracking_port": free_port("127.0.0.1")})
    assert download(nobody, run_id, PER_USER) == file
    with pytest.raises(RecArenaError, match=r"does not answer .*recarena up"):
        download(nobody, "0" * 32, PER_USER)


@pytest.mark.parametrize("status", ["RUNNING", "FAILED"])
def test_files_that_may_still_change_are_refused(
    own_services: Settings, runs: Runs, cache: Path, status: str
) -> None:
    run_id = runs.make(status, user_id=[1], recall_at_k=[0.5])
    with pytest.raises(RecArenaError, match=f"is {status}: only a FINISHED run"):
        download(own_services, run_id, PER_USER)
    assert not [one for one in cache.rglob("*") if one.is_file()]


def test_a_file_or_a_run_that_is_not_there(own_services: Settings, runs: Runs, cache: Path) -> None:
    run_id = runs.make()
    with pytest.raises(RecArenaError, match=rf"^{PER_USER} of run {run_id[:8]} cannot be had: "):
        download(own_services, run_id, PER_USER)
    with pytest.raises(RecArenaError, match="not found"):
        download(own_services, secrets.token_hex(16), PER_USER)
    assert not [one for one in cache.rglob("*") if one.is_file()]


@pytest.mark.parametrize(
    ("run_id", "path"),
    [("../" * 10 + "etc", PER_USER), ("a" * 32, "../../x"), ("a" * 32, "/etc/passwd"), ("", "x")],
)
def test_nothing_outside_of_a_run_is_asked_for(
    own_services: Settings, run_id: str, path: str
) -> None:
    with pytest.raises(RecArenaError, match="is no file of a run"):
        download(own_services, run_id, path)


def test_a_file_that_is_damaged_is_brought_anew(
    own_services: Settings, runs: Runs, cache: Path
) -> None:
    run_id = runs.make(user_id=[1], recall_at_k=[0.5])
    download(own_services, run_id, PER_USER).write_bytes(b"PAR1 no more")
    with pytest.raises(RecArenaError, match="cannot be read"):
        per_user(own_services, [run_id], "recall_at_k")
    assert per_user(own_services, [run_id], "recall_at_k").values.tolist() == [[0.5]]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_where_nothing_can_be_written_the_cache_is_temporary(cache: Path) -> None:
    cache.parent.chmod(0o500)
    assert caching.cache_folder().is_dir()
    assert caching.cache_folder() != cache


def test_a_cache_that_cannot_be_made_is_temporary(cache: Path) -> None:
    cache.write_text("a file in its place")
    assert caching.cache_folder().is_dir()
    assert caching.cache_folder() != cache


class Liar(http.server.BaseHTTPRequestHandler):
    """Announces more than it sends, or answers what MLflow would not."""

    def do_GET(self) -> None:
        if self.path.startswith("/api"):
            body = b'{"run": {"info": {"status": "FINISHED"}}}'
            self.reply(200, len(body), body)
        else:
            self.reply(200, 100, b"too short")

    def do_POST(self) -> None:
        if "experiments" in self.path:
            self.reply(200, 6, b"<html>")
        else:
            self.reply(503, 4, b"busy")

    def reply(self, status: int, announced: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def liar(own_services: Settings) -> Iterator[Settings]:
    """Settings of a server that is no MLflow."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield own_services.model_copy(update={"mlflow_tracking_port": server.server_address[1]})
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_that_breaks_off_is_not_kept(liar: Settings, cache: Path) -> None:
    with pytest.raises(RecArenaError, match=r"broke off after 9 of 100 bytes|does not answer"):
        download(liar, "a" * 32, PER_USER)
    assert not [one for one in cache.rglob("*") if one.is_file()]


def test_a_server_that_is_no_mlflow_is_named(liar: Settings) -> None:
    with pytest.raises(RecArenaError, match="answered with something else; is it MLflow"):
        mlflow_rest.ask(liar, "experiments/search", body={})
    with pytest.raises(RecArenaError, match=r"MLflow at http://127.0.0.1:\d+: status 503"):
        mlflow_rest.ask(liar, "runs/search", body={})


def test_a_server_with_accounts_gets_ours(own_services: Settings) -> None:
    given = {"mlflow_tracking_username": "me", "mlflow_tracking_password": SecretStr("secret")}
    settings = own_services.model_copy(update=given)
    assert mlflow_rest._headers(settings, None) == {"Authorization": "Basic bWU6c2VjcmV0"}


def test_values_are_numbers_of_64_bits(own_services: Settings, runs: Runs) -> None:
    run_id = runs.make(user_id=[2**40, 1], hit_rate_at_k=[1, 0])
    found = per_user(own_services, [run_id], "hit_rate_at_k")
    assert found.user_ids.tolist() == [1, 2**40]
    assert found.values.dtype == np.float64
