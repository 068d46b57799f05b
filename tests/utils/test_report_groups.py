"""Groups of users and items, against numbers made by hand."""

import numpy as np
import pytest

from utils.report.groups import by_activity, by_popularity, hit_shares


def test_users_are_grouped_by_equal_numbers() -> None:
    found = by_activity(np.array([10, 1, 9, 2, 8, 3, 7, 4, 6, 5]))
    assert found.of.tolist() == [4, 0, 4, 0, 3, 1, 3, 1, 2, 2]
    assert list(found.names) == ["1–2", "3–4", "5–6", "7–8", "9–10"]
    assert list(found.notes) == ["2 users"] * 5


def test_equal_users_are_never_apart() -> None:
    found = by_activity(np.array([7] * 9 + [1000]))
    assert list(found.names) == ["7", "1,000"]
    assert list(found.notes) == ["9 users", "1 user"]
    assert by_activity(np.array([3, 3])).of.tolist() == [0, 0]


def test_items_are_grouped_by_equally_many_ratings() -> None:
    # ten ratings: a fifth is two; the item with 4 begins after 3 + 3 of them
    found = by_popularity(np.array([4, 0, 1, 1, 1, 3, 0]))
    assert found.of.tolist() == [3, 0, 1, 1, 1, 2, 0]
    assert list(found.names) == ["0", "1", "3", "4"]
    assert list(found.notes) == ["2 items", "3 items", "1 item", "1 item"]


def test_without_unrated_items_there_is_no_group_of_them() -> None:
    found = by_popularity(np.array([5, 5, 90]))
    assert list(found.names) == ["5", "90"]


def test_no_train_rating_at_all() -> None:
    found = by_popularity(np.zeros(3, np.int64))
    assert (found.of.tolist(), list(found.names)) == ([0, 0, 0], ["0"])


def test_a_ratio_of_nothing_is_no_number() -> None:
    found = by_popularity(np.array([0, 1, 1]))
    ratio = found.ratio(np.array([0, 1, 0]), np.array([0, 1, 3]))
    assert np.isnan(ratio[0])
    assert ratio[1] == pytest.approx(1 / 4)


def test_shares_of_users_by_hits() -> None:
    n_relevant = np.array([1, 2, 3, 5, 5, 3])
    recall = np.array([0, 1 / 2, 2 / 3, 1, 3 / 5, 1 / 3])  # 0, 1, 2, 5, 3 and 1 hits
    assert hit_shares(recall, n_relevant).tolist() == pytest.approx([1 / 6, 2 / 6, 1 / 6, 2 / 6])
