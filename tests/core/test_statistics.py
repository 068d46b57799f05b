"""Statistics beside scipy's and ranx's, on hand-made values, and for what must always hold."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ranx.statistical_tests import fisher_randomization_test
from scipy import stats

from core import statistics
from core.statistics import (
    effect_size,
    holm,
    mean_interval,
    paired_test,
    randomisation_p,
    standings,
)

Floats = np.ndarray


def recall_like(seed: int, n: int = 400, rate: float = 0.15) -> Floats:
    """Hits of 5 tries by the number of relevant items: few values, most of them 0."""
    rng = np.random.default_rng(seed)
    relevant = rng.integers(1, 6, n)
    return rng.binomial(relevant, rate) / relevant


def metric_values(n: int) -> st.SearchStrategy[Floats]:
    return hnp.arrays(np.float64, n, elements=st.integers(0, 20).map(lambda one: one / 20))


@pytest.mark.parametrize("seed", range(4))
def test_the_interval_is_scipys(seed: int) -> None:
    values = recall_like(seed)
    ours = mean_interval(values, seed=seed)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.mean == values.mean()
    assert ours.low == pytest.approx(theirs.low, abs=0.04 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.04 * width)


def test_the_level_is_that_of_the_interval() -> None:
    values = recall_like(0)
    widths = []
    for level in (0.5, 0.9, 0.99):
        interval = mean_interval(values, level=level)
        widths.append(interval.high - interval.low)
    expected = stats.norm.ppf([0.75, 0.95, 0.995])
    assert np.array(widths) / widths[1] == pytest.approx(expected / expected[1], rel=0.05)


@pytest.mark.parametrize("shape", ["dense", "mostly zeros", "far from 0", "one outlier"])
def test_very_many_different_values_keep_mean_and_spread(shape: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=5000)
    if shape == "mostly zeros":
        values[:4000] = 0
    elif shape == "far from 0":
        values += 1e4
    elif shape == "one outlier":
        values[0] = 300
    points, shares = statistics._cells(values)
    variance = shares @ points**2 - (shares @ points) ** 2
    if shape != "one outlier":
        assert len(points) < 1000
    assert shares.sum() == pytest.approx(1)
    assert shares @ points == pytest.approx(values.mean(), abs=1e-9 * abs(values).max())
    centred = shares @ (points - values.mean()) ** 2
    assert values.var() * (1 - 1e-9) <= centred <= values.var() * 1.0021, variance
    means = statistics.bootstrap_means(values)
    assert means.std() == pytest.approx(values.std() / 5000**0.5, rel=0.04)


def test_values_that_are_all_the_same_have_no_spread() -> None:
    for values in ([0.0] * 9, [0.25], [0.1] * 70_000):
        interval = mean_interval(values)
        assert interval.low == pytest.approx(values[0])
        assert interval.high == pytest.approx(values[0])


@given(st.integers(1, 60).flatmap(metric_values), st.integers(0, 3))
def test_an_interval_is_around_the_mean_and_within_the_values(values: Floats, seed: int) -> None:
    interval = mean_interval(values, resamples=200, seed=seed)
    assert interval.low <= interval.mean <= interval.high
    assert values.min() - 1e-12 <= interval.low
    assert interval.high <= values.max() + 1e-12
    assert interval == mean_interval(values, resamples=200, seed=seed)


@given(st.integers(1, 60).flatmap(metric_values))
def test_the_order_of_the_users_does_not_matter(values: Floats) -> None:
    assert mean_interval(values[::-1], resamples=100).low == pytest.approx(
        mean_interval(values, resamples=100).low
    )


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf], [[1.0, 2.0]]])
def test_values_that_have_no_mean_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="user"):
        mean_interval(values)


def test_runs_of_different_users_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="2 and 3 users"):
        paired_test([1, 2], [1, 2, 3])


@given(
    hnp.arrays(np.float64, st.integers(1, 12), elements=st.integers(-3, 3).map(float)),
    st.integers(0, 2),
)
def test_few_differences_are_tried_in_all_ways(differences: Floats, seed: int) -> None:
    worlds = itertools.product((-1, 1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(w, differences, strict=True))) for w in worlds]
    expected = np.mean([one >= abs(differences.sum()) for one in sums])
    assert randomisation_p(differences, seed=seed) == pytest.approx(expected)


def test_few_differences_are_scipys_permutation_test() -> None:
    a, b = recall_like(1, 10, 0.6), recall_like(2, 10, 0.2)

    def difference(x: Floats, y: Floats, axis: int) -> Floats:
        return np.mean(x - y, axis=axis)

    theirs = stats.permutation_test(
        (a, b), difference, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert paired_test(a, b).p == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize(("n", "rate"), [(100, 0.2), (400, 0.16), (3000, 0.155)])
def test_many_differences_are_ranxs_randomisation_test(n: int, rate: float) -> None:
    a, b = recall_like(1, n, 0.15), recall_like(2, n, rate)
    theirs, _ = fisher_randomization_test(a, b, n_permutations=4000, random_seed=3)
    ours = paired_test(a, b).p
    assert ours == pytest.approx(theirs, abs=4 * (theirs * (1 - theirs) / 4000) ** 0.5 + 0.001)


def test_of_very_many_differences_the_rest_is_as_if_each_had_its_sign() -> None:
    rng = np.random.default_rng(5)
    for seed in range(3):
        differences = rng.standard_t(3, size=2000) + 0.06
        ours = randomisation_p(differences, resamples=20_000, seed=seed)
        signs = rng.integers(0, 2, (5000, 2000)) * 2 - 1
        theirs = (abs(signs @ differences) >= abs(differences.sum())).mean()
        assert ours == pytest.approx(theirs, abs=4 * (ours * (1 - ours) / 5000) ** 0.5 + 0.002)


def test_users_for_whom_nothing_differs_do_not_change_p() -> None:
    differences = np.array([0.2, -0.1, 0.4, 0.4, 0.1])
    padded = np.concatenate([differences, np.zeros(1000)])
    assert randomisation_p(padded) == randomisation_p(differences)
    assert randomisation_p(np.zeros(10)) == 1


def test_a_sum_that_is_the_same_but_for_rounding_is_the_same() -> None:
    # .1 + .2 - .3 is not 0 in floating point; of the 8 worlds' sums +-.6 twice, +-.4, +-.2, 0 twice
    assert randomisation_p([0.1, 0.2, -0.3]) == 1
    assert randomisation_p([0.1, 0.2, 0.3]) == 2 / 8


@given(st.integers(2, 80).flatmap(lambda n: st.tuples(metric_values(n), metric_values(n))))
def test_a_comparison_the_other_way_round_is_its_mirror(pair: tuple[Floats, Floats]) -> None:
    a, b = pair
    one, other = paired_test(a, b, resamples=300), paired_test(b, a, resamples=300)
    assert one.difference == pytest.approx(-other.difference, abs=1e-12)
    assert one.p == other.p
    assert 0 < one.p <= 1
    assert one.effect == pytest.approx(-other.effect, abs=1e-9)
    assert (one.better, one.worse) == (other.worse, other.better)
    assert one.low <= one.difference <= one.high


def test_the_effect_is_in_standard_deviations_of_the_differences() -> None:
    a, b = recall_like(1), recall_like(2)
    t = stats.ttest_rel(a, b).statistic
    assert effect_size(a - b) == pytest.approx(t / len(a) ** 0.5)
    assert effect_size(np.zeros(5)) == 0
    assert effect_size([-0.2] * 3) == -math.inf
    assert effect_size([0.1]) == math.inf


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([0.02]) == pytest.approx([0.02])
    assert len(holm([])) == 0


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_rejects_what_the_procedure_rejects(p: list[float]) -> None:
    corrected = holm(p)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[index] * (len(p) - rank) > level:
                break
            rejected.add(index)
        ours = {i for i in range(len(p)) if corrected[i] <= level}
        assert ours == rejected
    assert all(one >= given for one, given in zip(corrected, p, strict=True))


def test_standings_of_runs_that_are_clearly_apart_and_of_some_that_are_not() -> None:
    best = recall_like(0, 4000, 0.3)
    rng = np.random.default_rng(1)
    shuffled = best.copy()
    some = rng.choice(4000, 100, replace=False)
    shuffled[some] = best[rng.permutation(some)]  # as good, but not the same
    worst = recall_like(3, 4000, 0.05)
    found = standings(np.column_stack([worst, best, shuffled, worst * 0.99]))
    assert [one.place for one in found] == [1, 1, 3, 4]
    assert {one.index for one in found[:2]} == {1, 2}
    assert [one.index for one in found[2:]] == [0, 3]
    assert found[0].behind is None
    assert found[0].p_holm is None
    assert found[1].behind is not None
    assert found[1].behind.p > 0.05
    assert found[3].behind is not None
    assert found[3].behind.difference == pytest.approx(worst.mean() * 0.99 - best.mean())
    assert found[3].p_holm == pytest.approx(2 / 10_001, rel=0.6)


def test_runs_of_one_place_end_before_the_first_that_is_worse() -> None:
    # the last is too uneven to be told from the best, but is not tied with it past the third
    n = 400
    best = np.full(n, 0.5)
    best[0] = 0.6
    steady = best - 0.1
    uneven = np.where(np.arange(n) % 40 == 0, 14.0, 0.0)
    found = standings(np.column_stack([best, steady, uneven]))
    assert [one.index for one in found] == [0, 1, 2]
    assert found[2].p_holm is not None
    assert found[2].p_holm > 0.05
    assert [one.place for one in found] == [1, 2, 2]


def test_one_run_and_equal_runs() -> None:
    values = recall_like(0)
    (alone,) = standings(values[:, None])
    assert (alone.index, alone.place, alone.behind) == (0, 1, None)
    equal = standings(np.column_stack([values] * 3))
    assert [one.place for one in equal] == [1, 1, 1]
    assert [one.index for one in equal] == [0, 1, 2]
