"""Backups: everything lost and brought back, and what must not be brought back."""

import hashlib
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from conftest import HOST, fresh_database, make_settings
from core.errors import RecArenaError
from core.settings import Settings
from database_queries import execute, rows
from pipelines.popularity.model import PopularityParams
from pipelines.popularity.pipeline_popularity import pipeline as popularity_pipeline
from pipelines.SVD.model import SVDParams
from pipelines.SVD.pipeline_svd import pipeline as svd_pipeline
from table_models import loader, synthetic
from table_models.datasets import find
from utils import tracker_database
from utils.asking import ask
from utils.backup import ARTIFACTS, DATABASE, TRACKER_FILE, backup
from utils.backup_manifest import FILE, describe, walk
from utils.leaderboard import entries
from utils.local_postgres import LocalPostgres
from utils.local_services import up, wipe
from utils.ports import free_port
from utils.postgres_dump import connected, dsn_of, filled_tables
from utils.restore import restore
from utils.restore_parts import FilesPart
from utils.run_end import ALIVE
from utils.stores import ACCOUNTS, Stores, find_stores

MAKE_RUNS = (
    "create table runs (run_uuid text, status text)",
    "create table tags (run_uuid text, key text, value text)",
    "insert into runs values ('a', 'FINISHED')",
)


def silent(line: str) -> None:
    assert "\n" not in line


def make_tracker(file: Path) -> None:
    """As much of MLflow's tables as is asked; with a write-ahead log, as MLflow's file has."""
    with closing(sqlite3.connect(file)) as runs:
        runs.execute("pragma journal_mode = wal")
        for command in MAKE_RUNS:
            runs.execute(command)
        runs.commit()


def add_run(file: Path, status: str = "FINISHED", age: float | None = None) -> None:
    with closing(sqlite3.connect(file)) as runs:
        runs.execute("insert into runs values ('b', ?)", (status,))
        if age is not None:
            runs.execute("insert into tags values ('b', ?, ?)", (ALIVE, str(time.time() - age)))
        runs.commit()


@pytest.fixture
def stores(database: Settings, tmp_path: Path) -> Stores:
    """A database, a tracker's file and a folder of artifacts, without servers that use them."""
    execute(database, "create schema ratings")
    execute(database, "create table ratings.rows as select generate_series(1, 1000) as number")
    home, artifacts = tmp_path / "mlflow", tmp_path / "ftp"
    home.mkdir()
    make_tracker(home / "mlflow.db")
    (artifacts / "1" / "a b" / "ü#%").mkdir(parents=True)
    (artifacts / "1" / "a b" / "ü#%" / "model.pkl").write_bytes(b"\0" * 70_000)
    (artifacts / "1" / ".0f.part").write_text("an upload on its way")
    for hidden in (".incoming", ".recarena"):
        (artifacts / hidden).mkdir()
        (artifacts / hidden / "unfinished").write_text("not to be kept")
    return Stores(dsn_of(database), home / "mlflow.db", home / ACCOUNTS, artifacts, None)


def content(stores: Stores) -> dict[str, Any]:
    """Everything that a restore is about."""
    with connected(stores.database) as database:
        database.execute("select count(*), sum(number) from ratings.rows")
        ratings = database.fetchall()
    files = {
        one.relative_to(stores.artifacts).as_posix(): describe(one)
        for one in walk(stores.artifacts)
        if one.relative_to(stores.artifacts).parts[0][0] != "." and one.suffix != ".part"
    }
    return {"rows": ratings, "runs": tracker_database.n_runs(stores.runs), "files": files}


def change(stores: Stores) -> None:
    """Do everything that a restore is to take back."""
    with connected(stores.database) as database:
        database.execute("delete from ratings.rows where number < 500")
    (stores.artifacts / "1" / "later.txt").write_text("later")
    if isinstance(stores.tracker, Path):
        add_run(stores.tracker)


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_a_backup_brings_back_what_was(
    database: Settings, stores: Stores, tmp_path: Path, name: str
) -> None:
    before = content(stores)
    made = backup(database, stores, tmp_path / name, silent)
    assert (made.contents["runs"], made.contents["artifacts"]) == (1, 1)
    mode = stat.S_IMODE((tmp_path / name).stat().st_mode)
    assert mode & 0o77 == 0, "it holds everything, for nobody else"
    change(stores)
    assert content(stores) != before
    restore(database, stores, tmp_path / name, silent, replace=True)
    assert content(stores) == before
    names = {one.name for one in [*tmp_path.iterdir(), *stores.accounts.parent.iterdir()]}
    assert names == {name, "mlflow", "ftp", "mlflow.db"}, "nothing is left beside"


def test_runs_that_finish_meanwhile_have_their_files_or_are_not_in_it(
    database: Settings, stores: Stores, tmp_path: Path
) -> None:
    number = iter(range(100))

    def a_run_finishes(_line: str) -> None:
        name = f"meanwhile-{next(number)}"
        (stores.artifacts / "1" / name).write_text("its file")
        assert isinstance(stores.tracker, Path)
        with closing(sqlite3.connect(stores.tracker)) as runs:
            runs.execute("insert into runs values (?, 'FINISHED')", (name,))
            runs.commit()

    made = backup(database, stores, tmp_path / "copy", a_run_finishes)
    with closing(sqlite3.connect(tmp_path / "copy" / TRACKER_FILE)) as copied:
        found = [name for (name,) in copied.execute("select run_uuid from runs")]
    assert len(found) > 1
    assert made.contents["runs"] == len(found)
    for name in found:
        assert name == "a" or (tmp_path / "copy" / ARTIFACTS / "1" / name).exists()


def test_nothing_is_overwritten_unless_told(
    database: Settings, stores: Stores, tmp_path: Path
) -> None:
    before = content(stores)
    backup(database, stores, tmp_path / "copy", silent)
    with pytest.raises(RecArenaError, match="is there already"):
        backup(database, stores, tmp_path / "copy", silent)
    change(stores)
    after = content(stores)
    copy = tmp_path / "copy"

    def refused(what: str) -> None:
        with pytest.raises(RecArenaError, match=f"there are {what}.*--replace"):
            restore(database, stores, copy, silent)

    refused("rows in the database .*ratings.rows")
    assert content(stores) == after
    with connected(stores.database) as server:
        server.execute("delete from ratings.rows")
    refused(r"runs \(2\)")
    assert isinstance(stores.tracker, Path)
    with closing(sqlite3.connect(stores.tracker)) as runs:
        runs.execute("delete from runs")
        runs.commit()
    refused(r"artifacts \(1\)")
    shutil.rmtree(stores.artifacts / "1")
    restore(database, stores, copy, silent)
    assert content(stores) == before


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def a_stranger(copy: Path) -> None:
    (copy / ARTIFACTS / "stranger").write_text("not in the manifest")


def a_link(copy: Path) -> None:
    (copy / ARTIFACTS / "link").symlink_to("/etc/passwd")


BREAK: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit of the database": (lambda copy: flip(copy / DATABASE), f"{DATABASE} has changed"),
    "a bit of the runs": (lambda copy: flip(copy / TRACKER_FILE), f"{TRACKER_FILE} has changed"),
    "a file": (lambda copy: (copy / TRACKER_FILE).unlink(), f"{TRACKER_FILE} is missing"),
    "the manifest": (lambda copy: (copy / FILE).unlink(), "is no backup"),
    "half the manifest": (lambda copy: os.truncate(copy / FILE, 100), "is broken"),
    "a stranger": (a_stranger, "stranger has changed"),
    "a link": (a_link, "link: neither a file nor a folder"),
}


@pytest.mark.parametrize("what", BREAK)
def test_a_broken_backup_is_refused(
    database: Settings, stores: Stores, tmp_path: Path, what: str
) -> None:
    backup(database, stores, tmp_path / "copy", silent)
    change(stores)
    before = content(stores)
    break_it, said = BREAK[what]
    break_it(tmp_path / "copy")
    with pytest.raises(RecArenaError, match=said) as refused:
        restore(database, stores, tmp_path / "copy", silent, replace=True)
    assert "\n" not in str(refused.value)
    assert content(stores) == before


def test_a_broken_archive_is_refused(database: Settings, stores: Stores, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar"
    backup(database, stores, file, silent)
    for size in (file.stat().st_size // 2, 700, 0):
        os.truncate(file, size)
        with pytest.raises(RecArenaError):
            restore(database, stores, file, silent, replace=True)
    with pytest.raises(RecArenaError, match="there is no such backup"):
        restore(database, stores, tmp_path / "nothing.tar", silent, replace=True)
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


@pytest.mark.parametrize("failing", ["artifacts", "runs"])
def test_what_fails_in_the_middle_is_put_back(
    database: Settings,
    stores: Stores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    backup(database, stores, tmp_path / "copy", silent)
    change(stores)
    before = content(stores)
    swap = FilesPart.swap

    def fails(part: FilesPart) -> None:
        if part.name == failing:
            raise OSError(28, "No space left on device")
        swap(part)

    monkeypatch.setattr(FilesPart, "swap", fails)
    with pytest.raises(RecArenaError, match="No space left"):
        restore(database, stores, tmp_path / "copy", silent, replace=True)
    assert content(stores) == before
    assert {one.name for one in stores.accounts.parent.iterdir()} == {"mlflow.db"}


def test_a_backup_that_fails_leaves_nothing(
    database: Settings, stores: Stores, tmp_path: Path
) -> None:
    wrong = changed(stores, database={**stores.database, "password": "not it"})
    for target in ("copy", "copy.tar"):
        with pytest.raises(RecArenaError, match="authentication failed") as failed:
            backup(database, wrong, tmp_path / target, silent)
        assert "not it" not in str(failed.value)
    with pytest.raises(RecArenaError, match="No such file"):
        backup(database, stores, tmp_path / "nowhere" / "copy", silent)
    assert {one.name for one in tmp_path.iterdir()} == {"mlflow", "ftp"}


def test_nothing_is_restored_under_a_run_in_progress_or_an_open_tracker(
    database: Settings, stores: Stores, tmp_path: Path
) -> None:
    assert isinstance(stores.tracker, Path)
    backup(database, stores, tmp_path / "copy", silent)
    with closing(sqlite3.connect(stores.tracker)) as server:
        server.execute("select * from runs").fetchall()
        with pytest.raises(RecArenaError, match=r"in use .*stop the MLflow server"):
            restore(database, stores, tmp_path / "copy", silent, replace=True)
    add_run(stores.tracker, "RUNNING", age=5)
    with pytest.raises(RecArenaError, match=r"1 run\(s\) are in progress"):
        restore(database, stores, tmp_path / "copy", silent, replace=True)
    assert tracker_database.n_runs(stores.tracker) == 2


def test_runs_in_postgresql_come_back_too(
    database: Settings, stores: Stores, tmp_path: Path, postgres_server: LocalPostgres
) -> None:
    with fresh_database(postgres_server) as other:
        for command in MAKE_RUNS:
            execute(other, command)
        stores = changed(stores, tracker=dsn_of(other))
        backup(database, stores, tmp_path / "copy", silent)
        execute(other, "insert into runs values ('b', 'RUNNING')")
        execute(other, f"insert into tags values ('b', '{ALIVE}', '{int(time.time())}')")
        with pytest.raises(RecArenaError, match="in progress"):
            restore(database, stores, tmp_path / "copy", silent, replace=True)
        execute(other, "update tags set value = '1'")
        held = rows(other, "select count(*) from runs")
        restore(database, stores, tmp_path / "copy", silent, replace=True)
        assert (held, rows(other, "select count(*) from runs")) == ([(2,)], [(1,)])
        with pytest.raises(RecArenaError, match="another kind of database"):
            restore(
                database,
                changed(stores, tracker=tmp_path / "mlflow" / "mlflow.db"),
                tmp_path / "copy",
                silent,
                replace=True,
            )


def test_places_that_are_not_here_have_to_be_given(tmp_path: Path) -> None:
    elsewhere = make_settings(mlflow_tracking_host="tracker.example.org")
    with pytest.raises(RecArenaError, match="--tracker and --artifacts"):
        find_stores(elsewhere, folder=tmp_path)
    given = find_stores(elsewhere, tmp_path / "a" / "mlflow.db", tmp_path / "b", tmp_path)
    assert given.tracker == tmp_path / "a" / "mlflow.db"
    assert given.accounts == tmp_path / "a" / ACCOUNTS
    assert (given.artifacts, given.folder) == (tmp_path / "b", None)
    uri = SecretStr("postgresql://eve:p%40ss@db.example.org:5433/runs")
    remote = find_stores(
        elsewhere.model_copy(update={"backend_store_uri": uri}), None, tmp_path, tmp_path
    )
    assert isinstance(remote.tracker, dict)
    assert (remote.tracker["password"], remote.tracker["port"]) == ("p@ss", "5433")
    same = SecretStr("postgresql://recarena:recarena@127.0.0.1:5432/recarena")
    both = find_stores(
        elsewhere.model_copy(update={"backend_store_uri": same}), None, tmp_path, tmp_path
    )
    assert both.tracker is None


@pytest.fixture
def folder(reachable_folder: Callable[[], Path]) -> Iterator[Path]:
    made = reachable_folder() / "services"
    yield made
    wipe(silent, made)


def start(folder: Path) -> Settings:
    """New services, with other ports and other passwords than the ones before."""
    ports = {name: free_port(HOST) for name in ("db_port", "ftp_port", "mlflow_tracking_port")}
    password = SecretStr(os.urandom(8).hex())
    given = make_settings(**ports, postgres_password=password, ftp_user_pass=password)
    return up(given, silent, folder)


def state(settings: Settings, folder: Path) -> dict[str, Any]:
    """What people see of finished runs, and the checksums of their files."""
    answer = ask(settings, "SVD", 17, 10)
    return {
        "leaderboard": [one.record() for one in entries(settings, None)],
        "recommended": (answer.movies, answer.run),
        "files": {
            one.relative_to(folder / "ftp"): hashlib.sha256(one.read_bytes()).hexdigest()
            for one in walk(folder / "ftp")
            if one.relative_to(folder / "ftp").parts[0][0] != "."
        },
    }


def test_everything_lost_comes_back(folder: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415

    settings = start(folder)
    synthetic.generate(tmp_path / "data", users=200, movies=150, ratings=8000, seed=1)
    loader.load(settings, find("synthetic"), tmp_path / "data")
    svd_pipeline.start(SVDParams(factors=7), settings)
    popularity_pipeline.start(PopularityParams(), settings)
    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name(settings.experiment_name)
    unfinished = client.create_run(experiment.experiment_id, tags={ALIVE: str(time.time() - 5)})
    before = state(settings, folder)
    made = backup(settings, find_stores(settings, folder=folder), tmp_path / "all.tar", silent)
    assert made.contents["data_sets"] == {"synthetic": 8000}
    assert made.contents["runs"] == 3
    wipe(silent, folder)

    settings = start(folder)
    stores = find_stores(settings, folder=folder)
    assert filled_tables(stores.database) == []
    restore(settings, stores, tmp_path / "all.tar", silent)
    assert state(settings, folder) == before
    # what was in progress is no FINISHED run, and is closed like any run whose process is gone
    client = MlflowClient(settings.tracking_uri)
    run_id = unfinished.info.run_id
    assert client.get_run(run_id).info.status == "RUNNING"
    client.set_tag(run_id, ALIVE, str(time.time() - 120))
    assert svd_pipeline.start(SVDParams(factors=7), settings)["ndcg_at_k"] == pytest.approx(
        next(one for one in entries(settings, None) if one.pipeline == "SVD").metrics["ndcg_at_k"]
    )
    assert client.get_run(run_id).info.status == "FAILED"
