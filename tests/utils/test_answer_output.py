"""How answers are printed."""

import csv
import io
from datetime import UTC, datetime

from rich.console import Console

from datareader.catalogue import Movie
from utils.answer_output import as_csv, as_table, harmless, lines
from utils.asking import Answer
from utils.finished_runs import FinishedRun

RUN = FinishedRun(
    "0123456789", "SVD", "ml-1m", "ml_1m", datetime(2001, 2, 3, 4, 5, tzinfo=UTC), 4.0, None
)
MOVIES = [
    (Movie(1, 'A "b", [red]c[/] (1999)', 1999, ("Drama", "War")), 0.12345),
    (Movie(2, "Odd\x1b[2J\u202e", None, ()), -1.0),
    (Movie(3), -2.0),
]
ANSWER = Answer(RUN, 7, True, 1, MOVIES, ["a note"])


def test_lines_say_where_it_comes_from() -> None:
    assert lines(ANSWER) == [
        "run 01234567 (SVD), begun 2001-02-03 04:05 UTC, on ml-1m",
        "user 7: 1 rating left out",
        "a note",
    ]


def test_the_table_shows_markup_and_controls_and_obeys_neither() -> None:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as captured:
        console.print(as_table(ANSWER, terminal=False))
    rows = [" ".join(row.split()) for row in captured.get().splitlines()]
    assert rows == [
        "title year genres score",
        '1 A "b", [red]c[/] 1999 Drama, War 0.12345',
        "2 Odd\ufffd[2J\ufffd - - -1",
        "3 (not in the database any more) 3 - - -2",
    ]


def test_a_number_of_ratings_is_whole() -> None:
    popular = Answer(RUN, 7, False, 0, [(Movie(1, "A", 1999, ()), 1234.0)], [])
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as captured:
        console.print(as_table(popular, terminal=False))
    assert captured.get().split() == [
        "title",
        "year",
        "genres",
        "ratings",
        *"1 A 1999 -".split(),
        "1,234",
    ]


def test_csv_keeps_what_is_there() -> None:
    first, second, third = csv.DictReader(io.StringIO(as_csv(ANSWER)))
    assert first == {
        "rank": "1",
        "movie_id": "1",
        "title": 'A "b", [red]c[/] (1999)',
        "year": "1999",
        "genres": "Drama|War",
        "score": "0.12345",
    }
    assert second["title"] == "Odd\x1b[2J\u202e"
    assert (third["title"], third["year"]) == ("", "")


def test_letters_of_any_language_stay() -> None:
    for title in ("Amélie – «Fabulous»", "七人の侍", "Страх", "שלום"):
        assert harmless(title) == title
