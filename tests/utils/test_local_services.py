"""`up`, `down` and `status` with the real three servers.

MLflow takes its time to start, so the tests of a running set share one, in the order below.
"""

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from conftest import HOST, as_environment, make_settings
from core.errors import RecArenaError
from core.paths import ROOT
from core.settings import Settings
from utils.local_services import ServiceStatus, down, status, up, wipe
from utils.ports import free_port
from utils.service_process import MARK

PASSWORDS = {
    "postgres_password": SecretStr(secrets.token_hex(8)),
    "ftp_user_pass": SecretStr(f"{secrets.token_hex(8)}@/:%"),
}
# what `recarena up` does: an up of its own process, in which the ports were not configured
SCRIPT = """
import sys
from pathlib import Path
from pydantic import SecretStr
from conftest import make_settings
from utils.local_services import up
given = dict(postgres_password=SecretStr(sys.argv[2]), ftp_user_pass=SecretStr(sys.argv[3]))
real = up(make_settings(**given), lambda line: print(line, flush=True), Path(sys.argv[1]))
print(real.db_port, real.ftp_port, real.mlflow_tracking_port)
"""


def silent(line: str) -> None:
    assert "\n" not in line


def start_up(folder: Path) -> subprocess.Popen[str]:
    secret = [value.get_secret_value() for value in PASSWORDS.values()]
    command = [sys.executable, "-c", SCRIPT, str(folder), *secret]
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def by_name(folder: Path) -> dict[str, ServiceStatus]:
    return {service.name: service for service in status(folder)}


def states(folder: Path) -> list[str]:
    return [service.state for service in status(folder)]


def pids(folder: Path) -> list[int | None]:
    return [service.pid for service in status(folder)]


def kill(folder: Path, *names: str) -> None:
    for name in names:
        pid = by_name(folder)[name].pid
        assert pid
        process = psutil.Process(pid)
        process.kill()
        process.wait(10)


def processes_of(folder: Path) -> list[list[str]]:
    """Command lines of all processes that have to do with a folder of services."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "")
            places = [process.cwd(), mark, *process.cmdline()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in place for place in places):
            found.append(process.cmdline())
    return found


@pytest.fixture(scope="module")
def settings() -> Settings:
    return make_settings(**PASSWORDS)


@pytest.fixture(scope="module")
def folder(reachable_folder: Callable[[], Path], settings: Settings) -> Iterator[Path]:
    """A folder whose services run at the beginning of the module's tests."""
    made = reachable_folder() / "some folder"
    try:
        up(settings, silent, made)
        yield made
    finally:
        wipe(silent, made)


def test_up_again_changes_nothing(folder: Path, settings: Settings) -> None:
    before = pids(folder)
    ports = json.loads((folder / "services.json").read_text())["settings"]
    real = up(settings, silent, folder)
    assert pids(folder) == before
    assert states(folder) == ["running"] * 3
    assert {name: getattr(real, name) for name in ports} == ports
    # a later command has loaded the chosen ports from services.json
    loaded = make_settings(**PASSWORDS, **ports)
    assert up(loaded, silent, folder).db_port == real.db_port
    assert pids(folder) == before


def test_no_secret_is_readable(folder: Path) -> None:
    hidden = [value.get_secret_value() for value in PASSWORDS.values()]
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        assert not any(secret in line for secret in hidden)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"services.json", "mlflow.db", "mlflow.log", "ftp.log", "postgres.log"} <= {
        path.name for path in files
    }
    for secret in hidden:
        assert not [path for path in files if secret.encode() in path.read_bytes()]
    with closing(sqlite3.connect(folder / "mlflow" / "mlflow.db")) as runs:
        assert runs.execute("pragma journal_mode").fetchone() == ("wal",)
    for name in ("logs", "run", "ftp", "mlflow"):
        assert (folder / name).stat().st_mode & 0o77 == 0


def test_a_killed_ftp_server_is_seen_and_mended_alone(folder: Path, settings: Settings) -> None:
    before = by_name(folder)
    kill(folder, "ftp")
    assert states(folder) == ["running", "crashed", "running"]
    assert by_name(folder)["ftp"].pid is None
    up(settings, silent, folder)
    after = by_name(folder)
    assert after["ftp"].address == before["ftp"].address
    assert after["ftp"].pid != before["ftp"].pid
    assert after["postgres"] == before["postgres"]
    assert after["mlflow"] == before["mlflow"]


def test_two_ups_at_once_mend_all_that_was_killed(folder: Path) -> None:
    before = by_name(folder)
    kill(folder, "postgres", "ftp", "mlflow")
    assert states(folder) == ["crashed"] * 3
    both = [start_up(folder), start_up(folder)]
    said = [process.communicate(timeout=120)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][-1] == said[1][-1]
    assert states(folder) == ["running"] * 3
    after = by_name(folder)
    assert [after[name].address for name in after] == [before[name].address for name in before]
    servers = [line for line in processes_of(folder) if "mlflow" in line and "server" in line]
    assert len(servers) == 1


def test_the_other_port_that_is_configured_later_is_used(folder: Path, settings: Settings) -> None:
    port = free_port(HOST)
    real = up(settings.model_copy(update={"db_port": port}), silent, folder)
    assert real.db_port == port
    assert by_name(folder)["postgres"].address == f"{HOST}:{port}"


def test_another_database_password_is_a_clear_error(folder: Path, settings: Settings) -> None:
    before = pids(folder)
    other = settings.model_copy(update={"postgres_password": SecretStr("wrong one")})
    with pytest.raises(RecArenaError, match="POSTGRES_PASSWORD") as caught:
        up(other, silent, folder)
    assert "wrong one" not in str(caught.value)
    assert pids(folder) == before


def test_down_leaves_no_process(folder: Path) -> None:
    down(silent, folder)
    down(silent, folder)
    assert states(folder) == ["stopped"] * 3
    assert processes_of(folder) == []
    assert not (folder / "services.json").exists()
    assert (folder / "mlflow" / "mlflow.db").exists()


def test_a_taken_port_that_was_configured_is_an_error_before_anything_starts(
    tmp_path: Path,
) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        for name in ("db_port", "ftp_port", "mlflow_tracking_port"):
            with pytest.raises(RecArenaError, match=f"port {port} .*{name.upper()}") as caught:
                up(make_settings(**{name: port}), silent, tmp_path / "services")
            assert "\n" not in str(caught.value)
    assert states(tmp_path / "services") == ["stopped"] * 3
    assert not (tmp_path / "services" / "services.json").exists()


def test_another_machine_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(RecArenaError, match=r"DB_HOST=db\.example\.org"):
        up(make_settings(db_host="db.example.org"), silent, tmp_path / "services")


def test_a_service_that_dies_is_named_with_its_last_words(
    reachable_folder: Callable[[], Path],
) -> None:
    folder = reachable_folder() / "services"
    broken = make_settings(**PASSWORDS, backend_store_uri=SecretStr("sqlite:////proc/no/where.db"))
    try:
        with pytest.raises(RecArenaError, match=r"MLflow ended .*/proc/no.*mlflow.log") as caught:
            up(broken, silent, folder)
        assert "\n" not in str(caught.value)
        assert processes_of(folder) == []
        assert states(folder) == ["stopped"] * 3
    finally:
        wipe(silent, folder)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("starting FTP server", signal.SIGINT),
        ("starting PostgreSQL", signal.SIGTERM),
        ("FTP server answers", signal.SIGINT),
    ],
)
def test_an_interrupted_up_leaves_nothing_running(
    reachable_folder: Callable[[], Path], moment: str, number: int
) -> None:
    folder = reachable_folder() / "services"
    process = start_up(folder)
    assert process.stdout
    try:
        for line in process.stdout:
            if line.startswith(moment):
                break
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode != 0
        assert processes_of(folder) == []
        assert states(folder) == ["stopped"] * 3
        assert not (folder / "services.json").exists()
    finally:
        wipe(silent, folder)


def test_settings_load_what_a_subprocess_is_told(services: Settings) -> None:
    ask = "from core.settings import Settings; print(Settings.load().tracking_uri)"
    env = as_environment(services) | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", ask], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == services.tracking_uri
