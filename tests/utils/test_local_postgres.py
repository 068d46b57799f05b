"""The local PostgreSQL, each test with a server of its own where it must break one."""

import multiprocessing
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from conftest import HOST, as_environment
from core.errors import RecArenaError
from core.paths import ROOT
from core.settings import Settings
from utils import postgres_programs
from utils.local_postgres import LocalPostgres
from utils.ports import can_bind, free_port
from utils.postgres_place import find_place, make_place, server_account

PASSWORD = 'it\'s a \\ "secret" é'
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")


def make(folder: Path, password: str = PASSWORD) -> LocalPostgres:
    secret = SecretStr(password)
    return LocalPostgres(
        folder, host=HOST, port=free_port(HOST), user="eve", password=secret, database="A b"
    )


def ask(server: LocalPostgres, question: str) -> object:
    with closing(server.connect()) as session, session.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
        return row[0] if row else None


@pytest.fixture
def server(reachable_folder: Callable[[], Path]) -> Iterator[LocalPostgres]:
    made = make(reachable_folder() / "it's a folder")
    yield made
    made.remove()


def processes_of(folder: Path) -> list[psutil.Process]:
    """The processes that work below a folder, or run a program from there."""
    found = []
    for process in psutil.process_iter():
        try:
            places = [process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if any(str(folder) in place for place in places):
            found.append(process)
    return found


def test_starts_answers_and_stops(server: LocalPostgres) -> None:
    server.start()
    assert server.is_running()
    pid = server.pid
    server.start()
    assert server.pid == pid
    assert ask(server, "select current_database()") == "A b"
    assert (
        ask(server, "select lower('ÀÉ') || (select count(*) from (values ('a' < 'É')) t)") == "àé1"
    )
    assert ask(server, "show unix_socket_directories") == ""
    assert ask(server, "show timezone") == "UTC"
    server.stop()
    server.stop()
    assert not server.is_running()
    assert processes_of(server.folder) == []


def test_recovers_from_kill_9_without_losing_a_row(server: LocalPostgres) -> None:
    server.start()
    ask(server, "create table t as select * from generate_series(1, 1000) n; select 1")
    first = server.pid
    assert first
    os.kill(first, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first)] if psutil.pid_exists(first) else [], timeout=5)
    assert not server.is_running()
    server.start()
    assert server.pid != first
    assert ask(server, "select count(*) from t") == 1000


def test_a_reused_process_id_is_not_taken_for_the_server(server: LocalPostgres) -> None:
    server.start()
    place = find_place(server.folder)
    assert place
    lines = (place.data / "postmaster.pid").read_text().splitlines()
    server.stop()
    (place.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert not server.is_running()
    server.stop()
    server.start()
    assert ask(server, "select 1") == 1


def test_another_password_is_a_clear_error_and_ends_what_it_started(server: LocalPostgres) -> None:
    server.start()
    server.stop()
    other = make(server.folder, "another")
    with pytest.raises(RecArenaError, match="POSTGRES_PASSWORD") as caught:
        other.start()
    assert "\n" not in str(caught.value)
    assert "another one" not in str(caught.value)
    assert not other.is_running()


def test_a_taken_port_is_a_clear_error(server: LocalPostgres) -> None:
    with socket.create_server((HOST, 0)) as taken:
        server.port = taken.getsockname()[1]
        with pytest.raises(RecArenaError, match=f"port {server.port} .* DB_PORT"):
            server.start()
    assert not server.is_running()


def test_an_unfinished_cluster_is_made_again(server: LocalPostgres) -> None:
    (server.folder / "data.new").mkdir(parents=True)
    (server.folder / "data.new" / "PG_VERSION").write_text("18\n")
    server.folder.chmod(0o711)
    server.start()
    assert ask(server, "select 1") == 1


def test_moves_to_another_port_when_told(server: LocalPostgres) -> None:
    server.start()
    before, server.port = server.port, free_port(HOST)
    server.start()
    assert ask(server, "show port") == str(server.port)
    assert can_bind(HOST, before)


def test_tells_its_password_to_nobody(server: LocalPostgres) -> None:
    server.start()
    lines = []
    for process in processes_of(server.folder):
        with suppress(psutil.NoSuchProcess):  # one that worked for a moment
            lines.append(" ".join(process.cmdline()))
    assert lines
    assert not [line for line in lines if PASSWORD in line]
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    assert server.log.stat().st_mode & 0o777 == 0o600


def test_an_interrupt_leaves_no_process(reachable_folder: Callable[[], Path]) -> None:
    folder = reachable_folder() / "interrupted"
    script = (
        "import sys\nfrom pathlib import Path\nfrom pydantic import SecretStr\n"
        "from utils.local_postgres import LocalPostgres\n"
        "LocalPostgres(Path(sys.argv[1]), host='127.0.0.1', port=int(sys.argv[2]), user='eve',"
        " password=SecretStr('x'), database='d').start()"
    )
    command = [sys.executable, "-c", script, str(folder), str(free_port(HOST))]
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (folder / "data.new").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert processes_of(folder) == []
    assert not (folder / "data").exists()
    assert not (folder / "password").exists()


@as_root
def test_works_below_a_folder_that_only_root_can_enter() -> None:
    with tempfile.TemporaryDirectory(prefix="recarena closed ") as closed:
        server = make(Path(closed) / "postgres")
        try:
            server.start()
            place = find_place(server.folder)
            assert place
            assert place.base.parent == Path("/var/tmp")
            assert ask(server, "select 1") == 1
            assert make(server.folder).pid == server.pid
            assert Path(closed).stat().st_mode & 0o777 == 0o700
        finally:
            server.remove()
        assert not place.base.exists()


@as_root
def test_removes_what_is_elsewhere_even_when_no_cluster_was_made(tmp_path: Path) -> None:
    server = make(tmp_path / "postgres")
    base = make_place(server.folder).base
    assert base.parent == Path("/var/tmp")
    server.remove()
    assert not base.exists()
    assert not server.folder.exists()


@as_root
def test_a_copy_of_the_folder_does_not_take_the_original_over(tmp_path: Path) -> None:
    server = make(tmp_path / "original")
    try:
        server.start()
        copy = make(tmp_path / "copy")
        copy.folder.mkdir()
        (copy.folder / "location").write_text((server.folder / "location").read_text())
        assert not copy.is_running()
        (server.folder).rename(tmp_path / "moved")
        assert make(tmp_path / "moved").is_running()
    finally:
        make(tmp_path / "moved").remove()


@as_root
def test_copies_the_programs_when_they_cannot_be_run_where_they_are(
    reachable_folder: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = postgres_programs.installed_programs()
    hidden = tmp_path / "site-packages"
    for part in (installed.parent.name, installed.parent.name + ".libs"):
        (hidden / part).parent.mkdir(exist_ok=True)
        source = installed.parent.with_name(part)
        if source.exists():
            (hidden / part).symlink_to(source)
    shut = hidden / installed.parent.name / installed.name
    monkeypatch.setattr(postgres_programs, "installed_programs", lambda: shut)
    server = make(reachable_folder() / "postgres")
    try:
        server.start()
        place = find_place(server.folder)
        assert place
        assert place.base in place.programs.parents
        assert ask(server, "select 1") == 1
    finally:
        server.remove()


@as_root
def test_works_as_an_ordinary_user(
    reachable_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = reachable_folder()
    user = pwd.getpwnam("daemon")
    account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # a user can run the programs of his own environment; this one may lie where only root can look
    programs = postgres_programs.programs_for(reachable_folder(), account)
    monkeypatch.setattr(postgres_programs, "installed_programs", lambda: programs.parent)
    os.chown(folder, user.pw_uid, user.pw_gid)

    def work() -> None:
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        assert server_account() == {}
        server = make(folder / "postgres")
        server.start()
        assert psutil.Process(server.pid).username() == user.pw_name
        assert ask(server, "select 1") == 1
        server.remove()

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_each_test_has_an_empty_database_of_its_own(database: Settings) -> None:
    values = as_environment(database)
    assert values["POSTGRES_DB"] == database.postgres_db
    assert values["POSTGRES_PASSWORD"] == database.postgres_password.get_secret_value()
