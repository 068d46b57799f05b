"""The loader: a data set's files into PostgreSQL, all of them or nothing.

One transaction makes tables in a schema of its own, streams the files into them, adds keys and
indexes, and puts them in the place of the data set's tables. Until it commits, readers see what
was there before; if it fails anywhere, that is what stays.
"""

import io
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class
from sqlalchemy import Connection

from core.errors import RecArenaError, first_line
from core.paths import DATA
from core.progress import Advance, progress
from core.settings import Settings
from table_models.database import parse_provenance, provenance, shown_name
from table_models.datasets import DataSet
from table_models.migrations import transaction, upgrade_within
from table_models.parsing import (
    CHUNK_BYTES,
    find_rating,
    movie_rows,
    rating_chunks,
    tag_rows,
)
from table_models.synthetic import NOTICE

TABLES = ("users", "movies", "ratings", "tags")
COLUMNS = {
    "movies": "movie_id, title, year, genres",
    "ratings": 'user_id, movie_id, rating, "timestamp"',
    "tags": 'user_id, movie_id, tag, "timestamp"',
}
SWAP_SECONDS = 300  # to wait for readers of the old tables
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True)
class LoadReport:
    """What was loaded: rows by table, and the seconds that it took."""

    shown_name: str
    rows: dict[str, int]
    seconds: float


def load(
    settings: Settings, dataset: DataSet, folder: Path | None = None, *, replace: bool = False
) -> LoadReport:
    """Load a data set, by default from data/NAME; `replace` takes the place of a loaded one.

    Raises RecArenaError naming the file and line, or the service, that is at fault; the database
    is then as it was.
    """
    files = find_files(dataset, folder)
    start = time.perf_counter()
    with transaction(settings) as session:
        job = _Job(dataset, files, session, replace=replace)
        with _explained(job):
            uninterrupted_by_long_statements(job.cancel, job.run)
    shown = shown_name(dataset.name, synthetic=job.synthetic)
    return LoadReport(shown, job.rows, time.perf_counter() - start)


def find_files(dataset: DataSet, folder: Path | None) -> dict[str, Path]:
    """The data set's files by table. Raises RecArenaError naming what is missing."""
    here = folder or _default_folder(dataset)
    get = f"; get it with `recarena fetch {dataset.name}`" if dataset.public else ""
    if dataset.name == "synthetic":
        get = f"; make it with `recarena synth --out {here}`"
    if not here.is_dir():
        raise RecArenaError(f"there is no folder {here} with {dataset.name}{get}")
    files = {table: here / name for table, name in dataset.files.items()}
    for file in files.values():
        if not file.is_file():
            raise RecArenaError(f"{file} is missing; {dataset.name} needs it{get}")
    return files


def _default_folder(dataset: DataSet) -> Path:
    unpacked = DATA / (dataset.folder or dataset.name)
    return (
        unpacked
        if unpacked.is_dir() and not (DATA / dataset.name).is_dir()
        else DATA / dataset.name
    )


class _Job:
    """One load, in the transaction of one connection."""

    def __init__(
        self, dataset: DataSet, files: dict[str, Path], session: Connection, *, replace: bool
    ) -> None:
        self.dataset, self.files, self.session = dataset, files, session
        self.connection: Any = session.connection.driver_connection
        self.halted = threading.Event()
        self.replace = replace
        self.rows: dict[str, int] = {}
        self.schema = sql.Identifier(dataset.schema)
        self.staging = sql.Identifier(f"{dataset.schema}_loading")
        self.synthetic = (files["ratings"].parent / NOTICE).is_file()

    def run(self) -> None:
        """Do all of it and commit."""
        with self.connection.cursor() as cursor:
            _notice_lost_clients(cursor)
            self._claim(cursor)
            upgrade_within(self.session, self.dataset)
            self._refuse_loaded(cursor)
            self._make_tables(cursor)
            keys = self._keys(cursor)
            cursor.execute(sql.SQL("set local search_path to {}").format(self.staging))
            self._copy_movies_and_tags(cursor)
            self._copy_ratings(cursor)
            self._derive_users(cursor)
            with progress("keys and indexes", len(keys), "done") as advance:
                for statement in keys:
                    cursor.execute(statement)
                    advance(1)
            for table in TABLES:
                cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))
            self._swap(cursor)
        self.session.commit()

    def cancel(self) -> None:
        """Make `run` fail soon, whatever it does; for another thread."""
        self.halted.set()
        with suppress(psycopg2.Error):
            self.connection.cancel()

    def _claim(self, cursor: Cursor) -> None:
        """Be the only loader of this data set."""
        name = self.dataset.name
        cursor.execute("select pg_try_advisory_xact_lock(hashtext(%s))", (f"load {name}",))
        if cursor.fetchone() != (True,):
            raise RecArenaError(f"another load of {name} is running; wait until it has ended")

    def _refuse_loaded(self, cursor: Cursor) -> None:
        """Have leave to replace what is there."""
        query = "select obj_description(%s::regnamespace, 'pg_namespace')"
        cursor.execute(query, (self.dataset.schema,))
        (comment,) = cursor.fetchone() or (None,)
        if parse_provenance(comment) and not self.replace:
            raise RecArenaError(f"{self.dataset.name} is loaded already; replace it with --replace")

    def _make_tables(self, cursor: Cursor) -> None:
        cursor.execute(sql.SQL("create schema {}").format(self.staging))
        for table in TABLES:
            like = sql.SQL("create table {}.{} (like {}.{} including identity)")
            names = (self.staging, sql.Identifier(table), self.schema, sql.Identifier(table))
            cursor.execute(like.format(*names))

    def _keys(self, cursor: Cursor) -> list[str]:
        """The statements that make the keys and indexes of the data set's own tables."""
        cursor.execute(sql.SQL("set local search_path to {}").format(self.schema))
        cursor.execute(
            "select format('alter table %%I add constraint %%I %%s', relname, conname, "
            "pg_get_constraintdef(c.oid)) from pg_constraint c join pg_class t on conrelid = t.oid "
            "where connamespace = %(schema)s::regnamespace and contype in ('p', 'f', 'u', 'c') "
            "and relname = any(%(tables)s) order by contype <> 'p', conname",
            {"schema": self.dataset.schema, "tables": list(TABLES)},
        )
        keys = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "select replace(indexdef, format(' ON %%I.', schemaname), ' ON ') from pg_indexes "
            "where schemaname = %(schema)s and tablename = any(%(tables)s) and indexname not in "
            "(select conname from pg_constraint where connamespace = %(schema)s::regnamespace)",
            {"schema": self.dataset.schema, "tables": list(TABLES)},
        )
        return keys + [row[0] for row in cursor.fetchall()]

    def _copy_movies_and_tags(self, cursor: Cursor) -> None:
        movies = (
            (row.movie_id, row.title, row.year, _array(row.genres))
            for row in movie_rows(self.dataset, self.files["movies"])
        )
        self.rows["movies"] = self._copy_rows(cursor, "movies", movies)
        if not self.rows["movies"]:
            raise RecArenaError(f"{self.files['movies']} holds no movies")
        self.rows["tags"] = 0
        if "tags" in self.files:
            tags = tag_rows(self.dataset, self.files["tags"])
            self.rows["tags"] = self._copy_rows(cursor, "tags", tags)

    def _copy_rows(self, cursor: Cursor, table: str, rows: Iterable[tuple[object, ...]]) -> int:
        """Copy a few rows, made one by one; returns their number."""
        n = 0

        def chunks() -> Iterator[bytes]:
            nonlocal n
            pending = []
            for row in rows:
                n += 1
                pending.append("\t".join(_escaped(value) for value in row))
                if len(pending) == 1000:
                    yield ("\n".join(pending) + "\n").encode()
                    pending = []
            if pending:
                yield ("\n".join(pending) + "\n").encode()

        self._copy(cursor, table, chunks())
        return n

    def _copy_ratings(self, cursor: Cursor) -> None:
        file = self.files["ratings"]
        with progress(f"loading {file.name}", None, "rows") as advance:
            chunks = self._counted(rating_chunks(self.dataset, file), advance)
            self._copy(cursor, "ratings", chunks)

    def _counted(self, chunks: Iterator[tuple[bytes, int]], advance: Advance) -> Iterator[bytes]:
        self.rows["ratings"] = 0
        for chunk, rows in chunks:
            if self.halted.is_set():  # libpq would send the rest of the file to no end
                return
            self.rows["ratings"] += rows
            advance(rows)
            yield chunk

    def _copy(self, cursor: Cursor, table: str, chunks: Iterator[bytes]) -> None:
        statement = sql.SQL("copy {} ({}) from stdin (freeze)").format(
            sql.Identifier(table), sql.SQL(COLUMNS[table])
        )
        reader = _Reader(chunks)
        try:
            cursor.copy_expert(statement, reader, size=2 * CHUNK_BYTES)
        except psycopg2.Error:
            if reader.error:  # the driver wraps what a file raises
                raise reader.error from None
            raise

    def _derive_users(self, cursor: Cursor) -> None:
        """Everybody who rated or tagged; by COPY, so that these rows are frozen like the others.

        A query that had to wait for the swap may have an older snapshot: it must see all or none.
        """
        users = io.BytesIO()
        everybody = "select user_id from ratings union select user_id from tags order by user_id"
        cursor.copy_expert(f"copy ({everybody}) to stdout", users)
        users.seek(0)
        cursor.copy_expert("copy users from stdin (freeze)", users)
        self.rows["users"] = cursor.rowcount

    def _swap(self, cursor: Cursor) -> None:
        """Put the new tables in the place of the old ones."""
        self._hold_off_readers(cursor)
        for table in ("ratings", "tags", "movies", "users"):  # those that refer to others first
            cursor.execute(sql.SQL("drop table {}.{}").format(self.schema, sql.Identifier(table)))
        for table in TABLES:
            move = sql.SQL("alter table {}.{} set schema {}")
            cursor.execute(move.format(self.staging, sql.Identifier(table), self.schema))
        cursor.execute(sql.SQL("drop schema {}").format(self.staging))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        source = self.files["ratings"].resolve().parent.name
        words = provenance(source, self.synthetic, self.rows["ratings"], now)
        cursor.execute(sql.SQL("comment on schema {} is %s").format(self.schema), (words,))

    def _hold_off_readers(self, cursor: Cursor) -> None:
        """Lock all old tables at once or none: waiting for one with another in hand could deadlock.

        Raises RecArenaError if somebody reads them for minutes on end.
        """
        names = sql.SQL(", ").join(sql.Identifier(self.dataset.schema, table) for table in TABLES)
        lock = sql.SQL("lock table {} in access exclusive mode nowait").format(names)
        until = time.monotonic() + SWAP_SECONDS
        cursor.execute("savepoint unlocked")
        while time.monotonic() < until and not self.halted.is_set():
            try:
                cursor.execute(lock)
            except errors.LockNotAvailable:
                cursor.execute("rollback to savepoint unlocked")
                time.sleep(0.05)
            else:
                return
        raise RecArenaError(
            f"{self.dataset.name} is in use by others for {SWAP_SECONDS} s; nothing was replaced, "
            "try again when they have ended"
        )


def _notice_lost_clients(cursor: Cursor) -> None:
    """Have the server end a long statement soon after a loader was killed."""
    cursor.execute("savepoint untouched")
    try:
        cursor.execute("set local client_connection_check_interval = '2s'")
    except psycopg2.Error:  # a server on a system that cannot
        cursor.execute("rollback to savepoint untouched")


class _Reader:
    """Chunks as a file that COPY reads; keeps the error that the chunks ended in."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.error: BaseException | None = None

    def read(self, _size: int = 0, /) -> bytes:
        """The next chunk, empty at the end."""
        try:
            return next(self.chunks, b"")
        except BaseException as error:
            self.error = error
            raise

    def readline(self, _size: int = 0, /) -> bytes:
        """The same; the driver asks for a method of this name, and never calls it."""
        return self.read()


def _escaped(value: object) -> str:
    """A value as COPY's text format has it."""
    return "\\N" if value is None else str(value).translate(ESCAPES)


def _array(values: list[str]) -> str:
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def uninterrupted_by_long_statements(cancel: Callable[[], None], work: Callable[[], None]) -> None:
    """Do database work that an interrupt cancels at once, also in the middle of a statement.

    The driver waits for a statement without looking at signals, so the work is done in a thread
    and this one waits; an interrupt cancels the work, waits for its end and is raised again.
    """
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded)
    with _termination_raised():
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.1)
        except BaseException:
            while thread.is_alive():
                cancel()
                thread.join(0.1)
            raise
    if failed:
        raise failed[0]


@contextmanager
def _termination_raised() -> Iterator[None]:
    """Have SIGTERM raise SystemExit; outside the main thread, which gets no signals, nothing."""

    def terminate(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _explained(job: _Job) -> Iterator[None]:
    """Turn the database's errors into one line that names the culprit."""
    try:
        yield
    except (errors.UniqueViolation, errors.ForeignKeyViolation) as error:
        job.session.rollback()  # the search for the line takes a while
        raise RecArenaError(_culprit(job, error)) from None
    except errors.DiskFull:
        raise RecArenaError("the database's disk is full; nothing was loaded") from None
    except errors.InsufficientPrivilege as error:
        raise RecArenaError(f"{first_line(error)}; check POSTGRES_USER") from None
    except psycopg2.OperationalError as error:
        raise RecArenaError(
            f"the database went away while loading ({first_line(error)}); nothing was loaded"
        ) from None
    except psycopg2.Error as error:
        raise RecArenaError(f"loading {job.dataset.name}: {first_line(error)}") from None


def _culprit(job: _Job, error: psycopg2.Error) -> str:
    """The line at fault when a key or foreign key could not be made."""
    table = error.diag.table_name or ""
    values = re.search(r"=\((.*?)\)", error.diag.message_detail or "")
    ids = values[1].split(", ") if values else []
    file = job.files.get(table)
    if not file or not ids:
        return f"loading {job.dataset.name}: {first_line(error)}"
    if table == "ratings" and isinstance(error, errors.UniqueViolation):
        line = find_rating(job.dataset, file, user=ids[0], movie=ids[1], nth=2)
        return f"{file}, line {line}: user {ids[0]} rated movie {ids[1]} before"
    if table == "movies":
        lines = [n for n, row in _numbered(job) if str(row) == ids[0]]
        return f"{file}, line {lines[1]}: movie {ids[0]} was listed before"
    line = find_rating(job.dataset, file, user=None, movie=ids[0], nth=1)
    what = "a rating" if table == "ratings" else "a tag"
    return f"{file}, line {line}: {what} of movie {ids[0]}, which {job.files['movies'].name} lacks"


def _numbered(job: _Job) -> Iterator[tuple[int, int]]:
    """Line numbers and ids of the movies; good enough where no record spans lines."""
    header = job.dataset.layout == "csv"
    rows = movie_rows(job.dataset, job.files["movies"])
    return ((line, row.movie_id) for line, row in enumerate(rows, 2 if header else 1))
