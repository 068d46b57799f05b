"""Where the platform keeps everything: the ratings, the runs, MLflow's accounts, the artifacts."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import RecArenaError
from core.paths import LOCAL
from core.settings import Settings
from utils.mlflow_server import sqlite_file
from utils.postgres_dump import Dsn, dsn_of, dsn_of_uri
from utils.service_plans import services

ACCOUNTS = "basic_auth.db"  # MLflow makes it in the folder that it works in
# the FTP server's own names at its root (the doctor's probe, uploads), and uploads on their way
HIDDEN = re.compile(r"^\.|(^|/)\.[^/]*\.part$")


@dataclass(frozen=True)
class Stores:
    """The places. `tracker` is None if the runs are in the database of the ratings too."""

    database: Dsn = field(repr=False)  # it holds a password
    tracker: Path | Dsn | None = field(repr=False)
    accounts: Path
    artifacts: Path
    folder: Path | None
    """Folder of the local services that work in these places; None if others do."""

    @property
    def runs(self) -> Path | Dsn:
        """Where the runs are."""
        return self.database if self.tracker is None else self.tracker


def find_stores(
    settings: Settings,
    tracker: Path | None = None,
    artifacts: Path | None = None,
    folder: Path = LOCAL,
) -> Stores:
    """The places that the settings use: those of the local services in `folder`, unless given.

    `tracker` is an SQLite file, `artifacts` the folder of an FTP server. Raises RecArenaError if
    one of them is nowhere on this machine.
    """
    daemon = services(folder)["mlflow"]
    file = sqlite_file(settings, daemon.home)
    local = artifacts is None or (tracker is None and file is not None)
    if local and not (daemon.pid and daemon.address and _same_port(settings, daemon.address)):
        raise RecArenaError(
            f"MLflow at {settings.tracking_uri} is no local service: start one with `recarena up`, "
            "or say with --tracker and --artifacts where its files are"
        )
    if tracker is not None:
        file = tracker.absolute()
    return Stores(
        database=dsn_of(settings),
        tracker=file or _postgresql(settings),
        accounts=(file.parent if tracker and file else daemon.home) / ACCOUNTS,
        artifacts=(artifacts or services(folder)["ftp"].home).absolute(),
        folder=folder if local else None,
    )


def _same_port(settings: Settings, address: tuple[str, int]) -> bool:
    return address[1] == settings.mlflow_tracking_port


def _postgresql(settings: Settings) -> Dsn | None:
    """The tracker's database, unless it is that of the ratings."""
    uri = settings.backend_store_uri.get_secret_value() if settings.backend_store_uri else ""
    if not uri.startswith("postgresql"):
        raise RecArenaError("BACKEND_STORE_URI: only SQLite and PostgreSQL can be backed up")
    found, ratings = dsn_of_uri(uri), dsn_of(settings)
    same = all(str(found.get(key)) == ratings[key] for key in ("host", "port", "dbname"))
    return None if same else found
