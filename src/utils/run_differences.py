"""Where two runs of one experiment differ: metrics, lists and predictions, to the last bit."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from core.errors import RecArenaError, first_line

LISTS = "evaluation/recommendations.parquet"
PREDICTIONS = "evaluation/test_predictions.parquet"
TIMED = ("_seconds", "/seconds")  # ends of names: never the same twice
MEASURED = ("peak_memory_mib",)
SYSTEM = "system/"
NOTHING = -1  # in the place of a movie, where a list is shorter


@dataclass(frozen=True)
class ListDifference:
    """Users whose lists differ, of how many, and the first place of the first of them.

    `movies` are what the two runs have there; None where a list has ended.
    """

    users: int
    of: int
    user_id: int
    rank: int
    movies: tuple[int | None, int | None]


@dataclass(frozen=True)
class ValueDifference:
    """How many values differ, of how many, and by how much at the most."""

    values: int
    of: int
    largest: float


@dataclass(frozen=True)
class Differences:
    """Everything that two runs do not have in common; of what they have, nothing.

    `metrics` holds both values, None where a run has none; `scores` are those of items that are
    at the same place in both.
    """

    metrics: dict[str, tuple[float | None, float | None]]
    lists: ListDifference | None
    scores: ValueDifference | None
    predictions: ValueDifference | None

    @property
    def identical(self) -> bool:
        """Whether there is no difference at all."""
        return not (self.metrics or self.lists or self.scores or self.predictions)


def differences(
    before: Path, after: Path, metrics: tuple[Mapping[str, float], Mapping[str, float]]
) -> Differences:
    """What differs between two runs, whose files are below two folders.

    Raises RecArenaError if a file cannot be read.
    """
    lists, scores = compare_lists(before / LISTS, after / LISTS)
    return Differences(
        compare_metrics(*metrics),
        lists,
        scores,
        compare_predictions(before / PREDICTIONS, after / PREDICTIONS),
    )


def is_repeatable(metric: str) -> bool:
    """Whether a metric is the same whenever the experiment is: no time, no memory."""
    return not (metric.endswith(TIMED) or metric in MEASURED or metric.startswith(SYSTEM))


def compare_metrics(
    before: Mapping[str, float], after: Mapping[str, float]
) -> dict[str, tuple[float | None, float | None]]:
    """The repeatable metrics that differ; NaN equals NaN."""
    found = {}
    for name in sorted(before.keys() | after.keys()):
        pair = before.get(name), after.get(name)
        same = pair[0] == pair[1] or all(value is not None and isnan(value) for value in pair)
        if is_repeatable(name) and not same:
            found[name] = pair
    return found


def compare_lists(
    before: Path, after: Path
) -> tuple[ListDifference | None, ValueDifference | None]:
    """How the lists of two files differ, and the scores of what is at the same place."""
    tables = [_columns(file) for file in (before, after)]
    users = np.union1d(tables[0]["user_id"], tables[1]["user_id"])
    length = max([1, *(int(one["rank"].max()) for one in tables if len(one["rank"]))])
    shape = (len(users), length)
    movies, scores = [], []
    for one in tables:
        place = np.searchsorted(users, one["user_id"]), one["rank"] - 1
        movies.append(np.full(shape, NOTHING, dtype=np.int64))
        movies[-1][place] = one["movie_id"]
        scores.append(np.full(shape, np.nan))
        scores[-1][place] = one["score"]
    other = movies[0] != movies[1]
    both = (movies[0] == movies[1]) & (movies[0] != NOTHING)
    return _list_difference(users, movies, other), _values(scores[0][both], scores[1][both])


def _list_difference(
    users: NDArray[np.int64], movies: list[NDArray[np.int64]], other: NDArray[np.bool_]
) -> ListDifference | None:
    differing = other.any(axis=1)
    if not differing.any():
        return None
    user = int(differing.argmax())
    place = int(other[user].argmax())
    first, second = (int(one[user, place]) for one in movies)
    return ListDifference(
        users=int(differing.sum()),
        of=len(users),
        user_id=int(users[user]),
        rank=place + 1,
        movies=(
            None if first == NOTHING else first,
            None if second == NOTHING else second,
        ),
    )


def compare_predictions(before: Path, after: Path) -> ValueDifference | None:
    """How the predicted test ratings differ; None too if neither run predicts any.

    A run that predicts none, beside one that does, differs in all.
    """
    there = [file for file in (before, after) if file.exists()]
    if not there:
        return None
    tables = [_columns(file) for file in there]
    rows = len(tables[0]["prediction"])
    keys = [(one["user_id"].tobytes(), one["movie_id"].tobytes()) for one in tables]
    if len(there) == 1 or keys[0] != keys[1]:
        return ValueDifference(rows, rows, float("nan"))
    return _values(tables[0]["prediction"], tables[1]["prediction"])


def _values(before: NDArray[Any], after: NDArray[Any]) -> ValueDifference | None:
    other = (before != after) & ~(np.isnan(before) & np.isnan(after))
    if not other.any():
        return None
    gaps = np.abs(before[other].astype(np.float64) - after[other])
    return ValueDifference(int(other.sum()), len(other), float(gaps.max()))


def _columns(file: Path) -> dict[str, NDArray[Any]]:
    try:
        table = parquet.read_table(file)
    except (OSError, ValueError) as error:
        raise RecArenaError(f"{file.name} cannot be read: {first_line(error)}") from None
    return {name: table[name].to_numpy() for name in table.column_names}
