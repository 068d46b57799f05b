"""Runs whose tracker, artifact store or both are killed under them: nothing is lost.

The servers are the module's own; they are killed one after the other, and started again once.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowEntity
from pydantic import SecretStr

from conftest import HOST, as_environment, make_settings
from core.errors import RecArenaError, UndeliveredError
from core.paths import ROOT
from core.settings import Settings
from pipelines.random.model import Random, RandomParams
from table_models import loader, synthetic
from table_models.datasets import find
from utils import mlflow_run, outbox, run_end
from utils.local_services import status, up, wipe
from utils.ports import free_port
from utils.push import push
from utils.runner import Pipeline
from utils.tracker_errors import FILES_AWAY
from utils.tracking import MlflowTracker, Run

PARAMS: Mapping[str, object] = {"factors": 7, "protocol.k": 10}
METRICS = {"ndcg_at_k": 0.1 + 0.2, "fit_seconds": 1.5}
NOTHING_TRAINED = "nothing was trained, because its results could not be stored"
STAGES = ("begun", "params", "curves", "files", "metrics")


def log(run: Run, stage: str, folder: Path) -> None:
    """Log what a run logs, one step of it."""
    steps: dict[str, Callable[[], None]] = {
        "params": lambda: run.log_params(PARAMS),
        "curves": lambda: run.log_epoch(1, {"loss": 0.5}),
        "files": lambda: run.log_folder(folder),
        "metrics": lambda: run.log_metrics(METRICS),
    }
    steps[stage]()


def until(run: Run, last: str, folder: Path) -> None:
    """Log what a run logs, up to a stage."""
    for stage in STAGES[1 : STAGES.index(last) + 1]:
        log(run, stage, folder)


def rest(run: Run, done: str, folder: Path) -> None:
    """Log what a run logs after a stage."""
    for stage in STAGES[STAGES.index(done) + 1 :]:
        log(run, stage, folder)


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a run's files."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "models").mkdir()
    (folder / "models/x.pkl").write_bytes(os.urandom(100_000))
    return folder


@pytest.fixture(scope="module")
def home(reachable_folder: Callable[[], Path]) -> Path:
    return reachable_folder() / "services"


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Running services of the module's own, with a small data set."""
    given = make_settings(
        db_port=free_port(HOST),
        ftp_port=free_port(HOST),
        mlflow_tracking_port=free_port(HOST),
        postgres_password=SecretStr(secrets.token_hex(8)),
        ftp_user_pass=SecretStr(secrets.token_hex(8)),
        outbox=home.with_name("outbox"),
        tracker_patience=0,
        dataset="synthetic",
    )
    try:
        real = up(given, print, home)
        folder = tmp_path_factory.mktemp("data") / "synthetic"
        synthetic.generate(folder, users=200, movies=150, ratings=8000, seed=1)
        loader.load(real, find("synthetic"), folder)
        yield real
    finally:
        wipe(print, home)


def kill(home: Path, name: str) -> None:
    """Kill a service, and what it has started."""
    (pid,) = (one.pid for one in status(home) if one.name == name)
    server = psutil.Process(pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)


def kept(settings: Settings) -> set[str]:
    return {folder.name for folder in outbox.waiting(settings.outbox)}


@pytest.fixture
def no_tries(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """MLflow's client does not ask again, so that the tests are quick."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)


def test_a_run_that_is_killed_at_any_stage_is_never_finished(
    settings: Settings, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = as_environment(settings) | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    }
    command = [sys.executable, __file__, str(away)]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    monkeypatch.setattr(run_end, "SILENT_SECONDS", -1)
    MlflowTracker(settings)
    query = "tags.pipeline = 'killed'"
    found = mlflow.search_runs([], query, search_all_experiments=True, output_format="list")
    assert {one.info.run_name for one in found} == {*STAGES}
    assert {one.info.status for one in found} == {"FAILED"}
    assert kept(settings) == set()


@pytest.mark.usefixtures("no_tries")
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_who_interrupts_the_wait_at_the_end_loses_nothing(
    settings: Settings, away: Path, monkeypatch: pytest.MonkeyPatch, interrupt: type[BaseException]
) -> None:
    """The tracker does not answer any more; the run would wait for an hour."""
    patient = settings.model_copy(update={"tracker_patience": 3600})

    def sleep(seconds: float) -> None:
        raise interrupt

    def fail(*_: object) -> None:
        raise ConnectionRefusedError("nobody there")

    with ExitStack() as block:
        run = block.enter_context(MlflowTracker(patient).run("x", {"pipeline": "x"}, ""))
        until(run, "files", away)
        monkeypatch.setattr(mlflow_run, "apply", fail)
        monkeypatch.setattr(mlflow_run.time, "sleep", sleep)
        with pytest.raises(UndeliveredError, match="nobody there; the run is kept in"):
            block.close()
        monkeypatch.undo()
    assert push(settings, lambda _: None) == 1
    assert mlflow.get_run(run.id).info.status == "FINISHED"
    assert mlflow.get_run(run.id).data.metrics["learning/loss"] == 0.5


@pytest.mark.usefixtures("no_tries")
def test_everything_is_kept_and_delivered_when_the_services_are_back(
    settings: Settings, home: Path, away: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker = MlflowTracker(settings)
    runs: dict[str, Run] = {}
    blocks = {"full": ExitStack()}
    for stage in STAGES:
        blocks[stage] = ExitStack()
        runs[stage] = blocks[stage].enter_context(tracker.run(stage, {"pipeline": "x"}, "words"))
        until(runs[stage], stage, away)
    back = blocks["back"] = ExitStack()
    comes_back = back.enter_context(tracker.run("back", {"pipeline": "x"}, "words"))
    client = MlflowClient()

    up(settings.model_copy(update={"ftp_keep_free_mib": 1 << 40}), print, home)
    with blocks["full"] as block:
        full = block.enter_context(tracker.run("full", {"pipeline": "x"}, "words"))
        rest(full, "begun", away)
        with pytest.raises(UndeliveredError, match=r"files: .*No space left.*; the run is kept in"):
            block.close()
    assert client.get_run(full.id).info.status == "FAILED"
    with pytest.raises(SystemExit, match=NOTHING_TRAINED):
        Pipeline("random", Random, RandomParams, tmp_path).main([])
    up(settings, print, home)

    def recommender(params: RandomParams) -> Random:
        kill(home, "ftp")
        return Random(params)

    with pytest.raises(SystemExit) as ended:
        Pipeline("random", recommender, RandomParams, tmp_path).main([])
    assert ended.value.code == 75
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: random: MLflow {FILES_AWAY}; the run is kept in "
        f"{outbox.waiting(settings.outbox)[-1]}, "
        "`recarena push` delivers it"
    )
    (by_store,) = kept(settings) - {full.id}
    assert client.get_run(by_store).info.status == "FAILED"
    assert "is kept in" in client.get_run(by_store).data.tags["failure"]

    with pytest.raises(SystemExit, match=NOTHING_TRAINED):
        Pipeline("random", Random, RandomParams, tmp_path).main([])
    assert kept(settings) == {by_store, full.id}

    kill(home, "mlflow")
    for stage, run in runs.items():
        rest(run, stage, away)
        with pytest.raises(UndeliveredError, match=r"is kept in .*, `recarena push` delivers it"):
            blocks[stage].close()
    rest(comes_back, "begun", away)
    wanted = {run.id for run in runs.values()} | {by_store, full.id}
    assert kept(settings) == wanted
    with pytest.raises(RecArenaError, match="does not answer"):
        MlflowTracker(settings)
    with pytest.raises(UndeliveredError, match="7 of 7 stay in"):
        push(settings, lambda line: None)
    check_that_no_secret_is_kept(settings)

    up(settings, print, home)
    back.close()
    found = client.get_run(comes_back.id)
    assert (found.info.status, found.data.metrics["fit_seconds"]) == ("FINISHED", 1.5)
    records = [outbox.read(folder) for folder in outbox.waiting(settings.outbox)]
    ends = {one.id: one.entries[-1].content["at"] for one in records}
    states = {run_id: client.get_run(run_id).info.status for run_id in wanted}
    assert "FINISHED" not in states.values()
    said: list[str] = []
    assert push(settings, said.append) == 7
    assert kept(settings) == set()
    for run_id in wanted:
        check_delivered(client.get_run(run_id), ends[run_id])
    for run in runs.values():
        check_content(client, run.id, away)
    assert push(settings, said.append) == 0


def check_that_no_secret_is_kept(settings: Settings) -> None:
    hidden = {settings.postgres_password, settings.ftp_user_pass}
    for file in [one for one in settings.outbox.rglob("*") if one.is_file()]:
        assert not any(one.get_secret_value().encode() in file.read_bytes() for one in hidden)


def check_delivered(run: MlflowEntity, end: int) -> None:
    assert (run.info.status, run.info.end_time) == ("FINISHED", end)
    assert run.data.tags["pipeline"] in ("x", "random")
    assert "failure" not in run.data.tags
    assert run.data.metrics.keys() >= METRICS.keys()
    assert MlflowClient().list_artifacts(run.info.run_id, "models")


def check_content(client: MlflowClient, run_id: str, folder: Path) -> None:
    data = client.get_run(run_id).data
    assert data.metrics["ndcg_at_k"] == METRICS["ndcg_at_k"]
    assert data.params == {"factors": "7", "protocol.k": "10"}
    with TemporaryDirectory() as target:
        came = client.download_artifacts(run_id, "models/x.pkl", target)
        assert Path(came).read_bytes() == (folder / "models/x.pkl").read_bytes()


def die_in_every_stage(folder: Path) -> None:
    """Begin a run for every stage, and be killed when it has come there."""
    tracker = MlflowTracker(Settings.load())
    with ExitStack() as stack:
        for stage in STAGES:
            run = stack.enter_context(tracker.run(stage, {"pipeline": "killed"}, ""))
            until(run, stage, folder)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_in_every_stage(Path(sys.argv[1]))
