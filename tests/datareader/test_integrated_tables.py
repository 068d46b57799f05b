"""The split and the item words, on a real PostgreSQL, with rows made by hand."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extras import execute_values

from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from table_models.database import connect, loaded
from table_models.datasets import find
from table_models.migrations import upgrade

Rating = tuple[int, int, float, int]
Fill = Callable[..., None]


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


def read(database: Settings, **protocol: Any) -> Any:
    (source,) = loaded(database)
    return read_dataset(database, source, EvaluationProtocol(source.shown_name, **protocol))


def pairs(dataset: Any, side: str) -> set[tuple[int, int]]:
    rows = getattr(dataset, side)
    users, items = dataset.user_ids.ids[rows.users], dataset.item_ids.ids[rows.items]
    return set(zip(users.tolist(), items.tolist(), strict=True))


def test_the_newest_are_test_and_ties_go_to_the_higher_movie(
    database: Settings, fill: Fill
) -> None:
    fill([(7, 10, 3.0, 50), (7, 30, 4.0, 50), (7, 20, 5.0, 50), (7, 40, 1.0, 49), (7, 5, 2.0, 51)])
    found = read(database, n_test=2)
    assert pairs(found, "test") == {(7, 5), (7, 30)}
    assert pairs(found, "train") == {(7, 10), (7, 20), (7, 40)}


def test_users_with_too_few_ratings_stay_in_train(database: Settings, fill: Fill) -> None:
    ratings = [(1, item, 3.0, item) for item in range(2)]
    ratings += [(2, item, 3.0, item) for item in range(3)]
    fill(ratings)
    found = read(database, n_test=2)
    assert pairs(found, "test") == {(2, 1), (2, 2)}
    assert pairs(found, "train") == {(1, 0), (1, 1), (2, 0)}


def test_half_stars_and_values_arrive_as_they_are(database: Settings, fill: Fill) -> None:
    fill([(1, 10, 0.5, 2_000_000_000), (1, 11, 3.5, 0), (1, 12, 99.9, 5)])
    found = read(database, n_test=1)
    assert found.test.ratings.tolist() == [0.5]
    assert found.test.timestamps.tolist() == [2_000_000_000]
    assert sorted(found.train.ratings.tolist()) == [3.5, pytest.approx(99.9)]
    assert found.train.ratings.dtype == np.float32


def test_the_catalogue_has_unrated_movies_words_and_titles(database: Settings, fill: Fill) -> None:
    movies = [
        (3, "Les Misérables (1995)", 1995, ["Drama", "War"]),
        (5, "No year", None, []),
        (9, "Unrated (2000)", 2000, ["Sci-Fi"]),
    ]
    tags = [(1, 3, "NULL", 1), (2, 3, "french", 2), (8, 3, "French", 3)]
    fill([(1, 3, 4.0, 1), (1, 5, 4.0, 2)], movies, tags)
    found = read(database, n_test=1)
    assert found.item_ids.ids.tolist() == [3, 5, 9]
    assert list(found.titles) == ["Les Misérables (1995)", "No year", "Unrated (2000)"]
    words = [["drama", "french", "french", "null", "war"], [], ["sci-fi"]]
    assert [list(one) for one in found.item_words] == words
    assert found.user_ids.ids.tolist() == [1], "users who only tagged have nothing to learn from"


def test_the_sample_is_of_users_seeded_and_nested_in_the_whole(
    database: Settings, fill: Fill
) -> None:
    fill([(user, item, 3.0, item) for user in range(1, 41) for item in range(4)])
    whole = pairs(read(database, n_test=1), "test")
    some = [read(database, n_test=1, user_num=10, user_seed=seed) for seed in (0, 0, 1)]
    assert [len(one.user_ids) for one in some] == [10, 10, 10]
    assert some[0].fingerprint == some[1].fingerprint != some[2].fingerprint
    assert pairs(some[0], "test") < whole
    assert some[0].user_ids.ids.max() > 10, "not simply the first users"
    assert len(read(database, n_test=1, user_num=1000).user_ids) == 40


def test_no_test_rating_is_an_error(database: Settings, fill: Fill) -> None:
    fill([(1, 1, 3.0, 1)])
    with pytest.raises(RecArenaError, match="lower N_TEST"):
        read(database)


def test_the_data_set_to_run_on(database: Settings, fill: Fill) -> None:
    with pytest.raises(RecArenaError, match="ml-1m is not loaded; run `recarena load ml-1m`"):
        choose_dataset(database.model_copy(update={"dataset": "ml-1m"}))
    with pytest.raises(RecArenaError, match="no data set is loaded"):
        choose_dataset(database)
    fill([(1, 1, 3.0, 1)])
    assert choose_dataset(database).name == "synthetic"


ROW = st.tuples(
    st.integers(1, 4), st.integers(1, 12), st.sampled_from([0.5, 3.0, 4.5]), st.integers(0, 3)
)
ROWS = st.lists(ROW, min_size=8, max_size=40, unique_by=lambda row: row[:2])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, n_test=st.integers(1, 4), data=st.data())
def test_the_split_is_as_defined_whatever_the_order_of_loading(
    database: Settings, fill: Fill, rows: list[Rating], n_test: int, data: st.DataObject
) -> None:
    expected: set[tuple[int, int]] = set()
    for user in {row[0] for row in rows}:
        own = sorted((row for row in rows if row[0] == user), key=lambda row: (-row[3], -row[1]))
        expected |= {row[:2] for row in own[:n_test]} if len(own) > n_test else set()
    if not expected:
        return
    fill(rows)
    found = read(database, n_test=n_test)
    assert pairs(found, "test") == expected
    assert pairs(found, "train") == {row[:2] for row in rows} - expected
    fill(data.draw(st.permutations(rows)))
    assert read(database, n_test=n_test).fingerprint == found.fingerprint


def test_held_back_ratings_are_on_neither_side_and_the_ones_before_are_test(
    database: Settings, fill: Fill
) -> None:
    fill([(user, item, 3.0, item) for user, n in ((1, 2), (2, 3), (3, 9)) for item in range(n)])
    whole = read(database, n_test=2)
    found = read(database, n_test=2, n_held_back=2)
    assert pairs(whole, "test") == {(2, 1), (2, 2), (3, 7), (3, 8)}
    assert pairs(found, "test") == {(3, 5), (3, 6)}
    assert pairs(found, "train") == pairs(whole, "train") - pairs(found, "test")
    assert pairs(found, "train") >= {(1, 0), (1, 1), (2, 0)}
