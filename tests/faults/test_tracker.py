"""MLflow goes away: before, during and after a run."""

import signal
import time

import pytest

from faults.conftest import Fault
from faults.invariants import check_finished, runs
from faults.stand import Process, Stand

pytestmark = pytest.mark.faults
UNDELIVERED = 75


def delivered(fault: Fault, process: Process) -> None:
    """The run came to its end with all that it made, at once or by `recarena push`."""
    stand = fault.stand
    status = fault.saw(process)
    assert status in (0, UNDELIVERED), process.said
    if status == UNDELIVERED:
        stand.mend()
        fault.over()
        pushing = stand.command("push")
        assert fault.saw(pushing) == 0, pushing.said
    fault.well()
    run = next(iter(runs(stand).values()))
    assert run.info.status == "FINISHED"
    check_finished(stand, run)


def test_killed_before(fault: Fault, stand: Stand) -> None:
    """MLflow is down before a run"""
    stand.kill("mlflow")
    process = stand.run()
    assert fault.saw(process) == 1
    assert "MLflow" in process.last
    assert "recarena" in process.last
    stand.start("mlflow")
    fault.over()
    assert stand.run().end() == 0
    fault.well()


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        (f"MLflow is killed while a run is {stage}, and comes back", stage)
        for stage in ("reading", "fitting", "delivering")
    ],
)
def test_killed_and_back(fault: Fault, stand: Stand, name: str, stage: str) -> None:
    process = stand.run(stops=[stage])
    process.at(stage)
    stand.kill("mlflow")
    stand.start("mlflow")
    fault.over()
    process.go(stage)
    delivered(fault, process)


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        (f"MLflow is killed while a run is {stage}, and stays away", stage)
        for stage in ("fitting", "delivering")
    ],
)
def test_killed_for_good(fault: Fault, stand: Stand, name: str, stage: str) -> None:
    process = stand.run(stops=[stage])
    process.at(stage)
    stand.kill("mlflow")
    process.go(stage)
    delivered(fault, process)


def test_killed_in_upload(fault: Fault, stand: Stand) -> None:
    """MLflow is killed in the middle of an upload, and stays away"""
    process = uploading(stand)
    stand.kill("mlflow")
    stand.links["mlflow"].mend()
    delivered(fault, process)


def test_restarted_in_upload(fault: Fault, stand: Stand) -> None:
    """MLflow is killed in the middle of an upload, and comes back"""
    process = uploading(stand)
    stand.kill("mlflow")
    stand.links["mlflow"].mend()
    stand.start("mlflow")
    fault.over()
    delivered(fault, process)


def uploading(stand: Stand, link: str = "mlflow", megabytes: int = 40) -> Process:
    """A run in the middle of the upload of its model, slowly."""
    process = stand.run(stops=["delivering"], megabytes=megabytes)
    process.at("delivering")
    stand.links[link].slow(8e6)
    begin = stand.links[link].bytes
    process.go("delivering")
    end = time.monotonic() + 60
    while stand.links[link].bytes - begin < 6e6:
        assert time.monotonic() < end, process.said
        assert process.popen.poll() is None, process.said
        time.sleep(0.02)
    return process


def test_killed_after(fault: Fault, stand: Stand) -> None:
    """MLflow is killed after a run, and started again"""
    process = stand.run()
    assert fault.saw(process) == 0
    (newest, *_) = runs(stand).values()
    stand.kill("mlflow")
    stand.start("mlflow")
    fault.over()
    run = runs(stand)[newest.info.run_id]
    assert run.info.status == "FINISHED"
    check_finished(stand, run)
    fault.well()


def test_frozen(fault: Fault, stand: Stand) -> None:
    """MLflow is frozen (SIGSTOP) while a run is fitting, for 15 s"""
    process = stand.run(stops=["fitting"])
    process.at("fitting")
    stand.signal("mlflow", signal.SIGSTOP)
    process.go("fitting")
    time.sleep(15)
    stand.signal("mlflow", signal.SIGCONT)
    fault.over()
    delivered(fault, process)


def test_cut(fault: Fault, stand: Stand) -> None:
    """The network between run and MLflow is cut while it is fitting"""
    process = stand.run(stops=["fitting"])
    process.at("fitting")
    stand.links["mlflow"].cut()
    process.go("fitting")
    delivered(fault, process)


def test_cut_in_upload(fault: Fault, stand: Stand) -> None:
    """The network between run and MLflow is cut in the middle of an upload"""
    process = uploading(stand)
    stand.links["mlflow"].cut()
    delivered(fault, process)


def test_reset_in_upload(fault: Fault, stand: Stand) -> None:
    """The connections between run and MLflow are reset in the middle of an upload"""
    process = uploading(stand)
    stand.links["mlflow"].mend()
    stand.links["mlflow"].reset()
    fault.over()
    delivered(fault, process)
