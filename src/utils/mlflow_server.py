"""How `mlflow server` is to be run; `python -m utils.mlflow_server` becomes it, in a container."""

import os
import re
import secrets
import socket
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import psutil

from core.errors import RecArenaError
from core.settings import SECRETS, Settings
from utils.ftp_address import CONTROL
from utils.ports import LOOPBACK_OF, in_url, reachable

BACKEND = "sqlite:///mlflow.db"  # relative: a folder may hold what a URI cannot
FORM_KEY = "form_key"  # file that signs the forms of MLflow's accounts; the same at each start


def mlflow_command(settings: Settings) -> list[str]:
    """The command line of the server; it tells nothing secret, for everybody can read it."""
    command = [sys.executable, "-m", "mlflow", "server", "--serve-artifacts"]
    address = ["--host", settings.bind_host, "--port", str(settings.mlflow_tracking_port)]
    # one process is enough for one machine, and each takes 250 MB
    # asked to end, it does not wait for an upload that takes long
    uvicorn = "--no-access-log --timeout-graceful-shutdown 1"
    accounts = ["--app-name", "basic-auth"] if settings.mlflow_admin_user else []
    return [*command, *address, *accounts, "--workers", "1", "--uvicorn-opts", uvicorn]


def mlflow_environment(settings: Settings, folder: Path) -> dict[str, str]:
    """The environment variables of a server that works in `folder`.

    The only place that tells it the FTP password, and the one of its administrator.

    Raises RecArenaError for an FTP account or a backend store that cannot be used.
    """
    hosts = allowed_hosts(settings)
    return {
        "MLFLOW_BACKEND_STORE_URI": _backend(settings),
        "MLFLOW_ARTIFACTS_DESTINATION": artifacts_destination(settings),
        # exactly these Host headers, against DNS rebinding; the default has no service names
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(hosts),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{host}" for host in hosts),
        # seven more processes of 270 MB each, for features that are not used here
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # it would fill the log
        # read by `utils.ftp_artifacts`, which MLflow loads by its entry point
        "FTP_CONNECT_SECONDS": str(settings.ftp_connect_seconds),
        "FTP_TRANSFER_SECONDS": str(settings.ftp_transfer_seconds),
        "FTP_RETRIES": str(settings.ftp_retries),
        "FTP_CA_FILE": settings.ftp_ca_file or "",
        **_accounts(settings, folder),
    }


def make_ready(settings: Settings, folder: Path) -> None:
    """Let those who read the runs and the one who writes them not wait for each other.

    SQLite's write-ahead log is a property of the file, so it is set before MLflow opens it; the
    time for which a second writer waits, 20 s, MLflow sets itself. `folder` is the server's own.
    """
    file = sqlite_file(settings, folder)
    if file is None:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # a file that cannot be opened, or is in use: MLflow is the one to say so
    with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as database:
        database.execute("pragma journal_mode = wal")


def sqlite_file(settings: Settings, folder: Path) -> Path | None:
    """The file in which a server that works in `folder` keeps its runs, if it is SQLite's."""
    scheme, _, rest = _backend(settings).partition(":///")
    file = rest.partition("?")[0]
    return folder / file if scheme == "sqlite" and file else None


def _accounts(settings: Settings, folder: Path) -> dict[str, str]:
    """What MLflow's accounts need, if it is to ask for them."""
    user, password = settings.mlflow_admin_user, settings.mlflow_admin_pass
    if user is None or password is None:
        return {}
    return {
        "MLFLOW_AUTH_ADMIN_USERNAME": user,
        "MLFLOW_AUTH_ADMIN_PASSWORD": password.get_secret_value(),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": _form_key(folder),
    }


def _form_key(folder: Path) -> str:
    """A random key that only we can read, made once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / FORM_KEY
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_hex(32))
    return file.read_text()


def artifacts_destination(settings: Settings) -> str:
    """The FTP address of the artifacts, with its password: for the server's environment only."""
    account = settings.ftp_user_name, settings.ftp_user_pass.get_secret_value()
    for name, text in zip(("FTP_USER_NAME", "FTP_USER_PASS"), account, strict=True):
        if CONTROL.search(text):
            raise RecArenaError(f"{name}: cannot have control characters, such as line breaks")
    user, password = (quote(text, safe="") for text in account)
    scheme = "ftps" if settings.ftp_tls else "ftp"
    return f"{scheme}://{user}:{password}@{in_url(settings.ftp_host)}:{settings.ftp_port}/"


def allowed_hosts(settings: Settings) -> list[str]:
    """The Host headers, with port, by which this machine's server may be called."""
    names = [settings.mlflow_tracking_host, reachable(settings.bind_host), "localhost", "127.0.0.1"]
    if settings.bind_host in LOOPBACK_OF:
        names += [socket.gethostname(), socket.getfqdn(), *_own_addresses()]
    port = settings.mlflow_tracking_port
    return list(dict.fromkeys(f"{in_url(name)}:{port}" for name in names))


def _backend(settings: Settings) -> str:
    """Where the server keeps its runs. MLflow would log an address that it does not know."""
    given = settings.backend_store_uri
    uri = given.get_secret_value() if given else BACKEND
    if not re.match(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?://", uri):
        raise RecArenaError(
            "BACKEND_STORE_URI: must begin with sqlite://, postgresql://, mysql:// or mssql://"
        )
    # SQLAlchemy's default driver is another one than the one that is installed
    return re.sub("^postgresql://", "postgresql+psycopg2://", uri)


def _own_addresses() -> list[str]:
    """The addresses of this machine's network interfaces."""
    families = (socket.AF_INET, socket.AF_INET6)
    found = [address for card in psutil.net_if_addrs().values() for address in card]
    return [address.address.split("%")[0] for address in found if address.family in families]


def main() -> None:
    """Become the MLflow server that the settings ask for. A wrong setting ends with status 1."""
    try:
        settings = Settings.load()
        command, environment = mlflow_command(settings), mlflow_environment(settings, Path.cwd())
        make_ready(settings, Path.cwd())
    except RecArenaError as error:
        sys.exit(f"error: {error}")
    # it needs neither our modules, whose names could hide a library's, nor the plain password
    dropped = {"PYTHONPATH", *(name.upper() for name in SECRETS)}
    inherited = {name: value for name, value in os.environ.items() if name not in dropped}
    os.execve(command[0], command, inherited | environment)  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    main()
