import dataclasses

import numpy as np
import pytest

from core.dataset import Dataset
from core.protocol import EvaluationProtocol
from core.settings import Split
from tiny_datasets import dataset
from utils.leakage import in_words, shares


def example() -> Dataset:
    """User 3 and items 4 and 5 are in test only; the median of the test time stamps is 25."""
    train = [(0, 0, 5.0), (0, 1, 4.0), (1, 0, 4.0), (2, 3, 1.0), (2, 2, 1.0)]
    test = [(0, 4, 4.0), (1, 5, 4.0), (2, 0, 4.0), (3, 1, 4.0)]
    found = dataset(train, test, 4, 6)
    train_at = dataclasses.replace(found.train, timestamps=np.array([1, 25, 26, 27, 28]))
    test_at = dataclasses.replace(found.test, timestamps=np.array([40, 20, 30, 10]))
    return dataclasses.replace(found, train=train_at, test=test_at)


def test_shares_are_those_counted_by_hand() -> None:
    assert shares(example()) == {
        "share_train_after_median_test": 3 / 5,
        "share_test_items_unseen": 2 / 4,
        "share_test_users_unseen": 1 / 4,
    }


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("last_n", "does not respect global time"),
        ("leave_one_out", "does not respect global time"),
        ("random", "time is not respected at all"),
        ("global_time", "no train rating is as late as a test rating"),
    ],
)
def test_one_sentence_names_the_shares_and_what_the_split_does_to_time(
    split: Split, words: str
) -> None:
    line = in_words(EvaluationProtocol("x", split=split), shares(example()))
    assert words in line
    assert "; 60.0 % of the train ratings are later than the median test rating" in line
    assert "50.0 % of the test ratings are of items and 25.0 % of users that train" in line
    assert "\n" not in line
