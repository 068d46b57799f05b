"""The clock moves, and many runs come at once."""

import os

import pytest

from core.paths import ROOT
from faults.conftest import Fault
from faults.invariants import check_finished, runs
from faults.stand import Stand
from faults.test_tracker import delivered
from utils.runner import pipeline_files

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("The run's clock jumps an hour back while it is fitting", -3600),
        ("The run's clock jumps a day ahead while it is fitting", 86_400),
    ],
)
def test_clock(fault: Fault, stand: Stand, name: str, seconds: int) -> None:
    signal = stand.folder / f"clock{seconds}"
    paths = [str(ROOT / path) for path in ("tests/faults/shifted", "src", "tests")]
    stand.environment |= {
        "PYTHONPATH": os.pathsep.join(paths),
        "CLOCK_FILE": str(signal),
        "CLOCK_JUMPS": str(seconds),
    }
    process = stand.run(stops=["fitting"])
    process.at("fitting")
    signal.touch()
    process.go("fitting")
    delivered(fault, process)
    run = next(iter(runs(stand).values()))
    assert all(value >= 0 for key, value in run.data.metrics.items() if key.endswith("_seconds"))


def test_eleven_at_once(fault: Fault, stand: Stand) -> None:
    """Eleven runs at once"""
    before = set(runs(stand))
    processes = [stand.pipeline(name) for name in pipeline_files()]
    statuses = [process.end(600) for process in processes]
    assert statuses == [0] * len(processes), [one.said for one in processes if one.end()]
    new = [run for run_id, run in runs(stand).items() if run_id not in before]
    assert sorted(run.data.tags["pipeline"] for run in new) == sorted(pipeline_files())
    for run in new:
        check_finished(stand, run)
    fault.seen.append(f"{len(new)} runs FINISHED, each whole")
