"""What a split gives away: how much of train is later than test, and what is in test only."""

from collections.abc import Mapping

import numpy as np

from core.dataset import Dataset
from core.protocol import EvaluationProtocol

TIME = {
    "last_n": "each user's newest ratings are test, which does not respect global time: a model "
    "may learn from what came after",
    "leave_one_out": "each user's newest rating is test, which does not respect global time: a "
    "model may learn from what came after",
    "random": "time is not respected at all: a model learns from each user's future",
    "global_time": "no train rating is as late as a test rating",
}


def shares(dataset: Dataset) -> dict[str, float]:
    """Shares from 0 to 1 that say how far the split is from asking about the future.

    `share_train_after_median_test`: of the train ratings, those later than the median test rating;
    `share_test_items_unseen`, `share_test_users_unseen`: of the test ratings, those whose item or
    user has no train rating. Both sides must hold a rating.
    """
    train, test = dataset.train, dataset.test
    rated = np.zeros(len(dataset.item_ids), dtype=bool)
    rated[train.items] = True
    known = np.zeros(len(dataset.user_ids), dtype=bool)
    known[train.users] = True
    later = train.timestamps > np.median(test.timestamps)
    return {
        "share_train_after_median_test": float(later.mean()),
        "share_test_items_unseen": float((~rated[test.items]).mean()),
        "share_test_users_unseen": float((~known[test.users]).mean()),
    }


def in_words(protocol: EvaluationProtocol, metrics: Mapping[str, float]) -> str:
    """The leakage line of a run: one sentence, from the shares among its metrics."""
    later, items, users = (
        f"{100 * metrics[name]:.1f} %"
        for name in (
            "share_train_after_median_test",
            "share_test_items_unseen",
            "share_test_users_unseen",
        )
    )
    return (
        f"Leakage: {TIME[protocol.split]}; {later} of the train ratings are later than the median "
        f"test rating, {items} of the test ratings are of items and {users} of users that train "
        "does not have."
    )
