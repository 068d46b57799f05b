"""Files on the FTP server are whole, whoever is killed while one is on its way."""

import ftplib
import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.paths import ROOT
from utils.ports import free_port, gateway

HOST, USER, PASSWORD = "127.0.0.1", "store", "secret"
INCOMING = ".incoming"
# a client that never ends its upload, told apart by its process only
ENDLESS = """
import ftplib, sys, time
class Slow:
    def read(self, size):
        time.sleep(0.01)
        return b"x" * size
session = ftplib.FTP()
session.connect("127.0.0.1", int(sys.argv[1]))
session.login("store", "secret")
session.storbinary("STOR model", Slow())
"""


class Server:
    """The server as a process; it can be killed and started again on the same files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.port = folder, folder / "root", free_port(HOST)
        self.start()

    def start(self) -> None:
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT / "src"),
            "FTP_PORT": str(self.port),
            "FTP_USER_NAME": USER,
            "FTP_USER_PASS": PASSWORD,
            "FTP_ROOT": str(self.root),
        }
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "utils.ftp_server"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until(self.answers)

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(10)

    def session(self) -> ftplib.FTP:
        session = ftplib.FTP(timeout=10)
        session.connect(HOST, self.port)
        session.login(USER, PASSWORD)
        return session

    def parts(self) -> list[Path]:
        return list((self.root / INCOMING).iterdir())

    def received(self) -> int:
        with suppress(OSError):  # it may go while we look
            return sum(part.stat().st_size for part in self.parts())
        return 0


def wait_until(holds: Callable[[], object]) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def uploading(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """A client in the middle of an upload."""
    command = [sys.executable, "-c", ENDLESS, str(server.port)]
    client = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: server.received() > 2_000_000)
    yield client
    client.kill()
    client.wait(10)


def test_a_killed_client_leaves_nothing(server: Server, uploading: subprocess.Popen[bytes]) -> None:
    uploading.kill()
    wait_until(lambda: not server.parts())
    with server.session() as session:
        assert session.nlst() == []


def test_a_killed_client_leaves_the_file_that_was_there(server: Server) -> None:
    with server.session() as session:
        session.storbinary("STOR model", io.BytesIO(b"the old one"))
    command = [sys.executable, "-c", ENDLESS, str(server.port)]
    client = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: server.received() > 2_000_000)
    client.kill()
    client.wait(10)
    wait_until(lambda: not server.parts())
    assert (server.root / "model").read_bytes() == b"the old one"


def test_a_killed_server_leaves_nothing(server: Server, uploading: subprocess.Popen[bytes]) -> None:
    server.stop(signal.SIGKILL)
    assert not (server.root / "model").exists()
    server.start()
    assert server.parts() == []
    with server.session() as session:
        assert session.nlst() == []


def test_a_file_is_there_as_soon_as_the_server_says_so(server: Server) -> None:
    with server.session() as session:
        for number in range(20):
            session.storbinary(f"STOR {number}", io.BytesIO(b"x" * 100_000))
            assert session.size(f"/{number}") == 100_000
    assert server.parts() == []


def test_the_last_file_stays_when_the_client_leaves_without_a_word(server: Server) -> None:
    session = server.session()
    session.storbinary("STOR model", io.BytesIO(b"x" * 3_000_000))
    session.close()  # as MLflow does
    assert (server.root / "model").stat().st_size == 3_000_000


def test_what_is_unfinished_is_not_to_be_seen(
    server: Server, uploading: subprocess.Popen[bytes]
) -> None:
    (part,) = server.parts()
    with server.session() as session:
        assert session.nlst() == []
        assert session.nlst("/") == []
        with pytest.raises(ftplib.error_perm, match="550"):
            session.cwd(INCOMING)
        with pytest.raises(ftplib.error_perm, match="550"):
            session.retrbinary(f"RETR /{INCOMING}/{part.name}", lambda _: None)


@pytest.mark.parametrize("name", ["folder", "nowhere/file"])
def test_a_name_that_cannot_be_is_refused(server: Server, name: str) -> None:
    with server.session() as session:
        session.mkd("folder")
        with pytest.raises(ftplib.error_perm, match="550"):
            session.storbinary(f"STOR {name}", io.BytesIO(b"x"))


def test_the_gateway_is_the_default_route(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\n"
        "eth0\t000012AC\t00000000\t0001\n"
        "eth0\t00000000\t010012AC\t0003\n"
    )
    assert gateway(table) == "172.18.0.1"
    table.write_text("Iface\tDestination\tGateway\n")
    assert gateway(table) is None
    assert gateway(tmp_path / "missing") is None
