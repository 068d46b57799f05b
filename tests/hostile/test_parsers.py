"""Files of whatever bytes: every reader gives rows, or one line that names the file."""

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import data_set_files as files
from core.errors import RecArenaError
from table_models.datasets import DataSet, find
from table_models.parsing import movie_rows, rating_chunks, tag_rows

MAKERS: dict[str, Callable[[Path], Path]] = {
    "ml-10m": files.dat,
    "ml-1m": files.whole_stars,
    "ml-latest-small": files.csv,
    "ml-100k": files.u,
}
NASTY = [
    b"", b"\0", b"\n", b"\r", b"\r\n", b"\t", b"::", b",", b"|", b'"', b'""', b"\\N", b"\\.", b"-1",
    b"nan", b"NaN", b"inf", b"1e9", b"99999999999999999999", b"-0", b"+5", b"0x10", b"1_000",
    b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xc2\xa0", "\u0661".encode(), "\u2028".encode(),
    b"\x1b[31m", b"'; drop table users; --", b"<script>", b"%s%n", b"{0}", b"$(id)", b" ",
]  # fmt: skip


def read_all(dataset: DataSet, folder: Path) -> dict[str, int | str]:
    """Rows of each file, or the error; any other exception than a RecArenaError is a bug."""
    found: dict[str, int | str] = {}
    for table, name in dataset.files.items():
        try:
            if table == "ratings":
                found[table] = sum(rows for _, rows in rating_chunks(dataset, folder / name))
            else:
                read = movie_rows if table == "movies" else tag_rows
                found[table] = sum(1 for _ in read(dataset, folder / name))
        except RecArenaError as error:
            found[table] = str(error)
    for table, name in dataset.files.items():
        said = found[table]
        if isinstance(said, str):
            assert said.isprintable(), "one line, and nothing that a terminal obeys"
            assert name in said
    return found


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, list[tuple[int, float, float, bytes]]]:
    """A data set, and what is put in the place of which part of which of its files."""
    share = st.floats(0, 1)
    piece = st.sampled_from(NASTY) | st.binary(max_size=12)
    change = st.tuples(st.integers(0, 2), share, share, piece)
    return draw(st.sampled_from(sorted(MAKERS))), draw(st.lists(change, min_size=1, max_size=3))


@settings(deadline=None, max_examples=400)
@given(mutations())
def test_mutated_files(case: tuple[str, list[tuple[int, float, float, bytes]]]) -> None:
    name, changes = case
    dataset = find(name)
    with TemporaryDirectory() as folder:
        MAKERS[name](Path(folder))
        for which, start, length, piece in changes:
            file = Path(folder) / list(dataset.files.values())[which % len(dataset.files)]
            content = file.read_bytes()
            begin = int(start * len(content))
            end = begin + int(length**6 * len(content))  # mostly a few bytes
            file.write_bytes(content[:begin] + piece + content[end:])
        read_all(dataset, Path(folder))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(MAKERS)), st.lists(st.binary(max_size=200), min_size=3, max_size=3))
def test_random_bytes(name: str, contents: list[bytes]) -> None:
    dataset = find(name)
    with TemporaryDirectory() as folder:
        for file, content in zip(dataset.files.values(), contents, strict=False):
            (Path(folder) / file).write_bytes(content)
        read_all(dataset, Path(folder))


def test_long_lines_and_fields(tmp_path: Path) -> None:
    """Longer than any buffer: what is too long is refused, and nothing takes for ever."""
    for name, make in MAKERS.items():
        folder = make(tmp_path / name)
        dataset = find(name)
        for file in dataset.files.values():
            with (folder / file).open("ab") as out:
                out.write(b"1" * 300_000 + b"\n")
        for said in read_all(dataset, folder).values():
            assert isinstance(said, str)
            assert len(said) < 400


@pytest.mark.parametrize("first", ['1,"Two\nlines (1995)",Drama\n', '"movieId\n",title,genres\n'])
def test_a_header_is_asked_for_though_the_first_record_spans_lines(
    tmp_path: Path, first: str
) -> None:
    folder = files.csv(tmp_path)
    (folder / "movies.csv").write_text(first + "2,Heat (1995),Crime\n")
    said = read_all(find("ml-latest-small"), folder)["movies"]
    assert "movies.csv, line 1: the header should be movieId,title,genres" in str(said)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r"), max_size=30)


@settings(deadline=None)
@given(st.lists(text, min_size=1, max_size=5))
@example(["\ufeff", "::", "|", "\u2028", "\x85", "\x1c"])
def test_any_title_comes_back_as_it_was(titles: list[str]) -> None:
    wanted = [title for title in titles if "::" not in title and not title.endswith(":")]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "movies.dat"
        rows = [(number, title, "Drama") for number, title in enumerate(wanted, 1)]
        files.write(file, [*rows, (99, "last", "")], "::")
        assert [row.title for row in movie_rows(find("ml-10m"), file)][:-1] == wanted


lines_too = st.lists(text, min_size=1, max_size=3).map("\n".join)


@settings(deadline=None)
@given(st.lists(lines_too, min_size=1, max_size=5))
def test_any_tag_comes_back_as_it_was_from_csv(tags: list[str]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "tags.csv"
        quoted = ['"' + tag.replace('"', '""') + '"' for tag in tags]
        head = ("userId", "movieId", "tag", "timestamp")
        files.write(file, [head, *((1, 2, tag, 3) for tag in quoted)], ",")
        assert [row.tag for row in tag_rows(find("ml-latest-small"), file)] == tags


def test_shuffled_lines_are_all_read(tmp_path: Path) -> None:
    folder = files.dat(tmp_path)
    lines = (folder / "ratings.dat").read_bytes().splitlines(keepends=True)
    random.Random(0).shuffle(lines)
    (folder / "ratings.dat").write_bytes(b"".join(lines))
    assert read_all(find("ml-10m"), folder)["ratings"] == len(files.RATINGS)
