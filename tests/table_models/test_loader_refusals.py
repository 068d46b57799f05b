"""Every bad input is refused in one line that names it, and the database stays as it was."""

from collections.abc import Callable
from pathlib import Path

import pytest

import data_set_files as files
from core.errors import RecArenaError
from core.settings import Settings
from database_queries import everything, schemas
from table_models.datasets import find
from table_models.loader import load

Spoil = Callable[[Path], None]


def line(name: str, number: int, content: bytes) -> Spoil:
    return lambda folder: files.replace_line(folder / name, {number: content})


def whole(name: str, content: bytes) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return spoil


def more(name: str, content: bytes) -> Spoil:
    def spoil(folder: Path) -> None:
        with (folder / name).open("ab") as file:
            file.write(content)

    return spoil


R, M, T = "ratings.dat", "movies.dat", "tags.dat"
DAT: dict[str, tuple[Spoil, str]] = {
    "empty ratings": (whole(R, b""), "ratings.dat is empty"),
    "empty movies": (whole(M, b""), "movies.dat is empty"),
    "empty tags": (whole(T, b""), "tags.dat is empty"),
    "truncated ratings": (more(R, b"9::1::4::1"), "ratings.dat: the last line does not end"),
    "truncated movies": (more(M, b"4::Half a ti"), "movies.dat: the last line does not end"),
    "truncated tags": (more(T, b"4::1::ta"), "tags.dat: the last line does not end"),
    "too few fields": (line(R, 2, b"7::2::3.5\n"), "ratings.dat, line 2: 3 fields instead of 4"),
    "too many fields": (line(R, 2, b"7::2::3.5::1::1\n"), "line 2: 5 fields instead of 4"),
    "blank line": (line(R, 2, b"\n"), "ratings.dat, line 2: 1 fields instead of 4"),
    "movie fields": (line(M, 2, b"2::Heat (1995)\n"), "movies.dat, line 2: 2 fields instead of 3"),
    "tag fields": (line(T, 3, b"8::2::9\n"), "tags.dat, line 3: 3 fields instead of 4"),
    "above the scale": (line(R, 2, b"7::2::5.5::1\n"), "line 2: .*outside the scale 0.5 to 5"),
    "below the scale": (line(R, 2, b"7::2::0::1\n"), "line 2: .*outside the scale"),
    "negative rating": (line(R, 2, b"7::2::-3::1\n"), "line 2: .*outside the scale"),
    "off the grid": (line(R, 4, b"9::3::3.7::1\n"), "line 4: .*grid, steps of 0.5: '3.7'"),
    "not a rating": (line(R, 1, b"7::1::good::1\n"), "line 1: the rating is not a number: 'good'"),
    "NaN": (line(R, 1, b"7::1::NaN::1\n"), "line 1: the rating is not a number"),
    "no user id": (line(R, 3, b"x::1::4::1\n"), "line 3: the user id is not a whole number.*'x'"),
    "huge movie id": (line(R, 3, b"8::99999999999::4::1\n"), "line 3: the movie id is not a whole"),
    "beyond int4": (line(R, 3, b"8::2147483648::4::1\n"), "line 3: the movie id is not a whole"),
    "negative id": (line(R, 3, b"-8::1::4::1\n"), "line 3: the user id is not a whole number"),
    "time with point": (line(R, 3, b"8::1::4::1.5\n"), "line 3: the timestamp is not a whole"),
    "not UTF-8 rating": (line(R, 3, b"8::1::4\xe9::1\n"), "ratings.dat, line 3: .*not UTF-8"),
    "NUL rating": (line(R, 3, b"8::1\0::4::1\n"), "line 3: the movie id is not"),
    "not UTF-8 title": (
        line(M, 2, b"2::Am\xe9lie (2001)::Comedy\n"),
        "movies.dat, line 2: .*UTF-8",
    ),
    "not UTF-8 tag": (line(T, 1, b"8::2::\xff\xfe::5\n"), "tags.dat, line 1: .*not UTF-8"),
    "NUL title": (line(M, 2, b"2::Am\0lie (2001)::Comedy\n"), "movies.dat, line 2: a NUL"),
    "NUL tag": (line(T, 4, b"8::2::\0::5\n"), "tags.dat, line 4: a NUL"),
    "duplicated rating": (more(R, b"7::1::3::4\n"), "ratings.dat, line 5: user 7 rated movie 1"),
    "duplicated movie": (more(M, b"2::Again (1999)::Drama\n"), "movies.dat, line 4: movie 2 was"),
    "unknown movie": (more(R, b"7::99::3::4\n"), "ratings.dat, line 5: a rating of movie 99"),
    "unknown tag movie": (more(T, b"7::99::x::4\n"), "tags.dat, line 5: a tag of movie 99"),
    "old Mac line ends": (whole(R, b"7::1::4::1\r8::1::4::1\r\n"), "ratings.dat, line 1: 7 fields"),
    "no lines at all": (whole(R, b"7" * 900_000 + b"\n"), "ratings.dat, line 1: "),
}


@pytest.mark.parametrize(
    ("case", "loaded_before"),
    [(case, True) for case in DAT] + [(case, False) for case in list(DAT)[::6]],
)
def test_dat(database: Settings, tmp_path: Path, case: str, loaded_before: bool) -> None:
    spoil, message = DAT[case]
    refused(database, "ml-10m", files.dat(tmp_path), spoil, message, loaded_before)


CSV: dict[str, tuple[Spoil, str]] = {
    "no header": (line("ratings.csv", 1, b""), "ratings.csv, line 1: the header should be userId,"),
    "movie header": (
        line("movies.csv", 1, b"id,title,genres\r\n"),
        "movies.csv, line 1: the header",
    ),
    "tag header": (line("tags.csv", 1, b""), "tags.csv, line 1: the header should be"),
    "header only": (whole("ratings.csv", b"userId,movieId,rating,timestamp\r\n"), "no ratings"),
    "no movies": (whole("movies.csv", b"movieId,title,genres\r\n"), "movies.csv holds no movies"),
    "off the grid": (line("ratings.csv", 3, b"7,2,3.6,1\r\n"), "ratings.csv, line 3: .*grid"),
    "duplicate": (more("ratings.csv", b"7,1,3.0,4\r\n"), "ratings.csv, line 6: user 7 rated"),
    "unknown movie": (more("ratings.csv", b"7,5,3.0,4\r\n"), "ratings.csv, line 6: .*movie 5"),
    "unquoted comma": (line("movies.csv", 3, b"2,Hi, there (1),X\r\n"), "line 3: 4 fields"),
    "open quote": (line("movies.csv", 4, b'3,"Babylon,X\r\n'), "movies.csv, line 4: not comma-sep"),
    "junk after quote": (line("tags.csv", 2, b'8,2,"a"b,5\r\n'), "tags.csv, line 2: not comma-sep"),
    "duplicated movie": (more("movies.csv", b"1,Again,X\r\n"), "movies.csv, line 5: movie 1 was"),
    "not UTF-8": (line("movies.csv", 2, b"1,\xe9,X\r\n"), "movies.csv, line 2: .*not UTF-8"),
}


@pytest.mark.parametrize("case", CSV)
def test_csv(database: Settings, tmp_path: Path, case: str) -> None:
    spoil, message = CSV[case]
    refused(database, "ml-latest-small", files.csv(tmp_path), spoil, message, True)


U: dict[str, tuple[Spoil, str]] = {
    "half stars": (line("u.data", 2, b"7\t2\t3.5\t1\n"), "u.data, line 2: .*steps of 1"),
    "fields": (line("u.item", 1, b"1|Toy Story (1995)|0|1\n"), "u.item, line 1: 4 fields"),
    "flag": (line("u.item", 1, b"1|T|||" + b"|x" * 19 + b"\n"), "u.item, line 1: a genre flag"),
}


@pytest.mark.parametrize("case", U)
def test_u(database: Settings, tmp_path: Path, case: str) -> None:
    spoil, message = U[case]
    refused(database, "ml-100k", files.u(tmp_path), spoil, message, True)


def test_hostile_text_is_shown_without_control_characters(
    database: Settings, tmp_path: Path
) -> None:
    files.dat(tmp_path)
    files.replace_line(tmp_path / R, {1: b"7::1::\x1b]0;title\x07\xe2\x80\xae::1\n"})
    with pytest.raises(RecArenaError) as raised:
        load(database, find("ml-10m"), tmp_path)
    assert str(raised.value).isprintable()


def test_hostile_text_is_stored_as_it_is(database: Settings, tmp_path: Path) -> None:
    hostile = "'; drop table users; -- <b>\\.\\N\x1b[31m$(id) (1999)"
    files.dat(tmp_path)
    files.replace_line(tmp_path / M, {1: f'1::{hostile}::a"b|c\\d|{{e}}\n'.encode()})
    load(database, find("ml-10m"), tmp_path)
    movie = everything(database, "ml_10m")["movies"][0]
    assert movie == (1, hostile, 1999, ['a"b', "c\\d", "{e}"])


def refused(
    database: Settings, name: str, folder: Path, spoil: Spoil, message: str, loaded_before: bool
) -> None:
    """Spoil the files of a data set and see that loading it says so and changes nothing."""
    dataset = find(name)
    if loaded_before:
        load(database, dataset, folder)
    before = everything(database, dataset.schema) if loaded_before else None
    spoil(folder)
    with pytest.raises(RecArenaError, match=message) as raised:
        load(database, dataset, folder, replace=True)
    assert str(raised.value).isprintable(), "one line"
    assert schemas(database) == ({dataset.schema} if loaded_before else set())
    assert not loaded_before or everything(database, dataset.schema) == before
