"""What is written down about a service: its pid file, and what its log ends with."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

TOLERANCE = 1.0  # seconds by which two readings of a process's creation may differ


@dataclass(frozen=True)
class Record:
    """What is written down about a started process; its creation time tells it from a later one
    with the same id."""

    pid: int
    created: float
    host: str
    port: int

    def process(self) -> psutil.Process | None:
        """The process, if it lives."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) > TOLERANCE:
                return None
            if process.status() == psutil.STATUS_ZOMBIE:
                _bury(self.pid)
                return None
        except psutil.NoSuchProcess:
            return None
        return process


def last_line(log: Path) -> str:
    """The last line of a log that is not empty, without the accounts in its addresses."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return "no log"
    last = next((line.strip() for line in reversed(lines) if line.strip()), "empty log")
    return re.sub(r"://[^\s/]*@", "://***@", last)


def write_atomically(file: Path, text: str) -> None:
    """Write a small file of ours so that a reader sees the old text or the new one."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.write_text(f"{text}\n")
    new.replace(file)


def _bury(pid: int) -> None:
    """Let the system forget a child of ours that has ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
