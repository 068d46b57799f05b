"""What an experiment may look at: interactions of users and items, split into train and test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class IdMap:
    """Bidirectional map between database ids and the indices 0..n-1 that models use.

    Ids are held strictly increasing, so the same ids always get the same indices.

    Raises ValueError if they are not.
    """

    ids: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or np.any(np.diff(self.ids) <= 0):
            raise ValueError("ids must be a strictly increasing vector; use IdMap.of")

    @classmethod
    def of(cls, ids: ArrayLike) -> Self:
        """The map of the distinct values of `ids`."""
        return cls(np.unique(np.asarray(ids, dtype=np.int64)))

    def __len__(self) -> int:
        return len(self.ids)

    def index(self, ids: ArrayLike) -> NDArray[np.int32]:
        """Indices of `ids`, in their order. Raises KeyError naming the first unknown id."""
        wanted = np.asarray(ids, dtype=np.int64)
        if len(self.ids) and _is_dense(self.ids):
            found = self._dense_index(wanted)
        else:
            found = np.searchsorted(self.ids, wanted).astype(np.int32)
        known = found < len(self)
        known &= self.ids[np.where(known, found, 0)] == wanted if len(self) else False
        if not known.all():
            raise KeyError(int(wanted[~known].flat[0]))
        return found

    def _dense_index(self, wanted: NDArray[np.int64]) -> NDArray[np.int32]:
        """Indices by a lookup table, ten times as fast as a search where ids have few gaps."""
        first, last = self.ids[0], self.ids[-1]
        table = np.zeros(last - first + 1, dtype=np.int32)
        table[self.ids - first] = np.arange(len(self), dtype=np.int32)
        return table[np.clip(wanted, first, last) - first]


def _is_dense(ids: NDArray[np.int64]) -> bool:
    """Whether a lookup table over the range of `ids` stays small."""
    return bool(ids[-1] - ids[0] <= max(64 * len(ids), 1_000_000))


@dataclass(frozen=True, eq=False)
class Interactions:
    """Ratings as parallel arrays; row n says that `users[n]` gave `items[n]` a rating.

    Users and items are indices, ratings are in the data set's own scale (stars), timestamps are
    seconds since the epoch (UTC). A (user, item) pair occurs at most once.

    Raises ValueError if lengths differ, an index is out of range, or a pair repeats.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float32]
    timestamps: NDArray[np.int64]
    n_users: int
    n_items: int

    def __post_init__(self) -> None:
        if len({len(self.users), len(self.items), len(self.ratings), len(self.timestamps)}) != 1:
            raise ValueError("users, items, ratings and timestamps must be of one length")
        if not len(self):
            return
        for name, values, size in (
            ("user", self.users, self.n_users),
            ("item", self.items, self.n_items),
        ):
            if values.min() < 0 or values.max() >= size:
                raise ValueError(f"{name} index out of range 0..{size - 1}")
        pairs = np.sort(self.users.astype(np.int64) * self.n_items + self.items)
        if np.any(pairs[1:] == pairs[:-1]):
            raise ValueError("a (user, item) pair occurs more than once")

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def matrix(self) -> "csr_array[np.float32]":
        """The ratings as a sparse matrix of shape (n_users, n_items), indices sorted."""
        matrix = csr_array(
            (self.ratings, (self.users, self.items)), shape=(self.n_users, self.n_items)
        )
        matrix.sort_indices()
        return matrix

    def where(self, keep: NDArray[np.bool_]) -> "Interactions":
        """The interactions that a mask selects, over the same users and items."""
        return self.take(np.flatnonzero(keep))

    def take(self, rows: NDArray[np.integer]) -> "Interactions":
        """The interactions at these positions, in this order, over the same users and items."""
        return Interactions(
            self.users[rows],
            self.items[rows],
            self.ratings[rows],
            self.timestamps[rows],
            self.n_users,
            self.n_items,
        )


@dataclass(frozen=True, eq=False)
class RatingScale:
    """The range of a data set's ratings, in stars."""

    lowest: float = 0.5
    highest: float = 5.0


@dataclass(frozen=True, eq=False)
class Dataset:
    """`train` to learn from and `test` only to be judged by, over the same users and items.

    `user_ids` and `item_ids` map database ids to the indices that both sides use; items are the
    whole catalogue, also those that nobody rated. `item_words[i]` are the genres and tags of item
    i, lower-case and as often as they were given; `titles[i]` is its title.
    """

    name: str
    train: Interactions
    test: Interactions
    user_ids: IdMap
    item_ids: IdMap
    item_words: Sequence[Sequence[str]]
    titles: Sequence[str]
    fingerprint: str
    scale: RatingScale = field(default_factory=RatingScale)

    def __post_init__(self) -> None:
        shape = (len(self.user_ids), len(self.item_ids))
        for side in (self.train, self.test):
            if (side.n_users, side.n_items) != shape:
                raise ValueError(f"train and test must both have {shape} users and items")
        if not len(self.item_words) == len(self.titles) == len(self.item_ids):
            raise ValueError("every item needs a title and a (possibly empty) list of words")
