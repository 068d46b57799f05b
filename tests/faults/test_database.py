"""PostgreSQL goes away, and loads are ended in the middle."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from database_queries import rows
from faults.conftest import Fault
from faults.disk import small_disk
from faults.invariants import check_finished, fingerprint, runs
from faults.stand import Process, Stand
from faults.test_tracker import delivered
from table_models import loader, synthetic
from table_models.database import connect
from table_models.datasets import find

pytestmark = pytest.mark.faults
ACTIVE = (
    "select pid from pg_stat_activity where datname = current_database() "
    "and query ilike %s and state = 'active' and pid <> pg_backend_pid()"
)


def test_down_before(fault: Fault, stand: Stand) -> None:
    """PostgreSQL is down before a run"""
    stand.kill("db")
    process = stand.run()
    assert fault.saw(process) == 1
    stand.start("db")
    fault.over()
    assert stand.run().end() == 0
    fault.well()


def test_killed_before_the_reading(fault: Fault, stand: Stand) -> None:
    """PostgreSQL is killed when a run is about to read"""
    process = stand.run(stops=["reading"])
    process.at("reading")
    stand.kill("db")
    process.go("reading")
    assert fault.saw(process) == 1
    assert next(iter(runs(stand).values())).info.status == "FAILED"
    fault.lost = "that run, marked FAILED; nothing was trained yet"
    stand.start("db")
    fault.over()
    assert stand.run().end() == 0
    fault.well()


def test_killed_in_the_reading(fault: Fault, stand: Stand) -> None:
    """PostgreSQL is killed in the middle of the reading"""
    process = reading(stand)
    stand.kill("db")
    stand.links["db"].mend()
    assert fault.saw(process) == 1
    assert next(iter(runs(stand).values())).info.status == "FAILED"
    fault.lost = "that run, marked FAILED; nothing was trained yet"
    stand.start("db")
    fault.over()
    assert stand.run().end() == 0
    fault.well()


def reading(stand: Stand) -> Process:
    """A run in the middle of its reading, slowly."""
    process = stand.run(stops=["reading"])
    process.at("reading")
    stand.links["db"].slow(4e4)
    begin = stand.links["db"].bytes
    process.go("reading")
    end = time.monotonic() + 60
    while stand.links["db"].bytes - begin < 6e4:
        assert time.monotonic() < end, process.said
        time.sleep(0.02)
    return process


def test_connection_ended(fault: Fault, stand: Stand) -> None:
    """The connection to PostgreSQL is reset in the middle of the reading"""
    process = reading(stand)
    stand.links["db"].reset()
    stand.links["db"].mend()
    assert fault.saw(process) == 1
    fault.lost = "that run, marked FAILED; nothing was trained yet"
    assert next(iter(runs(stand).values())).info.status == "FAILED"


def test_frozen(fault: Fault, stand: Stand) -> None:
    """PostgreSQL is frozen (SIGSTOP) in the middle of the reading, for 10 s"""
    process = reading(stand)
    stand.signal("db", signal.SIGSTOP)
    time.sleep(10)
    stand.links["db"].mend()
    stand.signal("db", signal.SIGCONT)
    fault.over()
    delivered(fault, process)


def test_killed_while_fitting(fault: Fault, stand: Stand) -> None:
    """PostgreSQL is killed while a run is fitting"""
    process = stand.run(stops=["fitting"])
    process.at("fitting")
    stand.kill("db")
    process.go("fitting")
    assert fault.saw(process) == 0
    run = next(iter(runs(stand).values()))
    check_finished(stand, run)
    stand.start("db")


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files whose load takes long enough to be met in the middle."""
    folder = tmp_path_factory.mktemp("big") / "synthetic"
    synthetic.generate(folder, users=4000, movies=1500, ratings=400_000, seed=2)
    return folder


def loading(
    stand: Stand, big: Path, statement: str = 'copy "ratings"', dataset: str = "synthetic"
) -> Process:
    """A load that replaces the data set, in the middle of a statement."""
    stand.links["db"].slow(1.5e6)
    process = stand.command("load", dataset, "--from", str(big), "--replace")
    end = time.monotonic() + 120
    while not rows(stand.real, ACTIVE, f"{statement}%"):
        assert time.monotonic() < end, process.said
        assert process.popen.poll() is None, process.said
        time.sleep(0.02)
    return process


@pytest.mark.parametrize(
    ("name", "sent", "statement"),
    [
        (f"a load gets {sent.name} {where}", sent, statement)
        for sent in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
        for where, statement in (
            ("in the middle of the ratings", 'copy "ratings"'),
            ("while it makes keys", "alter table ratings"),
        )
        if sent != signal.SIGINT or "copy" in statement
    ],
)
def test_load_is_ended(
    fault: Fault, stand: Stand, big: Path, name: str, sent: signal.Signals, statement: str
) -> None:
    process = loading(stand, big, statement)
    process.popen.send_signal(sent)
    assert fault.saw(process) in (130, 143, -9)
    fault.over()
    stand.links["db"].mend()
    gone(stand)
    fault.well()


def gone(stand: Stand) -> None:
    """Wait until the server has given up what a loader left."""
    end = time.monotonic() + 60
    while rows(stand.real, ACTIVE, "%"):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_killed_in_load(fault: Fault, stand: Stand, big: Path) -> None:
    """PostgreSQL is killed in the middle of a load"""
    process = loading(stand, big)
    stand.kill("db")
    stand.links["db"].mend()
    assert fault.saw(process) == 1
    stand.start("db")
    fault.over()
    loads_again(stand)
    fault.well()


def loads_again(stand: Stand) -> None:
    """A load of another data set works, and leaves the first alone."""
    files = stand.folder / "again"
    if not files.exists():
        synthetic.generate(files, users=30, movies=40, ratings=700, seed=3)
    process = stand.command("load", "ml-10m", "--from", str(files), "--replace")
    assert process.end() == 0, process.said


def test_cut_in_load(fault: Fault, stand: Stand, big: Path) -> None:
    """The network between loader and PostgreSQL is reset in the middle of a load"""
    process = loading(stand, big)
    stand.links["db"].reset()
    stand.links["db"].mend()
    assert fault.saw(process) == 1
    fault.over()
    gone(stand)
    fault.well()


def test_two_loads(fault: Fault, stand: Stand, big: Path) -> None:
    """Two loads of one data set at once"""
    first = loading(stand, big)
    second = stand.command("load", "synthetic", "--from", str(big), "--replace")
    assert fault.saw(second) == 1
    assert "another load" in second.last
    first.popen.kill()
    first.end()
    stand.links["db"].mend()
    gone(stand)


def test_cut_while_loading(fault: Fault, stand: Stand, big: Path) -> None:
    """The network between loader and PostgreSQL is cut in the middle of a load, for 10 s"""
    process = loading(stand, big, dataset="ml-10m")
    stand.links["db"].cut()
    time.sleep(10)
    stand.links["db"].mend()
    fault.over()
    assert fault.saw(process) == 0
    fault.well()


def test_readers_while_replacing(fault: Fault, stand: Stand) -> None:
    """Runs read while the data set is replaced, five times"""
    files = {seed: stand.folder / f"other-{seed}" for seed in (4, 5)}
    for seed, folder in files.items():
        synthetic.generate(folder, users=40, movies=40, ratings=900, seed=seed)
    allowed = set()
    for folder in files.values():
        load_ten(stand, folder)
        allowed.add(fingerprint(stand, "ml-10m"))
    assert len(allowed) == 2
    with readers(stand) as (seen, failed):
        for turn in range(5):
            load_ten(stand, files[4 + turn % 2])
    assert not failed
    assert seen
    assert set(seen) <= allowed
    fault.seen.append(f"{len(seen)} readings: each the old data or the new, by fingerprint")


@contextmanager
def readers(stand: Stand) -> Iterator[tuple[list[str], list[Exception]]]:
    """Two threads that read the data set; the fingerprints that they found, and their errors."""
    seen: list[str] = []
    failed: list[Exception] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                seen.append(fingerprint(stand, "ml-10m"))
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield seen, failed
    finally:
        over.set()
        for thread in threads:
            thread.join()


def load_ten(stand: Stand, folder: Path) -> None:
    """Load files in the place of ml-10m."""
    loader.load(stand.real, find("ml-10m"), folder, replace=True)


def test_disk_full(fault: Fault, stand: Stand, big: Path) -> None:
    """PostgreSQL's disk is full in the middle of a load"""
    server = stand.processes("db")[0]
    with small_disk(stand.folder.parent / "small", 24, server.uids().real) as disk:
        space(stand, f"create tablespace small location '{disk}'")
        space(stand, "alter role current_user set default_tablespace = small")
        try:
            process = stand.command("load", "synthetic", "--from", str(big), "--replace")
            assert fault.saw(process) == 1
            assert "the database's disk is full" in process.last
        finally:
            space(stand, "alter role current_user reset default_tablespace")
            space(stand, "drop tablespace small")
    fault.over()
    loads_again(stand)
    fault.well()


def space(stand: Stand, statement: str) -> None:
    """Run a statement that may not be in a transaction."""
    with closing(connect(stand.real)) as server, server.cursor() as cursor:
        server.autocommit = True
        cursor.execute(statement)
