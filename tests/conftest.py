"""Real servers for the tests: on free ports, in folders of their own, ended afterwards."""

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql
from pydantic import SecretStr

from core.settings import Settings
from table_models.database import connect
from utils.local_postgres import LocalPostgres
from utils.local_services import up, wipe
from utils.ports import free_port

HOST = "127.0.0.1"

# A shell that starts something in the background has it ignore Ctrl-C, and so all that it starts;
# tests send it to processes of their own.
signal.signal(signal.SIGINT, signal.default_int_handler)


def make_settings(**given: Any) -> Settings:
    """Settings of the given values and the defaults; no environment, no .env, no services.json."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    return Settings.model_construct(_fields_set=set(given), **defaults | given)


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment of a subprocess that is to load just these settings."""
    values = settings.model_dump(exclude_none=True)
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }
    inherited = {k: v for k, v in os.environ.items() if k.lower() not in Settings.model_fields}
    return inherited | {name.upper(): value for name, value in plain.items()}


@pytest.fixture(scope="session")
def reachable_folder() -> Iterator[Callable[[], Path]]:
    """Makes temporary folders that any account can pass through, as pytest's own are not."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="recarena-test-")))
        made[-1].chmod(0o711)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder)


@contextmanager
def running_postgres(folder: Path) -> Iterator[LocalPostgres]:
    """A running PostgreSQL server in a folder, which is removed at the end."""
    server = LocalPostgres(
        folder / "postgres",
        host=HOST,
        port=free_port(HOST),
        user="tester",
        password=SecretStr(secrets.token_hex(8)),
        database="tester",
    )
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_server(reachable_folder: Callable[[], Path]) -> Iterator[LocalPostgres]:
    """A running PostgreSQL server, shared by all tests."""
    with running_postgres(reachable_folder()) as server:
        yield server


@contextmanager
def fresh_database(server: LocalPostgres) -> Iterator[Settings]:
    """Settings of a new, empty database, which is dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield make_settings(
            db_host=server.host,
            db_port=server.port,
            postgres_user=server.user,
            postgres_password=server.password,
            postgres_db=name,
        )
        cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def database(postgres_server: LocalPostgres) -> Iterator[Settings]:
    """Settings of a fresh, empty database of the test's own."""
    with fresh_database(postgres_server) as settings:
        yield settings


@pytest.fixture(scope="module")
def own_services(services: Settings) -> Settings:
    """The running services, with a fresh database and an experiment of the test module's own."""
    name = f"module_{secrets.token_hex(6)}"
    with closing(connect(services)) as server, server.cursor() as cursor:
        server.autocommit = True
        cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return services.model_copy(update={"postgres_db": name, "experiment_name": name})


@pytest.fixture(scope="session")
def services_folder(reachable_folder: Callable[[], Path]) -> Path:
    """Where the shared services keep their data."""
    return reachable_folder() / "local services"


@pytest.fixture(scope="session")
def services(services_folder: Path) -> Iterator[Settings]:
    """Settings of a running PostgreSQL, FTP server and MLflow, shared by all tests."""
    folder = services_folder
    password = SecretStr(secrets.token_hex(8))
    given = make_settings(
        db_port=free_port(HOST),
        ftp_port=free_port(HOST),
        mlflow_tracking_port=free_port(HOST),
        postgres_password=password,
        ftp_user_pass=password,
        outbox=folder.with_name("outbox"),
    )
    try:
        yield up(given, print, folder)
    finally:
        wipe(print, folder)
