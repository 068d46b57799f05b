"""The FTP server that stores the artifacts: `python -m utils.ftp_server`.

One account that stores, known to the MLflow server only, and perhaps one that reads. Everything
comes from the environment, so that the same module runs as a local process and in a container.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Self

from OpenSSL import SSL
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

from core.errors import RecArenaError, first_line
from core.secret_files import read_secret_files
from core.settings import describe
from utils.ftp_accounts import READ, STORE, Accounts
from utils.ftp_certificate import ensure_certificate
from utils.ftp_commands import Session, TlsSession
from utils.ftp_digests import Digests
from utils.ftp_uploads import forget_unfinished

SECRETS = ["ftp_user_pass", "ftp_reader_pass"]


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
    """The account that stores."""
    ftp_user_pass: SecretStr
    """Its password; FTP_USER_PASS_FILE may name a file that holds it."""
    ftp_reader_name: str | None = None
    """An account that may list and read only; none unless given."""
    ftp_reader_pass: SecretStr | None = None
    """Its password; FTP_READER_PASS_FILE may name a file that holds it."""
    ftp_root: Path
    """Folder that the accounts see as `/`."""
    ftp_max_connections: int = Field(256, ge=2)
    """Sockets that may be open at once, those of transfers included."""
    ftp_max_connections_per_host: int = Field(64, ge=1)
    """Sessions that one address may have at once."""
    ftp_idle_seconds: int = Field(300, ge=1)
    """Seconds after which a silent session, or a transfer that stands still, is ended."""
    ftp_keep_free_mib: int = Field(100, ge=0)
    """Space on the disk that uploads do not use."""
    ftp_tls: bool = False
    """Whether sessions must be encrypted."""
    ftp_certificate: Path | None = None
    """With FTP_TLS: the certificate; made, with its key, if neither file exists."""
    ftp_key: Path | None = None
    """With FTP_TLS: the certificate's private key."""
    ftp_certificate_hosts: str = ""
    """Names and addresses, with commas, that a certificate that is made holds for."""

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.ftp_reader_name is None) != (self.ftp_reader_pass is None):
            raise ValueError("FTP_READER_NAME and FTP_READER_PASS: give both or none")
        if self.ftp_reader_name == self.ftp_user_name:
            raise ValueError("FTP_READER_NAME must not be FTP_USER_NAME")
        if self.ftp_tls and not (self.ftp_certificate and self.ftp_key):
            raise ValueError("FTP_TLS needs FTP_CERTIFICATE and FTP_KEY")
        return self


def make_server(settings: FtpServerSettings) -> FTPServer:
    """A server that listens already; `serve_forever()` makes it answer.

    Raises RecArenaError when the port, the folder or the certificate cannot be used.
    """
    forget_unfinished(settings.ftp_root)
    kind = _session(settings)
    handler = type("Handler", (kind,), _handler_options(settings, kind))
    where = f"{settings.bind_host}:{settings.ftp_port}"
    try:
        server = FTPServer((settings.bind_host, settings.ftp_port), handler)
    except SSL.Error:
        raise RecArenaError(
            f"FTP_CERTIFICATE={settings.ftp_certificate}: it and FTP_KEY are not of one pair"
        ) from None
    except OSError as error:
        raise RecArenaError(f"FTP server cannot listen on {where}: {first_line(error)}") from None
    server.max_cons = settings.ftp_max_connections
    server.max_cons_per_ip = settings.ftp_max_connections_per_host
    return server


def _session(settings: FtpServerSettings) -> type[FTPHandler]:
    """The kind of sessions; with TLS, once there is a certificate."""
    if not (settings.ftp_tls and settings.ftp_certificate and settings.ftp_key):
        return Session
    hosts = [host.strip() for host in settings.ftp_certificate_hosts.split(",") if host.strip()]
    ensure_certificate(settings.ftp_certificate, settings.ftp_key, hosts)
    old = SSL.OP_NO_TLSv1 | SSL.OP_NO_TLSv1_1 | TlsSession.ssl_options
    files = {"certfile": str(settings.ftp_certificate), "keyfile": str(settings.ftp_key)}
    return type("Secure", (TlsSession,), {**files, "ssl_options": old})


def _accounts(settings: FtpServerSettings) -> Accounts:
    accounts, root = Accounts(), settings.ftp_root
    accounts.add(settings.ftp_user_name, settings.ftp_user_pass.get_secret_value(), root, STORE)
    if settings.ftp_reader_name and settings.ftp_reader_pass:
        password = settings.ftp_reader_pass.get_secret_value()
        accounts.add(settings.ftp_reader_name, password, root, READ)
    return accounts


def _handler_options(settings: FtpServerSettings, kind: type[FTPHandler]) -> dict[str, object]:
    passive = None
    if settings.ftp_passive_ports:
        first, last = map(int, settings.ftp_passive_ports.split("-"))
        passive = range(first, last + 1)
    receiver = type("Transfer", (kind.dtp_handler,), {"timeout": settings.ftp_idle_seconds})
    return {
        "authorizer": _accounts(settings),
        "dtp_handler": receiver,
        "digests": Digests(),
        "keep_free": settings.ftp_keep_free_mib << 20,
        "passive_ports": passive,
        "outside_address": settings.ftp_outside_address,
        "timeout": settings.ftp_idle_seconds,
        "banner": "RecArena artifact store",
    }


def main() -> None:
    """Serve until SIGTERM or SIGINT. What is wrong goes to standard error, with status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, _leave)
    try:
        given: dict[str, Any] = {**read_secret_files(os.environ, SECRETS)}
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
