"""Groups of users and of items, and what each run achieved in them: no more than counting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
MOST_HITS = 3  # users with more hits than this are counted together


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each user or item is in, numbered from 0, and how the groups are called.

    `notes` say how large each is.
    """

    of: Integers
    names: Sequence[str]
    notes: Sequence[str]

    def ratio(self, above: NDArray[np.number], below: NDArray[np.number]) -> NDArray[np.float64]:
        """Sum of `above` by sum of `below` in each group, NaN where the latter is 0."""
        sums = np.bincount(self.of, above, len(self.names))
        by = np.bincount(self.of, below, len(self.names))
        return np.divide(sums, by, out=np.full(len(by), np.nan), where=by > 0)


def by_activity(n_train: Integers, most: int = 5) -> Groups:
    """Users in up to `most` groups of about equal size, by the number of their train ratings.

    Users with equally many are in one group, so there may be fewer groups.
    """
    last = np.arange(1, most + 1) * len(n_train) // most - 1
    bounds = np.unique(np.sort(n_train)[np.maximum(last, 0)])
    of = np.searchsorted(bounds, n_train)
    return _named(of, n_train, "users")


def by_popularity(n_train: Integers, most: int = 5) -> Groups:
    """Items in up to `most` groups that hold about equally many train ratings each, rarest first.

    Items with equally many ratings are in one group; items without any are a group of their own,
    the first.
    """
    counts, place, n_items = np.unique(n_train, return_inverse=True, return_counts=True)
    ratings = np.cumsum(counts * n_items)
    middle = 2 * ratings - counts * n_items  # twice where equally popular items lie
    group = 1 + middle * most // max(2 * int(ratings[-1]), 1)
    group[counts == 0] = 0
    of = np.unique(group[place], return_inverse=True)[1]
    return _named(of, n_train, "items")


def _named(of: Integers, n_train: Integers, what: str) -> Groups:
    """Groups that are called by the range of their train ratings."""
    n_groups = int(of.max()) + 1
    low, high = np.full(n_groups, np.iinfo(np.int64).max), np.zeros(n_groups, np.int64)
    np.minimum.at(low, of, n_train)
    np.maximum.at(high, of, n_train)
    names = [
        f"{first:,}" if first == last else f"{first:,}–{last:,}"
        for first, last in zip(low.tolist(), high.tolist(), strict=True)
    ]
    sizes = np.bincount(of, minlength=n_groups)
    notes = [f"{size:,} {what if size != 1 else what[:-1]}" for size in sizes.tolist()]
    return Groups(of, names, notes)


def hit_shares(recall: NDArray[np.float64], n_relevant: Integers) -> NDArray[np.float64]:
    """Shares of the users with 0, 1, ... hits in their list, shape (MOST_HITS + 1,).

    The last are those with that many or more.
    """
    hits = np.rint(recall * n_relevant).astype(np.int64)
    counts = np.bincount(np.minimum(hits, MOST_HITS), minlength=MOST_HITS + 1)
    return counts / len(hits)
