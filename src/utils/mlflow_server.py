"""How `mlflow server` is to be run; `python -m utils.mlflow_server` becomes it, in a container."""

import os
import re
import socket
import sys
from urllib.parse import quote

import psutil

from core.errors import RecArenaError
from core.settings import Settings
from utils.ports import LOOPBACK_OF, in_url, reachable

BACKEND = "sqlite:///mlflow.db"  # relative: a folder may hold what a URI cannot


def mlflow_command(settings: Settings) -> list[str]:
    """The command line of the server; it tells nothing secret, for everybody can read it."""
    command = [sys.executable, "-m", "mlflow", "server", "--serve-artifacts"]
    address = ["--host", settings.bind_host, "--port", str(settings.mlflow_tracking_port)]
    # one process is enough for one machine, and each takes 250 MB
    # asked to end, it does not wait for an upload that takes long
    uvicorn = "--no-access-log --timeout-graceful-shutdown 1"
    return [*command, *address, "--workers", "1", "--uvicorn-opts", uvicorn]


def mlflow_environment(settings: Settings) -> dict[str, str]:
    """The environment variables of the server; the only place that tells it the FTP password.

    Raises RecArenaError for an FTP account or a backend store that MLflow cannot use.
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
    }


def artifacts_destination(settings: Settings) -> str:
    """The FTP address of the artifacts, with its password: for the server's environment only."""
    user = settings.ftp_user_name
    if not re.fullmatch(r"[\w.~-]+", user, re.ASCII):
        raise RecArenaError(
            f"FTP_USER_NAME={user}: MLflow can log in with letters, digits and ._~- only; "
            "choose another name"
        )
    password = quote(settings.ftp_user_pass.get_secret_value(), safe="")
    return f"ftp://{user}:{password}@{in_url(settings.ftp_host)}:{settings.ftp_port}/"


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
        command, environment = mlflow_command(settings), mlflow_environment(settings)
    except RecArenaError as error:
        sys.exit(f"error: {error}")
    # it needs neither our modules, whose names could hide a library's, nor the plain password
    dropped = {"PYTHONPATH", "FTP_USER_PASS", "FTP_USER_PASS_FILE"}
    inherited = {name: value for name, value in os.environ.items() if name not in dropped}
    os.execve(command[0], command, inherited | environment)  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    main()
