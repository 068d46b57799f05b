"""The strategies of the split, on a real PostgreSQL, beside their definition in Python."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import RecArenaError
from core.paths import SQL
from core.protocol import EvaluationProtocol
from core.settings import Settings
from splits import Fill, Pair, Rating, by_definition, fingerprint, pairs, read
from table_models.database import connect

DAY = 86_400
NO_INDEX = (
    "-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off "
    "-c enable_incremental_sort=off -c work_mem=64kB"
)
NO_SCAN = "-c enable_seqscan=off -c enable_sort=off -c enable_material=off"
ROW = st.tuples(
    st.integers(1, 4),
    st.integers(1, 12),
    st.sampled_from([0.5, 3.0, 4.5]),
    st.sampled_from([DAY - 1, DAY, DAY + 1, 2 * DAY, 3 * DAY]),
)
ROWS = st.lists(ROW, min_size=2, max_size=40, unique_by=lambda row: row[:2])
LAST_N = st.fixed_dictionaries({"n_test": st.integers(1, 4), "n_held_back": st.integers(0, 3)})
LEAVE_ONE_OUT = st.just({"split": "leave_one_out"})
FOLDS = st.integers(2, 6).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "split": st.just("random"),
            "n_folds": st.just(n),
            "fold": st.integers(1, n),
            "split_seed": st.integers(-3, 3),
        }
    )
)
QUANTILE = st.floats(0.01, 0.99).map(lambda q: {"split": "global_time", "split_quantile": q})
DATE = st.sampled_from([date(1970, 1, n) for n in range(1, 6)]).map(
    lambda day: {"split": "global_time", "split_date": day}
)
PART = st.sampled_from(["test", "validation"])
EXAMPLE: list[Rating] = [
    (u, i, 3.0, (7 * u + 5 * i) % 11 * DAY) for u in range(9) for i in range(9)
]
ONE_OF_EACH: dict[str, dict[str, Any]] = {
    "last_n": {"n_test": 2},
    "leave_one_out": {"split": "leave_one_out"},
    "random": {"split": "random", "n_folds": 4},
    "quantile": {"split": "global_time", "split_quantile": 0.8},
    "date": {"split": "global_time", "split_date": date(1970, 1, 9)},
}


def given_pairs(rows: list[Rating]) -> set[Pair]:
    return {row[:2] for row in rows}


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize(
    "strategy",
    [LAST_N, LEAVE_ONE_OUT, FOLDS, QUANTILE, DATE],
    ids=["last_n", "leave_one_out", "random", "quantile", "date"],
)
@given(rows=ROWS, part=PART, data=st.data())
def test_the_split_is_as_defined_whatever_the_order_of_loading_and_the_plan(
    database: Settings,
    fill: Fill,
    strategy: st.SearchStrategy[dict[str, Any]],
    rows: list[Rating],
    part: str,
    data: st.DataObject,
) -> None:
    wanted = data.draw(strategy) | {"split_part": part}
    train, test = by_definition(rows, EvaluationProtocol("", **wanted))
    fill(rows)
    if not (train and test):
        with pytest.raises(RecArenaError):
            read(database, **wanted)
        return
    found = read(database, **wanted)
    assert pairs(found, "train") == given_pairs(train)
    assert pairs(found, "test") == given_pairs(test)
    assert not given_pairs(train) & given_pairs(test)
    fill(data.draw(st.permutations(rows)))
    assert fingerprint(database, **wanted) == found.fingerprint
    for options in (NO_INDEX, NO_SCAN):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PGOPTIONS", options)
            assert fingerprint(database, **wanted) == found.fingerprint


def test_other_plans_are_other_plans(
    database: Settings, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(EXAMPLE)
    found = set()
    for options in (NO_INDEX, NO_SCAN):
        monkeypatch.setenv("PGOPTIONS", options)
        found.add("\n".join(plan(database)))
    assert len(found) == 2


def plan(database: Settings, **protocol: Any) -> list[str]:
    query = (SQL / "integrated_tables.sql").read_text()
    given = EvaluationProtocol("", **protocol).query_params()
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("set search_path to synthetic")
        cursor.execute("explain (costs off) " + query, given)
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize("wanted", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
def test_only_the_strategy_asked_for_is_planned(
    database: Settings, fill: Fill, wanted: dict[str, Any]
) -> None:
    fill(EXAMPLE)
    text = "\n".join(plan(database, **wanted))
    split = wanted.get("split", "last_n")
    assert ("PARTITION BY" in text) == (split in ("last_n", "leave_one_out"))
    assert ("md5" in text) == (split == "random")


def test_the_usual_split_reads_the_index_and_sorts_nothing(
    database: Settings, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(EXAMPLE)
    monkeypatch.setenv("PGOPTIONS", "-c enable_seqscan=off -c enable_bitmapscan=off")
    text = "\n".join(plan(database))
    assert "Index Only Scan using ratings_newest_first_idx" in text
    assert "Sort" not in text


def folds(database: Settings, n: int, **protocol: Any) -> Iterator[Any]:
    for fold in range(1, n + 1):
        yield read(database, split="random", n_folds=n, fold=fold, **protocol)


def test_folds_are_a_partition_of_equal_sizes(database: Settings, fill: Fill) -> None:
    fill(EXAMPLE)
    tests = [pairs(one, "test") for one in folds(database, 5)]
    assert sorted(map(len, tests)) == [16, 16, 16, 16, 17]
    assert set().union(*tests) == given_pairs(EXAMPLE)
    assert sum(map(len, tests)) == len(EXAMPLE)
    assert all(len({user for user, _ in one}) > 5 for one in tests), "folds do not follow users"


def test_folds_depend_on_the_seed_and_on_nothing_but_user_and_movie(
    database: Settings, fill: Fill
) -> None:
    fill(EXAMPLE)
    zero, one = (pairs(read(database, split="random", split_seed=s), "test") for s in (0, 1))
    assert zero != one
    fill([(user, movie, 5.0, 0) for user, movie, _, _ in EXAMPLE])
    assert pairs(read(database, split="random"), "test") == zero


def test_validation_never_meets_test_and_its_folds_part_what_is_left(
    database: Settings, fill: Fill
) -> None:
    fill(EXAMPLE)
    test = pairs(read(database, split="random", fold=2), "test")
    found = read(database, split="random", fold=2, split_part="validation")
    assert not (pairs(found, "test") | pairs(found, "train")) & test
    assert pairs(found, "test") | pairs(found, "train") | test == given_pairs(EXAMPLE)


def test_leave_one_out_takes_the_newest_and_leaves_who_has_but_one(
    database: Settings, fill: Fill
) -> None:
    fill([(1, 1, 3.0, 9), (2, 1, 3.0, 5), (2, 2, 3.0, 5), (2, 3, 3.0, 4)])
    found = read(database, split="leave_one_out")
    assert pairs(found, "test") == {(2, 2)}
    found = read(database, split="leave_one_out", split_part="validation")
    assert pairs(found, "test") == {(2, 1)}
    assert pairs(found, "train") == {(1, 1), (2, 3)}


def test_a_second_is_never_on_both_sides_of_the_cut(database: Settings, fill: Fill) -> None:
    fill([(user, 1, 3.0, stamp) for user, stamp in enumerate([1, 2, 3, 3, 3, 3, 3, 4, 4, 5])])
    for quantile, n_test in ((0.1, 9), (0.2, 8), (0.3, 3), (0.7, 3), (0.8, 1), (0.9, 1)):
        found = read(database, split="global_time", split_quantile=quantile)
        assert len(found.test) == n_test
        assert found.train.timestamps.max() < found.test.timestamps.min()


def test_a_date_begins_at_midnight_utc(database: Settings, fill: Fill) -> None:
    monday = 1_230_768_000  # 2009-01-01 00:00 UTC, by `date`
    fill([(1, 1, 3.0, monday - 1), (1, 2, 3.0, monday), (2, 3, 3.0, monday + 1)])
    found = read(database, split="global_time", split_date=date(2009, 1, 1))
    assert pairs(found, "test") == {(1, 2), (2, 3)}
    assert pairs(found, "train") == {(1, 1)}
    assert found.user_ids.ids.tolist() == [1, 2], "a user with test ratings alone is there"


def test_a_sample_of_users_is_split_as_if_there_were_no_others(
    database: Settings, fill: Fill
) -> None:
    fill(EXAMPLE)
    for wanted in ONE_OF_EACH.values():
        some = read(database, user_num=5, **wanted)
        rows = [row for row in EXAMPLE if row[0] in some.user_ids.ids]
        assert len(some.user_ids) == 5
        _, test = by_definition(rows, EvaluationProtocol("", **wanted))
        assert pairs(some, "test") == given_pairs(test)


def test_fingerprints_differ_by_strategy_and_part(database: Settings, fill: Fill) -> None:
    fill(EXAMPLE)
    found = [
        fingerprint(database, split_part=part, **wanted)
        for wanted in ONE_OF_EACH.values()
        for part in ("test", "validation")
    ]
    assert len(set(found)) == len(found) == 10


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"n_test": 9}, "lower N_TEST"),
        ({"split": "random", "n_folds": 900, "fold": 900}, "lower N_FOLDS or take another FOLD"),
        ({"split": "global_time", "split_date": date(2040, 1, 1)}, "choose another SPLIT_DATE"),
        ({"split": "global_time", "split_date": date(1969, 1, 1)}, "choose another SPLIT_DATE"),
        ({"split": "global_time", "split_quantile": 0.999}, "change SPLIT_QUANTILE"),
    ],
)
def test_a_side_without_ratings_is_an_error_that_says_what_to_change(
    database: Settings, fill: Fill, wanted: dict[str, Any], message: str
) -> None:
    fill(EXAMPLE)
    with pytest.raises(RecArenaError, match=message):
        read(database, **wanted)
    with pytest.raises(RecArenaError, match=message):
        read(database, split_part="validation", **wanted)


def test_nobody_to_leave_one_out_of_is_an_error(database: Settings, fill: Fill) -> None:
    fill([(1, 1, 3.0, 1), (2, 1, 3.0, 1)])
    with pytest.raises(RecArenaError, match="no user has two ratings"):
        read(database, split="leave_one_out")
