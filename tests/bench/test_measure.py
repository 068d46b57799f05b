"""Processes that the benchmarks start."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.measure import FailedError, in_turns, measured, run

STARTS_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""


def test_a_process_over_its_limit_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pid_file, log = tmp_path / "pid", tmp_path / "log"
    with pytest.raises(FailedError, match="not finished in 1 s"):
        run([sys.executable, "-c", STARTS_A_CHILD, pid_file], log=log, limit=1)
    pid = int(pid_file.read_text())
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    pytest.fail("the child of the ended process still runs")


def test_the_last_line_is_the_result(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('chatter'); print('{\"seconds\": {\"fit\": 2}}')"]
    assert measured(command, log=tmp_path / "log", limit=60) == {"seconds": {"fit": 2}}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit('no such thing')", "no such thing"),
        ("import os; os.kill(os.getpid(), 9)", "killed, probably for want of memory"),
        ("pass", "printed no figures"),
    ],
)
def test_a_failure_says_why(tmp_path: Path, code: str, why: str) -> None:
    command = [sys.executable, "-c", code]
    assert measured(command, log=tmp_path / "log", limit=60) == {"failed": why}


def test_works_take_turns() -> None:
    order: list[str] = []
    first, second = in_turns(lambda: order.append("a"), lambda: order.append("b"), 2)
    assert order == ["a", "b", "a", "b"]
    assert len(first) == len(second) == 2
