"""The other libraries' conventions: beside the libraries where they are installed, else by hand.

The numbers of RecTools are those of the examples in its documentation (rectools/metrics/ranking.py,
classification.py, novelty.py); those of LensKit and Cornac follow from the formulas in theirs.
"""

import ir_measures
import numpy as np
import pytest
import ranx
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

from core.protocol import EvaluationProtocol
from core.recommender import NO_ITEM, Ranking
from pipelines.random.model import Random, RandomParams
from tiny_datasets import Row, dataset, noisy
from utils import conventions
from utils.conventions import CONVENTIONS, Lists, lists_of
from utils.evaluation import evaluate
from utils.metric_definitions import DEFINITIONS, LIBRARIES, SAME

N_ITEMS = 30
AGREES = (
    "the same by default",
    "the same for lists of k",
    "the same for relevance",
    "the same in code",
)
MEASURES = {"recall": R, "precision": P, "ndcg": nDCG, "map": AP, "mrr": RR, "hit_rate": Success}


def make(
    lists: list[list[int]],
    relevant: list[set[int]],
    k: int,
    scores: list[list[float]] | None = None,
    train: list[Row] | None = None,
    n_items: int = N_ITEMS,
) -> Lists:
    """Lists of items by index, as a run leaves them; each item was rated in train by default."""
    items = np.full((len(lists), k), NO_ITEM, np.int32)
    values = np.full((len(lists), k), np.nan, np.float32)
    for row, ranked in enumerate(lists):
        n = min(len(ranked), k)
        items[row, :n] = ranked[:n]
        values[row, :n] = (scores[row] if scores else [100.0 - j for j in range(n)])[:n]
    everything = [(user, item, 3.0) for user in range(len(lists)) for item in range(n_items)]
    test = [(user, item, 5.0) for user, wanted in enumerate(relevant) for item in wanted]
    rated = {(user, item) for user, item, _ in test}
    given_train = [one for one in everything if one[:2] not in rated] if train is None else train
    data = dataset(given_train, test, len(lists), n_items)
    return lists_of(Ranking(items, values), data, EvaluationProtocol("tiny", k=k))


@st.composite
def tied_lists(draw: st.DrawFn) -> tuple[list[list[int]], list[list[float]], list[set[int]]]:
    """Lists with scores that tie often, best first, ties to the lower item, as ours are."""
    items = st.integers(0, N_ITEMS - 1)
    n = draw(st.integers(1, 5))
    lists, scores = [], []
    for _ in range(n):
        scored = draw(st.dictionaries(items, st.integers(1, 3), max_size=12))
        ranked = sorted(scored, key=lambda item: (-scored[item], item))
        lists.append(ranked)
        scores.append([float(scored[item]) for item in ranked])
    relevant = [draw(st.sets(items, min_size=1, max_size=15)) for _ in range(n)]
    return lists, scores, relevant


@settings(deadline=None, max_examples=100)
@given(tied_lists(), st.integers(1, 15))
def test_ir_measures_is_ir_measures(
    data: tuple[list[list[int]], list[list[float]], list[set[int]]], k: int
) -> None:
    lists, scores, relevant = data
    given_lists = make(lists, relevant, 15, scores)
    run = [
        ir_measures.ScoredDoc(str(user), str(1000 + item), score)
        for user, ranked in enumerate(lists)
        for item, score in zip(ranked[:15], scores[user], strict=False)
    ]
    # a list is cut at k by the run, before it is put into another order
    cut = make(lists, relevant, k, scores)
    run = [one for one in run if int(one.doc_id) - 1000 in cut.ranking.items[int(one.query_id)]]
    qrels = [
        ir_measures.Qrel(str(user), str(1000 + item), 1)
        for user, wanted in enumerate(relevant)
        for item in wanted
    ]
    theirs = ir_measures.calc_aggregate([m @ k for m in MEASURES.values()], qrels, run)
    found = CONVENTIONS["ir-measures"](cut)
    for name, measure in MEASURES.items():
        assert found[f"{name}_at_k"].value == pytest.approx(theirs[measure @ k], abs=1e-12), name
        assert found[f"{name}_at_k"].n_users == len(given_lists.n_relevant)


@settings(deadline=None, max_examples=30)
@given(tied_lists(), st.integers(1, 15))
def test_ranx_is_ranx(
    data: tuple[list[list[int]], list[list[float]], list[set[int]]], k: int
) -> None:
    lists, _, relevant = data
    listed = {
        str(u): {str(i): 100.0 - p for p, i in enumerate(one)} for u, one in enumerate(lists) if one
    }
    if not listed:
        return
    qrels = ranx.Qrels({str(u): {str(i): 1 for i in one} for u, one in enumerate(relevant)})
    names = [f"{name}@{k}" for name in MEASURES]
    theirs = ranx.evaluate(qrels, ranx.Run(listed), names, make_comparable=True)
    found = CONVENTIONS["ranx"](make(lists, relevant, k))
    for name in MEASURES:
        assert found[f"{name}_at_k"].value == pytest.approx(theirs[f"{name}@{k}"], abs=1e-12), name


# the examples of RecTools: users 1 to 4, items as they are
RECTOOLS_LISTS = [[7, 8], [1, 2], [1, 2, 3, 4], [1, 2, 3]]
RECTOOLS_RELEVANT = [{1, 2}, {1}, {1, 3, 4}, {1, 2, 3}]


@pytest.mark.parametrize(
    ("metric", "k", "wanted"),
    [
        ("map_at_k", 1, [0, 1, 1 / 3, 1 / 3]),
        ("map_at_k", 3, [0, 1, 0.55555556, 1]),
        ("ndcg_at_k", 1, [0, 1, 1, 1]),
        ("ndcg_at_k", 3, [0, 0.46927873, 0.70391809, 1]),
    ],
)
def test_rectools_gives_the_numbers_of_its_documentation(
    metric: str, k: int, wanted: list[float]
) -> None:
    found = CONVENTIONS["rectools"](make(RECTOOLS_LISTS, RECTOOLS_RELEVANT, k))
    assert found[metric].value == pytest.approx(np.mean(wanted), abs=1e-8)


@pytest.mark.parametrize(
    ("k", "wanted"), [(1, [1.5849625, 1.5849625, 0]), (3, [1.5849625, 1.5849625, 0.79248125])]
)
def test_the_novelty_of_rectools_is_that_of_its_documentation(k: int, wanted: list[float]) -> None:
    train = [(0, 1, 3.0), (0, 2, 3.0), (1, 1, 3.0), (2, 1, 3.0)]
    lists = make([[3], [2, 3], [1, 2]], [{5}, set(), set()], k, train=train)
    found = CONVENTIONS["rectools"](lists)
    assert found["novelty_at_k"].value == pytest.approx(np.mean(wanted), abs=1e-7)
    assert found["novelty_at_k"].n_users == 3  # of whom one only is judged
    assert found["coverage_at_k"].value == 3
    assert found["recall_at_k"].n_users == 1


def test_lenskit_by_hand() -> None:
    # a full list of which 2nd and 3rd are hits; a short one with a hit; no list
    lists = make([[0, 1, 2], [9, 5], []], [{1, 2, 7, 8}, {5}, {6}], 3)
    found = {name: one.value for name, one in CONVENTIONS["lenskit"](lists).items()}
    log3 = 1 / np.log2(3)
    wanted = {
        "recall_at_k": [2 / 3, 1, 0],  # of min(4, 3)
        "precision_at_k": [2 / 3, 1 / 2, 0],  # of the length of the list
        "ndcg_at_k": [(1 + log3) / (2 + log3), 1, 0],  # places weigh 1, 1, 1/log2(3)
        "map_at_k": [(1 / 2 + 2 / 3) / 3, 1 / 2, 0],  # of min(4, 3), of min(1, 2)
        "mrr_at_k": [1 / 2, 1 / 2, 0],
        "hit_rate_at_k": [1, 1, 0],
    }
    assert found == pytest.approx({name: np.mean(one) for name, one in wanted.items()})


def test_cornac_by_hand() -> None:
    # item 4 has no train rating: relevant to user 0 no more, and user 1 is not judged at all
    train = [(user, item, 3.0) for user in range(3) for item in (5, 6, 7)]
    lists = make(
        [[0, 1], [4, 1], [2]],
        [{0, 4}, {4}, {2, 3}],
        2,
        train=[*train, (1, 0, 3.0), (1, 2, 3.0), (0, 3, 3.0)],
    )
    found = CONVENTIONS["cornac"](lists)
    assert {one.n_users for one in found.values()} == {2}
    best = 1 + 1 / np.log2(3)
    assert {name: one.value for name, one in found.items()} == pytest.approx(
        {
            "recall_at_k": np.mean([1, 1 / 2]),
            "precision_at_k": np.mean([1 / 2, 1]),
            "ndcg_at_k": np.mean([1, 1 / best]),
        }
    )


def test_recbole_is_ours_and_ours_is_the_evaluation() -> None:
    data = noisy()
    model = Random(RandomParams()).fit(data)
    protocol = EvaluationProtocol("tiny")
    found = evaluate(model, data, protocol)
    lists = lists_of(found.ranking, data, protocol)
    mine = conventions.ours(lists)
    assert set(mine) == set(DEFINITIONS) - {"rmse"}
    assert {name: one.value for name, one in mine.items()} == {
        name: pytest.approx(found.metrics[name], abs=1e-15) for name in mine
    }
    assert CONVENTIONS["recbole"](lists) == {
        name: one for name, one in mine.items() if name != "novelty_at_k"
    }


def test_without_any_list_everything_is_zero() -> None:
    lists = make([[], []], [{1}, {2, 3}], 4)
    for judge in CONVENTIONS.values():
        assert {one.value for one in judge(lists).values()} == {0.0}


def test_each_convention_is_of_a_library_whose_definitions_say_what_differs() -> None:
    assert list(CONVENTIONS) == list(LIBRARIES)
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(N_ITEMS)[: rng.integers(0, 5)].tolist() for _ in range(50)]
    scores = [sorted(rng.integers(1, 3, 4).astype(float), reverse=True) for _ in drawn]
    relevant = [set(rng.permutation(N_ITEMS)[: rng.integers(0, 8)].tolist()) for _ in drawn]
    cold = [
        (user, item, 3.0) for user in range(50) for item in range(20) if item not in relevant[user]
    ]
    lists = make(drawn, relevant, 3, scores, train=cold)
    mine = conventions.ours(lists)
    for key, judge in CONVENTIONS.items():
        for name, theirs in judge(lists).items():
            said = DEFINITIONS[name].elsewhere[key]
            agrees = said == SAME or said.startswith(AGREES)
            assert (theirs == mine[name]) == agrees, (key, name)
