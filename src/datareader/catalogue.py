"""What the database knows about single movies and users, for people who ask a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class with a lower-case name

from core.paths import SQL


@dataclass(frozen=True)
class Movie:
    """A movie as people know it; `title` is as in the files, None if it is not loaded any more."""

    movie_id: int
    title: str | None = None
    year: int | None = None
    genres: tuple[str, ...] = ()


def rated_by(cursor: Cursor, user_id: int) -> tuple[bool, list[int]]:
    """Whether there is such a user, and the ids of all movies that the user rated."""
    cursor.execute((SQL / "rated_by_user.sql").read_text(), {"user_id": user_id})
    is_user, movie_ids = cursor.fetchall()[0]
    return is_user, movie_ids


def movies(cursor: Cursor, movie_ids: Sequence[int]) -> list[Movie]:
    """The movies of these ids, in their order."""
    cursor.execute((SQL / "movies_by_id.sql").read_text(), {"movie_ids": list(movie_ids)})
    found = {row[0]: _movie(*row) for row in cursor.fetchall()}
    return [found.get(movie_id, Movie(movie_id)) for movie_id in movie_ids]


def popular(cursor: Cursor, user_id: int, k: int, minimum_rating: float) -> list[tuple[Movie, int]]:
    """The k movies with most ratings of at least `minimum_rating` stars, and how many these are.

    Best first, without what the user rated.
    """
    params = {"user_id": user_id, "k": k, "minimum_rating": minimum_rating}
    cursor.execute((SQL / "popular_movies.sql").read_text(), params)
    return [(_movie(*movie), n_likes) for *movie, n_likes in cursor.fetchall()]


def _movie(movie_id: int, title: str, year: int | None, genres: list[str]) -> Movie:
    return Movie(movie_id, title, year, tuple(genres))
