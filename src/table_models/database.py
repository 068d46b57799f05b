"""Connections to PostgreSQL, and what is loaded in it."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class
from sqlalchemy import URL

from core.errors import RecArenaError, first_line
from core.settings import Settings
from table_models.datasets import DATASETS

PROBES = 3  # signs of life that a host may leave out


def sqlalchemy_url(settings: Settings) -> URL:
    """The settings' database for SQLAlchemy; as text it hides the password."""
    return URL.create(
        "postgresql+psycopg2",
        settings.postgres_user,
        settings.postgres_password.get_secret_value(),
        settings.db_host,
        settings.db_port,
        settings.postgres_db,
    )


@dataclass(frozen=True)
class LoadedDataSet:
    """A data set in the database. `shown_name` says so if its ratings are synthetic."""

    name: str
    schema: str
    shown_name: str
    ratings: int
    description: str


def connect(settings: Settings) -> Connection:
    """A connection to the settings' database; one whose host is gone is given up in time.

    Raises RecArenaError naming server, user and database; never the password.
    """
    where = _where(settings)
    pause = max(1, settings.silence_timeout // (PROBES + 1))
    try:
        return psycopg2.connect(
            host=settings.db_host,
            port=settings.db_port,
            user=settings.postgres_user,
            password=settings.postgres_password.get_secret_value(),
            dbname=settings.postgres_db,
            connect_timeout=max(2, round(settings.connect_timeout)),  # less is none to libpq
            keepalives_idle=pause,
            keepalives_interval=pause,
            keepalives_count=PROBES,
            tcp_user_timeout=settings.silence_timeout * 1000,
            application_name="recarena",
        )
    except psycopg2.OperationalError as error:
        said = first_line(error)
        if "authentication failed" in said:
            reason = f"refuses user {settings.postgres_user}: check POSTGRES_USER and its password"
        elif "does not exist" in said:
            reason = "does not exist: check POSTGRES_DB"
        else:
            reason = "does not answer: start it with `recarena up`, or check DB_HOST and DB_PORT"
        raise RecArenaError(f"{where} {reason}") from None


@contextmanager
def time_limit(connection: Connection, settings: Settings) -> Iterator[None]:
    """Cut a connection whose block takes longer than DB_TIMEOUT.

    A server that hangs, or is stopped, sends nothing and its host gives signs of life all the
    same; libpq would wait for ever. Raises RecArenaError then.
    """
    expired = threading.Event()
    line = socket.socket(fileno=os.dup(connection.fileno()))

    def cut() -> None:
        expired.set()
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(settings.db_timeout, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg2.Error:
        if not expired.is_set():
            raise
        raise RecArenaError(
            f"{_where(settings)} has not answered within DB_TIMEOUT={settings.db_timeout:g} seconds"
        ) from None
    finally:
        timer.cancel()
        line.close()


def _where(settings: Settings) -> str:
    return f"database {settings.postgres_db} at {settings.db_host}:{settings.db_port}"


def loaded(settings: Settings) -> list[LoadedDataSet]:
    """The data sets that are in the database, in the order of their declaration."""
    query = "select nspname, obj_description(oid, 'pg_namespace') from pg_namespace"
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        with time_limit(connection, settings):
            cursor.execute(query)
        comments = dict(cursor.fetchall())
    found = []
    for one in DATASETS.values():
        origin = parse_provenance(comments.get(one.schema))
        if origin:
            shown = shown_name(one.name, synthetic=bool(origin["synthetic"]))
            words = f"{origin['ratings']:,} ratings from {origin['source']}"
            found.append(LoadedDataSet(one.name, one.schema, shown, origin["ratings"], words))
    return found


def shown_name(name: str, *, synthetic: bool) -> str:
    """A data set's name as runs show it: it says so if the ratings are synthetic."""
    return f"{name}-synthetic" if synthetic and name != "synthetic" else name


def provenance(source: str, synthetic: bool, ratings: int, loaded_at: str) -> str:
    """What the loader writes on a data set's schema."""
    origin = {"source": source, "synthetic": synthetic, "ratings": ratings, "loaded": loaded_at}
    return json.dumps({"recarena": origin}, sort_keys=True)


def parse_provenance(comment: str | None) -> dict[str, Any] | None:
    """What the loader wrote, or None if it loaded nothing there."""
    try:
        found = json.loads(comment or "null")
    except ValueError:
        return None
    return found.get("recarena") if isinstance(found, dict) else None
