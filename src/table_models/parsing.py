"""The data sets' files as rows: checked to the last byte, with the line of whatever is wrong."""

import csv
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from core.errors import RecArenaError
from table_models.datasets import DataSet, Scale

CHUNK_BYTES = 1 << 18  # larger ones are no faster
LINE_BYTES = 1 << 16  # no line of a data set is longer
SEPARATORS = {"u": b"\t", "dat": b"::", "csv": b","}
HEADERS = {
    "ratings": ["userId", "movieId", "rating", "timestamp"],
    "movies": ["movieId", "title", "genres"],
    "tags": ["userId", "movieId", "tag", "timestamp"],
}
NO_GENRES = "(no genres listed)"
YEAR = re.compile(r"\((\d{4})\)\s*$")
WHOLE_NUMBER = re.compile(r"\d{1,9}")
GENRES_OF_U_ITEM = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]


class MovieRow(NamedTuple):
    """One movie."""

    movie_id: int
    title: str
    year: int | None
    genres: list[str]


class TagRow(NamedTuple):
    """One tag."""

    user_id: int
    movie_id: int
    tag: str
    timestamp: int


def wrong(file: Path, line: int, what: str, text: object = None) -> RecArenaError:
    """The error for a line of a file; its text is shown short and without control characters."""
    shown = ascii(text) if text is not None else ""
    if len(shown) > 80:
        shown = shown[:76] + " ..."
    return RecArenaError(f"{file}, line {line}: {what}" + (f": {shown}" if shown else ""))


def check_file(file: Path) -> None:
    """Raises RecArenaError if a file is empty or was cut off in its last line."""
    if not file.stat().st_size:
        raise RecArenaError(f"{file} is empty; fetch or unpack the data set again")
    with file.open("rb") as content:
        content.seek(-1, 2)
        if content.read() != b"\n":
            raise RecArenaError(
                f"{file}: the last line does not end, so the file may be cut off; "
                "fetch it again, or end it with a line break if it is whole"
            )


def rating_pattern(scale: Scale) -> bytes:
    """A regular expression for the scale's ratings, however many zeros follow the point."""
    by_fraction: dict[int, str] = {}
    value = scale.lowest
    while value <= scale.highest:
        by_fraction[int(value)] = by_fraction.get(int(value), "") + str(int(value * 10) % 10)
        value += scale.step
    parts = []
    for whole, digits in by_fraction.items():
        fraction = rf"\.[{digits}]0*+"
        parts.append(f"{whole}(?:{fraction})?+" if "0" in digits else f"{whole}{fraction}")
    return f"(?>{'|'.join(reversed(parts))})".encode()


def rating_chunks(dataset: DataSet, file: Path) -> Iterator[tuple[bytes, int]]:
    """The ratings as tab-separated lines, in chunks with their number of rows.

    Raises RecArenaError naming the first line that is no rating.
    """
    check_file(file)
    separator = SEPARATORS[dataset.layout]
    number, between = rb"[0-9]{1,9}+", re.escape(separator)
    fields = (number, number, rating_pattern(dataset.scale), rb"[0-9]{1,11}+")
    good = re.compile(rb"(?:" + between.join(fields) + rb"\r?+\n)*+")
    with file.open("rb") as content:
        line = 1
        if dataset.layout == "csv":
            _check_header(file, content.readline(), "ratings")
            line = 2
        rest = b""
        while data := content.read(CHUNK_BYTES):
            data = rest + data
            end = data.rfind(b"\n") + 1
            chunk, rest = data[:end], data[end:]
            if len(rest) > LINE_BYTES:
                raise wrong(
                    file, line + chunk.count(b"\n"), "no line of ratings is this long", rest
                )
            if not good.fullmatch(chunk):
                raise _diagnose(dataset, file, line, chunk, good)
            rows = chunk.count(b"\n")
            line += rows
            yield chunk.replace(b"\r\n", b"\n").replace(separator, b"\t"), rows
    if line == (2 if dataset.layout == "csv" else 1):
        raise RecArenaError(f"{file} holds no ratings")


def _diagnose(
    dataset: DataSet, file: Path, first: int, chunk: bytes, good: re.Pattern[bytes]
) -> RecArenaError:
    """What is wrong with the first wrong line of a chunk."""
    lines = chunk.splitlines(keepends=True) if b"\r" not in chunk else chunk.split(b"\n")
    for line, raw in enumerate(lines, first):
        if not good.fullmatch(raw.rstrip(b"\r\n") + b"\n"):
            return wrong(file, line, *_fault(dataset, raw.rstrip(b"\r\n")))
    return wrong(file, first, "line breaks are not those of a text file")


def _fault(dataset: DataSet, raw: bytes) -> tuple[str, object]:
    fields = raw.split(SEPARATORS[dataset.layout])
    try:
        text = raw.decode(dataset.encoding)
    except UnicodeDecodeError:
        return f"bytes that are not {dataset.encoding.upper()}", raw
    if len(fields) != 4:
        return f"{len(fields)} fields instead of 4 (user, movie, rating, timestamp)", text
    for name, value in zip(
        ("user id", "movie id", "timestamp"), (*fields[:2], fields[3]), strict=True
    ):
        if not re.fullmatch(rb"[0-9]{1,9}" if name != "timestamp" else rb"[0-9]{1,11}", value):
            return f"the {name} is not a whole number in range", value.decode(errors="replace")
    return _rating_fault(dataset.scale, fields[2].decode(errors="replace"))


def _rating_fault(scale: Scale, value: str) -> tuple[str, object]:
    try:
        stars = Decimal(value)
        outside = not scale.lowest <= stars <= scale.highest
    except InvalidOperation:
        return "the rating is not a number", value
    if outside:
        return f"the rating is outside the scale {scale.lowest} to {scale.highest}", value
    return f"the rating is not on the scale's grid, steps of {scale.step}", value


def _check_header(file: Path, raw: bytes, table: str) -> None:
    found = raw.decode(errors="replace").lstrip("\ufeff").strip().split(",")
    if found != HEADERS[table]:
        raise wrong(
            file, 1, f"the header should be {','.join(HEADERS[table])}, but is", raw.strip()
        )


def movie_rows(dataset: DataSet, file: Path) -> Iterator[MovieRow]:
    """The movies. Raises RecArenaError naming the first wrong line."""
    read = _u_item if dataset.layout == "u" else _movie
    for line, fields in _records(dataset, file, "movies", 24 if dataset.layout == "u" else 3):
        yield read(file, line, fields)


def _movie(file: Path, line: int, fields: list[str]) -> MovieRow:
    movie_id, title, genres = fields
    listed = [] if genres in ("", NO_GENRES) else genres.split("|")
    return _make_movie(file, line, movie_id, title, listed)


def _u_item(file: Path, line: int, fields: list[str]) -> MovieRow:
    flags = fields[5:]
    if set(flags) - {"0", "1"}:
        raise wrong(file, line, "a genre flag is neither 0 nor 1", "|".join(flags))
    listed = [genre for genre, flag in zip(GENRES_OF_U_ITEM, flags, strict=True) if flag == "1"]
    return _make_movie(file, line, fields[0], fields[1], listed)


def _make_movie(file: Path, line: int, movie_id: str, title: str, genres: list[str]) -> MovieRow:
    year = YEAR.search(title)
    number = _whole(file, line, "movie id", movie_id)
    return MovieRow(number, title, int(year[1]) if year else None, genres)


def tag_rows(dataset: DataSet, file: Path) -> Iterator[TagRow]:
    """The tags. Raises RecArenaError naming the first wrong line."""
    for line, (user, movie, tag, timestamp) in _records(dataset, file, "tags", 4):
        yield TagRow(
            _whole(file, line, "user id", user),
            _whole(file, line, "movie id", movie),
            tag,
            _whole(file, line, "timestamp", timestamp, digits=11),
        )


def _whole(file: Path, line: int, name: str, text: str, digits: int = 9) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= digits):
        raise wrong(file, line, f"the {name} is not a whole number in range", text)
    return int(text)


def _records(
    dataset: DataSet, file: Path, table: str, n_fields: int
) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of a file of movies or tags."""
    check_file(file)
    lines = _decoded(dataset, file)
    split: Callable[[str], list[str]]
    if dataset.layout == "csv":
        records = _csv_records(file, lines, table)
    else:
        split = _split_u if dataset.layout == "u" else _split_dat
        records = ((line, split(text)) for line, text in enumerate(lines, 1) if text)
    for line, fields in records:
        if len(fields) != n_fields:
            raise wrong(file, line, f"{len(fields)} fields instead of {n_fields}", fields)
        yield line, fields


def _csv_records(file: Path, lines: Iterator[str], table: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)  # quotes may hold a line end
    try:
        _check_header(file, ",".join(next(reader, [])).encode(), table)
        for fields in reader:
            yield reader.line_num, fields
    except csv.Error as error:
        raise wrong(file, reader.line_num, f"not comma-separated values ({error})") from None


def _split_dat(text: str) -> list[str]:
    """Fields of a `.dat` line; a tag may hold the separator itself."""
    fields = text.split("::")
    return fields if len(fields) <= 4 else [*fields[:2], "::".join(fields[2:-1]), fields[-1]]


def _split_u(text: str) -> list[str]:
    return text.split("|")


def _decoded(dataset: DataSet, file: Path) -> Iterator[str]:
    """The lines as text, without their ends."""
    with file.open("rb") as content:
        for line, raw in enumerate(content, 1):
            try:
                text = raw.decode(
                    "utf-8-sig" if line == 1 and dataset.encoding == "utf-8" else dataset.encoding
                )
            except UnicodeDecodeError:
                raise wrong(
                    file, line, f"bytes that are not {dataset.encoding.upper()}", raw
                ) from None
            if "\0" in text:
                raise wrong(file, line, "a NUL byte, which no text holds", text)
            yield text.rstrip("\r\n")


def find_rating(dataset: DataSet, file: Path, *, user: str | None, movie: str, nth: int) -> int:
    """The line of the nth rating of a movie, by a user if one is given; 0 if there is none."""
    separator = SEPARATORS[dataset.layout].decode()
    start = f"{user}{separator}{movie}{separator}" if user else None
    with file.open(encoding="latin-1", newline="\n") as content:
        for line, text in enumerate(content, 1):
            same = text.startswith(start) if start else text.split(separator)[1:2] == [movie]
            nth -= same
            if not nth:
                return line
    return 0
