"""Similarities of one user to all others, and what follows from them, as compiled loops.

A pair of users is described by six sums over the items that both rated: n, x, y, x^2, y^2, xy.
Ratings are whole numbers here, half stars above the lowest rating (`points`). For the sums they
are counted from the middle of the scale, which correlations do not mind; so sums are small and
exact, and three of them fit into one integer. Users lie in tiles: the sums of a tile stay in the
processor's cache while the ratings of the user's items are added to them.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.errors import RecArenaError
from core.nearest import insert, nearest

TILE = 16_384  # users: their sums take 256 KiB
N_BITS, X_BITS, XX_BITS = 20, 22, 21  # n | x | y in one integer, x^2 | y^2 | xy in another

compiled = numba.njit(nogil=True, cache=True, error_model="numpy")  # x / 0 is no exception


class Ratings(NamedTuple):
    """Ratings by user: row u is items[starts[u]:starts[u + 1]], with `points` beside `items`.

    `means` and `norms` (n_users,) are of the user's points, the norms after centring. Stars are
    (points + lowest) / 2. `packed[x, y]` is what a common item adds to the two integers that hold
    a pair's sums, with x and y counted from `middle`.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    points: NDArray[np.uint8]
    means: NDArray[np.float64]
    norms: NDArray[np.float64]
    packed: NDArray[np.int64]
    middle: int
    lowest: int


class Tiles(NamedTuple):
    """The same ratings by tile of users, and in a tile by item.

    The raters of item i in tile t are raters[starts[t, i]:starts[t, i + 1]], users counted from
    the tile's first.
    """

    starts: NDArray[np.int64]
    raters: NDArray[np.uint16]
    points: NDArray[np.uint8]


class Lists(NamedTuple):
    """The most similar users found so far: of shape (n_users, k), and the least of each (n_users,).

    Unused places hold -1 and 0; `least` is above 0 then, too.
    """

    ids: NDArray[np.int32]
    weights: NDArray[np.float64]
    least: NDArray[np.float64]

    @classmethod
    def empty(cls, n_users: int, k: int) -> "Lists":
        """Lists without anybody."""
        least = np.full(n_users, np.finfo(np.float64).tiny)
        return cls(np.full((n_users, k), -1, np.int32), np.zeros((n_users, k)), least)


class Measure(NamedTuple):
    """How the sums of two users become a similarity; see `UMCFParams`."""

    cosine: bool
    shrinkage: float
    min_support: int


def encode(matrix: "csr_array[np.float32]") -> Ratings:
    """The ratings of a sparse matrix, shape (n_users, n_items), as points.

    Raises RecArenaError for ratings that are no half stars, or too many to be added exactly.
    """
    n_users = matrix.shape[0]
    halves = np.rint(matrix.data * 2).astype(np.int64)
    if (halves != matrix.data * 2).any():
        raise RecArenaError("UMCF takes ratings in steps of half a star only")
    lowest, highest = (int(halves.min()), int(halves.max())) if len(halves) else (0, 0)
    middle = (highest - lowest) // 2
    points, lengths = halves - lowest, np.diff(matrix.indptr)
    if (highest - lowest - middle) ** 2 * int(lengths.max(initial=0)) >= 1 << XX_BITS:
        raise RecArenaError(f"UMCF cannot add {lengths.max():,} ratings of one user exactly")
    users = np.repeat(np.arange(n_users), lengths)
    means = np.bincount(users, points, minlength=n_users) / np.maximum(lengths, 1)
    squares = np.bincount(users, (points - means[users]) ** 2, minlength=n_users)
    return Ratings(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        points.astype(np.uint8),
        means,
        np.sqrt(squares),
        _packed(highest - lowest + 1, middle),
        middle,
        lowest,
    )


def _packed(n_points: int, middle: int) -> NDArray[np.int64]:
    """What a common item adds to the sums of two users, by the points that they gave to it."""
    x, y = np.meshgrid(np.arange(n_points) - middle, np.arange(n_points) - middle, indexing="ij")
    first = 1 + (x << N_BITS) + (y << (N_BITS + X_BITS))
    second = x * x + (y * y << XX_BITS) + (x * y << (2 * XX_BITS))
    return np.stack([first, second], axis=2).astype(np.int64)


def by_tile(ratings: Ratings, n_items: int) -> Tiles:
    """The ratings, dealt to tiles."""
    n_users = len(ratings.means)
    starts, raters, points = [], [], []
    done = 0
    for first in range(0, n_users, TILE):
        row_starts = ratings.starts[first : first + TILE + 1]
        part = slice(row_starts[0], row_starts[-1])
        rows = (ratings.points[part], ratings.items[part], row_starts - row_starts[0])
        columns = csr_array(rows, shape=(len(row_starts) - 1, n_items)).tocsc()
        starts.append(columns.indptr.astype(np.int64) + done)
        raters.append(columns.indices.astype(np.uint16))
        points.append(columns.data)
        done += columns.nnz
    return Tiles(np.array(starts), np.concatenate(raters), np.concatenate(points))


@compiled
def _add(sums, starts, tiles, items, points, packed, lowest):  # type: ignore[no-untyped-def]
    """Add up a user's ratings with those of a tile's users from the `lowest` on.

    Unsigned indices do not wrap.
    """
    sums[lowest:] = 0
    for place in range(len(items)):
        adds = packed[points[place]]
        begin, end = starts[items[place]], starts[items[place] + 1]
        if lowest:
            begin += np.searchsorted(tiles.raters[begin:end], lowest)
        for n in range(np.uint64(begin), np.uint64(end)):
            other, y = np.uint64(tiles.raters[n]), np.uint64(tiles.points[n])
            first, second = adds[y, 0], adds[y, 1]
            sums[other, 0] += first
            sums[other, 1] += second


@compiled
def _alike(first, second, measure, mine, other, norms):  # type: ignore[no-untyped-def]
    """The similarity that two packed sums say, given both users' means and their norms' product.

    Without branches, so that the loop around it is turned into vector instructions.
    """
    count = first & ((1 << N_BITS) - 1)
    rest = first >> N_BITS
    half = 1 << (X_BITS - 1)
    low = ((rest + half) & ((1 << X_BITS) - 1)) - half
    n, x, y = np.float64(count), np.float64(low), np.float64((rest - low) >> X_BITS)
    xx = np.float64(second & ((1 << XX_BITS) - 1))
    yy = np.float64((second >> XX_BITS) & ((1 << XX_BITS) - 1))
    xy = np.float64(second >> (2 * XX_BITS))
    if measure.cosine:
        above, below = xy - other * x - mine * y + n * mine * other, norms
    else:
        above, below = n * xy - x * y, np.sqrt((n * xx - x * x) * (n * yy - y * y))
    shrunk = above / below * (n / (n + measure.shrinkage))
    # below is 0 where one of the two gave the same rating to every item
    return shrunk if (below > 0) & (count >= measure.min_support) else 0.0


@compiled
def similarities(user, begin, ratings, tiles, measure, sums, out):  # type: ignore[no-untyped-def]
    """Write the user's similarity to every user from `begin` on into `out`, shape (n_users,).

    `sums` is scratch space.
    """
    mine = slice(ratings.starts[user], ratings.starts[user + 1])
    items, points = ratings.items[mine], ratings.points[mine]
    mean, norm = ratings.means[user] - ratings.middle, ratings.norms[user]
    for tile in range(begin // TILE, len(tiles.starts)):
        first = tile * TILE
        here = max(begin - first, 0)
        _add(sums, tiles.starts[tile], tiles, items, points, ratings.packed, here)
        for other in range(first + here, min(first + TILE, len(out))):
            pair = sums[other - first]
            theirs, norms = ratings.means[other] - ratings.middle, norm * ratings.norms[other]
            out[other] = _alike(pair[0], pair[1], measure, mean, theirs, norms)


@compiled
def compare(first, last, ratings, tiles, measure, lists):  # type: ignore[no-untyped-def]
    """Compare users first..last-1 with all after them, so that no pair is had twice."""
    alike, sums = np.empty(len(ratings.means)), np.empty((TILE, 2), np.int64)
    for user in range(first, last):
        similarities(user, user + 1, ratings, tiles, measure, sums, alike)
        for other in range(user + 1, len(alike)):
            if alike[other] >= lists.least[user]:
                _keep(lists, user, other, alike[other])
            if alike[other] >= lists.least[other]:
                _keep(lists, other, user, alike[other])


@compiled
def _keep(lists, user, other, weight):  # type: ignore[no-untyped-def]
    insert(other, weight, lists.ids[user], lists.weights[user])
    lists.least[user] = max(lists.least[user], lists.weights[user, -1])


@compiled
def merge(lists, others):  # type: ignore[no-untyped-def]
    """Take up into `lists` what others found."""
    for user in range(len(lists.ids)):
        for place in range(lists.ids.shape[1]):
            if others.weights[user, place] >= lists.least[user]:
                _keep(lists, user, others.ids[user, place], others.weights[user, place])


@compiled
def predict(pairs, users, items, ratings, tiles, measure, k, min_k, out):  # type: ignore[no-untyped-def]
    """Write the points of some pairs (positions in users and items, by user) into `out`."""
    n_users = len(ratings.means)
    alike, sums = np.empty(n_users), np.empty((TILE, 2), np.int64)
    above, weights = np.empty(n_users), np.empty(n_users)
    chosen, values = np.empty(k, np.int64), np.empty(k)
    current = -1
    for pair in pairs:
        user, item = users[pair], items[pair]
        if user != current:
            similarities(user, 0, ratings, tiles, measure, sums, alike)
            alike[user] = 1.0
            current = user
        n = 0
        for tile in range(len(tiles.starts)):
            for place in range(tiles.starts[tile, item], tiles.starts[tile, item + 1]):
                rater = tile * TILE + tiles.raters[place]
                above[n] = tiles.points[place] - ratings.means[rater]
                weights[n] = alike[rater]
                n += 1
        found = nearest(weights[:n], chosen, values)
        out[pair] = ratings.means[user]
        if found and found >= min_k:
            total = 0.0
            for place in range(found):
                total += values[place] * above[chosen[place]]
            out[pair] += total / values[:found].sum()


@compiled
def weighted_sums(users, neighbors, weights, ratings, out):  # type: ignore[no-untyped-def]
    """Add each user's neighbours' ratings, above or below their mean, to a row of `out`."""
    out[:] = 0
    for row in range(len(users)):
        for place in range(neighbors.shape[1]):
            other = neighbors[users[row], place]
            if other < 0:
                break
            weight, mean = weights[users[row], place], ratings.means[other]
            for n in range(ratings.starts[other], ratings.starts[other + 1]):
                out[row, ratings.items[n]] += weight * (ratings.points[n] - mean)
