"""A database whose ratings are those that a test makes by hand."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from psycopg2.extras import execute_values

from core.settings import Settings
from splits import Fill, Rating
from table_models.database import connect
from table_models.datasets import find
from table_models.migrations import upgrade


@pytest.fixture
def fill(database: Settings) -> Iterator[Fill]:
    """Puts rows straight into the tables of `synthetic`, in place of what was there."""
    upgrade(database, find("synthetic"))
    with closing(connect(database)) as connection, connection.cursor() as cursor:

        def put(
            ratings: list[Rating],
            movies: list[tuple[Any, ...]] | None = None,
            tags: list[tuple[Any, ...]] | None = None,
        ) -> None:
            listed = movies or [(i, f"M{i}", None, []) for i in sorted({r[1] for r in ratings})]
            cursor.execute("set search_path to synthetic")
            cursor.execute("truncate users, movies, ratings, tags")
            users = {(r[0],) for r in ratings} | {(t[0],) for t in tags or []}
            execute_values(cursor, "insert into users values %s", sorted(users))
            execute_values(
                cursor, "insert into movies values %s", listed, template="(%s, %s, %s, %s::text[])"
            )
            execute_values(cursor, "insert into ratings values %s", ratings)
            if tags:
                into = "insert into tags (user_id, movie_id, tag, timestamp) values %s"
                execute_values(cursor, into, tags)
            origin = {"source": "a test", "synthetic": True, "ratings": 1, "loaded": "now"}
            comment = json.dumps({"recarena": origin})
            cursor.execute("comment on schema synthetic is %s", (comment,))
            connection.commit()

        yield put
