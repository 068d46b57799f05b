"""A load that is interrupted, killed or cut off at any moment leaves what was there before."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

import data_set_files as files
from core.errors import RecArenaError
from core.settings import Settings
from database_queries import everything, execute, rows, schemas
from loading import start
from table_models.datasets import find
from table_models.loader import load

USERS = 6000
MOMENTS = ('copy "ratings"', "alter table ratings")
BUSY = "select pid from pg_stat_activity where datname = current_database() and query ilike %s"


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A folder whose load takes long enough to be met in the middle."""
    folder = files.dat(tmp_path / "big")
    ids = range(1, 101)
    files.write(folder / "movies.dat", [(i, f"M {i} (1990)", "Drama") for i in ids], "::")
    rated = [(u, i, "4", 1_000_000 + i // 3) for u in range(1, USERS + 1) for i in ids]
    files.write(folder / "ratings.dat", rated, "::")
    return folder


@pytest.fixture
def before(database: Settings, tmp_path: Path) -> Iterator[None]:
    """Something is loaded, and still there at the end; after it a load works."""
    folder = files.dat(tmp_path / "small")
    load(database, find("ml-10m"), folder)
    expected = everything(database, "ml_10m")
    yield
    assert schemas(database) == {"ml_10m"}
    assert everything(database, "ml_10m") == expected
    load(database, find("ml-10m"), folder, replace=True)


def wait_for(database: Settings, statement: str) -> int:
    """The server process that runs a statement, as soon as one does."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for (pid,) in rows(database, f"{BUSY} and state = 'active'", f"{statement}%"):
            return int(pid)
    raise AssertionError(f"no {statement}")


def wait_until_quiet(database: Settings) -> None:
    until = time.monotonic() + 30
    while rows(database, f"{BUSY} and pid <> pg_backend_pid()", "%"):
        assert time.monotonic() < until, "the server still works for a loader that is gone"
        time.sleep(0.05)


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_signals(
    database: Settings, big: Path, sent: signal.Signals, status: int, moment: str
) -> None:
    loading = start(database, big)
    wait_for(database, moment)
    os.kill(loading.pid, sent)
    _, said = loading.communicate(timeout=20)
    assert loading.returncode == status
    assert "Traceback" not in said
    wait_until_quiet(database)


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_connection_is_lost(database: Settings, big: Path, moment: str) -> None:
    loading = start(database, big)
    execute(database, f"select pg_terminate_backend({wait_for(database, moment)})")
    _, said = loading.communicate(timeout=20)
    assert loading.returncode == 1
    assert said.splitlines()[-1].startswith("error: ")
    assert "nothing was loaded" in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("before")
def test_two_loaders_at_once(database: Settings, big: Path) -> None:
    loading = start(database, big)
    wait_for(database, MOMENTS[0])
    with pytest.raises(RecArenaError, match="another load of ml-10m is running"):
        load(database, find("ml-10m"), big, replace=True)
    loading.kill()
    loading.communicate()
    wait_until_quiet(database)


def test_readers_see_the_old_data_or_the_new(database: Settings, tmp_path: Path) -> None:
    folders = {4: files.dat(tmp_path / "a"), 3: files.dat(tmp_path / "b")}
    files.replace_line(folders[3] / "ratings.dat", {4: b""})
    dataset = find("ml-10m")
    load(database, dataset, folders[4])
    seen: set[tuple[int, ...]] = set()
    failed: list[psycopg2.Error] = []
    ended = threading.Event()
    query = "select (select count(*) from ml_10m.ratings), (select count(*) from ml_10m.users)"

    def read() -> None:
        while not ended.is_set():
            try:
                seen.update(rows(database, query))
            except psycopg2.Error as error:
                failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for n in (3, 4) * 4:
            load(database, dataset, folders[n], replace=True)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert seen == {(4, 4), (3, 3)}  # users are those of the ratings and the tags
