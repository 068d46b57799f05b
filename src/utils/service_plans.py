"""The three local services: how each is run, found again, and asked whether it answers."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.settings import Settings
from utils.ftp_tls import tls_environment
from utils.mlflow_server import make_ready, mlflow_command, mlflow_environment
from utils.ports import in_url, reachable
from utils.postgres_cluster import PostgresCluster
from utils.service_answers import ask_artifacts, ask_ftp, ask_mlflow
from utils.service_process import Daemon

TITLES = {"postgres": "PostgreSQL", "ftp": "FTP server", "mlflow": "MLflow"}
# neither our modules nor a file in its working folder may take the place of a library's
ISOLATED = {"PYTHONPATH": "", "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
FTP_LIMITS = {
    "ftp_max_connections",
    "ftp_max_connections_per_host",
    "ftp_idle_seconds",
    "ftp_keep_free_mib",
}
SOURCE = str(Path(__file__).resolve().parents[1])


class PostgresDaemon(Daemon):
    """PostgreSQL as one of the services; the cluster itself knows its process."""

    @property
    def cluster(self) -> PostgresCluster:
        """The cluster below the services' folder."""
        return PostgresCluster(self.home, self.log)

    @property
    def pid(self) -> int | None:
        """The server's process id, if it lives."""
        return self.cluster.pid

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port that it listens on, or listened on before it crashed."""
        return self.cluster.address or super().address

    def stop(self) -> None:
        """End the server and forget it."""
        self.cluster.stop()
        self.pid_file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Plan:
    """How a service is to run, and the question that tells whether it answers."""

    daemon: Daemon
    command: list[str]
    environment: dict[str, str]
    address: tuple[str, int]
    ask: Callable[[Settings, float], object]
    prepare: Callable[[], None] = lambda: None

    def runs(self) -> bool:
        """Whether it runs as planned."""
        return self.daemon.runs_as(self.command, self.environment)

    def start(self) -> None:
        """Start it, after ending what is left of an earlier one."""
        self.daemon.stop()
        self.prepare()
        self.daemon.start(self.command, self.environment, self.address)


def services(folder: Path) -> dict[str, Daemon]:
    """The services of a folder by name, in the order in which they depend on each other."""
    folder = folder.absolute()
    return {
        "postgres": PostgresDaemon("postgres", folder),
        "ftp": Daemon("ftp", folder),
        "mlflow": Daemon("mlflow", folder),
    }


def plans(settings: Settings, folder: Path) -> list[Plan]:
    """How the FTP server and MLflow are to run with these settings."""
    ftp, mlflow = services(folder)["ftp"], services(folder)["mlflow"]
    host = settings.bind_host
    return [
        Plan(
            ftp,
            [sys.executable, "-m", "utils.ftp_server"],
            ISOLATED | {"PYTHONPATH": SOURCE} | _ftp_environment(settings, ftp),
            (host, settings.ftp_port),
            ask_ftp,
        ),
        Plan(
            mlflow,
            mlflow_command(settings),
            ISOLATED | mlflow_environment(settings, mlflow.home),
            (host, settings.mlflow_tracking_port),
            _ask_tracker,
            lambda: make_ready(settings, mlflow.home),
        ),
    ]


def shown(name: str, address: tuple[str, int]) -> str:
    """An address as clients need it: host:port, and a browser's for MLflow."""
    host, port = address
    where = f"{in_url(reachable(host))}:{port}"
    return f"http://{where}" if name == "mlflow" else where


def _ftp_environment(settings: Settings, ftp: Daemon) -> dict[str, str]:
    """What `utils.ftp_server` reads; the default range of ports is for containers only."""
    passive = settings.ftp_passive_ports
    given = settings.model_dump(include=FTP_LIMITS)
    reader = settings.ftp_reader_pass
    return {
        **{name.upper(): str(value) for name, value in given.items()},
        "FTP_READER_NAME": settings.ftp_reader_name or "",
        "FTP_READER_PASS": reader.get_secret_value() if reader else "",
        "BIND_HOST": settings.bind_host,
        "FTP_PORT": str(settings.ftp_port),
        "FTP_PASSIVE_PORTS": passive if "ftp_passive_ports" in settings.model_fields_set else "",
        "FTP_USER_NAME": settings.ftp_user_name,
        "FTP_USER_PASS": settings.ftp_user_pass.get_secret_value(),
        "FTP_ROOT": str(ftp.home),
        **tls_environment(settings, ftp.folder),
    }


def _ask_tracker(settings: Settings, seconds: float) -> None:
    """MLflow answers, and reaches the artifacts behind it."""
    ask_mlflow(settings, seconds)
    ask_artifacts(settings, seconds)
