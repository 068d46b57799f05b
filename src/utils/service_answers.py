"""Does a service really answer? Each function asks it for what its clients ask it for."""

import base64
import ftplib
import hashlib
import http
import http.client
import json
import os
import random
import secrets
import socket
import threading
import time
import urllib.error
import urllib.request
import zlib
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from core.errors import AccessRefusedError, RecArenaError, first_line
from core.settings import Settings, is_loopback
from utils.ftp_address import Address
from utils.ftp_limits import Limits
from utils.ftp_session import log_in
from utils.mlflow_server import artifacts_destination

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
PROBE = ".recarena/probe-{}.bin"  # few names, overwritten: not every FTP store can delete
SLOTS = 64


def ask_postgres(settings: Settings, seconds: float) -> str:
    """PostgreSQL's version, from a query. Raises RecArenaError with the server's reason."""
    try:
        with closing(_connect(settings, seconds)) as server, server.cursor() as cursor:
            cursor.execute("select current_setting('server_version')")
            return str(cursor.fetchall()[0][0])
    except psycopg2.Error as error:
        raise RecArenaError(first_line(error)) from None


def _connect(settings: Settings, seconds: float) -> connection:
    return psycopg2.connect(
        host=settings.db_host,
        port=settings.db_port,
        user=settings.postgres_user,
        password=settings.postgres_password.get_secret_value(),
        dbname=settings.postgres_db,
        connect_timeout=max(2, int(seconds)),
        options=f"-c statement_timeout={int(seconds * 1000)}",
    )


def ask_ftp(settings: Settings, seconds: float) -> str:
    """The FTP server's greeting, after a login. Raises RecArenaError with the server's reason."""
    limits = Limits.model_construct(connect=seconds, ca_file=settings.ftp_ca_file)
    try:
        with log_in(Address.parse(artifacts_destination(settings)), limits) as server:
            server.pwd()
            return str(server.getwelcome())
    except ftplib.all_errors as error:
        where = f"{settings.ftp_host}:{settings.ftp_port}"
        raise RecArenaError(f"ftp://{where}: {first_line(error)}") from None


def ask_mlflow(settings: Settings, seconds: float) -> str:
    """The MLflow server's version, after a search for experiments.

    Raises RecArenaError with what it answered instead.
    """
    body = json.dumps({"max_results": 1}).encode()
    _call(settings, "/api/2.0/mlflow/experiments/search", seconds, body, kind="application/json")
    return _call(settings, "/version", seconds).decode()


def asks_password(settings: Settings, seconds: float) -> bool:
    """Whether the MLflow server lets nobody in without an account."""
    stranger = settings.model_copy(
        update=dict.fromkeys(("mlflow_admin_user", "mlflow_tracking_username"))
    )
    try:
        _call(stranger, "/version", seconds)
    except AccessRefusedError:
        return True
    return False


def ask_artifacts(settings: Settings, seconds: float) -> None:
    """List the artifacts' root through the MLflow server. Raises RecArenaError if it cannot."""
    answer = _call(settings, ARTIFACTS, seconds)
    if b'"files"' not in answer and json.loads(answer) != {}:
        raise RecArenaError(f"{ARTIFACTS}: answered no list of files")


def send_artifact(settings: Settings, seconds: float) -> str:
    """The checksum of a file that went to the artifact store and came back the same.

    Another process may send its own under the same name meanwhile, so it is tried again. Raises
    RecArenaError when it did not come back.
    """
    path = f"{ARTIFACTS}/{PROBE.format(_slot())}"
    for pause in (0.1, 0.5, None):
        sent = secrets.token_bytes(1024)
        _call(settings, path, seconds, sent, method="PUT")
        came = _call(settings, path, seconds)
        if came == sent:
            return hashlib.sha256(came).hexdigest()
        if pause:
            time.sleep(pause * (1 + random.random()))  # noqa: S311 - no secret
    raise RecArenaError(f"{len(sent)} bytes were sent, {len(came)} other bytes came back")


def _slot() -> int:
    """A number that processes at the same time seldom share, on one machine or several."""
    me = f"{socket.gethostname()} {os.getpid()} {threading.get_ident()}"
    return zlib.crc32(me.encode()) % SLOTS


def refusal(settings: Settings) -> str:
    """Why an MLflow server that asks for accounts does not let us in, and what to do."""
    account = settings.mlflow_account
    if account is None:
        return (
            f"MLflow at {settings.tracking_uri} asks for a password: set MLFLOW_TRACKING_USERNAME "
            "and MLFLOW_TRACKING_PASSWORD"
        )
    return (
        f"MLflow at {settings.tracking_uri} refuses the password of {account[0]}: an account "
        "keeps the one that it was made with (docs/security.md says how to change it)"
    )


def _call(
    settings: Settings,
    path: str,
    seconds: float,
    body: bytes | None = None,
    *,
    method: str | None = None,
    kind: str = "application/octet-stream",
) -> bytes:
    """What the MLflow server answers to a request."""
    headers = {"Content-Type": kind} if body else {}
    if settings.mlflow_account:
        account = ":".join(settings.mlflow_account).encode()
        headers["Authorization"] = f"Basic {base64.b64encode(account).decode()}"
    request = urllib.request.Request(  # noqa: S310 - the address begins with http://
        settings.tracking_uri + path, data=body, headers=headers, method=method
    )
    try:
        with _opener(settings).open(request, timeout=seconds) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.UNAUTHORIZED:
            raise AccessRefusedError(refusal(settings)) from None
        said = error.read(3000).decode(errors="replace")
        raise RecArenaError(f"{path}: HTTP {error.code}: {_message(said)}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise RecArenaError(f"{settings.tracking_uri}: {_text(reason)}") from None


def _opener(settings: Settings) -> urllib.request.OpenerDirector:
    """Makes requests; a server on this machine is not asked through a proxy."""
    local = is_loopback(settings.mlflow_tracking_host)
    return urllib.request.build_opener(*[urllib.request.ProxyHandler({})] * local)


def _text(reason: BaseException | str) -> str:
    return first_line(reason) if isinstance(reason, BaseException) else reason


def _message(said: str) -> str:
    """The message of MLflow's JSON error, or the first line of another kind of answer."""
    try:
        answer: Any = json.loads(said)
        return str(answer["message"])
    except (ValueError, KeyError, TypeError):
        return " ".join(said.split())[:200]
