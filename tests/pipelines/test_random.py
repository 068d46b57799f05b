import numpy as np
from scipy import stats

from pipelines.random.model import Random, RandomParams
from tiny_datasets import noisy


def test_scores_are_uniform_and_independent_of_user_and_item() -> None:
    data = noisy(400, 300)
    scores = Random(RandomParams()).fit(data).score(np.arange(400, dtype=np.int32))
    assert stats.kstest(scores.ravel()[::7], "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(scores).sum() - 400) / 400**2 < 0.01
    assert np.abs(scores.mean(axis=0) - 0.5).max() < 5 / np.sqrt(12 * 400)


def test_another_seed_gives_other_lists() -> None:
    data = noisy()
    users = np.arange(50, dtype=np.int32)
    one, two = (
        Random(RandomParams(seed=seed)).fit(data).recommend(users, 10, exclude=None)
        for seed in (1, 2)
    )
    assert (one == two).mean() < 0.1
