"""Small data sets with known answers."""

from collections.abc import Iterable

import numpy as np

from core.dataset import Dataset, IdMap, Interactions

Row = tuple[int, int, float]


def interactions(rows: Iterable[Row], n_users: int, n_items: int) -> Interactions:
    """Rows of (user index, item index, stars) as interactions, a second apart."""
    users, items, ratings = (
        (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 3
    )
    return Interactions(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.array(ratings, np.float32),
        np.arange(len(users), dtype=np.int64),
        n_users,
        n_items,
    )


def dataset(train: list[Row], test: list[Row], n_users: int, n_items: int) -> Dataset:
    """A data set whose user ids are 100, 101, ... and whose item ids are 1000, 1001, ..."""
    return Dataset(
        name="tiny",
        train=interactions(train, n_users, n_items),
        test=interactions(test, n_users, n_items),
        user_ids=IdMap(100 + np.arange(n_users, dtype=np.int64)),
        item_ids=IdMap(1000 + np.arange(n_items, dtype=np.int64)),
        item_words=[["even" if item % 2 == 0 else "odd"] for item in range(n_items)],
        titles=[f"Item {item} (1999)" for item in range(n_items)],
        fingerprint="1+1-0123456789abcdef",
    )


def two_tastes(n_users: int = 60, n_items: int = 60) -> Dataset:
    """Even users love even items and hate odd ones; odd users the other way round.

    Each user's item u (even for even users) is withheld as a loved test item, and its neighbour
    as a hated one; the loved one must come first among the two.
    """
    train, test = [], []
    for user in range(n_users):
        for item in range(n_items):
            stars = 5.0 if (user + item) % 2 == 0 else 1.0
            withheld = item // 2 == (user % n_items) // 2
            (test if withheld else train).append((user, item, stars))
    return dataset(train, test, n_users, n_items)


def constant(n_users: int = 12, n_items: int = 8) -> Dataset:
    """All ratings equal."""
    rows = [(u, i, 4.0) for u in range(n_users) for i in range(n_items)]
    return dataset(
        [r for r in rows if r[1] % 4], [r for r in rows if not r[1] % 4], n_users, n_items
    )


def cold() -> Dataset:
    """User 2 and item 4 are in test only; user 3 and item 5 are nowhere but in the id maps."""
    train = [(0, 0, 5.0), (0, 1, 3.0), (1, 0, 4.0), (1, 2, 2.5), (0, 3, 0.5)]
    return dataset(train, [(2, 4, 4.5), (0, 2, 4.0), (1, 3, 1.0)], 4, 6)


def single() -> Dataset:
    """One user, two items, one train rating."""
    return dataset([(0, 0, 4.0)], [(0, 1, 5.0)], 1, 2)


def noisy(n_users: int = 300, n_items: int = 120, seed: int = 0) -> Dataset:
    """Random ratings with a taste behind them, five of each user withheld."""
    rng = np.random.default_rng(seed)
    tastes = rng.standard_normal((n_users, 3)) @ rng.standard_normal((3, n_items))
    train, test = [], []
    for user in range(n_users):
        rated = rng.permutation(n_items)[: rng.integers(15, 40)]
        stars = np.clip(np.round(6 + 2 * tastes[user, rated]) / 2, 0.5, 5)
        rows = [(user, int(i), float(s)) for i, s in zip(rated, stars, strict=True)]
        test += rows[:5]
        train += rows[5:]
    return dataset(train, test, n_users, n_items)
