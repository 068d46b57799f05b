"""Runs end as they should in a real MLflow, also those whose process was killed."""

import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from conftest import as_environment
from core.paths import ROOT
from core.settings import Settings
from utils import abandoned, outbox, run_end
from utils.delivery import Entry
from utils.outbox import Record
from utils.tracking import MlflowTracker

KILLED = """
import os, signal
from core.settings import Settings
from utils.tracking import MlflowTracker
with MlflowTracker(Settings.load()).run("x", {"pipeline": "x"}, "") as run:
    print(run.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
STUCK = """
import hashlib
from core.settings import Settings
from utils.termination import termination
from utils.tracking import MlflowTracker
termination.install()
with MlflowTracker(Settings.load()).run("x", {"pipeline": "x"}, "") as run:
    print(run.id, flush=True)
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2**31 - 1)
"""


@pytest.fixture
def client(services: Settings) -> MlflowClient:
    mlflow.set_tracking_uri(services.tracking_uri)
    return MlflowClient()


def start(services: Settings, code: str) -> tuple[subprocess.Popen[str], str]:
    environment = as_environment(services) | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def test_a_killed_run_is_ended_by_the_next_one(
    services: Settings, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, run_id = start(services, KILLED)
    process.communicate()
    assert client.get_run(run_id).info.status == "RUNNING"
    MlflowTracker(services)
    assert client.get_run(run_id).info.status == "RUNNING", "it may be alive"
    monkeypatch.setattr(run_end, "SILENT_SECONDS", 0)
    time.sleep(1.1)
    MlflowTracker(services)
    found = client.get_run(run_id)
    assert (found.info.status, found.data.tags["failure"]) == ("FAILED", abandoned.ABANDONED)


def test_other_peoples_runs_and_living_ones_stay(
    services: Settings, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = services.model_copy(update={"experiment_name": "of 'several' programs"})
    assert abandoned.close_abandoned(settings) == []
    experiment = client.create_experiment(settings.experiment_name)
    foreign = client.create_run(experiment).info.run_id
    living = client.create_run(experiment, tags={run_end.ALIVE: "0"}).info.run_id
    monkeypatch.setattr(run_end, "BEAT_SECONDS", 0.05)
    with run_end.alive(living):
        while client.get_run(living).data.tags[run_end.ALIVE] == "0":
            time.sleep(0.05)
        assert abandoned.close_abandoned(settings) == []
    for run_id in (foreign, living):
        client.set_terminated(run_id)


def test_a_run_that_was_taken_for_dead_ends_well_after_all(
    services: Settings, client: MlflowClient
) -> None:
    settings = services.model_copy(update={"experiment_name": "taken for dead"})
    experiment = client.create_experiment(settings.experiment_name)
    run_id = client.create_run(experiment, tags={run_end.ALIVE: "0"}).info.run_id
    assert abandoned.close_abandoned(settings) == [run_id]
    run_end.end(run_id, "FINISHED", None, 40)
    found = client.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert run_end.FAILURE not in found.data.tags


def test_one_that_is_in_the_outbox_is_said_to_be_there(
    services: Settings, client: MlflowClient, tmp_path: Path
) -> None:
    name = "in the outbox"
    settings = services.model_copy(update={"experiment_name": name, "outbox": tmp_path / "outbox"})
    experiment = client.create_experiment(name)
    run_id = client.create_run(experiment, tags={run_end.ALIVE: "0"}).info.run_id
    (tmp_path / "files").mkdir()
    entries = [Entry("end", {"status": "FINISHED", "at": 1})]
    outbox.keep(settings.outbox, Record(run_id, "x", name, {}, 0, entries, ""), tmp_path / "files")
    assert abandoned.close_abandoned(settings) == [run_id]
    found = client.get_run(run_id)
    assert (found.info.status, found.data.tags["failure"]) == ("FAILED", abandoned.KEPT)


def test_sigterm_ends_it_in_the_middle_of_compiled_code(
    services: Settings, client: MlflowClient
) -> None:
    process, run_id = start(services, STUCK)
    time.sleep(0.2)
    process.terminate()
    assert process.wait(3) == 143
    process.communicate()
    assert client.get_run(run_id).info.status == "KILLED"
