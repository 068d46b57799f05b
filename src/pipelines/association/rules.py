"""Rules "who likes i likes j", counted pair by pair in compiled loops."""

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.nearest import nearest
from core.threads import in_threads

CONFIDENCE, LIFT, COSINE = range(3)
MEASURES = {"confidence": CONFIDENCE, "lift": LIFT, "cosine": COSINE}
ITEMS_AT_ONCE = 64


class Demands(NamedTuple):
    """What a pair of items must reach to become a rule; `measure` is one of MEASURES."""

    measure: int
    threshold: float
    min_count: int
    min_confidence: float


@dataclass(frozen=True)
class Rules:
    """Rules by antecedent: those of item i are places starts[i]..starts[i + 1] - 1, best first.

    `counts` are the users who like both items, `weights` the values of the measure.
    """

    starts: NDArray[np.int64]
    consequents: NDArray[np.int32]
    counts: NDArray[np.int32]
    weights: NDArray[np.float32]

    @property
    def antecedents(self) -> NDArray[np.int32]:
        """The antecedent of each rule."""
        lengths = np.diff(self.starts)
        return np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


def find_rules(liked: "csr_array[np.float32]", demands: Demands, at_most: int) -> Rules:
    """The rules that meet the demands, at most so many an antecedent.

    `liked`, shape (n_users, n_items), stores an entry where a user likes an item. Pairs are
    counted one antecedent at a time: from its users to all that they like. Nothing of the size of
    items x items is held, and items that too few like are not looked at.
    """
    n_users, n_items = liked.shape
    n_liking = np.bincount(liked.indices, minlength=n_items)
    frequent = (n_liking >= demands.min_count)[liked.indices]
    users = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(liked.indptr))[frequent]
    items = liked.indices[frequent].astype(np.int32)
    by_user = np.concatenate([[0], np.bincount(users, minlength=n_users).cumsum()])
    by_item = np.concatenate([[0], np.bincount(items, minlength=n_items).cumsum()])
    fans = users[np.argsort(items, kind="stable")]
    consequents = np.full((n_items, at_most), -1, np.int32)
    counts = np.zeros((n_items, at_most), np.int32)
    weights = np.zeros((n_items, at_most), np.float32)
    found = consequents, counts, weights

    def count(first: int, last: int) -> None:
        _count(first, last, by_item, fans, by_user, items, n_liking, n_users, demands, found)

    in_threads(count, [*range(0, n_items, ITEMS_AT_ONCE), n_items], "rules", "items")
    there = consequents >= 0
    starts = np.concatenate([[0], there.sum(axis=1).cumsum()])
    return Rules(starts, consequents[there], counts[there], weights[there])


compiled = numba.njit(nogil=True, cache=True)


@compiled
def _value(both, first, second, n_users, demands):  # type: ignore[no-untyped-def]
    """The measure of a rule, from the numbers who like both items and each; 0 for no rule."""
    if both < demands.min_count or both < demands.min_confidence * first:
        return 0.0
    if demands.measure == CONFIDENCE:
        value = both / first
    elif demands.measure == LIFT:
        value = both * n_users / (first * second)
    else:
        value = both / np.sqrt(first * second)
    return value if value >= demands.threshold else 0.0


@compiled
def _count(first, last, by_item, fans, by_user, items, n_liking, n_users, demands, found):  # type: ignore[no-untyped-def]
    """Write the rules of items first..last-1 into their rows of `found`."""
    consequents, counts, weights = found
    together = np.empty(len(n_liking), np.int32)
    values, kept = np.empty(len(n_liking)), np.empty(consequents.shape[1])
    for item in range(first, last):
        together[:] = 0
        for place in range(np.uint64(by_item[item]), np.uint64(by_item[item + 1])):
            fan = np.uint64(fans[place])
            for n in range(np.uint64(by_user[fan]), np.uint64(by_user[fan + 1])):
                together[np.uint64(items[n])] += 1
        together[item] = 0
        for other in range(len(values)):
            both = together[other]
            values[other] = _value(both, n_liking[item], n_liking[other], n_users, demands)
        size = nearest(values, consequents[item], kept)
        for place in range(size):
            counts[item, place] = together[consequents[item, place]]
            weights[item, place] = kept[place]


@compiled
def apply(users, liked_starts, liked_items, starts, consequents, weights, largest, out):  # type: ignore[no-untyped-def]
    """Write into `out` the sum (or the largest) of the weights of the rules that lead to an item.

    0 where no rule of an item that the user likes does.
    """
    out[:] = 0
    for row in range(len(users)):
        for place in range(liked_starts[users[row]], liked_starts[users[row] + 1]):
            item = liked_items[place]
            for rule in range(starts[item], starts[item + 1]):
                other = consequents[rule]
                if largest:
                    out[row, other] = max(out[row, other], weights[rule])
                else:
                    out[row, other] += weights[rule]
