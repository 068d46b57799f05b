"""The split's first strategy and the item words, on a real PostgreSQL, with rows made by hand."""

import numpy as np
import pytest

from core.errors import RecArenaError
from core.settings import Settings
from datareader.reader import choose_dataset
from splits import Fill, pairs, read


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
