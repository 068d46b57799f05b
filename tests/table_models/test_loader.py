"""The loader on a real PostgreSQL: what it stores of each format, and all of it or nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import data_set_files as files
from conftest import as_environment
from core.errors import RecArenaError
from core.paths import ROOT
from core.settings import Settings
from database_queries import everything, execute, rows, schemas
from table_models import loader
from table_models.database import connect, loaded
from table_models.datasets import DATASETS, find
from table_models.loader import load

REAL = Path(os.environ.get("RECARENA_TEST_DATA", ROOT.parent / "shared/data")) / "ml-latest-small"
LOADING = Path(sys.executable), "src/table_models/ml_10m/migrate_data.py"

HALF = [(7, 1, "5.0"), (7, 2, "3.5"), (8, 1, "0.5"), (9, 3, "4.0")]
WHOLE = [(7, 1, "4.0"), (7, 2, "4.0"), (8, 1, "4.0"), (9, 3, "4.0")]


@pytest.mark.parametrize(
    ("name", "write", "stars", "n_tags"),
    [
        ("ml-100k", files.u, WHOLE, 0),
        ("ml-1m", files.whole_stars, WHOLE, 0),
        ("ml-10m", files.dat, HALF, 4),
        ("ml-20m", files.csv, HALF, 4),
        ("ml-32m", lambda folder: files.csv(folder, end="\n"), HALF, 4),
        ("synthetic", files.dat, HALF, 4),
    ],
)
def test_each_format_is_stored_as_it_is(
    database: Settings,
    tmp_path: Path,
    name: str,
    write: Callable[[Path], Path],
    stars: list[tuple[int, int, str]],
    n_tags: int,
) -> None:
    dataset = find(name)
    report = load(database, dataset, write(tmp_path / "files"))
    users = 4 if n_tags else 3
    assert report.rows == {"users": users, "movies": 3, "ratings": 4, "tags": n_tags}
    found = everything(database, dataset.schema)
    assert [row[:3] for row in found["ratings"]] == [(u, m, Decimal(s)) for u, m, s in stars]
    assert found["users"] == [(7,), (8,), (9,), (42,)][: 4 if n_tags else 3] or n_tags
    titles = {row[0]: row[1:] for row in found["movies"]}
    assert titles[1][:2] == ("Toy Story (1995)", 1995)
    assert titles[2] == ("Amélie, or: the «Fabulous» (2001)", 2001, ["Comedy", "Romance"])
    assert titles[3][:2] == ("Babylon 5", None)
    assert titles[3][2] in ([], ["unknown"])
    words = [row[3] for row in found["tags"]]
    assert sorted(words) == sorted(['a "b", \\N\tc', "NA", "NA", "null"][: n_tags or 0])


def test_the_split_index_and_all_keys_are_there(database: Settings, tmp_path: Path) -> None:
    load(database, find("ml-10m"), files.dat(tmp_path))
    (index,) = rows(
        database,
        "select indexdef from pg_indexes where schemaname = 'ml_10m' and indexdef like '%%DESC%%'",
    )[0]
    assert '(user_id, "timestamp" DESC, movie_id DESC) INCLUDE (rating)' in index
    valid = "select contype, count(*) from pg_constraint where convalidated and contype <> 'n'"
    kinds = rows(database, f"{valid} and connamespace = 'ml_10m'::regnamespace group by 1")
    assert dict(kinds) == {"p": 5, "f": 4}  # alembic_version has a primary key, too


def test_a_second_load_is_refused_unless_asked_for(database: Settings, tmp_path: Path) -> None:
    dataset = find("ml-10m")
    load(database, dataset, files.dat(tmp_path))
    before = everything(database, "ml_10m")
    with pytest.raises(RecArenaError, match=r"ml-10m is loaded already.*--replace"):
        load(database, dataset, tmp_path)
    assert everything(database, "ml_10m") == before
    lines = (tmp_path / "ratings.dat").read_bytes().splitlines(keepends=True)
    (tmp_path / "ratings.dat").write_bytes(b"".join(reversed(lines)))
    load(database, dataset, tmp_path, replace=True)
    assert everything(database, "ml_10m")["ratings"] == before["ratings"]
    files.replace_line(tmp_path / "ratings.dat", {1: b""})
    assert load(database, dataset, tmp_path, replace=True).rows["ratings"] == 3
    assert len(everything(database, "ml_10m")["ratings"]) == 3
    assert schemas(database) == {"ml_10m"}


def test_synthetic_shows_in_the_name(database: Settings, tmp_path: Path) -> None:
    files.dat(tmp_path)
    (tmp_path / "SYNTHETIC.txt").write_text("not MovieLens\n")
    assert load(database, find("ml-10m"), tmp_path).shown_name == "ml-10m-synthetic"
    assert load(database, find("synthetic"), tmp_path).shown_name == "synthetic"
    assert [one.shown_name for one in loaded(database)] == ["ml-10m-synthetic", "synthetic"]


def test_nothing_is_loaded_in_an_empty_database(database: Settings) -> None:
    assert loaded(database) == []


@pytest.mark.skipif(not REAL.is_dir(), reason="no real ml-latest-small; see RECARENA_TEST_DATA")
def test_real_movielens(database: Settings) -> None:
    report = load(database, find("ml-latest-small"), REAL)
    assert report.rows == {"users": 610, "movies": 9742, "ratings": 100836, "tags": 3683}
    (one,) = loaded(database)
    assert (one.shown_name, one.ratings) == ("ml-latest-small", 100836)


def test_folder_of_the_archive_and_missing_folders(
    database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "DATA", tmp_path)
    with pytest.raises(RecArenaError, match="recarena fetch ml-10m"):
        load(database, find("ml-10m"))
    with pytest.raises(RecArenaError, match="recarena synth"):
        load(database, find("synthetic"))
    files.dat(tmp_path / "ml-10M100K")
    assert load(database, find("ml-10m")).rows["ratings"] == 4
    for name in ("ratings.dat", "movies.dat", "tags.dat"):
        shutil.copytree(tmp_path / "ml-10M100K", tmp_path / name)
        (tmp_path / name / name).unlink()
        with pytest.raises(RecArenaError, match=f"{name} is missing"):
            load(database, find("ml-10m"), tmp_path / name, replace=True)


def test_one_of_two_loaders_wins(database: Settings, tmp_path: Path) -> None:
    with connect(database) as other, other.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('load ml-10m'))")
        with pytest.raises(RecArenaError, match="another load of ml-10m is running"):
            load(database, find("ml-10m"), files.dat(tmp_path))
        assert load(database, find("synthetic"), tmp_path).rows["ratings"] == 4
    assert schemas(database) == {"synthetic"}
    other.close()


def test_readers_keep_what_they_read_until_they_end(
    database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "SWAP_SECONDS", 0.3)
    dataset = find("ml-10m")
    load(database, dataset, files.dat(tmp_path))
    before = everything(database, "ml_10m")
    with connect(database) as reader, reader.cursor() as cursor:
        cursor.execute("select count(*) from ml_10m.movies")
        with pytest.raises(RecArenaError, match="in use by others"):
            load(database, dataset, tmp_path, replace=True)
        # no lock is left waiting: this would deadlock if the loader held the ratings
        cursor.execute("select count(*) from ml_10m.ratings")
    reader.close()
    assert everything(database, "ml_10m") == before
    assert load(database, dataset, tmp_path, replace=True).rows["ratings"] == 4


def test_a_user_without_rights_is_told(database: Settings, tmp_path: Path) -> None:
    role = f"reader_{database.postgres_db}"
    execute(database, f"create role {role} login password 'x'")
    try:
        execute(database, f"grant connect on database {database.postgres_db} to {role}")
        given = database.model_copy(
            update={
                "postgres_user": role,
                "postgres_password": type(database.postgres_password)("x"),
            }
        )
        with pytest.raises(RecArenaError, match="permission denied") as raised:
            load(given, find("ml-10m"), files.dat(tmp_path))
        assert "\n" not in str(raised.value)
    finally:
        execute(database, f"drop owned by {role}; drop role {role}")
    assert schemas(database) == set()


def test_every_data_set_can_be_found_in_any_spelling() -> None:
    for name, dataset in DATASETS.items():
        assert find(name.upper().replace("-", "_")) is dataset
    with pytest.raises(RecArenaError, match=r"ml-100k, ml-1m.*did you mean ml-10m"):
        find("ml-10mm")


def test_the_documented_command(database: Settings, tmp_path: Path) -> None:
    env = as_environment(database)
    env.pop("PYTHONPATH", None)

    def run(*given: str) -> subprocess.CompletedProcess[str]:
        command = [*map(str, LOADING), "--from", str(tmp_path / "files"), *given]
        return subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )

    missing = run()
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("error: ")
    assert missing.stderr.count("\n") == 1
    files.dat(tmp_path / "files")
    assert "4 ratings" in run().stdout
    assert "--replace" in run().stderr
    assert run("--replace").returncode == 0
