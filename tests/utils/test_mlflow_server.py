"""The MLflow server: how it is told what to do, whom it lets in, and eleven runs at once."""

import base64
import http.client
import json
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
from pydantic import SecretStr

from conftest import HOST, fresh_database, make_settings
from core.errors import AccessRefusedError, RecArenaError
from core.paths import ROOT
from core.settings import Settings
from utils.doctor import checks
from utils.ftp_address import Address
from utils.local_postgres import LocalPostgres
from utils.local_services import status, up, wipe
from utils.mlflow_server import (
    FORM_KEY,
    allowed_hosts,
    artifacts_destination,
    make_ready,
    mlflow_command,
    mlflow_environment,
)
from utils.ports import free_port
from utils.service_answers import ARTIFACTS, ask_artifacts, ask_mlflow
from utils.tracking import MlflowTracker

HIDDEN = {
    "ftp_user_pass": SecretStr("p@ss:w/rd %"),
    "backend_store_uri": SecretStr("postgresql://eve:hidden@db/runs"),
}

PASSWORD = "a password of its own"
ADMIN = {"mlflow_admin_user": "boss", "mlflow_admin_pass": SecretStr(PASSWORD)}


def test_secrets_are_in_the_environment_and_not_in_the_command(tmp_path: Path) -> None:
    settings = make_settings(**HIDDEN, ftp_port=2121)
    environment = mlflow_environment(settings, tmp_path)
    destination = environment["MLFLOW_ARTIFACTS_DESTINATION"]
    assert destination == "ftp://recarena:p%40ss%3Aw%2Frd%20%25@127.0.0.1:2121/"
    backend = environment["MLFLOW_BACKEND_STORE_URI"]
    assert backend == "postgresql+psycopg2://eve:hidden@db/runs"
    line = " ".join(mlflow_command(settings)[1:])  # the first is a folder of whoever runs this
    assert "ftp" not in line
    assert "hidden" not in line


def test_the_default_backend_is_a_file_in_the_servers_own_folder(tmp_path: Path) -> None:
    environment = mlflow_environment(make_settings(), tmp_path)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "sqlite:///mlflow.db"


@pytest.mark.parametrize("user", ["e ve", "e@ve", "é", "a/b:c", "%41"])
def test_any_account_is_written_so_that_the_store_reads_it(user: str) -> None:
    uri = artifacts_destination(make_settings(ftp_user_name=user, **HIDDEN))
    address = Address.parse(uri)
    assert (address.user, address.password) == (user, HIDDEN["ftp_user_pass"].get_secret_value())
    assert (address.host, address.root, address.tls) == ("127.0.0.1", "/", False)


@pytest.mark.parametrize("name", ["ftp_user_name", "ftp_user_pass"])
def test_an_account_with_a_line_break_is_refused_without_being_shown(
    tmp_path: Path, name: str
) -> None:
    hidden = "eve\r\nDELE everything"
    given = {name: hidden if name == "ftp_user_name" else SecretStr(hidden)}
    with pytest.raises(RecArenaError, match=name.upper()) as caught:
        mlflow_environment(make_settings(**given), tmp_path)
    assert "eve" not in str(caught.value)


def test_the_store_gets_its_limits(tmp_path: Path) -> None:
    given = {"ftp_connect_seconds": 1.5, "ftp_transfer_seconds": 7.0, "ftp_retries": 0}
    environment = mlflow_environment(make_settings(**given), tmp_path)
    found = [float(environment[name.upper()]) for name in given]
    assert found == list(given.values())


def test_an_unknown_backend_is_refused_without_being_shown(tmp_path: Path) -> None:
    unknown = make_settings(backend_store_uri=SecretStr("nonsense://eve:hidden@db/runs"))
    with pytest.raises(RecArenaError, match="BACKEND_STORE_URI") as caught:
        mlflow_environment(unknown, tmp_path)
    assert "hidden" not in str(caught.value)


def test_only_the_hosts_that_are_bound_are_allowed() -> None:
    settings = make_settings(mlflow_tracking_port=5)
    assert allowed_hosts(settings) == ["127.0.0.1:5", "localhost:5"]
    everywhere = allowed_hosts(settings.model_copy(update={"bind_host": "0.0.0.0"}))
    assert f"{socket.gethostname()}:5" in everywhere
    assert not any("*" in host for host in everywhere)


def test_an_administrator_turns_on_the_accounts(tmp_path: Path) -> None:
    assert "--app-name" not in mlflow_command(make_settings())
    settings = make_settings(**ADMIN)
    assert "basic-auth" in mlflow_command(settings)
    assert PASSWORD not in " ".join(mlflow_command(settings))
    environment = mlflow_environment(settings, tmp_path / "server")
    assert environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == PASSWORD
    key = tmp_path / "server" / FORM_KEY
    assert environment["MLFLOW_FLASK_SERVER_SECRET_KEY"] == key.read_text()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert mlflow_environment(settings, tmp_path / "server") == environment


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        (None, "mlflow.db"),
        ("sqlite:///runs.db?timeout=60", "runs.db"),
        ("postgresql://a@h/d", None),
    ],
)
def test_sqlite_gets_a_write_ahead_log(tmp_path: Path, uri: str | None, file: str | None) -> None:
    folder = tmp_path / "server"
    make_ready(make_settings(backend_store_uri=SecretStr(uri) if uri else None), folder)
    assert folder.exists() == bool(file)
    if file:
        with closing(sqlite3.connect(folder / file)) as database:
            assert database.execute("pragma journal_mode").fetchone() == ("wal",)


def test_eleven_runs_at_once_lose_nothing(
    own_services: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.entities import Metric  # noqa: PLC0415

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # a second try would hide a loss
    client = MlflowClient(own_services.tracking_uri)
    experiment = client.create_experiment(own_services.experiment_name)
    steps = range(8)

    def run(number: int) -> str:
        run_id: str = client.create_run(experiment).info.run_id
        for step in steps:
            points = [Metric(f"m{n}", number + n, 1, step) for n in range(10)]
            client.log_batch(run_id, metrics=points)
            client.log_param(run_id, f"p{step}", number)
            client.set_tag(run_id, f"t{step}", number)
        client.set_terminated(run_id)
        return run_id

    with ThreadPoolExecutor(11) as pool:
        ids = list(pool.map(run, range(11)))
    for number, run_id in enumerate(ids):
        found = client.get_run(run_id)
        assert found.info.status == "FINISHED"
        assert found.data.params == {f"p{step}": str(number) for step in steps}
        assert {f"t{step}": str(number) for step in steps}.items() <= found.data.tags.items()
        for n in range(10):
            history = client.get_metric_history(run_id, f"m{n}")
            assert sorted((one.step, one.value) for one in history) == [
                (step, number + n) for step in steps
            ]


def request(
    settings: Settings, method: str, path: str, body: bytes | None = None, **headers: str
) -> http.client.HTTPResponse:
    """A request as a program makes it that knows nothing of our settings."""
    connection = http.client.HTTPConnection(
        settings.mlflow_tracking_host, settings.mlflow_tracking_port, timeout=60
    )
    with closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer


SEARCH = "/api/2.0/mlflow/experiments/search"
ONE = json.dumps({"max_results": 1}).encode()
JSON = {"Content-Type": "application/json"}


def test_another_hosts_name_and_another_sites_script_are_refused(services: Settings) -> None:
    port = services.mlflow_tracking_port
    own = f"localhost:{port}"
    assert request(services, "POST", SEARCH, ONE, Host=own, **JSON).status == 200
    for host in ("evil.example.org", f"evil.example.org:{port}", f"127.0.0.1.evil.org:{port}"):
        assert request(services, "POST", SEARCH, ONE, Host=host, **JSON).status == 403, host
    for origin in ("http://evil.example.org", f"https://evil.example.org:{port}", "null"):
        foreign = {"Host": own, "Origin": origin}
        assert request(services, "POST", SEARCH, ONE, **foreign, **JSON).status == 403, origin
        asked = {**foreign, "Access-Control-Request-Method": "POST"}
        preflight = request(services, "OPTIONS", SEARCH, **asked)
        assert preflight.headers.get("Access-Control-Allow-Origin") != origin
        assert preflight.headers.get("Access-Control-Allow-Origin") != "*"


@pytest.fixture(scope="module")
def guarded(
    postgres_server: LocalPostgres, reachable_folder: Callable[[], Path]
) -> Iterator[tuple[Settings, Path]]:
    """Services whose MLflow asks for a password and keeps runs in PostgreSQL, and their folder."""
    folder = reachable_folder() / "guarded"
    with fresh_database(postgres_server) as database:
        account = f"{database.postgres_user}:{database.postgres_password.get_secret_value()}"
        where = f"{database.db_host}:{database.db_port}/{database.postgres_db}"
        given = make_settings(
            **ADMIN,
            backend_store_uri=SecretStr(f"postgresql://{account}@{where}"),
            db_port=free_port(HOST),
            ftp_port=free_port(HOST),
            mlflow_tracking_port=free_port(HOST),
        )
        try:
            yield up(given, print, folder), folder
        finally:
            wipe(print, folder)


def anonymous(settings: Settings) -> Settings:
    return settings.model_copy(update=dict.fromkeys(ADMIN))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", SEARCH),
        ("POST", SEARCH.replace("/api/", "/ajax-api/")),
        ("GET", ARTIFACTS),
        ("PUT", f"{ARTIFACTS}/stranger.txt"),
        ("GET", "/"),
        ("GET", "/version"),
    ],
)
def test_without_a_password_nothing_is_told(
    guarded: tuple[Settings, Path], method: str, path: str
) -> None:
    settings, _ = guarded
    assert request(settings, method, path, ONE if method != "GET" else None, **JSON).status == 401
    files = [file.name for file in (guarded[1] / "ftp").rglob("*")]
    assert "stranger.txt" not in files


def test_a_password_does_not_help_another_host_or_site(guarded: tuple[Settings, Path]) -> None:
    settings, _ = guarded
    own = f"localhost:{settings.mlflow_tracking_port}"
    account = base64.b64encode(f"boss:{PASSWORD}".encode()).decode()
    known = {"Authorization": f"Basic {account}"} | JSON
    assert request(settings, "POST", SEARCH, ONE, Host=own, **known).status == 200
    foreign = {"Host": own, "Origin": "http://evil.example.org"}
    assert request(settings, "POST", SEARCH, ONE, **foreign, **known).status == 403
    evil = {"Host": "evil.example.org"}
    assert request(settings, "POST", SEARCH, ONE, **evil, **known).status == 403


def test_strangers_are_told_what_to_set(
    guarded: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = anonymous(guarded[0])
    for ask in (ask_mlflow, ask_artifacts):
        with pytest.raises(AccessRefusedError, match="set MLFLOW_TRACKING_USERNAME and") as caught:
            ask(stranger, 30)
        assert "\n" not in str(caught.value)
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    with pytest.raises(RecArenaError, match="set MLFLOW_TRACKING_USERNAME and") as told:
        MlflowTracker(stranger)
    assert "\n" not in str(told.value)
    wrong = guarded[0].model_copy(update={"mlflow_admin_pass": SecretStr("not the password")})
    with pytest.raises(AccessRefusedError, match="refuses the password of boss") as refused:
        ask_mlflow(wrong, 30)
    assert "not the password" not in str(refused.value)
    found = {check.name: check for check in checks(stranger)}
    assert not found["MLflow"].ok
    assert "asks for a password" in found["MLflow"].detail


def test_the_containers_health_check_knows_the_password(guarded: tuple[Settings, Path]) -> None:
    settings = guarded[0]
    where = {
        "MLFLOW_TRACKING_HOST": settings.mlflow_tracking_host,
        "MLFLOW_TRACKING_PORT": str(settings.mlflow_tracking_port),
        "MLFLOW_ADMIN_USER": "boss",
    }
    check = [sys.executable, str(ROOT / "docker" / "healthy.py"), "mlflow"]
    for password, healthy in ((PASSWORD, True), ("not the password", False)):
        environment = where | {"MLFLOW_ADMIN_PASS": password}
        done = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is healthy, done.stderr
        assert healthy or "401" in done.stderr


def test_with_a_password_a_run_works_and_is_kept_in_postgresql(
    guarded: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings, folder = guarded
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "unset at the end")
    (tmp_path / "note.txt").write_text("kept")
    with MlflowTracker(settings).run("guarded", {"pipeline": "SVD"}, "a test") as run:
        run.log_params({"factors": 7})
        run.log_folder(tmp_path)
    found = {check.name: check for check in checks(settings)}
    assert found["MLflow"].ok
    assert "asks for a password" in found["MLflow"].detail
    assert settings.backend_store_uri
    with closing(psycopg2.connect(settings.backend_store_uri.get_secret_value())) as database:
        cursor = database.cursor()
        cursor.execute("select status from runs where run_uuid = %s", (run.id,))
        assert cursor.fetchall() == [("FINISHED",)]
    assert not (folder / "mlflow" / "mlflow.db").exists()
    assert [file.read_text() for file in (folder / "ftp").rglob("note.txt")] == ["kept"]


def test_no_password_is_readable_and_no_process_is_there_but_the_server(
    guarded: tuple[Settings, Path],
) -> None:
    _, folder = guarded
    for file in folder.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file
    (pid,) = [one.pid for one in status(folder) if one.name == "mlflow"]
    assert pid
    leader = psutil.Process(pid)
    family = [leader, *leader.children(recursive=True)]
    assert [one.name() for one in family if "huey" in " ".join(one.cmdline())] == []
    assert len(family) == 2, [one.cmdline() for one in family]
    for process in family:
        assert PASSWORD not in " ".join(process.cmdline())
        assert process.environ()["MLFLOW_DISABLE_TELEMETRY"] == "true"
        assert process.environ()["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
