"""What the tests look at in the database."""

from contextlib import closing
from typing import Any

from core.settings import Settings
from table_models.database import connect


def rows(settings: Settings, query: str, *params: object) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(query, params or None)
        return list(cursor.fetchall())


def execute(settings: Settings, statement: str) -> None:
    """Run a statement and commit it."""
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        connection.commit()


def schemas(settings: Settings) -> set[str]:
    """Names of the schemas of data sets, and of what loads left behind."""
    query = "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema|public)'"
    return {name for (name,) in rows(settings, query)}


def everything(settings: Settings, schema: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a data set and its schema's comment, in an order of their own."""
    found = {
        table: rows(settings, f"select * from {schema}.{table} order by {table}::text")
        for table in ("users", "movies", "ratings", "tags")
    }
    query = "select obj_description(%s::regnamespace, 'pg_namespace')"
    return found | {"comment": rows(settings, query, schema)}
