"""What the model of a finished run recommends to one user, by the movies' titles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class with a lower-case name
from scipy.sparse import csr_array

from core.dataset import IdMap
from core.errors import RecArenaError
from core.progress import silence
from core.recommender import NO_ITEM, Recommender
from core.settings import MAX_K, Settings
from datareader import catalogue
from datareader.catalogue import Movie
from datareader.session import reading
from utils.finished_runs import FinishedRun, find_run
from utils.stored_model import load_model


@dataclass(frozen=True)
class Answer:
    """Recommended movies, best first, with their scores.

    They are the model's if it knows the user, else the most popular ones, and the score is a
    number of ratings. `left_out` counts the user's ratings, whose movies are not recommended;
    `notes` say in words what is not as usual.
    """

    run: FinishedRun
    user: int
    of_the_model: bool
    left_out: int
    movies: list[tuple[Movie, float]]
    notes: list[str]


def ask(settings: Settings, wanted: str, user: int, k: int, dataset: str | None = None) -> Answer:
    """At most k movies for a user, by the run that `wanted` means (see `find_run`).

    Nothing that the user has rated in the database is among them. Raises RecArenaError if k is out
    of range or the run cannot be asked.
    """
    if not 1 <= k <= MAX_K:
        raise RecArenaError(f"-k {k}: a list has from 1 to {MAX_K} movies")
    run, source = find_run(settings, wanted, dataset)
    model, users, items = load_model(settings, run)
    with reading(settings, source) as cursor:
        is_user, rated = catalogue.rated_by(cursor, user)
        place = np.flatnonzero(users.ids == user)
        if is_user and len(place):
            found = _recommended(cursor, model, int(place[0]), k, (users, items), rated)
            notes = []
            short = f"that user {user} has not rated and that {run.pipeline} has a score for"
        else:
            found = _popular(cursor, user, k, run.relevance_threshold)
            notes = [_unknown(run, user, is_user=is_user)]
            short = f"that user {user} has not rated and that anybody likes"
    if len(found) < k:
        count = f"there are only {len(found)} movies" if found else "there is no movie"
        notes.append(f"{count} {short}")
    return Answer(run, user, is_user and len(place) > 0, len(rated), found, notes)


def _unknown(run: FinishedRun, user: int, *, is_user: bool) -> str:
    who = (
        f"{run} did not learn from user {user}" if is_user else f"{run.dataset} has no user {user}"
    )
    stars = f"{run.relevance_threshold:g} stars"
    return f"{who}: these are the movies with most ratings of at least {stars}, and how many"


def _recommended(
    cursor: Cursor,
    model: Recommender,
    place: int,
    k: int,
    ids: tuple[IdMap, IdMap],
    rated: list[int],
) -> list[tuple[Movie, float]]:
    """What the model recommends to the user at an index, best first."""
    users, items = ids
    columns = np.flatnonzero(np.isin(items.ids, rated)).astype(np.int32)
    exclude = _one_row(place, columns, (len(users), len(items)))
    with silence():
        ranking = model.rank(np.array([place], np.int32), k, exclude=exclude)
    listed = ranking.items[0] != NO_ITEM
    movies = catalogue.movies(cursor, items.ids[ranking.items[0, listed]].tolist())
    return list(zip(movies, ranking.scores[0, listed].tolist(), strict=True))


def _one_row(
    row: int, columns: NDArray[np.int32], shape: tuple[int, int]
) -> "csr_array[np.float32]":
    """A matrix that stores entries in one row alone."""
    starts = np.zeros(shape[0] + 1, dtype=np.int32)
    starts[row + 1 :] = len(columns)
    return csr_array((np.ones(len(columns), np.float32), columns, starts), shape=shape)


def _popular(cursor: Cursor, user: int, k: int, minimum: float) -> list[tuple[Movie, float]]:
    return [(movie, float(n)) for movie, n in catalogue.popular(cursor, user, k, minimum)]
