"""Runs that could not be delivered: kept whole, delivered later, once, with their own times."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from conftest import as_environment
from core.errors import RecArenaError, UndeliveredError
from core.paths import ROOT
from core.settings import Settings
from utils import local_services, outbox, outbox_output
from utils.delivery import Entry
from utils.local_services import wipe
from utils.outbox import Record
from utils.ports import free_port
from utils.push import RECORD, push
from utils.run_end import ALIVE
from utils.tracking import prepare_client

STARTED = 1_600_000_000_000
POINTS = [["ndcg_at_k", 0.25, STARTED + 5_000, 0], ["learning/loss", 0.5, STARTED + 1_000, 1]]
KILLED = """
import os, signal, sys
from core.settings import Settings
from utils import outbox, push
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
def apply(client, run_id, entry, files, applied=push.apply):
    if entry.kind == "metrics":
        die()
    applied(client, run_id, entry, files)
if sys.argv[1] == "applying":
    push.apply = apply
else:
    outbox.remove = die
push.push(Settings.load(), print)
"""


@pytest.fixture
def settings(services: Settings, tmp_path: Path) -> Settings:
    """Settings of the running services, with an empty outbox."""
    prepare_client(services)
    mlflow.set_tracking_uri(services.tracking_uri)
    return services.model_copy(update={"outbox": tmp_path / "out box"})


def record(run_id: str, experiment: str, *, name: str = "SVD") -> Record:
    entries = [
        Entry("params", {"factors": "7"}),
        Entry("files", {"folder": "1", "sizes": {"models/SVD.pkl": 5}}),
        Entry("metrics", {"points": POINTS}),
        Entry("end", {"status": "FINISHED", "at": STARTED + 9_000}),
    ]
    tags = {"pipeline": name, "mlflow.note.content": "words"}
    return Record(run_id, name, experiment, tags, STARTED, entries, "a test")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "1/models").mkdir(parents=True)
    (folder / "1/models/SVD.pkl").write_bytes(b"model")
    return folder


def test_a_record_is_read_as_it_was_kept(tmp_path: Path, files: Path) -> None:
    kept = record("a" * 32, "x")
    place = outbox.keep(tmp_path / "outbox", kept, files)
    assert outbox.waiting(tmp_path / "outbox") == [place]
    found = outbox.read(place)
    assert json.dumps(found.entries, default=vars) == json.dumps(kept.entries, default=vars)
    assert (found.id, found.started, found.tags) == (kept.id, STARTED, kept.tags)
    shutil.rmtree(files)
    assert (place / "files/1/models/SVD.pkl").read_bytes() == b"model"
    assert oct((tmp_path / "outbox").stat().st_mode)[-3:] == "700"
    outbox.remove(place)
    assert outbox.waiting(tmp_path / "outbox") == []


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path: Path, files: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(RecArenaError, match=r"OUTBOX=.*a file cannot be written"):
        outbox.keep(tmp_path / "a file", record("b" * 32, "x"), files)
    with pytest.raises(RecArenaError, match=r"OUTBOX=.*a file cannot be written"):
        outbox.check_writable(tmp_path / "a file")
    (files / "1/gone").symlink_to("nowhere")  # a file that cannot be copied
    with pytest.raises((RecArenaError, OSError)):
        outbox.keep(tmp_path / "outbox", record("b" * 32, "x"), files)
    assert outbox.waiting(tmp_path / "outbox") == []
    assert list((tmp_path / "outbox").iterdir()) == []


def test_the_end_of_the_local_services_spares_what_waits(tmp_path: Path, files: Path) -> None:
    home = tmp_path / "services"
    place = outbox.keep(home / "outbox", record("a" * 32, "x"), files)
    (home / "mlflow").mkdir()
    home.chmod(0o700)
    local_services._make_folder(home)
    assert oct(home.stat().st_mode)[-3:] == ("711" if os.geteuid() == 0 else "700")
    said: list[str] = []
    wipe(said.append, home)
    assert [one.name for one in home.iterdir()] == ["outbox"]
    assert said[-1] == f"{home / 'outbox'} stays: runs wait in it for `recarena push`"
    outbox.remove(place)
    wipe(said.append, home)
    assert not home.exists()


def test_status_tells_what_waits_and_ends_runs_whose_process_is_gone(
    settings: Settings, files: Path
) -> None:
    settings = settings.model_copy(update={"experiment_name": "of the status"})
    assert outbox_output.lines(settings) == []
    outbox.keep(settings.outbox, record("a" * 32, "x"), files)
    experiment = MlflowClient().create_experiment("of the status")
    gone = MlflowClient().create_run(experiment, tags={ALIVE: "0"}).info.run_id
    waits = f"1 run waits in {settings.outbox}; `recarena push` delivers what it can"
    assert outbox_output.lines(settings) == [
        waits,
        f"run {gone} is FAILED now: its process is gone",
    ]
    nobody = {"mlflow_tracking_port": free_port("127.0.0.1")}
    assert outbox_output.lines(settings.model_copy(update=nobody)) == [waits]


def test_a_run_goes_where_it_was_begun(settings: Settings, files: Path) -> None:
    client, name = MlflowClient(), "begun before"
    run_id = client.create_run(client.create_experiment(name), start_time=STARTED).info.run_id
    client.set_tag(run_id, "failure", "taken for dead")
    client.set_terminated(run_id, "FAILED")
    place = outbox.keep(settings.outbox, record(run_id, name), files)
    said: list[str] = []
    assert push(settings, said.append) == 1
    assert said == [f"delivered: SVD, run {run_id} of {name}"]
    assert not place.exists()
    run = client.get_run(run_id)
    assert (run.info.status, run.info.end_time) == ("FINISHED", STARTED + 9_000)
    assert "failure" not in run.data.tags
    (point,) = client.get_metric_history(run_id, "learning/loss")
    assert (point.value, point.timestamp, point.step) == (0.5, STARTED + 1_000, 1)
    assert push(settings, said.append) == 0
    assert said[1:] == ["the outbox is empty"]


@pytest.mark.parametrize("moment", ["applying", "removing"])
def test_a_push_that_is_killed_and_repeated_makes_one_run(
    settings: Settings, files: Path, moment: str
) -> None:
    """The tracker does not know the run, so that a push has to make it."""
    name = f"killed when {moment}"
    outbox.keep(settings.outbox, record("c" * 32, name), files)
    environment = as_environment(settings) | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", KILLED, moment]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(outbox.waiting(settings.outbox)) == 1
    assert push(settings, lambda _: None) == 1
    found = mlflow.search_runs(experiment_names=[name], output_format="list")
    (run,) = found
    assert run.data.tags[RECORD] == "c" * 32
    assert run.info.run_name == "SVD"
    assert run.data.tags["mlflow.note.content"] == "words"
    assert (run.info.start_time, run.info.end_time) == (STARTED, STARTED + 9_000)
    assert run.data.metrics["ndcg_at_k"] == 0.25
    paths = [one.path for one in MlflowClient().list_artifacts(run.info.run_id, "models")]
    assert paths == ["models/SVD.pkl"]


def test_two_pushes_deliver_once(settings: Settings, files: Path) -> None:
    for place in range(3):
        outbox.keep(settings.outbox, record(f"{place}" * 32, "two pushes"), files)
    delivered: list[int] = []
    said: list[str] = []
    pushes = [
        threading.Thread(target=lambda: delivered.append(push(settings, said.append)))
        for _ in range(2)
    ]
    with outbox.locked(settings.outbox, said.append):
        for one in pushes:
            one.start()
        while said.count("waiting for another `recarena push` to end") < 2:
            time.sleep(0.05)
    for one in pushes:
        one.join()
    assert sorted(delivered) == [0, 3]
    found = mlflow.search_runs(experiment_names=["two pushes"], output_format="list")
    assert len(found) == 3


def test_what_cannot_be_read_or_delivered_stays_and_the_rest_goes(
    settings: Settings, files: Path
) -> None:
    outbox.keep(settings.outbox, record("d" * 32, "of several"), files)
    unknown = Record("e" * 32, "x", "of several", {}, STARTED, [Entry("hologram", {})], "")
    outbox.keep(settings.outbox, unknown, files)
    (settings.outbox / "broken").mkdir()
    (settings.outbox / "broken/record.json").write_text("{")
    (settings.outbox / ".gone-before").mkdir()
    said: list[str] = []
    with pytest.raises(UndeliveredError, match="2 of 3 stay in "):
        push(settings, said.append)
    assert sorted(line.split(": ")[0] for line in said) == ["delivered", "stays", "stays"]
    assert any("hologram" in line for line in said)
    assert any("is no record" in line for line in said)
    assert [one.name for one in outbox.waiting(settings.outbox)] == ["e" * 32, "broken"]
    assert not (settings.outbox / ".gone-before").exists()


def test_a_record_whose_files_are_gone_is_not_removed(settings: Settings, files: Path) -> None:
    place = outbox.keep(settings.outbox, record("f" * 32, "without files"), files)
    shutil.rmtree(place / "files")
    said: list[str] = []
    with pytest.raises(UndeliveredError, match="1 of 1 stay"):
        push(settings, said.append)
    assert "file models/SVD.pkl did not arrive in run" in said[0]
    assert place.exists()


@pytest.mark.parametrize(
    ("unfinished", "kept", "kind", "said"),
    [
        (["A", "B"], ["B"], RecArenaError, "1 of 3 failed: A; 1 of 3 wait in the outbox .*: B$"),
        (["A"], [], RecArenaError, "^1 of 3 failed: A$"),
        (["A", "B"], ["A", "B"], UndeliveredError, "^2 of 3 wait .* `recarena push`: A, B$"),
    ],
)
def test_what_failed_and_what_waits_is_named(
    unfinished: list[str], kept: list[str], kind: type[Exception], said: str
) -> None:
    outbox_output.tell_what_failed(3, [], [])
    with pytest.raises(kind, match=said) as raised:
        outbox_output.tell_what_failed(3, unfinished, kept)
    assert type(raised.value) is kind
