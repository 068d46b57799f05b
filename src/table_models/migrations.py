"""Alembic's migrations, run for one data set in the data set's own schema.

The version table lies in that schema too, so every data set is migrated on its own.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from psycopg2 import errors
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema, DropSchema

from core.errors import RecArenaError, first_line
from core.paths import ROOT
from core.settings import Settings
from table_models.database import connect, sqlalchemy_url
from table_models.datasets import DataSet
from table_models.tables import Base

LOCKS = zlib.crc32(b"recarena") - 2**31  # the space of our advisory locks
SEARCH_PATH = text("select set_config('search_path', quote_ident(:schema), true)")


def upgrade(settings: Settings, dataset: DataSet) -> None:
    """Bring a data set's schema to the newest version, in a transaction of its own.

    Raises RecArenaError if the database does not answer or refuses.
    """
    with transaction(settings) as connection:
        upgrade_within(connection, dataset)


def upgrade_within(connection: Connection, dataset: DataSet) -> None:
    """Bring a data set's schema to the newest version, within the connection's transaction."""
    folder = ROOT / "alembic"
    if not (folder / "env.py").is_file():
        raise RecArenaError(f"{folder}: the migrations are missing; run this in the whole project")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes.update(connection=connection, schema=dataset.schema)
    command.upgrade(config, "head")


@contextmanager
def transaction(settings: Settings) -> Iterator[Connection]:
    """A connection in a transaction that is committed at the end, or undone by an error.

    Raises RecArenaError if the database does not answer or refuses.
    """
    engine = create_engine(
        sqlalchemy_url(settings),
        creator=lambda: connect(settings),
        poolclass=NullPool,
        pool_reset_on_return=None,  # a lost connection cannot be reset, and that is no news
    )
    try:
        with engine.connect() as connection:
            connection.begin()
            try:
                yield connection
            except RecArenaError:
                with suppress(DBAPIError):  # where the server is gone there is nothing to undo
                    connection.rollback()
                raise
            connection.commit()
    except DBAPIError as error:
        where = f"database {settings.postgres_db} at {settings.db_host}:{settings.db_port}"
        hint = f"; give user {settings.postgres_user} the right to create schemas and tables"
        denied = isinstance(error.orig, errors.InsufficientPrivilege)
        said = first_line(error.orig or error)
        raise RecArenaError(f"{where}: {said}{hint if denied else ''}") from None


def lock_key(schema: str) -> dict[str, int]:
    """The advisory lock of a schema, as the parameters `space` and `key`."""
    return {"space": LOCKS, "key": zlib.crc32(schema.encode()) - 2**31}


def migrate(connection: Connection, schema: str, context: EnvironmentContext) -> None:
    """Run what `context` was called for, within the connection's transaction.

    The schema is made for it, and removed if nothing of ours is left in it. Whoever else wants
    to change the schema waits.
    """
    connection.execute(text("select pg_advisory_xact_lock(:space, :key)"), lock_key(schema))
    exists = text("select to_regnamespace(quote_ident(:schema)) is not null")
    is_new = not connection.execute(exists, {"schema": schema}).scalar()
    connection.execute(SEARCH_PATH, {"schema": schema})
    connection.dialect.default_schema_name = schema  # where Alembic looks for what there is
    context.configure(connection, **_options())
    found = context.get_context()
    if found.opts.get("dont_mutate"):
        context.config.print_stdout("%s:", schema)
        context.run_migrations()
        return
    if is_new:
        connection.execute(CreateSchema(schema))
    context.run_migrations()
    if not found.get_current_heads():
        _remove(connection, schema)


def migrate_offline(schema: str, context: EnvironmentContext) -> None:
    """Print the SQL that would bring a schema that is not there to the wanted version."""
    context.configure(dialect_name="postgresql", literal_binds=True, **_options())
    with context.begin_transaction():
        context.execute(CreateSchema(schema, if_not_exists=True))
        context.execute(SEARCH_PATH.bindparams(schema=schema))
        context.run_migrations()


def _options() -> dict[str, Any]:
    return {"target_metadata": Base.metadata, "compare_server_default": True}


def _remove(connection: Connection, schema: str) -> None:
    """Remove a schema in which no migration is left, unless it holds other people's objects."""
    connection.execute(text("drop table if exists alembic_version"))
    others = text(
        "select exists (select from pg_depend where refclassid = 'pg_namespace'::regclass"
        " and refobjid = to_regnamespace(quote_ident(:schema)))"
    )
    if not connection.execute(others, {"schema": schema}).scalar():
        connection.execute(DropSchema(schema))
