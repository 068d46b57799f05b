"""`alembic` from the project's root: up, down, check, for all data sets or one."""

import subprocess
import sys
import threading
from pathlib import Path

from pydantic import SecretStr

import data_set_files as files
from conftest import as_environment
from core.paths import ROOT
from core.settings import Settings
from database_queries import execute, rows, schemas
from table_models.datasets import DATASETS, find
from table_models.loader import load
from table_models.migrations import upgrade

ALL = {dataset.schema for dataset in DATASETS.values()}
SHAPE = (
    "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
    " where connamespace = %s::regnamespace union all select tablename, indexname, indexdef"
    " from pg_indexes where schemaname = %s union all select table_name || '.' || column_name,"
    " data_type || is_nullable || is_identity, column_default from information_schema.columns"
    " where table_schema = %s order by 1, 2"
)


def alembic(settings: Settings, *given: str) -> subprocess.CompletedProcess[str]:
    environment = as_environment(settings)
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [Path(sys.executable).with_name("alembic"), *given],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def succeeds(settings: Settings, *given: str) -> str:
    done = alembic(settings, *given)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_up_check_and_down_for_every_data_set(database: Settings) -> None:
    assert alembic(database, "check").returncode != 0
    assert schemas(database) == set()
    for _ in range(2):
        succeeds(database, "upgrade", "head")
        assert schemas(database) == ALL
        assert "No new upgrade operations" in succeeds(database, "check")
        assert succeeds(database, "current").count("(head)") == len(ALL)
        succeeds(database, "downgrade", "base")
        assert schemas(database) == set()


def test_one_data_set(database: Settings) -> None:
    succeeds(database, "-x", "dataset=ml_1M", "upgrade", "head")
    assert schemas(database) == {"ml_1m"}
    succeeds(database, "-x", "dataset=ml-1m", "check")
    execute(database, "create table ml_1m.mine ()")
    succeeds(database, "-x", "dataset=ml-1m", "downgrade", "base")
    found = rows(database, "select tablename from pg_tables where schemaname = 'ml_1m'")
    assert found == [("mine",)], "other people's tables stay"


def test_a_loaded_data_set_has_the_tables_of_the_migrations(
    database: Settings, tmp_path: Path
) -> None:
    upgrade(database, find("ml-10m"))
    before = rows(database, SHAPE, *["ml_10m"] * 3)
    load(database, find("ml-10m"), files.dat(tmp_path))
    load(database, find("ml-10m"), tmp_path, replace=True)
    assert rows(database, SHAPE, *["ml_10m"] * 3) == before
    succeeds(database, "-x", "dataset=ml-10m", "check")
    succeeds(database, "-x", "dataset=ml-10m", "downgrade", "base")
    assert schemas(database) == set()


def test_check_finds_a_difference(database: Settings) -> None:
    upgrade(database, find("ml-10m"))
    execute(database, "alter table ml_10m.movies drop column year")
    done = alembic(database, "-x", "dataset=ml-10m", "check")
    assert done.returncode != 0
    assert "year" in done.stdout + done.stderr


def test_upgrades_at_once_do_not_clash(database: Settings) -> None:
    failed: list[Exception] = []

    def work() -> None:
        try:
            upgrade(database, find("ml-10m"))
        except Exception as error:  # whatever it is, it must not happen
            failed.append(error)

    # Alembic's own state is one per process: the clash to see is that of processes
    running = [
        threading.Thread(target=lambda: succeeds(database, "upgrade", "head")) for _ in range(3)
    ]
    for thread in running:
        thread.start()
    work()
    for thread in running:
        thread.join()
    assert not failed
    assert schemas(database) == ALL


def test_mistakes_are_one_line(database: Settings) -> None:
    wrong = database.model_copy(update={"postgres_password": SecretStr("hunter2")})
    absent = database.model_copy(update={"db_port": 1})
    for settings, given in (
        (wrong, ("upgrade", "head")),
        (absent, ("current",)),
        (database, ("-x", "dataset=ml-2m", "upgrade", "head")),
        (database, ("-x", "datset=ml-1m", "upgrade", "head")),
    ):
        done = alembic(settings, *given)
        assert done.returncode != 0
        said = (done.stdout + done.stderr).strip()
        assert said.count("\n") == 0, said
        assert "hunter2" not in said


def test_sql_is_printed_without_a_database(database: Settings) -> None:
    absent = database.model_copy(update={"db_port": 1})
    printed = succeeds(absent, "-x", "dataset=ml-1m", "upgrade", "head", "--sql")
    execute(database, printed)
    succeeds(database, "-x", "dataset=ml-1m", "check")
