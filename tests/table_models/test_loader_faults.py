"""Loading while the ground gives way: kills at any moment, no disk, no server, rivals, readers."""

import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

import data_set_files as files
from conftest import fresh_database, make_settings, running_postgres
from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.settings import Settings
from database_queries import everything, execute, rows, schemas
from datareader.reader import choose_dataset, read_dataset
from loading import start
from table_models.database import connect
from table_models.datasets import find
from table_models.loader import load
from utils.local_postgres import LocalPostgres

ML_10M = find("ml-10m")
COPYING = (
    "select pid from pg_stat_activity where query ilike 'copy \"ratings\"%' and state = 'active'"
)

ALONE = (
    "select 1 where not exists (select from pg_stat_activity where datname = current_database() "
    "and pid <> pg_backend_pid())"
)


def make_files(folder: Path, users: int, stars: str, titles: str) -> Path:
    """A data set of 100 movies, all of them rated by everybody."""
    ids = range(1, 101)
    files.dat(folder)
    files.write(folder / "movies.dat", [(i, f"{titles} {i} (1990)", "Drama") for i in ids], "::")
    rated = [(u, i, stars, 1_000_000 + i // 3) for u in range(1, users + 1) for i in ids]
    files.write(folder / "ratings.dat", rated, "::")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("small"), 50, "3", "Old")


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose load takes long enough to be met in the middle."""
    return make_files(tmp_path_factory.mktemp("big"), 4000, "4", "New")


def await_rows(database: Settings, query: str) -> int:
    """The first number that the query finds, as soon as it does."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for (found,) in rows(database, query):
            return int(found)
        time.sleep(0.01)
    raise AssertionError(f"nothing: {query}")


def signature(database: Settings) -> tuple[str, int, str]:
    """What a pipeline would read: the split's fingerprint, users, and a title."""
    source = choose_dataset(database)
    data = read_dataset(database, source, EvaluationProtocol(source.shown_name))
    assert f"{source.ratings}" == f"{len(data.train.users) + len(data.test.users)}"
    return data.fingerprint, len(data.user_ids), data.titles[0]


def test_a_loader_killed_at_any_moment_leaves_all_or_nothing(
    database: Settings, small: Path, big: Path
) -> None:
    load(database, ML_10M, big)
    new = signature(database)
    load(database, ML_10M, small, replace=True)
    old = signature(database)
    assert old != new
    begin = time.monotonic()
    whole = start(database, big)
    assert whole.wait(120) == 0
    lasted = time.monotonic() - begin
    assert signature(database) == new
    for n in range(5):
        load(database, ML_10M, small, replace=True)
        killed = start(database, big)
        with suppress(subprocess.TimeoutExpired):
            killed.wait(lasted * (n + 1) / 5)
        killed.kill()
        killed.communicate(timeout=20)
        await_rows(database, ALONE)  # the server notices within seconds
        assert signature(database) in (old, new)
        assert schemas(database) == {"ml_10m"}
    load(database, ML_10M, small, replace=True)  # and a second load works
    assert signature(database) == old


@pytest.fixture
def own_server(reachable_folder: Callable[[], Path]) -> Iterator[LocalPostgres]:
    """A PostgreSQL server that the test may kill."""
    with running_postgres(reachable_folder()) as server:
        yield server


def test_a_server_killed_in_the_middle_loses_nothing(
    own_server: LocalPostgres, small: Path, big: Path
) -> None:
    database = make_settings(
        db_host=own_server.host,
        db_port=own_server.port,
        postgres_user=own_server.user,
        postgres_password=own_server.password,
        postgres_db=own_server.database,
    )
    load(database, ML_10M, small)
    old, content = signature(database), everything(database, "ml_10m")
    for query in (COPYING, COPYING.replace('copy "ratings"', "alter table ratings")):
        loading = start(database, big)
        await_rows(database, query)
        assert own_server.pid
        family = psutil.Process(own_server.pid)
        for process in (*family.children(recursive=True), family):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        _, said = loading.communicate(timeout=60)
        assert loading.returncode == 1
        assert said.splitlines()[-1].startswith("error: ")
        assert "nothing was loaded" in said
        assert "Traceback" not in said
        with pytest.raises(RecArenaError, match="does not answer"):
            load(database, ML_10M, big, replace=True)
        own_server.start()
        assert signature(database) == old
        assert everything(database, "ml_10m") == content
        assert schemas(database) == {"ml_10m"}
    load(database, ML_10M, big, replace=True)
    assert signature(database) != old


@pytest.fixture
def tiny_disk(reachable_folder: Callable[[], Path]) -> Iterator[Path]:
    """A disk of 4 MiB, where one can be made."""
    folder = reachable_folder() / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", str(folder)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(command, check=False).returncode
    ):
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_what_was_there(
    postgres_server: LocalPostgres, tiny_disk: Path, small: Path, big: Path
) -> None:
    space = f"tiny_{secrets.token_hex(4)}"
    tiny_disk.joinpath("space").mkdir(mode=0o777)
    tiny_disk.joinpath("space").chmod(0o777)
    with fresh_database(postgres_server) as database:
        load(database, ML_10M, small)
        old = signature(database)
        shutil.chown(tiny_disk / "space", psutil.Process(postgres_server.pid).uids().real)
        execute_alone(database, f"create tablespace {space} location '{tiny_disk}/space'")
        try:
            execute(
                database, f"alter database {database.postgres_db} set default_tablespace = {space}"
            )
            with pytest.raises(RecArenaError, match="disk is full; nothing was loaded"):
                load(database, ML_10M, big, replace=True)
            assert signature(database) == old
            assert schemas(database) == {"ml_10m"}
            execute(database, f"alter database {database.postgres_db} reset default_tablespace")
            load(database, ML_10M, big, replace=True)
            assert signature(database) != old
        finally:
            execute_alone(database, f"drop tablespace {space}")


def execute_alone(database: Settings, statement: str) -> None:
    """Run a statement that cannot be part of a transaction."""
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)


def test_pipelines_read_the_old_data_or_the_new_and_no_mixture(
    database: Settings, tmp_path: Path
) -> None:
    folders = [
        make_files(tmp_path / "a", 40, "3", "Old"),
        make_files(tmp_path / "b", 60, "4", "New"),
    ]
    allowed = set()
    for folder in folders:
        load(database, ML_10M, folder, replace=True)
        allowed.add(signature(database))
    seen: list[tuple[str, int, str]] = []
    failed: list[BaseException] = []
    ended = threading.Event()

    def read() -> None:
        try:
            while not ended.is_set():
                source = choose_dataset(database)
                data = read_dataset(database, source, EvaluationProtocol(source.shown_name))
                seen.append((data.fingerprint, len(data.user_ids), data.titles[0]))
        except BaseException as error:
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for n in range(8):
            load(database, ML_10M, folders[n % 2], replace=True)
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert not failed
    assert set(seen) == allowed


def test_of_two_loaders_one_wins_and_the_other_is_told(
    database: Settings, small: Path, big: Path
) -> None:
    load(database, ML_10M, small)
    rivals = [start(database, big) for _ in range(2)]
    said = [rival.communicate(timeout=120)[1] for rival in rivals]
    codes = sorted(rival.returncode for rival in rivals)
    assert codes in ([0, 1], [0, 0])  # both, if the second began when the first had ended
    assert codes == [0, 0] or any("another load of ml-10m is running" in one for one in said)
    assert len(rows(database, "select distinct user_id from ml_10m.ratings")) == 4000
    assert schemas(database) == {"ml_10m"}
