"""The documented way, from nothing to eleven finished runs, beside the same without containers."""

import ftplib
import hashlib
import io
import json
import pickle
import time

import pytest

from compose.conftest import python
from compose.stack import Stack, docker
from conftest import as_environment
from core.settings import Settings
from utils.leaderboard import entries
from utils.runner import pipeline_files

pytestmark = pytest.mark.compose
NAMES = sorted(pipeline_files())
SERVICES = ("db", "ftp-server", "mlflow-server")
OF_THE_MACHINE = ("_seconds", "peak_memory_mib", "system/", "learning/")


@pytest.fixture(scope="module")
def finished(stack: Stack) -> Stack:
    """The stack after a run of every recommender, all at once."""
    stack("--profile", "pipelines", "up", "-d")
    ids = {name: stack.container(f"pipeline_{name.lower()}") for name in NAMES}
    for name, container in ids.items():
        assert docker("wait", container) == "0", docker("logs", container) + name
    return stack


def judged(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics that do not depend on the machine."""
    return {
        name: value
        for name, value in metrics.items()
        if not any(part in name for part in OF_THE_MACHINE)
    }


def test_every_run_is_finished(finished: Stack) -> None:
    assert sorted(finished.finished()) == NAMES
    newest = finished.runs()[: len(NAMES)]
    assert sorted(run["tags"]["pipeline"] for run in newest) == NAMES
    assert {run["status"] for run in newest} == {"FINISHED"}


@pytest.fixture(scope="module")
def without_containers(reference: Settings) -> dict[str, dict[str, float]]:
    """The metrics of the same recommenders as plain processes, on the same data."""
    for name in NAMES:
        done = python(as_environment(reference), "-m", f"pipelines.{name}.pipeline_{name.lower()}")
        assert done.returncode == 0, done.stderr
    return {one.pipeline: one.metrics for one in entries(reference)}


@pytest.mark.parametrize("name", NAMES)
def test_its_metrics_are_those_without_containers(
    finished: Stack, without_containers: dict[str, dict[str, float]], name: str
) -> None:
    here = judged(finished.finished()[name]["metrics"])
    there = judged(without_containers[name])
    assert here == there
    assert here["recall_at_k"] >= 0


@pytest.mark.parametrize("name", NAMES)
def test_its_model_is_on_the_ftp_server_and_loads(finished: Stack, name: str) -> None:
    run = finished.finished()[name]
    where = f"{run['uri'].removeprefix('mlflow-artifacts:/')}/models/{name}.pkl"
    assert finished.files()[where] > 0
    content = io.BytesIO()
    with ftplib.FTP(timeout=20) as server:  # as anybody on this machine, through published ports
        server.connect("127.0.0.1", int(finished.settings["FTP_PORT"]))
        server.login("recarena", "recarena")
        server.set_pasv(True)
        server.trust_server_pasv_ipv4_address = True
        server.af = server.sock.family
        server.retrbinary(f"RETR /{where}", content.write)
    assert hashlib.sha256(content.getvalue()).hexdigest() == run["tags"]["model_sha256"]
    assert hasattr(pickle.loads(content.getvalue()), "recommend")


def test_a_host_client_is_told_where_the_ports_are_published(finished: Stack) -> None:
    with ftplib.FTP(timeout=20) as server:
        server.connect("127.0.0.1", int(finished.settings["FTP_PORT"]))
        server.login("recarena", "recarena")
        assert server.sendcmd("PASV").startswith("227 Entering passive mode (127,0,0,1,")


def test_what_the_database_holds_is_what_was_loaded(finished: Stack) -> None:
    schema = finished.settings["DATASET"].replace("-", "_")
    rows = (finished.folder / "data" / finished.settings["DATASET"]).glob("ratings.*")
    (file,) = rows
    lines = len(file.read_text().splitlines()) - (file.suffix == ".csv")
    assert finished.sql(f"select count(*) from {schema}.ratings") == str(lines)


def test_flags_and_environment_reach_the_run(finished: Stack) -> None:
    finished("run", "--rm", "-T", "pipeline_svd", "--factors", "7")
    finished("run", "--rm", "-T", "-e", "FACTORS=6", "pipeline_svd", "--n-test", "3")
    newest, before = finished.runs()[:2]
    assert (newest["params"]["factors"], newest["params"]["protocol.n_test"]) == ("6", "3")
    assert (before["params"]["factors"], before["params"]["protocol.n_test"]) == ("7", "5")


def test_a_mistake_is_one_line_and_a_status(finished: Stack) -> None:
    done = finished("run", "--rm", "-T", "pipeline_svd", "--factors", "0", check=False)
    assert done.returncode == 1
    assert "error: SVD: FACTORS=0" in done.stderr
    assert "Traceback" not in done.stderr


def on_the_host(stack: Stack, *args: str) -> str:
    own = {name: stack.settings[name] for name in ("DB_PORT", "MLFLOW_TRACKING_PORT", "DATASET")}
    hosts = {"DB_HOST": "127.0.0.1", "MLFLOW_TRACKING_HOST": "127.0.0.1"}
    done = python(own | hosts, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tools_on_the_host_speak_to_the_containers(finished: Stack) -> None:
    on_the_host(finished, "-m", "alembic", "upgrade", "head")
    assert "SVD: run " in on_the_host(finished, "-m", "cli", "run", "SVD", "--set", "factors=9")
    found = json.loads(on_the_host(finished, "-m", "cli", "leaderboard", "--format", "json"))
    assert {one["pipeline"] for one in found} == set(NAMES)
    assert "9" in {one["params"].get("factors") for one in found}


def test_no_secret_is_where_it_does_not_belong(empty_stack: Stack, finished: Stack) -> None:
    passwords = {"POSTGRES_PASSWORD": "hidden-postgres", "FTP_USER_PASS": "hidden-ftp"}
    images = docker("images", "--quiet", "--filter", f"reference={finished.name}-*").split()
    assert len(images) > len(NAMES)
    for image in set(images):
        told = docker("history", "--no-trunc", image) + docker("inspect", image)
        assert "recarena:recarena" not in told
        assert not any(name in told for name in passwords)
    ftp = "ftp://recarena:recarena@"
    answers = json.dumps(
        [finished.mlflow("experiments/search", {"max_results": 9}), finished.runs()]
    )
    dump = "import sqlite3; print(*sqlite3.connect('/mlflow/mlflow.db').iterdump())"
    database = finished("exec", "-T", "mlflow-server", "python", "-c", dump).stdout
    logs = finished("--profile", "pipelines", "logs").stdout
    for text in (answers, database, logs):
        assert len(text) > 100
        assert ftp not in text
        assert ":recarena@" not in text
    for name in NAMES:
        told = docker("inspect", finished.container(f"pipeline_{name.lower()}"))
        assert "FTP_USER" not in told
        assert "POSTGRES_PASSWORD=" not in told


def test_services_are_confined(finished: Stack) -> None:
    for service in (*SERVICES, *(f"pipeline_{name.lower()}" for name in NAMES)):
        state = finished.state(service)
        host = state["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert state["Config"]["User"] in ("10001", "postgres"), service
        assert all(
            binding["HostIp"] == "127.0.0.1"
            for bindings in host["PortBindings"].values()
            for binding in bindings
        )


def test_images_hold_no_compiler_and_no_poetry(finished: Stack) -> None:
    for service in ("pipeline_svd", "mlflow-server", "ftp-server", "migrate"):
        image = finished.state(service)["Image"]
        look = "command -v gcc cc g++ clang poetry; exit 0"
        found = docker("run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", look)
        assert found == "", service


def test_the_same_lock_gives_the_same_packages(finished: Stack) -> None:
    locked = (finished.folder / "requirements.txt").read_text()
    for service in ("pipeline_svd", "mlflow-server", "ftp-server", "migrate"):
        image = finished.state(service)["Image"]
        entry = ("run", "--rm", "--network", "none", "--entrypoint", "python", image)
        found = json.loads(docker(*entry, "-m", "pip", "list", "--format", "json"))
        named = {one["name"].lower().replace("_", "-"): one["version"] for one in found}
        for name in ("pip", "setuptools", "wheel", "recarena"):  # the image's own, and ours
            named.pop(name, None)
        wrong = [f"{name}=={version}" for name, version in named.items()
                 if f"\n{name}=={version} " not in f"\n{locked}"]  # fmt: skip
        assert wrong == [], service


def test_pipelines_wait_for_each_other_in_the_database(finished: Stack) -> None:
    """Four of one recommender at once: each has a run of its own, and all are finished."""
    before = len(finished.runs())
    up = ("up", "-d", "--no-deps", "--force-recreate", "--scale", "pipeline_random=4")
    finished("--profile", "pipeline_random", *up, "pipeline_random")
    for container in finished("ps", "--all", "--quiet", "pipeline_random").stdout.split():
        assert docker("wait", container) == "0", docker("logs", container)
    new = finished.runs()[: len(finished.runs()) - before]
    assert len(new) == 4
    assert {run["status"] for run in new} == {"FINISHED"}
    assert len({json.dumps(judged(run["metrics"]), sort_keys=True) for run in new}) == 1


def test_down_and_up_keeps_everything(finished: Stack) -> None:
    before = (finished.runs(), finished.files(), finished.sql("select count(*) from pg_tables"))
    finished("--profile", "pipelines", "down")
    finished.settle()
    after = (finished.runs(), finished.files(), finished.sql("select count(*) from pg_tables"))
    assert before == after


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_stops_at_once_when_asked(finished: Stack, service: str) -> None:
    container = finished.container(service)
    begin = time.monotonic()
    docker("stop", "--time", "60", container)
    took = time.monotonic() - begin
    exit_code = finished.state(service)["State"]["ExitCode"]
    finished.settle()
    assert exit_code == 0
    assert took < 10, "the engine would have killed it"
