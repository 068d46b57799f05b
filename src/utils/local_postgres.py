"""A PostgreSQL server of our own, from the programs in a Python wheel: no installation, no root."""

import shlex
import time
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection
from pydantic import SecretStr

from core.errors import RecArenaError, first_line
from utils.interrupts import Check, deferred_interrupts
from utils.ports import check_port, reachable
from utils.postgres_cluster import PostgresCluster, open_log
from utils.postgres_config import write_config
from utils.postgres_initdb import complaint, make_cluster
from utils.postgres_place import Place, make_place
from utils.postgres_process import end_leftovers, run_program, server_address

START_SECONDS = 120  # recovery after a crash in the middle of a big load takes its time
CONNECT_SECONDS = 10


class LocalPostgres(PostgresCluster):
    """One PostgreSQL cluster in a folder, with one account and one database to begin with.

    The server outlives this object and this process; every object for the same folder, in any
    process, is the same server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str,
        port: int,
        user: str,
        password: SecretStr,
        database: str,
        log: Path | None = None,
    ) -> None:
        super().__init__(folder, log)
        self.host, self.port = host, port
        self.user, self.password, self.database = user, password, database

    def start(self) -> None:
        """Make the cluster if there is none, start it, and return once it answers a query.

        Harmless when it runs already; one that listens elsewhere is started again. An interrupt
        leaves no process behind.

        Raises RecArenaError naming the cause: port taken, wrong password, unusable folder.
        """
        with deferred_interrupts() as check:
            place = make_place(self.folder)
            running = server_address(place.data)
            if running == (self.host, self.port):
                self._await_query(check)
                return
            if running:
                self.stop()
            try:
                end_leftovers(place.data)
                check_port(self.host, self.port, "DB_PORT")
                make_cluster(place, check, self.user, self.password)
                self._launch(place, check)
                self._await_query(check)
            except BaseException:
                self.stop()
                raise

    def connect(self, database: str | None = None) -> connection:
        """A connection in autocommit mode, to the server's own database unless told."""
        opened = psycopg2.connect(
            host=reachable(self.host),
            port=self.port,
            user=self.user,
            password=self.password.get_secret_value(),
            dbname=database or self.database,
            connect_timeout=CONNECT_SECONDS,
            sslmode="disable",  # the wheel's programs know no TLS; PGSSLMODE must not demand it
        )
        opened.autocommit = True
        return opened

    def _launch(self, place: Place, check: Check) -> None:
        """Start the server's process and wait until it accepts connections."""
        config = write_config(place.base, self.host, self.port)
        option = shlex.quote(f"config_file={config}")  # pg_ctl hands it to a shell
        with open_log(self.log) as log:
            begin = log.tell()
            command = ("start", "-D", str(place.data), "-w", "-t", str(START_SECONDS))
            status = run_program(place, check, log, "pg_ctl", *command, "-o", f"-c {option}")
        if status:
            said = self.log.read_bytes()[begin:].decode(errors="replace")
            raise RecArenaError(f"PostgreSQL did not start: {complaint(said)} (see {self.log})")

    def _await_query(self, check: Check) -> None:
        """Wait until the server answers a query, and make the database if it is missing."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._make_database()
            except psycopg2.Error as error:
                # somebody else has started it and it still recovers from a crash
                if "database system is starting up" not in str(error) or time.monotonic() > end:
                    raise RecArenaError(self._refusal(error)) from None
            check()
            time.sleep(0.2)

    def _make_database(self) -> None:
        with closing(self.connect("postgres")) as server, server.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (self.database,))
            if not cursor.fetchone():
                name = sql.Identifier(self.database)
                cursor.execute(sql.SQL("create database {}").format(name))

    def _refusal(self, error: psycopg2.Error) -> str:
        if "authentication failed" not in str(error):
            return f"PostgreSQL on {self.host}:{self.port}: {first_line(error)}"
        return (
            f"PostgreSQL in {self.folder} was made with another user or password than "
            f"{self.user}'s: set POSTGRES_USER and POSTGRES_PASSWORD back, or stop it and remove "
            "the folder (and all that was loaded) to start afresh"
        )
