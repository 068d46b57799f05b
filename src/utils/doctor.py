"""Is everything there that an experiment needs? Each question with its answer and its remedy."""

import shutil
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import RecArenaError, first_line
from core.paths import ROOT
from core.settings import Settings
from utils.service_answers import (
    ask_ftp,
    ask_mlflow,
    ask_postgres,
    asks_password,
    send_artifact,
)

FREE_GIB = 5.0  # MovieLens 10M in the database, its indexes, and the log of loading it
PYTHONS = ((3, 11), (3, 14))  # from, and the first that is too new
START = "run `recarena up`; `recarena status` tells what runs and where its log is"


@dataclass(frozen=True)
class Check:
    """One question and its answer; `remedy` says what to do when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    remedy: str


def checks(settings: Settings) -> list[Check]:
    """The state of this machine and of the services that the settings name, each asked once."""
    host = settings.mlflow_tracking_host
    return [
        _ask("Python", _python, "install Python 3.11 to 3.13 and the project in it again"),
        _ask("disk", _disk, f"free {FREE_GIB:.0f} GiB or more"),
        _ask("database", lambda: _database(settings), START),
        _ask("FTP server", lambda: _ftp(settings), START),
        _ask("MLflow", lambda: _mlflow(settings), START),
        _ask("artifacts", lambda: _artifacts(settings), f"see the checks above; {START}"),
        _ask("proxy", lambda: _proxy(host), f"set the environment variable NO_PROXY={host}"),
    ]


def _ask(name: str, question: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, True, question(), "")
    except Exception as error:
        # whatever it is, the next questions are to be asked too
        return Check(name, False, first_line(error), remedy)


def _python() -> str:
    oldest, too_new = PYTHONS
    version = sys.version.split()[0]
    if not oldest <= sys.version_info[:2] < too_new:
        raise RecArenaError(f"{version} is not supported")
    return version


def _disk() -> str:
    free = shutil.disk_usage(ROOT).free / 2**30
    text = f"{free:.1f} GiB free in {ROOT}"
    if free < FREE_GIB:
        raise RecArenaError(text)
    return text


def _database(settings: Settings) -> str:
    version = ask_postgres(settings, settings.connect_timeout)
    return f"PostgreSQL {version} at {settings.db_host}:{settings.db_port}"


def _ftp(settings: Settings) -> str:
    ask_ftp(settings, settings.connect_timeout)
    return f"{settings.ftp_user_name} can log in at {settings.ftp_host}:{settings.ftp_port}"


def _mlflow(settings: Settings) -> str:
    version = ask_mlflow(settings, settings.connect_timeout)
    asks = (
        "asks for a password"
        if asks_password(settings, settings.connect_timeout)
        else "asks for no password"
    )
    return f"MLflow {version} at {settings.tracking_uri} answers us and {asks}"


def _artifacts(settings: Settings) -> str:
    checksum = send_artifact(settings, settings.connect_timeout)
    return f"a file went through MLflow to the FTP server and back (sha256 {checksum[:12]})"


def _proxy(host: str) -> str:
    """MLflow's client obeys HTTP_PROXY, for servers on this machine too."""
    proxy = "http" in urllib.request.getproxies()
    if proxy and not urllib.request.proxy_bypass(host):
        raise RecArenaError(f"requests to {host} would go through the proxy in HTTP_PROXY")
    return "no proxy between us and MLflow"
