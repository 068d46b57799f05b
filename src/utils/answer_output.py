"""An answer as people and programs read it."""

import csv
import io
from dataclasses import asdict

from rich import box
from rich.table import Table
from rich.text import Text

from core.harmless import harmless
from utils.asking import Answer

__all__ = ["NOT_LOADED", "as_csv", "as_table", "harmless", "lines", "record"]
NOT_LOADED = "(not in the database any more)"


def lines(answer: Answer) -> list[str]:
    """Where the answer comes from, and what is not as usual with it."""
    run = answer.run
    ratings = "rating" if answer.left_out == 1 else "ratings"
    return [
        f"{run}, begun {run.started:%Y-%m-%d %H:%M} UTC, on {run.dataset}",
        f"user {answer.user}: {answer.left_out:,} {ratings} left out",
        *answer.notes,
    ]


def as_table(answer: Answer, *, terminal: bool) -> Table:
    """The movies for a person; plain columns where it is no terminal."""
    table = Table(box=box.SIMPLE_HEAD if terminal else None, padding=(0, 1, 0, 0))
    table.pad_edge = False
    table.add_column("", justify="right")
    table.add_column("title", overflow="fold")
    table.add_column("year", justify="right", no_wrap=True)
    table.add_column("genres", overflow="fold")
    score = "score" if answer.of_the_model else "ratings"
    table.add_column(score, justify="right", no_wrap=True)
    for place, (movie, value) in enumerate(answer.movies, 1):
        title = f"{NOT_LOADED} {movie.movie_id}" if movie.title is None else movie.title
        shown = harmless(title).removesuffix(f" ({movie.year})")
        genres = harmless(", ".join(movie.genres))
        number = f"{value:.5g}" if answer.of_the_model else f"{value:,.0f}"
        year = str(movie.year or "-")
        table.add_row(str(place), Text(shown), year, Text(genres or "-"), number)
    return table


def as_csv(answer: Answer) -> str:
    """The movies as comma-separated values, genres with a bar between them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "movie_id", "title", "year", "genres", "score"])
    for place, (movie, score) in enumerate(answer.movies, 1):
        genres = "|".join(movie.genres)
        writer.writerow([place, movie.movie_id, movie.title, movie.year, genres, score])
    return text.getvalue()


def record(answer: Answer) -> dict[str, object]:
    """The whole answer as plain values, for JSON."""
    run = answer.run
    return {
        "run_id": run.id,
        "pipeline": run.pipeline,
        "started": run.started.isoformat(timespec="seconds"),
        "dataset": run.dataset,
        "user": answer.user,
        "left_out": answer.left_out,
        "of_the_model": answer.of_the_model,
        "notes": answer.notes,
        "movies": [asdict(movie) | {"score": score} for movie, score in answer.movies],
    }
