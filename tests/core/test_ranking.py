import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.ranking import NO_ITEM, rank, top_k


def by_sorting(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The definition: sort every row by (score descending, column ascending)."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(-known, axis=1, kind="stable")[:, :k]
    best = np.where(np.take_along_axis(known, order, 1) > -np.inf, order, NO_ITEM)
    return np.pad(best, ((0, 0), (0, k - best.shape[1])), constant_values=NO_ITEM)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_items=st.sampled_from([1, 2, 9, 10, 11, 320, 641, 672, 700, 1500]),
    k=st.sampled_from([1, 3, 10, 20]),
    levels=st.sampled_from([1, 2, 10, 10**6]),
    unknown=st.sampled_from([0.0, 0.1, 0.99, 1.0]),
    value=st.sampled_from([np.nan, -np.inf]),
)
def test_top_k_is_a_stable_sort(
    seed: int, n_items: int, k: int, levels: int, unknown: float, value: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-levels, levels, (4, n_items)).astype(np.float32)
    scores[rng.random(scores.shape) < unknown] = value
    ranking = top_k(scores.copy(), k)
    assert ranking.items.tolist() == by_sorting(scores, k).tolist()
    listed = ranking.items != NO_ITEM
    rows = np.nonzero(listed)[0]
    assert (ranking.scores[listed] == scores[rows, ranking.items[listed]]).all()
    assert np.isnan(ranking.scores[~listed]).all()


@pytest.mark.parametrize("n_items", [50, 4000])
def test_rank_leaves_out_the_excluded_and_covers_every_user(
    n_items: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.ranking.BLOCK_SCORES", 7 * n_items)  # 15 blocks, the last one short
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 50, (101, n_items)).astype(np.float32)
    seen = csr_array(rng.random(scores.shape) < 0.3, dtype=np.float32)
    users = rng.permutation(101).astype(np.int32)

    def score_into(wanted: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        out[...] = scores[wanted]

    ranking = rank(score_into, users, n_items, 10, exclude=seen)
    allowed = np.where(seen.toarray() > 0, -np.inf, scores).astype(np.float32)
    assert ranking.items.tolist() == by_sorting(allowed[users], 10).tolist()


def test_an_error_in_a_score_is_not_swallowed() -> None:
    def broken(users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rank(broken, np.arange(3, dtype=np.int32), 5, 2, exclude=None)
