"""The processes of a PostgreSQL cluster, found by the folder they work in."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from utils.interrupts import Check
from utils.postgres_place import Place
from utils.postgres_programs import ENVIRONMENT

GRACE_SECONDS = 10


def run_program(place: Place, check: Check, output: IO[bytes], name: str, *args: str) -> int:
    """Run one of PostgreSQL's programs as the server's account; returns its exit status.

    When `check` raises, the program is told to stop what it began, and does, before this ends.
    """
    process = subprocess.Popen(
        [str(place.programs / name), *args],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",  # our own could be closed to the server's account
        env=ENVIRONMENT,
        start_new_session=True,  # the terminal's Ctrl-C is for us to pass on
        **place.account,
    )
    try:
        while process.poll() is None:
            time.sleep(0.02)
            check()
    except BaseException:
        # initdb removes its folder; pg_ctl passes it on to the server that it is starting
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise
    return process.returncode


def server_process(data: Path) -> psutil.Process | None:
    """The running server of a cluster, or None; a reused process id does not deceive."""
    try:
        with (data / "postmaster.pid").open() as file:
            process = psutil.Process(int(file.readline()))
        return process if _works_in(process, data) else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


def server_address(data: Path) -> tuple[str, int] | None:
    """Host and port that the running server of a cluster listens on, or None."""
    if server_process(data) is None:
        return None
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return lines[5], int(lines[3])  # the file's documented order
    except (FileNotFoundError, IndexError, ValueError):
        return None  # only just starting or ending


def end_leftovers(data: Path) -> None:
    """End what a killed server left: processes that still work in the folder, its pid file."""
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    left = [process for process in psutil.process_iter() if _works_in(process, data)]
    for process in left:
        _send(process, signal.SIGQUIT)
    _, alive = psutil.wait_procs(left, timeout=GRACE_SECONDS)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
    lock.unlink(missing_ok=True)  # its process id may by now be another program's


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name().startswith("postgres") and data.samefile(process.cwd())
    except (psutil.Error, OSError):
        return False


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
