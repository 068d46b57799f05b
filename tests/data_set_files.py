"""Writers of small data sets in each of the formats, for the loader's tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

MOVIES = [
    (1, "Toy Story (1995)", "Animation|Comedy"),
    (2, "Amélie, or: the «Fabulous» (2001)", "Comedy|Romance"),
    (3, "Babylon 5", "(no genres listed)"),
]
RATINGS = [(7, 1, "5", 100), (7, 2, "3.5", 100), (8, 1, "0.5", 90), (9, 3, "4", 2_000_000_000)]
TAGS = [(8, 2, "null", 5), (8, 2, "NA", 5), (42, 1, 'a "b", \\N\tc', 6), (42, 1, "NA", 6)]


def dat(folder: Path, *, encoding: str = "utf-8", tags: bool = True) -> Path:
    """Files as in ml-10m; without tags and in Latin-1, as in ml-1m."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "movies.dat", MOVIES, "::", encoding)
    write(folder / "ratings.dat", RATINGS, "::", encoding)
    if tags:
        write(folder / "tags.dat", TAGS, "::", encoding)
    return folder


def whole_stars(folder: Path) -> Path:
    """Files as in ml-1m."""
    dat(folder, encoding="latin-1", tags=False)
    write(folder / "ratings.dat", [(u, m, "4", t) for u, m, _, t in RATINGS], "::")
    return folder


def csv(folder: Path, end: str = "\r\n") -> Path:
    """Files as in ml-20m and later: a header, quotes where needed."""
    folder.mkdir(parents=True, exist_ok=True)
    quoted = [(i, _quote(title), genres) for i, title, genres in MOVIES]
    tagged = [(u, m, _quote(tag), t) for u, m, tag, t in TAGS]
    rated = [(u, m, f"{float(stars)}", t) for u, m, stars, t in RATINGS]
    write(folder / "movies.csv", [("movieId", "title", "genres"), *quoted], ",", end=end)
    head = ("userId", "movieId", "rating", "timestamp")
    write(folder / "ratings.csv", [head, *rated], ",", end=end)
    write(folder / "tags.csv", [("userId", "movieId", "tag", "timestamp"), *tagged], ",", end=end)
    return folder


def u(folder: Path) -> Path:
    """Files as in ml-100k."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = {1: {3, 5}, 2: {5, 14}, 3: {0}}
    items = [
        (i, title, "01-Jan-1995", "", "http://x", *(int(n in flags[i]) for n in range(19)))
        for i, title, _ in MOVIES
    ]
    write(folder / "u.item", items, "|", "latin-1")
    write(folder / "u.data", [(u, m, "4", t) for u, m, _, t in RATINGS], "\t")
    return folder


def write(
    file: Path,
    rows: Sequence[Sequence[object]],
    separator: str,
    encoding: str = "utf-8",
    end: str = "\n",
) -> None:
    """A file of these rows."""
    lines = [separator.join(map(str, row)) + end for row in rows]
    file.write_bytes("".join(lines).encode(encoding))


def replace_line(file: Path, changes: Mapping[int, bytes]) -> None:
    """Put other bytes in the place of some lines, counted from 1."""
    lines = file.read_bytes().splitlines(keepends=True)
    for number, content in changes.items():
        lines[number - 1] = content
    file.write_bytes(b"".join(lines))


def _quote(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if set(text) & set('",') else text
