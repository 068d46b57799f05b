"""What goes wrong says so, leaves nothing half done, and can be tried again."""

import hashlib
import io
import json
import pickle
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from compose.conftest import wipe
from compose.stack import Stack, docker, eventually
from table_models import synthetic
from utils.abandoned import ABANDONED
from utils.run_end import SILENT_SECONDS

pytestmark = pytest.mark.compose
ENDED = ("FINISHED", "FAILED")


@contextmanager
def paused_run(stack: Stack, service: str = "pipeline_svd") -> Iterator[str]:
    """A run that has begun, its container stopped in the middle until the block ends."""
    before = {run["id"] for run in stack.runs()}
    stack("--profile", service, "up", "-d", "--force-recreate", "--no-deps", service)
    container = stack.container(service)
    eventually(lambda: {run["id"] for run in stack.runs()} - before)
    docker("pause", container)
    try:
        yield container
    finally:
        docker("unpause", container, check=False)


def newest(stack: Stack) -> dict[str, Any]:
    return stack.runs()[0]


def check_files(stack: Stack, run: dict[str, Any]) -> None:
    """Nothing unfinished is on the FTP server, and a finished run's model is whole."""
    assert not [name for name in stack.files() if name.startswith(".incoming")]
    where = f"{run['uri'].removeprefix('mlflow-artifacts:/')}/models/{run['tags']['pipeline']}.pkl"
    if run["status"] == "FINISHED" or where in stack.files():
        code = f"import sys; sys.stdout.write(open('/srv/ftp/{where}', 'rb').read().hex())"
        content = bytes.fromhex(stack("exec", "-T", "ftp-server", "python", "-c", code).stdout)
        assert pickle.load(io.BytesIO(content))
        if "model_sha256" in run["tags"]:
            assert hashlib.sha256(content).hexdigest() == run["tags"]["model_sha256"]


def next_run_works(stack: Stack) -> None:
    stack("run", "--rm", "-T", "pipeline_svd")
    assert newest(stack)["status"] == "FINISHED"
    check_files(stack, newest(stack))


def test_a_data_set_that_is_not_there(stack: Stack) -> None:
    done = stack("run", "--rm", "-T", "load", check=False, DATASET="ml-1m")
    assert done.returncode == 1
    assert "error: there is no folder /app/data/ml-1m with ml-1m; get it with" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_password(stack: Stack) -> None:
    up = ("--profile", "pipeline_random", "up", "-d", "pipeline_random")
    done = stack(*up, check=False, POSTGRES_PASSWORD="wrong")
    said = docker("logs", stack.container("migrate"))
    stack.settle()
    assert done.returncode != 0
    assert "migrate" in done.stderr
    assert "refuses user recarena: check POSTGRES_USER and its password" in said.splitlines()[-1]
    assert "wrong" not in said
    stack("run", "--rm", "-T", "pipeline_random")


def test_a_port_that_is_taken(stack: Stack) -> None:
    other = Stack(f"{stack.name}-ports", stack.folder, stack.command, dict(stack.settings))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        other.settings["DB_PORT"] = port
        done = other("up", "-d", "db", check=False)
        assert done.returncode != 0
        assert port in done.stderr
        assert "in use" in done.stderr or "allocated" in done.stderr
    other("up", "-d", "db")  # now it is free
    wipe(other)


def test_the_store_is_killed_in_the_middle_of_a_run(stack: Stack) -> None:
    with paused_run(stack) as container:
        docker("kill", stack.container("ftp-server"))
    status = docker("wait", container)
    said = docker("logs", container).splitlines()[-1]
    stack.settle()
    run = newest(stack)
    assert (run["status"], status) == ("FAILED", "75")
    assert "the FTP server may be down" in run["tags"]["failure"]
    assert "the FTP server may be down" in said
    assert "is kept in /var/spool/recarena/" in said
    check_files(stack, run)
    assert f"run {run['id']}" in stack("run", "--rm", "-T", "push").stdout
    assert newest(stack)["status"] == "FINISHED"
    check_files(stack, newest(stack))
    assert "the outbox is empty" in stack("run", "--rm", "-T", "push").stdout
    next_run_works(stack)


@pytest.mark.long
@pytest.mark.parametrize("service", ["db", "ftp-server", "mlflow-server"])
@pytest.mark.parametrize("seconds", [0, 3])
def test_a_service_is_killed_and_comes_back(stack: Stack, service: str, seconds: int) -> None:
    with paused_run(stack) as container:
        docker("kill", stack.container(service))
    time.sleep(seconds)
    stack("up", "-d", "--no-deps", service)
    status = docker("wait", container)
    stack.settle()
    run = newest(stack)
    assert run["status"] in ENDED, docker("logs", container)
    assert (status == "0") == (run["status"] == "FINISHED"), docker("logs", container)
    assert ("failure" in run["tags"]) == (run["status"] == "FAILED")
    assert "Traceback" not in docker("logs", container)
    check_files(stack, run)
    next_run_works(stack)


@contextmanager
def disconnected(container: str) -> Iterator[None]:
    """A container without its network, which it gets back under its own names at the end."""
    (told,) = json.loads(docker("inspect", container))
    ((network, joined),) = told["NetworkSettings"]["Networks"].items()
    aliases = [word for name in joined["Aliases"] for word in ("--alias", name)]
    docker("network", "disconnect", network, container)
    try:
        yield
    finally:
        docker("network", "connect", *aliases, network, container)


@pytest.mark.long
@pytest.mark.parametrize("service", ["pipeline_svd", "mlflow-server", "ftp-server"])
def test_the_network_is_cut(stack: Stack, service: str) -> None:
    with paused_run(stack) as container, disconnected(stack.container(service)):
        docker("unpause", container)
        status = docker("wait", container)
    stack.settle()
    said = docker("logs", container)
    assert "Traceback" not in said
    if status == "75":
        assert "is kept in /var/spool/recarena/" in said.splitlines()[-1]
        # a container that was cut off counts as unhealthy for a while after it is back
        eventually(lambda: stack("run", "--rm", "-T", "push", check=False).returncode == 0)
        assert newest(stack)["status"] == "FINISHED"
    else:  # it had not read its data yet
        assert status == "1", said
        assert newest(stack)["status"] != "FINISHED"
    check_files(stack, newest(stack))
    next_run_works(stack)


@pytest.mark.long
def test_the_database_is_gone_when_a_run_reads(stack: Stack) -> None:
    stack("run", "--rm", "-T", "migrate")
    docker("kill", stack.container("db"))
    done = stack("run", "--rm", "-T", "--no-deps", "pipeline_random", check=False)
    stack.settle()
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    next_run_works(stack)


@pytest.mark.long
def test_a_killed_run_is_ended_by_the_next(stack: Stack) -> None:
    with paused_run(stack) as container:
        docker("kill", container)
    run_id = newest(stack)["id"]
    assert newest(stack)["status"] == "RUNNING"
    time.sleep(SILENT_SECONDS + 15)
    next_run_works(stack)
    (run,) = (one for one in stack.runs() if one["id"] == run_id)
    assert (run["status"], run["tags"]["failure"]) == ("FAILED", ABANDONED)
    check_files(stack, run)


def test_a_run_that_is_stopped_says_so(stack: Stack) -> None:
    before = {run["id"] for run in stack.runs()}
    stack("--profile", "pipeline_svd", "up", "-d", "--force-recreate", "--no-deps", "pipeline_svd")
    container = stack.container("pipeline_svd")
    eventually(lambda: {run["id"] for run in stack.runs()} - before)
    docker("stop", "--time", "60", container)
    assert docker("wait", container) == "143", docker("logs", container)
    assert newest(stack)["status"] == "KILLED"


@pytest.mark.long
def test_the_database_is_killed_while_it_is_loaded(stack: Stack) -> None:
    folder = stack.folder / "data/synthetic"
    synthetic.generate(folder, users=20_000, movies=5_000, ratings=4_000_000, seed=1)
    schema = stack.settings["DATASET"].replace("-", "_")
    before = stack.sql(f"select count(*) from {schema}.ratings")
    loading = stack.start("run", "--rm", "-T", "load", "synthetic")
    copying = "select count(*) from pg_stat_activity where query ilike 'copy%ratings%'"
    eventually(lambda: stack.sql(copying) != "0")
    docker("kill", stack.container("db"))
    said, _ = loading.communicate(timeout=120)
    stack.settle()
    assert loading.returncode != 0
    assert "the database went away while loading" in said, said
    assert "Traceback" not in said
    assert stack.sql(f"select count(*) from {schema}.ratings") == before
    assert stack.sql("select to_regclass('synthetic.ratings') is null or "
                     "(select count(*) = 0 from synthetic.ratings)") == "t"  # fmt: skip
    assert stack.sql("select count(*) from pg_namespace where nspname like '%loading'") == "0"
    stack("run", "--rm", "-T", "load", "synthetic")
    assert stack.sql("select count(*) from synthetic.ratings") == "4000000"
    stack.sql("drop schema synthetic cascade")


def test_compose_1_with_passwords_in_files(
    stack: Stack, compose_1: list[str], dataset: Path
) -> None:
    """The first generation of Compose runs it too, and with secrets that only files hold."""
    files = ["-f", "docker-compose.yml", "-f", "docker-compose.secrets.yml"]
    settings = stack.settings | Stack.ports()
    older = Stack(f"{stack.name}-old", stack.folder, [*compose_1, *files], settings)
    secrets = {"postgres_password": "in a file: p@$$'w\"ord", "ftp_user_pass": "f%t p#2/ö"}
    (stack.folder / "secrets").mkdir()
    for name, text in secrets.items():
        (stack.folder / "secrets" / name).write_text(text + "\n", encoding="utf-8")
    try:
        older("up", "-d")
        older("run", "--rm", "load")
        older("--profile", "pipeline_random", "up", "-d")
        container = older.container("pipeline_random")
        assert docker("wait", container) == "0", docker("logs", container)
        run = newest(older)
        assert run["status"] == "FINISHED"
        told = docker("inspect", *older("ps", "--all", "-q").stdout.split())
        told += older("logs", "--no-color").stdout
        assert not any(text in told for text in secrets.values())
    finally:
        wipe(older)
