"""The local services: PostgreSQL, the FTP server and MLflow as processes of this machine."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from core.errors import RecArenaError
from core.paths import LOCAL, OUTBOX
from core.settings import Settings
from utils import outbox
from utils.ftp_tls import with_tls
from utils.interrupts import Check, deferred_interrupts
from utils.service_plans import TITLES, PostgresDaemon, services, shown
from utils.service_ports import FILE, with_addresses, write_addresses
from utils.service_process import Daemon
from utils.service_start import Start

Report = Callable[[str], None]
State = Literal["running", "stopped", "crashed"]


@dataclass(frozen=True)
class ServiceStatus:
    """One service as it is now; `crashed` is one that ended though nobody asked it to."""

    name: str
    state: State
    pid: int | None
    address: str | None
    log: Path


def up(settings: Settings, report: Report, folder: Path = LOCAL) -> Settings:
    """Start what does not run; returns the settings with the services' real hosts and ports.

    Ready only when each of them really answers. Harmless when all run; mends what has crashed,
    and starts again what ran with other settings. When it fails or is interrupted, it ends what
    it has started.

    Raises RecArenaError naming the service, its log and its last words.
    """
    try:
        with deferred_interrupts() as check:
            _make_folder(folder)
            with _locked(folder, report, check):
                return _up(settings, report, folder, check)
    except OSError as error:  # a full disk, a folder that is not ours
        raise RecArenaError(f"{error.filename or folder}: {error.strerror}") from None


def down(report: Report, folder: Path = LOCAL) -> None:
    """End all the services and their processes; data and logs stay."""
    if not folder.exists():
        report("nothing is running")
        return
    with deferred_interrupts() as check, _locked(folder, report, check):
        (folder / FILE).unlink(missing_ok=True)
        for name, daemon in reversed(services(folder).items()):
            known = daemon.pid_file.exists() or daemon.pid
            daemon.stop()
            report(f"{TITLES[name]} {'stopped' if known else 'was not running'}")


@contextmanager
def paused(report: Report, folder: Path = LOCAL) -> Iterator[None]:
    """Have MLflow and the FTP server stopped, and nobody start them; `up` starts them again.

    An interrupt takes effect at the end.
    """
    with deferred_interrupts() as check, _locked(folder, report, check):
        for name in ("mlflow", "ftp"):
            services(folder)[name].stop()
        yield


def status(folder: Path = LOCAL) -> list[ServiceStatus]:
    """The services as they are now."""
    return [_status(daemon) for daemon in services(folder).values()]


def wipe(report: Report, folder: Path = LOCAL) -> None:
    """End all the services and delete their data and logs, artifacts and runs included.

    An outbox in the folder stays if runs wait in it.
    """
    down(report, folder)
    postgres = services(folder)["postgres"]
    if isinstance(postgres, PostgresDaemon):
        postgres.cluster.remove()
    kept = folder / OUTBOX
    if not outbox.waiting(kept):
        shutil.rmtree(folder, ignore_errors=True)
        return
    report(f"{kept} stays: runs wait in it for `recarena push`")
    for one in folder.iterdir():
        if one.is_dir() and one != kept:
            shutil.rmtree(one, ignore_errors=True)
        elif one != kept:
            one.unlink()


def _up(settings: Settings, report: Report, folder: Path, check: Check) -> Settings:
    daemons = services(folder)
    ports = {name: d.address[1] for name, d in daemons.items() if d.address}
    running = {name: port for name, port in ports.items() if daemons[name].pid}
    for name in daemons.keys() - running.keys():
        daemons[name].stop()  # what a killed one left behind may hold its port
    real = with_tls(with_addresses(settings, folder, running, ports), folder)
    start = Start(real, folder, check, report)
    try:
        start.all()
        check()
        write_addresses(settings, real, folder)
    except BaseException:
        start.undo()
        if not any(daemon.pid for daemon in daemons.values()):
            (folder / FILE).unlink(missing_ok=True)
        raise
    return real


def _status(daemon: Daemon) -> ServiceStatus:
    pid = daemon.pid
    address = shown(daemon.name, daemon.address) if daemon.address else None
    if pid:
        return ServiceStatus(daemon.name, "running", pid, address, daemon.log)
    state: State = "crashed" if daemon.record() else "stopped"
    return ServiceStatus(daemon.name, state, None, address, daemon.log)


def _make_folder(folder: Path) -> None:
    """Make the services' folder; PostgreSQL's account must get through it when we are root."""
    if not (folder / "run").exists():  # a run may have made the folder, for the outbox
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    for name in ("logs", "run"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _locked(folder: Path, report: Report, check: Check) -> Iterator[None]:
    """Wait for another `up` or `down` of the same folder to end."""
    if folder.stat().st_uid != os.geteuid():
        raise RecArenaError(f"{folder} belongs to another user: run this as {folder.owner()}")
    with (folder / "lock").open("w") as lock:
        told = False
        while not _lock(lock):
            if not told:
                report("waiting for another `recarena up` or `down` to end")
                told = True
            check()
            time.sleep(0.1)
        yield  # closing the file unlocks it


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
