"""How far a mean over users can be trusted, and whether two runs differ: no more than numpy.

Everything takes one value a user and is seeded: the same values give the same answer. Users are
the sample; what another split or another seed of the recommender would change is not in it.
`docs/statistics.md` says why these methods.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
RESAMPLES = 10_000
LEVEL = 0.95
COARSEST = 64  # cells, at the least, of what stands for very many different values
ADDED_VARIANCE = 2e-3  # share of the variance that these cells may add: .1 % of an interval
SIGNS = 256  # of the largest differences that each get a random sign of their own
ENUMERATED = 13  # differences, at the most, whose signs are not drawn but tried in all ways
CELLS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Interval:
    """A mean over users, and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same users, a minus b.

    `low` and `high` bound the confidence interval of the mean `difference`. `p` is two-sided.
    `effect` is the difference in standard deviations of the users' differences (Cohen's d_z).
    `better` and `worse` count the users with a positive and a negative difference.
    """

    difference: float
    low: float
    high: float
    p: float
    effect: float
    better: int
    worse: int


@dataclass(frozen=True)
class Standing:
    """A run among others: best first, and from which others the users cannot tell it.

    Runs of one `place` (from 1) are statistically tied. `behind` compares the run with the best
    one, `p_holm` is that comparison's p after Holm's correction; both are None for the best.
    """

    index: int
    place: int
    interval: Interval
    behind: Comparison | None
    p_holm: float | None


def mean_interval(
    values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The mean of the users' values and its percentile bootstrap interval.

    Draws as many users as there are, with replacement, `resamples` times. Only how often each
    value is drawn matters, so that is what is drawn, from a multinomial distribution: the same
    distribution as drawing users, at the cost of the different values. Raises ValueError without
    values or for one that is not finite. Efron and Tibshirani, An Introduction to the Bootstrap
    (1993), chapter 13.
    """
    checked = _checked(values)
    mean = float(checked.mean())
    means = bootstrap_means(checked, resamples=resamples, seed=seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, min(float(low), mean), max(float(high), mean))


def bootstrap_means(values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Means of `resamples` samples of users drawn with replacement, shape (resamples,)."""
    checked = _checked(values)
    points, shares = _cells(checked)
    if len(points) == 1:
        return np.full(resamples, points[0])
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, CELLS_AT_ONCE // len(points))
    for start in range(0, resamples, step):
        block = means[start : start + step]
        block[:] = generator.multinomial(len(checked), shares, size=len(block)) @ points
    return means / len(checked)


def paired_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Whether run a and run b differ, by their values of the same users in the same order.

    The test is Fisher's randomisation test of the mean difference; the interval is the bootstrap's.
    Raises ValueError if the two are not of one length, empty, or not finite.
    """
    first, second = _checked(a), _checked(b)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} users cannot be paired")
    differences = first - second
    interval = mean_interval(differences, level=level, resamples=resamples, seed=seed)
    return Comparison(
        interval.mean,
        interval.low,
        interval.high,
        randomisation_p(differences, resamples=resamples, seed=seed),
        effect_size(differences),
        int((differences > 0).sum()),
        int((differences < 0).sum()),
    )


def effect_size(differences: ArrayLike) -> float:
    """Mean of the differences in their standard deviations (Cohen's d_z); 0 if all are 0.

    Infinite if every user differs by the same amount. Lakens, Calculating and reporting effect
    sizes to facilitate cumulative science (2013).
    """
    checked = _checked(differences)
    mean, spread = float(checked.mean()), float(checked.std(ddof=1)) if len(checked) > 1 else 0.0
    if mean == 0:
        return 0.0
    return mean / spread if spread > abs(mean) * 1e-12 else float(np.copysign(np.inf, mean))


def randomisation_p(differences: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of paired differences by Fisher's randomisation (sign-flip) test of their mean.

    If the runs were exchangeable, each user's difference could as well have had the other sign;
    p is the share of such worlds in which the mean is at least as far from 0. Zeros stay what
    they are and tell nothing. Up to 13 differences all worlds are tried, else `resamples` are
    drawn, and p is at least 1 / (resamples + 1) (Phipson and Smyth 2010). Of more than 256
    differences, the largest 256 get signs of their own and the sum of the others is drawn
    from the normal distribution with its variance. Fisher, The Design of Experiments (1935),
    section 21; Smucker, Allan and Carterette, A comparison of statistical significance tests
    for information retrieval evaluation (2007).
    """
    checked = _checked(differences)
    sizes = np.sort(np.abs(checked[checked != 0]))[::-1]
    if not len(sizes):
        return 1.0
    # sums that are equal but for rounding count as equal
    seen = abs(float(checked.sum())) - 1e-10 * float(sizes.sum())
    if len(sizes) <= ENUMERATED:
        worlds = np.arange(1 << len(sizes))[:, None] >> np.arange(len(sizes)) & 1
        return float((np.abs((2 * worlds - 1) @ sizes) >= seen).mean())
    generator = np.random.default_rng(seed)
    largest, rest = sizes[:SIGNS], sizes[SIGNS:]
    sums = generator.normal(scale=np.sqrt((rest**2).sum()), size=resamples)
    step = CELLS_AT_ONCE // len(largest)
    for start in range(0, resamples, step):
        block = sums[start : start + step]
        block += _random_signs(generator, len(block), len(largest)) @ largest
    return float((1 + (np.abs(sums) >= seen).sum()) / (1 + resamples))


def holm(p: Sequence[float] | Floats) -> Floats:
    """The p of several tests corrected so that all errors together keep to the level.

    In the order given. Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    factors = np.arange(len(given), 0, -1)
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return corrected


def standings(
    values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> list[Standing]:
    """The runs in the columns of `values`, shape (n_users, n_runs), highest mean first.

    Each is compared with the best, with Holm's correction. Tied with the best are those before
    the first that is significantly worse; that one is the best of the next place, and so on.
    """
    table = np.asarray(values, dtype=np.float64)
    order = [int(i) for i in np.argsort(-table.mean(axis=0), kind="stable")]
    columns = [table[:, i] for i in order]
    draws = max(resamples, 200 * len(order))  # Holm multiplies the least p that there can be
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # drawing releases the interpreter's lock
        intervals = pool.map(
            lambda one: mean_interval(one, level=level, resamples=resamples, seed=seed), columns
        )
        tests = pool.map(
            lambda one: paired_test(one, columns[0], level=level, resamples=draws, seed=seed),
            columns[1:],
        )
        behind: list[Comparison | None] = list(tests)
    corrected = holm([one.p for one in behind if one])
    places = [1] * _tied(corrected, 1 - level)
    while len(places) < len(columns):
        best, *others = columns[len(places) :]
        p = [randomisation_p(one - best, resamples=draws, seed=seed) for one in others]
        places += [len(places) + 1] * _tied(holm(p), 1 - level)
    p_holm: list[float | None] = [None, *map(float, corrected)]
    rows = zip(order, places, intervals, [None, *behind], p_holm, strict=True)
    return [Standing(*row) for row in rows]


def _tied(p: Floats, error: float) -> int:
    """How many runs share a place: the best, and the others before the first that is worse."""
    worse = np.flatnonzero(p < error)
    return 1 + (int(worse[0]) if len(worse) else len(p))


def _checked(values: ArrayLike) -> Floats:
    """The values as numbers. Raises ValueError without any, or for one that is not finite."""
    checked = np.asarray(values, dtype=np.float64)
    if checked.ndim != 1 or not len(checked):
        raise ValueError(f"one value for each user is needed, not an array of {checked.shape}")
    if not np.isfinite(checked).all():
        raise ValueError("a user's value is not finite")
    return checked


def _cells(values: Floats) -> tuple[Floats, Floats]:
    """Different values and the share of users with each.

    Very many different values are split between the two nearest of an even row of points, in
    proportion to their nearness: this keeps the mean, and adds a share of the variance
    that is made small by as many points as that takes.
    """
    points, counts = np.unique(values, return_counts=True)
    shares = counts / len(values)
    allowed = ADDED_VARIANCE * float(values.var())
    n_points = COARSEST
    while n_points < len(points) // 2:
        width = (points[-1] - points[0]) / n_points
        first = np.floor(points[0] / width)  # a point is at 0, where many users are
        places = points / width - first
        below = np.floor(places).astype(np.int64)
        beyond = places - below
        if float((shares * beyond * (1 - beyond)).sum()) * width**2 <= allowed:
            split = np.bincount(below, shares * (1 - beyond), n_points + 3)
            split += np.bincount(below + 1, shares * beyond, n_points + 3)
            used = split > 0
            return (np.arange(n_points + 3)[used] + first) * width, split[used] / split.sum()
        n_points *= 2
    return points, shares


def _random_signs(generator: np.random.Generator, rows: int, columns: int) -> Floats:
    """Random numbers of -1 and 1, shape (rows, columns)."""
    width = -(-columns // 8)
    packed = generator.integers(0, 256, size=(rows, width), dtype=np.uint8)
    bits = np.unpackbits(packed, axis=1, count=columns)
    return bits.astype(np.float64) * 2 - 1
