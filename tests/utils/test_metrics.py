"""Our metrics against a hand-made example and against ir-measures and ranx, to the last digit."""

import ir_measures
import numpy as np
import pytest
import ranx
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

from utils import metrics

Lists = tuple[list[list[int]], list[set[int]]]
SCALED = ("map_at_k",)  # they divide by |R|, we by min(|R|, k), which no list of k can exceed


@st.composite
def lists_and_relevant(draw: st.DrawFn) -> Lists:
    """Lists of 0 to 20 of 30 items, and 1 to 15 relevant items each."""
    items = st.integers(0, 29)
    n = draw(st.integers(1, 6))
    lists = [draw(st.lists(items, max_size=20, unique=True)) for _ in range(n)]
    relevant = [draw(st.sets(items, min_size=1, max_size=15)) for _ in range(n)]
    return lists, relevant


def ours(data: Lists, k: int) -> dict[str, list[float]]:
    lists, relevant = data
    hits = np.zeros((len(lists), k), dtype=bool)
    for row, (ranked, wanted) in enumerate(zip(lists, relevant, strict=True)):
        hits[row, : len(ranked)] = [item in wanted for item in ranked[:k]]
    n_relevant = np.array([len(one) for one in relevant])
    return {m.__name__: m(hits, n_relevant).tolist() for m in metrics.RANKING_METRICS}


def scale(name: str, relevant: set[int], k: int) -> float:
    return len(relevant) / min(len(relevant), k) if name in SCALED else 1.0


@settings(deadline=None, max_examples=150)
@given(lists_and_relevant(), st.integers(1, 25))
def test_equal_to_ir_measures(data: Lists, k: int) -> None:
    lists, relevant = data
    qrels = [
        ir_measures.Qrel(str(user), str(item), 1)
        for user, wanted in enumerate(relevant)
        for item in wanted
    ]
    run = [
        ir_measures.ScoredDoc(str(user), str(item), 100.0 - place)
        for user, ranked in enumerate(lists)
        for place, item in enumerate(ranked)
    ]
    measures = {
        "recall_at_k": R @ k,
        "precision_at_k": P @ k,
        "ndcg_at_k": nDCG @ k,
        "map_at_k": AP @ k,
        "mrr_at_k": RR @ k,
        "hit_rate_at_k": Success @ k,
    }
    theirs = {
        (m.query_id, m.measure): m.value
        for m in ir_measures.iter_calc(list(measures.values()), qrels, run)
    }
    mine = ours(data, k)
    assert mine.keys() == measures.keys()
    for name, measure in measures.items():
        for user, value in enumerate(mine[name]):
            wanted = theirs.get((str(user), measure), 0.0) * scale(name, relevant[user], k)
            assert value == pytest.approx(wanted, abs=1e-12), name


@settings(deadline=None, max_examples=40)
@given(lists_and_relevant(), st.integers(1, 25))
def test_equal_to_ranx(data: Lists, k: int) -> None:
    lists, relevant = data
    qrels = ranx.Qrels({str(u): {str(i): 1 for i in one} for u, one in enumerate(relevant)})
    listed = {
        str(u): {str(i): 100.0 - p for p, i in enumerate(one)} for u, one in enumerate(lists) if one
    }
    if not listed:  # it takes no run without any list
        assert all(value == 0 for values in ours(data, k).values() for value in values)
        return
    names = {
        "recall_at_k": "recall",
        "precision_at_k": "precision",
        "ndcg_at_k": "ndcg",
        "map_at_k": "map",
        "mrr_at_k": "mrr",
        "hit_rate_at_k": "hit_rate",
    }
    run = ranx.Run(listed)
    ranx.evaluate(qrels, run, [f"{name}@{k}" for name in names.values()], make_comparable=True)
    theirs = dict(run.make_comparable(qrels).scores)
    mine = ours(data, k)
    assert mine.keys() == names.keys()
    for name, theirs_name in names.items():
        values = theirs[f"{theirs_name}@{k}"]
        for user, value in enumerate(mine[name]):
            wanted = values[str(user)] * scale(name, relevant[user], k)
            assert value == pytest.approx(wanted, abs=1e-12), name


def test_by_hand() -> None:
    hits = np.array([[False, True, True, False], [False] * 4])
    n_relevant = np.array([3, 1])
    found = {m.__name__: m(hits, n_relevant).tolist() for m in metrics.RANKING_METRICS}
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    assert found["recall_at_k"] == [pytest.approx(2 / 3), 0]
    assert found["precision_at_k"] == [0.5, 0]
    assert found["ndcg_at_k"] == [pytest.approx((1 / np.log2(3) + 1 / 2) / ideal), 0]
    assert found["map_at_k"] == [pytest.approx((1 / 2 + 2 / 3) / 3), 0]
    assert found["mrr_at_k"] == [0.5, 0]
    assert found["hit_rate_at_k"] == [1, 0]


def test_coverage_counts_items_once_and_no_empty_place() -> None:
    assert metrics.coverage_at_k(np.array([[0, 1], [1, -1]]), 8) == 0.25


def test_novelty_by_hand() -> None:
    items = np.array([[0, 1], [2, -1], [-1, -1]])
    novelty = metrics.novelty_at_k(items, np.array([4, 1, 0]), 8)
    assert novelty[:2].tolist() == [(1 + 3) / 2, 3]  # -log2 of 4/8, 1/8, and 0 counted as 1 of 8
    assert np.isnan(novelty[2])


def test_rmse_by_hand() -> None:
    assert metrics.rmse(np.array([1.0, 5.0]), np.array([2.0, 3.0])) == pytest.approx(2.5**0.5)
