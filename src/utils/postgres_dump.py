"""A PostgreSQL database as one file, and back, by PostgreSQL's own programs."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class
from psycopg2.extensions import make_dsn, parse_dsn

from core.errors import RecArenaError, first_line
from core.settings import Settings
from utils.postgres_programs import ENVIRONMENT, installed_programs

CONNECT_SECONDS = 10
TRIES, PAUSE = 20, 0.1  # seconds between tries
RENAME = sql.SQL("alter database {} rename to {}")
Dsn = dict[str, Any]  # what psycopg2.connect takes

ROWS = """
select format('%I.%I', schemaname, tablename), schemaname, tablename from pg_tables
where schemaname not in ('pg_catalog', 'information_schema') and tablename not like 'alembic%'
order by 1
"""


def dsn_of(settings: Settings) -> Dsn:
    """The database of the ratings."""
    return {
        "host": settings.db_host,
        "port": str(settings.db_port),
        "user": settings.postgres_user,
        "password": settings.postgres_password.get_secret_value(),
        "dbname": settings.postgres_db,
    }


def dsn_of_uri(uri: str) -> Dsn:
    """A database that SQLAlchemy's kind of address names."""
    scheme, _, rest = uri.partition("://")
    return dict(parse_dsn(f"{scheme.partition('+')[0]}://{rest}"))


def shown(dsn: Dsn) -> str:
    """The database for people, without the password."""
    return f"database {dsn.get('dbname')} at {dsn.get('host', 'localhost')}:{dsn.get('port', 5432)}"


def dump(dsn: Dsn, file: Path) -> None:
    """Write all of a database, as it is at one moment, to a file of `pg_dump`'s custom format.

    Raises RecArenaError with the program's reason.
    """
    _run(dsn, "pg_dump", "--format=custom", "--compress=1", f"--file={file}", *PLAIN)


PLAIN = ("--no-owner", "--no-privileges", "--no-password")  # another account may restore it


def restore_beside(dsn: Dsn, file: Path, name: str) -> None:
    """Restore a dump as a new database called `name` on the same server.

    Raises RecArenaError; then there is no such database.
    """
    with _maintenance(dsn) as server:
        server.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
        create = "create database {} encoding 'UTF8' template template0"
        server.execute(sql.SQL(create).format(sql.Identifier(name)))
    try:
        _run({**dsn, "dbname": name}, "pg_restore", "--exit-on-error", *PLAIN, target=file)
    except BaseException:
        drop(dsn, name)
        raise


def rename(dsn: Dsn, renames: list[tuple[str, str]]) -> None:
    """Give databases other names, all or none; whoever is connected to them is cut off.

    Raises RecArenaError if it cannot be.
    """
    names = [old for old, _ in renames]
    kill = (
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = any(%s) and pid <> pg_backend_pid()"
    )
    pairs = (RENAME.format(sql.Identifier(old), sql.Identifier(new)) for old, new in renames)
    at_once = sql.SQL(";").join(pairs)  # in one message, and so in one transaction
    with _maintenance(dsn) as server:
        for tries_left in reversed(range(TRIES)):
            server.execute(kill, (names,))
            try:
                server.execute(at_once)
            except errors.ObjectInUse:  # somebody has come back
                if not tries_left:
                    raise
                time.sleep(PAUSE)
            else:
                return


def drop(dsn: Dsn, name: str) -> None:
    """Remove a database, if it is there."""
    with _maintenance(dsn) as server:
        command = sql.SQL("drop database if exists {} with (force)")
        server.execute(command.format(sql.Identifier(name)))


def filled_tables(dsn: Dsn) -> list[str]:
    """The tables of a database that have rows, without those of migrations."""
    with connected(dsn) as database:
        database.execute(ROWS)
        found = []
        any_row = sql.SQL("select exists(select from {})")
        for shown_name, schema, table in database.fetchall():
            database.execute(any_row.format(sql.Identifier(schema, table)))
            if database.fetchall()[0][0]:
                found.append(shown_name)
        return found


@contextmanager
def connected(dsn: Dsn) -> Iterator[Cursor]:
    """A cursor in autocommit mode. Errors of PostgreSQL are RecArenaErrors."""
    try:
        with closing(psycopg2.connect(**dsn, connect_timeout=CONNECT_SECONDS)) as connection:
            connection.autocommit = True
            yield connection.cursor()
    except psycopg2.Error as error:
        raise RecArenaError(f"{shown(dsn)}: {first_line(error)}") from None


def _maintenance(dsn: Dsn) -> Any:
    """A cursor of another database of the same server: one's own cannot be renamed."""
    other = "postgres" if dsn.get("dbname") != "postgres" else "template1"
    return connected({**dsn, "dbname": other})


def _run(dsn: Dsn, program: str, *options: str, target: Path | None = None) -> None:
    """Run a program on a database; its password is in no command line."""
    where = make_dsn(**{key: value for key, value in dsn.items() if key != "password"})
    command = [str(installed_programs() / "bin" / program), *options, f"--dbname={where}"]
    environment = ENVIRONMENT | {"PGPASSWORD": str(dsn.get("password", "")), "HOME": os.devnull}
    done = subprocess.run(
        [*command, *([str(target)] if target else [])],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    if done.returncode:
        said = done.stderr.replace(f"{program}: error: ", "").strip().splitlines()
        raise RecArenaError(f"{shown(dsn)}: {program}: {said[0] if said else done.returncode}")
