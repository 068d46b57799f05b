"""Services of our own with a link before each, and the runs and loads that are sent at them."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from conftest import as_environment
from core.paths import ROOT
from core.settings import Settings
from faults.links import HERE, THERE, Link
from utils.local_postgres import LocalPostgres
from utils.local_services import up, wipe
from utils.ports import can_bind
from utils.service_plans import plans, services

MARK = "RECARENA_FAULT"  # in the environment of every process that a fault starts
PATIENCE = {  # less than the defaults, so that what stays away is given up sooner
    "tracker_timeout": 20,
    "tracker_retries": 2,
    "tracker_patience": 10.0,
    "ftp_connect_seconds": 5.0,
    "ftp_transfer_seconds": 8.0,
    "ftp_retries": 2,
}
PASSIVE = 60  # ports for FTP's data connections
SECONDS = 180  # until a process has to be over, on the busiest machine


def until(true: Callable[[], object], seconds: float = SECONDS, what: str = "") -> None:
    """Wait for something to be true. Raises AssertionError if it does not come true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"did not happen in {seconds:.0f} s: {what}"
        time.sleep(0.05)


@dataclass
class Process:
    """A run, or another command, that was begun."""

    popen: subprocess.Popen[str]
    folder: Path
    output: Path
    errors: Path

    def at(self, stage: str) -> None:
        """Wait until it has come to a stage."""
        until(
            lambda: (self.folder / f"at-{stage}").exists() or self.popen.poll() is not None,
            what=stage,
        )
        assert self.popen.poll() is None, self.said

    def go(self, stage: str) -> None:
        """Let it go on from a stage."""
        (self.folder / f"go-{stage}").touch()

    def end(self, seconds: float = SECONDS) -> int:
        """Its exit status, once it is over."""
        return self.popen.wait(seconds)

    @property
    def said(self) -> str:
        """All that it wrote."""
        return self.output.read_text(errors="replace") + self.errors.read_text(errors="replace")

    @property
    def last(self) -> str:
        """The last line that it wrote to standard error, or else to its output."""
        for file in (self.errors, self.output):
            lines = [one for one in file.read_text(errors="replace").splitlines() if one.strip()]
            if lines:
                return lines[-1].strip()
        return ""


@dataclass
class Stand:
    """The services, the links before them, and all that was begun."""

    given: Settings
    folder: Path
    real: Settings = field(init=False)
    links: dict[str, Link] = field(default_factory=dict)
    begun: list[Process] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = free_range(PASSIVE)
        more = PATIENCE | {
            "ftp_passive_ports": f"{first}-{first + PASSIVE - 1}",
            "outbox": self.folder / "outbox",
        }
        given = Settings.model_construct(
            _fields_set=self.given.model_fields_set | set(more), **self.given.model_dump() | more
        )
        self.real = up(given, print, self.folder)
        ports = {
            "db": [self.real.db_port],
            "mlflow": [self.real.mlflow_tracking_port],
            "ftp": [self.real.ftp_port, *range(first, first + PASSIVE)],
        }
        self.links = {name: Link(ports[name]) for name in ports}
        self.start("mlflow")  # again, so that it reaches the FTP server through the link

    @property
    def settings(self) -> Settings:
        """The settings of those who reach the services through the links."""
        hosts = dict.fromkeys(("db_host", "ftp_host", "mlflow_tracking_host"), THERE)
        return self.real.model_copy(update=hosts | {"dataset": "synthetic"})

    @property
    def secrets(self) -> set[str]:
        """The passwords, which nothing may show."""
        return {
            self.real.postgres_password.get_secret_value(),
            self.real.ftp_user_pass.get_secret_value(),
        }

    @property
    def artifacts(self) -> Path:
        """The folder of the FTP server."""
        return services(self.folder)["ftp"].home

    def start(self, name: str, **changed: object) -> None:
        """Start a service, again if need be, and wait until it answers."""
        if name == "db":
            return self._postgres().start()
        settings = self.settings if name == "mlflow" else self.real
        (plan,) = (
            one
            for one in plans(settings.model_copy(update=changed), self.folder)
            if one.daemon.name == name
        )
        plan.start()

        def answers() -> bool:
            with suppress(Exception):
                plan.ask(self.real.model_copy(update=changed), 5)
                return True
            return False

        if name == "mlflow" and services(self.folder)["ftp"].pid is None:
            return None  # it cannot reach its files now, which is what it would be asked for
        return until(answers, what=f"{name} answers")

    def _postgres(self) -> LocalPostgres:
        daemon, known = services(self.folder)["postgres"], self.real
        return LocalPostgres(
            daemon.home,
            host=HERE,
            port=known.db_port,
            user=known.postgres_user,
            password=known.postgres_password,
            database=known.postgres_db,
            log=daemon.log,
        )

    def processes(self, name: str) -> list[psutil.Process]:
        """The processes of a service."""
        if name != "db":
            return services(self.folder)[name].processes()
        pid = self._postgres().pid
        if pid is None:
            return []
        server = psutil.Process(pid)
        return [server, *server.children(recursive=True)]

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to all processes of a service."""
        for one in self.processes(name):
            with suppress(psutil.NoSuchProcess):
                one.send_signal(number)

    def kill(self, name: str) -> None:
        """Kill a service, as the system does when memory is short."""
        gone = self.processes(name)
        self.signal(name, signal.SIGKILL)
        psutil.wait_procs(gone, timeout=30)

    def mend(self) -> None:
        """Have every service run and every link pass everything."""
        for link in self.links.values():
            link.mend()
        for name in ("db", "ftp", "mlflow"):
            self.signal(name, signal.SIGCONT)
            if not self.processes(name):
                self.start(name)

    def close(self) -> None:
        """End everything."""
        for one in self.begun:
            one.popen.kill()
            one.popen.wait()
        for name in ("db", "ftp", "mlflow"):
            self.signal(name, signal.SIGCONT)
        for link in self.links.values():
            link.close()
        wipe(print, self.folder)

    def run(self, *args: str, stops: Sequence[str] = (), megabytes: int = 0) -> Process:
        """Begin a run of `random` that stops at these stages."""
        where = self.folder / f"fault-{len(self.begun)}"
        command = ["-m", "faults.paused", str(where), ",".join(stops), str(megabytes), *args]
        return self.python(*command)

    def pipeline(self, name: str, *args: str) -> Process:
        """Begin a run of some recommender."""
        return self.python("-m", f"pipelines.{name}.pipeline_{name.lower()}", *args)

    def command(self, *args: str) -> Process:
        """Begin a command of `recarena`."""
        return self.python("-m", "cli", *args)

    def python(self, *args: str) -> Process:
        """Begin a program; what it says goes to files."""
        where = self.folder / f"fault-{len(self.begun)}"
        where.mkdir()
        output, errors = where / "output", where / "errors"
        paths = os.pathsep.join(str(ROOT / name) for name in ("src", "tests"))
        environment = as_environment(self.settings) | {
            "PYTHONPATH": paths,
            MARK: str(self.folder),
        }
        with output.open("w") as out, errors.open("w") as err:
            popen = subprocess.Popen(
                [sys.executable, *args],
                cwd=ROOT,
                env=environment | self.environment,
                stdout=out,
                stderr=err,
                text=True,
            )
        self.begun.append(Process(popen, where, output, errors))
        return self.begun[-1]


def free_range(n: int) -> int:
    """The first of n ports in a row that are free at both ends of a link."""
    for _ in range(200):
        first = random.randrange(20_000, 32_000 - n)  # below the ports that systems give away
        if all(can_bind(host, first + i) for host in (HERE, THERE) for i in range(n)):
            return first
    raise AssertionError("no free ports in a row")
