"""The run itself is ended, at each of its stages."""

import signal

import pytest

from faults.conftest import Fault
from faults.invariants import files_of, runs
from faults.paused import STAGES
from faults.stand import Stand

pytestmark = pytest.mark.faults
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}


@pytest.mark.parametrize(
    ("name", "stage", "sent"),
    [
        (f"run gets {sent.name} while {stage}", stage, sent)
        for stage in STAGES
        for sent in SIGNALS
        if sent != signal.SIGINT or stage in ("fitting", "delivering")
    ],
)
def test_run_is_ended(
    fault: Fault, stand: Stand, name: str, stage: str, sent: signal.Signals
) -> None:
    process = stand.run(stops=[stage])
    process.at(stage)
    process.popen.send_signal(sent)
    assert fault.saw(process) == STATUS[sent]
    fault.over()
    run = next(iter(runs(stand).values()))
    if sent == signal.SIGKILL:
        assert run.info.status == "RUNNING"  # nobody was there to say so
        fault.lost = "that run; it is marked FAILED once it was silent for a minute"
    else:
        assert run.info.status == "KILLED"
        fault.lost = "that run, marked KILLED"
    assert not list(files_of(stand, run).glob("models/*"))
    fault.well()
