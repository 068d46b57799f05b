"""The FTP server that stores the artifacts: `python -m utils.ftp_server`.

One account, known to the MLflow server only. Everything comes from the environment, so that the
same module runs as a local process and in a container.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

from core.errors import RecArenaError, first_line
from core.secret_files import read_secret_files
from core.settings import describe
from utils.ftp_uploads import Receiver, Uploads, forget_unfinished
from utils.ports import gateway

# enter, list, read, delete, rename, make folders, write; neither append nor change modes or times
PERMISSIONS = "elrdfmw"


class FtpServerSettings(BaseSettings):
    """What the server needs to know, from the environment alone."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    bind_host: str = "127.0.0.1"
    """Address to listen on."""
    ftp_port: int = Field(21, ge=1, le=65535)
    """Port of the control connections."""
    ftp_passive_ports: str | None = Field(None, pattern=r"^\d{1,5}-\d{1,5}$")
    """Ports for data connections, first-last; any free port unless given."""
    ftp_outside_address: str | None = None
    """In a container: where clients outside of its network find those ports. Clients in the
    network are told the server's own address."""
    ftp_user_name: str
    """The one account."""
    ftp_user_pass: SecretStr
    """Its password; FTP_USER_PASS_FILE may name a file that holds it."""
    ftp_root: Path
    """Folder that the account sees as `/`."""


class Session(FTPHandler):  # type: ignore[misc] # the library has no types
    """One client's session; a client is told the address by which it reached the server."""

    abstracted_fs = Uploads
    dtp_handler = Receiver
    outside_address: str | None = None

    def on_connect(self) -> None:
        """Note which side of a container's network the client is on."""
        if self.outside_address and self.remote_ip == gateway():
            self.masquerade_address = self.outside_address


def make_server(settings: FtpServerSettings) -> FTPServer:
    """A server that listens already; `serve_forever()` makes it answer.

    Raises RecArenaError when the port or the folder cannot be used.
    """
    authorizer = DummyAuthorizer()
    forget_unfinished(settings.ftp_root)
    password = settings.ftp_user_pass.get_secret_value()
    authorizer.add_user(settings.ftp_user_name, password, str(settings.ftp_root), perm=PERMISSIONS)
    handler = type("Handler", (Session,), _handler_options(settings, authorizer))
    try:
        return FTPServer((settings.bind_host, settings.ftp_port), handler)
    except OSError as error:
        where = f"{settings.bind_host}:{settings.ftp_port}"
        raise RecArenaError(f"FTP server cannot listen on {where}: {first_line(error)}") from None


def _handler_options(settings: FtpServerSettings, authorizer: DummyAuthorizer) -> dict[str, object]:
    passive = None
    if settings.ftp_passive_ports:
        first, last = map(int, settings.ftp_passive_ports.split("-"))
        passive = range(first, last + 1)
    return {
        "authorizer": authorizer,
        "passive_ports": passive,
        "outside_address": settings.ftp_outside_address,
        "banner": "RecArena artifact store",
        "log_prefix": "%(remote_ip)s:%(remote_port)s",  # no account names in the log
    }


def main() -> None:
    """Serve until SIGTERM or SIGINT. What is wrong goes to standard error, with status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, _leave)
    try:
        given: dict[str, Any] = {**read_secret_files(os.environ, ["ftp_user_pass"])}
        server = make_server(FtpServerSettings(**given))
    except ValidationError as error:
        sys.exit(describe(error))
    except (RecArenaError, OSError) as error:
        sys.exit(first_line(error))
    server.serve_forever()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
