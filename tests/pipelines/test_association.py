"""Association rules against plain counts."""

from typing import Literal

import numpy as np
import pytest

from core.dataset import Dataset
from pipelines.association.model import Association, AssociationParams
from tiny_datasets import dataset, noisy

Measure = Literal["lift", "confidence", "cosine"]


def counts(data: Dataset) -> tuple[np.ndarray, np.ndarray, int]:
    """How many like each item and each pair, and of how many users."""
    liked = (data.train.matrix.toarray() >= 4).astype(int)
    return liked.sum(axis=0), liked.T @ liked, len(liked)


@pytest.mark.parametrize("measure", ["lift", "confidence", "cosine"])
@pytest.mark.parametrize(("min_support", "min_confidence"), [(0.02, 0.0), (0.03, 0.3)])
def test_rules_are_those_of_a_plain_count(
    measure: Measure, min_support: float, min_confidence: float
) -> None:
    data = noisy(400, 40)
    single, both, n = counts(data)
    confidence = both / np.maximum(single[:, None], 1)
    lift = both * n / np.maximum(np.outer(single, single), 1)
    cosine = both / np.sqrt(np.maximum(np.outer(single, single), 1))
    values = {"lift": lift, "confidence": confidence, "cosine": cosine}[measure]
    others = ~np.eye(40, dtype=bool)
    threshold = float(np.median(values[(both >= min_support * n) & others]))
    wanted = (both >= min_support * n) & (confidence >= min_confidence) & (values >= threshold)
    wanted &= others
    assert 50 < wanted.sum() < 1000
    params = AssociationParams(
        measure=measure,
        min_support=min_support,
        min_confidence=min_confidence,
        threshold=threshold,
        n_rules=1000,
    )
    table = Association(params).fit(data).tables(data)["rules"]
    first = data.item_ids.index(table["antecedent_id"])
    second = data.item_ids.index(table["consequent_id"])
    found = np.zeros_like(wanted)
    found[first, second] = True
    np.testing.assert_array_equal(found, wanted)
    for name, expected in (("confidence", confidence), ("lift", lift), ("cosine", cosine)):
        np.testing.assert_allclose(table[name], expected[first, second])
    np.testing.assert_allclose(table["support"], both[first, second] / n)
    assert (np.diff(table[measure]) <= 1e-6).all()
    assert table["antecedent"][0] == data.titles[first[0]]


@pytest.mark.parametrize("combine", ["sum", "max"])
def test_scores_combine_the_rules_of_what_a_user_likes(combine: Literal["sum", "max"]) -> None:
    data = noisy(400, 40)
    single, both, n = counts(data)
    confidence = np.where(both >= 0.02 * n, both / np.maximum(single[:, None], 1), 0)
    np.fill_diagonal(confidence, 0)
    best = np.argsort(-confidence, axis=1, kind="stable")[:, :15]
    kept = np.zeros_like(confidence)
    np.put_along_axis(kept, best, np.take_along_axis(confidence, best, axis=1), axis=1)
    params = AssociationParams(measure="confidence", min_support=0.02, n_rules=15, combine=combine)
    model = Association(params).fit(data)
    users = np.arange(40, dtype=np.int32)
    found = model.score(users)
    for user in users:
        liked = data.train.items[(data.train.users == user) & (data.train.ratings >= 4)]
        rows = kept[liked] if len(liked) else np.zeros((1, len(single)))
        expected = rows.sum(axis=0) if combine == "sum" else rows.max(axis=0)
        reached = expected > 0
        np.testing.assert_allclose(found[user, reached], expected[reached], rtol=1e-5)
        assert (found[user, ~reached] < 0).all()


def test_what_no_rule_leads_to_comes_last_by_popularity() -> None:
    rows = [(0, 0, 5.0), (1, 0, 5.0), (1, 3, 4.0), (2, 3, 4.5), (2, 2, 4.0), (3, 3, 5.0)]
    model = Association(AssociationParams(min_support=0.01)).fit(dataset(rows, [], 5, 4))
    lists = model.recommend(np.array([0, 4], np.int32), 4, exclude=None)
    assert lists[0].tolist() == [3, 0, 2, 1], "a rule leads from item 0 to 3; then by likes"
    assert lists[1].tolist() == [3, 0, 2, 1], "likes nothing: by likes"


def test_support_is_a_share_of_all_users() -> None:
    rows = [(user, item, 5.0) for user in range(3) for item in range(2)]
    data = dataset(rows, [], 10, 3)
    some = Association(AssociationParams(min_support=0.3)).fit(data)
    none = Association(AssociationParams(min_support=0.31)).fit(data)
    assert some.rules_.counts.tolist() == [3, 3]
    assert len(none.rules_.counts) == 0
