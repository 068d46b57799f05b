"""A background process of ours that outlives us: started, recognised again, ended with its kin."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from utils.postgres_cluster import open_log
from utils.service_record import Record, write_atomically

MARK = "RECARENA_SERVICE"  # in the environment of a service's processes: `<folder>/<name>`
FOREIGN = ("MLFLOW_", "FTP_", "PG", "POSTGRES_", "BACKEND_STORE_URI", "RECARENA_")
STOP_SECONDS = 10


@dataclass(frozen=True)
class Daemon:
    """One service below a folder: its log, its pid file, its processes."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """What its processes wrote."""
        return self.folder / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """There from the start until it is ended on purpose."""
        return self.folder / "run" / f"{self.name}.json"

    @property
    def pid(self) -> int | None:
        """The process's id, if it lives."""
        record = self.record()
        return record.pid if record and record.process() else None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port that it listens on, or listened on before it crashed."""
        record = self.record()
        return (record.host, record.port) if record else None

    @property
    def home(self) -> Path:
        """Its working folder, where it keeps its data."""
        return self.folder / self.name

    @property
    def mark(self) -> str:
        """What its processes have in their environment."""
        return f"{self.folder}/{self.name}"

    def record(self) -> Record | None:
        """What the pid file says, or None when the service was never started or was ended."""
        try:
            return Record(**json.loads(self.pid_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_record(self, pid: int, host: str, port: int) -> None:
        """Write the pid file."""
        record = Record(pid, psutil.Process(pid).create_time(), host, port)
        write_atomically(self.pid_file, json.dumps(asdict(record)))

    def start(
        self, command: list[str], environment: dict[str, str], address: tuple[str, int]
    ) -> None:
        """Start it in a session of its own: the terminal's Ctrl-C and our pipes are not its."""
        inherited = {k: v for k, v in os.environ.items() if not k.upper().startswith(FOREIGN)}
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_log(self.log) as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env={**inherited, **environment, MARK: self.mark},
                start_new_session=True,
                umask=0o077,
            )
        self.write_record(process.pid, *address)
        process.returncode = 0  # it is meant to outlive this object, which would complain

    def runs_as(self, command: list[str], environment: dict[str, str]) -> bool:
        """Whether it lives, and was started with just this command and these settings."""
        record = self.record()
        process = record.process() if record else None
        try:
            if process is None or process.cmdline()[1:] != command[1:]:
                return False
            return environment.items() <= process.environ().items()
        except psutil.Error:
            return False

    def stop(self) -> None:
        """End all its processes, also those whose leader was killed, and forget them."""
        processes = self.processes()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in processes:
                _send(process, number)
            _, processes = psutil.wait_procs(processes, timeout=STOP_SECONDS)
        self.pid_file.unlink(missing_ok=True)

    def processes(self) -> list[psutil.Process]:
        """Its processes that live."""
        record = self.record()
        leader = record.process() if record else None
        marked = [process for process in psutil.process_iter() if _has_mark(process, self.mark)]
        return list({*marked, *([leader] if leader else [])})


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.environ().get(MARK) == mark
    except psutil.Error:
        return False  # another account's, or gone


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
