import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset import IdMap, Interactions
from tiny_datasets import interactions


@given(st.lists(st.integers(0, 2**40), min_size=1))
def test_index_is_the_inverse_of_ids(ids: list[int]) -> None:
    id_map = IdMap.of(ids)
    assert list(id_map.ids) == sorted(set(ids))
    assert list(id_map.ids[id_map.index(ids)]) == ids


@pytest.mark.parametrize("ids", [[3, 7, 9], [3, 10**12]])
@pytest.mark.parametrize("unknown", [0, 5, 10**13])
def test_unknown_id_is_named(ids: list[int], unknown: int) -> None:
    with pytest.raises(KeyError, match=str(unknown)):
        IdMap.of(ids).index([3, unknown])


def test_ids_must_increase() -> None:
    with pytest.raises(ValueError, match="increasing"):
        IdMap(np.array([1, 1]))


def test_an_empty_map_knows_nothing() -> None:
    with pytest.raises(KeyError):
        IdMap.of([]).index([1])


def test_matrix_holds_the_ratings() -> None:
    matrix = interactions([(1, 2, 3.5), (0, 1, 0.5)], 2, 3).matrix
    assert matrix.toarray().tolist() == [[0, 0.5, 0], [0, 0, 3.5]]
    assert matrix.dtype == np.float32


def test_where_keeps_the_index_space() -> None:
    kept = interactions([(1, 2, 3.5), (0, 1, 0.5)], 2, 3).where(np.array([True, False]))
    assert (kept.n_users, kept.n_items, len(kept)) == (2, 3, 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 0, 1.0), (0, 0, 2.0)], "more than once"),
        ([(2, 0, 1.0)], "user index out of range"),
        ([(0, 3, 1.0)], "item index out of range"),
        ([(-1, 0, 1.0)], "user index out of range"),
    ],
)
def test_bad_interactions_are_refused(rows: list[tuple[int, int, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        interactions(rows, 2, 3)


def test_columns_must_be_of_one_length() -> None:
    one, two = np.zeros(1, np.int32), np.zeros(2, np.int32)
    with pytest.raises(ValueError, match="one length"):
        Interactions(one, two, one.astype(np.float32), one.astype(np.int64), 1, 1)
