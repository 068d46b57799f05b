"""A PostgreSQL cluster in a folder, whether or not its server runs: enough to see and to end it."""

import os
import shutil
from pathlib import Path
from typing import IO

from utils.interrupts import deferred_interrupts
from utils.postgres_place import find_base, find_place
from utils.postgres_process import end_leftovers, run_program, server_address, server_process

STOP_SECONDS = 60
LOG_BYTES = 2**22  # a longer log is put aside when it is next opened


class PostgresCluster:
    """The cluster that was made for a folder, if any; the same for every process that asks."""

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.log = log or self.folder / "postgres.log"

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        place = find_place(self.folder)
        server = server_process(place.data) if place else None
        return server.pid if server else None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port that the running server listens on, or None."""
        place = find_place(self.folder)
        return server_address(place.data) if place else None

    def is_running(self) -> bool:
        """Whether the server's process lives; it may still be busy starting."""
        return self.pid is not None

    def stop(self) -> None:
        """End the server and all its processes; harmless when none runs."""
        place = find_place(self.folder)
        if place is None:
            return
        with deferred_interrupts():
            if server_process(place.data):
                command = ("stop", "-D", str(place.data), "-m", "fast", "-t", str(STOP_SECONDS))
                with open_log(self.log) as log:
                    run_program(place, lambda: None, log, "pg_ctl", *command)
            end_leftovers(place.data)

    def remove(self) -> None:
        """End the server and delete its data, finished or not, wherever they are."""
        self.stop()
        for folder in {find_base(self.folder), self.folder}:
            shutil.rmtree(folder, ignore_errors=True)


def open_log(file: Path) -> IO[bytes]:
    """A log to append to, for us alone; a process of another account can inherit it open."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > LOG_BYTES:
        file.replace(file.with_suffix(".old.log"))
    log = os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    log.seek(0, os.SEEK_END)
    return log
