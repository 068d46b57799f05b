"""Broken files loaded into a real PostgreSQL: all of it or nothing, and never a traceback."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import data_set_files as files
from conftest import fresh_database
from core.errors import RecArenaError
from core.settings import Settings
from database_queries import everything, rows, schemas
from table_models.datasets import find
from table_models.loader import load
from utils.local_postgres import LocalPostgres

NASTY = [
    b"", b"\n", b"\r", b"\0", b"\t", b"::", b"\\N", b"\\.", b"\\", b"{}", b'"', b"'", b"-1", b"NaN",
    b"9999999999", b"1", b"7", b"5", b"\xff", b"\xe2\x80\xae", b"'; drop table users; --",
]  # fmt: skip
SAVES = 40


@pytest.fixture(scope="module")
def shared(postgres_server: LocalPostgres) -> Iterator[Settings]:
    """A database that all loads of this file go to."""
    with fresh_database(postgres_server) as settings:
        yield settings


@pytest.mark.parametrize("seed", range(SAVES))
def test_a_broken_file_loads_or_is_refused_and_changes_nothing(
    shared: Settings, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    name, make = [("ml-10m", files.dat), ("ml-latest-small", files.csv)][seed % 2]
    dataset = find(name)
    folder = make(tmp_path)
    load(shared, dataset, folder, replace=True)
    before, there = everything(shared, dataset.schema), schemas(shared)
    for _ in range(chance.randint(1, 2)):
        file = folder / chance.choice(list(dataset.files.values()))
        content = file.read_bytes()
        start = chance.randrange(len(content))
        stop = start + chance.choice([0, 1, 1, 3, 20])
        file.write_bytes(content[:start] + chance.choice(NASTY) + content[stop:])
    said = ""
    try:
        report = load(shared, dataset, folder, replace=True)
    except RecArenaError as error:
        said = str(error)
    if not said:
        (found,) = rows(shared, f"select count(*) from {dataset.schema}.ratings")
        assert found == (report.rows["ratings"],)
        return
    assert said.isprintable(), "one line"
    assert any(file in said for file in dataset.files.values())
    assert everything(shared, dataset.schema) == before
    assert schemas(shared) == there


def test_a_data_set_of_one_row(shared: Settings, tmp_path: Path) -> None:
    files.write(tmp_path / "movies.dat", [(1, "Heat (1995)", "Crime")], "::")
    files.write(tmp_path / "ratings.dat", [(1, 1, 5, 0)], "::")
    files.write(tmp_path / "tags.dat", [(1, 1, "tag", 99999999999)], "::")
    report = load(shared, find("ml-10m"), tmp_path, replace=True)
    assert report.rows == {"users": 1, "movies": 1, "ratings": 1, "tags": 1}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"1::1::5::100000000000\n", "timestamp"),
        (b"1::1::5::-1\n", "timestamp"),
        (b"1000000000::1::5::1\n", "user id"),
        (b"1::-2147483649::5::1\n", "movie id"),
        (b"1::1::NaN::1\n", "rating"),
        (b"1::1::Infinity::1\n", "rating"),
        (b"1::1::1e308::1\n", "rating"),
        (b"1::1::" + b"9" * 5000 + b"::1\n", "rating"),
        ("1::1::\u0665::1\n".encode(), "rating"),
    ],
)
def test_numbers_that_are_huge_negative_or_none(
    shared: Settings, tmp_path: Path, line: bytes, what: str
) -> None:
    files.dat(tmp_path)
    files.replace_line(tmp_path / "ratings.dat", {2: line})
    message = rf"ratings\.dat, line 2: the {re.escape(what)} "
    with pytest.raises(RecArenaError, match=message) as raised:
        load(shared, find("ml-10m"), tmp_path, replace=True)
    assert len(str(raised.value)) < 300 + len(str(tmp_path))
