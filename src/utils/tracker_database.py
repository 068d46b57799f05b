"""The tracker's own database, asked and copied directly: SQLite's file or a PostgreSQL."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from core.errors import RecArenaError
from utils.postgres_dump import Dsn, connected
from utils.run_end import ALIVE, SILENT_SECONDS

RUNS = "select count(*) from runs"
IN_PROGRESS = f"""
select count(*) from runs join tags on tags.run_uuid = runs.run_uuid
where status = 'RUNNING' and key = '{ALIVE}' and cast(value as numeric) > {{since}}
"""  # noqa: S608 - numbers of our own


def copy(file: Path, target: Path) -> None:
    """Copy an SQLite database as it is at one moment, while others may write to it.

    Raises RecArenaError if it cannot be read, or is damaged.
    """
    try:
        with closing(_opened(file)) as source, closing(sqlite3.connect(target)) as goal:
            source.backup(goal)
            (said,) = goal.execute("pragma quick_check(1)").fetchone()
            goal.execute("pragma journal_mode = delete")
    except sqlite3.Error as error:
        raise RecArenaError(f"{file}: {error}") from None
    if said != "ok":
        raise RecArenaError(f"{file} is damaged: {said}")


def close(file: Path) -> None:
    """Bring all of an SQLite database into its one file.

    Raises RecArenaError if somebody else has it open.
    """
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(file, timeout=5)) as database:
            database.execute("pragma journal_mode = delete").fetchall()
    except sqlite3.Error as error:
        raise RecArenaError(f"{file} is in use ({error}): stop the MLflow server first") from None


def n_runs(where: Path | Dsn) -> int:
    """The runs in a tracker's database; 0 if it is new."""
    return _count(where, RUNS)


def n_in_progress(where: Path | Dsn) -> int:
    """The runs that were heard of within the last minute."""
    return _count(where, IN_PROGRESS.format(since=int(time.time() - SILENT_SECONDS)))


def _count(where: Path | Dsn, query: str) -> int:
    if isinstance(where, Path):
        return _count_in_file(where, query)
    with connected(where) as database:
        database.execute("select to_regclass('runs') is not null")
        if not database.fetchall()[0][0]:
            return 0
        database.execute(query)
        return int(database.fetchall()[0][0])


def _count_in_file(file: Path, query: str) -> int:
    if not file.exists():
        return 0
    try:
        with closing(_opened(file)) as database:
            tables = database.execute("select name from sqlite_master where name = 'runs'")
            return int(database.execute(query).fetchone()[0]) if tables.fetchall() else 0
    except sqlite3.Error as error:
        raise RecArenaError(f"{file}: {error}") from None


def _opened(file: Path) -> sqlite3.Connection:
    """The database in a file that is there; `connect` alone would make one."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=20)
