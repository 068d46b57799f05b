"""Looking into one data set of the database."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class with a lower-case name

from core.errors import RecArenaError, first_line
from core.settings import Settings
from table_models.database import LoadedDataSet, connect, time_limit


@contextmanager
def reading(settings: Settings, source: LoadedDataSet) -> Iterator[Cursor]:
    """A cursor whose queries see one data set as it is at this moment, and change nothing.

    A loader that would replace the data set waits meanwhile. Raises RecArenaError if the data set
    is not there or the database goes away, or has not answered within DB_TIMEOUT.
    """
    try:
        with (
            closing(connect(settings)) as connection,
            connection.cursor() as cursor,
            time_limit(connection, settings),
        ):
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            schema = sql.Identifier(source.schema)
            cursor.execute(sql.SQL("set local search_path to {}").format(schema))
            cursor.execute("lock table users, movies, ratings, tags in access share mode")
            yield cursor
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        raise RecArenaError(
            f"{source.name} is not loaded; run `recarena load {source.name}`"
        ) from None
    except psycopg2.DatabaseError as error:
        if type(error) is psycopg2.DatabaseError:  # what COPY raises when the server is gone
            said = "the connection was lost in the middle"
        elif isinstance(error, psycopg2.OperationalError):
            said = first_line(error)
        else:
            raise
        raise RecArenaError(f"reading {source.name} from the database: {said}") from None
